# SPDX-License-Identifier: Apache-2.0
"""Another process holds the state for longer than anybody waits: told as what it is, and nothing is half done."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, connections
from typer.testing import CliRunner

from lib.pier import Pier, released
from zhanqiao.desk.audit import audit
from zhanqiao.desk.cli import app
from zhanqiao.desk.configuration import utc_now
from zhanqiao.terms.requests import RequestId

STATEMENT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nobody waits for half a minute here."""
    monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "timeout", 0.05)


@contextmanager
def held(pier: Pier) -> Iterator[None]:
    other = sqlite3.connect(pier.home / "state.sqlite3", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


class HeldFrom:
    """Holds the state from the n-th statement of this thread on, until it is closed."""

    def __init__(self, pier: Pier, nth: int) -> None:
        self._pier, self._nth = pier, nth
        self.statements, self._held = 0, None

    def __call__(self, execute, sql, params, many, context):
        self.statements += 1
        if self.statements >= self._nth and self._held is None and connection.transaction_mode != "IMMEDIATE":
            self._held = held(self._pier)
            self._held.__enter__()
        return execute(sql, params, many, context)

    def close(self) -> bool:
        """Let go; returns whether it was ever held."""
        if self._held is None:
            return False
        self._held.__exit__(None, None, None)
        return True


def ask(pier: Pier, *more: str):
    words = ("ask", STATEMENT, "--agreement", pier.agreements["statistics"], "--as", "bank-analyst", "--lang", "en")
    return CliRunner().invoke(app, [*words, "--home", str(pier.home), *more])


def test_a_busy_state_is_not_called_damaged(pier: Pier) -> None:
    before = pier.house.book.size
    with held(pier):
        told = ask(pier)
    assert told.exit_code == 1, told.output
    assert "state-busy" in told.output
    assert "Try again" in told.output
    assert "damaged" not in told.output
    assert (pier.house.book.size, pier.spent()) == (before, 0)
    assert not (pier.home / "answers").exists()
    assert ask(pier).exit_code == 0


def test_reading_does_not_wait_for_a_writer(pier: Pier) -> None:
    with held(pier):
        told = CliRunner().invoke(app, ["ledger", "show", "--home", str(pier.home)])
    assert told.exit_code == 0, told.output


def test_wherever_the_state_is_taken_away_the_request_is_repeated_for_one_charge(pier: Pier) -> None:
    """The number that was made for the request is told, and under it the answer is found without a second charge."""
    broken = 0
    for nth in range(1, 400, 5):
        spent = pier.spent()
        holding = HeldFrom(pier, nth)
        with connection.execute_wrapper(holding):
            told = ask(pier)
        if not holding.close():
            break
        if told.exit_code == 0:
            continue  # all was written before
        broken += 1
        assert told.exit_code == 1, told.output
        assert "state-busy" in told.output
        number = re.search(r"--request ([0-9a-f]{32})", told.output)
        assert number is not None, told.output
        again = ask(pier, "--request", number[1])
        assert again.exit_code == 0, again.output
        assert pier.spent() == spent + 1
        assert released(pier.reopened(utc_now).ask(STATEMENT, request=RequestId(number[1])))
        assert pier.spent() == spent + 1
    assert broken > 3, "the state was taken away in the middle"
    assert pier.house.book.publish().size == audit(pier.house)


def test_a_damaged_state_is_still_called_damaged(pier: Pier) -> None:
    connections.close_all()
    state = pier.home / "state.sqlite3"
    state.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    told = ask(pier)
    assert (told.exit_code, "state-damaged" in told.output) == (1, True), told.output
