# SPDX-License-Identifier: Apache-2.0
"""The statistics door (统计): tables over many subjects, answered from published cubes.

The caller's text is never run. It becomes a typed statement, the statement becomes a permit, and the vault answers the
permit from atoms that were protected when they were published; averages are computed here, from what is released.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Any

from zhanqiao.agreements import grants
from zhanqiao.catalogue import shelf
from zhanqiao.doors import release
from zhanqiao.doors.release import Asked, Release, Sealing
from zhanqiao.policy import decide, guard
from zhanqiao.policy.guard.cubes import are_whole
from zhanqiao.policy.ir import Average, Count, CountUnits, Dim, Output, Sum
from zhanqiao.policy.permits import AnswerPermit
from zhanqiao.terms.agreements import Door, Grant
from zhanqiao.terms.canonical import canonical, digest
from zhanqiao.terms.datasets import Dataset, Generaliser, LogicalType
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.requests import StatisticsRequest
from zhanqiao.vault import second_parser
from zhanqiao.vault.house import House
from zhanqiao.vault.vault import Answer

REMAINDER = "其余"
# What was read before is not read again, as long as agreement and catalogue say the same.
_STATEMENTS = guard.Memory()


def answer(request: StatisticsRequest, *, house: House) -> Release | Refusal:
    """Answer one statement, or refuse it with every reason.

    Figures of one cube are exact and the same for everybody; a repeated request id gets the same bytes, free.
    """
    asked = _asked(request)
    # (1) Find the promise this request stands on; who was answered before is answered from the book.
    grant = release.opening(asked, house)
    if not isinstance(grant, Grant):
        return grant
    # (2) Read the statement within it.
    at = house.clock()
    narrowed = _seen_under(grant)
    statement = _STATEMENTS.read(request.statement, second_parser.tree_of, narrowed, grant)
    # (3) Decide, without touching data. A refusal names every reason.
    permit = decide.decide_statistics(request, grant, statement, narrowed, shelf.snapshot_of, at)
    if isinstance(permit, Refusal):
        return release.note_refusal(asked, permit, house)
    # (4) Charge. A crash from here on leaves the charge spent and the request repeatable.
    if (refusal := release.reserve(asked, house)) is not None:
        return release.note_refusal(asked, refusal, house)
    # (5) Run exactly what was permitted, and nothing else.
    dataset = narrowed(permit.statement.dataset)
    assert dataset is not None, "the permit names a described dataset"
    exact = house.vault.run(permit, dataset)
    # (6) What the caller computes is computed from protected cells only.
    table, withheld = _evaluate(exact, permit, dataset)
    # (7) Log, sign, keep; only then does it leave.
    sealing = _sealing(permit, grant, dataset, withheld, exact)
    return release.hand_over(asked, canonical({**table, "request": asked.id}), sealing, house)


def _seen_under(grant: Grant) -> Callable[[str], Dataset | None]:
    """Return the catalogue as the agreement narrows it; one request sees one state of each dataset."""

    @cache
    def find(name: str) -> Dataset | None:
        dataset = shelf.find(name)
        return None if dataset is None else grants.narrow(grant, dataset)

    return find


def _asked(request: StatisticsRequest) -> Asked:
    question = digest({"agreement": request.agreement, "statement": request.statement})
    return Asked(request.id, Door.STATISTICS, request.agreement, request.by, question)


def _sealing(
    permit: AnswerPermit, grant: Grant, dataset: Dataset, withheld: list[dict[str, object]], exact: Answer
) -> Sealing:
    return Sealing(
        purpose=grant.purpose,
        contract=grant.contract_digest,
        statement_digest=permit.statement_digest,
        snapshot={permit.statement.dataset: permit.snapshot},
        rules=exact.rules.figures,
        withheld=[{"public_code": entry["rule"], "groups": entry["groups"]} for entry in withheld],
        commitment=exact.commitment,
        pack=exact.rules.pack,
        rung="cube",
        permitted=permit.expires - decide.PERMIT_LIFE,
        read={permit.statement.dataset: dataset.digest},
    )


def _evaluate(
    exact: Answer, permit: AnswerPermit, dataset: Dataset
) -> tuple[dict[str, object], list[dict[str, object]]]:
    """Turn the roll-up of published atoms into the caller's table.

    A NULL dimension is the remainder: groups that were too small or too dominated to stand alone, and rows without a
    value. It is named, so that the columns still add up. What is said of it is seen in the table as well: how many
    groups it holds would tell which of them are not empty.
    """
    statement = permit.statement
    atoms = exact.table.to_pylist()
    remainders = sum(any(atom[dim] is None for dim in statement.dims) for atom in atoms)
    merged = "too-small-or-dominated" if are_whole(statement, permit.cube) else "parts-in-remainder"
    counted = ((merged, remainders), ("filter-leaves-out-remainder", exact.undecided))
    withheld: list[dict[str, object]] = [{"rule": rule, "groups": groups} for rule, groups in counted if groups]
    table: dict[str, object] = {
        "status": "released",
        "columns": [{"name": output.alias, "type": _type_of(output, dataset)} for output in statement.outputs],
        "rows": [[_cell(output, atom, dataset) for output in statement.outputs] for atom in atoms],
        "withheld": withheld,
        "snapshot": permit.snapshot,
    }
    return table, withheld


def _cell(output: Output, atom: dict[str, Any], dataset: Dataset) -> object:
    match output.term:
        case Dim(item):
            return REMAINDER if atom[item] is None else atom[item]
        case Count() | CountUnits():
            return int(atom["rows"])
        case Sum(item):
            return atom[f"sum_{item}"]
        case Average(item):
            return _average(atom[f"sum_{item}"], atom[f"n_{item}"], dataset, item)


def _average(total: Decimal | None, count: int, dataset: Dataset, item: str) -> Decimal | None:
    """Exact quotient, rounded half-even to two digits more than the measure has; nothing divided by nothing is NULL."""
    if total is None or not count:
        return None
    measure = dataset.item(item)
    assert measure is not None, "the permit names known measures"
    return (Decimal(total) / count).quantize(Decimal(1).scaleb(-(measure.scale + 2)), ROUND_HALF_EVEN)


def _type_of(output: Output, dataset: Dataset) -> str:
    match output.term:
        case Dim(item):
            found = dataset.item(item)
            assert found is not None, "the permit names known items"
            kept_whole = found.generaliser is None and found.type is LogicalType.INTEGER
            return "integer" if kept_whole or found.generaliser is Generaliser.YEAR else "string"
        case Count() | CountUnits():
            return "integer"
        case Sum() | Average():
            return "decimal"
