# SPDX-License-Identifier: Apache-2.0
"""Attacks on the engine: macros named like built-ins, file readers, COPY, SET, ATTACH, wrong keys, hand-made permits."""

import errno
import os
import signal
import threading
from dataclasses import replace

import duckdb
import pyarrow as pa
import pytest

from lib.vault_cases import BY_PERSON, CUBE, batch, engine, keyring, row, statement
from zhanqiao.ledger.durable import DiskFull
from zhanqiao.policy.ir import Compare, Operator
from zhanqiao.terms.datasets import CubeSpec
from zhanqiao.vault import connection as connections
from zhanqiao.vault.connection import Attachment, Limits, locked_down, shortage
from zhanqiao.vault.duckdb_engine import DuckDbEngine
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.plan_check import check_plan
from zhanqiao.vault.printer import CUBE_TABLE, FUNCTIONS, print_answer
from zhanqiao.vault.segments import SegmentStore

ROWS = [row(n, district="A" if n < 15 else "B", birth_year=1950, months=n) for n in range(30)]


@pytest.fixture
def store(tmp_path):
    return SegmentStore(tmp_path / "segments", tmp_path / "scratch", keyring(tmp_path))


@pytest.fixture
def segment(store):
    return store.write(BY_PERSON, "s1", [batch(BY_PERSON, ROWS)])


@pytest.fixture
def connection(store, segment):
    with locked_down(store.scratch, store.attachments([segment])) as opened:
        yield opened


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM parquet_schema('x.parquet')",
        "COPY (SELECT 1) TO '/tmp/leak.csv'",
        "EXPORT DATABASE '/tmp/leak'",
        "ATTACH '/tmp/other.duckdb' AS other",
        "SET enable_external_access = true",
        "SET temp_file_encryption = false",
        "SET temp_directory = '/tmp'",
        "SET lock_configuration = false",
        "RESET enable_external_access",
        "INSTALL spatial",
        "LOAD spatial",
        "CREATE PERSISTENT SECRET s (TYPE s3)",
        "INSERT INTO s0.main.segment SELECT * FROM s0.main.segment",
        "DELETE FROM s0.main.segment",
        "SELECT * FROM a_python_variable",
    ],
)
def test_a_locked_connection_reaches_nothing(connection, text):
    import duckdb

    a_python_variable = pa.table({"secret": [1]})
    assert a_python_variable.num_rows == 1
    with pytest.raises(duckdb.Error):
        connection.execute(text).fetchall()


def test_what_is_attached_is_encrypted_and_read_only(connection):
    rows = connection.execute(
        "SELECT database_name, encrypted, cipher, readonly FROM duckdb_databases() WHERE NOT internal"
    )
    assert ("s0", True, "GCM", True) in rows.fetchall()
    settings = dict(connection.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    assert settings["temp_file_encryption"] == "true"
    assert settings["lock_configuration"] == "true"
    assert settings["enable_external_access"] == "false"


def test_a_macro_named_like_a_built_in_changes_no_answer(store, segment):
    engine = DuckDbEngine(store)
    atoms = engine.cube(BY_PERSON, CUBE, [segment])
    printed = print_answer(statement(["district"], None, "months"), BY_PERSON, CUBE)
    with locked_down(store.scratch) as shadowed:
        shadowed.register("arriving", atoms)
        shadowed.execute(f'CREATE TABLE "{CUBE_TABLE}" AS SELECT * FROM "arriving"')
        for name in ("sum", "max", "count", "count_star"):
            shadowed.execute(f"CREATE TEMP MACRO {name}(x) AS 42")
        # The attack wins against the same text without full names ...
        bare = printed.sql.replace("system.main.", "")
        assert {row[1:] for row in shadowed.execute(bare, list(printed.parameters)).fetchall()} == {(42,) * 3}
        # ... and not against ours.
        rows = sorted(shadowed.execute(printed.sql, list(printed.parameters)).fetchall())
        assert rows == [("A", 15, 105, 15), ("B", 15, 330, 15)]


@pytest.mark.parametrize(
    "text",
    [
        'SELECT "c"."rows" FROM "memory"."main"."other" AS "c"',
        'SELECT "c"."persons" FROM "memory"."main"."cube" AS "c"',
        'SELECT system.main.max("c"."rows") FROM "memory"."main"."cube" AS "c"',
        'SELECT system.main.sum("c"."rows" + 1) FROM "memory"."main"."cube" AS "c"',
        'SELECT system.main.sum("c"."rows") OVER () FROM "memory"."main"."cube" AS "c"',
        'SELECT "c"."rows" FROM "memory"."main"."cube" AS "c" LIMIT 1',
        'SELECT "c"."rows" FROM "memory"."main"."cube" AS "c" ORDER BY 1',
        'SELECT DISTINCT "c"."rows" FROM "memory"."main"."cube" AS "c"',
        'SELECT (SELECT 1) FROM "memory"."main"."cube" AS "c"',
        'SELECT a."rows" FROM "memory"."main"."cube" AS a, "memory"."main"."cube" AS b',
        'SELECT "c"."rows" FROM "memory"."main"."cube" AS "c" UNION ALL SELECT 1',
        "SELECT sleep_ms(1)",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM query('SELECT 1')",
        "SELECT 1; SELECT 2",
        "CREATE TABLE x (a INTEGER)",
        "no sql",
    ],
)
def test_a_plan_off_the_permit_is_refused(store, text):
    with locked_down(store.scratch) as connection:
        for table in (CUBE_TABLE, "other"):
            connection.execute(f'CREATE TABLE "{table}" ("rows" BIGINT, "persons" BIGINT)')
        with pytest.raises(VaultFault):
            check_plan(connection, text, ("memory", "main", CUBE_TABLE), frozenset({"rows"}), FUNCTIONS)


def test_names_and_literals_cannot_leave_their_place(store, segment):
    engine = DuckDbEngine(store)
    atoms = engine.cube(BY_PERSON, CUBE, [segment])
    asked = statement((), Compare("district", Operator.EQ, "A') OR (1=1) --"))
    assert engine.opened(BY_PERSON, CUBE, atoms).answer(asked).table.num_rows == 0
    printed = print_answer(asked, BY_PERSON, CUBE)
    assert "1=1" not in printed.sql
    with pytest.raises(VaultFault, match="no dimension"):
        engine.opened(BY_PERSON, CUBE, atoms).answer(statement(['district" FROM cube --']))
    with pytest.raises(VaultFault, match="not of its stored type"):
        engine.opened(BY_PERSON, CUBE, atoms).answer(statement((), Compare("birth_year", Operator.EQ, "1950 OR TRUE")))


def test_a_wrong_key_opens_nothing_and_tells_nothing(store, segment, tmp_path):
    path = store.attachments([segment])[0].path
    wrong = Attachment("s0", path, bytes(32), "segment x")
    with pytest.raises(VaultFault) as fault, locked_down(store.scratch, [wrong]):
        pass
    assert str(fault.value) == "couldn't open segment x: wrong key, damaged or missing"
    assert fault.value.__cause__ is None
    assert fault.value.__suppress_context__
    assert "AAAA" not in repr(wrong)


def test_a_segment_in_anothers_place_does_not_open(store, segment):
    other = store.write(BY_PERSON, "s2", [batch(BY_PERSON, ROWS[:3])])
    paths = [store.attachments([name])[0].path for name in (segment, other)]
    paths[1].write_bytes(paths[0].read_bytes())
    with (
        pytest.raises(VaultFault, match="couldn't open segment"),
        locked_down(store.scratch, store.attachments([other])),
    ):
        pass


def test_a_changed_segment_is_noticed(store, segment):
    path = store.attachments([segment])[0].path
    content = bytearray(path.read_bytes())
    for place in range(4096, len(content), 2048):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(VaultFault, match="couldn't"):
        DuckDbEngine(store).cube(BY_PERSON, CUBE, [segment])


def test_the_extension_is_the_engines_own_version(monkeypatch):
    monkeypatch.setattr(connections.duckdb, "__version__", "9.9.9")
    with pytest.raises(VaultFault, match=r"httpfs extension for duckdb 9\.9\.9"):
        connections._httpfs.__wrapped__()


def test_a_locked_connection_loads_no_extension(connection, tmp_path):
    """Not even a good one under another name: signatures are not looked at any more, the lock is."""
    import duckdb

    other = tmp_path / "other.duckdb_extension"
    other.write_bytes(connections._httpfs().read_bytes())
    for statement_ in (f"LOAD '{other}'", f"INSTALL '{other}'", f"FORCE INSTALL '{other}'"):
        with pytest.raises(duckdb.Error, match="Permission Error"):
            connection.execute(statement_)


# --- permits made by hand -----------------------------------------------------------------------------


def test_nobody_but_policy_makes_permits():
    """Walk the tree: the mark and the constructors of permits appear in `policy` alone, and the mark is checked here."""
    import ast
    from pathlib import Path

    import zhanqiao

    root = Path(zhanqiao.__file__).parent
    makers = set()
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            if name in {"AnswerPermit", "EvidencePermit", "BuildPermit", "LoadPermit"}:
                makers.add(path.relative_to(root).parts[0])
    assert makers <= {"policy"}


@pytest.mark.parametrize("kind", ["reference", "duckdb"])
def test_which_small_cells_are_empty_changes_no_byte_of_an_answer(kind, tmp_path):
    """Twelve people of 1960 and 1961 share one remainder; whether 1961 is empty is nobody's business."""

    def answered(folder, years):
        folder.mkdir()
        chosen, spec = engine(kind, folder), CubeSpec("by_district_year", ("district", "birth_year"), ())
        rows = [row(unit, district="A", birth_year=1950) for unit in range(20)]
        rows += [row(20 + place, district="A", birth_year=year) for place, year in enumerate(years)]
        atoms = chosen.cube(BY_PERSON, spec, [chosen.load(BY_PERSON, "s1", [batch(BY_PERSON, rows)])])
        asked = statement(["district", "birth_year"], Compare("birth_year", Operator.GE, 1900))
        found = [chosen.opened(BY_PERSON, spec, atoms).answer(one) for one in (asked, statement(["birth_year"]))]
        return [(sorted(one.table.to_pylist(), key=str), one.undecided) for one in found], atoms.to_pylist()

    assert answered(tmp_path / "one", [1960] * 7 + [1961] * 5) == answered(tmp_path / "two", [1960] * 7 + [1962] * 5)
    assert answered(tmp_path / "three", [1960] * 7 + [1961] * 5) == answered(
        tmp_path / "four", [1960 + i for i in range(12)]
    )


def test_too_little_memory_is_not_called_damage(store):
    """Nor a full disk: a good backup would be called malformed where it is opened."""
    wide = [row(n, district=os.urandom(2_000).hex()) for n in range(2_000)]
    name = store.write(BY_PERSON, "s1", [batch(BY_PERSON, wide)])
    store.prove()
    short = replace(store, limits=Limits(memory_mb=3, threads=1))
    with short.reading([name]):
        pass
    with pytest.raises(MemoryError, match="not enough memory"):
        short.prove()
    path = store.folder / f"{name}.duckdb"
    path.write_bytes(path.read_bytes()[:-4_096])
    with pytest.raises(VaultFault, match="couldn't open segment"):
        store.prove()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_not_called_damage(number):
    said = f"Could not write file: {os.strerror(number)}"
    assert isinstance(shortage(duckdb.IOException(said)), DiskFull)
    assert shortage(duckdb.IOException("Could not read file: wrong tag")) is None


def test_ctrl_c_ends_what_the_engine_computes_and_is_no_fault_of_it(store, segment):
    """The engine tells of it as a RuntimeError, which a command line would call a fault that nobody foresaw."""
    pressed = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    # Whoever runs these tests in the background may have it ignored.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), store.reading([segment]) as connection:
            pressed.start()
            connection.execute(
                "SELECT max(hash(a.range + b.range)) FROM range(3000) AS a, range(1000000) AS b"
            ).fetchall()
    finally:
        signal.signal(signal.SIGINT, former)
    assert not list(store.scratch.glob("*"))
    with pytest.raises(RuntimeError), store.reading([segment]):
        raise RuntimeError("of another kind")
