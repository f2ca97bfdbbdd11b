# SPDX-License-Identifier: Apache-2.0
"""Which published cube answers a statement.

A cube is a partition that was protected once, when it was published; what is a union of its atoms is answered exactly
and without limit, and nothing else is answered here.
"""

from zhanqiao.policy.guard.parsed import Parsed, items_of
from zhanqiao.policy.ir import And, Average, Compare, Dim, Operator, Predicate, Statement, Sum
from zhanqiao.terms.datasets import CubeSpec, Dataset


def cover(statement: Statement, dataset: Dataset) -> CubeSpec | None:
    """Return the smallest published cube that answers a statement exactly; the first declared among equals."""
    dims, measures = needs(statement)
    fitting = [cube for cube in dataset.cubes if set(dims) <= set(cube.dims) and set(measures) <= set(cube.measures)]
    return min(fitting, key=lambda cube: len(cube.dims), default=None)


def needs(statement: Statement | Parsed) -> tuple[list[str], list[str]]:
    """Return the dimensions (shown, grouped, filtered) and the measures that a statement needs."""
    measures = [output.term.item for output in statement.outputs if isinstance(output.term, Sum | Average)]
    return list(dict.fromkeys([*grouped(statement), *items_of(statement.where)])), list(dict.fromkeys(measures))


def grouped(statement: Statement | Parsed) -> list[str]:
    """Return the dimensions that a statement shows or groups by."""
    shown = [output.term.item for output in statement.outputs if isinstance(output.term, Dim)]
    return list(dict.fromkeys([*shown, *(statement.group if isinstance(statement, Parsed) else statement.dims)]))


def are_whole(statement: Statement, cube: CubeSpec) -> bool:
    """Tell whether each group that is shown holds all that is of it.

    What joins the remainder is an atom of the cube: one value of every dimension. So a group of all dimensions is whole or
    in the remainder; one of fewer may have atoms in it, also by the first ones, where a remainder took one in to be safe.
    """
    return {*grouped(statement), *_pinned(statement.where)}.issuperset(cube.dims)


def _pinned(where: Predicate | None) -> set[str]:
    """Return the items that a predicate leaves one value of."""
    match where:
        case Compare(item, Operator.EQ):
            return {item}
        case And(parts):
            return set().union(*map(_pinned, parts))
        case _:
            return set()


def described(dataset: Dataset) -> str:
    """Return the published cubes of a dataset in one line."""
    return "; ".join(
        f"{cube.name} ({', '.join(cube.dims)} | {', '.join(cube.measures) or 'count(*)'})" for cube in dataset.cubes
    )
