# SPDX-License-Identifier: Apache-2.0
"""Backup: one file that holds a deployment as of one moment, without its keys. Work goes on meanwhile.

    (1) the log says that a backup is begun; nothing is swept while we are inside of the vault, so that whatever the state
        names stays
    (2) under the log's lock: tiles and checkpoint, brought up to the rows, and then the state. The state is no older
        than the checkpoint, as after any crash. Settings and public keys with them, while nobody changes these
    (3) everything else. It only grows, so that it is no older than the state; what came later is known to nobody. What
        bears a name that `restore` takes from no backup (hidden, no text, too long) is not the platform's: it is left
        out, and named
    (4) what all of it is, signed by the log: nobody without its keys can alter a backup, or make one
    (5) when it was made, for the examination

The backup is written beside its place and gets its name when it lasts; a crash leaves a `.part` file.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from zhanqiao.desk import seats, state
from zhanqiao.desk.backed_up import note_backup
from zhanqiao.desk.configuration import SETTINGS_FILE
from zhanqiao.desk.operation.archive import FOLDERS, SIGNED_TYPE, Manifest, Packing, may_lie_there, packing
from zhanqiao.desk.operation.parts import missing_parts
from zhanqiao.desk.paths import lies_inside, too_long
from zhanqiao.ledger import durable
from zhanqiao.ledger.checkpoint import Checkpoint
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal, refuse
from zhanqiao.vault.house import House

# Who acts at the machine itself, by its operating system's rights and without a key of the register.
HOST = "host"
BACKUP_BEGUN = "platform.backup-begun"
_SCRATCH, _LOCKS = "scratch", frozenset({"lock", ".lock"})


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
        if missing := missing_parts(house):
            return Refusal(tuple(Reason("part-missing", {"part": name}) for name in missing))
        return _written(house, file)


def _written(house: House, file: Path) -> Backup | Refusal:
    # Logged first, so that the backup goes as far as the checkpoint that it leaves behind.
    with house.book.recording(Event(BACKUP_BEGUN, HOST)):
        pass
    try:
        with durable.new_file(file) as part, packing(part) as archive:
            # The log says who its witnesses are, and so do settings and trust file: all of one moment.
            with seats.settings_lock(house):
                checkpoint = _pack_log_and_state(house, archive, file)
                archive.add(SETTINGS_FILE, house.home / SETTINGS_FILE)
                _pack(house.home, "public", archive)
            for folder in ("vault", "quarantine"):
                _pack(house.home, folder, archive)
            left_out = tuple(sorted(name for folder in FOLDERS for name in _left_out(house.home / folder, house.home)))
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


def _pack_log_and_state(house: House, archive: Packing, file: Path) -> Checkpoint:
    copy = file.with_name(f"{file.name}.{state.FILE}{durable.PART}")
    try:
        with house.book.still() as checkpoint:
            _copy_state(house.home, copy)
            for path in _files(house.home / "ledger", house.home):
                archive.add(_name(path, house.home), path)
        archive.add(state.FILE, copy)
    finally:
        copy.unlink(missing_ok=True)
    return checkpoint


def _copy_state(home: Path, copy: Path) -> None:
    """Copy the state as of one moment: what others commit meanwhile is in it whole, or not at all."""
    copy.unlink(missing_ok=True)
    copy.touch(mode=durable.PRIVATE)
    try:
        with state.reading(home) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.OperationalError as cause:
        if cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            raise durable.full() from None
        raise


def _pack(home: Path, folder: str, archive: Packing) -> None:
    # Asked again until nothing is new: a subject book that grew has taken the smaller files in.
    while new := [path for path in _files(home / folder, home) if _name(path, home) not in archive.files]:
        for path in new:
            try:
                archive.add(_name(path, home), path)
            except FileNotFoundError:
                continue


def _files(folder: Path, home: Path) -> Iterator[Path]:
    """Return what a restored deployment needs of a folder."""
    return (path for path in _lying(folder, home) if may_lie_there(_name(path, home)))


def _left_out(folder: Path, home: Path) -> Iterator[str]:
    """Return by name what no restored deployment could hold."""
    return (name for path in _lying(folder, home) if not may_lie_there(name := _name(path, home)))


def _lying(folder: Path, home: Path) -> Iterator[Path]:
    """Yield the files of a folder but for locks, unfinished files and spill; of one with a name that none has, itself."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            if not may_lie_there(_name(path, home)):
                yield path
            elif path != home / "vault" / _SCRATCH:
                yield from _lying(path, home)
        elif path.is_file() and durable.PART not in path.name and path.name not in _LOCKS:
            yield path


def _name(path: Path, home: Path) -> str:
    return path.relative_to(home).as_posix()
