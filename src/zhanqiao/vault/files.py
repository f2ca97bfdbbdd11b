# SPDX-License-Identifier: Apache-2.0
"""Write a file so that a crash leaves either all of it or none of it, and lock out a second writer.

The order is the promise: write under a temporary name, fsync, rename, fsync the folder. What a crash leaves behind
carries the temporary suffix and is nobody's: readers never look at it, `Vault.sweep` removes it.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zhanqiao.vault.faults import VaultFault

PART = ".part"
_NAME = re.compile(r"[\w:@+-][\w.:@+-]*", re.ASCII)


def checked_name(name: str) -> str:
    """Return `name` if it can stand as one file name and nothing else (no path, no hidden file)."""
    if not _NAME.fullmatch(name) or name.endswith(PART):
        raise VaultFault("couldn't use a name in the vault: it is no plain file name")
    return name


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(path.name + PART)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def publish_file(part: Path, path: Path) -> None:
    """Give a finished file, written by somebody else under a temporary name, its place."""
    part.chmod(0o600)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def only_writer(lock: Path) -> Iterator[None]:
    """Hold the lock file while inside; a second writer, in whatever process, waits. A crash frees it."""
    lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
