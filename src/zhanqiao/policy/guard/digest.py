# SPDX-License-Identifier: Apache-2.0
"""The digest of a statement: what caches, certificates and the ledger know a question by."""

from zhanqiao.policy.ir import (
    And,
    Average,
    Compare,
    Count,
    CountUnits,
    Dim,
    Not,
    Or,
    Predicate,
    Statement,
    Sum,
    Term,
    Within,
)
from zhanqiao.terms import canonical

_FORM = "zhanqiao-statement-1"


def digest(statement: Statement) -> str:
    """Return `sha256:<hex>` over the canonical JSON of a statement; column names are part of the question."""
    return canonical.digest(
        {
            "form": _FORM,
            "dataset": statement.dataset,
            "outputs": [[output.alias, *_term(output.term)] for output in statement.outputs],
            "dims": statement.dims,
            "where": None if statement.where is None else _predicate(statement.where),
        }
    )


def _term(term: Term) -> list[object]:
    match term:
        case Dim(item):
            return ["dim", item]
        case Count():
            return ["count"]
        case CountUnits(kind):
            return ["count_units", kind]
        case Sum(item):
            return ["sum", item]
        case Average(item):
            return ["average", item]


def _predicate(where: Predicate) -> list[object]:
    match where:
        case Compare(item, operator, value):
            return ["compare", item, operator, value]
        case Within(item, values):
            return ["within", item, list(values)]
        case Not(inner):
            return ["not", _predicate(inner)]
        case And(parts):
            return ["and", *(_predicate(part) for part in parts)]
        case Or(parts):
            return ["or", *(_predicate(part) for part in parts)]
