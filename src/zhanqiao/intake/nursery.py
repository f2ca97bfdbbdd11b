# SPDX-License-Identifier: Apache-2.0
"""The program that parsers are forked from. It has imported what they need, once, and never sees a file.

Numpy and Arrow take a sixth of a second to import, most deliveries less to read. So they are imported here, and each file
still gets a process of its own, which ends with it: nothing of one file is there when the next is read. What parsers
share is where libraries lie in memory. Like the parser it has no environment, no key and nothing of this house;
`nursery_process` starts it by path.

A parser needs no process of its own making, so whatever it forked is killed when it ends: at once what is in its group
still, and what left that soon after, because orphans come to this process. One that leaves and forks faster than it is
found goes on, as does everything when somebody kills this process.

    argument    the program that each fork runs, which is compiled here and run there
    stdin       a socket: for each parser its limits as JSON, with the descriptors that it gets: standard input, standard
                output, one to report its end on, and the file where it has one (number 3 there)
    answers     its process id, with a descriptor of the process; -1 with none when it could not be forked
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from types import CodeType
from typing import NamedTuple, NoReturn

# One thread: the limits of a parser are counted for one, and numpy's linear algebra is not wanted there.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

# All of these for those that are forked; the last is asked for late by Arrow itself.
import csv  # noqa: F401, I001
import dataclasses  # noqa: F401
import numpy as np  # noqa: F401
import pyarrow as pa  # noqa: F401
import pyarrow.csv as pcsv  # noqa: F401
import pyarrow.compute as pc  # noqa: F401

FILE = 3
_MOST_BYTES, _MOST_DESCRIPTORS = 4_096, 4
_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
_STRAYS_SECONDS, _END_SECONDS = 0.01, 2.0


class _WithoutPandas:
    """Keeps pandas out. Where it is installed Arrow imports it, to ask whether what it is given is of it.

    That took a parser half a second; nothing that one is given is.
    """

    def find_spec(self, name: str, path: object, target: object = None) -> None:  # noqa: ARG002  import's own signature
        if name == "pandas":
            raise ModuleNotFoundError("couldn't import pandas: a parser takes none", name=name)


class _Parser(NamedTuple):
    """A parser that runs, and where to say how it ended."""

    pid: int
    report: int


def main() -> None:
    """Fork until the house closes its end, or is gone; then end what was forked."""
    sys.meta_path.insert(0, _WithoutPandas())
    with open(sys.argv[1], "rb") as file:  # noqa: PTH123  the fewest imports
        program = compile(file.read(), sys.argv[1], "exec")
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "couldn't take in what parsers leave")
    # Each by its process's descriptor, which is readable when it ended.
    running: dict[int, _Parser] = {}
    try:
        _serve(program, socket.socket(fileno=0), running)
    finally:
        _end(running)


def _serve(program: CodeType, control: socket.socket, running: dict[int, _Parser]) -> None:
    poll = select.poll()
    poll.register(control, select.POLLIN)
    strays = False
    while True:
        for ready, _ in poll.poll(_STRAYS_SECONDS * 1_000 if strays else None):
            if ready != control.fileno():
                poll.unregister(ready)
                _report(ready, running.pop(ready))
                strays = True
                continue
            limits, descriptors, flags, _ = socket.recv_fds(control, _MOST_BYTES, _MOST_DESCRIPTORS)
            if not limits:
                return
            # Where this process could not have all descriptors, the last is missing: the file, perhaps.
            forked = None if flags & socket.MSG_CTRUNC else _fork(program, json.loads(limits), descriptors)
            if forked is None:
                for descriptor in descriptors:
                    os.close(descriptor)
                control.send(b"-1")
                strays = True  # one that was forked and could not be held
                continue
            process, parser = forked
            running[process] = parser
            poll.register(process, select.POLLIN)
            socket.send_fds(control, [str(parser.pid).encode()], [process])
        strays = strays and _end_strays({one.pid for one in running.values()})


def _fork(program: CodeType, limits: list[list[int]], descriptors: list[int]) -> tuple[int, _Parser] | None:
    """Fork one parser; return its process descriptor and it, None when it could not be had."""
    stdin, stdout, report, *file = descriptors
    try:
        pid = os.fork()
        if pid == 0:
            _run(program, limits, stdin, stdout, file)
        process = os.pidfd_open(pid)
    except OSError:
        return None
    for descriptor in (stdin, stdout, *file):
        os.close(descriptor)
    return process, _Parser(pid, report)


def _run(program: CodeType, limits: list[list[int]], stdin: int, stdout: int, file: list[int]) -> NoReturn:
    """Become the parser: its group, its descriptors and no other, its limits, which it cannot raise; then its program."""
    status = 1
    try:
        os.setsid()
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        if file:
            os.dup2(file[0], FILE)
        os.closerange(FILE + len(file), 1 << 20)
        for limit, value in limits:
            resource.setrlimit(limit, (value, value))
        ended = _status(program)
        sys.stdout.flush()
        status = ended
    finally:
        # Not an exception more: what is above belongs to the nursery.
        os._exit(status)


def _status(program: CodeType) -> int:
    """Run the program; return the status with which an interpreter of its own would end."""
    try:
        exec(program, {"__name__": "__main__", "__builtins__": __builtins__})  # noqa: S102  the parser's own code
    except SystemExit as end:
        return end.code & 0xFF if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _report(process: int, parser: _Parser) -> None:
    """Say how a parser ended: its status, negative for a signal, as a program's that started it would be told."""
    # Until it is waited for, its number and its group's are nobody else's.
    _kill_group(parser.pid)
    ended = os.waitid(os.P_PIDFD, process, os.WEXITED)
    assert ended is not None, "it was readable"
    status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
    with contextlib.suppress(BrokenPipeError):  # whoever started it does not want to know
        os.write(parser.report, str(status).encode())
    os.close(parser.report)
    os.close(process)


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it had not come to make it
        os.killpg(leader, signal.SIGKILL)


def _end_strays(parsers: set[int]) -> bool:
    """Kill every child that is no parser, so one's orphan; return whether there was any, which may have left its own."""
    strays = _children() - parsers
    for pid in strays:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, os.WNOHANG)
    return bool(strays)


def _children() -> set[int]:
    own = os.getpid()
    found: set[int] = set()
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208  a path for each is slow
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
            # Behind its name, which may hold anything: the state and the parent.
            if int(file.read().rpartition(b")")[2].split()[1]) == own:
                found.add(int(name))
    return found


def _end(running: dict[int, _Parser]) -> None:
    for parser in running.values():
        _kill_group(parser.pid)
    until = time.monotonic() + _END_SECONDS
    while _end_strays(set()) and time.monotonic() < until:
        time.sleep(_STRAYS_SECONDS)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main()
