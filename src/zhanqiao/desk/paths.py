# SPDX-License-Identifier: Apache-2.0
"""Paths: whether one can be there, where it leads, who could put another in its place, what is noted beside its mode."""

import errno
import os
import re
import stat
from collections.abc import Container, Iterator
from pathlib import Path

from zhanqiao.terms.refusals import Refusal, refuse

# Where nothing outlives the machine.
FLEETING = frozenset({"tmpfs", "ramfs"})
_MOUNTS = Path("/proc/self/mountinfo")
# As the kernel writes a blank, a tabulator, a line break and a backslash there.
_ESCAPED = re.compile(rb"\\([0-7]{3})")
_OTHERS_WRITE = 0o022
# Lets in others than the mode says.
ACCESS_LIST = "system.posix_acl_access"
# And to what is made in a folder.
ACCESS_LISTS = frozenset({ACCESS_LIST, "system.posix_acl_default"})
# The longest name of a file in a folder.
_LONGEST = "x" * 255


def too_long(path: Path, inside: str = ".") -> Refusal | None:
    """Refuse a path that no file system takes, or that leaves no room for a name inside of it."""
    try:
        (path / inside).lstat()
    except OSError as cause:
        return refuse("path-too-long", path=str(path)) if cause.errno == errno.ENAMETOOLONG else None
    return None


def no_home(folder: Path) -> Refusal | None:
    """Refuse a folder in which no deployment can lie, by its name and wherever its links lead, or that is closed to us."""
    if (refusal := too_long(folder, _LONGEST)) is not None:
        return refusal
    if _is_closed(folder):
        return refuse("home-closed", home=str(folder))
    try:
        os.path.realpath(folder).encode()
    except UnicodeEncodeError:
        # The engine takes names of files as text.
        return refuse("path-not-text", path=str(folder))
    return None


def _is_closed(folder: Path) -> bool:
    try:
        return folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK)
    except PermissionError:
        return True  # one above it is


def lies_inside(path: Path, folder: Path) -> bool:
    """Whether a path, of which not all has to be there, leads into a folder, by whatever links."""
    # Unlike `resolve` it returns a path of links that lead to themselves, too.
    return Path(os.path.realpath(path)).is_relative_to(folder.resolve())


def held_by_others(path: Path, trusted: Container[int]) -> Iterator[Path]:
    """Yield each folder and link on the way to a path at which a user who is not trusted could put something else.

    Of what is not there yet the way to it is looked at.
    """
    ways = dict.fromkeys(_leading_to(path.absolute(), set()))
    # In a sticky folder only who made a name can give it to something else; one that is not there anybody may make.
    free = {name.parent for name in (path.absolute(), *ways) if not os.path.lexists(name)}
    for name in ways:
        if not os.path.lexists(name):
            continue
        found = name.lstat()
        kept = found.st_mode & stat.S_ISVTX and name not in free
        # A link's own mode says nothing.
        shared = found.st_mode & _OTHERS_WRITE and not kept and not stat.S_ISLNK(found.st_mode)
        if shared or found.st_uid not in trusted:
            yield name


def _leading_to(path: Path, seen: set[Path], *, itself: bool = False) -> Iterator[Path]:
    """Yield every folder and link on the way to a path, links followed one by one; the path only where it is a link."""
    for name in (path, *path.parents):
        if itself or name != path or name.is_symlink():
            yield name
        # A link may lead back to itself.
        if name not in seen and name.is_symlink():
            seen.add(name)
            # Where it leads, and what is above that; of the way's end whoever asks judges the folder itself.
            yield from _leading_to(name.parent / name.readlink(), seen, itself=itself or name != path)


def attributes(path: Path, *, follow_symlinks: bool) -> frozenset[str]:
    """Return the names of the extended attributes that a path carries, access lists among them; raises OSError."""
    try:
        return frozenset(os.listxattr(path, follow_symlinks=follow_symlinks))
    except OSError as cause:
        if cause.errno == errno.ENOTSUP:
            return frozenset()  # this file system has none
        raise


def file_system_of(path: Path) -> str:
    """Return the kind, by the longest mount point above the path; empty where none is."""
    best, kind, lies = b"", b"", path.resolve()
    # Bytes: a mount anywhere on the machine may have a name that is no text.
    for line in _MOUNTS.read_bytes().splitlines():
        before, _, behind = line.partition(b" - ")
        point = _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), before.split(b" ")[4])
        if lies.is_relative_to(os.fsdecode(point)) and len(point) >= len(best):
            best, kind = point, behind.split(b" ")[0]
    return kind.decode("ascii", "replace")
