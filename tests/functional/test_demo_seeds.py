# SPDX-License-Identifier: Apache-2.0
"""The demo on five cities: it tells its story to the end, and no dead pensioner is certified in any of them.

Coverage and misses are what they are: printed, never tuned to the article's figure.
"""

import re
import subprocess

import pytest

from lib.pier import cold_command_line

SEEDS = (1, 2, 3, 4, 5)
PEOPLE = 20_000
SCORE = re.compile(
    r"(?P<coverage>[\d.]+)% of the living certified silently, (?P<dead>\d+) dead\s+certified, (?P<missed>[\d,]+) missed"
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_no_dead_pensioner_is_certified(tmp_path, seed) -> None:
    words = ("demo", "--people", str(PEOPLE), "--seed", str(seed), "--lang", "en", "--home", str(tmp_path / "demo"))
    ran = subprocess.run(
        cold_command_line(*words),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2_000:] + ran.stderr[-2_000:]
    score = SCORE.search(ran.stdout)
    assert score is not None, ran.stdout
    print(f"seed {seed}, {PEOPLE:,} people: {score[0]}")
    assert int(score["dead"]) == 0
    assert 0 < float(score["coverage"]) <= 100
    assert "certificates valid, checked offline" in ran.stdout
    assert "✗ a " not in ran.stdout
