# SPDX-License-Identifier: Apache-2.0
"""Explore a recorded run: put every disk that a power cut may leave in its place, open it, and hold the product to its word.

At each state, which is opened once however many cuts lead to it:

    opens       within five seconds and as it stands, by the normal way: nobody repairs anything
    whole       SQLite finds nothing broken; head, checkpoint and tiles are of one log, and go on to one size
    one log     it is a beginning of the log that the whole run wrote, and no shorter than what a commit had returned for

What is left after the opening is often the same. Each such outcome is looked at once more, in full: the audit, what the
command promises, the same command again, the audit. Where the program had ended, all that it promised must be there.
"""

import hashlib
import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.db import connection, connections

from lib.disk_states import Disk, State
from lib.disk_trace import Said, Traced
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.state import FILE as STATE_FILE
from zhanqiao.ledger.book import Book
from zhanqiao.ledger.durable import PART
from zhanqiao.ledger.tree import Frontier, leaf_hash
from zhanqiao.terms.refusals import Refusal
from zhanqiao.vault.house import House

START_SECONDS = 5.0
_MEMORY = Path("/dev/shm")
# Broken states are named; so many are enough to see what is wrong.
NAMED = 20


class Broken(Exception):  # noqa: N818  the name says what is so
    """A state that does not keep what was promised."""


@dataclass
class Found:
    """What an exploration came to.

    cuts, states    points in the run, and states at all of them together, each counted as often as it is legal
    opened          different disks among them; every one was opened
    outcomes        different deployments after the opening; every one was looked at in full
    broken          how many disks did not keep the promise; `named` says why of the first
    """

    cuts: int = 0
    states: int = 0
    opened: int = 0
    outcomes: int = 0
    slowest: float = 0.0
    broken: int = 0
    named: list[str] = field(default_factory=list)

    def __add__(self, other: "Found") -> "Found":
        return Found(
            max(self.cuts, other.cuts),
            max(self.states, other.states),
            self.opened + other.opened,
            self.outcomes + other.outcomes,
            max(self.slowest, other.slowest),
            self.broken + other.broken,
            self.named + other.named,
        )

    def __str__(self) -> str:
        return (
            f"{self.opened:,} different disks opened ({self.states:,} states at {self.cuts:,} cuts), "
            f"{self.outcomes:,} outcomes in full, slowest start {self.slowest:.2f} s, {self.broken:,} broken"
        )


@dataclass(frozen=True)
class Exploration:
    """How a run is explored.

    log         leaves of the log as the whole run left it
    look        looks in full at a deployment that was opened; the flag says that the program had ended
    some        mixed states at each cut
    share       which of how many equal parts of the disks is opened here
    home        where in the recorded folder the deployment lies
    open        opens what lies in that folder
    """

    traced: Traced
    log: list[bytes]
    look: Callable[[House, bool], None]
    seed: int
    some: int
    share: tuple[int, int] = (0, 1)
    home: str = ""
    open: Callable[[Path], House | Refusal] = open_house


def explore(plan: Exploration, work: Path) -> Found:
    """Open every state; returns what was found. Nothing is left in `work`."""
    return _Explorer(plan, work).explore()


def explore_in_parts(plan: Exploration, work: Path, parts: int) -> Found:
    """Explore with so many processes at once."""
    forking = multiprocessing.get_context("fork")
    told: multiprocessing.SimpleQueue[Found] = forking.SimpleQueue()

    def one(part: int) -> None:
        folder = work / str(part)
        folder.mkdir()
        told.put(explore(replace(plan, share=(part, parts)), folder))

    connections.close_all()
    workers = [forking.Process(target=one, args=(part,)) for part in range(parts)]
    for worker in workers:
        worker.start()
    found = sum((told.get() for _ in workers), Found())
    for worker in workers:
        worker.join()
    return found


def memory_folder(fallback: Path) -> Path:
    """Return a folder on a disk that takes no time, where there is one."""
    return _MEMORY if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) else fallback


def leaves_of(home: Path) -> list[bytes]:
    """Return the leaves of a deployment's log."""
    house = open_house(home)
    assert isinstance(house, House)
    leaves = [event.leaf for event in house.book.events()]
    connections.close_all()
    return leaves


class _Explorer:
    def __init__(self, plan: Exploration, work: Path) -> None:
        self._plan = plan
        self._base, self._placed = work / "base", work / "home"
        self._home = self._placed / plan.home
        self._state = str(Path(plan.home, STATE_FILE))
        shutil.copytree(plan.traced.before, self._base)
        self._of_base = {path.stat().st_ino for path in self._base.rglob("*") if path.is_file()}
        self._roots = _roots(plan.log)
        # By digest: how long the log is in that disk. None when it is broken, which is said once.
        self._sizes: dict[bytes, int | None] = {}
        self._outcomes: set[tuple[bytes, bool]] = set()
        self._found = Found()

    def explore(self) -> Found:
        dice, disk, committed = random.Random(self._plan.seed), Disk(self._plan.traced.before), 0
        last = len(self._plan.traced.operations)
        for number, operation in enumerate(self._plan.traced.operations, start=1):
            disk.take(operation)
            if isinstance(operation, Said) and operation.text.startswith("committed"):
                committed = int(operation.text.split()[1])
            self._found.cuts += 1
            for state in disk.states(dice, some=self._plan.some):
                self._found.states += 1
                self._see(state, number, committed, ended=number == last)
        self._found.opened = len(self._sizes)
        self._found.outcomes = len(self._outcomes)
        shutil.rmtree(self._base)
        shutil.rmtree(self._placed, ignore_errors=True)
        return self._found

    def _see(self, state: State, cut: int, committed: int, *, ended: bool) -> None:
        part, parts = self._plan.share
        digest = state.digest
        if digest[0] % parts != part:
            return
        if digest in self._sizes and not ended:
            size = self._sizes[digest]
        else:
            try:
                size = self._sizes[digest] = self._open(state, ended=ended)
            except Exception as fault:  # noqa: BLE001  whatever it is, the state does not keep its promise
                size = self._sizes[digest] = None
                self._break(f"cut {cut}, {state.kept}: {type(fault).__name__}: {fault}")
            finally:
                connections.close_all()
        if size is not None and size < committed:
            self._sizes[digest] = None
            self._break(f"cut {cut}, {state.kept}: {size} entries, a commit had returned for {committed}")

    def _break(self, why: str) -> None:
        self._found.broken += 1
        if len(self._found.named) < NAMED:
            self._found.named.append(why)

    def _open(self, state: State, *, ended: bool) -> int:
        self._place(state)
        began = time.monotonic()
        house = self._plan.open(self._home)
        if not isinstance(house, House):
            raise Broken(f"does not open: {[reason.message('en') for reason in house.reasons]}")
        house.book.check()
        with connection.cursor() as cursor:
            if (said := cursor.execute("PRAGMA quick_check").fetchall()) != [("ok",)]:
                raise Broken(f"SQLite: {said}")
        shown = house.book.publish()
        took = time.monotonic() - began
        self._found.slowest = max(self._found.slowest, took)
        if took > START_SECONDS:
            raise Broken(f"started in {took:.1f} s")
        if shown.size >= len(self._roots) or shown.root != self._roots[shown.size]:
            raise Broken(f"its {shown.size} entries are not those of the run")
        outcome = (self._outcome(), ended)
        if outcome not in self._outcomes:
            self._outcomes.add(outcome)
            self._plan.look(house, ended)
        return shown.size

    def _place(self, state: State) -> None:
        if self._placed.exists():
            shutil.rmtree(self._placed)
        self._placed.mkdir(mode=0o700)
        for folder in sorted(state.folders):
            Path(self._placed, folder).mkdir(mode=0o700)
        for path, placed in state.files.items():
            target = os.path.join(self._placed, path)  # noqa: PTH118  for speed
            if placed.content is not None:
                descriptor = os.open(target, os.O_WRONLY | os.O_CREAT, placed.mode)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(placed.content.data)
            elif path.startswith(self._state):  # the one file that is changed in its place
                shutil.copy2(self._base / path, target)
            else:
                os.link(os.path.join(self._base, path), target)  # noqa: PTH118

    def _outcome(self) -> bytes:
        """Return a digest of what there is after the opening: of the state its rows, of unfinished files their names."""
        told = hashlib.blake2b(digest_size=16)
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            for (table,) in cursor.fetchall():
                told.update(repr(cursor.execute(f'SELECT * FROM "{table}"').fetchall()).encode())
        for folder, folders, names in os.walk(self._home):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)  # noqa: PTH118
                if name.startswith(STATE_FILE):
                    continue
                told.update(f"\n{os.path.relpath(path, self._home)}\0".encode())
                if PART not in name and os.stat(path).st_ino not in self._of_base:  # noqa: PTH116
                    told.update(hashlib.blake2b(Path(path).read_bytes(), digest_size=16).digest())
        return told.digest()


def _roots(log: list[bytes]) -> list[bytes]:
    tree = Frontier()
    roots = [tree.root()]
    for leaf in log:
        tree.append(leaf_hash(leaf))
        roots.append(tree.root())
    return roots


def look_at_ledger(house: House, ended: bool) -> None:
    """Look in full at a log that grew alone."""
    del ended
    book: Book = house.book
    book.audit()
    book.sweep()
    assert not list(book.folder.rglob(f"*{PART}"))
