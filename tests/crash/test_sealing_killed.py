# SPDX-License-Identifier: Apache-2.0
"""kill -9, and a power cut, at steps all through `keys split` and `keys unseal`: keys are open or sealed, and never lost.

A power cut takes memory with it: what is left is the disk, and the shares that were written before. EXPLORE=full takes
every step.
"""

import os
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connections

from lib.pier import Pier, cold_command_line, released
from lib.town import done
from zhanqiao.desk import sealed_keys
from zhanqiao.desk.audit import audit
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.sealing import split_keys, unseal
from zhanqiao.terms.refusals import Refusal

DYING = Path(__file__).parents[1] / "lib" / "dying"
CUSTODIANS = ("sysadmin", "secadmin", "auditadmin")
STATEMENT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"
BY_DAY = 3
FULL = os.environ.get("EXPLORE") == "full"


def ran(words: list[str], given: str = "", **environment: str) -> int:
    paths = os.pathsep.join(filter(None, [str(DYING), os.environ.get("PYTHONPATH")]))
    settings = {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": paths, **environment}
    return subprocess.run(
        words, stdout=subprocess.DEVNULL, input=given, text=True, check=False, env=settings
    ).returncode


def steps_of(words: list[str], count: Path, given: str = "") -> list[int]:
    assert ran(words, given, COUNT_STEPS=str(count)) == 0
    steps = len(count.read_text().split("\n"))
    return list(range(1, steps + 1)) if FULL else sorted({1 + at * (steps - 1) // (BY_DAY - 1) for at in range(BY_DAY)})


def copy_of(pier: Pier, folder: Path) -> Pier:
    """Return the same deployment elsewhere, and so with a place in memory of its own."""
    shutil.copytree(pier.home, folder / "home", symlinks=True)
    connections.close_all()
    return replace(pier, house=done(open_house(folder / "home", pier.house.clock)))


def opens(pier: Pier, *written: list[str]) -> Pier:
    """Return the deployment open: as it stands, or by shares that were written before it was sealed, of either split."""
    tried = [unseal(pier.home, some) for some in written if isinstance(sealed_keys.keys_of(pier.home), Refusal)]
    assert not tried or isinstance(tried[-1], tuple), tried
    after = pier.reopened()
    audit(after.house)
    released(after.ask(STATEMENT))
    return after


def shares_in(folder: Path) -> list[str]:
    return [file.read_text() for file in sorted(folder.glob("*.share"))]


@pytest.mark.parametrize("power", [pytest.param(True, marks=pytest.mark.slow), False], ids=["killed", "power cut"])
@pytest.mark.parametrize("anew", [pytest.param(True, marks=pytest.mark.slow), False], ids=["anew", "first"])
def test_a_split_that_dies_loses_no_key(pier: Pier, tmp_path: Path, power: bool, anew: bool) -> None:
    def words(home: Path, folder: Path) -> list[str]:
        made = ("keys", "split", *CUSTODIANS, "--threshold", "2", "--to", str(folder), "--as", "sysadmin")
        return cold_command_line(*made, "--home", str(home))

    def before(folder: Path) -> tuple[Pier, list[str]]:
        one = copy_of(pier, folder)
        former = done(split_keys(one.house, 2, CUSTODIANS[:2], folder / "former", "sysadmin")) if anew else {}
        connections.close_all()
        return one, [file.read_text() for file in former.values()]

    control, _ = before(tmp_path / "control")
    steps = steps_of(words(control.home, tmp_path / "control" / "shares"), tmp_path / "steps")
    shutil.rmtree(sealed_keys.memory_of(control.home))
    for at in steps:
        (one, former), folder = before(tmp_path / str(at)), tmp_path / str(at) / "shares"
        try:
            assert ran(words(one.home, folder), DIE_AT=str(at)) == -signal.SIGKILL
            if not power:
                shutil.rmtree(sealed_keys.memory_of(one.home), ignore_errors=True)
            after = opens(one, former, shares_in(folder)) if former else opens(one, shares_in(folder))
            # It is repeated with other files, and then the keys are sealed, whatever was left.
            again = done(split_keys(after.house, 2, CUSTODIANS, tmp_path / str(at) / "again", "sysadmin"))
            shutil.rmtree(sealed_keys.memory_of(one.home))
            opens(one, [file.read_text() for file in again.values()])
            assert not [name for name in sealed_keys.FILES if (one.home / "keys" / name).exists()]
        finally:
            shutil.rmtree(sealed_keys.memory_of(one.home), ignore_errors=True)
        shutil.rmtree(tmp_path / str(at))
    print(f"keys split: killed at {len(steps)} steps")


@pytest.mark.slow
def test_an_opening_that_dies_is_repeated(pier: Pier, tmp_path: Path) -> None:
    files = done(split_keys(pier.house, 2, CUSTODIANS, tmp_path / "shares", "sysadmin"))
    memory, written = sealed_keys.memory_of(pier.home), [file.read_text() for file in files.values()]
    words = cold_command_line("keys", "unseal", "--shares-fd", "0", "--home", str(pier.home))
    try:
        shutil.rmtree(memory)
        steps = steps_of(words, tmp_path / "steps", "".join(written))
        for at in steps:
            shutil.rmtree(memory, ignore_errors=True)
            assert ran(words, "".join(written), DIE_AT=str(at)) == -signal.SIGKILL
            opens(pier, written)
            # What the one that died had opened lies nowhere any more.
            assert list(sealed_keys.MEMORY.glob(f"{memory.name}*")) == [memory]
    finally:
        shutil.rmtree(memory, ignore_errors=True)
    print(f"keys unseal: killed at {len(steps)} steps")
