# SPDX-License-Identifier: Apache-2.0
"""Nearest safe query (最近安全查询): the statement closest to what was asked that would be answered.

Contract and agreement alone decide it, so no advice can tell anything about a row. What is advised was put through the
guard's own rules first: a remedy that is refused in turn would be none.
"""

from collections.abc import Iterator

from zhanqiao.policy.guard.cubes import cover, grouped, needs
from zhanqiao.policy.guard.parsed import CountDistinct, Parsed, ParsedOutput, ParsedTerm, items_of
from zhanqiao.policy.guard.resolve import resolve
from zhanqiao.policy.ir import (
    And,
    Average,
    Compare,
    Count,
    Dim,
    Literal,
    Not,
    Or,
    Predicate,
    Statement,
    Sum,
    Within,
)
from zhanqiao.terms.datasets import CubeSpec, Dataset

NO_EXAMPLE = "SELECT … , count(*) FROM … GROUP BY …"
_LONGEST = 1_000  # characters of a remedy; a longer condition is left out of it


def nearest(parsed: Parsed | None, dataset: Dataset, granted: frozenset[str]) -> str:
    """Return the text of a statement that would be answered; the form alone if there is none."""
    usable = granted & {item.name for item in dataset.items}
    for candidate in _candidates(parsed, dataset, usable):
        text = written(candidate)
        if len(text) <= _LONGEST and _is_answered(candidate, dataset):
            return text
    return NO_EXAMPLE


def _candidates(parsed: Parsed | None, dataset: Dataset, granted: frozenset[str]) -> Iterator[Parsed]:
    """Closest first: all that one cube covers, then without the condition, then one dimension, then the total."""
    cube = _closest(parsed, dataset, granted)
    if cube is None:
        return
    dims = [dim for dim in cube.dims if dim in granted]
    measures = [measure for measure in cube.measures if measure in granted]
    if parsed is not None:
        whole = _trimmed(parsed, dataset, dims, measures)
        yield whole
        yield Parsed(whole.dataset, whole.outputs, whole.group, None)
    for first in dims:
        yield _statement(dataset, [first], [])
    yield _statement(dataset, [], [])


def _closest(parsed: Parsed | None, dataset: Dataset, granted: frozenset[str]) -> CubeSpec | None:
    """Return the cube that covers most of what was asked."""
    dims, measures = ([], []) if parsed is None else needs(parsed)

    def distance(cube: CubeSpec) -> tuple[int, int]:
        usable = (set(cube.dims) | set(cube.measures)) & granted
        return -len({*dims, *measures} & usable), len(cube.dims) if parsed else 0

    return min(dataset.cubes, key=distance, default=None)


def _trimmed(parsed: Parsed, dataset: Dataset, dims: list[str], measures: list[str]) -> Parsed:
    """Return what was asked, less what the cube or the agreement does not cover; a count where nothing is left."""
    terms = [output.term for output in parsed.outputs]
    sums: list[ParsedTerm] = [term for term in terms if isinstance(term, Sum | Average) and term.item in measures]
    if not sums or any(isinstance(term, Count | CountDistinct) for term in terms):
        sums.append(Count())
    trimmed = _statement(dataset, [dim for dim in grouped(parsed) if dim in dims], list(dict.fromkeys(sums)))
    return Parsed(trimmed.dataset, trimmed.outputs, trimmed.group, _kept(parsed.where, dims, dataset))


def _statement(dataset: Dataset, dims: list[str], terms: list[ParsedTerm]) -> Parsed:
    shown: list[ParsedTerm] = [Dim(dim) for dim in dims]
    outputs = tuple(ParsedOutput(None, term) for term in [*shown, *(terms or [Count()])])
    return Parsed(dataset.name, outputs, tuple(dims), None)


def _kept(where: Predicate | None, dims: list[str], dataset: Dataset) -> Predicate | None:
    """Return the parts of a condition that look at `dims` only and break no rule."""
    parts = where.parts if isinstance(where, And) else () if where is None else (where,)
    total = _statement(dataset, [], [])
    kept = tuple(
        part
        for part in parts
        if set(items_of(part)) <= set(dims)
        and isinstance(resolve(Parsed(dataset.name, total.outputs, (), part), dataset), Statement)
    )
    return And(kept) if len(kept) > 1 else kept[0] if kept else None


def _is_answered(parsed: Parsed, dataset: Dataset) -> bool:
    statement = resolve(parsed, dataset)
    return isinstance(statement, Statement) and cover(statement, dataset) is not None


# --- writing statements down ------------------------------------------------------------------------


def written(parsed: Parsed) -> str:
    """Return the text of a statement, every part of a condition in brackets, for people to read and to send again."""
    text = f"SELECT {', '.join(_term(output.term) for output in parsed.outputs)} FROM {parsed.dataset}"  # noqa: S608  shown, never run
    if parsed.where is not None:
        text += f" WHERE {_condition(parsed.where)}"
    return text + (f" GROUP BY {', '.join(parsed.group)}" if parsed.group else "")


def _term(term: ParsedTerm) -> str:
    match term:
        case Dim(item):
            return item
        case Count():
            return "count(*)"
        case CountDistinct(item):
            return f"count(DISTINCT {item})"
        case Sum(item):
            return f"sum({item})"
        case Average(item):
            return f"avg({item})"


def _condition(where: Predicate) -> str:
    match where:
        case Compare(item, operator, value):
            return f"{item} {operator.value} {_literal(value)}"
        case Within(item, values):
            return f"{item} IN ({', '.join(_literal(value) for value in values)})"
        case Not(inner):
            return f"NOT ({_condition(inner)})"
        case And(parts):
            return " AND ".join(f"({_condition(part)})" for part in parts)
        case Or(parts):
            return " OR ".join(f"({_condition(part)})" for part in parts)


def _literal(value: Literal) -> str:
    """Return a value as it is written in a statement."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
