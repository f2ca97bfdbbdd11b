# SPDX-License-Identifier: Apache-2.0
"""One spelling for conditions that say the same: equal questions get one digest, one answer, one charge.

Laws applied, bottom up:
  NOT is pushed down to the comparisons (De Morgan; sound with NULL, since a row is kept only where the whole is true),
  every comparison becomes the set of values that it keeps (`Span`), so `=`, IN, BETWEEN, <, and their negations meet,
  AND and OR are flattened, sets of the same item are intersected or united, parts are sorted, repeats dropped,
  what can never hold disappears from OR and takes AND with it.
Then the sets are written out again in one way. Distribution is not applied: it can grow without bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from zhanqiao.policy.ir import And, Compare, Literal, Not, Operator, Or, Predicate, Within

# A place between values of one type: (value, 0) is just below the value, (value, 1) just above it.
_Cut = tuple[int | str, int]


@dataclass(frozen=True)
class Span:
    """A set of values: `low` tells whether the lowest are inside, and each cut, ascending, is where that changes.

    NULL is in no set. Whole numbers have no cut just above a value: it is the one just below the next.
    """

    low: bool
    cuts: tuple[_Cut, ...]

    def __invert__(self) -> "Span":
        return Span(not self.low, self.cuts)

    @property
    def empty(self) -> bool:
        return not self.low and not self.cuts

    @property
    def full(self) -> bool:
        return self.low and not self.cuts


@dataclass(frozen=True)
class _Leaf:
    item: str
    span: Span


@dataclass(frozen=True)
class _Tree:
    """AND (`all`) or OR of parts, sorted, none of the same kind, at most one leaf for each item."""

    all: bool
    parts: tuple["_Node", ...]


_Node = _Leaf | _Tree


class Vacuous(Enum):
    """A condition that decides nothing, and so is no condition."""

    NEVER = "no row can meet it"
    ALWAYS = "every row with a value meets it"


def canonical_where(where: Predicate) -> Predicate | Vacuous:
    """Return the one spelling of a condition."""
    node = _node(where, positive=True)
    if node is None:
        return Vacuous.NEVER
    return Vacuous.ALWAYS if _says_nothing(node) else _written(node)


def _says_nothing(node: _Node) -> bool:
    """Whether some part only asks whether an item has a value at all."""
    return node.span.full if isinstance(node, _Leaf) else any(_says_nothing(part) for part in node.parts)


# --- from a condition to sets -----------------------------------------------------------------------


def _node(predicate: Predicate, *, positive: bool) -> _Node | None:
    match predicate:
        case Not(inner):
            return _node(inner, positive=not positive)
        case And(parts) | Or(parts):
            nodes = [_node(part, positive=positive) for part in parts]
            return _joined(nodes, all_of=isinstance(predicate, And) is positive)
        case Compare(item, operator, value):
            return _leaf(item, _span(operator, value), positive=positive)
        case Within(item, values):
            return _leaf(item, _span_of(values), positive=positive)


def _leaf(item: str, span: Span, *, positive: bool) -> _Leaf | None:
    kept = span if positive else ~span
    return None if kept.empty else _Leaf(item, kept)


def _span(operator: Operator, value: Literal) -> Span:
    below, above = _around(value)
    match operator:
        case Operator.EQ:
            return Span(low=False, cuts=(below, above))
        case Operator.NE:
            return Span(low=True, cuts=(below, above))
        case Operator.LT:
            return Span(low=True, cuts=(below,))
        case Operator.LE:
            return Span(low=True, cuts=(above,))
        case Operator.GT:
            return Span(low=False, cuts=(above,))
        case Operator.GE:
            return Span(low=False, cuts=(below,))


def _around(value: Literal) -> tuple[_Cut, _Cut]:
    return (value, 0), ((value + 1, 0) if isinstance(value, int) else (value, 1))


def _span_of(values: Sequence[Literal]) -> Span:
    cuts: set[_Cut] = set()
    for value in set(values):
        cuts ^= set(_around(value))  # neighbours share a cut, where nothing changes
    return Span(low=False, cuts=tuple(sorted(cuts)))


def _combined(spans: Sequence[Span], *, all_of: bool) -> Span:
    """Return the intersection or the union in one sweep over all cuts."""
    inside = [span.low for span in spans]
    wanted = len(spans) if all_of else 1
    count = sum(inside)
    kept = low = count >= wanted
    edges = sorted((cut, index) for index, span in enumerate(spans) for cut in span.cuts)
    cuts = []
    for cut, here in groupby(edges, key=lambda edge: edge[0]):
        for _, index in here:
            inside[index] = not inside[index]
            count += 1 if inside[index] else -1
        if (count >= wanted) is not kept:
            cuts.append(cut)
            kept = not kept
    return Span(low, tuple(cuts))


def _joined(nodes: list[_Node | None], *, all_of: bool) -> _Node | None:
    if all_of and None in nodes:
        return None
    spans: dict[str, list[Span]] = {}
    trees: set[_Tree] = set()
    waiting = [node for node in nodes if node is not None]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _Leaf):
            spans.setdefault(node.item, []).append(node.span)
        elif node.all is all_of:
            waiting.extend(node.parts)
        else:
            trees.add(node)
    leaves = [_Leaf(item, _combined(found, all_of=all_of)) for item, found in sorted(spans.items())]
    if any(leaf.span.empty for leaf in leaves):  # only AND can empty a set here
        return None
    parts: list[_Node] = [*leaves, *sorted(trees, key=repr)]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else _Tree(all_of, tuple(parts))


# --- and back, in one way ---------------------------------------------------------------------------


def _written(node: _Node) -> Predicate:
    if isinstance(node, _Leaf):
        return _written_leaf(node)
    kind = And if node.all else Or
    parts: list[Predicate] = []
    for part in node.parts:
        written = _written(part)
        parts.extend(written.parts if isinstance(written, kind) else [written])
    return kind(tuple(parts))


def _written_leaf(leaf: _Leaf) -> Predicate:
    item, span = leaf.item, leaf.span
    left_out = _points(~span)
    if left_out is not None:
        return Compare(item, Operator.NE, left_out[0]) if len(left_out) == 1 else Not(Within(item, left_out))
    points: list[Literal] = []
    ranges: list[Predicate] = []
    for start, end in _runs(span):
        if start is not None and end is not None and _is_point(start, end):
            points.append(start[0])
        else:
            ranges.append(_written_range(item, start, end))
    if points:
        ranges.insert(0, Compare(item, Operator.EQ, points[0]) if len(points) == 1 else Within(item, tuple(points)))
    return ranges[0] if len(ranges) == 1 else Or(tuple(ranges))


def _runs(span: Span) -> list[tuple[_Cut | None, _Cut | None]]:
    """Return the unbroken stretches of a set; None is an open end."""
    edges: list[_Cut | None] = [*([None] if span.low else []), *span.cuts]
    if len(edges) % 2:
        edges.append(None)
    return list(zip(edges[::2], edges[1::2], strict=True))


def _points(span: Span) -> tuple[Literal, ...] | None:
    """Return the values of a set of single values, None if it is no such set."""
    if span.low or len(span.cuts) % 2:
        return None
    pairs = list(zip(span.cuts[::2], span.cuts[1::2], strict=True))
    return tuple(start[0] for start, _ in pairs) if all(_is_point(*pair) for pair in pairs) else None


def _is_point(start: _Cut, end: _Cut) -> bool:
    if isinstance(start[0], int):
        return end == (start[0] + 1, 0)
    return start[1] == 0 and end == (start[0], 1)


def _written_range(item: str, start: _Cut | None, end: _Cut | None) -> Predicate:
    bounds: list[Predicate] = []
    if start is not None:
        bounds.append(Compare(item, Operator.GT if start[1] else Operator.GE, start[0]))
    if end is not None and isinstance(end[0], int):
        bounds.append(Compare(item, Operator.LE, end[0] - 1))
    elif end is not None:
        bounds.append(Compare(item, Operator.LE if end[1] else Operator.LT, end[0]))
    return bounds[0] if len(bounds) == 1 else And(tuple(bounds))
