# SPDX-License-Identifier: Apache-2.0
"""Nobody changes platform state without an event: every way around the book is refused by the connection itself."""

import sqlite3

import pytest
from django.db import DatabaseError, connection, transaction

from zhanqiao.ledger.models import Head, Request
from zhanqiao.terms.events import Event
from zhanqiao.terms.requests import RequestId

REQUEST = RequestId("a" * 32)

FORMS = {
    "update": "UPDATE ledger_head SET size = 9",
    "comment first": "/* harmless */ UPDATE ledger_head SET size = 9",
    "with": "WITH x AS (SELECT 9 AS n) UPDATE ledger_head SET size = (SELECT n FROM x)",
    "replace": "REPLACE INTO ledger_request (id, digest) VALUES ('a', 'b')",
    "delete": "DELETE FROM ledger_entry",
    "drop": "DROP TABLE ledger_entry",
    "create": "CREATE TABLE side (x)",
    "alter": "ALTER TABLE ledger_head RENAME TO other",
    "reindex": "CREATE INDEX sneak ON ledger_entry (by)",
}


@pytest.mark.parametrize("form", FORMS)
def test_sql_outside_a_recording_is_refused(house, form):
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(FORMS[form])
    assert Head.objects.get().size == 0


def test_orm_outside_a_recording_is_refused(house):
    with pytest.raises(DatabaseError):
        Request.objects.create(id=REQUEST, digest="b")
    with pytest.raises(DatabaseError), transaction.atomic():
        Head.objects.update(size=9)


def test_driver_connection_and_scripts_are_refused(house):
    connection.ensure_connection()
    with pytest.raises(sqlite3.DatabaseError):
        connection.connection.executescript("UPDATE ledger_head SET size = 9;")


def test_after_a_recording_the_door_is_shut_again(house):
    with house.book.recording(Event("test.done", "tester")):
        pass
    with pytest.raises(DatabaseError):
        Head.objects.update(size=9)


def test_after_a_failed_recording_the_door_is_shut_and_nothing_happened(house):
    def fail() -> None:
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError), house.book.recording(Event("test.done", "tester")) as tx:
        tx.reserve(REQUEST, "b")
        fail()
    assert house.book.request(REQUEST) is None
    assert house.book.size == 0
    with pytest.raises(DatabaseError):
        Request.objects.create(id=REQUEST, digest="b")


def test_a_recording_without_an_event_changes_nothing(house):
    with pytest.raises(AssertionError), house.book.recording() as tx:
        tx.reserve(REQUEST, "b")
    assert house.book.request(REQUEST) is None


def test_recordings_do_not_nest(house):
    with pytest.raises(RuntimeError), house.book.recording(Event("test.outer", "tester")):
        with house.book.recording(Event("test.inner", "tester")):
            pass
    assert house.book.size == 0
