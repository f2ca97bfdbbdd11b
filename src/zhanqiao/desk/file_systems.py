# SPDX-License-Identifier: Apache-2.0
"""Where a path lies: in a deployment or beside it, and on which kind of file system; and whether it can lie anywhere."""

import errno
import os
from pathlib import Path

from zhanqiao.terms.refusals import Refusal, refuse

# Where nothing outlives the machine.
FLEETING = frozenset({"tmpfs", "ramfs"})
_MOUNTS = Path("/proc/self/mountinfo")
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
    """Refuse a folder in which no deployment can lie: by its name alone, and wherever its links lead."""
    if (refusal := too_long(folder, _LONGEST)) is not None:
        return refusal
    try:
        os.path.realpath(folder).encode()
    except UnicodeEncodeError:
        # The engine takes names of files as text.
        return refuse("path-not-text", path=str(folder))
    return None


def lies_inside(path: Path, folder: Path) -> bool:
    """Whether a path, of which not all has to be there, leads into a folder, by whatever links."""
    # Unlike `resolve` it returns a path of links that lead to themselves, too.
    return Path(os.path.realpath(path)).is_relative_to(folder.resolve())


def file_system_of(path: Path) -> str:
    """Return the kind, by the longest mount point above the path; empty where none is."""
    best, kind = "", ""
    for line in _MOUNTS.read_text().splitlines():
        before, _, behind = line.partition(" - ")
        point = before.split(" ")[4].encode().decode("unicode_escape")
        if path.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, behind.split(" ")[0]
    return kind
