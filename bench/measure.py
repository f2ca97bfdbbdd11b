# SPDX-License-Identifier: Apache-2.0
"""Stopwatches. CPU is what all threads of this process and all its children took, user and system.

Children that live count with what they and those they waited for took: parsers are forked by a process that goes on.
"""

import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Spent:
    """What one run took, in seconds. `children_cpu` is part of `cpu`."""

    cpu: float
    wall: float
    children_cpu: float = 0.0


def spent(work: Callable[[], object]) -> Spent:
    """Run something once."""
    ours, theirs, started = _cpu(resource.RUSAGE_SELF), _children(), time.perf_counter()
    work()
    wall = time.perf_counter() - started
    children = _children() - theirs
    return Spent(_cpu(resource.RUSAGE_SELF) - ours + children, wall, children)


def in_turn(runs: int, *works: Callable[[], object]) -> list[list[Spent]]:
    """Run several things in turn, so many times; returns the runs of each."""
    took: list[list[Spent]] = [[] for _ in works]
    for _ in range(runs):
        for place, work in enumerate(works):
            took[place].append(spent(work))
    return took


def cpu_of(runs: Sequence[Spent]) -> float:
    return statistics.median(run.cpu for run in runs)


def wall_of(runs: Sequence[Spent]) -> float:
    return statistics.median(run.wall for run in runs)


def ratio(ours: Sequence[Spent], theirs: Sequence[Spent]) -> float:
    """Return the median of CPU ratios, run by run: neighbours in time had the same machine."""
    return statistics.median(one.cpu / other.cpu for one, other in zip(ours, theirs, strict=True))


def spread(ours: Sequence[Spent], theirs: Sequence[Spent]) -> str:
    """Return the least and the greatest of those ratios, for the note beside their median."""
    ratios = [one.cpu / other.cpu for one, other in zip(ours, theirs, strict=True)]
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _children() -> float:
    """Return the CPU seconds of ended and of living children, these to a hundredth."""
    # One that ends between the two looks would be in neither: looked again, until no further one has ended.
    ended = -1.0
    while ended != (now := _cpu(resource.RUSAGE_CHILDREN)):
        ended, living = now, _living()
    return ended + living


def _living() -> float:
    ticks = 0
    for pid in " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children")).split():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        ticks += sum(map(int, fields[11:15]))  # proc(5): fields 14 to 17
    return ticks / os.sysconf("SC_CLK_TCK")
