# SPDX-License-Identifier: Apache-2.0
"""A simulated world: a seed deals acts, a clock that jumps, and deaths in the middle of them.

Each act is a process of its own on one deployment. Some are killed (SIGKILL) at a step that makes something last, chosen by
the seed, and nobody tidies up. After each death, and at the end, somebody opens what is left, as the next command would,
and holds it to what was promised, by a model that knows the acts and nothing of the product:

    charged     each request never or once, and as often as the agreement says
    answered    a request that was answered is answered again with the same bytes, whenever it is asked
    published   what a load that ended had published, or, where it died, that or what was there before; whole
    the log     every entry and every row is what was signed
"""

import json
import os
import random
import runpy
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import connections

from lib.pier import WAGES, Pier, Settled, write_wages
from lib.town import done
from zhanqiao.agreements import lifecycle
from zhanqiao.catalogue import shelf
from zhanqiao.desk.audit import audit
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.parts import missing_parts, prove_parts
from zhanqiao.desk.stewardship import deliver, sweep
from zhanqiao.doors.release import Release
from zhanqiao.terms.canonical import digest_bytes
from zhanqiao.terms.requests import RequestId

DYING = Path(__file__).parent / "dying" / "sitecustomize.py"
START = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
START_SECONDS = 5.0
BY_DISTRICT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"
STATEMENTS = (
    BY_DISTRICT,
    "SELECT count(*) AS people FROM pension_enrolment",
    "SELECT sector, sum(turnover) AS turnover FROM firm_turnover GROUP BY sector",
)
ACTS = ("ask", "again", "load", "hold", "lift", "sweep")
Told = dict[str, object]


class Died(Exception):  # noqa: N818  the name says what is so
    """The act was killed on the way."""


@dataclass
class World:
    """One seed's world.

    answers     request -> digest of the bytes with which it was first answered
    rows        how many rows of the enrolment may be published: one number, two after a load that died
    held        whether the agreement may be suspended now: one answer, both after an act that died
    released    requests of which an answer was released, perhaps by an act that died before it could say so
    """

    seed: int
    settled: Settled
    home: Path
    folder: Path
    steps: dict[str, int]
    now: datetime = START
    answers: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    rows: set[int] = field(default_factory=lambda: {len(WAGES)})
    held: set[bool] = field(default_factory=lambda: {False})
    released: set[str] = field(default_factory=set)
    died: int = 0
    loads: int = 0
    last_steps: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def live(self, acts: int) -> None:
        """Let so many acts happen, and look at what is left after each death and at the end."""
        for _ in range(acts):
            # Set forward mostly, and back at times.
            self.now += timedelta(minutes=self.dice.choice([1, 1, 7, 60, 1_500, -45]))
            kind = self.dice.choice(ACTS)
            at = self.dice.randint(1, self.steps[kind]) if self.dice.random() < 0.5 else 0
            try:
                self._act(kind, at)
            except Died:
                self.died += 1
                self.look(whole=False)
        self.look(whole=True)

    # --- acts -------------------------------------------------------------------------------------------

    def _act(self, kind: str, at: int) -> None:
        match kind:
            case "ask":
                self._ask(self.dice.randbytes(16).hex(), self.dice.choice(STATEMENTS), at)
            case "again" if self.asked:
                request = self.dice.choice(sorted(self.asked))
                self._ask(request, self.asked[request], at)
            case "load":
                self._load(at)
            case "hold" | "lift":
                self._hold(kind, at)
            case "sweep":
                self.apart(lambda pier: {"swept": done(sweep(pier.house, "sysadmin"))}, at)

    def _ask(self, request: str, statement: str, at: int) -> None:
        self.asked[request] = statement
        told = self.apart(lambda pier: _asked(pier, request, statement), at)
        if "codes" in told:
            assert told["codes"] == ["agreement-suspended"], told
            assert True in self.held, "refused for a hold that nobody has"
            self.held = {True}
            return
        # What was released before goes out again; a new answer tells that nothing holds.
        assert False in self.held or request in self.released, "answered though the agreement was suspended"
        self.released.add(request)
        first = self.answers.setdefault(request, str(told["answer"]))
        assert told["answer"] == first, "a request that was answered is answered with other bytes"

    def _load(self, at: int) -> None:
        self.loads += 1
        count = self.dice.randint(len(WAGES) // 2 + 2, len(WAGES))
        file = write_wages(self.folder / f"{self.loads}.csv", WAGES[:count])
        self.rows |= {count}
        told = self.apart(
            lambda pier: {"rows": done(deliver(pier.house, "pension_enrolment", [file], "hrss-officer")).total}, at
        )
        assert told["rows"] == count
        self.rows = {count}

    def _hold(self, kind: str, at: int) -> None:
        verb = lifecycle.suspend if kind == "hold" else lifecycle.resume
        wanted = kind == "hold"
        self.held |= {wanted}
        self.apart(
            lambda pier: {"held": repr(verb(pier.house.book, pier.agreements["statistics"], "bureau-officer"))}, at
        )
        self.held = {wanted}

    # --- looking --------------------------------------------------------------------------------------

    def look(self, *, whole: bool) -> None:
        """Open what is left and hold it to what was promised."""
        told = self.apart(lambda pier: _looked(pier, list(self.asked), whole=whole), 0)
        rows, held = int(str(told["rows"])), bool(told["held"])
        assert rows in self.rows, f"{rows} rows are published, of {self.rows}"
        assert held in self.held, "nobody suspended or resumed it"
        self.rows, self.held, self.released = {rows}, {held}, set(told["released"])  # type: ignore[call-overload]
        if whole and not held:
            for request, statement in self.asked.items():
                if request in self.answers:
                    self._ask(request, statement, 0)

    def apart(self, act: Callable[[Pier], Told], at: int) -> Told:
        """Let a process of its own do something to the deployment, and die at step `at` where that is not 0."""
        connections.close_all()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _child(self, act, at, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as said:
            content = said.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            assert at, "nobody killed it"
            raise Died
        told: Told = json.loads(content)
        assert "fault" not in told, told["fault"]
        self.last_steps = int(str(told["steps"]))
        return told


def _child(world: World, act: Callable[[Pier], Told], at: int, writer: int) -> None:
    try:
        os.environ["DIE_AT"] = str(at)
        steps = runpy.run_path(str(DYING))["_seen"]
        began = time.monotonic()
        house = done(open_house(world.home, lambda: world.now))
        assert time.monotonic() - began < START_SECONDS, "it did not open at once"
        told = act(Pier(house, world.settled)) | {"steps": len(steps)}
    except BaseException as fault:  # noqa: BLE001  whatever it is, the parent is to say it
        told = {"fault": f"{type(fault).__name__}: {fault}"}
    os.write(writer, json.dumps(told, default=str).encode())
    os._exit(0)


def _asked(pier: Pier, request: str, statement: str) -> Told:
    outcome = pier.ask(statement, request=RequestId(request))
    if isinstance(outcome, Release):
        return {"answer": digest_bytes(outcome.answer_file)}
    return {"codes": [reason.code for reason in outcome.reasons]}


def _looked(pier: Pier, requests: list[str], *, whole: bool) -> Told:
    pier.house.book.publish()
    audit(pier.house)
    kinds: dict[str, list[str]] = {request: [] for request in requests}
    for event in pier.house.book.events():
        if event.request in kinds:
            kinds[event.request].append(event.kind)
    for request, seen in kinds.items():
        for kind in ("statistics.reserved", "statistics.certified", "statistics.released"):
            assert seen.count(kind) <= 1, f"{kind} stands twice for {request}"
        record = pier.house.book.request(RequestId(request))
        assert (record is not None) == ("statistics.reserved" in seen)
        assert (record is not None and record.released) == ("statistics.released" in seen)
    charged = sum("statistics.reserved" in seen for seen in kinds.values())
    assert pier.spent() == charged, "charged otherwise than was asked"
    snapshot = shelf.snapshot_of("pension_enrolment")
    assert snapshot is not None
    if whole:
        sweep(pier.house, "sysadmin")
        assert missing_parts(pier.house) == []
        prove_parts(pier.house)
    agreement = done(lifecycle.show(pier.agreements["statistics"], pier.house.clock()))
    released = [request for request, seen in kinds.items() if "statistics.released" in seen]
    return {"rows": snapshot.rows, "held": bool(agreement.held_by), "released": released}


def counted(world: World) -> dict[str, int]:
    """Return how many steps each kind of act has in this world, one after the other without a death."""
    found = {}
    for kind in ACTS:
        world._act("ask" if kind == "again" else kind, 0)
        found[kind] = world.last_steps
    return found
