# SPDX-License-Identifier: Apache-2.0
"""Any rows: Spark gives the bits that DuckDB and the judge give, cell by cell, with types and in public order.

Text of any code points, whole numbers and decimals at both ends of their types, dates from the first year to the last,
nothing at all in any column, no row, one group, no group.
"""

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib import described, spark_rooms
from lib.vault_cases import FIRM, PERSON, batch, engine
from zhanqiao.policy.ir import And, Average, Compare, Count, Dim, Not, Operator, Or, Output, Statement, Sum, Within
from zhanqiao.terms.datasets import Capability, CubeSpec, Item, LogicalType, Mask
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.cubes import exact_of, in_public_order
from zhanqiao.vault.engines import Read

pytestmark = spark_rooms.WANTED

_GROUP, _ADD = frozenset({Capability.GROUP, Capability.FILTER}), frozenset({Capability.AGGREGATE})


def _item(name: str, kind: LogicalType, capabilities: frozenset[Capability], scale: int = 0) -> Item:
    return Item(name=name, zh=name, header=name, type=kind, mask=Mask.KEEP, capabilities=capabilities, scale=scale)


_DIMS = {
    "label": LogicalType.STRING,
    "level": LogicalType.INTEGER,
    "flag": LogicalType.BOOLEAN,
    "day": LogicalType.DATE,
}
_SCALES = {"fen": 2, "whole": 0, "fine": 9}
ANY = described.dataset(
    "anything",
    PERSON,
    FIRM,
    *(_item(name, kind, _GROUP) for name, kind in _DIMS.items()),
    *(_item(name, LogicalType.NUMBER, _ADD, scale) for name, scale in _SCALES.items()),
    _item("times", LogicalType.INTEGER, _ADD),
    subject_kinds=(SubjectKind.PERSON, SubjectKind.ENTERPRISE),
)
MEASURES = (*_SCALES, "times")

_FIRST, _LAST = -(1 << 63), (1 << 63) - 1
_SAFE = (1 << 53) - 1
_TEXTS = (
    "",
    " ",
    "A",
    "a",
    "A ",
    "市南区",
    "é",
    "e\u0301",
    "ß",
    "SS",
    "ﬁ",
    "\u0000",
    "'",
    '`"\\',
    "%_",
    "😀",
    "\u202e",
)
VALUES = {
    "label": st.one_of(st.sampled_from(_TEXTS), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
    # A cube's digest is of JSON, whose whole numbers end there.
    "level": st.one_of(st.sampled_from([-_SAFE, -1, 0, 1, _SAFE]), st.integers(-_SAFE, _SAFE)),
    "flag": st.booleans(),
    "day": st.one_of(st.sampled_from([date.min, date(1969, 12, 31), date(1970, 1, 1), date.max]), st.dates()),
    "times": st.one_of(st.sampled_from([_FIRST, -1, 0, 1, _LAST]), st.integers(_FIRST, _LAST)),
}
for _name, _scale in _SCALES.items():
    _end = Decimal(10**18 - 1).scaleb(-_scale)
    VALUES[_name] = st.one_of(
        st.sampled_from([-_end, _end, Decimal(0), Decimal(1).scaleb(-_scale)]),
        st.integers(1 - 10**18, 10**18 - 1).map(lambda digits, scale=_scale: Decimal(digits).scaleb(-scale)),
    )


@st.composite
def any_rows(draw: st.DrawFn) -> list[dict[str, object]]:
    """Rows in groups that share their dimensions; in each group the measures of a few rows alternate."""
    rows: list[dict[str, object]] = []
    for size, start in draw(st.lists(st.tuples(st.integers(1, 24), st.integers(0, 300)), max_size=6)):
        dims = {name: draw(st.one_of(st.none(), VALUES[name])) for name in _DIMS}
        seeds = draw(
            st.lists(
                st.fixed_dictionaries({name: st.one_of(st.none(), VALUES[name]) for name in MEASURES}),
                min_size=1,
                max_size=4,
            )
        )
        units = range(start, start + size)
        rows += [{**dims, **seeds[unit % len(seeds)], "person_id": unit, "uscc": unit // 2} for unit in units]
    return rows


SPECS = st.builds(
    lambda dims, measures: CubeSpec("any", tuple(dims), tuple(measures)),
    st.lists(st.sampled_from(list(_DIMS)), unique=True),
    st.lists(st.sampled_from(MEASURES), unique=True, max_size=3),
)


def _literal(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _joined(filters: st.SearchStrategy) -> st.SearchStrategy:
    some = st.lists(filters, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, filters), st.builds(And, some), st.builds(Or, some))


@st.composite
def _asked(draw: st.DrawFn, rows: list[dict[str, object]], spec: CubeSpec) -> Statement:
    dims = draw(st.lists(st.sampled_from(spec.dims), unique=True)) if spec.dims else []
    measures = draw(st.lists(st.sampled_from(spec.measures), unique=True)) if spec.measures else []

    def leaf(name: str) -> st.SearchStrategy:
        stored = [row[name] for row in rows if row[name] is not None]
        values = (st.one_of(st.sampled_from(stored), VALUES[name]) if stored else VALUES[name]).map(_literal)
        within = st.lists(values, min_size=1, max_size=3, unique=True).map(tuple)
        compared = st.builds(Compare, st.just(name), st.sampled_from(Operator), values)
        return st.one_of(compared, st.builds(Within, st.just(name), within))

    where = None
    if spec.dims and draw(st.booleans()):
        leaves = st.sampled_from(spec.dims).flatmap(leaf)
        where = draw(st.recursive(leaves, _joined, max_leaves=6))
    outputs = [*(Output(dim, Dim(dim)) for dim in dims), Output("n", Count())]
    outputs += [Output(f"{kind.__name__}_{name}", kind(name)) for name in measures for kind in (Sum, Average)]
    return Statement("anything", tuple(outputs), tuple(dims), where)


def _computed(
    kind: str, folder: Path, rows: list[dict[str, object]], spec: CubeSpec, asked: list[Statement]
) -> list[object]:
    chosen = engine(kind, folder)
    segments = [chosen.load(ANY, "s1", [batch(ANY, part)]) for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :])]
    atoms = chosen.cube(ANY, spec, segments)
    opened = chosen.opened(ANY, spec, atoms)
    found: list[object] = [exact_of(atoms), atoms]
    for one in asked:
        answer = opened.answer(one)
        found += [answer.undecided, in_public_order(answer.table, one.dims)]
    read = Read(ANY, tuple(segments), (*_DIMS, *MEASURES))
    known = next((row for row in rows), {"person_id": 0})
    found.append(sorted(map(repr, chosen.rows_of([read], SubjectKind.PERSON, known["person_id"])[0])))
    where = tuple((name, (_text(known.get(name)), "no such")) for name in _DIMS)
    found.append(chosen.roster(ANY, segments, SubjectKind.ENTERPRISE, where).tolist())
    blocks = list(chosen.dates(ANY, segments, SubjectKind.PERSON, "day"))
    pairs = [np.concatenate([block[place] for block in blocks] or [np.empty(0, int)]) for place in (0, 1)]
    found.append(sorted(zip(*(one.tolist() for one in pairs), strict=True)))
    return found


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _compare(folder: Path, rows: list[dict[str, object]], spec: CubeSpec, asked: list[Statement]) -> None:
    judge, *others = (_computed(kind, folder, rows, spec, asked) for kind in ("reference", "duckdb", "spark"))
    for other in others:
        for ours, theirs in zip(judge, other, strict=True):
            if isinstance(ours, pa.Table):
                assert ours.schema.names == theirs.schema.names
                assert ours.schema.types == theirs.schema.types
                assert ours.to_pylist() == theirs.to_pylist()
            else:
                assert ours == theirs


_SHORT = settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
_LONG = settings(
    _SHORT, max_examples=int(os.environ.get("ZHANQIAO_SPARK_EXAMPLES", "25")), derandomize=False, print_blob=True
)


@_SHORT
@given(rows=any_rows(), spec=SPECS, data=st.data())
def test_spark_gives_the_same_bits(tmp_path_factory, rows, spec, data):
    asked = data.draw(st.lists(_asked(rows, spec), max_size=3))
    _compare(tmp_path_factory.mktemp("bits"), rows, spec, asked)


@pytest.mark.slow
@pytest.mark.timeout(900)  # where it finds something it looks for the least example, which may take five minutes
@_LONG
@given(rows=any_rows(), spec=SPECS, data=st.data())
def test_spark_gives_the_same_bits_for_long(tmp_path_factory, rows, spec, data):
    """Longer with `ZHANQIAO_SPARK_EXAMPLES=2000`."""
    asked = data.draw(st.lists(_asked(rows, spec), min_size=1, max_size=3))
    _compare(tmp_path_factory.mktemp("long"), rows, spec, asked)


_FIVE, _SIX = Within("level", (5,)), Within("level", (6, 7))
_IS_FIVE, _IS_SIX = Compare("level", Operator.EQ, 5), Compare("level", Operator.EQ, 6)


@pytest.mark.parametrize(
    "where",
    [
        And((_FIVE, _SIX)),
        Not(And((_FIVE, _SIX))),
        Or((Not(_FIVE), Not(_SIX))),
        And((_IS_FIVE, _IS_SIX)),
        Or((_IS_FIVE, Not(_IS_FIVE))),
        And((_IS_FIVE, Compare("level", Operator.NE, 5))),
        And((Compare("level", Operator.LT, 1), Compare("level", Operator.GT, 2))),
        Not(And((Or((_IS_FIVE, _IS_SIX)), Within("level", (8, 9))))),
    ],
)
def test_a_filter_that_nothing_fulfils_leaves_a_remainder_undecided(tmp_path, where):
    """Sail folded such filters to false, so that their negation let in a remainder of which nobody knows anything."""
    filled = dict.fromkeys((*_DIMS, *MEASURES))
    rows = [filled | {"person_id": unit, "uscc": unit, "level": 5 if unit > 12 else None} for unit in range(26)]
    _compare(
        tmp_path, rows, CubeSpec("any", ("level",), ()), [Statement("anything", (Output("n", Count()),), (), where)]
    )


@pytest.mark.parametrize(
    ("rows", "spec"),
    [
        ([], CubeSpec("any", (), MEASURES)),
        ([], CubeSpec("any", ("label", "day"), ("fen", "times"))),
        ([{"person_id": n, "uscc": n} for n in range(12)], CubeSpec("any", ("label", "day"), ("fen", "times"))),
    ],
)
def test_no_row_no_group_and_one_group(tmp_path, rows, spec):
    filled = [dict.fromkeys((*_DIMS, *MEASURES)) | row for row in rows]
    named = [{**row, "label": "x", "day": date(2026, 1, 1), "fen": Decimal("-0.01"), "times": 1} for row in filled]
    for some in (filled, named):
        asked = [Statement("anything", (Output("n", Count()), Output("s", Sum("fen"))), ())]
        _compare(tmp_path, some, spec, asked)
