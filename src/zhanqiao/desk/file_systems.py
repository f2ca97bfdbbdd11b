# SPDX-License-Identifier: Apache-2.0
"""Where a path lies: in a deployment or beside it, and on which kind of file system, as the kernel says."""

import os
from pathlib import Path

# Where nothing outlives the machine.
FLEETING = frozenset({"tmpfs", "ramfs"})
_MOUNTS = Path("/proc/self/mountinfo")


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
