# SPDX-License-Identifier: Apache-2.0
"""Small vaults for tests: a dataset with both kinds of subjects, permits, and rows by hand or by Hypothesis."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import strategies as st

from lib import described, spark_rooms
from zhanqiao.policy.ir import Average, Count, Dim, Literal, Output, Predicate, Statement, Sum
from zhanqiao.policy.permits import MARK, AnswerPermit, BuildPermit, EvidencePermit, LoadPermit
from zhanqiao.terms.datasets import (
    Capability,
    CubeSpec,
    Dataset,
    Item,
    LogicalType,
    Mask,
)
from zhanqiao.terms.services import Evidence, Trace
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault import crypt
from zhanqiao.vault.duckdb_engine import DuckDbEngine
from zhanqiao.vault.engines import Engine
from zhanqiao.vault.keys import Keyring
from zhanqiao.vault.reference import ReferenceEngine
from zhanqiao.vault.segments import SegmentStore, stored_schema
from zhanqiao.vault.spark_engine import SparkEngine
from zhanqiao.vault.vault import Vault

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
ENGINES = ("reference", "duckdb", pytest.param("spark", marks=spark_rooms.WANTED))
Rows = Sequence[dict[str, object]]

_GROUP = frozenset({Capability.GROUP, Capability.FILTER})


def _item(name: str, kind: LogicalType, **more: object) -> Item:
    return Item(name=name, zh=name, header=name, type=kind, **({"mask": Mask.KEEP} | more))  # type: ignore[arg-type]


PERSON = _item("person_id", LogicalType.STRING, subject=SubjectKind.PERSON, mask=Mask.TOKEN)
FIRM = _item("uscc", LogicalType.STRING, subject=SubjectKind.ENTERPRISE, mask=Mask.TOKEN)
ITEMS = (
    PERSON,
    FIRM,
    _item("district", LogicalType.STRING, capabilities=_GROUP),
    _item("birth_year", LogicalType.INTEGER, capabilities=_GROUP),
    _item("insured", LogicalType.BOOLEAN, capabilities=_GROUP),
    _item("wage", LogicalType.NUMBER, scale=2, capabilities=frozenset({Capability.AGGREGATE})),
    _item("months", LogicalType.INTEGER, capabilities=frozenset({Capability.AGGREGATE})),
    _item("settled_on", LogicalType.DATE),
)
CUBE = CubeSpec("by_district_year", ("district", "birth_year"), ("wage", "months"))


def dataset(*leave_out: str, name: str = "employment", **more: object) -> Dataset:
    items = [item for item in ITEMS if item.name not in leave_out]
    settings = {"subject_kinds": (SubjectKind.PERSON, SubjectKind.ENTERPRISE), "cubes": (CUBE,)} | more
    return described.dataset(name, *items, **settings)


BY_PERSON = dataset("uscc")
BOTH = dataset()
TRACED = dataset("uscc", name="medical_settlement", latest="settled_on")


def row(number: int, **more: object) -> dict[str, object]:
    """One row of a person; what is not said is empty."""
    return {item.name: None for item in ITEMS} | {"person_id": number} | more


def batch(described: Dataset, rows: Rows) -> pa.RecordBatch:
    schema = stored_schema(described)
    return pa.RecordBatch.from_pylist([{name: one.get(name) for name in schema.names} for one in rows], schema)


def engine(kind: str, folder: Path) -> Engine:
    if kind == "reference":
        return ReferenceEngine()
    store = SegmentStore(folder / "segments", folder / "scratch", keyring(folder))
    return DuckDbEngine(store) if kind == "duckdb" else SparkEngine(store, spark_rooms.kept)


def keyring(folder: Path) -> Keyring:
    keys = folder / "keys"
    return Keyring.open(keys) if keys.exists() else Keyring.create(keys)


def protected(kind: str, folder: Path, described: Dataset, spec: CubeSpec, rows: Rows) -> list[dict[str, object]]:
    """Load rows as two segments and return the protected cube."""
    chosen = engine(kind, folder)
    half = len(rows) // 2
    segments = [chosen.load(described, "s1", [batch(described, part)]) for part in (rows[:half], rows[half:])]
    atoms: list[dict[str, object]] = chosen.cube(described, spec, segments).to_pylist()
    return atoms


def statement(dims: Sequence[str] = (), where: Predicate | None = None, *measures: str) -> Statement:
    outputs = [*(Output(dim, Dim(dim)) for dim in dims), Output("n", Count())]
    for measure in measures:
        outputs += [Output(f"total_{measure}", Sum(measure)), Output(f"mean_{measure}", Average(measure))]
    return Statement("employment", tuple(outputs), tuple(dims), where)


def nothing_recorded(_: str) -> int:
    """The record of a vault beside which no platform state stands."""
    return 0


# --- permits: only tests make them by hand ------------------------------------------------------------


def swept(vault: Vault, known: set[str]) -> list[str]:
    """Sweep when nobody else is in the vault."""
    with vault.alone(wait=True) as alone:
        assert alone is not None
        return alone.sweep(known)


def load_permit(described: Dataset, snapshot: str = "s1", **more: object) -> LoadPermit:
    fields = {"request": "r", "expires": NOW + timedelta(minutes=5), "mark": MARK}
    facts = {"dataset": described.name, "contract_digest": described.digest, "batch_digest": "b", "snapshot": snapshot}
    return LoadPermit(**(fields | facts | more))  # type: ignore[arg-type]


def build_permit(described: Dataset, build: CubeSpec | str, snapshot: str = "s1") -> BuildPermit:
    return BuildPermit("r", NOW + timedelta(minutes=5), MARK, described.name, snapshot, build)


def answer_permit(asked: Statement, snapshot: str = "s1", cube: CubeSpec = CUBE, **more: object) -> AnswerPermit:
    fields = {"request": "r", "expires": NOW + timedelta(minutes=5), "mark": MARK, "agreement": "a"}
    facts = {"statement": asked, "statement_digest": "d", "snapshot": snapshot, "cube": cube}
    return AnswerPermit(**(fields | facts | more))  # type: ignore[arg-type]


def evidence_permit(
    evidence: Iterable[Evidence] = (),
    traces: Iterable[Trace] = (),
    roster: str | None = None,
    roster_where: tuple[tuple[str, tuple[str, ...]], ...] = (),
    subject: str | None = None,
    told: bool = True,
    **snapshots: str,
) -> EvidencePermit:
    return EvidencePermit(
        request="r",
        expires=NOW + timedelta(minutes=5),
        mark=MARK,
        agreement="a",
        service="s",
        subject_kind=SubjectKind.PERSON,
        subject=subject,
        consent=None,
        told=told,
        evidence=tuple(evidence),
        traces=tuple(traces),
        roster=roster,
        roster_where=roster_where,
        snapshots=snapshots or {"employment": "s1"},
    )


def identities_of(vault: Vault, kind: SubjectKind, number: int) -> dict[str, str | None]:
    """Open the identity store as whoever holds its key does, and return what it says of one subject, the newest last.

    No command of this release reads it: the law says when it is opened, and no door that is built asks for it.
    """
    store, known = vault._identities, {}
    for path in sorted((store._folder / kind.value).glob("*.sealed")):
        aad = f"identities {kind.value} {path.name}".encode()
        table = pa.ipc.open_stream(crypt.open_sealed(store._key, path.read_bytes(), aad, path.name)).read_all()
        for row in table.to_pylist():
            if row.pop("subject_number") == number:
                known |= {item: value for item, value in row.items() if value is not None}
    return known


# --- any rows ---------------------------------------------------------------------------------------

_WAGES = st.one_of(
    st.none(),
    st.decimals(min_value=-100, max_value=Decimal("9999.99"), places=2),
    st.just(Decimal("9999999999999999.99")),  # 18 digits: a few of them leave 64 bits
)
ANY_ROW = st.fixed_dictionaries(
    {
        "person_id": st.integers(0, 60),
        "uscc": st.integers(0, 20),
        "district": st.sampled_from(["市南区", "市北区", "A", "a", None]),
        "birth_year": st.sampled_from([1950, 1960, None]),
        "insured": st.sampled_from([True, False, None]),
        "wage": _WAGES,
        "months": st.one_of(st.none(), st.integers(0, 12)),
        "settled_on": st.one_of(st.none(), st.dates(date(1960, 1, 1), date(2026, 1, 1))),
    }
)
ANY_ROWS = st.lists(ANY_ROW, max_size=150)


@st.composite
def clustered_rows(draw: st.DrawFn) -> list[dict[str, object]]:
    """Rows in a few groups of any size, so that safe and unsafe atoms stand side by side."""
    rows: list[dict[str, object]] = []
    groups = draw(st.lists(st.tuples(ANY_ROW, st.integers(1, 25), st.integers(0, 1000)), max_size=8))
    for seed, size, start in groups:
        wage = seed["wage"]
        for step in range(size):
            unit = start + step
            rows.append({**seed, "person_id": unit, "uscc": unit // 2, "wage": wage, "months": step % 13})
    return rows


LITERALS: dict[str, st.SearchStrategy[Literal]] = {
    "district": st.sampled_from(["市南区", "市北区", "A", "a", "z"]),
    "birth_year": st.sampled_from([1950, 1955, 1960]),
}
