# SPDX-License-Identifier: Apache-2.0
"""A Python interpreter that has already imported the product, and forks for each program that a test starts.

Most of what a command costs is imports, and tests start some thousand. `python(...)` takes what an interpreter takes and
returns the argument list of a client that behaves as the program does: its own arguments, folder, umask, environment and
descriptors, its own process, which dies as it dies (but without the client's limits, session and group). What a test must see from the very first instruction (a signal to
the process at any moment, a poor encoding, a trace of system calls, the console script itself) is started `cold`.
"""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

_OWN = os.getpid()
_HERE = Path(__file__).parent
# Where a shell finds a `zhanqiao` that is started warm, if `variables` are in its environment.
BIN = _HERE / "bin"


def python(*arguments: str) -> list[str]:
    """Return what to start for `python *arguments`: `-c TEXT ...` or `FILE ...`."""
    return [sys.executable, "-I", "-S", str(_HERE / "client.py"), place(), *arguments]


def variables() -> dict[str, str]:
    """Return what the `zhanqiao` in `BIN` has to be told."""
    return {"ZHANQIAO_TESTS_PYTHON": sys.executable, "ZHANQIAO_TESTS_WARM": place()}


def cold(*arguments: str) -> list[str]:
    """Return what to start for the same by a new interpreter."""
    return [sys.executable, *arguments]


@cache
def place() -> str:
    """Start the server, once for each test process, and return its socket. It ends when we do, however that is."""
    socket = str(Path(tempfile.mkdtemp(prefix="warm-")) / "socket")
    server = subprocess.Popen(
        [sys.executable, str(_HERE / "server.py"), socket],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # no terminal
    )
    assert server.stdin is not None
    assert server.stdout is not None
    atexit.register(_end, server)
    assert server.stdout.readline() == b"warm\n"
    return socket


def _end(server: "subprocess.Popen[bytes]") -> None:
    assert server.stdin is not None
    if os.getpid() != _OWN:  # a fork of ours
        return
    server.stdin.close()
    server.wait()
    shutil.rmtree(Path(place()).parent, ignore_errors=True)
