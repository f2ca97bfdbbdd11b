# SPDX-License-Identifier: Apache-2.0
"""Starts parsers: one process for each file, forked from one that imported what they need (`nursery`).

A nursery is started when its first parser is, and ends with this process. One that died is followed by another.
"""

import atexit
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zhanqiao.intake import nursery

_PIPE_BYTES = 1 << 20


@dataclass(frozen=True)
class Process:
    """A running parser: its standard input and output, as descriptors of this side."""

    pid: int
    stdin: int
    stdout: int
    _process: int
    _report: int

    def kill(self) -> None:
        """End it, if it has not ended; never another that got its number."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def status(self, seconds: float) -> int | None:
        """Return how it ended, negative by a signal; None when that is not known in time."""
        if not select.select([self._report], [], [], seconds)[0]:
            return None
        said = os.read(self._report, 16)
        return int(said) if said else None


class _Nursery:
    """One nursery, for one program."""

    def __init__(self, program: Path) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", nursery.__file__, str(program)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a traceback may hold values
                env={},
                cwd="/",
                # Ctrl-C is for this process, which ends them.
                start_new_session=True,
            )

    def fork(self, limits: Sequence[tuple[int, int]], descriptors: list[int]) -> tuple[int, int]:
        """Start a parser; return its number and its descriptor. Raises OSError when the nursery is gone or could not."""
        with self._lock:
            socket.send_fds(self._control, [json.dumps(limits).encode()], descriptors)
            said, found, *_ = socket.recv_fds(self._control, 16, 1)
        if not found:
            raise OSError("couldn't fork a parser")
        return int(said), found[0]

    def end(self) -> None:
        self._control.close()
        self._process.wait()


_nurseries: dict[Path, _Nursery] = {}
_making = threading.Lock()


@contextlib.contextmanager
def started(program: Path, limits: Sequence[tuple[int, int]], file: int | None) -> Iterator[Process]:
    """Start a parser with these limits and this file, and end it with the block. Raises OSError when none can be had."""
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        their_stdin, stdin = _pipe(theirs, ours)
        stdout, their_stdout = _pipe(ours, theirs)
        report, their_report = _pipe(ours, theirs)
        descriptors = [their_stdin, their_stdout, their_report, *([] if file is None else [file])]
        pid, process = _forked(program, limits, descriptors)
        ours.callback(os.close, process)
        theirs.close()
        parser = Process(pid, stdin, stdout, process, report)
        ours.callback(parser.kill)
        yield parser


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    """Make a pipe, each end closed by its side."""
    ends = os.pipe()
    reader.callback(os.close, ends[0])
    writer.callback(os.close, ends[1])
    fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return ends


def _forked(program: Path, limits: Sequence[tuple[int, int]], descriptors: list[int]) -> tuple[int, int]:
    try:
        return _nursery_of(program).fork(limits, descriptors)
    except OSError:
        # It may have died, of want of memory for example; a fresh one says whether that lasts.
        _forget(program)
        return _nursery_of(program).fork(limits, descriptors)


def _nursery_of(program: Path) -> _Nursery:
    with _making:
        if program not in _nurseries:
            _nurseries[program] = _Nursery(program)
        return _nurseries[program]


def _forget(program: Path) -> None:
    with _making:
        if (gone := _nurseries.pop(program, None)) is not None:
            gone.end()


def _end_all() -> None:
    for program in list(_nurseries):
        _forget(program)


# A copy of this process has parsers of its own: two that speak on one socket would get each other's.
os.register_at_fork(after_in_child=_nurseries.clear)
atexit.register(_end_all)
