# SPDX-License-Identifier: Apache-2.0
"""Who edits the log on disk is found by the audit, entry by entry; nothing is repaired silently."""

import sqlite3

import pytest
from django.db import connections

from zhanqiao.ledger.book import LedgerDamaged
from zhanqiao.terms.events import Event


@pytest.fixture
def told(house):
    for number in range(300):
        with house.book.recording(Event("test.done", "tester", facts={"number": number})):
            pass
    house.book.publish()
    connections.close_all()
    return house


EDITS = {
    "leaf changed": "UPDATE ledger_entry SET leaf = CAST(replace(leaf, '7', '8') AS BLOB) WHERE \"index\" = 77",
    "leaf made text": "UPDATE ledger_entry SET leaf = 'nothing' WHERE \"index\" = 77",
    "actor changed": "UPDATE ledger_entry SET by = 'somebody' WHERE \"index\" = 5",
    "kind changed": "UPDATE ledger_entry SET kind = 'test.other' WHERE \"index\" = 5",
    "kind dressed as a release": "UPDATE ledger_entry SET kind = 'test.released' WHERE \"index\" = 5",
    "time changed": "UPDATE ledger_entry SET time = '2020-01-01 00:00:00' WHERE \"index\" = 5",
    "entry deleted": 'DELETE FROM ledger_entry WHERE "index" = 120',
    "last entry deleted": 'DELETE FROM ledger_entry WHERE "index" = 299',
    "entries swapped": (
        'UPDATE ledger_entry SET "index" = CASE "index" WHEN 10 THEN -1 ELSE "index" END;'
        'UPDATE ledger_entry SET "index" = 10 WHERE "index" = 11;'
        'UPDATE ledger_entry SET "index" = 11 WHERE "index" = -1'
    ),
    "rolled back with its head": ('DELETE FROM ledger_entry WHERE "index" >= 200; UPDATE ledger_head SET size = 200'),
    "head alone": "UPDATE ledger_head SET size = 299",
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_the_state_is_found(told, edit):
    with sqlite3.connect(told.home / "state.sqlite3") as state:
        state.executescript(EDITS[edit])
    with pytest.raises(LedgerDamaged):
        told.book.audit()


def test_an_untouched_log_is_clean(told):
    assert told.book.audit() == 300


def test_an_edit_of_a_tile_is_found(told):
    tiles = sorted((told.home / "ledger").rglob("*"))
    entries = [path for path in tiles if path.is_file() and "entries" in path.parts]
    assert entries, "there are entry bundles to edit"
    content = bytearray(entries[0].read_bytes())
    content[len(content) // 2] ^= 1
    entries[0].chmod(0o600)
    entries[0].write_bytes(content)
    with pytest.raises(LedgerDamaged):
        told.book.audit()


def test_a_rolled_back_state_does_not_go_on(told):
    with sqlite3.connect(told.home / "state.sqlite3") as state:
        state.executescript(EDITS["rolled back with its head"])
    with pytest.raises(LedgerDamaged):
        told.book.publish()
