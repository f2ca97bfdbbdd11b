# SPDX-License-Identifier: Apache-2.0
"""The thief of the disk: identifiers planted in a load appear in no file, spill included; nothing is spilled in clear."""

import re
import threading
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from lib.vault_cases import (
    BY_PERSON,
    CUBE,
    NOW,
    TRACED,
    batch,
    build_permit,
    keyring,
    load_permit,
    nothing_recorded,
    row,
)
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.connection import Limits, locked_down
from zhanqiao.vault.keys import Sealed
from zhanqiao.vault.segments import stored_schema
from zhanqiao.vault.vault import Vault

PLANTED = 1000
ROWS = 700_000


_CANARY = re.compile(rb"37020219\d{6}CANA")


def canary(number: int) -> str:
    return f"37020219{number:06d}CANA"


def files_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def hits(content: bytes) -> int:
    """Count the planted identifiers that are readable."""
    return len(set(_CANARY.findall(content)))


def wide_rows(numbers: np.ndarray, texts: pa.Array) -> list[pa.RecordBatch]:
    """Rows whose text column holds the canaries: a marker in the data itself, not only in the identifiers."""
    schema = stored_schema(BY_PERSON)
    size = len(numbers)
    columns = {
        "person_id": pa.array(numbers, pa.int32()),
        "district": texts,
        "birth_year": pa.array(np.arange(size) % 70 + 1940),
    }
    columns |= {field.name: pa.nulls(size, field.type) for field in schema if field.name not in columns}
    return [pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)]


def test_planted_identifiers_are_in_no_file(tmp_path):
    vault = Vault(tmp_path / "vault", keyring(tmp_path), lambda: NOW, recorded=nothing_recorded)
    planted = [canary(n) for n in range(PLANTED)]
    numbers = vault._subjects.numbers(SubjectKind.PERSON, planted, allocate=True)
    vault._identities.put(SubjectKind.PERSON, numbers, pa.table({"id_number": planted, "full_name": planted}))
    segment = vault.load(load_permit(BY_PERSON), BY_PERSON, wide_rows(numbers, pa.array(planted)))
    vault.build(build_permit(BY_PERSON, CUBE), BY_PERSON, [segment])
    dated = [row(number, settled_on=NOW.date()) for number in numbers.tolist()]
    for snapshot, onto, rows in (("s1", None, dated), ("s2", "s1", dated[:9])):
        traced = vault.load(load_permit(TRACED, snapshot), TRACED, [batch(TRACED, rows)])
        vault.build(build_permit(TRACED, "settled_on", snapshot), TRACED, [traced], onto=onto)
    # Derived from identifiers as they are: the numbers of a state do not stand in the clear either.
    states = files_under(tmp_path / "vault" / "states" / TRACED.name)
    assert sorted(path.name for path in states) == ["newer-settled_on.sealed", "newest-settled_on.sealed"]
    assert not any(np.sort(numbers)[:4].astype("<i4").tobytes() in path.read_bytes() for path in states)
    (tmp_path / "memo").write_bytes(vault.seal(Sealed.MEMO, "".join(planted).encode(), b""))

    found = files_under(tmp_path)
    assert len(found) >= 6
    assert sum(hits(path.read_bytes()) for path in found) == 0
    # The scan itself can find: what was planted is seen where it lies in clear.
    assert hits("".join(planted).encode()) == PLANTED


# A table larger than memory: canaries among its rows, in an order that no compression likes.
BIG = """CREATE TEMP TABLE big AS
SELECT '37020219' || lpad(((i * 7919) % 600000)::VARCHAR, 6, '0') || 'CANA' || md5(i::VARCHAR) AS id
FROM range(600000) AS r(i)"""
MEMORY_MB = 20


def _spilled(connection, spill: Path) -> bytes:
    connection.execute(BIG)
    return b"".join(path.read_bytes() for path in files_under(spill))


def test_spill_files_are_encrypted(tmp_path):
    with locked_down(tmp_path / "scratch", (), Limits(memory_mb=MEMORY_MB, threads=1)) as connection:
        (spill,) = (tmp_path / "scratch").iterdir()
        seen = _spilled(connection, spill)
    assert len(seen) > 1_000_000, "nothing was spilled: the test shows nothing"
    assert hits(seen) == 0
    assert files_under(tmp_path / "scratch") == []


def test_without_our_settings_spill_files_are_readable(tmp_path):
    """The attack wins against the engine's default, so that the test before can fail."""
    config = {"memory_limit": f"{MEMORY_MB}MB", "threads": "1", "temp_directory": str(tmp_path)}
    with duckdb.connect(":memory:", config=config) as connection:
        seen = _spilled(connection, tmp_path)
    assert hits(seen) > PLANTED


def test_a_build_beyond_memory_leaves_nothing_readable(tmp_path):
    """The same, through the vault: a watcher reads every file while a cube of many units is built in little memory."""
    vault = Vault(
        tmp_path / "vault",
        keyring(tmp_path),
        lambda: NOW,
        # Less, and the engine says so: what it holds at once does not grow with the rows.
        limits=Limits(memory_mb=48, threads=1),
        recorded=nothing_recorded,
    )
    numbers = np.arange(ROWS, dtype=np.int32)
    texts = pa.array([canary(n % 300) for n in range(ROWS)])
    done, found, spilled = threading.Event(), [], []

    def watch() -> None:
        while not done.wait(0.02):
            for path in files_under(tmp_path / "vault"):
                try:
                    content = path.read_bytes()
                except OSError:
                    continue  # gone in between
                if "spill-" in str(path):
                    spilled.append(len(content))
                if hits(content):
                    found.append(path.name)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        segment = vault.load(load_permit(BY_PERSON), BY_PERSON, wide_rows(numbers, texts))
        vault.build(build_permit(BY_PERSON, CUBE), BY_PERSON, [segment])
    finally:
        done.set()
        watcher.join()
    assert sum(spilled) > 0, "nothing was spilled: the test shows nothing"
    assert found == []
