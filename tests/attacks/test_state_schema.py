# SPDX-License-Identifier: Apache-2.0
"""Who can write the state file changes what it defines and no row: audit and examination say what no migration made."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.db import DatabaseError, OperationalError, connections

from lib.town import codes
from zhanqiao.desk import damage, state
from zhanqiao.desk.audit import audit
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.doctor import examine
from zhanqiao.desk.operation.upgrade import upgrade
from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.terms.events import Event

TRIGGER = "CREATE TRIGGER undo AFTER INSERT ON ledger_entry BEGIN DELETE FROM agreements_hold; END"
PAGE = 4096
INDEX = (
    "SELECT name, rootpage FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ? ORDER BY name"
)
CHANGED = {
    "a trigger undoes what is logged": (TRIGGER, "trigger undo is there, and no migration made it"),
    "a view shows other rows": (
        "ALTER TABLE agreements_hold RENAME TO held; CREATE VIEW agreements_hold AS SELECT * FROM held",
        "autoindex_agreements_hold_1 is missing",
    ),
    "a table has one more column": ("ALTER TABLE identity_person ADD COLUMN more TEXT", "table identity_person is not"),
    "there is one more table": ("CREATE TABLE aside (more TEXT)", "table aside is there"),
}


def change(home: Path, statements: str) -> None:
    connections.close_all()
    with closing(sqlite3.connect(state.file_of(home))) as file:
        file.executescript(statements)


def damaged(home: Path) -> list[str]:
    found = [one.reason for one in examine(home) if one.check == "state" and one.reason is not None]
    assert {reason.code for reason in found} <= {"state-damaged"}
    return [str(reason.facts["cause"]) for reason in found]


@pytest.mark.parametrize("case", CHANGED)
def test_what_no_migration_made_is_named(house, case):
    statements, said = CHANGED[case]
    audit(house)
    assert damaged(house.home) == []
    change(house.home, statements)
    with pytest.raises(LedgerDamaged, match=said):
        audit(house)
    assert [cause for cause in damaged(house.home) if said in cause]


def test_an_index_that_is_gone_is_named(house):
    with state.reading(house.home) as file:
        name = file.execute(INDEX, ["agreements_agreement"]).fetchall()[0][0]
    change(house.home, f"DROP INDEX {name}")
    with pytest.raises(LedgerDamaged, match=f"index {name} is missing"):
        audit(house)


@pytest.mark.parametrize(
    ("table", "edit"),
    [
        ("agreements_hold", f"INSERT INTO sqlite_sequence VALUES ('agreements_hold', {(1 << 63) - 1})"),
        ("agreements_hold", "INSERT INTO sqlite_sequence VALUES ('agreements_hold', 'many')"),
        ("django_migrations", f"UPDATE django_migrations SET id = {(1 << 63) - 1} WHERE id = 1"),
    ],
)
def test_numbers_that_are_used_up_are_named(house, table, edit):
    """No row takes the next one, so that nothing could be suspended any more."""
    change(house.home, edit)
    with pytest.raises(LedgerDamaged, match=f"the numbers of {table} are used up"):
        audit(house)
    assert damaged(house.home) == [f"the numbers of {table} are used up"]


def test_a_state_that_is_held_is_busy_and_not_damaged(house, monkeypatch):
    change(house.home, "")
    monkeypatch.setitem(connections["default"].settings_dict["OPTIONS"], "timeout", 0.05)
    with closing(sqlite3.connect(state.file_of(house.home), isolation_level=None)) as held:
        held.execute("PRAGMA locking_mode = EXCLUSIVE")
        held.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseError) as met:
            audit(house)
    assert codes(damage.named(met.value)) == ["state-busy"]


def test_an_entry_before_the_first_is_named(house):
    """No replay reads it, and it spoke for a request that nobody was charged for."""
    with house.book.recording(Event("test.happened", "host")):
        pass
    columns = 'kind, "by", request, time, leaf'
    change(house.home, f'INSERT INTO ledger_entry ("index", {columns}) SELECT -1, {columns} FROM ledger_entry')
    with pytest.raises(LedgerDamaged, match="entry -1 stands before the first"):
        audit(house)


def _edit_index(home):
    """Let the index, and not the row, say that the security administrator runs the system."""
    change(home, "PRAGMA wal_checkpoint(TRUNCATE)")
    with state.reading(home) as held:
        (root,) = held.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_identity_role_1'"
        ).fetchone()

    def edit():
        file = state.file_of(home)
        content, place = bytearray(file.read_bytes()), slice((root - 1) * PAGE, root * PAGE)
        page = bytes(content[place])
        assert page.count(b"secadminsecadmin") == 1
        content[place] = page.replace(b"secadminsecadmin", b"secadminsysadmin")
        with file.open("r+b") as written:
            written.write(content)

    return edit


def test_an_index_that_says_other_than_its_rows_is_found(pier):
    """Doors read what a person holds from the index alone: edited there, it gave a role that no row says."""
    _edit_index(pier.home)()
    with pytest.raises(LedgerDamaged, match="contradicts itself"):
        audit(pier.house)


def test_the_file_is_looked_at_and_not_what_was_read_of_it_before(pier):
    """Who edits the file beside a process that works finds its pages in memory, as they were."""
    edit = _edit_index(pier.home)
    assert state.contradiction() is None
    with connections["default"].cursor() as warm:
        warm.execute("SELECT role FROM identity_role WHERE person_id = 'secadmin'")
        assert warm.fetchall() == [("secadmin",)]
        edit()
        warm.execute("SELECT role FROM identity_role WHERE person_id = 'secadmin'")
        assert warm.fetchall() == [("secadmin",)], "else this test proves nothing"
    assert state.contradiction() is not None


@pytest.mark.parametrize(
    ("code", "named"),
    [
        (sqlite3.SQLITE_BUSY, "state-busy"),
        (sqlite3.SQLITE_FULL, "disk-full"),
        (sqlite3.SQLITE_IOERR_READ, "disk-failing"),
    ],
)
def test_a_check_that_could_not_be_made_finds_nothing_wrong(house, monkeypatch, code, named):
    """Busy, full or failing in the midst of SQLite's own check: nothing is known then, and nothing called damaged."""
    cause = sqlite3.OperationalError("as the disk would have it")
    cause.sqlite_errorcode = code

    class Beside:
        def cursor(self):
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def close(self):
            pass

        def execute(self, _):
            raise OperationalError("as the disk would have it") from cause

    monkeypatch.setattr(connections["default"], "copy", Beside)
    with pytest.raises(DatabaseError) as met:
        audit(house)
    assert codes(damage.named(met.value)) == [named]


def test_a_damaged_index_is_found(house):
    with house.book.recording(Event("test.happened", "host")):
        pass
    change(house.home, "PRAGMA wal_checkpoint(TRUNCATE)")
    with state.reading(house.home) as file:
        roots = [root for _, root in file.execute(INDEX, ["ledger_entry"])]
    content = bytearray(state.file_of(house.home).read_bytes())
    here, there = ((root - 1) * PAGE for root in roots[:2])
    content[here : here + PAGE] = content[there : there + PAGE]
    state.file_of(house.home).write_bytes(content)
    assert len(damaged(house.home)) == 1
    with pytest.raises(LedgerDamaged, match="contradicts itself"):
        audit(house)


@pytest.mark.parametrize("of", ["name", "name, tbl_name"])
@pytest.mark.parametrize("kind", ["table", "index"])
def test_a_name_that_is_no_text_is_damage(house, kind, of):
    """SQLite names what it cannot read, in the bytes that stand there."""
    edits = ", ".join(f"{column} = CAST(x'ff1b' AS TEXT)" for column in of.split(", "))
    schema = f"UPDATE sqlite_master SET {edits} WHERE type = '{kind}' AND tbl_name = 'agreements_hold'"
    change(house.home, f"PRAGMA writable_schema = ON; {schema}")
    for outcome in (open_house(house.home), upgrade(house.home)):
        assert codes(outcome) == ["state-damaged"]
        assert outcome.reasons[0].message("en").isprintable()
    assert {one.reason.code for one in examine(house.home) if one.wrong and one.check == "opens"} == {"state-damaged"}
    with pytest.raises((DatabaseError, LedgerDamaged)):
        audit(house)


@pytest.mark.parametrize("row", ["agreements", "catalogue"])
def test_a_list_of_migrations_that_was_cut_is_named_and_not_repeated(house, row):
    change(house.home, f"DELETE FROM django_migrations WHERE app = '{row}' AND name = '0001_initial'")
    for outcome in (open_house(house.home), upgrade(house.home)):
        assert codes(outcome) == ["state-relabelled"]


def test_a_list_of_migrations_that_is_gone_is_no_empty_state(house):
    change(house.home, "DELETE FROM django_migrations")
    for outcome in (open_house(house.home), upgrade(house.home)):
        assert codes(outcome) == ["state-relabelled"]


def test_an_emptied_state_is_damaged_and_is_not_filled_with_empty_tables(house):
    connections.close_all()
    file = state.file_of(house.home)
    for beside in ("-wal", "-shm"):
        file.with_name(file.name + beside).unlink(missing_ok=True)
    file.write_bytes(b"")
    assert codes(upgrade(house.home)) == codes(open_house(house.home)) == ["state-damaged"]
    connections.close_all()
    with closing(sqlite3.connect(file)) as left:
        assert left.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
