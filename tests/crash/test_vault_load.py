# SPDX-License-Identifier: Apache-2.0
"""A load or a build that dies at any step leaves what stood readable, and `sweep` removes the rest.

The process is killed for real (`os._exit` in a child) at the n-th step that touches the disk, for every n until a run
sees no kill. After each death: the published snapshot answers as before, the interrupted load can be repeated, nothing
unfinished counts, and after a sweep no file is left that a vault without the accident does not have.
"""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from lib import warm
from lib.vault_cases import (
    BY_PERSON,
    CUBE,
    NOW,
    TRACED,
    answer_permit,
    batch,
    build_permit,
    keyring,
    load_permit,
    nothing_recorded,
    row,
    statement,
    swept,
)
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.vault import Vault

DEAD = 77
IDS = [f"{37020219491001:014d}{number:04d}" for number in range(40)]

# Every call by which the vault changes the disk, or makes a change durable.
CHILD = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import duckdb
from zhanqiao.vault import files, segments, states, subjects

home, stop = Path(sys.argv[1]), int(sys.argv[2])
steps = 0

def step():
    global steps
    steps += 1
    if steps == stop:
        os._exit({dead})

def counted(call):
    def wrapped(*args, **more):
        step()                      # before
        result = call(*args, **more)
        step()                      # after
        return result
    return wrapped

os.fsync = counted(os.fsync)
Path.replace = counted(Path.replace)
Path.rename = counted(Path.rename)
Path.unlink = counted(Path.unlink)
segments.SegmentStore._fill = counted(segments.SegmentStore._fill)

from test_vault_load import second_delivery
second_delivery(home)
print(steps)
"""


def open_vault(home: Path) -> Vault:
    return Vault(home / "vault", keyring(home), lambda: NOW, recorded=nothing_recorded)


def rows(numbers, district):
    return [row(number, district=district, birth_year=1950) for number in numbers]


def first_delivery(home: Path) -> list[str]:
    vault = open_vault(home)
    numbers = vault._subjects.numbers(SubjectKind.PERSON, IDS[:20], allocate=True).tolist()
    segment = vault.load(load_permit(BY_PERSON), BY_PERSON, [batch(BY_PERSON, rows(numbers, "A"))])
    vault.build(build_permit(BY_PERSON, CUBE), BY_PERSON, [segment])
    traces = [row(number, settled_on=date(2026, 1, 1)) for number in range(400)]
    traced = vault.load(load_permit(TRACED), TRACED, [batch(TRACED, traces)])
    vault.build(build_permit(TRACED, "settled_on"), TRACED, [traced])
    return [segment, traced]


def second_delivery(home: Path) -> None:
    """Number more subjects (their file takes the first one in), keep an identity, load, build; append traces twice."""
    import pyarrow as pa

    vault = open_vault(home)
    numbers = vault._subjects.numbers(SubjectKind.PERSON, IDS, allocate=True)
    vault._identities.put(SubjectKind.PERSON, numbers[:1], pa.table({"tel": ["1"]}))
    segment = vault.load(load_permit(BY_PERSON, "s2"), BY_PERSON, [batch(BY_PERSON, rows(numbers.tolist(), "B"))])
    vault.build(build_permit(BY_PERSON, CUBE, "s2"), BY_PERSON, [segment])
    # The first is kept as changes; the second makes them so many that the whole is written anew.
    for snapshot, onto, count in (("s2", "s1", 5), ("s3", "s2", 60)):
        more = [row(number, settled_on=date(2026, 1, 2)) for number in range(count)]
        traced = vault.load(load_permit(TRACED, snapshot), TRACED, [batch(TRACED, more)])
        vault.build(build_permit(TRACED, "settled_on", snapshot), TRACED, [traced], onto=onto)


def answer(home: Path, snapshot: str) -> list[dict[str, object]]:
    return open_vault(home).run(answer_permit(statement(["district"]), snapshot), BY_PERSON).table.to_pylist()


def seen_anew(home: Path, snapshot: str) -> int:
    """How many have a trace of the second day; everybody has one of the first."""
    days = open_vault(home)._states.newest(TRACED.name, snapshot, "settled_on")
    first = (date(2026, 1, 1) - date(1970, 1, 1)).days
    assert len(days) == 400
    assert set(days.tolist()) <= {first, first + 1}
    return int((days == first + 1).sum())


def die_at(home: Path, stop: int) -> bool:
    """Run the second delivery in a child that dies at a step; False if it got through."""
    program = CHILD.format(tests=str(Path(__file__).parent), dead=DEAD)
    path = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    done = subprocess.run(
        warm.python("-c", program, str(home), str(stop)), env={**os.environ, "PYTHONPATH": path}, check=False
    )
    assert done.returncode in {0, DEAD}
    return done.returncode == DEAD


def check_after_death(home: Path, known: set[str], numbers: list[int]) -> None:
    # What was published answers as before, in spite of everything that lies about.
    assert answer(home, "s1") == [{"district": "A", "rows": 20}]
    vault = open_vault(home)
    assert vault._subjects.numbers(SubjectKind.PERSON, IDS[:20]).tolist() == numbers
    # The sweep takes what nobody knows, and nothing else.
    gone = swept(vault, known)
    assert not {name.removeprefix("segments/") for name in gone} & known
    assert not [path for path in (home / "vault").rglob("*") if ".part" in path.name]
    assert not [*(home / "vault" / "scratch").glob("*")]
    segments = {home / "vault" / "segments" / f"{name}.duckdb" for name in known - {"s1"}}
    assert {*(home / "vault" / "segments").rglob("*.duckdb")} == segments
    assert answer(home, "s1") == [{"district": "A", "rows": 20}]
    assert seen_anew(home, "s1") == 0
    # The delivery comes again, and is whole.
    second_delivery(home)
    assert answer(home, "s2") == [{"district": "B", "rows": 40}]
    assert [seen_anew(home, snapshot) for snapshot in ("s2", "s3")] == [5, 60]
    assert sorted(vault._subjects.numbers(SubjectKind.PERSON, IDS).tolist()) == list(range(40))


def _explore(tmp_path: Path, steps: list[int]) -> int:
    import shutil

    founded = tmp_path / "founded"
    founded.mkdir()
    known = {*first_delivery(founded), "s1"}
    numbers = open_vault(founded)._subjects.numbers(SubjectKind.PERSON, IDS[:20]).tolist()
    deaths = 0
    for stop in steps:
        home = tmp_path / f"dies-{stop}"
        shutil.copytree(founded, home)
        if not die_at(home, stop):
            break
        check_after_death(home, known, numbers)
        shutil.rmtree(home)
        deaths += 1
    return deaths


def test_a_load_that_dies_at_some_steps(tmp_path):
    """By day a sample: around the subject book, inside and after the segment, around the cube, the changes, the whole."""
    assert _explore(tmp_path, [1, 3, 6, 13, 15, 18, 22, 26, 32, 34, 37, 44, 47]) >= 11


@pytest.mark.slow
def test_a_load_that_dies_at_every_step(tmp_path):
    assert _explore(tmp_path, list(range(1, 200))) >= 20


def test_a_child_that_is_not_killed_gets_through(tmp_path):
    """The harness itself: without a kill the delivery ends, and steps were counted."""
    first_delivery(tmp_path)
    assert not die_at(tmp_path, 10_000)
    assert answer(tmp_path, "s2") == [{"district": "B", "rows": 40}]
