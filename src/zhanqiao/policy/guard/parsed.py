# SPDX-License-Identifier: Apache-2.0
"""What both readers make of a text: the statement as written, names not yet looked up.

Conditions already stand in the nodes of `policy.ir` (BETWEEN as two comparisons, the item on the left), so that two
readings are compared by `==` and nothing is translated afterwards. What has no place here was refused by the reader.
"""

from dataclasses import dataclass
from typing import assert_never

from zhanqiao.policy.ir import And, Average, Compare, Count, Dim, Literal, Not, Operator, Or, Predicate, Sum, Within

# Statements compare whole numbers up to this size; every engine and canonical JSON hold them exactly.
WHOLE_LIMIT = 10**15


@dataclass(frozen=True)
class CountDistinct:
    """`count(DISTINCT item)`; whether the item is a subject key is not known yet."""

    item: str


ParsedTerm = Dim | Count | CountDistinct | Sum | Average


@dataclass(frozen=True)
class ParsedOutput:
    """One output column; alias None when none was written."""

    alias: str | None
    term: ParsedTerm


@dataclass(frozen=True)
class Parsed:
    """One statement as written."""

    dataset: str
    outputs: tuple[ParsedOutput, ...]
    group: tuple[str, ...]
    where: Predicate | None


_FLIPPED = {
    Operator.EQ: Operator.EQ,
    Operator.NE: Operator.NE,
    Operator.LT: Operator.GT,
    Operator.LE: Operator.GE,
    Operator.GT: Operator.LT,
    Operator.GE: Operator.LE,
}


def flipped(operator: Operator) -> Operator:
    """Return the operator that says the same with its sides exchanged.

    >>> flipped(Operator.LE)
    <Operator.GE: '>='>
    """
    return _FLIPPED[operator]


_OPPOSITE = {
    Operator.EQ: Operator.NE,
    Operator.NE: Operator.EQ,
    Operator.LT: Operator.GE,
    Operator.LE: Operator.GT,
    Operator.GT: Operator.LE,
    Operator.GE: Operator.LT,
}


def negated(inner: Predicate) -> Predicate:
    """Return NOT of a condition; DuckDB's parser turns comparisons round by itself, so both readers do.

    >>> negated(Compare("year", Operator.LT, 3))
    Compare(item='year', operator=<Operator.GE: '>='>, value=3)
    """
    match inner:
        case Not(twice):
            return twice
        case Compare(item, operator, value):
            return Compare(item, _OPPOSITE[operator], value)
        case _:
            return Not(inner)


def between(item: str, low: Literal, high: Literal) -> Predicate:
    """Return `item BETWEEN low AND high` as the two comparisons that it means."""
    return And((Compare(item, Operator.GE, low), Compare(item, Operator.LE, high)))


def items_of(where: Predicate | None) -> tuple[str, ...]:
    """Return the items that a condition looks at, in order of appearance, each once."""
    found: dict[str, None] = {}
    waiting = [] if where is None else [where]
    while waiting:
        node = waiting.pop()
        match node:
            case Compare(item=item) | Within(item=item):
                found[item] = None
            case Not(inner):
                waiting.append(inner)
            case And(parts) | Or(parts):
                waiting.extend(reversed(parts))
            case _:
                assert_never(node)
    return tuple(found)
