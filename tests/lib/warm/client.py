# SPDX-License-Identifier: Apache-2.0
"""Stands for a program that a warm interpreter runs: passes on what it was given, and ends as that ends.

python -I -S client.py SOCKET [-c TEXT | FILE] ARGUMENT ...
"""

import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

# Nobody here gives a program a descriptor beyond: a file with a passphrase is number 3.
DESCRIPTORS = range(10)
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(place: str, arguments: list[str]) -> int:
    # A closed one stays closed there. Asked before the socket takes a number.
    given = [number for number in DESCRIPTORS if _is_open(number)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.connect(place)
        environment = [f"{name}={value}" for name, value in os.environ.items()]
        umask = os.umask(0)
        os.umask(umask)
        parts = [str(Path.cwd()), str(umask), str(len(arguments)), *arguments, *environment]
        told = os.fsencode("\0".join(parts))
        socket.send_fds(server, [bytes([len(given), *given]) + len(told).to_bytes(8, "big")], given)
        server.sendall(told)
        with server.makefile("rb") as said:
            program = int(said.readline())
            for number in FORWARDED:
                signal.signal(number, lambda number, _: _tell(program, number))
            status = int(said.readline())
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    return status


def _tell(program: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(program, number)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
