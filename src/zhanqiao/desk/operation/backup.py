# SPDX-License-Identifier: Apache-2.0
"""Backup: one file that holds a deployment as of one moment, without its keys. Work goes on meanwhile.

    (1) the log says that a backup is begun; nothing is swept while we are inside of the vault, so that whatever the state
        names stays
    (2) under the log's lock: tiles and checkpoint, brought up to the rows, and then the state. The state is no older
        than the checkpoint, as after any crash. Settings and public keys with them, while nobody changes these
    (3) everything else. It only grows, so that it is no older than the state; what came later is known to nobody. What
        bears a name that the platform writes under nowhere, or that `restore` takes from no backup (hidden, no text, too
        long), is left out, and named. No link below these folders is followed, and what is neither file nor folder is no
        part of a backup: where one stands under a name that a backup has, none is made, as it would be without what the
        name is for
    (4) what all of it is, signed by the log: nobody without its keys can alter a backup, or make one
    (5) when it was made, for the examination

The backup is written beside its place and gets its name when it lasts; a crash leaves a `.part` file, which the next
backup into that folder takes away: the state lies in it in the clear.
"""

import errno
import fcntl
import os
import re
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.db import DatabaseError

from zhanqiao.desk import seats, state
from zhanqiao.desk.backed_up import note_backup
from zhanqiao.desk.configuration import SETTINGS_FILE
from zhanqiao.desk.operation.archive import (
    FOLDERS,
    SIGNED_TYPE,
    Manifest,
    Packing,
    begins_as_backup,
    may_lie_there,
    packing,
)
from zhanqiao.desk.operation.lying import is_written
from zhanqiao.desk.operation.parts import missing_parts
from zhanqiao.desk.paths import lies_inside, too_long
from zhanqiao.ledger import durable, regular_file
from zhanqiao.ledger.checkpoint import Checkpoint
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal, refuse
from zhanqiao.vault.house import House

# Who acts at the machine itself, by its operating system's rights and without a key of the register.
HOST = "host"
BACKUP_BEGUN = "platform.backup-begun"
_SCRATCH, _LOCKS = "scratch", frozenset({"lock", ".lock"})
# What a killed backup left beside its place: an archive, and of an older version a copy of the state.
_LEFT_ARCHIVE, _LEFT_STATE = re.compile(r".+\.\d+-\d+\.part"), re.compile(r".+\.state\.sqlite3\.part(-journal)?")
# How SQLite's files begin: a state, and the journal of one.
_OF_STATES = (b"SQLite format 3\0", bytes.fromhex("d9d505f920a163d7"))


@dataclass(frozen=True)
class Backup:
    """A backup that was made.

    entries   of the log
    bytes     in `files`
    noted     whether it is in the deployment, for `doctor`
    apart     whether it lies on another disk than the deployment
    left_out  what lies in the deployment under a name that no backup has; of a folder the folder alone
    """

    file: Path
    entries: int
    files: int
    bytes: int
    noted: bool
    apart: bool
    left_out: tuple[str, ...]


def back_up(house: House, file: Path) -> Backup | Refusal:
    """Log that a backup is made, and write it to `file`, which must not be there, nor in the deployment itself."""
    if (refusal := too_long(file)) is not None:
        return refusal
    if lies_inside(file, house.home):
        return refuse("file-inside", file=str(file))
    if file.exists():
        return refuse("file-exists", file=str(file))
    # Made here, it would be a folder on our own disk where the disk for backups is not mounted.
    if not file.parent.is_dir():
        return refuse("file-not-written", file=str(file), cause=os.strerror(errno.ENOENT))
    # From here on no load takes parts away.
    with house.vault.inside():
        # What is not whole cannot be restored: it is told today, and not on the day when it is needed.
        lacking = [Reason("part-missing", {"part": name}) for name in missing_parts(house)]
        if lacking := [*lacking, *(Reason("part-no-file", {"path": name}) for name in _no_files(house.home))]:
            return Refusal(tuple(lacking))
        return _written(house, file)


def _written(house: House, file: Path) -> Backup | Refusal:
    # Logged first, so that the backup goes as far as the checkpoint that it leaves behind.
    with house.book.recording(Event(BACKUP_BEGUN, HOST)):
        pass
    _sweep_left(house.home, file.parent)
    try:
        with durable.new_file(file) as part, packing(part) as archive:
            # The log says who its witnesses are, and so do settings and trust file: all of one moment.
            with seats.settings_lock(house):
                checkpoint = _pack_log_and_state(house, archive)
                with (
                    regular_file.opened(house.home / SETTINGS_FILE) as settings,
                    os.fdopen(os.dup(settings), "rb") as one,
                ):
                    archive.add(SETTINGS_FILE, one)
                _pack(house.home, "public", archive)
            for folder in ("vault", "quarantine"):
                _pack(house.home, folder, archive)
            left_out = tuple(sorted(name for folder in FOLDERS for name in _left_out(house.home / folder, house.home)))
            if unpacked := _no_files(house.home):  # put there meanwhile
                raise _no_file(unpacked[0])
            made = house.clock().isoformat(timespec="seconds")
            manifest = Manifest(checkpoint.origin, checkpoint.size, checkpoint.root.hex(), made, archive.files)
            archive.finish(manifest, lambda digest: house.book.vouch(SIGNED_TYPE, digest))
    except FileExistsError:
        return refuse("file-exists", file=str(file))
    except durable.DiskFull:
        raise
    except OSError as cause:
        return refuse("backup-not-written", file=str(file), cause=cause.strerror or "-")
    total = sum(size for size, _ in manifest.files.values())
    apart = file.stat().st_dev != house.home.stat().st_dev
    return Backup(file, manifest.entries, len(manifest.files), total, note_backup(house.home, made), apart, left_out)


def _pack_log_and_state(house: House, archive: Packing) -> Checkpoint:
    with ExitStack() as held:
        with house.book.still() as checkpoint:
            copy = held.enter_context(_copied_state(house.home))
            for path in _files(house.home / "ledger", house.home):
                _pack_file(_name(path, house.home), house.home, archive)
        # Others write the log again while the copy is packed.
        archive.add(state.FILE, copy)
    return checkpoint


@contextmanager
def _copied_state(home: Path) -> Iterator[IO[bytes]]:
    """Copy the state as of one moment: what others commit meanwhile is in it whole, or not at all.

    The copy lies in the deployment, where nobody else makes names, and loses its own before anything is in it: no other
    backup takes it for its own, and a kill leaves an empty file at the most. It takes as much room there as the state.
    """
    copy = home / f"{state.FILE}.{os.getpid()}-{threading.get_ident()}{durable.PART}"
    with durable.needing_room():
        descriptor = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, durable.PRIVATE)
    with os.fdopen(descriptor, "rb") as file:
        try:
            # As for every unfinished file: somebody writes it.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with closing(sqlite3.connect(copy)) as target, state.reading(home) as source:
                copy.unlink()
                # Beside a file that has no name no journal can lie.
                target.execute("PRAGMA journal_mode = OFF")
                source.backup(target)
        except sqlite3.Error as cause:
            raise DatabaseError(str(cause)) from cause
        finally:
            copy.unlink(missing_ok=True)
        yield file


def _sweep_left(home: Path, folder: Path) -> None:
    """Remove what killed backups of ours left, in the deployment and where backups go, and nobody holds."""
    left = [*home.glob(f"{state.FILE}.*{durable.PART}")]
    for part in folder.glob(f"*{durable.PART}*"):
        with suppress(OSError):
            if _is_left(part) and part.lstat().st_uid == os.geteuid():
                left.append(part)
    for part in left:
        durable.take_away(part)


def _is_left(part: Path) -> bool:
    """Whether a file is what a backup had begun; others write files with such names, too."""
    if not stat.S_ISREG(part.lstat().st_mode):
        return False
    if _LEFT_ARCHIVE.fullmatch(part.name):
        return not part.stat().st_size or begins_as_backup(part)
    return _LEFT_STATE.fullmatch(part.name) is not None and (not part.stat().st_size or _begins_as_state(part))


def _begins_as_state(part: Path) -> bool:
    with regular_file.opened(part) as descriptor:
        return regular_file.read_up_to(descriptor, len(_OF_STATES[0])).startswith(_OF_STATES)


def _pack(home: Path, folder: str, archive: Packing) -> None:
    # Asked again until nothing is new: a subject book that grew has taken the smaller files in.
    while new := [path for path in _files(home / folder, home) if _name(path, home) not in archive.files]:
        for path in new:
            with suppress(FileNotFoundError):
                _pack_file(_name(path, home), home, archive)


def _pack_file(name: str, home: Path, archive: Packing) -> None:
    """Add what was found to be a file; OSError where a link, or no file, has taken its name since."""
    descriptor = os.open(home / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _no_file(name)
        archive.add(name, file)


def _no_file(name: str) -> OSError:
    return regular_file.NotRegular(errno.EINVAL, f"{name} is no file")


def _files(folder: Path, home: Path) -> Iterator[Path]:
    """Return what a restored deployment needs of a folder."""
    return (path for path, mode in _lying(folder, home) if stat.S_ISREG(mode) and _belongs(_name(path, home)))


def _left_out(folder: Path, home: Path) -> Iterator[str]:
    """Return by name what no restored deployment could hold, or none of ours does: it may be a copy of a key."""
    return (name for path, _ in _lying(folder, home) if not _belongs(name := _name(path, home)))


def _belongs(name: str) -> bool:
    return may_lie_there(name) and is_written(name)


def _no_files(home: Path) -> list[str]:
    """Return by name what a backup has a file or a folder of, and here is neither: links, pipes, sockets, devices."""
    found = [name for name in FOLDERS if os.path.lexists(home / name) and not (home / name).is_dir()]
    for folder in FOLDERS:
        named = ((_name(path, home), mode) for path, mode in _lying(home / folder, home))
        found += [name for name, mode in named if not stat.S_ISREG(mode) and _stands_for_a_part(name, home)]
    return found


def _stands_for_a_part(name: str, home: Path) -> bool:
    """Whether a link, a pipe or the like has the place of a file that the platform writes, or of a folder of such."""
    return may_lie_there(name) and (is_written(name) or (home / name).is_dir())


def _lying(folder: Path, home: Path) -> Iterator[tuple[Path, int]]:
    """Yield what lies in a folder, and its mode, but for locks, unfinished files and spill. No link is followed.

    Of a folder with a name that none has, itself.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue  # work goes on
        if path == home / "vault" / _SCRATCH:
            continue
        if stat.S_ISDIR(mode) and may_lie_there(_name(path, home)):
            yield from _lying(path, home)
        elif stat.S_ISDIR(mode) or (durable.PART not in path.name and path.name not in _LOCKS):
            yield path, mode


def _name(path: Path, home: Path) -> str:
    return path.relative_to(home).as_posix()
