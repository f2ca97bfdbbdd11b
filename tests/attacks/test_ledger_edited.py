# SPDX-License-Identifier: Apache-2.0
"""Who edits the ledger on disk is found by `zhanqiao ledger audit`, which says what was edited; nothing is repaired.

The editor writes SQL and files, and holds no key. Every column of every table of the ledger is edited, one at a time,
in each kind of row; rows are deleted, swapped, made up and rolled back.
"""

import os
import shutil
import sqlite3

import pytest
from django.apps import apps
from django.db import connections
from typer.testing import CliRunner

from lib.ledger_cases import request_id, reserve, work
from zhanqiao.desk.cli import app
from zhanqiao.desk.deployment import open_house
from zhanqiao.ledger import certificate
from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.terms.events import Event

# What `told_home` logs: 295 events, one request that was released (295 reserved, 296 envelope, 297 released), one that
# was only charged, and a last event.
ENVELOPE, RELEASED, RESERVED, SIZE = 296, 297, 298, 300
DONE, WAITING = request_id(1), request_id(2)
WHERE_ORDINARY = '"index" = 5'


@pytest.fixture(scope="module")
def told_home(empty_home, tmp_path_factory):
    """A published ledger with every kind of entry and row; each test edits a copy."""
    from conftest import Clock

    home = tmp_path_factory.mktemp("told") / "home"
    shutil.copytree(empty_home, home)
    book = open_house(home, Clock()).book
    for number in range(295):
        with book.recording(Event("test.done", "tester", facts={"number": number})):
            pass
    work(book, 1)
    reserve(book, 2)
    with book.recording(Event("test.done", "tester")):
        pass
    assert book.publish().size == book.audit() == SIZE
    connections.close_all()
    return home


@pytest.fixture
def told(told_home, tmp_path, clock):
    home = tmp_path / "told"
    shutil.copytree(told_home, home)
    yield open_house(home, clock)
    connections.close_all()


def edit(house, sql: str) -> None:
    connections.close_all()
    with sqlite3.connect(house.home / "state.sqlite3") as state:
        state.executescript(sql)
        assert state.execute("SELECT total_changes()").fetchone()[0] > 0, "the edit meets a row"
    state.close()


def damage(house) -> str:
    """Audit the ledger alone; return what is wrong. The whole audit would ask for the agreements of these charges, too."""
    try:
        house.book.audit()
    except LedgerDamaged as damaged:
        return str(damaged)
    return ""


def _of_entry(column: str, value: str, where: int) -> str:
    return f'UPDATE ledger_entry SET "{column}" = {value} WHERE "index" = {where}'


def _of_request(column: str, value: str, request: str) -> str:
    return f"UPDATE ledger_request SET \"{column}\" = {value} WHERE id = '{request}'"


# (table, column, which row) -> the edit, and what the audit says.
COLUMNS = {
    **{
        ("ledger_entry", column, row): (_of_entry(column, value, index), says.format(index=index, release=index + 1))
        for row, index in {"ordinary": 5, "envelope": ENVELOPE, "released": RELEASED, "reserved": RESERVED}.items()
        for column, value, says in (
            ("index", "1000", "entry {index} is missing"),
            ("kind", "'test.other'", "the column kind of entry {index} differs from its leaf"),
            ("by", "'somebody'", "the column by of entry {index} differs from its leaf"),
            ("request", f"'{request_id(7)}'", "the column request of entry {index} differs from its leaf"),
            ("time", "'2020-01-01 00:00:00+00:00'", "the column time of entry {index} differs from its leaf"),
            ("leaf", "CAST(replace(leaf, 't', 's') AS BLOB)", "entry {index} differs between state and tiles"),
        )
    },
    # An envelope's columns stand in the leaf behind it.
    **{
        ("ledger_entry", column, "envelope"): (
            _of_entry(column, value, ENVELOPE),
            f"the column {column} of envelope {ENVELOPE} differs from its release, entry {RELEASED}",
        )
        for column, value in (
            ("by", "'somebody'"),
            ("request", f"'{WAITING}'"),
            ("time", "'2020-01-01 00:00:00+00:00'"),
        )
    },
    ("ledger_entry", "kind", "envelope, of another door"): (
        _of_entry("kind", "'statistics.certified'", ENVELOPE),
        f"the column kind of envelope {ENVELOPE} differs from its release",
    ),
    ("ledger_entry", "time", "by a moment"): (
        _of_entry("time", "'2026-11-25 09:00:00.000001+00:00'", 5),
        "the column time of entry 5 differs from its leaf",
    ),
    **{
        ("ledger_entry", column, "no such value"): (_of_entry(column, value, 5), says)
        for column, value, says in (
            ("index", "'five'", "entry 5 is missing"),
            ("kind", "x'00'", "couldn't read entry 5: a column holds something else"),
            ("by", "x'ff'", "couldn't read entry 5: a column holds something else"),
            ("request", "x''", "couldn't read entry 5: a column holds something else"),
            ("time", "'yesterday'", "couldn't read entry 5: its column time holds no time"),
            ("leaf", "'nothing'", "couldn't read entry 5: a column holds something else"),
        )
    },
    ("ledger_head", "id", "head"): ("UPDATE ledger_head SET id = 2", "couldn't read the head of the log"),
    ("ledger_head", "size", "head"): ("UPDATE ledger_head SET size = 299", "its size is 299, that of its tree 300"),
    ("ledger_head", "size", "no such value"): ("UPDATE ledger_head SET size = 'all'", "couldn't read the head"),
    ("ledger_head", "frontier", "head"): (
        "UPDATE ledger_head SET frontier = CAST(substr(frontier, 1, 8) || zeroblob(length(frontier) - 8) AS BLOB)",
        "it was signed over another tree",
    ),
    ("ledger_head", "signature", "head"): (
        "UPDATE ledger_head SET signature = CAST(replace(signature, char(10) || '298' || char(10), char(10) || '2' || char(10)) AS BLOB)",
        "couldn't read the head of the log: its signature is broken",
    ),
    ("ledger_head", "signature", "no such value"): (
        "UPDATE ledger_head SET signature = x'00'",
        "its signature is broken",
    ),
    ("ledger_head", "frontier", "no such value"): ("UPDATE ledger_head SET frontier = x'00'", "couldn't read the head"),
    **{
        ("ledger_request", column, row): (_of_request(column, value, request), says)
        for row, request, entry in (("released", DONE, RELEASED), ("charged", WAITING, RESERVED))
        for column, value, says in (
            ("id", f"'{request_id(9)}'", f"request {request} of entry {entry if row == 'charged' else 295} is missing"),
            ("digest", "'other'", f"the column digest of request {request} differs from entry"),
        )
    },
    ("ledger_request", "memo", "released"): (
        _of_request("memo", "x'00'", DONE),
        f"the column memo of request {DONE} differs from entry {RELEASED}",
    ),
    ("ledger_request", "memo", "released, emptied"): (
        _of_request("memo", "NULL", DONE),
        f"the column memo of request {DONE} differs from entry {RELEASED}",
    ),
    ("ledger_request", "memo", "released, as text"): (
        _of_request("memo", "'memo'", DONE),
        f"the column memo of request {DONE} differs from entry {RELEASED}",
    ),
    ("ledger_request", "index", "released"): (
        _of_request("index", "5", DONE),
        f"the column index of request {DONE} differs from entry {RELEASED}",
    ),
    ("ledger_request", "memo", "charged"): (
        _of_request("memo", "x'00'", WAITING),
        f"request {WAITING} holds an answer, and no entry says that it was released",
    ),
    ("ledger_request", "index", "charged"): (
        _of_request("index", str(ENVELOPE), WAITING),
        f"request {WAITING} holds an answer, and no entry says that it was released",
    ),
}

ROWS = {
    "entry deleted": ('DELETE FROM ledger_entry WHERE "index" = 120', "entry 120 is missing"),
    "last entry deleted": ('DELETE FROM ledger_entry WHERE "index" = 299', "head says 300, rows are 299"),
    "entry made up": (
        'INSERT INTO ledger_entry SELECT 300, kind, by, request, time, leaf FROM ledger_entry WHERE "index" = 5',
        "head says 300, rows are 301",
    ),
    "entries swapped": (
        """
        UPDATE ledger_entry SET "index" = -1 WHERE "index" = 10;
        UPDATE ledger_entry SET "index" = 10 WHERE "index" = 11;
        UPDATE ledger_entry SET "index" = 11 WHERE "index" = -1;
        """,
        "entry 10 differs between state and tiles",
    ),
    "entry dressed as a release": (
        _of_entry("kind", "'test.released'", 5),
        "the column kind of entry 5 differs from its leaf",
    ),
    "entry dressed as an envelope": (
        _of_entry("kind", "'test.certified'", 5),
        "the column kind of entry 5 differs from its leaf",
    ),
    "a release hidden from its request": (
        f"UPDATE ledger_entry SET request = '' WHERE \"index\" IN ({ENVELOPE}, {RELEASED})",
        f"the column request of entry {RELEASED} differs from its leaf",
    ),
    "rolled back with its head": (
        'DELETE FROM ledger_entry WHERE "index" >= 200; UPDATE ledger_head SET size = 200',
        "the head of the log: its size is 200",
    ),
    "head deleted": ("DELETE FROM ledger_head", "couldn't read the head of the log"),
    "second head": (
        "INSERT INTO ledger_head SELECT 2, size, frontier, signature FROM ledger_head",
        "couldn't read the head",
    ),
    "charged request deleted": (
        f"DELETE FROM ledger_request WHERE id = '{WAITING}'",
        f"request {WAITING} of entry {RESERVED} is missing",
    ),
    "released request deleted": (
        f"DELETE FROM ledger_request WHERE id = '{DONE}'",
        f"request {DONE} of entry 295 is missing",
    ),
    "request made up": (
        f"INSERT INTO ledger_request VALUES ('{request_id(9)}', 'digest', NULL, NULL)",
        f"no entry says that request {request_id(9)} was charged",
    ),
    "answers exchanged between requests": (
        f"UPDATE ledger_request SET memo = x'00', \"index\" = {ENVELOPE} WHERE id = '{WAITING}'",
        f"request {WAITING} holds an answer",
    ),
}


@pytest.mark.parametrize("where", COLUMNS, ids="-".join)
def test_an_edited_column_is_found_and_named(told, where):
    sql, says = COLUMNS[where]
    edit(told, sql)
    assert says in damage(told)


@pytest.mark.parametrize("what", ROWS)
def test_rows_deleted_swapped_or_made_up_are_found_and_named(told, what):
    sql, says = ROWS[what]
    edit(told, sql)
    assert says in damage(told)


def test_no_column_of_the_ledger_is_left_out():
    edited = {(table, column) for table, column, _ in COLUMNS}
    models = apps.get_app_config("ledger").get_models()
    assert edited == {(model._meta.db_table, field.column) for model in models for field in model._meta.fields}


def test_an_untouched_ledger_is_clean(told):
    assert damage(told) == ""


def test_what_is_edited_before_it_was_shown_is_not_signed(told):
    """The audit looks first and signs then."""
    with told.book.recording(Event("test.done", "tester")):
        pass
    edit(told, _of_entry("by", "'somebody'", SIZE))
    before = (told.home / "ledger" / "checkpoint").read_bytes()
    ran = CliRunner().invoke(app, ["ledger", "audit", "--home", str(told.home), "--lang", "en"])
    said = " ".join(ran.output.split())
    assert (
        ran.exit_code,
        f"ledger-damaged The ledger contradicts itself: couldn't audit: the column by of entry {SIZE}" in said,
    ) == (1, True), said
    assert (told.home / "ledger" / "checkpoint").read_bytes() == before


# file of the ledger -> what the audit calls it
FILES = {
    "tile/entries/000": "entry ",
    "tile/entries/001.p/44": "entry ",
    "tile/0/000": "tile/0/000",
    "tile/0/001.p/44": "tile/0/001.p/44",
    "tile/1/000.p/1": "tile/1/000.p/1",
    # Of the size before: nobody here reads them any more, others may still fetch them.
    "tile/entries/001.p/42": "tile/entries/001.p/42",
    "tile/0/001.p/42": "tile/0/001.p/42",
    "checkpoint": "the checkpoint",
    f"certificates/{ENVELOPE:012d}.cert": f"the certificate {ENVELOPE:012d}.cert",
}


MORE = {"a byte more": b"\n", "a hash more": bytes(32)}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir], ids=["a pipe", "a folder"])
def test_what_is_no_file_is_named_and_not_waited_for(told, name, put):
    path = told.home / "ledger" / name
    path.unlink()
    put(path)
    assert damage(told)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["one bit", "cut in half", "emptied", "a byte more", "a hash more"])
def test_an_edited_file_is_found_and_named(told, name, how):
    path = told.home / "ledger" / name
    content = bytearray(path.read_bytes())
    if how == "one bit":
        content[len(content) // 2] ^= 1
    elif how in MORE:
        content += MORE[how]
    else:
        content = content[: len(content) // 2] if how == "cut in half" else b""
    path.chmod(0o600)
    path.write_bytes(content)
    assert FILES[name] in damage(told)


def test_every_file_of_the_ledger_is_edited_here(told):
    folder = told.home / "ledger"
    held = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert held == {*FILES, "lock"}


@pytest.mark.parametrize(
    "name",
    [
        "tile/entries/001.p/45",
        "tile/entries/001.p/42.p/42",
        "tile/entries/002",
        "tile/entries/1.p/42",
        "tile/0/001.p/042",
        "tile/0/x000/001",
        "tile/2/000.p/1",
        "tile/names.txt",
        "tile/0/notes/names.txt",
    ],
)
def test_a_file_that_is_no_tile_of_this_log_is_found_and_named(told, name):
    path = told.home / "ledger" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((told.home / "ledger" / "tile/0/000").read_bytes())
    assert f"{name}: no such tile belongs to this log" in damage(told)


def one_bit(path) -> bytes:
    """Change a bit of the file; return what stood there."""
    content = path.read_bytes()
    path.write_bytes(content[:9] + bytes([content[9] ^ 1]) + content[10:])
    return content


def test_no_act_is_committed_beside_a_damaged_newest_bundle(told):
    one_bit(told.home / "ledger" / "tile/entries/001.p/44")
    with (
        pytest.raises(LedgerDamaged, match=r"001\.p/44: its entries are not those that were hashed"),
        told.book.recording(Event("test.done", "tester")),
    ):
        pytest.fail("nothing is done inside")
    assert told.book.size == SIZE


@pytest.mark.parametrize("more", [1, 300])
def test_damage_is_not_copied_on_nor_signed_over(told, more):
    """A process that looked when it started looks again before it copies; the file put back, it goes on."""
    for _ in range(more):
        with told.book.recording(Event("test.done", "tester")):
            pass
    folder = told.home / "ledger"
    newest = folder / "tile/entries/001.p/44"
    whole = one_bit(newest)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(LedgerDamaged, match=r"001\.p/44: its entries are not those that were hashed"):
        told.book.publish()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    newest.write_bytes(whole)
    assert told.book.publish().size == told.book.audit() == SIZE + more


def test_what_a_crash_left_on_the_way_to_the_next_checkpoint_is_no_damage(told):
    """Tiles stand, the checkpoint over them does not yet."""
    folder = told.home / "ledger"
    shown = (folder / "checkpoint").read_bytes()
    for _ in range(300):
        with told.book.recording(Event("test.done", "tester")):
            pass
    told.book.publish()
    (folder / "checkpoint").write_bytes(shown)
    assert damage(told) == ""
    (folder / "checkpoint").write_bytes(shown)
    one_bit(folder / "tile/entries/002.p/88")
    assert "tile/entries/002.p/88: it holds something else" in damage(told)


def test_a_certificate_under_anothers_name_is_found(told):
    folder = told.home / "ledger" / "certificates"
    shutil.copy(folder / f"{ENVELOPE:012d}.cert", folder / "000000000005.cert")
    assert "the certificate 000000000005.cert: it is not one of this log" in damage(told)


def member_added(content: bytes) -> bytes:
    """Add what the format does not authenticate: a place in a group."""
    parts = certificate.parse(content)
    member = certificate.Member(0, "0" * 64, ())
    return certificate.assemble(parts.envelope, parts.index, parts.proof, parts.note, member)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\n",
        lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
        lambda content: content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
        member_added,
    ],
    ids=["emptied", "cut in half", "a line more", "a bit of the envelope", "a bit of the checkpoint", "member added"],
)
def test_a_damaged_certificate_is_not_handed_out_again(told, spoil):
    path = told.home / "ledger" / "certificates" / f"{ENVELOPE:012d}.cert"
    whole = told.book.certificate(ENVELOPE)
    spoilt = spoil(whole)
    path.write_bytes(spoilt)
    with pytest.raises(LedgerDamaged, match=f"the certificate {ENVELOPE:012d}.cert"):
        told.book.certificate(ENVELOPE)
    assert path.read_bytes() == spoilt, "it stays as evidence"
    assert f"the certificate {ENVELOPE:012d}.cert" in damage(told)


def test_an_edited_envelope_is_not_handed_out(told):
    """Without its kept file the certificate is made anew, from a row that the tree does not hold."""
    (told.home / "ledger" / "certificates" / f"{ENVELOPE:012d}.cert").unlink()
    edit(told, _of_entry("leaf", "CAST(replace(leaf, 't', 's') AS BLOB)", ENVELOPE))
    with pytest.raises(LedgerDamaged):
        told.book.certificate(ENVELOPE)


def test_a_rolled_back_state_does_not_go_on(told):
    edit(told, ROWS["rolled back with its head"][0])
    with pytest.raises(LedgerDamaged):
        told.book.publish()
