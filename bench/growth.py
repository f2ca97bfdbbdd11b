# SPDX-License-Identifier: Apache-2.0
"""`python -m bench.growth [PEOPLE ...]`: what the demo costs at growing sizes; writes `bench/growth.json`.

Each size is told by a process of its own. Seconds are by the wall clock; memory is what the process and all its
children held at the worst moment, each shared page counted once (PSS), looked at twice a second. It wants Linux, a
quiet machine, half an hour, and 20 GB of disk for the largest.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench import machine

LATEST = Path(__file__).parent / "growth.json"
# Of `demo --scale article`.
ARTICLE_PEOPLE = 1_208_000
SIZES = (10_000, 30_000, 100_000, 300_000, ARTICLE_PEOPLE, 3_000_000, 10_000_000)
# Not `main`, which lets nobody look into the process: its memory is what is looked at.
_COMMAND = "from zhanqiao.desk.cli import app; app()"
_LOOK_EVERY = 0.5
# The first stages of the story by their numbers; all others take less together.
_STAGES = {1: "build", 2: "load", 7: "certify"}


@dataclass
class Cost:
    """What one size cost.

    seconds    the whole command, the interpreter's start included
    stages     seconds of the stages that grow with the city
    peak       bytes of memory at the worst moment
    delivered  bytes of the departments' files
    kept       bytes of the deployment
    """

    people: int
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    peak: int = 0
    delivered: int = 0
    kept: int = 0


def main() -> int:
    """Measure every size and write what it cost; what was measured before at another size stays."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("people", nargs="*", type=int, metavar="PEOPLE", help="sizes; seven of them by default")
    costs = {cost["people"]: cost for cost in _latest()}
    for people in parser.parse_args().people or SIZES:
        with tempfile.TemporaryDirectory(prefix="zhanqiao-growth-") as folder:
            cost = told(people, Path(folder))
        print(f"{people:>12,} people  {cost.seconds:7.1f} s  {cost.peak / 2**30:5.2f} GiB", flush=True)
        costs[people] = asdict(cost)
        content = {"version": 1, "machine": machine.facts(), "costs": [costs[size] for size in sorted(costs)]}
        LATEST.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


def _latest() -> list[dict[str, int]]:
    return json.loads(LATEST.read_text(encoding="utf-8"))["costs"] if LATEST.exists() else []


def told(people: int, folder: Path) -> Cost:
    """Tell the story of so many people in a folder, which is made, and return what it cost. What it wrote stays."""
    folder.mkdir(exist_ok=True)
    cost, home = Cost(people), folder / "home"
    line = [sys.executable, "-c", _COMMAND, "demo", "--people", str(people), "--home", str(home), "--lang", "en"]
    started = time.monotonic()
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=folder) as story:
        watch = threading.Thread(target=_watch, args=(story, cost))
        watch.start()
        cost.stages = _stages(story)
        watch.join()
    cost.seconds = time.monotonic() - started
    if story.returncode:
        raise SystemExit(f"the demo of {people:,} people ended with {story.returncode}")
    cost.delivered, cost.kept = _size(folder / "home-city" / "deliveries"), _size(home)
    return cost


def noted(cost: Cost) -> str:
    """Return what stands beside a figure."""
    stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in cost.stages.items())
    return f"{cost.people:,} people, packages installed; {stages}; {cost.peak / 2**30:.2f} GiB"


def _stages(story: "subprocess.Popen[str]") -> dict[str, float]:
    """Return how long each stage took: its heading comes when it begins."""
    began: list[float] = []
    assert story.stdout is not None, "the story is piped"
    for line in story.stdout:
        if line.startswith(f"{len(began) + 1}. "):
            began.append(time.monotonic())
    return {name: began[number] - began[number - 1] for number, name in _STAGES.items()}


def _watch(story: "subprocess.Popen[str]", cost: Cost) -> None:
    while story.poll() is None:
        cost.peak = max(cost.peak, sum(map(_held, _family(story.pid))))
        time.sleep(_LOOK_EVERY)


def _family(pid: int) -> Iterator[int]:
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text()
        except OSError:
            continue  # the thread ended
        for child in children.split():
            yield from _family(int(child))


def _held(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # it ended
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
