# SPDX-License-Identifier: Apache-2.0
"""The model of a disk that loses power is judged itself: by toy logs whose faults are known, and by a real folder.

A toy log writes its records to a file and gives its head a name. Without a sync it loses what it told; with its data
synced and its name not, it loses the name; with the whole protocol, nothing.
"""

import random
import sys
from pathlib import Path

import pytest

from lib.disk_states import SECTOR, Disk, State, check_whole
from lib.disk_trace import (
    Create,
    Link,
    Mkdir,
    Operation,
    Rename,
    Rmdir,
    Said,
    Sync,
    Truncate,
    Unlink,
    Unseen,
    Write,
    record,
    strace,
)

traced = pytest.mark.skipif(strace() is None, reason="strace is not here, or may not trace")


def states_of(before: Path, operations: list[Operation], some: int = 40) -> list[tuple[int, State]]:
    """Return every state at every cut, with the number of operations before it."""
    disk, dice, states = Disk(before), random.Random(4), []
    for number, operation in enumerate(operations, start=1):
        disk.take(operation)
        states += [(number, state) for state in disk.states(dice, some=some)]
    return states


def contents(states: list[tuple[int, State]], path: str) -> set[bytes | None]:
    """Return what a file may hold after the last operation; None where it is not there."""
    last = states[-1][0]
    held: set[bytes | None] = set()
    for cut, state in states:
        if cut == last:
            placed = state.files.get(path)
            held.add(None if placed is None or placed.content is None else placed.content.data)
    return held


def toy_log(*, data_synced: bool, name_synced: bool) -> list[Operation]:
    """Four heads, one after the other in the place of the one before; each is told."""
    operations: list[Operation] = []
    for number in range(1, 5):
        operations += [Create("head.part"), Write("head.part", 0, bytes([number]) * 3 * SECTOR)]
        if data_synced:
            operations.append(Sync("head.part", len(operations)))
        operations.append(Rename("head.part", "head"))
        if name_synced:
            operations.append(Sync("", len(operations)))
        operations.append(Said(str(number)))
    return operations


def broken(before: Path, operations: list[Operation]) -> tuple[int, int]:
    """Return how many states do not hold what was told, and how many there are."""
    states, bad = states_of(before, operations), 0
    for cut, state in states:
        said = max((int(one.text) for one in operations[:cut] if isinstance(one, Said)), default=0)
        placed = state.files.get("head")
        head = placed.content.data if placed is not None and placed.content is not None else b""
        whole = len(set(head)) == 1 and len(head) == 3 * SECTOR
        bad += not (whole and head[0] >= said) if said or head else False
    return bad, len(states)


def test_a_toy_log_is_found_out_unless_it_syncs_both(tmp_path):
    none, of_none = broken(tmp_path, toy_log(data_synced=False, name_synced=False))
    data, of_data = broken(tmp_path, toy_log(data_synced=True, name_synced=False))
    both, of_both = broken(tmp_path, toy_log(data_synced=True, name_synced=True))
    name, of_name = broken(tmp_path, toy_log(data_synced=False, name_synced=True))
    print(f"toy log: no sync {none}/{of_none}, data {data}/{of_data}, name {name}/{of_name}, both {both}/{of_both}")
    assert none > of_none / 2
    assert data > of_data / 4
    assert name > of_name / 4
    assert both == 0
    assert of_both > 50


def test_an_unsynced_write_is_kept_lost_torn_or_zero(tmp_path):
    data = b"x" * (2 * SECTOR)
    held = contents(states_of(tmp_path, [Create("f"), Sync("", 1), Write("f", 0, data)]), "f")
    assert held == {b"", data, data[:SECTOR], data[:SECTOR] + bytes(SECTOR), bytes(2 * SECTOR)}


def test_a_write_over_what_lasts_leaves_no_zeros(tmp_path):
    old, new = b"o" * (2 * SECTOR), b"n" * (2 * SECTOR)
    operations = [Create("f"), Sync("", 1), Write("f", 0, old), Sync("f", 3), Write("f", 0, new)]
    assert contents(states_of(tmp_path, operations), "f") == {old, new, new[:SECTOR] + old[SECTOR:]}


def test_of_two_writes_each_may_come_alone(tmp_path):
    a, b = b"a" * SECTOR, b"b" * SECTOR
    held = contents(states_of(tmp_path, [Create("f"), Sync("", 1), Write("f", 0, a), Write("f", SECTOR, b)]), "f")
    assert {b"", a, a + b, bytes(SECTOR) + b} <= held


def test_a_sync_covers_what_had_ended_when_it_began(tmp_path):
    operations = [Create("f"), Sync("", 1), Write("f", 0, b"early"), Write("f", 5, b" late"), Sync("f", 3)]
    assert contents(states_of(tmp_path, operations), "f") == {b"early", b"early late", b"early\0\0\0\0\0"}


def test_names_go_from_some_point_on(tmp_path):
    (tmp_path / "old").write_bytes(b"")
    operations = [Mkdir("d"), Create("d/a"), Link("d/a", "b"), Unlink("old"), Truncate("d/a", 0)]
    states = states_of(tmp_path, operations, 300)
    named = {frozenset(state.files) | state.folders for cut, state in states if cut == len(operations)}
    in_order = [{"old"}, {"old", "d"}, {"old", "d", "d/a"}, {"old", "d", "d/a", "b"}, {"d", "d/a", "b"}]
    assert {frozenset(one) for one in in_order} <= named
    assert frozenset({"old", "d", "b"}) in named, "each folder for itself: the link came, its first name did not"
    assert all("d" in names for names in named if "d/a" in names)


def test_a_file_whose_data_is_synced_may_have_no_name(tmp_path):
    states = states_of(tmp_path, [Create("f"), Write("f", 0, b"data"), Sync("f", 2)])
    assert contents(states, "f") == {b"data", None}


def test_a_folder_that_is_renamed_takes_its_files_along(tmp_path):
    operations = [Mkdir("d"), Create("d/f"), Sync("d", 2), Rename("d", "e"), Sync("", 4), Unlink("e/f"), Rmdir("e")]
    named = {frozenset(state.files) for cut, state in states_of(tmp_path, operations) if cut == len(operations)}
    assert named == {frozenset({"e/f"}), frozenset()}


_ACTS = """
import os, shutil, sys
from pathlib import Path
d = Path(sys.argv[1])
with (d / "kept").open("r+b") as file:
    file.seek(3); file.write(b"XYZ")
(d / "in").mkdir(); (d / "in" / "new").write_bytes(b"n" * 5000)
with (d / "in" / "new").open("r+b") as file:
    file.truncate(4000); os.writev(file.fileno(), [b"one", b"two"]); os.pwrite(file.fileno(), b"three", 4100)
os.rename(d / "in", d / "out"); os.link(d / "out" / "new", d / "second"); os.truncate(d / "second", 4101)
with (d / "kept").open("ab") as file:
    file.write(b"at the end")
(d / "gone").unlink(); shutil.rmtree(d / "tree")
if os.fork() == 0:
    (d / "child").write_bytes(b"of a child"); os._exit(0)
os.wait(); print("done", flush=True)
"""


@traced
def test_a_trace_tells_all_that_happened_to_a_folder(tmp_path):
    folder, work = tmp_path / "folder", tmp_path / "work"
    (folder / "tree" / "deep").mkdir(parents=True)
    work.mkdir()
    for name in ("kept", "gone", "tree/deep/leaf"):
        (folder / name).write_bytes(b"0123456789")
    run = record([sys.executable, "-c", _ACTS, str(folder)], folder, work)
    assert (run.status, run.output) == (0, "done\n")
    assert run.operations[-1] == Said("output")
    check_whole(run.before, run.operations, folder)


@traced
@pytest.mark.parametrize(
    "act",
    [
        "import mmap; f = open(d + '/f', 'r+b'); mmap.mmap(f.fileno(), 0)",
        "import shutil; shutil.copyfile('/etc/passwd', d + '/g')",
        "import os; os.symlink('/etc', d + '/g')",
        "import os; os.rename(d + '/f', d + '/../elsewhere')",
    ],
)
def test_what_a_trace_cannot_show_is_refused(tmp_path, act):
    folder, work = tmp_path / "folder", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    (folder / "f").write_bytes(b"0123456789")
    with pytest.raises(Unseen):
        record([sys.executable, "-c", f"import sys; d = sys.argv[1]; {act}", str(folder)], folder, work)
