# SPDX-License-Identifier: Apache-2.0
"""The story of ten million people: a quarter of an hour, and 20 GB of disk."""

from pathlib import Path

from bench.growth import noted, told
from bench.table import Figure, at_most


def measure(folder: Path) -> list[Figure]:
    """Tell it once."""
    cost = told(10_000_000, folder / "city")
    return [
        Figure("largest", "ten million people", cost.seconds, "s", 1, at_most(900), noted(cost)),
        Figure("largest", "memory for ten million", cost.peak / 2**30, "GiB", 1, at_most(10)),
    ]
