# SPDX-License-Identifier: Apache-2.0
"""Every persisting step of the book is broken once before and once after; then everything is re-verified.

A crash is an exception that no code catches, raised where the process would have died; then the book is opened anew,
as a restarted process would.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from lib.ledger_cases import predicate, request_id, work
from zhanqiao.desk.deployment import open_house
from zhanqiao.ledger import book as ledger_book
from zhanqiao.terms.events import Event


class Crash(BaseException):
    """The power went."""


# Every call by which the book makes something last.
STEPS = ["fsync", "replace"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nth", range(1, 9))
def test_a_crash_at_any_durable_step_loses_and_doubles_nothing(house, clock, monkeypatch, step, nth, after):
    for number in range(3):
        work(house.book, number)
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
            work(house.book, number)
    except Crash:
        pass
    monkeypatch.setattr(owner, step, real)
    connections.close_all()

    again = open_house(house.home, clock).book
    for number in range(3, 6):
        work(again, number)
    assert again.audit() == again.size == 18
    released = [event.request for event in again.events(kind="test.released")]
    assert released == [request_id(number) for number in range(6)]


def test_a_crash_inside_a_recording_leaves_the_former_state(house, clock):
    work(house.book, 0)
    with pytest.raises(Crash), house.book.recording(Event("test.done", "tester")) as tx:
        tx.reserve(request_id(1), "digest")
        raise Crash
    connections.close_all()
    again = open_house(house.home, clock).book
    assert again.request(request_id(1)) is None
    assert again.audit() == 3


def test_the_same_request_id_gets_the_same_certificate(house):
    work(house.book, 0)
    first = house.book.certificate(house.book.request(request_id(0)).index)
    for number in range(1, 40):
        work(house.book, number)
    assert house.book.certificate(house.book.request(request_id(0)).index) == first


def test_releasing_twice_is_told_apart_from_releasing(house):
    work(house.book, 0)
    with pytest.raises(ledger_book.AlreadyReleased), house.book.recording() as tx:
        tx.release(Event("test.released", "tester", request_id(0)), predicate(), "0" * 64, b"other")
    assert house.book.request(request_id(0)).memo == b"memo"
    assert house.book.audit() == 3


def test_an_audit_takes_nobodys_work_for_damage(house):
    """Tiles, rows and checkpoint move while it looks, and partial tiles go when theirs is full."""

    def write() -> None:
        try:
            for number in range(30):
                for _ in range(20):
                    with house.book.recording(Event("test.done", "tester", facts={"number": number})):
                        pass
                house.book.publish()
        finally:
            connections.close_all()

    audits = 0
    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        while not writing.done():
            house.book.audit()
            audits += 1
        writing.result()
    assert audits > 3
    assert house.book.audit() == house.book.size == 600
