# SPDX-License-Identifier: Apache-2.0
"""kill -9 over `ask`, `decide` and `intake load`, the real commands in processes of their own.

A run without an accident tells how many steps make something last (`lib/dying`). Then, for each of them, a fresh copy
of the deployment, the same command, SIGKILL at that step, and a look at what is left: the log is whole, nothing is lost,
doubled, half published or charged twice; and the same command once more gives what it would have given.

By day a spread of them and those around each commit, every one in `make test-slow`, which also kills loads at moments that no step names.
"""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lib import pier as piers
from lib.pier import WAGES, Pier, Settled, Wage, citizen_id, command_line, released, write_wages
from lib.town import codes
from zhanqiao.catalogue import shelf
from zhanqiao.desk import demo_truth
from zhanqiao.desk.audit import audit
from zhanqiao.desk.configuration import utc_now
from zhanqiao.desk.scenarios import find_service
from zhanqiao.intake import quarantine, sweep
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.verify import verify
from zhanqiao.terms.subjects import SubjectKind

DYING = Path(__file__).parents[1] / "lib" / "dying"
BY_DISTRICT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"
KILLED = -signal.SIGKILL
BY_DAY = 6  # of each command, and those around its commits


@dataclass(frozen=True)
class Accident:
    """One command, made ready in one copy of the deployment.

    words   as they are typed, `given` on standard input
    check   looks at what is left: after the death (`whole` is False), and after the repetition (True)
    """

    words: tuple[str, ...]
    check: Callable[[Pier, bool], None]
    given: str = ""


def _telling(steps: list[str], some: int) -> list[int]:
    """Return some step numbers, evenly apart from the first to the last, and those around each commit."""
    even = {1 + place * (len(steps) - 1) // (some - 1) for place in range(some)}
    return sorted(even | {number for number, step in enumerate(steps, start=1) if step.endswith("commit")})


# --- the three commands -----------------------------------------------------------------------------


def _ask(pier: Pier, folder: Path) -> Accident:
    request, agreement = pier.number(), pier.agreements["statistics"]
    people = Counter(row.district for row in WAGES)

    def check(after: Pier, whole: bool) -> None:
        _check_charge(after, request, "statistics", 1, whole=whole)
        if whole:
            answer = _answer_on_disk(after, request)
            assert {row[0]: row[1] for row in answer["rows"]} == dict(people)  # type: ignore[union-attr]
            again = released(after.ask(BY_DISTRICT, request=request))
            assert again.answer_file == (after.home / "answers" / f"{request}.answer.json").read_bytes()
            assert after.spent("statistics") == 1

    words = ("ask", BY_DISTRICT, "--agreement", agreement, "--as", "bank-analyst", "--request", request)
    return Accident(words, check)


def _decide(pier: Pier, folder: Path) -> Accident:
    service = find_service("enterprise-credit")
    assert service is not None
    request, code = pier.number(), demo_truth.example_enterprise(pier.settled.city)
    token = pier.consent(service, code)
    path = folder / "consent.jws"
    path.write_text(token, encoding="utf-8")

    def check(after: Pier, whole: bool) -> None:
        _check_charge(after, request, "decisions", 1, whole=whole)
        if whole:
            assert _answer_on_disk(after, request)["service"] == service.name
            # Its one use was counted once: another request finds none left.
            assert codes(after.decide(service, code, consent=token)) == ["not-answered"]
            assert after.spent("credit") == 1

    words = ("decide", service.name, "--agreement", pier.agreements["credit"], "--as", "bank-analyst")
    return Accident((*words, "--consent", str(path), "--request", request), check, json.dumps({"id": code}))


# One district less, a dozen people nobody knew, and three rows that do not fit.
NEXT: tuple[Wage, ...] = (
    *(row for row in WAGES if row.district != "李沧区"),
    *(Wage(citizen_id(500 + n), f"新参保人{n:02d}", None, "市南区", WAGES[0].base) for n in range(12)),
)
BAD = tuple(Wage(citizen_id(600 + n), f"不合格人{n}", None, "青岛市", None) for n in range(3))


def _load(pier: Pier, folder: Path) -> Accident:
    delivery = write_wages(folder / "next.csv", (*NEXT, *BAD))
    before = shelf.snapshot_of("pension_enrolment")
    assert before is not None
    old, new = Counter(row.district for row in WAGES), Counter(row.district for row in NEXT)

    def check(after: Pier, whole: bool) -> None:
        snapshot = shelf.snapshot_of("pension_enrolment")
        assert snapshot is not None
        is_new = snapshot.id != before.id
        assert is_new or not whole
        # All of the one or all of the other, in rows, cubes and quarantine alike.
        rows = released(after.ask(BY_DISTRICT)).answer["rows"]
        assert {row[0]: row[1] for row in rows} == dict(new if is_new else old)  # type: ignore[union-attr]
        assert snapshot.rows == (len(NEXT) if is_new else len(WAGES))
        published = [
            event
            for event in after.events("intake.published")
            if event["facts"]["dataset"] == "pension_enrolment"  # type: ignore[index]
        ]
        assert len(published) == (2 if is_new else 1), "published once, whatever was repeated"
        if is_new:
            kept = list(quarantine.read(after.house, "pension_enrolment", snapshot.id))
            assert len(kept) == len(BAD)
        # Nothing of the delivery is readable where it landed.
        assert {path.name for path in (after.home / "landing").iterdir()} <= {
            f".{dataset.name}.lock" for dataset in shelf.all()
        }
        if whole:
            _check_swept(after)

    return Accident(("intake", "load", "pension_enrolment", str(delivery), "--as", "hrss-officer"), check)


COMMANDS = {"ask": _ask, "decide": _decide, "load": _load}


# --- what is looked at ------------------------------------------------------------------------------


def _check_charge(pier: Pier, request: str, door: str, charge: int, *, whole: bool) -> None:
    """Charged never or once, released never or once, and charged before released."""
    record = pier.house.book.request(request)
    kinds = [event.kind for event in pier.house.book.events() if event.request == request]
    assert max(Counter(kinds).values(), default=0) <= 1, "no entry stands twice"
    assert pier.spent({"statistics": "statistics", "decisions": "credit"}[door]) == (charge if record else 0)
    assert (f"{door}.released" in kinds) == (record is not None and record.released)
    if whole:
        assert kinds[-1] == f"{door}.released"


def _answer_on_disk(pier: Pier, request: str) -> dict[str, object]:
    """Return what the receiver has, after checking it as an outsider does."""
    answer = (pier.home / "answers" / f"{request}.answer.json").read_bytes()
    certificate = (pier.home / "answers" / f"{request}.cert").read_bytes()
    assert verify(certificate, Trust.parse((pier.home / "public" / "trust.txt").read_bytes()), answer).valid
    said = json.loads(answer)["answer"]
    assert isinstance(said, dict)
    return said


def _check_log(pier: Pier) -> None:
    """The log is whole as it lies there, and again after what was not shown yet is shown."""
    audit(pier.house)
    assert pier.house.book.publish().size == audit(pier.house)


def _check_swept(pier: Pier) -> None:
    """What the accident left is removed, and only that: each subject has one number, each segment a snapshot."""
    everybody = {row.id for row in (*WAGES, *NEXT)}
    numbers = pier.house.vault._subjects.numbers(SubjectKind.PERSON, sorted(everybody))
    assert len(set(numbers.tolist())) == len(everybody)
    assert min(numbers.tolist()) >= 0
    sweep(pier.house, "chen-sysadmin", wait=True)
    places = [pier.home / place for place in ("vault", "quarantine", "landing")]
    assert not [path for place in places for path in place.rglob("*.part*")]
    assert sweep(pier.house, "chen-sysadmin", wait=True) == {}
    released(pier.ask(BY_DISTRICT))


# --- accidents --------------------------------------------------------------------------------------


def _steps(settled: Settled, folder: Path, command: str) -> list[str]:
    """Run the command without an accident; return its steps. This is the control, too: all checks hold after it."""
    for pier in piers.opened(settled, _made(folder / "control"), utc_now):
        accident = COMMANDS[command](pier, folder)
        told = folder / "steps"
        ran = _run(pier, accident, COUNT_STEPS=str(told))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        after = pier.reopened()
        _check_log(after)
        accident.check(after, True)
        return told.read_text(encoding="ascii").split("\n")
    raise AssertionError


def _die_at(settled: Settled, folder: Path, command: str, at: int) -> None:
    """Let the command die at one step, look at what is left, repeat it, and look again."""
    for pier in piers.opened(settled, _made(folder), utc_now):
        accident = COMMANDS[command](pier, folder)
        assert _run(pier, accident, DIE_AT=str(at)).returncode == KILLED, "it died, or the step was not reached"
        _recovers(pier, accident)


def _recovers(pier: Pier, accident: Accident) -> None:
    after = pier.reopened()
    _check_log(after)
    accident.check(after, False)
    again = _run(pier, accident)
    assert again.returncode == 0, again.stdout + again.stderr
    repeated = pier.reopened()
    _check_log(repeated)
    accident.check(repeated, True)


def _run(pier: Pier, accident: Accident, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, [str(DYING), os.environ.get("PYTHONPATH")]))
    return pier.command(*accident.words, given=accident.given, PYTHONPATH=paths, **environment)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_killed_leaves_nothing_half_done(settled_pier, tmp_path, command) -> None:
    steps = _steps(settled_pier, tmp_path, command)
    points = _telling(steps, BY_DAY)
    for at in points:
        _die_at(settled_pier, tmp_path / str(at), command, at)
    print(f"{command}: killed at {len(points)} of {len(steps)} steps")


PARTS = 3


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("command", COMMANDS)
def test_every_step_of_a_command_is_killed(settled_pier, tmp_path, command, part) -> None:
    steps = _steps(settled_pier, tmp_path, command)
    points = range(1 + part, len(steps) + 1, PARTS)
    for at in points:
        _die_at(settled_pier, tmp_path / str(at), command, at)
    print(f"{command}: killed at {len(points)} of {len(steps)} steps, part {part + 1} of {PARTS}")


@pytest.mark.slow
def test_the_steps_are_fifty_and_more(settled_pier, tmp_path) -> None:
    counts = {command: len(_steps(settled_pier, _made(tmp_path / command), command)) for command in COMMANDS}
    print(f"steps that make something last: {counts}, together {sum(counts.values())}")
    assert sum(counts.values()) >= 50


def _moments() -> Iterator[float]:
    """Seconds after the start: over the whole length of a load, in the middle of parsing, counting and writing."""
    return (0.30 + 0.03 * number for number in range(24))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["load", "ask"])
def test_a_command_is_killed_at_any_moment(settled_pier, tmp_path, command) -> None:
    died = 0
    for number, seconds in enumerate(_moments()):
        for pier in piers.opened(settled_pier, _made(tmp_path / str(number)), utc_now):
            accident = COMMANDS[command](pier, tmp_path / str(number))
            process = subprocess.Popen(
                command_line(*accident.words, "--home", str(pier.home)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONUTF8": "1"},
            )
            time.sleep(seconds)
            process.kill()
            died += process.wait() == KILLED
            _recovers(pier, accident)
    print(f"{command}: killed at {died} moments")
    assert died >= 10
