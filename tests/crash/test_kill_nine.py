# SPDX-License-Identifier: Apache-2.0
"""kill -9 over `ask`, `decide` and `intake load`, the real commands in processes of their own.

A run without an accident tells how many steps make something last (`lib/dying`). Then, for each of them, a fresh copy
of the deployment, the same command, SIGKILL at that step, and a look at what is left: the log is whole, nothing is lost,
doubled, half published or charged twice; and the same command once more gives what it would have given.

By day a spread of them and those around each commit; in `make test-slow` every other one and each commit, and at moments
that no step names; with EXPLORE=full every one.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import pier as piers
from lib.accidents import COMMANDS, Accident, check_log
from lib.pier import Pier, Settled, cold_command_line
from lib.repeating import repeat
from zhanqiao.desk.configuration import utc_now

DYING = Path(__file__).parents[1] / "lib" / "dying"
KILLED = -signal.SIGKILL
FULL = os.environ.get("EXPLORE") == "full"
BY_DAY = 4  # of each command, and those around its commits
NAMES = ("ask", "decide", "load")


def _telling(steps: list[str], some: int) -> list[int]:
    """Return some step numbers, evenly apart from the first to the last, and those around each commit."""
    even = {1 + place * (len(steps) - 1) // (some - 1) for place in range(some)}
    return sorted(even | {number for number, step in enumerate(steps, start=1) if step.endswith("commit")})


# --- accidents --------------------------------------------------------------------------------------


def _steps(settled: Settled, folder: Path, command: str) -> list[str]:
    """Run the command without an accident; return its steps. This is the control, too: all checks hold after it."""
    for pier in piers.opened(settled, _made(folder / "control"), utc_now):
        accident = COMMANDS[command](pier, folder)
        told = folder / "steps"
        ran = _run(pier, accident, COUNT_STEPS=str(told))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        after = pier.reopened()
        check_log(after)
        accident.check(after, True)
        return told.read_text(encoding="ascii").split("\n")
    raise AssertionError


def _die_at(settled: Settled, folder: Path, command: str, at: int) -> None:
    """Let the command die at one step, look at what is left, repeat it, and look again."""
    for pier in piers.opened(settled, _made(folder), utc_now):
        accident = COMMANDS[command](pier, folder)
        assert _run(pier, accident, DIE_AT=str(at)).returncode == KILLED, "it died, or the step was not reached"
        _recovers(pier, accident)


def _recovers(pier: Pier, accident: Accident) -> None:
    after = pier.reopened()
    check_log(after)
    accident.check(after, False)
    repeat(after, accident)
    repeated = pier.reopened()
    check_log(repeated)
    accident.check(repeated, True)


def _run(pier: Pier, accident: Accident, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, [str(DYING), os.environ.get("PYTHONPATH")]))
    return pier.command(*accident.words, given=accident.given, PYTHONPATH=paths, **environment)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


@pytest.mark.first
@pytest.mark.parametrize("command", NAMES)
def test_a_command_that_is_killed_leaves_nothing_half_done(settled_pier, tmp_path, command) -> None:
    steps = _steps(settled_pier, tmp_path, command)
    points = _telling(steps, BY_DAY)
    for at in points:
        _die_at(settled_pier, tmp_path / str(at), command, at)
    print(f"{command}: killed at {len(points)} of {len(steps)} steps")


PARTS = 3


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("command", NAMES)
def test_every_other_step_of_a_command_is_killed(settled_pier, tmp_path, command, part) -> None:
    steps = _steps(settled_pier, tmp_path, command)
    points = [at for at in range(1 + part, len(steps) + 1, PARTS) if FULL or at % 2 or steps[at - 1].endswith("commit")]
    for at in points:
        _die_at(settled_pier, tmp_path / str(at), command, at)
    print(f"{command}: killed at {len(points)} of {len(steps)} steps, part {part + 1} of {PARTS}")


@pytest.mark.slow
def test_the_steps_are_fifty_and_more(settled_pier, tmp_path) -> None:
    counts = {command: len(_steps(settled_pier, _made(tmp_path / command), command)) for command in NAMES}
    print(f"steps that make something last: {counts}, together {sum(counts.values())}")
    assert sum(counts.values()) >= 50


def _moments() -> Iterator[float]:
    """Seconds after the start: over the whole length of a load, in the middle of parsing, counting and writing."""
    step = 1 if FULL else 2
    return (0.30 + 0.03 * number for number in range(0, 24, step))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["load", "ask"])
def test_a_command_is_killed_at_any_moment(settled_pier, tmp_path, command) -> None:
    died = 0
    for number, seconds in enumerate(_moments()):
        for pier in piers.opened(settled_pier, _made(tmp_path / str(number)), utc_now):
            accident = COMMANDS[command](pier, tmp_path / str(number))
            process = subprocess.Popen(
                cold_command_line(*accident.words, "--home", str(pier.home)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONUTF8": "1"},
            )
            time.sleep(seconds)
            process.kill()
            died += process.wait() == KILLED
            _recovers(pier, accident)
    print(f"{command}: killed at {died} moments")
    assert died >= 5
