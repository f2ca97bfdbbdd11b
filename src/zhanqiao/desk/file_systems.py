# SPDX-License-Identifier: Apache-2.0
"""Which kind of file system a path lies on, as the kernel says."""

from pathlib import Path

# Where nothing outlives the machine.
FLEETING = frozenset({"tmpfs", "ramfs"})
_MOUNTS = Path("/proc/self/mountinfo")


def file_system_of(path: Path) -> str:
    """Return the kind, by the longest mount point above the path; empty where none is."""
    best, kind = "", ""
    for line in _MOUNTS.read_text().splitlines():
        before, _, behind = line.partition(" - ")
        point = before.split(" ")[4].encode().decode("unicode_escape")
        if path.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, behind.split(" ")[0]
    return kind
