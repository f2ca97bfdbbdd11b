# SPDX-License-Identifier: Apache-2.0
"""Rooms: where a Sail server and its client run, for one job. Whoever reaches such a server can run code in it.

A room has a network of its own, which is loopback and nothing else; no file but the interpreter, its packages and the
system's libraries, all of them read-only; no place to write to, not even in memory; no environment, no key, no sight of
other processes, no capability; standard input and output are its only way out, and they lead here. Sail asks nobody who
he is: that nobody else can reach it is all that protects it.

Each of these walls is bubblewrap's, and where bubblewrap does not start there is no room. Started by root, everything
happens under a uid that nobody else has (`spark_drop`). Not built yet: a filter of system calls, Landlock, cgroups.
"""

import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.machinery import PathFinder
from itertools import accumulate
from pathlib import Path

from zhanqiao.vault import spark_drop, spark_room
from zhanqiao.vault.connection import Limits

# Those that the program in the room imports, and what they import.
PACKAGES = ("pysail", "pyspark", "pyarrow", "pandas", "numpy", "grpc", "google.protobuf")
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
# The range that systemd hands out to services that run for a while; of ours each room has another.
_UIDS = range(61_184, 65_520)
PROGRAM = Path(spark_room.__file__)
_INSIDE = "/room.py"
# Why walls do not go up is said in a moment, and in one line.
_TROUBLE_SECONDS, _MOST_TROUBLE = 30, 300
# What libraries reserve and never touch counts, too.
_RESERVED_MB = 4096


def lacking() -> str | None:
    """Name what a room needs and this machine has not; None when it has all."""
    for name in PACKAGES:
        if _place_of(name) is None:
            return name
    return None if shutil.which("bwrap") else "bubblewrap"


def start(limits: Limits, program: Path = PROGRAM) -> "subprocess.Popen[bytes]":
    """Start a room with a server of its own; it speaks by `spark_room`'s frames."""
    return _opened(program, [*_interpreter(_INSIDE), os.pathsep.join(_inside_of_packages()), "", str(_memory(limits))])


def start_at(address: str, limits: Limits) -> "subprocess.Popen[bytes]":
    """Start the client alone, without walls, for a server that runs elsewhere; whoever runs that sees the rows."""
    folders = os.pathsep.join(map(str, _package_folders()))
    return _started([*_interpreter(str(PROGRAM)), folders, address, str(_memory(limits))])


def trouble() -> str:
    """Put the walls up around a program that does nothing; return what stopped them, or nothing.

    Rows and statements never get here, so that what is said may be repeated.
    """
    with _opened(PROGRAM, [*_interpreter("-c"), ""], errors=subprocess.PIPE) as process:
        try:
            said = process.communicate(timeout=_TROUBLE_SECONDS)[1].decode("utf-8", "replace").strip()
        except subprocess.TimeoutExpired:
            process.kill()
            return f"no end within {_TROUBLE_SECONDS} s"
    if not process.returncode:
        return ""
    return said.splitlines()[-1][:_MOST_TROUBLE] if said else f"exit status {process.returncode}"


def _opened(program: Path, inside: list[str], errors: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    """Put the walls up, by another user where root does, and run something inside of them."""
    bound = _bound(program)
    if os.geteuid():
        return _handed_over([], _walls(list(bound.items())), inside, errors)
    uid = str(_UIDS.start + secrets.randbelow(len(_UIDS)))
    reachable = [(f"/tmp/{place}", target) for place, target in enumerate(bound.values())]  # noqa: S108
    first = [*_interpreter(str(Path(spark_drop.__file__))), uid, str(len(bound)), *bound]
    return _handed_over(first, _walls(reachable), inside, errors)


def _handed_over(first: list[str], walls: list[str], inside: list[str], errors: int) -> "subprocess.Popen[bytes]":
    """Hand the walls over by a descriptor: a command line can be read by everybody."""
    descriptor = os.memfd_create("walls")
    try:
        os.write(descriptor, b"".join(f"{one}\0".encode() for one in walls))
        os.lseek(descriptor, 0, os.SEEK_SET)
        command = [*first, str(shutil.which("bwrap")), "--args", str(descriptor), "--", *inside]
        return _started(command, descriptor, errors=errors)
    finally:
        os.close(descriptor)


def _started(command: list[str], *descriptors: int, errors: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,  # of a room, logs of statements: they go nowhere
        env={},
        cwd="/",
        bufsize=0,
        pass_fds=descriptors,
    )


def _walls(bound: list[tuple[str, str]]) -> list[str]:
    walls = [f"--unshare-{one}" for one in ("user", "ipc", "pid", "net", "uts", "cgroup-try")]
    walls += ["--disable-userns", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--clearenv"]
    for source, target in bound:
        walls += ["--ro-bind", source, target]
    for library in _LIBRARIES:
        if Path(library).is_symlink():
            walls += ["--symlink", str(Path(library).readlink()), library]
    # Sail wants to know where it is; it reads the link only.
    walls += ["--symlink", "/usr/share/zoneinfo/UTC", "/etc/localtime"]
    return [*walls, "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--remount-ro", "/"]


def _bound(program: Path) -> dict[str, str]:
    """Return what the room may read: path here -> path there."""
    executable = os.path.realpath(sys._base_executable)  # type: ignore[attr-defined]  # noqa: SLF001
    standard = sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix})
    bound = {one: one for one in _LIBRARIES if Path(one).is_dir() and not Path(one).is_symlink()}
    bound |= {one: one for one in (executable, str(Path(standard).parent)) if not one.startswith("/usr/lib/")}
    bound |= {str(folder): inside for folder, inside in zip(_package_folders(), _inside_of_packages(), strict=True)}
    return bound | {str(program): _INSIDE}


def _interpreter(program: str) -> list[str]:
    return [os.path.realpath(sys._base_executable), "-I", "-S", "-B", program]  # type: ignore[attr-defined]  # noqa: SLF001


def _package_folders() -> list[Path]:
    found: dict[Path, None] = {}
    for name in PACKAGES:
        place = _place_of(name)
        assert place is not None, "asked `lacking` before"
        found[place.parents[name.count(".")]] = None
    return list(found)


def _inside_of_packages() -> list[str]:
    return [f"/packages/{place}" for place, _ in enumerate(_package_folders())]


def _place_of(name: str) -> Path | None:
    """Return where a package lies, on disk: this process imports none of them, and may not (see `connection`)."""
    path: Sequence[str] | None = None
    for package in accumulate(name.split("."), "{}.{}".format):
        spec = PathFinder.find_spec(package, path)
        if spec is None or not spec.submodule_search_locations:
            return None
        path = list(spec.submodule_search_locations)
    return None if path is None else Path(path[0]).resolve()


def _memory(limits: Limits) -> int:
    return (_RESERVED_MB + 4 * limits.memory_mb) << 20
