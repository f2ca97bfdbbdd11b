# SPDX-License-Identifier: Apache-2.0
"""The program that parsers are forked from. It has imported what they need, once, and never sees a file.

Numpy and Arrow take a sixth of a second to import, most deliveries less to read. So they are imported here, and each file
still gets a process of its own, which ends with it: nothing of one file is there when the next is read. What parsers
share is where libraries lie in memory. Like the parser it has no environment, no key and nothing of this house;
`nursery_process` starts it by path.

    argument    the program that each fork runs, which is compiled here and run there
    stdin       a socket: for each parser its limits as JSON, with the descriptors that it gets: standard input, standard
                output, one to report its end on, and the file where it has one (number 3 there)
    answers     its process id, with a descriptor of the process; -1 with none when it could not be forked
"""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
from types import CodeType
from typing import NoReturn

# One thread: the limits of a parser are counted for one, and numpy's linear algebra is not wanted there.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: F401  for those that are forked
import pyarrow as pa  # noqa: F401
import pyarrow.csv as pcsv  # noqa: F401

FILE = 3
_MOST_BYTES, _MOST_DESCRIPTORS = 4_096, 4


def main() -> None:
    """Fork until the house closes its end; then nothing that was forked goes on."""
    with open(sys.argv[1], "rb") as file:  # noqa: PTH123  the fewest imports
        program = compile(file.read(), sys.argv[1], "exec")
    control = socket.socket(fileno=0)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    # A process's descriptor, which is readable when it ended -> where to say how.
    running: dict[int, int] = {}
    while True:
        for ready, _ in poll.poll():
            if ready != control.fileno():
                poll.unregister(ready)
                _report(ready, running.pop(ready))
                continue
            limits, descriptors, *_ = socket.recv_fds(control, _MOST_BYTES, _MOST_DESCRIPTORS)
            if not limits:
                for process in running:
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                return
            forked = _fork(program, control, json.loads(limits), descriptors)
            if forked is not None:
                running[forked] = descriptors[2]
                poll.register(forked, select.POLLIN)


def _fork(program: CodeType, control: socket.socket, limits: list[list[int]], descriptors: list[int]) -> int | None:
    """Fork one parser; return its process descriptor, None when none could be had."""
    stdin, stdout, report, *file = descriptors
    try:
        pid = os.fork()
    except OSError:
        control.send(b"-1")
        os.close(report)
        return None
    if pid == 0:
        _run(program, limits, stdin, stdout, file)
    for descriptor in (stdin, stdout, *file):
        os.close(descriptor)
    process = os.pidfd_open(pid)
    socket.send_fds(control, [str(pid).encode()], [process])
    return process


def _run(program: CodeType, limits: list[list[int]], stdin: int, stdout: int, file: list[int]) -> NoReturn:
    """Become the parser: its descriptors and no other, its limits, which it cannot raise; then its program."""
    status = 1
    try:
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        if file:
            os.dup2(file[0], FILE)
        os.closerange(FILE + len(file), 1 << 20)
        for limit, value in limits:
            resource.setrlimit(limit, (value, value))
        exec(program, {"__name__": "__main__", "__builtins__": __builtins__})  # noqa: S102  the parser's own code
        sys.stdout.flush()
        status = 0
    finally:
        # Not an exception more: what is above belongs to the nursery.
        os._exit(status)


def _report(process: int, report: int) -> None:
    """Say how a parser ended: its status, negative for a signal, as a program's that started it would be told."""
    ended = os.waitid(os.P_PIDFD, process, os.WEXITED)
    assert ended is not None, "it was readable"
    status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
    with contextlib.suppress(BrokenPipeError):  # whoever started it does not want to know
        os.write(report, str(status).encode())
    os.close(report)
    os.close(process)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main()
