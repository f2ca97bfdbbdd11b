# SPDX-License-Identifier: Apache-2.0
"""What a cube publishes, and what is asked of it: the same cases on the judge and on DuckDB."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from lib import described
from lib.vault_cases import (
    BOTH,
    BY_PERSON,
    CUBE,
    ENGINES,
    ITEMS,
    PERSON,
    TRACED,
    batch,
    dataset,
    engine,
    protected,
    row,
    statement,
)
from zhanqiao.policy.ir import And, Compare, Not, Operator, Or, Within
from zhanqiao.terms.datasets import CubeSpec, Opening
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.cubes import cube_schema
from zhanqiao.vault.engines import Read
from zhanqiao.vault.faults import VaultFault

pytestmark = pytest.mark.parametrize("kind", ENGINES)

COUNTS = CubeSpec("counts", ("district", "birth_year"), ())


def people(size: int, start: int = 0, **more: object) -> list[dict[str, object]]:
    return [row(start + step, **more) for step in range(size)]


def shape(atoms: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(one["district"], one["birth_year"], one["rows"], one["persons"]) for one in atoms]


@pytest.fixture
def cube(kind, tmp_path):
    return lambda rows, described=BY_PERSON, spec=COUNTS: protected(kind, tmp_path, described, spec, rows)


def test_groups_of_ten_persons_stand(cube):
    rows = people(10, 0, district="A", birth_year=1950) + people(11, 10, district="A", birth_year=1951)
    assert shape(cube(rows)) == [("A", 1950, 10, 10), ("A", 1951, 11, 11)]


def test_rows_that_name_nobody_enter_no_cube(cube):
    """They would be in an atom that is safe without them, and nothing would protect them."""
    named = people(30, 0, district="A", birth_year=1950)
    with pytest.raises(VaultFault, match="rows lack their person_id"):
        cube([*named, row(0, person_id=None, district="A", birth_year=1950)])
    with pytest.raises(VaultFault, match="rows lack their uscc"):
        cube([{**one, "uscc": None if place == 7 else place} for place, one in enumerate(named)], BOTH)


def test_rows_do_not_make_persons(cube):
    rows = people(9, 0, district="A", birth_year=1950) * 5 + people(20, 10, district="A", birth_year=1951)
    assert shape(cube(rows)) == [("A", None, 65, 29)]


def test_small_groups_join_the_remainder_of_their_district(cube):
    rows = [
        *people(20, 0, district="A", birth_year=1950),
        *people(6, 20, district="A", birth_year=1951),
        *people(6, 26, district="A", birth_year=1952),
    ]
    assert shape(cube(rows)) == [("A", 1950, 20, 20), ("A", None, 12, 12)]


def test_a_small_remainder_swallows_the_next_group_in_public_order(cube):
    rows = [
        *people(30, 0, district="A", birth_year=1960),
        *people(50, 30, district="A", birth_year=1950),
        *people(3, 80, district="A", birth_year=1970),
    ]
    # Not the smallest group: the first year. Sizes do not steer what is merged.
    assert shape(cube(rows)) == [("A", 1960, 30, 30), ("A", None, 53, 53)]


def test_a_lone_small_district_is_lifted_to_the_top(cube):
    rows = [
        *people(4, 0, district="B", birth_year=1950),
        *people(12, 4, district="A", birth_year=1950),
        *people(15, 16, district="A", birth_year=1951),
    ]
    # The top remainder of four swallows the first atom anywhere below it.
    assert shape(cube(rows)) == [("A", 1951, 15, 15), (None, None, 16, 16)]


def test_persons_in_two_small_groups_are_counted_once(cube):
    same = people(7, 0, district="A", birth_year=1950) + people(7, 0, district="A", birth_year=1951)
    # Seven persons, fourteen rows: still too few, so the remainder swallows the group of twenty.
    rows = same + people(20, 10, district="A", birth_year=1960)
    assert shape(cube(rows)) == [("A", None, 34, 27)]


def test_a_table_that_is_too_small_publishes_nothing(cube):
    assert cube(people(9, 0, district="A", birth_year=1950)) == []
    assert cube([]) == []


def test_rows_without_a_value_belong_to_the_remainder(cube):
    rows = [
        *people(12, 0, district="A", birth_year=1950),
        *people(12, 12, district="A"),
        *people(12, 24, birth_year=1950),
    ]
    assert shape(cube(rows)) == [("A", 1950, 12, 12), ("A", None, 12, 12), (None, None, 12, 12)]


def test_enterprises_count_too(cube):
    few = [row(n, uscc=n % 4, district="A", birth_year=1950) for n in range(40)]
    enough = [row(n, uscc=n % 5, district="B", birth_year=1950) for n in range(40)]
    assert shape(cube(few, BOTH)) == []
    assert shape(cube(enough, BOTH)) == [("B", 1950, 40, 40)]
    assert cube(enough, BOTH)[0]["enterprises"] == 5


def test_one_large_earner_is_not_published(cube):
    wages = [Decimal(100)] * 19
    ordinary = [row(n, district="A", birth_year=1950, wage=wage) for n, wage in enumerate([*wages, Decimal(100)])]
    dominated = [row(n, district="A", birth_year=1951, wage=w) for n, w in enumerate([*wages, Decimal(60_000)], 100)]
    atoms = cube(ordinary + dominated, spec=CubeSpec("c", ("district", "birth_year"), ("wage",)))
    # Alone, everybody else together is less than 15 % of the one; with the others it still is: the table is not safe.
    assert atoms == []
    eased = [*dominated[:-1], {**dominated[-1], "wage": Decimal(3000)}]
    atoms = cube(ordinary + eased, spec=CubeSpec("c", ("district", "birth_year"), ("wage",)))
    assert shape(atoms) == [("A", 1950, 20, 20), ("A", 1951, 20, 20)]


@pytest.mark.parametrize(
    ("first", "second", "rest", "safe"),
    [
        (1000, 1, 150, True),  # p: the rest is exactly 15 % of the largest; NK: 1001 of 1151 is under 90 %
        (1000, 1, 149, False),  # p fails by one
        (1000, 800, 200, True),  # NK: exactly 90 %
        (1000, 801, 200, False),  # NK fails by one
        (0, 0, 0, True),
    ],
)
def test_dominance_holds_to_the_last_unit(cube, first, second, rest, safe):
    parts = [first, second, *[1] * rest, *[0] * 10]
    rows = [row(n, district="A", birth_year=1950, months=part) for n, part in enumerate(parts)]
    atoms = cube(rows, spec=CubeSpec("c", ("district", "birth_year"), ("months",)))
    assert bool(atoms) is safe


def test_dominance_looks_at_units_over_all_their_rows(cube):
    rows = [row(n, district="A", birth_year=1950, months=1) for n in range(20)]
    rows += [row(0, district="A", birth_year=1950, months=12)] * 20
    assert cube(rows, spec=CubeSpec("c", ("district", "birth_year"), ("months",))) == []


def test_losses_dominate_as_gains_do(cube):
    rows = [row(n, district="A", birth_year=1950, wage=Decimal(1)) for n in range(20)]
    rows.append(row(50, district="A", birth_year=1950, wage=Decimal(-1000)))
    assert cube(rows, spec=CubeSpec("c", ("district", "birth_year"), ("wage",))) == []


def test_a_measure_that_few_have_is_not_told(cube):
    rows = [row(n, district="A", birth_year=1950, months=5 if n < 9 else None) for n in range(30)]
    assert cube(rows, spec=CubeSpec("c", ("district", "birth_year"), ("months",))) == []
    nobody = cube(people(30, 0, district="A", birth_year=1950), spec=CubeSpec("c", ("district",), ("months",)))
    assert [(one["n_months"], one["sum_months"]) for one in nobody] == [(0, None)]


def test_sums_are_exact_beyond_64_bits(cube):
    huge = Decimal("9999999999999999.99")
    rows = [row(n, district="A", birth_year=1950, wage=huge) for n in range(40)]
    atoms = cube(rows, spec=CubeSpec("c", ("district", "birth_year"), ("wage",)))
    assert [one["sum_wage"] for one in atoms] == [Decimal("399999999999999999.60")]
    # ... and so are the sums that protection itself computes, when groups are joined.
    split = [{**one, "birth_year": 1950 + n % 8} for n, one in enumerate(rows)]
    atoms = cube(split, spec=CubeSpec("c", ("district", "birth_year"), ("wage",)))
    assert shape(atoms) == [("A", None, 40, 40)]


def test_items_may_be_named_as_an_engine_names_its_own(kind, tmp_path):
    """What is joined has columns of its own, and none of them is taken for an item."""
    names = {"district": "cell", "birth_year": "dim_0", "wage": "unit", "months": "leaf"}
    items = [replace(item, name=names.get(item.name, item.name)) for item in ITEMS if item.name != "uscc"]
    odd = described.dataset("employment", *items, subject_kinds=(SubjectKind.PERSON,))
    spec = CubeSpec("odd", ("cell", "dim_0"), ("unit", "leaf"))
    rows = [
        row(n, cell="市南区" if n % 3 else "市北区", dim_0=1960 + n % 2, unit=Decimal(n), leaf=n % 12)
        for n in range(120)
    ]
    found = protected(kind, tmp_path, odd, spec, rows)
    assert len(found) == 4
    assert found == protected("reference", tmp_path, odd, spec, rows)


def test_a_cube_without_dimensions_is_all_or_nothing(cube):
    spec = CubeSpec("all", (), ())
    assert [one["rows"] for one in cube(people(10), spec=spec)] == [10]
    assert cube(people(9), spec=spec) == []


def test_a_table_without_subjects_needs_to_be_open(cube):
    closed = dataset("person_id", "uscc")
    with pytest.raises(VaultFault, match="no subject key and is not open to all"):
        cube([], closed)
    opened = dataset("person_id", "uscc", opening=Opening.UNCONDITIONAL)
    assert shape(cube([row(0, district="A", birth_year=1950)], opened)) == [("A", 1950, 1, 0)]


def test_the_columns_of_a_cube(kind, tmp_path):
    chosen = engine(kind, tmp_path)
    segment = chosen.load(BY_PERSON, "s1", [])
    schema = chosen.cube(BY_PERSON, CUBE, [segment]).schema
    assert schema == cube_schema(BY_PERSON, CUBE)
    assert schema.names == [
        *("district", "birth_year", "rows", "persons", "enterprises"),
        *("sum_wage", "n_wage", "sum_months", "n_months"),
    ]
    assert schema.field("sum_wage").type == pa.decimal128(38, 2)


# --- asking -----------------------------------------------------------------------------------------


@pytest.fixture
def ask(kind, tmp_path):
    """A published cube: A 1950 (12 rows of wage 10), A 1951 (10 of 20), A rest (10 of 30), B 1950 (10 without)."""
    rows = [
        *people(12, 0, district="A", birth_year=1950, wage=Decimal(10)),
        *people(10, 12, district="A", birth_year=1951, wage=Decimal(20)),
        *people(10, 22, district="A", wage=Decimal(30)),
        *people(10, 32, district="B", birth_year=1950),
    ]
    chosen = engine(kind, tmp_path)
    segment = chosen.load(BY_PERSON, "s1", [batch(BY_PERSON, rows)])
    atoms = chosen.cube(BY_PERSON, CUBE, [segment])

    def asking(dims=(), where=None, *measures):
        found = chosen.opened(BY_PERSON, CUBE, atoms).answer(statement(dims, where, *measures))
        return sorted((tuple(one.values()) for one in found.table.to_pylist()), key=str)

    return asking


def test_a_question_rolls_atoms_up(ask):
    assert ask(["district"], None, "wage") == [("A", 32, Decimal(620), 32), ("B", 10, None, 0)]
    assert ask(["birth_year"]) == [(1950, 22), (1951, 10), (None, 10)]
    assert ask() == [(42,)]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (Compare("district", Operator.EQ, "A"), 32),
        (Compare("district", Operator.NE, "A"), 10),
        (Compare("birth_year", Operator.GE, 1951), 10),
        (Compare("birth_year", Operator.LT, 1951), 22),
        (Compare("birth_year", Operator.LE, 1950), 22),
        (Compare("birth_year", Operator.GT, 1950), 10),
        (Within("birth_year", (1951, 1999)), 10),
        # What is compared with the remainder is neither true nor false.
        (Not(Compare("birth_year", Operator.EQ, 1950)), 10),
        (Not(Within("birth_year", (1950,))), 10),
        (Or((Compare("birth_year", Operator.EQ, 1951), Compare("district", Operator.EQ, "A"))), 32),
        (And((Compare("district", Operator.EQ, "A"), Not(Compare("birth_year", Operator.EQ, 1951)))), 12),
    ],
)
def test_predicates_have_three_values(ask, where, rows):
    assert [one[0] for one in ask((), where)] == [rows]


@pytest.mark.parametrize(
    ("dims", "where", "undecided"),
    [
        ((), None, 0),
        ((), Compare("district", Operator.EQ, "A"), 0),
        ((), Compare("birth_year", Operator.EQ, 1950), 1),
        (["district"], Not(Within("birth_year", (1950,))), 1),
        (["birth_year"], Compare("birth_year", Operator.GE, 1900), 1),
        # The remainder of A counts whatever its year is, and is out whatever its year is.
        ((), Or((Compare("birth_year", Operator.EQ, 1951), Compare("district", Operator.EQ, "A"))), 0),
        ((), And((Compare("birth_year", Operator.EQ, 1951), Compare("district", Operator.EQ, "B"))), 0),
    ],
)
def test_groups_of_which_a_filter_says_nothing_are_counted(kind, tmp_path, dims, where, undecided):
    chosen = engine(kind, tmp_path)
    rows = [*people(12, 0, district="A", birth_year=1950), *people(10, 22, district="A")]
    rows += people(10, 32, district="B", birth_year=1950)
    atoms = chosen.cube(BY_PERSON, COUNTS, [chosen.load(BY_PERSON, "s1", [batch(BY_PERSON, rows)])])
    assert chosen.opened(BY_PERSON, COUNTS, atoms).answer(statement(dims, where)).undecided == undecided


def test_no_atom_no_row(ask):
    assert ask((), Compare("district", Operator.EQ, "x' OR '1'='1")) == []
    assert ask(["district"], Compare("birth_year", Operator.EQ, 1900)) == []


def test_a_statement_off_its_cube_is_a_fault(ask):
    with pytest.raises(VaultFault):
        ask(["insured"])


# --- rows of one subject, rosters, dates --------------------------------------------------------------


@pytest.fixture
def kept(kind, tmp_path):
    rows = [
        row(0, district="A", settled_on=date(2026, 1, 5), insured=True),
        row(0, district="B", settled_on=date(2025, 1, 5), insured=False),
        row(1, district="A", settled_on=date(1960, 1, 1), insured=True),
        row(2, district=None),
        row(None, district="A", settled_on=date(2026, 1, 1)),
    ]
    chosen = engine(kind, tmp_path)
    described = BY_PERSON
    segments = [chosen.load(described, "s1", [batch(described, part)]) for part in (rows[:2], rows[2:])]
    return chosen, described, segments


def test_the_rows_of_one_subject(kept):
    chosen, described, segments = kept
    read = Read(described, tuple(segments), ("district", "settled_on"))
    (found,) = chosen.rows_of([read], SubjectKind.PERSON, 0)
    assert sorted(found, key=str) == [
        {"district": "A", "settled_on": date(2026, 1, 5)},
        {"district": "B", "settled_on": date(2025, 1, 5)},
    ]
    assert chosen.rows_of([read], SubjectKind.PERSON, -1) == [[]]
    with pytest.raises(VaultFault, match="no key for a enterprise"):
        chosen.rows_of([read], SubjectKind.ENTERPRISE, 0)


def test_several_reads_at_once(kept):
    chosen, described, segments = kept
    reads = [Read(described, tuple(part), items) for part, items in ((segments[1:], ("district",)), (segments, ()))]
    assert chosen.rows_of(reads, SubjectKind.PERSON, 1) == [[{"district": "A"}], [{}]]
    assert chosen.rows_of(reads, SubjectKind.PERSON, 0) == [[], [{}, {}]]


@pytest.mark.parametrize(
    ("where", "roster"),
    [
        ((), [0, 1, 2]),
        ((("district", ("A",)),), [0, 1]),
        ((("district", ("A", "B")), ("insured", ("false",))), [0]),
        ((("settled_on", ("1960-01-01",)),), [1]),
        ((("district", ()),), []),
    ],
)
def test_a_roster_is_ascending_and_distinct(kept, where, roster):
    chosen, described, segments = kept
    found = chosen.roster(described, segments, SubjectKind.PERSON, where)
    assert found.tolist() == roster
    assert found.dtype == np.int32


def test_dates_by_subject(kept):
    chosen, described, segments = kept
    blocks = chosen.dates(described, segments, SubjectKind.PERSON, "settled_on")
    found = sorted((int(n), int(d)) for numbers, days in blocks for n, d in zip(numbers, days, strict=True))
    assert found == [(0, 20093), (0, 20458), (1, -3653)]


def test_no_segments_is_a_fault_and_no_empty_answer(kept):
    chosen, described, _ = kept
    with pytest.raises(VaultFault):
        chosen.rows_of([Read(described, (), ())], SubjectKind.PERSON, 0)


@pytest.mark.parametrize(
    "arriving",
    [
        pa.record_batch({"person_id": pa.array([1], pa.int32())}),
        pa.record_batch({PERSON.name: pa.array([-1], pa.int32())} | {i.name: pa.nulls(1) for i in BY_PERSON.items[1:]}),
    ],
)
def test_a_batch_off_the_contract_is_not_loaded(kind, tmp_path, arriving):
    chosen = engine(kind, tmp_path)
    with pytest.raises(VaultFault, match="couldn't load a batch"):
        chosen.load(BY_PERSON, "s1", [arriving])
    assert chosen.names() == []


def test_a_sender_that_fails_is_heard(kind, tmp_path):
    def failing():
        yield batch(BY_PERSON, people(3))
        raise OSError("the sender's disk")

    chosen = engine(kind, tmp_path)
    with pytest.raises(OSError, match="the sender's disk"):
        chosen.load(BY_PERSON, "s1", failing())
    assert chosen.names() == []


def test_what_a_snapshot_brought_is_dropped_but_for_what_stays(kind, tmp_path):
    """Both engines forget a snapshot's segments, and nobody else's, whatever the names have in common."""
    chosen = engine(kind, tmp_path)
    brought = {name: chosen.load(BY_PERSON, name, [batch(BY_PERSON, people(3))]) for name in ("s1", "s1-more", "s2")}
    elsewhere = chosen.load(TRACED, "s1", [batch(TRACED, people(3))])
    assert chosen.drop(BY_PERSON.name, "s1", [brought["s1"]]) == []
    assert chosen.drop(BY_PERSON.name, "s1") == [brought["s1"]]
    assert chosen.drop(BY_PERSON.name, "s1") == []
    assert set(chosen.names()) == {brought["s1-more"], brought["s2"], elsewhere}


def test_the_least_whole_number_is_a_number(cube):
    """It has no counterpart of its own type without a sign."""
    rows = [row(n, district="A", birth_year=1950, months=-(1 << 63)) for n in range(30)]
    atoms = cube(rows, spec=CubeSpec("c", ("district",), ("months",)))
    assert [one["sum_months"] for one in atoms] == [Decimal(-30 * (1 << 63))]
