# SPDX-License-Identifier: Apache-2.0
"""The vault: where the data is. It runs permits and nothing else.

Every call that reads or writes rows takes a permit, checks that it is one, that it has not expired and that it fits
what it is asked for, and runs it. What cannot be checked here (grants, consents, levels) was decided by `policy`, which
alone makes permits.

    keys/        the keyring (outside this folder)
    segments/    encrypted rows, one immutable file per load         lost or stolen: rows gone; unreadable without keys
    states/      cubes and newest dates of a snapshot, sealed        can be built again from the segments
    subjects/    tokens by subject number, sealed                    lost or older: found, nothing goes on without it
    identities/  direct identifiers, sealed under their own key      lost or older: as subjects
    scratch/     encrypted spill of running tasks; swept

Nothing here says which snapshot is current: that is the catalogue's row. What no row names is what a crash left behind.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from zhanqiao.ledger import durable
from zhanqiao.policy.permits import AnswerPermit, BuildPermit, EvidencePermit, LoadPermit, Permit, is_made_here
from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.datasets import CubeSpec, Dataset
from zhanqiao.terms.services import Evidence, Value
from zhanqiao.terms.subjects import Subject, SubjectKind
from zhanqiao.vault import crypt, cubes, evidence, identities, subjects, traces
from zhanqiao.vault.connection import DEFAULT_LIMITS, Limits, allowed
from zhanqiao.vault.cubes import key_item
from zhanqiao.vault.duckdb_engine import DuckDbEngine
from zhanqiao.vault.engines import Engine, OpenCube, Read
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.held import Recorded, recorded_marks
from zhanqiao.vault.identities import IdentityStore
from zhanqiao.vault.keys import Keyring, Sealed
from zhanqiao.vault.segments import SegmentStore, brought_by
from zhanqiao.vault.spark_engine import SparkEngine
from zhanqiao.vault.states import Newer, StateStore
from zhanqiao.vault.subjects import UNKNOWN, Numbers, SubjectBook
from zhanqiao.vault.tokens import Flags
from zhanqiao.vault.traces import RosterEvidence, State

# (dataset, snapshot) -> segments; what was never published has none.
SegmentsOf = Callable[[str, str], Sequence[str]]

_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept")

# Newest dates and rosters are read again and again by a batch; a few stay open in memory.
_KEPT = 16


@dataclass(frozen=True)
class Answer:
    """What a statement is answered with.

    table       as `engines.RolledUp`, sorted by the dims, the remainder last
    undecided   as there
    commitment  to the unprotected finest partition of the cube: an auditor who builds it again, on whatever engine,
                knows whether the atoms were made of it
    rules       under which the cube was protected when it was built
    """

    table: pa.Table
    undecided: int
    commitment: str
    rules: cubes.Rules


@dataclass(frozen=True)
class Alone:
    """What can be done to the vault while nobody else is inside: the only ways in which anything is removed.

    sweep  names of segments and ids of snapshots that the catalogue knows -> what was removed: the rest, and unfinished
           files
    held   a dataset -> the snapshots of which anything lies here
    drop   dataset, snapshot, the snapshots of the dataset that stay with their segments -> what was removed
    """

    sweep: Callable[[set[str]], list[str]]
    held: Callable[[str], set[str]]
    drop: Callable[[str, str, Mapping[str, Sequence[str]]], list[str]]


class Vault:
    """An open vault."""

    def __init__(
        self,
        folder: Path,
        keyring: Keyring,
        clock: Callable[[], datetime],
        *,
        limits: Limits = DEFAULT_LIMITS,
        engine: Engine | None = None,
        published: SegmentsOf | None = None,
        recorded: Recorded = recorded_marks,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._keyring = keyring
        self._scratch = folder / "scratch"
        self._engine = engine or engine_of("duckdb", folder, keyring, limits)
        self._published = published or published_segments
        self._states = StateStore(folder / "states", keyring)
        self._cubes: dict[tuple[str, str, str, CubeSpec], _Opened] = {}
        self._newest: dict[tuple[str, str, str], State] = {}
        self._rosters: dict[tuple[object, ...], Flags] = {}
        self._subjects = SubjectBook(folder / "subjects", keyring, recorded)
        self._identities = IdentityStore(folder / "identities", keyring, recorded)

    # --- rows in ------------------------------------------------------------------------------------

    def number(self, permit: LoadPermit, dataset: Dataset, kind: SubjectKind, ids: pa.Array) -> Numbers:
        """Return the subject numbers of a delivery's identifiers; new subjects get theirs, durable when this returns."""
        self._check_load(permit, dataset)
        key_item(dataset, kind)
        with self.inside():
            return self._subjects.numbers(kind, ids, allocate=True)

    def keep_identities(
        self, permit: LoadPermit, dataset: Dataset, kind: SubjectKind, numbers: Numbers, table: pa.Table
    ) -> None:
        """Put a delivery's direct identifiers apart, durable when this returns."""
        self._check_load(permit, dataset)
        with self.inside():
            self._identities.put(kind, numbers, table)

    def standing(
        self, permit: LoadPermit, dataset: Dataset, kind: SubjectKind, ids: pa.ChunkedArray, segments: Sequence[str]
    ) -> tuple[Numbers, Numbers]:
        """Return the numbers of a delivery's identifiers, and those that published segments of its dataset hold.

        Who delivers learns which of its own rows came before, and nothing about anybody else.
        """
        self._check_load(permit, dataset)
        if not all(name.startswith(f"{dataset.name}/") for name in segments):
            raise VaultFault(f"couldn't read {dataset.name}: the segments are another dataset's")
        with self.inside():
            return self._subjects.numbers(kind, ids), self._engine.roster(dataset, segments, kind, ())

    def load(self, permit: LoadPermit, dataset: Dataset, batches: Iterable[pa.RecordBatch]) -> str:
        """Write one segment (columns: `segments.stored_schema`) and return its name.

        It is nobody's until the catalogue publishes a snapshot with it; a crash before that leaves it to a sweep.
        """
        self._check_load(permit, dataset)
        with self.inside():
            return self._engine.load(dataset, permit.snapshot, batches)

    def held(self) -> dict[str, int]:
        """Return how much there is of what only grows, for a publication to record."""
        numbers = {subjects.held_of(kind): self._subjects.count(kind) for kind in SubjectKind}
        return numbers | {identities.held_of(kind): self._identities.count(kind) for kind in SubjectKind}

    def missing(self, published: Iterable[tuple[Dataset, str, Sequence[str]]]) -> list[str]:
        """Return which parts of published snapshots (dataset, id, segments) are not there, by their names in here."""
        there = set(self._engine.names())
        return [
            name
            for dataset, snapshot, segments in published
            for name in (
                *(f"segments/{one}" for one in segments if one not in there),
                *self._states.missing(dataset, snapshot),
            )
        ]

    def expect_ready(self) -> None:
        """Start what computes, without rows, and let it end; a fault says why it does not start."""
        with self.inside():
            self._engine.expect_ready()

    def prove(self) -> None:
        """Open everything that lies here once, and tell nothing of it; a fault names the first that does not open."""
        with self.inside():
            self._engine.prove()
            self._states.prove()
            for kind in SubjectKind:
                self._subjects.count(kind)
                self._identities.prove(kind)

    def allowed(self) -> list[str]:
        """Return what a connection that sees rows does although it should refuse it; tried here, on one that sees none."""
        with self.inside():
            return allowed(self._scratch)

    def build(self, permit: BuildPermit, dataset: Dataset, segments: Sequence[str], *, onto: str | None = None) -> None:
        """Build one cube, or the newest dates, of a snapshot. Repeating it after a crash finds it done.

        onto  an earlier snapshot whose newest dates stay true (appended deliveries): `segments` are then the new ones
        """
        self._check(permit, BuildPermit)
        if permit.dataset != dataset.name:
            raise VaultFault("couldn't build: the permit is for another dataset")
        _check_segments(dataset.name, permit.snapshot, segments)
        with self.inside():
            if isinstance(permit.build, CubeSpec):
                atoms = self._engine.cube(dataset, permit.build, segments)
                self._states.write_cube(dataset.name, permit.snapshot, permit.build.name, cubes.ruled(atoms))
            else:
                self._keep_newest(permit, dataset, permit.build, segments, onto)

    # --- answers out --------------------------------------------------------------------------------

    def run(self, permit: AnswerPermit, dataset: Dataset) -> Answer:
        """Return the exact roll-up of published atoms that a statement asks for.

        No atom, no row. How many finest cells an atom holds is not told: it
        would say how many of them are not empty.
        """
        self._check(permit, AnswerPermit)
        if permit.statement.dataset != dataset.name:
            raise VaultFault("couldn't answer: the permit is for another dataset")
        with self.inside():
            opened = self._opened(permit, dataset)
            rolled_up = opened.cube.answer(permit.statement)
        table = cubes.in_public_order(rolled_up.table, permit.statement.dims)
        return Answer(table, rolled_up.undecided, opened.commitment, opened.rules)

    def evidence(
        self, permit: EvidencePermit, datasets: Mapping[str, Dataset], subject: Subject, at: date
    ) -> dict[str, Value] | None:
        """Return one subject's evidence by name, and for each trace its newest date by dataset.

        None for a subject that the vault does not know, or that is not on the roster where the permit names one, or
        about whom the permit lets nothing be told. It is looked for all the same, so that it takes as long.
        """
        self._check_evidence(permit, datasets, subject.kind)
        if permit.subject != self.subject_digest(subject):
            raise VaultFault("couldn't read evidence: the permit is about another subject")
        with self.inside():
            known = self._subjects.number_of(subject)
            number = UNKNOWN if known is None else known
            found = self._figures(permit, datasets, number, at)
            for trace in permit.traces:
                state = self._trace(permit, datasets[trace.dataset])
                found[trace.dataset] = traces.as_date(int(traces.days_of(state, np.array([number], np.int32))[0]))
            on_roster = permit.roster is None or bool(
                self._on_roster(permit, datasets, np.array([number], np.int32))[0]
            )
            return found if known is not None and on_roster and permit.told else None

    def roster_evidence(
        self,
        permit: EvidencePermit,
        datasets: Mapping[str, Dataset],
        kind: SubjectKind,
        ids: Sequence[str] | pa.Array,
        at: date,
    ) -> RosterEvidence:
        """Return the evidence of a list of subjects of the permit's roster, in their order, by columns.

        Arrays in, arrays out: where the permit names traces alone, no row is read.
        """
        self._check_evidence(permit, datasets, kind)
        if permit.roster is None or permit.subject is not None or not permit.told:
            raise VaultFault("couldn't read evidence: the permit is not for a roster")
        with self.inside():
            numbers = self._subjects.numbers(kind, ids)
            answerable = self._on_roster(permit, datasets, numbers)
            numbers[~answerable] = UNKNOWN
            states = {trace.dataset: self._trace(permit, datasets[trace.dataset]) for trace in permit.traces}
            days = {name: traces.days_of(state, numbers) for name, state in states.items()}
            if not permit.evidence:
                return RosterEvidence(answerable, days)
            asked = zip(numbers.tolist(), answerable.tolist(), strict=True)
            figures = [self._figures(permit, datasets, one, at) if answered else {} for one, answered in asked]
            return RosterEvidence(answerable, days, figures)

    # --- sealed things ------------------------------------------------------------------------------

    def seal(self, what: Sealed, plaintext: bytes, aad: bytes) -> bytes:
        """Seal bytes (a memo, bad rows) with the key for such things, and no other key of the vault's."""
        return crypt.seal(self._keyring.key(Sealed(what)), plaintext, aad)

    def open(self, what: Sealed, sealed: bytes, aad: bytes) -> bytes:
        """Open what `seal` sealed as the same thing in the same place."""
        return crypt.open_sealed(self._keyring.key(Sealed(what)), sealed, aad, f"sealed {what}")

    def commitment(self, message: bytes) -> str:
        """Return what commits to an exact, unprotected result without telling it, for the auditor."""
        return self._keyed("auditor-commitments", message)

    def question_digest(self, message: bytes) -> str:
        """Return a keyed digest of a question: all else being known from the log, its subject could be guessed."""
        return self._keyed("questions", message)

    def subject_digest(self, subject: Subject) -> str:
        """Return what a permit calls a subject: keyed as a question is, so that a traceback tells no identifier."""
        return self._keyed("questions", canonical(["subject", subject.kind.value, subject.identifier]))

    def _keyed(self, purpose: str, message: bytes) -> str:
        return "hmac-sha256:" + self._keyring.hmac(purpose, message).hex()

    # --- order in the house -------------------------------------------------------------------------

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Hold while something is read, or put away that is not published yet: nothing is swept meanwhile.

        Every call of the vault holds it for itself; a caller that loads and then publishes holds it around both.
        """
        with self._lock(fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self, *, wait: bool) -> Iterator[Alone | None]:
        """Hold the vault alone and hand out the ways to remove something.

        wait  until nobody is inside, in whatever process; else None is handed out when somebody is

        What the catalogue knows is to be asked inside: nobody publishes meanwhile. Whatever is in writing or in use by
        somebody alive is never seen here, so that all that looks unfinished is what a crash left.
        """
        with self._lock(fcntl.LOCK_EX, wait=wait) as held:
            yield Alone(self._sweep, self._lying, self._drop) if held else None

    def _lying(self, dataset: str) -> set[str]:
        lying = [*map(brought_by, self._engine.names()), *self._states.snapshots()]
        return {snapshot for name, snapshot in lying if name == dataset}

    def _drop(self, dataset: str, snapshot: str, staying: Mapping[str, Sequence[str]]) -> list[str]:
        """Forget a snapshot whole, or not at all: none goes of which one that stays is made, or on which it stands."""
        used = {brought_by(segment)[1] for segments in staying.values() for segment in segments}
        for other in staying:
            used |= {other} | self._states.stands_on(dataset, other)
        if snapshot in used:
            raise VaultFault(f"couldn't drop {snapshot}: a snapshot that stays is made of it")
        gone = [f"segments/{name}" for name in self._engine.drop(dataset, snapshot)]
        if (dataset, snapshot) in self._states.snapshots():
            self._states.remove(dataset, snapshot)
            gone.append(f"states/{dataset}/{snapshot}")
        return gone

    def _sweep(self, known: set[str]) -> list[str]:
        lost = dict.fromkeys(brought_by(name) for name in self._engine.names() if name not in known)
        gone = [f"segments/{name}" for place in lost for name in self._engine.drop(*place, known)]
        for dataset, snapshot in self._states.snapshots():
            if snapshot not in known:
                self._states.remove(dataset, snapshot)
                gone.append(f"states/{dataset}/{snapshot}")
        # Whatever lies there, also what is no file, or no folder, of ours.
        for left in sorted({*self._folder.rglob(f"*{durable.PART}*"), *self._scratch.glob("*")}):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink(missing_ok=True)
            gone.append(str(left.relative_to(self._folder)))
        return gone

    @contextmanager
    def _lock(self, mode: int, *, wait: bool = True) -> Iterator[bool]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield _locked(descriptor, mode if wait else mode | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)

    def _keep_newest(
        self, permit: BuildPermit, dataset: Dataset, item: str, segments: Sequence[str], onto: str | None
    ) -> None:
        blocks = iter(self._engine.dates(dataset, segments, SubjectKind.PERSON, item))
        if onto is None:
            state = traces.merged(np.empty(0, np.uint16), blocks)
            self._states.write_newest(dataset.name, permit.snapshot, item, state)
            return
        newer = self._states.newer(dataset.name, onto, item)
        changes, room = newer.changes, self._states.room(dataset.name, newer, item)
        for block in blocks:
            changes = changes.joined(*block)
            if len(changes) > room:
                # Too many to stand beside the whole. What is among them already may be merged twice.
                whole = self._states.newest(dataset.name, onto, item)
                state = traces.merged(whole, chain([(changes.numbers, changes.days)], blocks))
                self._states.write_newest(dataset.name, permit.snapshot, item, state)
                return
        self._states.write_newest(dataset.name, permit.snapshot, item, Newer(newer.onto, changes))

    def _opened(self, permit: AnswerPermit, dataset: Dataset) -> "_Opened":
        """Return the cube of the permit's snapshot. Snapshots never change: an open one stays true."""
        wanted = cubes.cube_schema(dataset, permit.cube)

        def read() -> _Opened:
            atoms = self._states.cube(dataset.name, permit.snapshot, permit.cube.name)
            if atoms.schema != wanted:
                raise VaultFault("couldn't answer: the cube was built under another contract version")
            made_of = canonical([dataset.name, permit.snapshot, permit.cube.name, cubes.exact_of(atoms)])
            cube = self._engine.opened(dataset, permit.cube, atoms)
            return _Opened(cube, self.commitment(made_of), cubes.rules_of(atoms))

        return _remember(self._cubes, (dataset.name, dataset.digest, permit.snapshot, permit.cube), read)

    def _trace(self, permit: EvidencePermit, dataset: Dataset) -> State:
        if dataset.latest is None:
            raise VaultFault(f"couldn't read traces: {dataset.name} keeps no newest date")
        place = (dataset.name, permit.snapshots[dataset.name], dataset.latest)
        return _remember(self._newest, place, lambda: self._states.newest(*place))

    def _roster_of(self, permit: EvidencePermit, datasets: Mapping[str, Dataset]) -> Flags:
        """Say of each subject number whether it is on the roster; it ends with the last that is."""
        if permit.roster is None:
            raise VaultFault("couldn't read a roster: the permit names none")
        name, kind, where = permit.roster, permit.subject_kind, permit.roster_where
        place = (name, permit.snapshots[name], kind, where)

        def read() -> Flags:
            numbers = self._engine.roster(datasets[name], self._segments_of(permit, name), kind, where)
            roster = np.zeros(int(numbers.max(initial=UNKNOWN)) + 1, np.bool_)
            roster[numbers] = True
            return roster

        return _remember(self._rosters, place, read)

    def _on_roster(self, permit: EvidencePermit, datasets: Mapping[str, Dataset], numbers: Numbers) -> Flags:
        """Say which subjects may be asked about: known ones, on the roster where there is one."""
        known: Flags = numbers != UNKNOWN
        if permit.roster is None:
            return known
        roster = self._roster_of(permit, datasets)
        if not len(roster):
            return np.zeros(len(numbers), np.bool_)
        hit: Flags = known & (numbers < len(roster))
        hit &= np.take(roster, numbers, mode="clip")
        return hit

    def _figures(
        self, permit: EvidencePermit, datasets: Mapping[str, Dataset], number: int, at: date
    ) -> dict[str, Value]:
        grouped = _by_dataset(permit.evidence)
        if not grouped:
            return {}
        reads = []
        for name, asked in grouped.items():
            items = tuple(dict.fromkeys(item for one in asked for item in evidence.items_read(one)))
            reads.append(Read(datasets[name], tuple(self._segments_of(permit, name)), items))
        found: dict[str, Value] = {}
        rows_of_each = self._engine.rows_of(reads, permit.subject_kind, number)
        for asked, rows in zip(grouped.values(), rows_of_each, strict=True):
            found |= {one.name: evidence.figure(one, rows, at) for one in asked}
        return found

    def _segments_of(self, permit: EvidencePermit, dataset: str) -> Sequence[str]:
        """Return the segments of the very snapshot that the permit names."""
        segments = self._published(dataset, permit.snapshots[dataset])
        _check_segments(dataset, permit.snapshots[dataset], segments)
        return segments

    # --- checks -------------------------------------------------------------------------------------

    def _check(self, permit: Permit, wanted: type[Permit]) -> None:
        # Looked at again: a permit can be put together or changed without its constructor.
        if type(permit) is not wanted or not is_made_here(permit):
            raise VaultFault("couldn't run: only permits that policy made are run here")
        if permit.expires <= self._clock():
            raise VaultFault("couldn't run: the permit has expired")

    def _check_load(self, permit: LoadPermit, dataset: Dataset) -> None:
        self._check(permit, LoadPermit)
        if (permit.dataset, permit.contract_digest) != (dataset.name, dataset.digest):
            raise VaultFault("couldn't load: the permit is for another dataset or contract version")

    def _check_evidence(self, permit: EvidencePermit, datasets: Mapping[str, Dataset], kind: SubjectKind) -> None:
        self._check(permit, EvidencePermit)
        if kind is not permit.subject_kind:
            raise VaultFault("couldn't read evidence: the permit is for another kind of subject")
        read = {one.dataset for one in permit.evidence} | {trace.dataset for trace in permit.traces}
        for name in sorted(read | ({permit.roster} if permit.roster is not None else set())):
            if name not in permit.snapshots or name not in datasets or datasets[name].name != name:
                raise VaultFault(f"couldn't read evidence: the permit names no snapshot of {name}")
            key_item(datasets[name], permit.subject_kind)


def engine_of(name: str, folder: Path, keyring: Keyring, limits: Limits = DEFAULT_LIMITS) -> Engine:
    """Return the engine of that name over the segments of a vault; each reads what the other wrote."""
    store = SegmentStore(folder / "segments", folder / "scratch", keyring, limits)
    return SparkEngine(store) if name == "spark" else DuckDbEngine(store)


@dataclass(frozen=True)
class _Opened:
    """A published cube that is kept open, with what every answer from it says."""

    cube: OpenCube
    commitment: str
    rules: cubes.Rules


def _locked(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode)
    except BlockingIOError:
        return False
    return True


def published_segments(dataset: str, snapshot: str) -> tuple[str, ...]:
    """Return the segments of a snapshot from the catalogue; a snapshot that it does not know has none."""
    # Late: the catalogue's rows want Django's settings, and a vault is also opened without platform state.
    from zhanqiao.catalogue import shelf

    current = shelf.snapshot_of(dataset)
    known = (current,) if current is not None and current.id == snapshot else shelf.snapshots()
    return next((one.segments for one in known if (one.dataset, one.id) == (dataset, snapshot)), ())


def _check_segments(dataset: str, snapshot: str, segments: Sequence[str]) -> None:
    """A snapshot consists of segments of its dataset, its own among them (appended ones stand on older segments)."""
    own = f"{dataset}/{snapshot}-"
    if not any(name.startswith(own) for name in segments) or not all(n.startswith(f"{dataset}/") for n in segments):
        raise VaultFault(f"couldn't read {dataset}: the segments are not those of the permit's snapshot")


def _remember(kept: dict[_Key, _Kept], place: _Key, read: Callable[[], _Kept]) -> _Kept:
    """Return what is kept open, reading it first if need be; the longest unused goes."""
    value = kept.pop(place) if place in kept else read()
    kept[place] = value
    if len(kept) > _KEPT:
        kept.pop(next(iter(kept)))
    return value


def _by_dataset(asked: Iterable[Evidence]) -> dict[str, list[Evidence]]:
    grouped: dict[str, list[Evidence]] = {}
    for one in asked:
        grouped.setdefault(one.dataset, []).append(one)
    return grouped
