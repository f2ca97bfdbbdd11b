# SPDX-License-Identifier: Apache-2.0
"""The guard's route: from a caller's text to a typed statement, or to every reason why it is none.

The text is never run. Two parsers that share no code must read it the same way; what one of them does not know is
refused. Names are resolved against the catalogue and the caller's agreement only. Pure: the engine's parse tree comes
in through `tree_b`, made elsewhere, of a text that holds no word of the caller's quotes.
"""

from collections.abc import Callable

from zhanqiao.policy.guard import duckdb_reader, resolve, sqlglot_reader
from zhanqiao.policy.guard.advice import NO_EXAMPLE, nearest
from zhanqiao.policy.guard.cubes import cover, described, needs
from zhanqiao.policy.guard.lexer import Lexed, lex
from zhanqiao.policy.guard.parsed import Parsed
from zhanqiao.policy.guard.sqlglot_reader import Reading
from zhanqiao.policy.ir import Statement
from zhanqiao.terms.agreements import Door, Grant
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.refusals import RULES, Reason, Refusal, meant


def read(
    text: str,
    tree_b: Callable[[str], str],
    dataset_of: Callable[[str], Dataset | None],
    grant: Grant | None,
) -> Statement | Refusal:
    """Return the statement that a text means under an agreement, or every reason why it is refused.

    tree_b      the lexed text -> JSON of DuckDB's `json_serialize_sql` (`vault.second_parser.tree_of`)
    dataset_of  the catalogue: name -> dataset, or None
    """
    # (1) Decide whether any parser shall see this text, and lift its quotes out.
    lexed = lex(text)
    if not isinstance(lexed, Lexed):
        return _refusal(lexed, NO_EXAMPLE)
    # (2) Read it twice. Reader A explains; reader B must agree.
    reading = sqlglot_reader.read(lexed)
    reasons = list(reading.reasons) or _disagreements(reading, lexed, tree_b)
    # (3) Without an agreement nothing of the catalogue is told.
    if grant is None:
        return _refusal([*reasons, Reason("no-grant")], NO_EXAMPLE)
    # (4) Find the dataset within the agreement.
    dataset = _dataset(reading.dataset, dataset_of, grant)
    if not isinstance(dataset, Dataset):
        return _refusal([*reasons, *dataset], _example_elsewhere(grant, dataset_of))
    # (5) Look up every name that occurs; then types, levels and capabilities; one spelling for equal conditions.
    granted = grant.items[dataset.name]
    reasons += resolve.check_names(reading.named, dataset, granted)
    statement = _resolved(reading.parsed, dataset, reasons)
    # (6) It must be answerable from what is published.
    if isinstance(statement, Statement) and cover(statement, dataset) is not None:
        return statement
    if isinstance(statement, Statement):
        statement = [_uncovered(statement, dataset)] if dataset.cubes else []
    unpublished = [] if dataset.cubes else [Reason("statement-no-cubes-yet", {"dataset": dataset.name})]
    return _refusal([*reasons, *statement, *unpublished], nearest(reading.parsed, dataset, granted))


def _disagreements(reading: Reading, lexed: Lexed, tree_b: Callable[[str], str]) -> list[Reason]:
    """Return why the second reading is not the first. B is asked only about what A has read without a reason."""
    second = duckdb_reader.read(tree_b(lexed.text), lexed)
    if reading.parsed is not None and second == reading.parsed:
        return []
    return [Reason("text-two-readings", {"construct": second if isinstance(second, str) else "meaning"})]


def _dataset(
    name: str | None, dataset_of: Callable[[str], Dataset | None], grant: Grant
) -> Dataset | tuple[Reason, ...]:
    """Return the dataset. Unknown and not granted are one answer: the catalogue beyond the agreement is not probed."""
    if name is None:
        return ()
    if (held_back := grant.held_back(name, Door.STATISTICS)) is not None:
        return (held_back,)
    dataset = dataset_of(name) if name in grant.items else None
    facts = {"dataset": name, "granted": resolve.listed(sorted(grant.items)), **meant(name, grant.items)}
    return (Reason("statement-dataset-not-granted", facts),) if dataset is None else dataset


def _resolved(parsed: Parsed | None, dataset: Dataset, reasons: list[Reason]) -> Statement | list[Reason]:
    """Return the statement, or what else is wrong with it."""
    if parsed is None:
        return []
    if not reasons:
        return resolve.resolve(parsed, dataset)
    return resolve.problems(parsed, dataset, frozenset(reason.facts.get("item", "") for reason in reasons))


def _uncovered(statement: Statement, dataset: Dataset) -> Reason:
    dims, measures = needs(statement)
    return Reason(
        "statement-no-cube",
        {
            "dataset": dataset.name,
            "dims": resolve.listed(dims),
            "measures": resolve.listed(measures),
            "cubes": described(dataset),
        },
    )


def _example_elsewhere(grant: Grant, dataset_of: Callable[[str], Dataset | None]) -> str:
    """Return a statement on the first granted dataset that has a cube."""
    for name in sorted(grant.items):
        dataset = dataset_of(name)
        if dataset is not None and dataset.cubes:
            return nearest(None, dataset, grant.items[name])
    return NO_EXAMPLE


def _refusal(reasons: "list[Reason] | tuple[Reason, ...]", example: str) -> Refusal:
    """Return a refusal whose reasons carry the example where their remedy shows one."""
    return Refusal(
        tuple(
            Reason(reason.code, {**reason.facts, "example": example})
            if "{example}" in RULES[reason.code].remedy_en
            else reason
            for reason in reasons
        )
    )
