# SPDX-License-Identifier: Apache-2.0
"""The city: rows written as delivered files, dirt and truth included, for each second of one core."""

import shutil
import statistics
from pathlib import Path

from bench.measure import spent
from bench.table import Figure, at_least
from bench.town import TODAY
from zhanqiao.scenarios.city import Manifest, write_city

PEOPLE = 100_000
RUNS = 3


def measure(folder: Path) -> list[Figure]:
    """Write the demo's city, each time with another seed."""
    speeds, rows = [], 0
    for seed in range(RUNS):
        written: list[Manifest] = []
        took = spent(
            lambda seed=seed, written=written: written.append(write_city(folder / "city", PEOPLE, seed, TODAY))
        )
        rows = written[0].rows
        speeds.append(rows / took.cpu)
        shutil.rmtree(folder / "city")
    return [
        Figure(
            "generator",
            "rows a core-second",
            statistics.median(speeds),
            "rows/cpu-s",
            RUNS,
            at_least(500_000),
            f"{PEOPLE:,} people, {rows:,} rows: people, departments, dirt and files",
        )
    ]
