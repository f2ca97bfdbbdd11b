# SPDX-License-Identifier: Apache-2.0
"""Where a deployment has witnesses, answers stop leaving when too few of them have cosigned for too long."""

from collections.abc import Callable

import pytest

from lib.pier import CITIZEN_CREDIT, WAGES, Pier, released
from lib.town import codes
from lib.witnessing import found_witnesses, network, seat
from zhanqiao.desk.scenarios import find_service
from zhanqiao.doors.release import Release
from zhanqiao.ledger.witnesses import Patience, Reply
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.requests import RequestId

STATEMENT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"
KNOWN = WAGES[60].id
NAMES = ("court", "bank", "university")


def _ways(pier: Pier) -> dict[str, tuple[str, str, Callable[[RequestId], Release | Refusal]]]:
    """Return each door's name in the log, its agreement, and a question that it answers again and again."""
    silent, consent = find_service("silent-certification"), pier.consent(CITIZEN_CREDIT, KNOWN, uses=9)
    assert silent is not None
    return {
        "statistics": ("statistics", "statistics", lambda request: pier.ask(STATEMENT, request=request)),
        "one decision": (
            "decisions",
            "credit",
            lambda request: pier.decide(CITIZEN_CREDIT, KNOWN, consent=consent, request=request),
        ),
        "a batch": ("decisions", "pension", lambda request: pier.batch(silent, pier.pensioners()[:3], request=request)),
    }


class Line:
    """The way to the witnesses; a test cuts it for some of them."""

    def __init__(self, pier: Pier, clock: object, *names: str, patience: Patience | None = None) -> None:
        self.away: set[str] = set()
        self.asked = 0
        witnesses = found_witnesses(pier.home.parent / "witnesses", pier.home, clock, *names)
        self._reach = network(witnesses)
        seat(pier.house, witnesses, clock, self._send, patience)

    def _send(self, url: str, body: bytes) -> Reply:
        self.asked += 1
        if any(name in url for name in self.away):
            raise OSError("no route to host")
        return self._reach(url, body)


@pytest.mark.parametrize("way", ["statistics", "one decision", "a batch"])
def test_answers_stop_an_hour_after_the_last_quorum_and_cost_nothing(pier: Pier, clock, way) -> None:
    door, agreement, ask = _ways(pier)[way]
    line = Line(pier, clock, *NAMES)
    before, request = pier.number(), pier.number()
    first = released(ask(before))
    line.away = {"court", "bank"}
    clock.forward(seconds=3_600)
    released(ask(pier.number()))
    clock.forward(seconds=1)
    spent, logged = pier.spent(agreement), len(pier.events())
    refusal = ask(request)
    assert codes(refusal) == ["witnesses-away"]
    assert refusal.reasons[0].facts == {"quorum": "2", "seconds": "3600"}
    assert refusal.exit_status == 3
    assert pier.spent(agreement) == spent
    assert [event["kind"] for event in pier.events()[logged:]] == [f"{door}.refused"]
    # What left before is handed out as ever, and the number that was refused gets its answer when they are back.
    assert ask(before) == first
    line.away = {"bank"}
    released(ask(request))
    assert pier.house.book.audit() == pier.house.book.size


def test_one_witness_of_three_may_stay_away_for_ever(pier: Pier, clock) -> None:
    line = Line(pier, clock, *NAMES)
    line.away = {"court"}
    for _ in range(3):
        released(pier.ask(STATEMENT))
        clock.forward(days=1)


def test_cosignatures_of_too_few_do_not_prolong_the_hour(pier: Pier, clock) -> None:
    line = Line(pier, clock, *NAMES)
    released(pier.ask(STATEMENT))
    line.away = {"court", "bank"}
    for _ in range(6):
        clock.forward(minutes=10)
        released(pier.ask(STATEMENT))
    clock.forward(seconds=1)
    assert codes(pier.ask(STATEMENT)) == ["witnesses-away"]


def test_after_a_quiet_night_the_witnesses_are_asked_before_the_first_answer(pier: Pier, clock) -> None:
    line = Line(pier, clock, *NAMES)
    released(pier.ask(STATEMENT))
    clock.forward(hours=12)
    asked = line.asked
    released(pier.ask(STATEMENT))
    # For the quorum, and for the certificate.
    assert line.asked == asked + 2 * len(NAMES)
    asked = line.asked
    released(pier.ask(STATEMENT))
    assert line.asked == asked + len(NAMES)


def test_witnesses_that_never_cosigned_let_nothing_leave(pier: Pier, clock) -> None:
    line = Line(pier, clock, *NAMES)
    line.away = set(NAMES)
    assert codes(pier.ask(STATEMENT)) == ["witnesses-away"]
    line.away = {"court"}
    released(pier.ask(STATEMENT))


def test_a_single_witness_is_a_quorum_of_one(pier: Pier, clock) -> None:
    line = Line(pier, clock, "bank")
    released(pier.ask(STATEMENT))
    line.away = {"bank"}
    clock.forward(hours=2)
    assert codes(pier.ask(STATEMENT)) == ["witnesses-away"]


def test_patience_is_a_setting(pier: Pier, clock) -> None:
    line = Line(pier, clock, *NAMES, patience=Patience(quorum=3, seconds=60))
    released(pier.ask(STATEMENT))
    line.away = {"court"}
    clock.forward(seconds=61)
    refusal = pier.ask(STATEMENT)
    assert codes(refusal) == ["witnesses-away"]
    assert refusal.reasons[0].facts == {"quorum": "3", "seconds": "60"}


def test_a_quorum_of_none_waits_for_nobody(pier: Pier, clock) -> None:
    line = Line(pier, clock, *NAMES, patience=Patience(quorum=0))
    line.away = set(NAMES)
    released(pier.ask(STATEMENT))


def test_the_settings_say_the_quorum(pier: Pier) -> None:
    assert pier.house.book.witnesses.patience == Patience(quorum=2, seconds=3_600)
    path = pier.home / "zhanqiao.toml"
    said = path.read_text(encoding="utf-8")
    assert "quorum = 2\nquorum_seconds = 3600\n" in said
    path.write_text(said.replace("quorum = 2", "quorum = 1").replace("3600", "60"), encoding="utf-8")
    assert pier.reopened().house.book.witnesses.patience == Patience(quorum=1, seconds=60)


# --- who wants to go on without witnesses ------------------------------------------------------------


def test_a_clock_that_is_set_back_does_not_prolong_the_hour(pier: Pier, clock) -> None:
    line = Line(pier, clock, *NAMES)
    released(pier.ask(STATEMENT))
    line.away = set(NAMES)
    clock.forward(minutes=-6)
    assert codes(pier.ask(STATEMENT)) == ["witnesses-away"]


def test_neither_an_older_quorum_nor_the_word_of_one_makes_one(pier: Pier, clock) -> None:
    line = Line(pier, clock, *NAMES)
    released(pier.ask(STATEMENT))
    ledger = pier.home / "ledger"
    older = (ledger / "quorum").read_bytes()
    clock.forward(hours=2)
    released(pier.ask(STATEMENT))
    line.away = {"court", "bank"}
    released(pier.ask(STATEMENT))
    for content in (older, (ledger / "cosigned").read_bytes(), (ledger / "checkpoint").read_bytes()):
        (ledger / "quorum").write_bytes(content)
        assert codes(pier.ask(STATEMENT)) == ["witnesses-away"]
    (ledger / "quorum").unlink()
    assert codes(pier.ask(STATEMENT)) == ["witnesses-away"]
