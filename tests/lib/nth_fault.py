# SPDX-License-Identifier: Apache-2.0
"""A command in which the n-th call to the disk fails, or is the last: with strace, which reaches SQLite and the engine too.

    calls_of(command, home)             each call that the command makes to files of the deployment, by name and number
    run_with(command, call, "EIO")      the same command, and that call fails; or it is killed there ("SIGKILL")

Numbers count within a thread, calls to other files included: a call that is hit elsewhere is told, and is no fault.
"""

import os
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# What may fail how. A write or a name may find no room; everything may fail, or be the last.
NO_ROOM = ("write", "pwrite64", "openat", "mkdir", "link", "rename", "ftruncate")
FAILING = (*NO_ROOM, "fsync", "fdatasync")
FAULTS: dict[str, Sequence[str]] = {"ENOSPC": NO_ROOM, "EIO": FAILING, "SIGKILL": FAILING}
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_FOR_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")


@dataclass(frozen=True)
class Call:
    """The n-th call of that name in its thread."""

    name: str
    nth: int


@dataclass(frozen=True)
class Ran:
    """How a command ended.

    hit       what the fault hit, None when it hit nothing of the deployment
    resynced  whether a file whose sync had failed was synced again
    """

    status: int
    said: str
    hit: str | None
    resynced: bool


def calls_of(command: Sequence[str], home: Path, trace: Path, *, given: str = "") -> list[Call]:
    """Run a command without a fault, and return its calls."""
    ended = _traced(command, trace, given, [f"trace={','.join(FAILING)}"])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    seen: Counter[tuple[str, str]] = Counter()
    calls: list[Call] = []
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        if (found := _LINE.match(line)) is None:
            continue
        thread, name, rest = found.groups()
        seen[thread, name] += 1
        if str(home) in rest and (name != "openat" or _FOR_WRITING.search(rest)):
            calls.append(Call(name, seen[thread, name]))
    return list(dict.fromkeys(calls))


def run_with(command: Sequence[str], home: Path, trace: Path, call: Call, fault: str, *, given: str = "") -> Ran:
    """Run a command in which one call fails with that error, or is met by that signal."""
    what = f"signal={fault}" if fault.startswith("SIG") else f"error={fault}"
    names = {call.name, "fsync", "fdatasync"}
    ended = _traced(
        command, trace, given, [f"trace={','.join(sorted(names))}", f"inject={call.name}:{what}:when={call.nth}"]
    )
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    if fault == "SIGKILL":
        killed = [line for line in lines if str(home) in line]
        hit = killed[-1] if ended.returncode < 0 and killed else None
        return Ran(ended.returncode, ended.stdout + ended.stderr, hit, resynced=False)
    struck = [number for number, line in enumerate(lines) if "(INJECTED)" in line and str(home) in line]
    hit = lines[struck[0]] if struck else None
    return Ran(ended.returncode, ended.stdout + ended.stderr, hit, _resynced(lines, struck))


def _resynced(lines: list[str], struck: list[int]) -> bool:
    """Tell whether a file of ours was synced again after its sync failed. SQLite's syncs follow SQLite's own rule.

    It alone asks for `fdatasync`, of its files and of the folder in which it makes one. It leaves it at that when the
    folder's fails, and we, who know nothing of it, may sync that folder for a name of ours.
    """
    for number in struck:
        found = re.search(r" fsync\(\d+<([^>]*)>", lines[number])
        if found and ".sqlite3" not in found[1]:
            return any("sync(" in line and f"<{found[1]}>" in line for line in lines[number + 1 :])
    return False


def _traced(
    command: Sequence[str], trace: Path, given: str, expressions: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    options = [word for expression in expressions for word in ("-e", expression)]
    settings: Mapping[str, str] = {
        **os.environ,
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "LANG": "en_US.UTF-8",
    }
    return subprocess.run(
        ["strace", "-f", "-y", "-s", "0", "-o", str(trace), *options, *command],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env=settings,
    )
