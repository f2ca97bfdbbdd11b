# SPDX-License-Identifier: Apache-2.0
"""The demo's whole story at 100,000 people, as a newcomer sees it: one command, a process of its own."""

import subprocess
import sys
from pathlib import Path

from bench.measure import spent
from bench.table import Figure, at_most

PEOPLE = 100_000
_COMMAND = "from zhanqiao.desk.cli import main; main()"


def measure(folder: Path) -> list[Figure]:
    """Tell the story once."""
    home = folder / "demo-home"
    line = [sys.executable, "-c", _COMMAND, "demo", "--people", str(PEOPLE), "--home", str(home), "--lang", "en"]
    took = spent(lambda: subprocess.run(line, check=True, stdout=subprocess.DEVNULL, cwd=folder))
    note = f"{PEOPLE:,} people, packages installed; {took.cpu:.1f} cpu-s"
    return [Figure("story", "the demo's story", took.wall, "s", 1, at_most(60), note)]
