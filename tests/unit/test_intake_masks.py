# SPDX-License-Identifier: Apache-2.0
"""What becomes of each item before it is stored."""

import os
import secrets
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.described import dataset
from zhanqiao.intake.landing import MemoryFile, Workspace
from zhanqiao.intake.masks import Masked, generalise, identity_kind, mask, numbered
from zhanqiao.intake.spool import Spool
from zhanqiao.terms.datasets import Generaliser, Item, LogicalType, Mask
from zhanqiao.terms.subjects import SubjectKind


def item(name: str, kind: LogicalType, how: Mask, **more: object) -> Item:
    return Item(name=name, zh=name, header=name, type=kind, mask=how, **more)  # type: ignore[arg-type]


KEY = item("person_id", LogicalType.STRING, Mask.TOKEN, subject=SubjectKind.PERSON)
NAME = item("full_name", LogicalType.STRING, Mask.IDENTITY, identifier=True)
BORN = item("born", LogicalType.DATE, Mask.GENERALISE, generaliser=Generaliser.YEAR)
DISTRICT = item("district", LogicalType.STRING, Mask.KEEP)
REMARK = item("remark", LogicalType.STRING, Mask.DROP)
PEOPLE = dataset("d", KEY, NAME, BORN, DISTRICT, REMARK)
COLUMNS = {
    "person_id": pa.array(["370202194912310032", None]),
    "full_name": pa.array(["王伟", "李秀英"]),
    "born": pa.array([date(1949, 12, 31), None]),
    "district": pa.array(["市南区", "市北区"]),
    "remark": pa.array(["secret", "secret"]),
}
NUMBERS = np.array([2, 3], np.int32)


def test_each_mask_does_its_part():
    masked = mask(PEOPLE, COLUMNS, NUMBERS)
    assert list(masked.stored) == ["person_id", "born", "district"]
    assert masked.stored["born"].to_pylist() == [1949, None]
    assert {name: column.to_pylist() for name, column in masked.identities.items()} == {"full_name": ["王伟", "李秀英"]}
    assert "secret" not in repr(masked)


def test_what_declares_no_mask_is_dropped():
    plain = Item(name="x", zh="x", header="x", type=LogicalType.STRING)
    assert mask(dataset("d", plain), {"x": pa.array(["a"])}, NUMBERS[:1]).stored == {}


def test_stored_rows_carry_numbers_instead_of_identifiers():
    masked = mask(PEOPLE, COLUMNS, NUMBERS)
    batch = numbered(PEOPLE, masked, {"person_id": np.array([17, -1], np.int32)})
    assert batch.schema.names == ["person_id", "born", "district"]
    assert batch.column("person_id").type == pa.int32()
    assert batch.column("person_id").to_pylist() == [17, None]


def test_identities_belong_to_the_first_kind_with_a_key():
    firm = item("uscc", LogicalType.STRING, Mask.TOKEN, subject=SubjectKind.ENTERPRISE)
    both = (SubjectKind.ENTERPRISE, SubjectKind.PERSON)
    assert identity_kind(dataset("d", KEY, firm, NAME, subject_kinds=both)) == (SubjectKind.ENTERPRISE, firm)
    assert identity_kind(dataset("d", KEY, NAME, subject_kinds=both)) == (SubjectKind.PERSON, KEY)
    assert identity_kind(dataset("d", NAME)) is None
    assert identity_kind(dataset("d", KEY)) is None


# --- generalisers ---------------------------------------------------------------------------------


def coarse(how: Generaliser, values: list[object], kind: LogicalType, **more: object) -> list[object]:
    types = {LogicalType.DATE: pa.date32(), LogicalType.STRING: pa.string(), LogicalType.INTEGER: pa.int64()}
    column = pa.array(values, types.get(kind) or pa.decimal128(18, int(str(more.get("scale", 0)))))
    found: list[object] = generalise(item("x", kind, Mask.GENERALISE, generaliser=how, **more), column).to_pylist()
    return found


@given(st.lists(st.dates() | st.none()))
def test_dates_become_years_months_quarters(days):
    years = coarse(Generaliser.YEAR, days, LogicalType.DATE)
    months = coarse(Generaliser.MONTH, days, LogicalType.DATE)
    quarters = coarse(Generaliser.QUARTER, days, LogicalType.DATE)
    assert years == [day and day.year for day in days]
    assert months == [day and f"{day.year:04d}-{day.month:02d}" for day in days]
    assert quarters == [day and f"{day.year:04d}Q{(day.month + 2) // 3}" for day in days]


def test_a_region_is_six_characters():
    values = ["370202001002", "山东省青岛市市南区", None, "37"]
    assert coarse(Generaliser.REGION, values, LogicalType.STRING) == ["370202", "山东省青岛市", None, "37"]


def test_bands_are_half_open_and_open_at_both_ends():
    grid = (Decimal(0), Decimal("2500.50"), Decimal(10000))
    values = [Decimal(v) for v in ("-0.01", "0", "2500.49", "2500.50", "9999.99", "10000")]
    assert coarse(Generaliser.BAND, [*values, None], LogicalType.NUMBER, scale=2, grid=grid) == [
        "[,0)",
        "[0,2500.50)",
        "[0,2500.50)",
        "[2500.50,10000)",
        "[2500.50,10000)",
        "[10000,)",
        None,
    ]


def test_bands_of_integers():
    grid = (Decimal(18), Decimal(60))
    assert coarse(Generaliser.BAND, [17, 18, 59, 60], LogicalType.INTEGER, grid=grid) == [
        "[,18)",
        "[18,60)",
        "[18,60)",
        "[60,)",
    ]


def test_the_labels_of_bands_are_listed_in_order_and_others_have_none():
    band = item(
        "x", LogicalType.INTEGER, Mask.GENERALISE, generaliser=Generaliser.BAND, grid=(Decimal(18), Decimal(60))
    )
    assert band.bands == ("[,18)", "[18,60)", "[60,)")
    assert replace(band, grid=(Decimal("0.5"),)).bands == ("[,0.5)", "[0.5,)")
    assert replace(band, generaliser=Generaliser.YEAR).bands == ()


def test_generalising_works_on_slices():
    column = pa.array([date(1999, 1, 1), None, date(2026, 11, 25)]).slice(1)
    assert generalise(BORN, column).to_pylist() == [None, 2026]
    amounts = pa.array([Decimal(1), None, Decimal(70)], pa.decimal128(18, 0)).slice(1)
    band = item("x", LogicalType.NUMBER, Mask.GENERALISE, generaliser=Generaliser.BAND, grid=(Decimal(50),))
    assert generalise(band, amounts).to_pylist() == [None, "[50,)"]


# --- where they wait ------------------------------------------------------------------------------


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
def test_a_spool_gives_back_what_it_got(tmp_path, in_memory):
    masked = mask(PEOPLE, COLUMNS, NUMBERS)
    with Workspace(tmp_path, lambda n: b"k" * n) as workspace:
        spool = Spool(workspace.sealed_file(), in_memory)
        for _ in range(3):
            spool.append(masked)
        found = list(spool)
        assert (len(found), spool.rows) == (3, 6)
        for one in found:
            assert {name: column.to_pylist() for name, column in one.stored.items()} == {
                name: column.to_pylist() for name, column in masked.stored.items()
            }
            assert one.identities["full_name"].to_pylist() == ["王伟", "李秀英"]
            assert one.numbers.tolist() == [2, 3]
    assert list(tmp_path.iterdir()) == []


def test_only_the_kept_rows_go_on():
    masked = mask(PEOPLE, COLUMNS, NUMBERS).only(np.array([False, True]))
    assert isinstance(masked, Masked)
    assert masked.stored["district"].to_pylist() == ["市北区"]
    assert masked.identities["full_name"].to_pylist() == ["李秀英"]
    assert masked.numbers.tolist() == [3]


def test_a_frozen_copy_cannot_be_changed():
    with MemoryFile() as copy:
        copy.append(b"delivered")
        copy.freeze()
        with pytest.raises(PermissionError):
            copy.append(b"more")
        with copy.reader() as descriptor, pytest.raises(OSError, match="Bad file descriptor"):
            os.write(descriptor, b"x")
        with pytest.raises(PermissionError):
            os.ftruncate(copy._descriptor, 0)
        assert b"".join(copy.chunks()) == b"delivered"


def test_a_sealed_file_holds_nothing_readable(tmp_path):
    with Workspace(tmp_path, dice) as workspace:
        copy = workspace.sealed_file()
        copy.append("王伟".encode() * 100)
        copy.append(b"second")
        raw = _whole(copy)
        assert "王伟".encode() not in raw
        assert [copy.chunk(1), copy.chunk(0)] == [b"second", "王伟".encode() * 100]
        assert list(tmp_path.iterdir()) == []


def dice(count: int) -> bytes:
    return secrets.token_bytes(count)


def _whole(copy: object) -> bytes:
    descriptor = copy._file.fileno()  # type: ignore[attr-defined]
    return os.pread(descriptor, 1 << 20, 0)
