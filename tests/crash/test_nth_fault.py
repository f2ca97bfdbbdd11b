# SPDX-License-Identifier: Apache-2.0
"""The n-th call to the disk finds no room, fails, or is the last: at every n of `ask`, `intake load`, `agreement seal`
and `backup`.

The command ends with one sentence and status 1 or 3, or the call did not matter and it ends well. A file whose sync failed
is not synced again. Afterwards the deployment opens within five seconds, its audit is clean, and the same command does what
it would have done, charged once. A few with the slow tests; EXPLORE=full takes every call of every command.
"""

import os
import resource
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from django.db import connections

from lib.accidents import COMMANDS, Accident
from lib.disk_trace import strace
from lib.nth_fault import FAULTS, Call, calls_of, run_with
from lib.pier import Pier, Settled, cold_command_line
from lib.repeating import repeat
from lib.town import done
from zhanqiao.desk.audit import audit
from zhanqiao.desk.configuration import utc_now
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.restore import restore

FULL = os.environ.get("EXPLORE") == "full"
SOME = 2  # of each fault, with the slow tests
pytestmark = [
    pytest.mark.skipif(strace() is None, reason="strace is not here, or may not trace"),
    pytest.mark.timeout(7_200 if FULL else 300),
]


def backup(pier: Pier, folder: Path) -> Accident:
    file = folder / "backup.tar"

    def check(after: Pier, whole: bool) -> None:
        assert file.exists() or not whole
        if file.exists():
            restored = folder / "restored"
            done(restore(file, restored, after.home / "keys", None))
            shutil.rmtree(restored)
            after.reopened()

    return Accident(("backup", str(file)), check, stands="file-exists")


MADE = {"ask": COMMANDS["ask"], "load": COMMANDS["load"], "seal": COMMANDS["seal"], "backup": backup}


def made(settled: Settled, name: str, folder: Path) -> tuple[Pier, Accident]:
    """Make a command ready in a copy of its own."""
    folder.mkdir(parents=True)
    pier = Pier(done(open_house(settled.copy(folder / "pier"), utc_now)), settled)
    accident = MADE[name](pier, folder)
    connections.close_all()
    return pier, accident


def words_of(pier: Pier, accident: Accident) -> list[str]:
    return cold_command_line(*accident.words, "--home", str(pier.home), "--lang", "en")


def spread(calls: list[Call], some: int) -> list[Call]:
    """Return so many, evenly apart; with the same names side by side, so that they are of several."""
    ordered = sorted(calls, key=lambda call: (call.name, call.nth))
    return [ordered[(2 * at + 1) * len(ordered) // (2 * some)] for at in range(some)]


def expect_recovery(pier: Pier, accident: Accident) -> None:
    """It opens at once, nothing is half done, and the command can be repeated."""
    began = time.monotonic()
    after = pier.reopened()
    after.house.book.publish()
    assert time.monotonic() - began < 5
    audit(after.house)
    accident.check(after, False)
    repeat(after, accident)
    repeated = after.reopened()
    assert repeated.house.book.publish().size == audit(repeated.house)
    accident.check(repeated, True)


def expect_a_sentence(status: int, said: str) -> None:
    """One sentence that was foreseen, and its status; no traceback, and no word of what went wrong inside."""
    assert "Traceback" not in said, said
    if status:
        assert status in {1, 3}, said
        assert said.count("✗") == 1, said
        assert "The command failed" not in said, said


def fail(settled: Settled, folder: Path, name: str, call: Call, fault: str) -> bool:
    """Let a command meet one fault, and expect what must hold; False when the fault hit nothing of the deployment."""
    pier, accident = made(settled, name, folder)
    ran = run_with(words_of(pier, accident), pier.home, folder / "trace", call, fault, given=accident.given)
    if ran.hit is not None:
        if fault == "SIGKILL":
            assert ran.status == -signal.SIGKILL
        else:
            expect_a_sentence(ran.status, ran.said)
            assert not ran.resynced, ran.hit
        expect_recovery(pier, accident)
    connections.close_all()
    shutil.rmtree(folder)
    return ran.hit is not None


def fail_all(settled: Settled, folder: Path, name: str, fault: str, some: int | None) -> tuple[int, int, Counter[str]]:
    """Return how many faults hit, how many were tried, and what broke."""
    pier, accident = made(settled, name, folder / "plain")
    calls = calls_of(words_of(pier, accident), pier.home, folder / "trace", given=accident.given)
    calls = [call for call in calls if call.name in FAULTS[fault]]
    hit, broken, chosen = 0, Counter[str](), calls if some is None else spread(calls, some)
    for number, call in enumerate(chosen):
        try:
            hit += fail(settled, folder / str(number), name, call, fault)
        except Exception as wrong:  # noqa: BLE001  all of them are wanted, not the first alone
            broken[f"{call.name} {call.nth} of {name}, {fault}: {type(wrong).__name__}: {wrong}"[:600]] += 1
            hit += 1
            connections.close_all()
    print(f"{name}, {fault}: {hit} of {len(chosen)} calls hit (of {len(calls)}), {broken.total()} broken")
    return hit, len(chosen), broken


@pytest.mark.slow
def test_a_failed_sync_stops_an_answer(settled_pier, tmp_path):
    pier, accident = made(settled_pier, "ask", tmp_path / "plain")
    calls = calls_of(words_of(pier, accident), pier.home, tmp_path / "trace", given=accident.given)
    last = [call for call in calls if call.name == "fsync"][-1]
    assert fail(settled_pier, tmp_path / "one", "ask", last, "EIO")


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", MADE if FULL else ["ask"])
def test_no_call_leaves_anything_half_done(settled_pier, tmp_path, name, fault):
    hit, tried, broken = fail_all(settled_pier, tmp_path, name, fault, None if FULL else SOME)
    assert not broken, list(broken)
    assert hit >= tried / 2


def limited(size: int):
    """Return what lets no file of a process grow beyond a size: the write that gets there is cut short."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ask", "load"] if FULL else ["ask"])
def test_a_write_that_is_cut_short_is_no_write(settled_pier, tmp_path, name):
    """The kernel takes a part of a write and then no more, at sizes all through the files that are written."""
    stopped = 0
    sizes = range(512, 512 * 400, 512 * 7) if FULL else (512 * 5,)
    for size in sizes:
        pier, accident = made(settled_pier, name, tmp_path / str(size))
        ended = subprocess.run(
            words_of(pier, accident),
            input=accident.given,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=limited(size),
        )
        stopped += ended.returncode != 0
        expect_a_sentence(ended.returncode, ended.stdout + ended.stderr)
        expect_recovery(pier, accident)
        connections.close_all()
    print(f"{name}: {stopped} of {len(sizes)} sizes stopped it")
    assert stopped
