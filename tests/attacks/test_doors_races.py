# SPDX-License-Identifier: Apache-2.0
"""Many at once: the same request, the last answers of a count, the last use of a consent. Never over, and exact.

Each thread is a caller with a connection of its own, as in a server; some tests use processes, as at the command line.
"""

import fcntl
import itertools
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection, connections

from lib.pier import CITIZEN_CREDIT, WAGES, Pier, released
from lib.town import codes
from zhanqiao.desk.scenarios import find_service
from zhanqiao.doors import decisions, release, statistics
from zhanqiao.doors.release import Release
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.requests import BatchDecisionRequest, RequestId, StatisticsRequest

THREADS = 16
BY_DISTRICT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"
ALL = "SELECT count(*) AS people FROM pension_enrolment"
KNOWN = WAGES[60].id
Outcome = Release | Refusal


def together(calls: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """Make all calls at the same moment, each in a thread of its own."""
    start = threading.Barrier(len(calls))

    def one(call: Callable[[], Outcome]) -> Outcome:
        start.wait()
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(one, call) for call in calls]]


def _audited(pier: Pier) -> None:
    """What is left after the race is whole: the log, and every certificate."""
    assert pier.house.book.publish().size == pier.house.book.audit()


def _doors(pier: Pier) -> dict[str, tuple[str, int, Callable[[str], Outcome]]]:
    """door -> agreement, charge, the question under a request id."""
    service = find_service("silent-certification")
    assert service is not None
    token, ids = pier.consent(CITIZEN_CREDIT, KNOWN), pier.pensioners()[:3]
    return {
        "statistics": ("statistics", 1, lambda request: pier.ask(BY_DISTRICT, request=request)),
        "decisions": (
            "credit",
            1,
            lambda request: pier.decide(CITIZEN_CREDIT, KNOWN, consent=token, request=request),
        ),
        "batch": ("pension", 3, lambda request: pier.batch(service, ids, request=request)),
    }


@pytest.mark.parametrize("door", ["statistics", "decisions", "batch"])
def test_one_request_raced_by_sixteen_is_one_charge_and_the_same_bytes(pier: Pier, door: str) -> None:
    agreement, charge, asking = _doors(pier)[door]
    request = pier.number()
    outcomes = [released(outcome) for outcome in together([lambda: asking(request)] * THREADS)]
    assert len({(one.answer_file, one.certificate) for one in outcomes}) == 1
    assert pier.spent(agreement) == charge
    kinds = Counter(event.kind for event in pier.house.book.events() if event.request == request)
    assert kinds[f"{'decisions' if door == 'batch' else door}.released"] == 1
    # To each of the others it was handed out again, or to one at the same time as its own.
    assert kinds.pop(f"{'decisions' if door == 'batch' else door}.repeated") == THREADS - 1
    assert max(kinds.values()) == 1
    assert pier.verify(outcomes[0]).valid
    _audited(pier)


class Between:
    """Lets `act` happen in another thread right before the n-th statement that this thread sends to the state.

    Not inside of a write or while the log is being shown, when everybody else waits.
    """

    def __init__(self, nth: int, act: Callable[[], object], lock: Path) -> None:
        self._nth, self._act, self._lock = nth, act, lock
        self.statements, self.acted = 0, False

    def __call__(self, execute, sql, params, many, context):
        self.statements += 1
        if self.statements >= self._nth and not self.acted and self._others_can_work():
            self.acted = True
            with ThreadPoolExecutor(1) as threads:
                threads.submit(self._alone).result()
        return execute(sql, params, many, context)

    def _others_can_work(self) -> bool:
        if connection.transaction_mode == "IMMEDIATE":
            return False
        with self._lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def _alone(self) -> None:
        try:
            self._act()
        finally:
            connections.close_all()


def _leave(pier: Pier, agreement: str, answers: int) -> int:
    """Make the agreement end after so many more answers; returns what it has spent."""
    connections.close_all()
    with sqlite3.connect(pier.home / "state.sqlite3") as state:
        where = (pier.agreements[agreement],)
        state.execute('UPDATE agreements_agreement SET spent = "limit" - ? WHERE id = ?', (answers, *where))
        (spent,) = state.execute("SELECT spent FROM agreements_agreement WHERE id = ?", where).fetchone()
    state.close()
    return int(spent)


def _asking(
    pier: Pier, door: str, request: RequestId, token: str
) -> tuple[Callable[[], Outcome], Callable[[], object]]:
    """Return the question, and its first half: what an attempt did that crashed after its charge, or is at work."""
    service = find_service("silent-certification")
    assert service is not None
    if door == "decisions":
        call = lambda: pier.decide(CITIZEN_CREDIT, KNOWN, consent=token, agreement="few-credit", request=request)  # noqa: E731
        return call, call  # reserved and released in one
    if door == "statistics":
        asked = statistics._asked(StatisticsRequest(request, pier.agreements["few"], "bank-analyst", BY_DISTRICT))
        return (
            lambda: pier.ask(BY_DISTRICT, agreement="few", request=request),
            lambda: release.reserve(asked, pier.house),
        )
    ids = pier.pensioners()[:3]
    batch = BatchDecisionRequest(request, pier.agreements["few-pension"], "hrss-officer", service.name)
    asked = decisions._asked_batch(batch, service, ids, pier.house)
    return (
        lambda: pier.batch(service, ids, agreement="few-pension", request=request),
        lambda: release.reserve(asked, pier.house),
    )


# door, and whether the twin only charged: because it crashed, or is at work. A single decision does all in one.
TWINS = [("statistics", False), ("statistics", True), ("decisions", False), ("batch", False), ("batch", True)]


def _race_at_each(statements: Iterable[int], pier: Pier, door: str, half: bool) -> None:
    """Let a twin act before each of the statements in turn, with exactly one request's answers left."""
    agreement, charge = {"statistics": ("few", 1), "decisions": ("few-credit", 1), "batch": ("few-pension", 3)}[door]
    for nth in statements:
        spent, request, token = _leave(pier, agreement, charge), pier.number(), pier.consent(CITIZEN_CREDIT, KNOWN)
        whole, first = _asking(pier, door, request, token)
        twin: list[object] = []
        act = first if half else whole
        lock = pier.home / "ledger" / "lock"
        between = Between(nth, lambda act=act, told=twin: told.append(act()), lock)
        with connection.execute_wrapper(between):
            mine = whole()
        if not between.acted:
            assert nth > 10, "the twin came between"
            return
        assert isinstance(mine, Release), (door, nth, mine)
        assert half or twin == [mine], "the twin got the same bytes"
        assert pier.spent(agreement) == spent + charge, "one charge for both"


@pytest.mark.parametrize(("door", "half"), TWINS, ids=lambda of: {True: "charged", False: "answered"}.get(of, of))
def test_the_last_answer_is_a_twins_too_wherever_it_comes_between(pier: Pier, door: str, half: bool) -> None:
    """Neither a second charge nor a false refusal: `count-exhausted`, or a consent that is used up, by oneself."""
    _race_at_each(range(1, 16), pier, door, half)
    _audited(pier)


@pytest.mark.slow
@pytest.mark.parametrize(("door", "half"), TWINS, ids=lambda of: {True: "charged", False: "answered"}.get(of, of))
def test_the_last_answer_is_a_twins_too_before_every_statement(pier: Pier, door: str, half: bool) -> None:
    _race_at_each(itertools.count(1), pier, door, half)
    _audited(pier)


def test_five_answers_raced_by_sixteen_are_exactly_five(pier: Pier) -> None:
    outcomes = together([lambda: pier.ask(BY_DISTRICT, agreement="few")] * THREADS)
    answers = [outcome for outcome in outcomes if isinstance(outcome, Release)]
    assert len(answers) == 5
    assert {tuple(codes(outcome)) for outcome in outcomes if isinstance(outcome, Refusal)} == {("count-exhausted",)}
    assert pier.spent("few") == 5
    assert all(pier.verify(answer).valid for answer in answers)
    _audited(pier)


def test_five_decisions_raced_by_sixteen_are_exactly_five(pier: Pier) -> None:
    tokens = [pier.consent(CITIZEN_CREDIT, row.id) for row in WAGES[:THREADS]]
    calls = [
        lambda row=row, token=token: pier.decide(CITIZEN_CREDIT, row.id, consent=token, agreement="few-credit")
        for row, token in zip(WAGES, tokens, strict=False)
    ]
    outcomes = together(calls)
    assert sum(isinstance(outcome, Release) for outcome in outcomes) == 5
    assert pier.spent("few-credit") == 5
    # Who came too late keeps the consent: under an agreement with answers left it is good.
    late = next(place for place, outcome in enumerate(outcomes) if isinstance(outcome, Refusal))
    released(pier.decide(CITIZEN_CREDIT, WAGES[late].id, consent=tokens[late]))
    _audited(pier)


@pytest.mark.parametrize("uses", [1, 3])
def test_a_consents_uses_raced_by_sixteen_are_exact(pier: Pier, uses: int) -> None:
    token = pier.consent(CITIZEN_CREDIT, KNOWN, uses=uses)
    outcomes = together([lambda: pier.decide(CITIZEN_CREDIT, KNOWN, consent=token)] * THREADS)
    assert sum(isinstance(outcome, Release) for outcome in outcomes) == uses
    assert {tuple(codes(outcome)) for outcome in outcomes if isinstance(outcome, Refusal)} == {("not-answered",)}
    assert pier.spent("credit") == uses
    # Those who lost at the last moment are logged like everybody else.
    refused = list(pier.house.book.events(kind="decisions.refused"))
    assert len({len(event.leaf) for event in refused}) == 1
    _audited(pier)


def test_two_questions_raced_under_one_id_are_one_answer(pier: Pier) -> None:
    """Whichever comes first stands; the other is refused, and nobody gets the answer to another question."""
    for _ in range(4):
        request = pier.number()
        calls = [lambda s=s, r=request: pier.ask(s, request=r) for s in (BY_DISTRICT, ALL)] * (THREADS // 2)
        outcomes = together(calls)
        columns = {
            json.dumps(outcome.answer["columns"]): place % 2
            for place, outcome in enumerate(outcomes)
            if isinstance(outcome, Release)
        }
        assert len(columns) == 1
        (won,) = columns.values()
        for place, outcome in enumerate(outcomes):
            if place % 2 != won:
                assert codes(outcome) == ["request-id-taken"]
    assert pier.spent() == 4
    _audited(pier)


def test_two_organisations_raced_under_one_id_keep_to_their_own(pier: Pier) -> None:
    request = pier.number()
    calls: list[Callable[[], Outcome]] = [
        lambda: pier.ask(BY_DISTRICT, request=request),
        lambda: pier.ask(BY_DISTRICT, by="rival-analyst", agreement="rival", request=request),
    ]
    outcomes = together(calls * (THREADS // 2))
    winners = {place % 2 for place, outcome in enumerate(outcomes) if isinstance(outcome, Release)}
    assert len(winners) == 1
    assert sorted((pier.spent("statistics"), pier.spent("rival"))) == [0, 1]
    _audited(pier)


def test_many_different_questions_at_once_are_all_answered_and_certified(pier: Pier) -> None:
    """Sixteen callers, three questions each: the certificates that are made at the same time are all good."""
    outcomes = [one for _ in range(3) for one in together([lambda: pier.ask(BY_DISTRICT)] * THREADS)]
    answers = [released(outcome) for outcome in outcomes]
    assert len({json.dumps({**one.answer, "request": None}) for one in answers}) == 1
    assert pier.spent() == len(answers) == 48
    assert all(pier.verify(one).valid for one in answers)
    _audited(pier)


def test_processes_race_as_threads_do(pier: Pier) -> None:
    """Six command lines with one request id, and at the same time six for the last five answers."""
    request = pier.number()
    same = ["ask", BY_DISTRICT, "--agreement", pier.agreements["statistics"], "--as", "bank-analyst", "--json"]
    few = ["ask", BY_DISTRICT, "--agreement", pier.agreements["few"], "--as", "bank-analyst", "--json"]
    with ThreadPoolExecutor(6) as threads:
        ones = [threads.submit(pier.command, *same, "--request", request) for _ in range(6)]
        fives = [threads.submit(pier.command, *few) for _ in range(6)]
        told, counted = [one.result() for one in ones], [five.result() for five in fives]
    assert [ran.returncode for ran in told] == [0] * 6, told
    assert len({ran.stdout for ran in told}) == 1
    assert sorted(ran.returncode for ran in counted) == [0, 0, 0, 0, 0, 3]
    assert (pier.spent("statistics"), pier.spent("few")) == (1, 5)
    _audited(pier)


@pytest.mark.slow
def test_a_hundred_rounds_of_ten_callers_are_a_hundred_charges(pier: Pier) -> None:
    rounds = 100
    for _ in range(rounds):
        request = pier.number()
        outcomes = together([lambda request=request: pier.ask(BY_DISTRICT, request=request)] * 10)
        assert len({released(outcome).answer_file for outcome in outcomes}) == 1
    assert pier.spent() == rounds
    _audited(pier)
