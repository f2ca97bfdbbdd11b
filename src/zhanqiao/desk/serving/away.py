# SPDX-License-Identifier: Apache-2.0
"""What is told for a vault worker that is away: that it is, and whether it waits for the keys to be opened.

A worker that finds the keys sealed ends, and leaves a mark beside its socket, where the gateway's user may look; one that
starts takes it away. The gateway reads it, as it reads nothing else.
"""

import os
from contextlib import suppress
from pathlib import Path

UP, UP_HELP = "zhanqiao_worker_up", "1 when the vault worker answers."
SEALED, SEALED_HELP = "zhanqiao_keys_sealed", "1 when the keys are sealed: a worker that starts waits for custodians."
_FOR_ALL = 0o644


def mark_of(socket: Path) -> Path:
    """Return where the mark lies."""
    return socket.with_name(f"{socket.name}.sealed")


def is_mark(path: Path) -> bool:
    """Whether what lies there says nothing but that it is there."""
    return path.is_file() and not path.is_symlink() and path.stat().st_size == 0


def leave_mark(socket: Path, *, sealed: bool) -> None:
    """Say beside the socket whether the keys are sealed; where its folder is not there yet, nobody would look."""
    with suppress(OSError):
        if sealed:
            mark_of(socket).touch()
            mark_of(socket).chmod(_FOR_ALL)
        else:
            mark_of(socket).unlink(missing_ok=True)


def figures(socket: Path) -> bytes:
    """Return what Prometheus is told meanwhile, in the names that the worker uses."""
    lines = []
    for name, meaning, value in ((UP, UP_HELP, 0), (SEALED, SEALED_HELP, int(os.path.lexists(mark_of(socket))))):
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", f"{name} {value}"]
    return "\n".join([*lines, ""]).encode()
