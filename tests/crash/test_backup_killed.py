# SPDX-License-Identifier: Apache-2.0
"""kill -9 at steps all through a backup and a restore: no half a backup has its name, and no half a deployment opens."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from lib.pier import Pier, command_line, released
from lib.town import codes, done
from zhanqiao.desk.audit import audit
from zhanqiao.desk.configuration import UNFINISHED
from zhanqiao.desk.deployment import open_house, taken
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
        assert not list(pier.home.glob("state*.part*")), "no copy of the state is left"
        if file.exists():
            # It died after the name was given: then it is whole.
            done(restore(file, tmp_path / f"r{at}", pier.home / "keys", None))
            after = pier.reopened()
        else:
            done(back_up(after.house, file))
            assert not list(tmp_path.glob("*.part")), "the next one takes away what this one left"
    print(f"backup: killed at {len(spread(steps, BY_DAY))} of {steps} steps")


def test_a_killed_restore_is_no_deployment(pier: Pier, tmp_path):
    done(back_up(pier.house, tmp_path / "b.tar"))

    def words(home: Path) -> list[str]:
        keys = str(pier.home / "keys")
        return command_line("restore", str(tmp_path / "b.tar"), "--keys", keys, "--home", str(home), "--no-checkpoint")

    shown = (pier.home / "ledger" / "checkpoint").read_bytes()
    assert ran(words(tmp_path / "control"), COUNT_STEPS=str(tmp_path / "steps")) == 0
    steps = (tmp_path / "steps").read_text().split("\n")
    # The settings get their name by a rename, as nothing after them does.
    named = 1 + max(place for place, step in enumerate(steps) if step == "before rename")
    opened = 0
    for at in sorted({*spread(len(steps), BY_DAY), named}):
        home = tmp_path / f"r{at}"
        assert ran(words(home), DIE_AT=str(at)) == KILLED
        house = open_house(home)
        if codes_of(house):
            assert codes_of(house) == ["home-unfinished" if (home / UNFINISHED).exists() else "no-deployment"]
            if at == named:
                assert (home / "ledger" / "checkpoint").read_bytes() == shown, "nobody is told before"
            begun = any(home.iterdir())
            assert ran(words(home)) == (2 if begun else 0), "what a crash left is removed by a person"
            assert codes_of(taken(home)) == ["home-unfinished" if begun else "home-not-empty"]
        else:
            opened += 1
            audit(done(house))
    print(f"restore: killed at {1 + BY_DAY} of {len(steps)} steps, {opened} were whole by then")
    assert opened < BY_DAY


def test_a_restore_that_is_killed_when_it_was_to_be_refused_opens_for_nobody(pier: Pier, tmp_path):
    """A log that goes on from a backup that is behind tells a second history, whoever makes it go on."""
    done(back_up(pier.house, tmp_path / "b.tar"))
    released(pier.ask("SELECT count(*) AS n FROM firm_turnover"))
    keys, newest = str(pier.home / "keys"), str(pier.home / "ledger" / "checkpoint")

    def words(home: Path) -> list[str]:
        given = ["--keys", keys, "--home", str(home), "--checkpoint", newest]
        return command_line("restore", str(tmp_path / "b.tar"), *given)

    assert ran(words(tmp_path / "control"), COUNT_STEPS=str(tmp_path / "steps")) == 3
    last = len((tmp_path / "steps").read_text().split("\n"))
    assert ran(words(tmp_path / "again"), DIE_AT=str(last)) == KILLED
    assert codes_of(open_house(tmp_path / "again")) == ["home-unfinished"]
    assert ran(words(tmp_path / "again")) == 2


def codes_of(outcome: object) -> list[str]:
    from zhanqiao.terms.refusals import Refusal

    return codes(outcome) if isinstance(outcome, Refusal) else []


@pytest.fixture(autouse=True)
def closed():
    from django.db import connections

    yield
    connections.close_all()
