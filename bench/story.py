# SPDX-License-Identifier: Apache-2.0
"""The demo's story, as a newcomer tells it and with the published system's records: each one command, told once."""

from pathlib import Path

from bench.growth import ARTICLE_PEOPLE, noted, told
from bench.table import Figure, at_most

PEOPLE = 100_000


def measure(folder: Path) -> list[Figure]:
    """Tell the story at both sizes."""
    newcomer, article = told(PEOPLE, folder / "newcomer"), told(ARTICLE_PEOPLE, folder / "article")
    return [
        Figure("story", "the demo's story", newcomer.seconds, "s", 1, at_most(60), noted(newcomer)),
        Figure("story", "the published system's records", article.seconds, "s", 1, at_most(300), noted(article)),
        Figure("story", "memory of all its processes", article.peak / 2**30, "GiB", 1, at_most(4)),
    ]
