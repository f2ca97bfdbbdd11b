# SPDX-License-Identifier: Apache-2.0
"""`python -m bench [NAME ...]`: measure, print the table, write `bench/latest.json`. `--full` takes ten million people too."""

import argparse
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from django.db import connections

from bench import machine, table
from bench.table import Figure
from zhanqiao.desk import state

NAMES = ("load", "cube", "certification", "ledger", "generator", "guard", "engines", "story")
SLOW = "largest"
LATEST = Path(__file__).parent / "latest.json"


def main() -> int:
    """Measure what was asked for. A goal that does not hold is a fact, no failure: the status is 0."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all of them by default")
    parser.add_argument(
        "--full", action="store_true", help="also the story of ten million people, a quarter of an hour"
    )
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no figure is named {', '.join(sorted(unknown))}")
    state.prepare()
    started = time.monotonic()
    facts = machine.facts()
    figures: list[Figure] = []
    for name in [*(asked.names or NAMES), *([SLOW] if asked.full else [])]:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        figures += _measured(name)
    table.write(LATEST, figures, facts, time.monotonic() - started)
    print(table.as_text(figures))
    print(f"\n{time.monotonic() - started:.0f} s; bench/latest.json")
    return 0


def _measured(name: str) -> list[Figure]:
    """Measure in a folder of its own, which goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="zhanqiao-bench-") as folder:
        try:
            figures: list[Figure] = import_module(f"bench.{name}").measure(Path(folder))
        finally:
            connections.close_all()
    return figures


if __name__ == "__main__":
    sys.exit(main())
