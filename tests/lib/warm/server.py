# SPDX-License-Identifier: Apache-2.0
"""Imports the product once, and forks for each client: see `lib.warm`.

python server.py SOCKET         ends when its standard input does
"""

import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path

# Descriptors: that a client gives at most, and above all that are open.
_MOST, _ABOVE = 16, 1_000


def _import_all() -> None:
    from zhanqiao.desk import cli, state

    state.prepare()
    for found in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"{cli.__name__}.{found.name}")
    for late in ("zhanqiao.desk.deployment", "zhanqiao.desk.audit", "zhanqiao.vault.vault", "zhanqiao.ledger.book"):
        importlib.import_module(late)


def serve(place: str) -> None:
    """Fork for each client. Returns in the process that is to run a program, when all is set up for it."""
    _import_all()
    gc.freeze()
    assert threading.active_count() == 1, "whoever forks has one thread"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(place)
    listener.listen(16)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a keeper ended
    print("warm", flush=True)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if _keep(client):
                return
        client.close()


def _keep(client: socket.socket) -> bool:
    """Run a program in a process of its own and tell its client how it ended; True in that process."""
    head, given, _, _ = socket.recv_fds(client, 64, _MOST)
    numbers, length = head[1 : 1 + head[0]], int.from_bytes(head[1 + head[0] :], "big")
    with client.makefile("rb") as said:
        told = os.fsdecode(said.read(length)).split("\0")
    program = os.fork()
    if program == 0:
        client.close()
        _become(told, dict(zip(numbers, given, strict=True)))
        return True
    for descriptor in given:
        os.close(descriptor)
    client.sendall(b"%d\n" % program)
    watched = os.pidfd_open(program)
    # Whoever gives up waiting takes the program along.
    ready, _, _ = select.select([watched, client], [], [])
    if watched not in ready:
        os.kill(program, signal.SIGKILL)
    _, how = os.waitpid(program, 0)
    with contextlib.suppress(OSError):
        client.sendall(b"%d\n" % os.waitstatus_to_exitcode(how))
    os._exit(0)


def _become(told: list[str], given: dict[int, int]) -> None:
    """Take on folder, arguments, environment and descriptors."""
    folder, umask, count, *rest = told
    os.umask(int(umask))
    sys.argv = rest[: int(count)]
    os.environ.clear()
    os.environ.update(pair.partition("=")[::2] for pair in rest[int(count) :])
    os.chdir(folder)
    # Out of the way of the numbers that they get.
    kept = {number: fcntl.fcntl(descriptor, fcntl.F_DUPFD, _ABOVE) for number, descriptor in given.items()}
    os.closerange(0, _ABOVE)
    for number, descriptor in kept.items():
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = _text(0, "r", "surrogateescape")
    sys.stdout = _text(1, "w", "surrogateescape")
    sys.stderr = _text(2, "w", "backslashreplace")
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    for path in reversed([path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]):
        sys.path.insert(0, path)
        # As a new interpreter does before the program.
        if (first := Path(path) / "sitecustomize.py").is_file():
            exec(compile(first.read_bytes(), first, "exec"), {"__name__": "sitecustomize", "__file__": str(first)})


def _text(number: int, mode: str, errors: str) -> io.TextIOWrapper | None:
    try:
        terminal = os.isatty(number)
        return open(number, mode, encoding="utf-8", errors=errors, buffering=1 if terminal else -1, closefd=False)
    except OSError:
        return None


def _run() -> None:
    """Run the program that stands in the arguments, as `python` does."""
    first, *rest = sys.argv
    if first == "-c":
        text, *rest = rest
        sys.argv = ["-c", *rest]
        exec(compile(text, "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = [first, *rest]
        sys.path.insert(0, str(Path(first).parent))
        runpy.run_path(first, run_name="__main__")


def _status() -> int:
    """Run the program; return the status with which an interpreter ends after it."""
    try:
        _run()
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return leaving.code or 0
        print(leaving.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001  an interpreter shows all of them
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
    status = _status()
    # As an interpreter ends, but for the threads of libraries: a fork has not got them, and who joins them dies of it.
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(status)
