# SPDX-License-Identifier: Apache-2.0
"""kill -9 at steps all through a backup and a restore: no half a backup has its name, and no half a deployment opens."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from lib.pier import Pier, command_line
from lib.town import codes, done
from zhanqiao.desk.audit import audit
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.backup import back_up
from zhanqiao.desk.operation.restore import restore

DYING = Path(__file__).parents[1] / "lib" / "dying"
KILLED = -signal.SIGKILL
BY_DAY = 5


def ran(words: list[str], **environment: str) -> int:
    paths = os.pathsep.join(filter(None, [str(DYING), os.environ.get("PYTHONPATH")]))
    settings = {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": paths, **environment}
    return subprocess.run(words, stdout=subprocess.DEVNULL, check=False, env=settings).returncode


def spread(steps: int, most: int) -> list[int]:
    return sorted({1 + place * (steps - 1) // (most - 1) for place in range(most)})


def test_a_killed_backup_has_no_name(pier: Pier, tmp_path):
    def words(file: Path) -> list[str]:
        return command_line("backup", str(file), "--home", str(pier.home))

    assert ran(words(tmp_path / "control.tar"), COUNT_STEPS=str(tmp_path / "steps")) == 0
    steps = len((tmp_path / "steps").read_text().split("\n"))
    for at in spread(steps, BY_DAY):
        file = tmp_path / f"{at}.tar"
        assert ran(words(file), DIE_AT=str(at)) == KILLED
        after = pier.reopened()
        audit(after.house)
        if file.exists():
            # It died after the name was given: then it is whole.
            done(restore(file, tmp_path / f"r{at}", pier.home / "keys", None))
            after = pier.reopened()
        else:
            done(back_up(after.house, file))
    print(f"backup: killed at {len(spread(steps, BY_DAY))} of {steps} steps")


def test_a_killed_restore_is_no_deployment(pier: Pier, tmp_path):
    done(back_up(pier.house, tmp_path / "b.tar"))

    def words(home: Path) -> list[str]:
        keys = str(pier.home / "keys")
        return command_line("restore", str(tmp_path / "b.tar"), "--keys", keys, "--home", str(home), "--no-checkpoint")

    assert ran(words(tmp_path / "control"), COUNT_STEPS=str(tmp_path / "steps")) == 0
    steps = len((tmp_path / "steps").read_text().split("\n"))
    opened = 0
    for at in spread(steps, BY_DAY):
        home = tmp_path / f"r{at}"
        assert ran(words(home), DIE_AT=str(at)) == KILLED
        house = open_house(home)
        if codes_of(house):
            assert codes_of(house) == ["no-deployment"]
            begun = any(home.iterdir())
            assert ran(words(home)) == (2 if begun else 0), "what a crash left is removed by a person"
        else:
            opened += 1
            audit(done(house))
    print(f"restore: killed at {len(spread(steps, BY_DAY))} of {steps} steps, {opened} were whole by then")
    assert opened < len(spread(steps, BY_DAY))


def codes_of(outcome: object) -> list[str]:
    from zhanqiao.terms.refusals import Refusal

    return codes(outcome) if isinstance(outcome, Refusal) else []


@pytest.fixture(autouse=True)
def closed():
    from django.db import connections

    yield
    connections.close_all()
