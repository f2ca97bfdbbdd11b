# SPDX-License-Identifier: Apache-2.0
"""Seeds of a simulated world (`lib/world`): acts, a clock that jumps, and deaths between any two steps that make something last.

A few seeds by day; EXPLORE=full lives two thousand. SEED=n lives that one.
"""

import multiprocessing
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from lib.crash_states import memory_folder
from lib.pier import Settled
from lib.world import ACTS, World, counted

FULL = os.environ.get("EXPLORE") == "full"
SEEDS = 2_000 if FULL else 4
ACTS_EACH = 6
pytestmark = pytest.mark.timeout(7_200 if FULL else 300)


def _lived(settled: Settled, seeds: list[int], steps: dict[str, int]) -> tuple[int, int, list[str]]:
    """Live some seeds; return how many acts died, how many loads there were, and what broke."""
    died, loads, broken = 0, 0, []
    for seed in seeds:
        # Thousands of worlds want a disk that takes no time; a few take what there is.
        above = memory_folder(Path(tempfile.gettempdir())) if FULL else None
        folder = Path(tempfile.mkdtemp(prefix="world-", dir=above))
        try:
            home = Path(shutil.copytree(settled.home, folder / "pier"))
            world = World(seed, settled, home, folder, steps)
            world.live(ACTS_EACH)
            died, loads = died + world.died, loads + world.loads
        except AssertionError as wrong:
            broken.append(f"SEED={seed}: {wrong}"[:400])
        finally:
            shutil.rmtree(folder)
    return died, loads, broken


def _steps(settled: Settled, folder: Path) -> dict[str, int]:
    home = Path(shutil.copytree(settled.home, folder / "counted"))
    return counted(World(0, settled, home, folder, dict.fromkeys(ACTS, 1)))


def test_nothing_is_lost_doubled_or_half_done_in_any_world(settled_pier: Settled, tmp_path: Path) -> None:
    steps = _steps(settled_pier, tmp_path)
    assert min(steps.values()) >= 2, steps
    assert max(steps.values()) > 30, steps
    seeds = [int(os.environ["SEED"])] if "SEED" in os.environ else list(range(1, SEEDS + 1))
    if FULL and len(seeds) > 1:
        workers = os.cpu_count() or 1
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            parts = pool.starmap(_lived, [(settled_pier, seeds[part::64], steps) for part in range(64)], chunksize=1)
    else:
        parts = [_lived(settled_pier, seeds, steps)]
    died, loads = sum(part[0] for part in parts), sum(part[1] for part in parts)
    broken = [one for part in parts for one in part[2]]
    print(
        f"{len(seeds):,} worlds of {ACTS_EACH} acts, {died:,} killed on the way, {loads:,} loads; {len(broken)} broken"
    )
    assert broken == []
    assert died >= len(seeds) / 2 or len(seeds) == 1


def test_a_world_that_is_cheated_is_found(settled_pier: Settled, tmp_path: Path) -> None:
    """The control: an answer with other bytes, a charge too many, rows that nobody delivered."""
    home = Path(shutil.copytree(settled_pier.home, tmp_path / "pier"))
    world = World(1, settled_pier, home, tmp_path, dict.fromkeys(ACTS, 1))
    world._act("ask", 0)
    world.look(whole=True)
    for cheat, said in (
        (lambda: world.answers.update(dict.fromkeys(world.answers, "sha256:other")), "other bytes"),
        (lambda: setattr(world, "rows", set()), "rows are published"),
    ):
        kept = dict(world.answers), set(world.rows)
        cheat()
        with pytest.raises(AssertionError, match=said):
            world.look(whole=True)
        world.answers, world.rows = kept
    with pytest.raises(AssertionError, match="charged otherwise"):
        request = next(iter(world.asked))
        del world.asked[request]
        world.look(whole=False)
