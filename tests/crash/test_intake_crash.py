# SPDX-License-Identifier: Apache-2.0
"""A load is killed wherever it persists something. Nothing is ever half published, and the next load works."""

import json
import subprocess
from pathlib import Path

import pytest

from lib import crashing_load, warm
from lib.deliveries import GOOD, NEXT, QIAN, ZHOU, deliver, describe, load, loaded, published_rows
from zhanqiao.catalogue import shelf
from zhanqiao.intake import quarantine, sweep
from zhanqiao.intake.report import LoadReport

BAD = f"{QIAN},钱进,1988-05-05,青岛市,1,,"
OTHER = f"{ZHOU},周涛,1999-12-12,市南区,1,,"


def killed(house: object, file: Path, point: str) -> bool:
    """Load in a process of its own that kills itself at `point`; return whether it came to that."""
    command = warm.python(str(Path(crashing_load.__file__)), str(house.home), str(file), point)
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode in {0, -9}, ended.stderr
    return ended.returncode == -9


def known_names() -> set[str]:
    snapshots = shelf.snapshots()
    return {one.id for one in snapshots} | {segment for one in snapshots for segment in one.segments}


def leftovers(house: object) -> set[str]:
    """Everything below the deployment that no snapshot names, by path."""
    known = known_names()
    places = [
        *(path for place in ("vault/states", "quarantine") for path in (house.home / place).glob("*/*")),
        *(path.with_suffix("") for path in (house.home / "vault" / "segments").glob("*/*.duckdb")),
    ]
    paths = {f"{path.parent.name}/{path.name}" for path in places if not {path.name, f"enrolment/{path.name}"} & known}
    parts = {
        str(path) for place in ("vault", "quarantine", "landing") for path in (house.home / place).rglob("*.part*")
    }
    return paths | parts | {str(path) for path in (house.home / "vault" / "scratch").glob("*")}


def check_after(house: object, file: Path, before: shelf.Snapshot | None, rows_before: int, rows_added: int) -> None:
    """Look as a reader does, and load again, which sweeps."""
    now = shelf.snapshot_of("enrolment")
    published = now is not None and now != before
    assert now == before or (now is not None and len(published_rows(house)) == rows_before + rows_added)
    assert {path.name for path in (house.home / "landing").iterdir()} <= {".enrolment.lock"}
    left = leftovers(house)
    again = load(house, file, max_bad_percent=50)
    assert leftovers(house) == set()
    # The next load writes over unfinished files of its own names; all else is swept, and the log says so.
    swept = {path for path in left if not path.endswith((".book.part", ".sealed.part"))}
    assert bool(swept) == ("intake.swept" in [event.kind for event in house.book.events()])
    assert set(house.vault._engine._store.names()) == {name for name in known_names() if "/" in name}
    assert isinstance(again, LoadReport), again
    assert again.recognised == published
    assert len(published_rows(house)) == rows_before + rows_added
    kept = [row.row for row in quarantine.read(house, "enrolment", again.snapshot)]
    assert kept == [7]


POINTS = ["rename:1", "rename:2", "rename:3", "rename:4", "rename:5", "rename:6", "rows:1", "publish", "committed"]


@pytest.mark.parametrize("point", POINTS)
def test_a_first_load_is_killed(house, tmp_path, point):
    describe(house)
    file = deliver(tmp_path, *GOOD, BAD)
    assert killed(house, file, point)
    assert (shelf.snapshot_of("enrolment") is not None) == (point == "committed")
    check_after(house, file, None, 0, 5)


@pytest.mark.parametrize("point", ["rename:3", "rows:1", "publish", "committed"])
def test_an_appended_load_is_killed(house, tmp_path, point):
    describe(house, "append")
    loaded(house, deliver(tmp_path, OTHER, name="first.csv"))
    before = shelf.snapshot_of("enrolment")
    file = deliver(tmp_path, *GOOD, BAD)
    assert killed(house, file, point)
    check_after(house, file, before, 1, 5)


def test_every_rename_of_a_load_is_among_the_points(house, tmp_path):
    """The points above are all there are before the log's own files: the run after the last one reaches the end."""
    describe(house)
    file = deliver(tmp_path, *GOOD, BAD)
    assert not killed(house, file, "rename:100")
    snapshot = shelf.snapshot_of("enrolment")
    assert snapshot is not None
    assert snapshot.rows == 5


def test_what_was_left_is_told_and_swept_by_hand(house, tmp_path):
    describe(house)
    loaded(house, deliver(tmp_path, OTHER, name="first.csv"))
    assert killed(house, deliver(tmp_path, *GOOD, BAD), "publish")
    (house.home / "landing" / "landed-x1").touch()
    assert sweep(house, "chen", wait=True) == {"landing": 1, "quarantine": 1, "segments": 1, "states": 1}
    (event,) = [event for event in house.book.events() if event.kind == "intake.swept"]
    assert json.loads(event.leaf)["facts"] == {"removed": {"landing": 1, "quarantine": 1, "segments": 1, "states": 1}}
    assert leftovers(house) == set()
    assert sweep(house, "chen", wait=True) == {}
    assert len(published_rows(house)) == 1


def test_superseded_snapshots_stay(house, tmp_path):
    describe(house)
    for name, rows in (("a.csv", GOOD), ("b.csv", (OTHER,))):
        loaded(house, deliver(tmp_path, *rows, name=name))
    assert len(shelf.snapshots()) == 2
    assert sweep(house, "chen", wait=True) == {}
    assert {path.name for path in (house.home / "vault" / "states" / "enrolment").iterdir()} == {
        one.id for one in shelf.snapshots()
    }


def test_a_sweep_that_never_rests_takes_nothing_from_loads_and_readers(house, tmp_path):
    """Loads in processes of their own, a reader in a thread, and sweeps one after the other, until the loads end."""
    describe(house, "append")
    loaded(house, deliver(tmp_path, *GOOD[:4], name="a.csv"))
    files = [deliver(tmp_path, row, name=name) for name, row in (("b.csv", NEXT), ("c.csv", GOOD[4]))]
    command = warm.python(str(Path(crashing_load.__file__)), str(house.home))
    running = [subprocess.Popen([*command, str(file), "rename:100"]) for file in files]
    sweeps = 0
    while any(process.poll() is None for process in running):
        assert sweep(house, "chen", wait=sweeps % 2 == 1) in ({}, None)
        sweeps += 1
    assert [process.returncode for process in running] == [0, 0]
    assert sweeps > 10, "too few to show anything"
    assert len(published_rows(house)) == 6
    snapshot = shelf.snapshot_of("enrolment")
    assert snapshot is not None
    assert house.vault._states.newest("enrolment", snapshot.id, "settled_on").any()


def test_two_loads_at_once_come_one_after_the_other(house, tmp_path):
    describe(house, "append")
    files = [deliver(tmp_path, *GOOD, name="a.csv"), deliver(tmp_path, NEXT, name="b.csv")]
    command = warm.python(str(Path(crashing_load.__file__)), str(house.home))
    running = [subprocess.Popen([*command, str(file), "rename:100"]) for file in files]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert len(published_rows(house)) == 6
    snapshot = shelf.snapshot_of("enrolment")
    assert snapshot is not None
    assert (len(snapshot.segments), snapshot.rows) == (2, 6)
