# SPDX-License-Identifier: Apache-2.0
"""Real runs are recorded, and every disk that a power cut may leave of them is opened (`lib/disk_states`).

Of the ledger alone, and of `ask`, `intake load`, `catalogue add`, `agreement seal` and `keys split` in a settled deployment. Short seeds
by day; EXPLORE=full opens as many as there are, for hours. Controls show that the exploration finds what it is there to find: the
same ledger with `os.fsync` switched off.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.db import connections

from lib import growing
from lib.accidents import COMMANDS, Accident
from lib.crash_states import (
    Exploration,
    Found,
    explore,
    explore_in_parts,
    leaves_of,
    look_at_ledger,
    memory_folder,
)
from lib.disk_states import check_whole
from lib.disk_trace import Traced, record, strace
from lib.open_keys import forget_open_keys
from lib.pier import Pier, Settled, cold_command_line
from lib.repeating import repeat
from lib.town import done
from zhanqiao.desk import sealed_keys
from zhanqiao.desk.audit import audit
from zhanqiao.desk.configuration import utc_now
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.sealing import split_keys
from zhanqiao.terms.refusals import Refusal
from zhanqiao.vault.house import House

FULL = os.environ.get("EXPLORE") == "full"
CUSTODIANS = ("sysadmin", "secadmin", "auditadmin")
SEED = int(os.environ.get("SEED", "1"))
pytestmark = [
    pytest.mark.first,
    pytest.mark.skipif(strace() is None, reason="strace is not here, or may not trace"),
    pytest.mark.timeout(7_200 if FULL else 300),
]


@contextmanager
def disk() -> Iterator[Path]:
    """A folder on a disk that takes no time; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix="crash-", dir=memory_folder(Path(tempfile.gettempdir()))))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        forget_open_keys(folder)


def explored(plan: Exploration, work: Path) -> Found:
    """Explore as wide as is asked for, and print the figure."""
    found = explore_in_parts(plan, work, os.cpu_count() or 1) if FULL else explore(plan, work)
    print(found)
    return found


# --- the ledger alone -------------------------------------------------------------------------------


def grown(home: Path, requests: int, work: Path, **environment: str) -> Traced:
    """Record a log that grows."""
    work.mkdir(parents=True)
    program = [sys.executable, str(growing.__file__), str(home), str(requests)]
    run = record(program, home, work, environment=environment)
    assert run.status == 0, run.output
    check_whole(run.before, run.operations, home)
    return run


def test_every_disk_of_a_growing_log_opens(empty_home):
    requests, some, share = (90, 8, (0, 1)) if FULL else (4, 2, (0, 4))
    with disk() as work:
        home = Path(shutil.copytree(empty_home, work / "home"))
        run = grown(home, requests, work / "trace")
        found = explored(Exploration(run, leaves_of(home), look_at_ledger, SEED, some, share), work)
    assert found.broken == 0, found.named
    assert found.opened > (40_000 if FULL else 300)


def test_without_fsync_the_same_exploration_finds_broken_disks(empty_home):
    with disk() as work:
        home = Path(shutil.copytree(empty_home, work / "home"))
        run = grown(home, 4, work / "trace", FSYNC="off")
        found = explored(Exploration(run, leaves_of(home), look_at_ledger, SEED, 1, (0, 32)), work)
    assert found.broken > found.opened / 10
    assert any("couldn't" in why for why in found.named)


# --- commands in a settled deployment ---------------------------------------------------------------


def full_look(settled: Settled, accident: Accident):
    """Return what looks at an outcome: the audit and the promises, the command once more, and both again."""

    def look(house: House, ended: bool) -> None:
        pier = Pier(house, settled)
        audit(house)
        accident.check(pier, ended)
        repeat(pier, accident)
        repeated = pier.reopened()
        assert repeated.house.book.publish().size == audit(repeated.house)
        accident.check(repeated, True)

    return look


def explored_command(settled: Settled, name: str, some: int, share: tuple[int, int]) -> Found:
    with disk() as work:
        home = Path(shutil.copytree(settled.home, work / "pier"))
        pier = Pier(done(open_house(home, utc_now)), settled)
        accident = COMMANDS[name](pier, work)
        connections.close_all()
        (work / "trace").mkdir()
        words = cold_command_line(*accident.words, "--home", str(home))
        run = record(words, home, work / "trace", given=accident.given)
        assert run.status == 0, run.output
        check_whole(run.before, run.operations, home)
        plan = Exploration(run, leaves_of(home), full_look(settled, accident), SEED, some, share)
        return explored(plan, work)


def test_some_disks_of_an_answer_open(settled_pier):
    found = explored_command(settled_pier, "ask", 1, (0, 32))
    assert found.broken == 0, found.named
    assert found.opened > 5


@pytest.mark.slow
@pytest.mark.parametrize("anew", [False, True], ids=["first", "anew"])
def test_every_disk_of_a_split_gives_the_keys(settled_pier, anew):
    """Power is cut, so memory is gone: what opens is the disk, with the shares that stand on it, of whichever split."""
    with disk() as work, ExitStack() as after:
        root = work / "root"
        home = Path(shutil.copytree(settled_pier.home, root / "home"))
        after.callback(shutil.rmtree, sealed_keys.memory_of(home), ignore_errors=True)
        if anew:
            done(split_keys(done(open_house(home, utc_now)), 2, CUSTODIANS, root / "former", "sysadmin"))
        connections.close_all()
        (work / "trace").mkdir()
        words = ("keys", "split", *CUSTODIANS, "--threshold", "2", "--to", str(root / "shares"), "--as", "sysadmin")
        run = record(cold_command_line(*words, "--home", str(home)), root, work / "trace")
        assert run.status == 0, run.output
        check_whole(run.before, run.operations, root)
        some, share = (60, (0, 1)) if FULL else (1, (0, 6))
        plan = Exploration(run, leaves_of(home), _is_sealed, SEED, some, share, "home", _opened_by_custodians)
        found = explored(plan, work)
    assert found.broken == 0, found.named
    assert found.opened > (150 if FULL else 5)


def _opened_by_custodians(home: Path) -> House | Refusal:
    shutil.rmtree(sealed_keys.memory_of(home), ignore_errors=True)
    for folder in sorted(home.parent.glob("[fs]*")):
        if isinstance(sealed_keys.keys_of(home), Refusal):
            # Whole files only: a share of which half was written is none.
            written = [file.read_text() for file in sorted(folder.glob("*.share")) if file.read_bytes().endswith(b"\n")]
            sealed_keys.unseal(home, written[:2])
            sealed_keys.told(home)
    return open_house(home)


def _is_sealed(house: House, ended: bool) -> None:
    audit(house)
    if ended:
        assert sealed_keys.is_sealed(house.home / "keys")
        assert not sealed_keys.lying_open(house.home / "keys")
    shutil.rmtree(sealed_keys.memory_of(house.home), ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS if FULL else ("load", "describe", "seal"))
def test_every_disk_of_a_command_opens(settled_pier, name):
    found = explored_command(settled_pier, name, 60 if FULL else 1, (0, 1) if FULL else (0, 48))
    assert found.broken == 0, found.named
    assert found.opened > (1_000 if FULL else 5)
