# SPDX-License-Identifier: Apache-2.0
"""Two who make a deployment in one folder, and one who is killed while he does: what stands is never taken away."""

import hashlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connections

from lib.pier import command_line
from lib.town import codes, done
from zhanqiao.desk import deployment
from zhanqiao.desk.audit import audit
from zhanqiao.desk.configuration import UNFINISHED, Deployment
from zhanqiao.desk.deployment import claimed, found, open_house, taken
from zhanqiao.desk.operation import restore as restoring
from zhanqiao.desk.operation.backup import back_up
from zhanqiao.desk.operation.restore import restore

DYING = Path(__file__).parents[1] / "lib" / "dying"
KILLED = -signal.SIGKILL
BY_DAY = 6
NEW = Deployment("青岛", "demo", "zhanqiao.test/raced")


@pytest.fixture(autouse=True)
def _closed():
    yield
    connections.close_all()


def lying_in(home: Path) -> dict[str, str]:
    return {
        path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file()
    }


def meanwhile(monkeypatch: pytest.MonkeyPatch, module: object, act: Callable[[], object]) -> None:
    """Let somebody else act after the look at the folder, and before anything is made in it."""

    def looked(home: Path) -> object:
        refusal = taken(home)
        act()
        return refusal

    monkeypatch.setattr(module, "taken", looked)


def test_who_comes_second_takes_no_finished_deployment_away(tmp_path, monkeypatch):
    home = tmp_path / "home"
    stood: dict[str, str] = {}

    def first() -> None:
        monkeypatch.undo()
        done(found(home, NEW))
        stood.update(lying_in(home))

    meanwhile(monkeypatch, deployment, first)
    assert codes(found(home, NEW)) == ["home-not-empty"]
    assert lying_in(home) == stood
    audit(done(open_house(home)))


def test_who_comes_second_takes_nothing_from_who_is_at_work(tmp_path, monkeypatch):
    home = tmp_path / "home"
    meanwhile(monkeypatch, deployment, lambda: done(claimed(home)) and (home / "begun").touch())
    assert codes(found(home, NEW)) == ["home-unfinished"]
    assert sorted(path.name for path in home.iterdir()) == ["begun", UNFINISHED]


def test_a_restore_takes_nothing_that_a_founding_made(pier, tmp_path, monkeypatch):
    done(back_up(pier.house, tmp_path / "b.tar"))
    home = tmp_path / "home"
    meanwhile(monkeypatch, restoring, lambda: done(found(home, NEW)))
    assert codes(restore(tmp_path / "b.tar", home, pier.home / "keys", None)) == ["home-not-empty"]
    assert (home / "keys" / "vault" / "kek.key").is_file()
    audit(done(open_house(home)))


def test_a_killed_init_is_no_deployment(tmp_path):
    def ran(home: Path, **environment: str) -> int:
        words = command_line("init", "--home", str(home), "--profile", "demo")
        paths = os.pathsep.join(filter(None, [str(DYING), os.environ.get("PYTHONPATH")]))
        settings = {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": paths, **environment}
        return subprocess.run(words, stdout=subprocess.DEVNULL, check=False, env=settings).returncode

    assert ran(tmp_path / "control", COUNT_STEPS=str(tmp_path / "steps")) == 0
    steps = (tmp_path / "steps").read_text().split("\n")
    named = 1 + max(place for place, step in enumerate(steps) if step == "before rename")
    for at in sorted({*(1 + place * (len(steps) - 1) // (BY_DAY - 1) for place in range(BY_DAY)), named, named + 1}):
        home = tmp_path / f"h{at}"
        assert ran(home, DIE_AT=str(at)) == KILLED
        if at > named:
            audit(done(open_house(home)))
        elif home.exists() and any(home.iterdir()):
            assert codes(open_house(home)) == codes(taken(home)) == ["home-unfinished"]
            assert ran(home) == 2
        else:
            assert ran(home) == 0
    print(f"init: killed at some of {len(steps)} steps")
