# SPDX-License-Identifier: Apache-2.0
"""Every persisting step of the book is broken once before and once after; then everything is re-verified.

A crash is an exception that no code catches, raised where the process would have died; then the book is opened anew,
as a restarted process would.
"""

import os

import pytest
from django.db import connections

from zhanqiao.desk.deployment import open_house
from zhanqiao.ledger import book as ledger_book
from zhanqiao.terms.events import Event
from zhanqiao.terms.requests import RequestId


class Crash(BaseException):
    """The power went."""


def _predicate() -> dict[str, object]:
    return {
        "version": 1,
        "door": "statistics",
        "service_or_null": None,
        "agreement": "A",
        "purpose": "test",
        "policy": {"version": "1", "pack": "test"},
        "statement_or_artifact_digest": "sha256:" + "0" * 64,
        "snapshot": {},
        "rung_or_null": "cube",
        "rules": [],
        "withheld": [],
        "charge": {"answers": 1},
        "commitment": "0" * 64,
        "approvals": [],
        "group": None,
        "issued": "2026-11-25T09:00:00Z",
    }


def request_id(number: int) -> RequestId:
    return RequestId(f"{number:032x}")


def _work(book, number: int) -> None:
    request = request_id(number)
    if book.request(request) is None:
        with book.recording(Event("test.reserved", "tester", request)) as tx:
            tx.reserve(request, "digest")
    if not book.request(request).released:
        with book.recording() as tx:
            tx.release(Event("test.released", "tester", request), _predicate(), f"{number:064x}", b"memo")
    book.certificate(book.request(request).index)


# Every call by which the book makes something last.
STEPS = ["fsync", "replace", "link"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nth", range(1, 9))
def test_a_crash_at_any_durable_step_loses_and_doubles_nothing(house, clock, monkeypatch, step, nth, after):
    for number in range(3):
        _work(house.book, number)
    calls = 0
    owner = os if step != "replace" else type(house.home)
    real = getattr(owner, step)

    def breaking(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == nth and not after:
            raise Crash
        result = real(*arguments, **named)
        if calls == nth:
            raise Crash
        return result

    monkeypatch.setattr(owner, step, breaking)
    try:
        for number in range(3, 6):
            _work(house.book, number)
    except Crash:
        pass
    monkeypatch.setattr(owner, step, real)
    connections.close_all()

    again = open_house(house.home, clock).book
    for number in range(3, 6):
        _work(again, number)
    assert again.audit() == again.size == 12
    released = [event.request for event in again.events(kind="test.released")]
    assert released == [request_id(number) for number in range(6)]


def test_a_crash_inside_a_recording_leaves_the_former_state(house, clock):
    _work(house.book, 0)
    with pytest.raises(Crash), house.book.recording(Event("test.done", "tester")) as tx:
        tx.reserve(request_id(1), "digest")
        raise Crash
    connections.close_all()
    again = open_house(house.home, clock).book
    assert again.request(request_id(1)) is None
    assert again.audit() == 2


def test_the_same_request_id_gets_the_same_certificate(house):
    _work(house.book, 0)
    first = house.book.certificate(house.book.request(request_id(0)).index)
    for number in range(1, 40):
        _work(house.book, number)
    assert house.book.certificate(house.book.request(request_id(0)).index) == first


def test_releasing_twice_is_told_apart_from_releasing(house):
    _work(house.book, 0)
    with pytest.raises(ledger_book.AlreadyReleased), house.book.recording() as tx:
        tx.release(Event("test.released", "tester", request_id(0)), _predicate(), "0" * 64, b"other")
    assert house.book.request(request_id(0)).memo == b"memo"
    assert house.book.audit() == 2
