# SPDX-License-Identifier: Apache-2.0
"""Any rows: the engines agree to the bit, and what a cube publishes isolates nobody, however it is rolled up."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lib.vault_cases import (
    ANY_ROWS,
    BOTH,
    BY_PERSON,
    CUBE,
    LITERALS,
    batch,
    clustered_rows,
    engine,
    row,
    statement,
)
from zhanqiao.policy.guard.cubes import are_whole
from zhanqiao.policy.ir import And, Compare, Not, Operator, Or, Predicate, Within
from zhanqiao.terms.datasets import CubeSpec, Dataset, Item
from zhanqiao.vault.cubes import Leaf, Units, cube_schema, exact_of, item_of, protect, subject_keys
from zhanqiao.vault.decimals import as_integer
from zhanqiao.vault.engines import RolledUp
from zhanqiao.vault.reference import ReferenceEngine

SPECS = st.sampled_from(
    [
        CUBE,
        CubeSpec("deep", ("district", "insured", "birth_year"), ("wage",)),
        CubeSpec("flat", ("insured",), ()),
        CubeSpec("none", (), ("months", "wage")),
    ]
)
DATASETS = st.sampled_from([BY_PERSON, BOTH])
ROWS = st.one_of(clustered_rows(), ANY_ROWS)

_RELAXED = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
_LONG = settings(_RELAXED, max_examples=300, derandomize=False)


def _compare(tmp: Path, described: Dataset, spec: CubeSpec, rows: list[dict[str, object]], asked: list) -> None:
    outcomes = []
    for kind in ("reference", "duckdb"):
        chosen = engine(kind, tmp)
        segments = [chosen.load(described, "s1", [batch(described, part)]) for part in (rows[:7], rows[7:])]
        cube = chosen.cube(described, spec, segments)
        answers = [chosen.opened(described, spec, cube).answer(one) for one in asked]
        assert chosen.drop(described.name, "s1") == sorted(segments)
        outcomes.append((cube, [(one.table.schema, _lines(one)) for one in answers]))
    (cube, answers), (other_cube, other_answers) = outcomes
    assert exact_of(cube) == exact_of(other_cube)
    assert cube.equals(other_cube), (cube.to_pylist(), other_cube.to_pylist())
    assert [lines for _, lines in answers] == [lines for _, lines in other_answers]
    assert [schema.types for schema, _ in answers] == [schema.types for schema, _ in other_answers]


def _lines(answer: RolledUp) -> tuple[list[dict[str, object]], int]:
    return sorted(answer.table.to_pylist(), key=str), answer.undecided


def _predicates() -> st.SearchStrategy[Predicate]:
    def leaf(item: str) -> st.SearchStrategy[Predicate]:
        values = st.lists(LITERALS[item], min_size=1, max_size=3, unique=True).map(sorted).map(tuple)
        compare = st.builds(Compare, st.just(item), st.sampled_from(Operator), LITERALS[item])
        return st.one_of(compare, st.builds(Within, st.just(item), values))

    leaves = st.one_of(leaf("district"), leaf("birth_year"))
    parts = st.lists(leaves, min_size=2, max_size=3).map(tuple)
    return st.recursive(
        leaves, lambda inner: st.one_of(st.builds(Not, inner), st.builds(And, parts), st.builds(Or, parts))
    )


STATEMENTS = st.builds(
    lambda dims, where, measures: statement(dims, where, *measures),
    st.lists(st.sampled_from(CUBE.dims), unique=True),
    st.one_of(st.none(), _predicates()),
    st.lists(st.sampled_from(CUBE.measures), unique=True),
)


@_RELAXED
@given(rows=ROWS, described=DATASETS, spec=SPECS)
def test_engines_build_the_same_cube(tmp_path_factory, rows, described, spec):
    _compare(tmp_path_factory.mktemp("cube"), described, spec, rows, [])


@_RELAXED
@given(rows=clustered_rows(), asked=st.lists(STATEMENTS, min_size=1, max_size=3))
def test_engines_give_the_same_answers(tmp_path_factory, rows, asked):
    _compare(tmp_path_factory.mktemp("answers"), BY_PERSON, CUBE, rows, asked)


@pytest.mark.slow
@_LONG
@given(rows=ROWS, described=DATASETS, asked=st.lists(STATEMENTS, max_size=3))
def test_engines_agree_for_long(tmp_path_factory, rows, described, asked):
    _compare(tmp_path_factory.mktemp("long"), described, CUBE, rows, asked)


# --- protection, on the algorithm alone: many more examples in the same time --------------------------


def _leaves(
    described: Dataset, spec: CubeSpec, rows: list[dict[str, object]]
) -> tuple[list[Leaf], Callable[[Sequence[Leaf]], list[tuple[Units, ...]]]]:
    """Count leaves in plain Python, as an engine would."""
    cells: dict[tuple[object, ...], list[dict[str, object]]] = defaultdict(list)
    for one in rows:
        cells[tuple(one[dim] for dim in spec.dims)].append(one)
    keys = subject_keys(described)
    measures = [item_of(described, name) for name in spec.measures]
    units = {dims: tuple(_units(cell, key, measures) for key in keys) for dims, cell in cells.items()}
    leaves = []
    for dims, cell in cells.items():
        values = [[as_integer(one[m.name], m.scale) for one in cell if one[m.name] is not None] for m in measures]
        figures = tuple(one.figures(key.subject) for one, key in zip(units[dims], keys, strict=True))
        leaves.append(Leaf(dims, len(cell), tuple(map(sum, values)), tuple(map(len, values)), figures))
    return leaves, lambda wanted: [units[leaf.dims] for leaf in wanted]


def _units(cell: list[dict[str, object]], key: Item, measures: list[Item]) -> Units:
    by_unit = defaultdict(list)
    for one in cell:
        by_unit[one[key.name]].append(one)
    numbers = sorted(by_unit)
    sums = np.zeros((len(numbers), len(measures)), object)
    valued = np.zeros((len(numbers), len(measures)), bool)
    for at, number in enumerate(numbers):
        for place, measure in enumerate(measures):
            values = [one[measure.name] for one in by_unit[number] if one[measure.name] is not None]
            sums[at, place] = sum(abs(as_integer(value, measure.scale)) for value in values)
            valued[at, place] = bool(values)
    return Units(np.array(numbers, np.int32), sums, valued)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(rows=ROWS, described=DATASETS, spec=SPECS)
def test_protection_on_any_rows(rows, described, spec):
    leaves, units_of = _leaves(described, spec, rows)
    table = protect(described, spec, leaves, units_of)
    atoms = table.to_pylist()

    # Not a matter of the order in which an engine counts.
    assert protect(described, spec, leaves[::-1], units_of).equals(table)

    # No published atom is below a threshold, of any kind that has a key.
    assert all(atom["persons"] >= 10 for atom in atoms)
    if described is BOTH:
        assert all(atom["enterprises"] >= 5 for atom in atoms)

    # Totals are those of the table, or nothing is published at all.
    if atoms:
        assert sum(atom["rows"] for atom in atoms) == len(rows)
        for measure in spec.measures:
            values = [one[measure] for one in rows if one[measure] is not None]
            assert sum(atom[f"sum_{measure}"] or 0 for atom in atoms) == sum(values)
            assert sum(atom[f"n_{measure}"] for atom in atoms) == len(values)

    # Once a dimension is given up, so are those after it.
    for atom in atoms:
        dims = [atom[dim] for dim in spec.dims]
        assert None not in dims[: len([d for d in dims if d is not None])]


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(rows=clustered_rows(), data=st.data())
def test_no_set_of_roll_ups_isolates_fewer_than_ten(rows, data):
    """Any union of atoms, and any difference of two unions, is empty or holds whole atoms: ten persons and more."""
    published = ReferenceEngine()
    segment = published.load(BY_PERSON, "s1", [batch(BY_PERSON, rows)])
    atoms = published.cube(BY_PERSON, CUBE, [segment])
    asked = data.draw(st.lists(STATEMENTS, min_size=2, max_size=4))
    cohorts = [
        {tuple(atom[d] for d in CUBE.dims) for atom in atoms.to_pylist() if _inside(one.where, atom, published)}
        for one in asked
    ]
    persons = {tuple(atom[d] for d in CUBE.dims): atom["persons"] for atom in atoms.to_pylist()}
    for one, other in combinations(cohorts, 2):
        for isolated in (one & other, one - other, other - one):
            assert not isolated or min(persons[key] for key in isolated) >= 10


# Three whose district nobody wrote are too few for a remainder: it takes in the twelve of 1950 as well.
TOO_FEW = [row(n, district="市南区", birth_year=1950) for n in range(12)]
TOO_FEW += [row(12 + n, district="市南区", birth_year=1951) for n in range(14)] + [row(26 + n) for n in range(3)]
PINS = st.fixed_dictionaries({}, optional={dim: LITERALS[dim] for dim in CUBE.dims})


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(rows=clustered_rows(), dims=st.lists(st.sampled_from(CUBE.dims), unique=True), pins=PINS)
@example(rows=TOO_FEW, dims=["district"], pins={})
def test_a_group_of_which_nothing_is_said_holds_all_that_is_of_it(rows, dims, pins):
    equal = tuple(Compare(dim, Operator.EQ, value) for dim, value in pins.items())
    asked = statement(dims, (And(equal) if len(equal) > 1 else equal[0]) if equal else None)
    chosen = ReferenceEngine()
    cube = chosen.cube(BY_PERSON, CUBE, [chosen.load(BY_PERSON, "s1", [batch(BY_PERSON, rows)])])
    answer = chosen.opened(BY_PERSON, CUBE, cube).answer(asked)
    groups = answer.table.to_pylist()
    said = answer.undecided or any(group[dim] is None for group in groups for dim in dims)
    for group in groups:
        values = {dim: group[dim] for dim in dims} | pins
        if are_whole(asked, CUBE) or not said:
            assert None in values.values() or group["rows"] == sum(values.items() <= one.items() for one in rows)


def _inside(where: Predicate | None, atom: dict[str, object], chosen: ReferenceEngine) -> bool:
    one = pa.Table.from_pylist([atom], cube_schema(BY_PERSON, CUBE))
    return chosen.opened(BY_PERSON, CUBE, one).answer(statement((), where)).table.num_rows > 0
