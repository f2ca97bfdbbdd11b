# SPDX-License-Identifier: Apache-2.0
"""Tiles on a real disk: the layout of tlog-tiles, repeatable appends, and no silent repair."""

import os
from pathlib import Path

import pytest

from zhanqiao.ledger.tiles import MAX_ENTRY_BYTES, TilesDamaged, TileStore
from zhanqiao.ledger.tree import check_consistency, leaf_hash, root_from_inclusion, root_of


def some_leaves(start: int, end: int) -> list[bytes]:
    return [b"leaf %d" % number * (number % 5) for number in range(start, end)]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def filled(folder: Path, *sizes: int) -> TileStore:
    store = TileStore(folder)
    for start, end in zip((0, *sizes), sizes, strict=False):
        store.append(start, some_leaves(start, end))
    return store


def expected_layout(size: int) -> set[str]:
    """Return the files of tlog-tiles' own example rule: floor(s / 256**l) mod 256 wide partials, empty ones absent."""
    names, level = set(), 0
    while (records := size >> (8 * level)) > 0:
        for kind in (str(level), "entries") if level == 0 else (str(level),):
            names |= {f"tile/{kind}/{number:03d}" for number in range(records // 256)}
            if records % 256:
                names.add(f"tile/{kind}/{records // 256:03d}.p/{records % 256}")
        level += 1
    return names


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 70_000])
def test_the_layout_is_that_of_tlog_tiles(tmp_path: Path, size: int):
    filled(tmp_path, size)
    found = contents(tmp_path)
    assert found.keys() == expected_layout(size)
    assert all(
        len(content) == 256 * 32 for name, content in found.items() if "entries" not in name and ".p" not in name
    )


def test_a_tile_number_is_split_into_threes(tmp_path: Path):
    store = TileStore(tmp_path)
    assert store._path("0", 1_234_067, 256) == tmp_path / "tile/0/x001/x234/067"
    assert store._path("entries", 1_000, 7) == tmp_path / "tile/entries/x001/000.p/7"


def test_many_small_appends_give_what_one_large_gives(tmp_path: Path):
    sizes = (1, 2, 5, 200, 255, 256, 300, 511, 700, 1_100)
    filled(tmp_path / "small", *sizes)
    filled(tmp_path / "large", 1_100)
    small, large = contents(tmp_path / "small"), contents(tmp_path / "large")
    assert large.items() <= small.items()
    # What is more in the first are partial tiles of sizes that had a checkpoint, beside tiles not full yet.
    assert all(".p/" in name and name.split(".p/")[0] not in large for name in small.keys() - large.keys())


def test_proofs_entries_and_roots_at_every_checkpointed_size(tmp_path: Path):
    sizes = (1, 3, 255, 256, 257, 600, 66_000)
    store = filled(tmp_path, *sizes)
    leaves = some_leaves(0, sizes[-1])
    hashes = [leaf_hash(leaf) for leaf in leaves]
    roots = {size: root_of(hashes[:size]) for size in (0, *sizes)}
    for size in sizes:
        assert store.root(size) == roots[size]
        for index in {0, size // 2, size - 1}:
            assert store.entry(index, size) == leaves[index]
            assert root_from_inclusion(hashes[index], index, size, store.inclusion(index, size)) == roots[size]
        for old in (0, *sizes):
            if old <= size:
                assert check_consistency(old, roots[old], size, roots[size], store.consistency(old, size))
    assert store.hash_at(9, 1, 66_000) == root_of(hashes[512:1024])


def test_only_complete_subtrees_have_a_hash(tmp_path: Path):
    store = filled(tmp_path, 10)
    with pytest.raises(ValueError, match="not complete at size 10"):
        store.hash_at(3, 1, 10)
    with pytest.raises(ValueError, match="couldn't read entry 10"):
        store.entry(10, 10)


def test_appending_twice_changes_nothing(tmp_path: Path):
    store = filled(tmp_path, 100, 700)
    before = contents(tmp_path)
    store.append(100, some_leaves(100, 700))
    store.append(0, some_leaves(0, 700))
    store.append(700, [])
    assert contents(tmp_path) == before


@pytest.mark.parametrize("start", [0, 100, 256, 300])
def test_an_append_that_crashed_anywhere_is_completed_by_repeating_it(tmp_path: Path, start: int):
    """Each file is there or not, whole or only begun, and a stale `.part` may lie beside it."""
    end = 900
    whole = tmp_path / "whole"
    filled(whole, *([start] if start else []), end)
    goal = contents(whole)
    base = tmp_path / "base"
    base.mkdir()
    if start:
        filled(base, start)
    gained = sorted(goal.keys() - contents(base).keys())
    for cut, victim in enumerate(gained):
        folder = tmp_path / f"cut{cut}"
        for name, content in {**contents(base), **{name: goal[name] for name in gained[:cut]}}.items():
            write(folder / name, content)
        write(folder / victim, goal[victim][: len(goal[victim]) // 2])
        write(folder / (victim + ".part"), b"stale")
        TileStore(folder).append(start, some_leaves(start, end))
        found = contents(folder)
        assert goal.items() <= found.items()
        assert not any(name.endswith(".part") for name in found)
        assert TileStore(folder).root(end) == root_of(map(leaf_hash, some_leaves(0, end)))


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["tile/0/001", "tile/entries/001", "tile/1/000.p/3", "tile/0/003.p/132"])
def test_other_content_in_a_written_tile_is_a_fault_and_stays_as_evidence(tmp_path: Path, name: str):
    store = filled(tmp_path, 900)
    path = tmp_path / name
    content = path.read_bytes()
    forged = content[:-1] + bytes([content[-1] ^ 1])
    path.write_bytes(forged)
    with pytest.raises(TilesDamaged, match="other content stands in its place"):
        store.append(0, some_leaves(0, 900))
    assert path.read_bytes() == forged


def test_another_history_is_a_fault(tmp_path: Path):
    store = filled(tmp_path, 300)
    with pytest.raises(TilesDamaged):
        store.append(0, [b"rewritten", *some_leaves(1, 300)])


def test_appending_behind_a_gap_is_a_fault(tmp_path: Path):
    store = filled(tmp_path, 10)
    with pytest.raises(TilesDamaged, match="no such tile"):
        store.append(12, some_leaves(12, 20))


def test_a_missing_or_short_tile_is_a_fault(tmp_path: Path):
    store = filled(tmp_path, 600)
    tile = tmp_path / "tile/0/000"
    tile.write_bytes(tile.read_bytes()[:-1])
    with pytest.raises(TilesDamaged, match="255 records, 256 expected"):
        store.inclusion(3, 600)
    tile.unlink()
    with pytest.raises(TilesDamaged, match="no such tile"):
        store.inclusion(3, 600)
    bundle = tmp_path / "tile/entries/001"
    bundle.write_bytes(bundle.read_bytes()[:-1])
    with pytest.raises(TilesDamaged):
        store.entry(511, 600)


def test_an_older_checkpoint_is_proved_from_the_full_tile(tmp_path: Path):
    """Partial tiles go away once the full one is there; who still holds the older checkpoint is not left alone."""
    store = filled(tmp_path, 100)
    older = store.inclusion(5, 100)
    store.append(100, some_leaves(100, 400))
    assert not (tmp_path / "tile/0/000.p").exists()
    assert not (tmp_path / "tile/entries/000.p").exists()
    assert store.inclusion(5, 100) == older
    assert store.entry(99, 100) == some_leaves(99, 100)[0]


def test_the_longest_entry_fits_and_a_longer_one_is_refused_before_writing(tmp_path: Path):
    store = TileStore(tmp_path)
    with pytest.raises(ValueError, match="65535 fit"):
        store.append(0, [b"short", bytes(MAX_ENTRY_BYTES + 1)])
    assert contents(tmp_path) == {}
    store.append(0, [bytes(MAX_ENTRY_BYTES), b""])
    assert store.entry(0, 2) == bytes(MAX_ENTRY_BYTES)
    assert store.entry(1, 2) == b""


def test_every_file_is_synced_before_its_name_stands_and_every_folder_after(tmp_path: Path, monkeypatch):
    """Watch the calls: sync of the file, rename, then sync of its folder and all above."""
    log: list[tuple[str, str]] = []
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(descriptor: int) -> None:
        log.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        fsync(descriptor)

    def watched_replace(self: Path, target: Path) -> Path:
        log.append(("rename", str(target)))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    filled(tmp_path, 300)
    renamed = [(at, name) for at, (call, name) in enumerate(log) if call == "rename"]
    assert {name for _, name in renamed} == {str(tmp_path / name) for name in contents(tmp_path)}
    for at, name in renamed:
        assert ("fsync", name + ".part") in log[:at]
        for folder in Path(name).parents:
            if folder.is_relative_to(tmp_path):
                assert ("fsync", str(folder)) in log[at:]
