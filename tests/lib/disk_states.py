# SPDX-License-Identifier: Apache-2.0
"""What a disk may hold after a power cut: every state that a recorded run allows, as the rules of a file system have it.

    disk = Disk(traced.before)
    for operation in traced.operations:
        disk.take(operation)
        for state in disk.states(dice, some=50):
            state.digest, state.files()

The rules are those of POSIX and no kinder; file systems in use keep more.

    data     a write lasts once its file was synced. Until then it is kept, lost, cut at 512 bytes, or has given the file
             its length and holds zeros; each write for itself, in any order
    names    a new, changed or removed name lasts once its folder was synced. Until then a folder's changes are lost from
             some point on: in the order of the whole disk, and, in a sample, each folder for itself
    both     are independent: a name may stand where the data behind it was lost, and the reverse

Writes that no sync followed are few at a time, so that the plain ones (a tail lost, one write lost, one write torn) are
all taken; subsets and products of both kinds are a sample by `dice`.
"""

import hashlib
import os
import random
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lib.disk_trace import LEFT_OUT, Create, Link, Mkdir, Operation, Rename, Rmdir, Said, Sync, Truncate, Unlink, Write

SECTOR = 512
_CHUNK = 1 << 16
_FOLDER = -1

# What became of an unsynced write: how many of its bytes came, and whether the file has its whole length all the same.
Fate = tuple[int, bool]
_LOST: Fate = (-1, False)
_KEPT: Fate = (1 << 62, False)


@dataclass
class _File:
    """The data of one file: what lasts, and what was written since."""

    mode: int
    durable: "Content"
    pending: list[tuple[int, Write | Truncate]] = field(default_factory=list)


class Content:
    """Bytes with their digest, by chunks, so that a changed copy of a long file is cheap to tell apart."""

    def __init__(self, data: bytes, digests: list[bytes] | None = None) -> None:
        self.data = data
        self._digests = digests

    @property
    def digests(self) -> list[bytes]:
        if self._digests is None:
            self._digests = [_digest(self.data[at : at + _CHUNK]) for at in range(0, len(self.data), _CHUNK)]
        return self._digests

    def changed(self, changes: Iterable[tuple[Write | Truncate, Fate]]) -> "Content":
        """Return what these changes, each with its fate, make of it."""
        data, touched = bytearray(self.data), set[int]()
        for change, (came, lengthened) in changes:
            if came < 0:
                continue
            before = len(data)
            if isinstance(change, Truncate):
                if change.size < before:
                    del data[change.size :]
                else:
                    data.extend(bytes(change.size - before))
            else:
                part = change.data[:came]
                end = change.offset + (len(change.data) if lengthened else len(part))
                if end > before:
                    data.extend(bytes(end - before))
                data[change.offset : change.offset + len(part)] = part
                touched.update(range(change.offset // _CHUNK, (max(end, 1) - 1) // _CHUNK + 1))
            if len(data) != before:
                touched.update(range(min(before, len(data)) // _CHUNK, max(before, len(data)) // _CHUNK + 1))
        whole = bytes(data)
        chunks = range(-(-len(whole) // _CHUNK))
        known = self.digests
        digests = [
            known[at] if at < len(known) and at not in touched else _digest(whole[at * _CHUNK : (at + 1) * _CHUNK])
            for at in chunks
        ]
        return Content(whole, digests)


@dataclass(frozen=True)
class Placed:
    """A file in a state: as it was before the run where `content` is None, or with this content."""

    mode: int
    content: Content | None


@dataclass(frozen=True)
class State:
    """One legal disk. `files` are by path; `folders` hold them. `kept` says in words how it came to be."""

    files: dict[str, Placed]
    folders: frozenset[str]
    kept: str

    @cached_property
    def digest(self) -> bytes:
        """Two states of one digest are the same disk."""
        told = hashlib.blake2b(digest_size=16)
        for path in sorted(self.files):
            placed = self.files[path]
            told.update(f"\n{path}\0".encode())
            if placed.content is not None:
                told.update(f"{len(placed.content.data)}\0".encode() + b"".join(placed.content.digests))
        told.update("\n".join(["", *sorted(self.folders)]).encode())
        return told.digest()


@dataclass
class _Change:
    """A change of names, and the folders that have to be synced before it lasts."""

    operation: Create | Link | Rename | Unlink | Mkdir | Rmdir
    file: int
    number: int
    waits: set[str]


Names = dict[str, int]


class Disk:
    """Follows a run, and gives the states that a power cut may leave at this point of it."""

    def __init__(self, before: Path) -> None:
        self._before = before
        self._files: list[_File] = []
        self._names: Names = {}
        self._number = 0
        for path in sorted(before.rglob("*")):
            self._names[str(path.relative_to(before))] = _FOLDER if path.is_dir() else self._known(path)
        # What is there whatever was lost; then what may be lost, in its order.
        self._durable: Names = dict(self._names)
        self._changes: list[_Change] = []
        self._untouched = {number: file.durable for number, file in enumerate(self._files)}

    def take(self, operation: Operation) -> None:
        """Go on by one operation."""
        number, self._number = self._number, self._number + 1
        match operation:
            case Write(path=path) | Truncate(path=path):
                self._files[self._names[path]].pending.append((number, operation))
            case Sync(path=path, begun=begun):
                self._sync(path, begun)
            case Create(path=path, mode=mode):
                self._files.append(_File(mode, Content(b"")))
                self._change(operation, len(self._files) - 1, number, {_parent(path)})
            case Link(path=path, to=to) | Rename(path=path, to=to):
                waits = {_parent(to)} | ({_parent(path)} if isinstance(operation, Rename) else set())
                self._change(operation, self._names[path], number, waits)
            case Unlink(path=path) | Mkdir(path=path) | Rmdir(path=path):
                self._change(operation, _FOLDER, number, {_parent(path)})
            case Said():
                pass

    def states(self, dice: random.Random, *, some: int) -> Iterator[State]:
        """Yield the states of a power cut now: all plain ones, and `some` of those that mix them."""
        waiting = [change for change in self._changes if change.waits]
        fates = list(self._plain_fates(dice))
        for fate in fates:
            yield self._state(waiting, fate, "all names")
        for upto in range(len(waiting)) if len(waiting) <= some else sorted(dice.sample(range(len(waiting)), some)):
            # The two that matter most: the data came, or nothing of it did.
            for fate in fates[:2]:
                yield self._state(waiting[:upto], fate, f"names up to {upto} of {len(waiting)}")
        writes = self._writes()
        for _ in range(some if writes or len(waiting) > 1 else 0):
            yield self._state(_some_names(waiting, dice), _some_fates(writes, dice), "some names")

    def kept(self) -> State:
        """Return the disk on which everything came that was written: what a run leaves where no power is cut."""
        return self._state(self._changes, {number: _KEPT for number, _, _ in self._writes()}, "everything")

    # --- data -------------------------------------------------------------------------------------

    def _writes(self) -> list[tuple[int, int, Write | Truncate]]:
        """Return what may be lost: number, file and change, in their order."""
        pending = ((number, file, change) for file, one in enumerate(self._files) for number, change in one.pending)
        return sorted(pending, key=lambda entry: entry[0])

    def _plain_fates(self, dice: random.Random) -> Iterator[dict[int, Fate]]:
        """Yield fates by the number of the write: all kept, all lost, a tail lost, one torn at its end, one alone."""
        writes = self._writes()
        yield {number: _KEPT for number, _, _ in writes}
        if not writes:
            return
        yield {number: _LOST for number, _, _ in writes}
        for place, (number, _, change) in enumerate(writes):
            before = {other: _KEPT for other, _, _ in writes[:place]}
            after = {other: _LOST for other, _, _ in writes[place + 1 :]}
            if place:
                yield before | {number: _LOST} | after
            if isinstance(change, Write):
                for came in _cuts(change, dice):
                    yield before | {number: (came, False)} | after
                    yield before | {number: (came, True)} | after
            if len(writes) > 1:
                yield {other: _LOST if other == number else _KEPT for other, _, _ in writes}
                yield {other: _KEPT if other == number else _LOST for other, _, _ in writes}

    # --- names ------------------------------------------------------------------------------------

    def _change(
        self, operation: Create | Link | Rename | Unlink | Mkdir | Rmdir, file: int, number: int, waits: set[str]
    ) -> None:
        change = _Change(operation, file, number, waits)
        _apply(self._names, change)
        self._changes.append(change)

    def _sync(self, path: str, begun: int) -> None:
        file = self._names.get(path, _FOLDER) if path else _FOLDER
        if file != _FOLDER:
            one = self._files[file]
            one.durable = one.durable.changed((change, _KEPT) for number, change in one.pending if number < begun)
            one.pending = [entry for entry in one.pending if entry[0] >= begun]
            return
        for change in self._changes:
            if change.number < begun:
                change.waits.discard(path)
        while self._changes and not self._changes[0].waits:
            _apply(self._durable, self._changes.pop(0))

    # --- states -----------------------------------------------------------------------------------

    def _state(self, kept: Iterable[_Change], fates: dict[int, Fate], words: str) -> State:
        chosen = {id(change) for change in kept}
        names = dict(self._durable)
        for change in self._changes:
            if not change.waits or id(change) in chosen:
                _apply(names, change)
        contents: dict[int, Placed] = {}
        files, folders = {}, set()
        for path, file in names.items():
            if file == _FOLDER:
                folders.add(path)
                continue
            if file not in contents:
                contents[file] = self._placed(file, fates)
            files[path] = contents[file]
        lost = sum(fate != _KEPT for fate in fates.values())
        return State(files, frozenset(folders), f"{words}, {lost} of {len(fates)} writes lost or torn")

    def _placed(self, file: int, fates: dict[int, Fate]) -> Placed:
        one = self._files[file]
        content = one.durable
        changes = [(change, fates[number]) for number, change in one.pending if fates[number][0] >= 0]
        if changes:
            content = content.changed(changes)
        return Placed(one.mode, None if content is self._untouched.get(file) else content)

    def _known(self, path: Path) -> int:
        self._files.append(_File(stat.S_IMODE(path.stat().st_mode), _Lazy(path)))
        return len(self._files) - 1


def check_whole(before: Path, operations: Iterable[Operation], folder: Path) -> None:
    """Expect that everything that was recorded, done again, is the folder as it is: nothing was overlooked."""
    disk = Disk(before)
    for operation in operations:
        disk.take(operation)
    kept = disk.kept()
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.name.endswith(LEFT_OUT)}
    assert set(kept.files) | kept.folders == there
    for path, placed in kept.files.items():
        content = (before / path).read_bytes() if placed.content is None else placed.content.data
        assert content == (folder / path).read_bytes(), path


class _Lazy(Content):
    """A file as it was before the run, read when somebody needs it."""

    def __init__(self, path: Path) -> None:
        super().__init__(b"")
        self._path = path
        del self.data

    def __getattr__(self, name: str) -> bytes:
        if name != "data":
            raise AttributeError(name)
        self.data = self._path.read_bytes()
        return self.data


def _apply(names: Names, change: _Change) -> None:
    """Let a change of names happen, unless what it stands on was lost."""
    operation = change.operation
    target = operation.to if isinstance(operation, Link | Rename) else operation.path
    if (parent := _parent(target)) and names.get(parent) != _FOLDER:
        return
    match operation:
        case Create(path=path):
            names[path] = change.file
        case Mkdir(path=path):
            names[path] = _FOLDER
        case Link(to=to):
            names[to] = change.file
        case Rename(path=path, to=to):
            for name in [name for name in names if name == path or name.startswith(f"{path}/")]:
                names[to + name[len(path) :]] = names.pop(name)
        case Unlink(path=path) | Rmdir(path=path):
            for name in [name for name in names if name == path or name.startswith(f"{path}/")]:
                del names[name]


def _some_names(waiting: list[_Change], dice: random.Random) -> list[_Change]:
    """Return a beginning of the changes; or of those of each folder, for itself."""
    if dice.random() < 0.5:
        return waiting[: dice.randint(0, len(waiting))]
    kept: list[_Change] = []
    for folder in sorted({max(change.waits) for change in waiting}):
        own = [change for change in waiting if max(change.waits) == folder]
        kept += own[: dice.randint(0, len(own))]
    return sorted(kept, key=lambda change: change.number)


def _some_fates(writes: list[tuple[int, int, Write | Truncate]], dice: random.Random) -> dict[int, Fate]:
    """Return a fate for each write: mostly kept, mostly lost or torn everywhere."""
    kept = dice.choice((0.2, 0.5, 0.9))
    fates: dict[int, Fate] = {}
    for number, _, change in writes:
        if dice.random() < kept:
            fates[number] = _KEPT
        elif isinstance(change, Truncate) or dice.random() < 0.7:
            fates[number] = _LOST
        else:
            fates[number] = (dice.choice(_all_cuts(change)), dice.random() < 0.5)
    return fates


def _cuts(write: Write, dice: random.Random) -> list[int]:
    cuts = _all_cuts(write)
    return cuts if len(cuts) <= 3 else [cuts[0], *sorted(dice.sample(cuts[1:], 2))]


def _all_cuts(write: Write) -> list[int]:
    """Return after how many bytes a write may end: at each sector of the disk that begins inside of it."""
    first = -write.offset % SECTOR or SECTOR
    return [0, *range(first, len(write.data), SECTOR)]


def _parent(path: str) -> str:
    return os.path.dirname(path)  # noqa: PTH120  paths are text here, for speed


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
