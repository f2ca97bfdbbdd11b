# SPDX-License-Identifier: Apache-2.0
"""Starts parsers: one process for each file, forked from one that imported what they need (`nursery`).

A nursery is started when its first parser is, and ends with this process. One that died is followed by another; one that
lives and cannot fork keeps the parsers that it has.
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

FORK_SECONDS = 30.0
_PIPE_BYTES = 1 << 20


@dataclass(frozen=True)
class Process:
    """A running parser: its standard input and output, as descriptors of this side."""

    pid: int
    stdin: int
    stdout: int
    _process: int
    _report: int

    def write(self, content: bytes) -> None:
        """Give it this on its standard input. Raises BrokenPipeError when it ended, or listens no more.

        Whatever it forked may hold the pipe open and not read it: we wait for the parser, never for the pipe.
        """
        view = memoryview(content)
        while view:
            if select.select([self._process], [self.stdin], [])[0]:
                raise BrokenPipeError("couldn't feed the parser: it ended")
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(self.stdin, view) :]

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
        """Start a parser; return its number and its descriptor.

        Raises ConnectionError when this nursery is gone, another OSError when it could not.
        """
        with self._lock:
            if self._control.fileno() < 0:
                raise ConnectionAbortedError("couldn't fork a parser: its nursery was ended")
            self._control.settimeout(FORK_SECONDS)
            try:
                socket.send_fds(self._control, [json.dumps(limits).encode()], descriptors)
                said, found, *_ = socket.recv_fds(self._control, 16, 1)
            except TimeoutError as cause:
                # What it still says would be taken for the answer to the next.
                self._process.kill()
                raise ConnectionAbortedError("couldn't fork a parser: its nursery hangs") from cause
        if not said:
            raise ConnectionResetError("couldn't fork a parser: its nursery died")
        if not found:
            raise OSError("couldn't fork a parser")
        return int(said), found[0]

    def end(self) -> None:
        with self._lock:
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
        for descriptor in (stdin, stdout):
            os.set_blocking(descriptor, False)
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
    found = _nursery_of(program)
    try:
        return found.fork(limits, descriptors)
    except ConnectionError:
        # It died, of want of memory for example; a fresh one says whether that lasts.
        _forget(program, found)
        return _nursery_of(program).fork(limits, descriptors)


def _nursery_of(program: Path) -> _Nursery:
    with _making:
        if program not in _nurseries:
            _nurseries[program] = _Nursery(program)
        return _nurseries[program]


def _forget(program: Path, gone: _Nursery) -> None:
    """End this nursery; never the one that another thread has put in its place."""
    with _making:
        if _nurseries.get(program) is not gone:
            return
        del _nurseries[program]
    gone.end()


def _end_all() -> None:
    for program, found in list(_nurseries.items()):
        _forget(program, found)


def _begin_anew() -> None:
    """Have parsers of its own in a copy of this process: two that speak on one socket would get each other's."""
    global _making  # noqa: PLW0603  a thread that is not in the copy may hold the lock
    _making = threading.Lock()
    _nurseries.clear()


os.register_at_fork(after_in_child=_begin_anew)
atexit.register(_end_all)
