# SPDX-License-Identifier: Apache-2.0
"""Files that a crash leaves whole or not at all: the one place that writes what has to last.

The order is the promise: write under a temporary name, fsync, give it its name, fsync the folder. What a crash leaves
behind carries the suffix `.part` and is nobody's: no reader looks at it, and the next writer of that name or a sweep
takes it away. Who writes one holds a lock on it until it has its name, so that a sweep tells the dead from the living.
A failed fsync is never retried: Linux may drop the pages and report success the next time. A full disk has a fault of
its own: nothing is damaged then, and the same step works again when there is room.

    write_whole   what stood there before is replaced; for one writer at a time
    write_new     what stands there stays, and the caller is told; for any number of writers
    new_file      as `write_new`, for content that is too long to be held
    created       under its own name from the start, for a folder that nobody looks into before it is whole
    place         as `write_whole`, but for the folder's own sync: the caller writes many files and syncs once
    sweep_parts   takes away what killed writers left

Files and folders are their owner's alone unless the caller says otherwise.
"""

import errno
import fcntl
import itertools
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PART = ".part"
PRIVATE, PUBLIC = 0o600, 0o644


class DiskFull(OSError):  # noqa: N818  the name says what is so
    """A file could not be written because there is no room, or no room for this user; it is not there."""


@contextmanager
def needing_room() -> Iterator[None]:
    """Write inside; a full disk becomes DiskFull."""
    try:
        yield
    except OSError as cause:
        if cause.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise full() from cause
        raise


def full() -> DiskFull:
    """Return the fault of a full disk, for those whose library has a word of its own for it."""
    return DiskFull(errno.ENOSPC, "couldn't write: the disk is full")


def write_whole(path: Path, content: bytes, *, mode: int = PRIVATE) -> None:
    """Put `content` at `path`, in place of what stood there."""
    make_folder(path.parent)
    place(path, content, mode=mode)
    sync_folder(path.parent)


def write_new(path: Path, content: bytes, *, mode: int = PRIVATE) -> None:
    """Put `content` at `path` unless something stands there: then FileExistsError, and nothing was changed."""
    make_folder(path.parent)
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{PART}")
    try:
        with _written(part, content, mode):
            # A link, unlike a rename, never takes a name away from somebody else's file.
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Write `path` inside, which has its name when the block has ended; as `write_new` when something stands there."""
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    make_folder(path.parent)
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{PART}")
    try:
        with _held(part, PRIVATE) as file:
            yield file
            _make_last(file)
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def place(path: Path, content: bytes, *, mode: int = PRIVATE) -> None:
    """Give `content` its name. The name itself lasts once the folder is synced."""
    part = path.with_name(path.name + PART)
    with _written(part, content, mode):
        part.replace(path)


@contextmanager
def created(path: Path, *, mode: int = PRIVATE) -> Iterator[IO[bytes]]:
    """Write a file that is not there yet; what was written lasts when the block has ended, its name with its folder."""
    with needing_room():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            _make_last(file)


def sweep_parts(folder: Path) -> list[Path]:
    """Remove the parts below a folder that no live writer of this module holds, and return them."""
    return [part for part in sorted(folder.rglob(f"*{PART}")) if take_away(part)]


def is_held(part: Path) -> bool:
    """Whether a live writer of this module holds an unfinished file; OSError where it is gone, or is no file."""
    descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def publish_file(part: Path, path: Path) -> None:
    """Give a finished file, written by somebody else under a temporary name, its place."""
    with needing_room():
        part.chmod(PRIVATE)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(path)
        sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, and make their names last."""
    # Not recursive: a path may have a thousand parts.
    missing = list(itertools.takewhile(lambda path: not path.is_dir(), (folder, *folder.parents)))
    for path in reversed(missing):
        with needing_room():
            try:
                path.mkdir(mode=0o700, exist_ok=True)
            except FileExistsError as cause:  # a file: not what a writer is told who finds its own name taken
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from cause
            sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in `folder` last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def only_writer(lock: Path) -> Iterator[None]:
    """Hold the lock file while inside; a second writer, in whatever process, waits. A crash frees it."""
    make_folder(lock.parent)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _written(part: Path, content: bytes, mode: int) -> Iterator[None]:
    """Write a part, and hold it while inside, where it gets its name."""
    with _held(part, mode) as file:
        file.write(content)
        _make_last(file)
        yield


@contextmanager
def _held(part: Path, mode: int) -> Iterator[IO[bytes]]:
    """Open a part for writing, and hold it while inside."""
    try:
        # Around the closing too: what a full disk did not take is tried once more there.
        with needing_room(), os.fdopen(_open_part(part, mode), "wb") as file:
            yield file
    except DiskFull:
        part.unlink(missing_ok=True)
        raise


def _make_last(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _open_part(part: Path, mode: int) -> int:
    while True:
        # A part that a crash left is taken over; its rights may have been others.
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # a sweep came between the two calls


def take_away(part: Path) -> bool:
    """Remove a part that nobody holds; what is not ours to open, or no file at all, is left alone."""
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        found = os.fstat(descriptor)
        left = stat.S_ISREG(found.st_mode) and found.st_nlink > 0
        if left:
            part.unlink(missing_ok=True)
        return left
    finally:
        os.close(descriptor)
