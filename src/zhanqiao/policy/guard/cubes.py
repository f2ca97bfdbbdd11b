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

    Small atoms give up the cube's last dimension first. So within one value of the dimensions before, a group is whole or
    in the remainder; over several of them it is what stands alone under each, and the rest of it is not.
    """
    fixed = {*grouped(statement), *_pinned(statement.where)}
    deepest = max((cube.dims.index(dim) for dim in grouped(statement)), default=0)
    return fixed.issuperset(cube.dims[:deepest])


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
