# SPDX-License-Identifier: Apache-2.0
"""Whatever a disk does has one sentence: full, failing, damaged or busy, and never a word of Python."""

import errno
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from django.db import DatabaseError

from lib.town import codes
from zhanqiao.desk import damage, state
from zhanqiao.desk.operation import doctor
from zhanqiao.ledger import durable


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EIO, "disk-failing"),
        (errno.EFBIG, "disk-failing"),
        (errno.EROFS, "disk-read-only"),
    ],
)
def test_what_a_disk_does_has_a_sentence(number, code):
    assert codes(damage.named(OSError(number, os.strerror(number)))) == [code]


def test_what_is_no_disk_s_is_not_called_so():
    assert damage.named(PermissionError(errno.EACCES, "denied")) is None
    assert codes(damage.named(durable.full())) == ["disk-full"]
    assert codes(damage.named(MemoryError("couldn't compute"))) == ["memory-short"]


def test_a_disk_that_tells_no_size_is_not_called_full():
    sizeless = Path("/proc")
    assert shutil.disk_usage(sizeless).total == 0
    assert state.has_room(sizeless)
    assert list(doctor._room(sizeless)) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, "disk-failing"),
        (sqlite3.SQLITE_IOERR_WRITE, "disk-failing"),
        (sqlite3.SQLITE_IOERR_SHMSIZE, "disk-full"),
        (sqlite3.SQLITE_FULL, "disk-full"),
        (sqlite3.SQLITE_BUSY, "state-busy"),
        (sqlite3.SQLITE_CORRUPT, "state-damaged"),
        (sqlite3.SQLITE_CANTOPEN, "state-damaged"),
        (sqlite3.SQLITE_READONLY, "state-damaged"),
    ],
)
def test_what_the_disk_does_to_the_state_has_a_sentence(number, code):
    cause = sqlite3.OperationalError("disk I/O error")
    cause.sqlite_errorcode = number
    fault = DatabaseError("disk I/O error")
    fault.__cause__ = cause
    assert codes(damage.named(fault)) == [code]


def test_a_text_that_does_not_decode_is_not_shown(tmp_path):
    """SQLite takes any bytes into a column of text, and says them when they are read."""
    held = sqlite3.connect(tmp_path / "any.sqlite3")
    held.execute("CREATE TABLE t (name TEXT)")
    held.execute("INSERT INTO t VALUES (CAST(x'66ff1b5d' AS TEXT))")
    with pytest.raises(sqlite3.OperationalError) as met:
        held.execute("SELECT name FROM t").fetchall()
    assert "\x1b" in str(met.value)
    fault = DatabaseError(str(met.value))
    fault.__cause__ = met.value
    said = damage.named(fault).reasons[0]
    assert (said.code, said.facts["cause"]) == ("state-damaged", "Could not decode to UTF-8 column 'name'")
