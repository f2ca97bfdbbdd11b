# SPDX-License-Identifier: Apache-2.0
"""Private memory: what a process holds (keys, shares, rows) stays in it, and reaches neither a core nor a neighbour."""

import ctypes
import resource

# <linux/prctl.h>
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38


def keep_memory_private() -> None:
    """Leave no core, to a file or to a program, and let nobody else of this process's user look into it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _control(_PR_SET_DUMPABLE, 0)


def gain_no_rights() -> None:
    """Whatever this process starts has no more rights than it has itself."""
    _control(_PR_SET_NO_NEW_PRIVS, 1)


def _control(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "couldn't close the process off")
