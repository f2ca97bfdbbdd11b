# SPDX-License-Identifier: Apache-2.0
"""A whole `intake.load`, every step and the parser's process included, beside plain DuckDB reading the same CSV.

The peer sniffs the types itself and passes over lines that do not fit, into a plain table of a plain file; it checks,
masks, encrypts and derives nothing. It has one thread, with which it takes the least CPU (half of that on two). It
cannot read GB18030, so there the peer is a transcoding before it. Each run of ours has a run of the peer beside it, and
the note says between which ratios the median lies.

Taken apart by a profiler whose clock is this process's CPU, with the ended parsers beside it.
"""

import cProfile
import json
import pstats
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Spent, cpu_of, in_turn, ratio, spent, spread, wall_of
from bench.table import Figure, at_most
from bench.town import TODAY, describe, done, found, plain_database
from zhanqiao import intake
from zhanqiao.scenarios.city import write_city
from zhanqiao.vault.house import House

PEOPLE = 600_000
RUNS = 3
UTF8, GB18030 = "pension_payment", "fund_deposit"
_GOAL = at_most(1.25)

# Where the CPU of a load goes: the function that stands for a part, and its module.
_PARTS = {
    "collect": ("intake/collect.py", "collect"),
    "checks": ("intake/checks.py", "check"),
    "masks": ("intake/masks.py", "mask"),
    "subject numbers": ("intake/load.py", "_number_subjects"),
    "encrypted segment": ("vault/vault.py", "load"),
    "cube": ("vault/vault.py", "build"),
}


def measure(folder: Path) -> list[Figure]:
    """Load a month of a city of 600,000: once with every subject new, once with every subject known."""
    city = folder / "city"
    write_city(city, PEOPLE, 1, TODAY)
    utf8, gb18030 = (_joined(folder, city, dataset) for dataset in (UTF8, GB18030))
    shutil.rmtree(city)
    return [*_utf8(folder, utf8), _gb18030(folder, gb18030)]


def _utf8(folder: Path, file: Path) -> list[Figure]:
    homes = _homes(folder, UTF8)
    # One row less is another delivery; every subject of it has a number when it is loaded second.
    later = folder / "later.csv"
    later.write_bytes(file.read_bytes().rpartition(b"\n")[0].rpartition(b"\n")[0] + b"\n")
    new, known, plain = [], [], []
    for _ in range(RUNS):
        house = next(homes)
        new.append(spent(lambda house=house: _load(house, UTF8, file)))
        known.append(spent(lambda house=house: _load(house, UTF8, later)))
        plain.append(spent(lambda: _plain(folder, file)))
    house = next(homes)
    parts, whole = _taken_apart(house, file)
    shares = ", ".join(f"{name} {share / whole:.0%}" for name, share in parts.items())
    without = cpu_of(new) * (1 - (parts["checks"] + parts["cube"]) / whole) / cpu_of(plain)
    rows = f"{UTF8}, {_lines(file):,} rows in one file"
    return [
        Figure(
            "load",
            "whole load / plain DuckDB",
            ratio(new, plain),
            "x cpu",
            RUNS,
            _GOAL,
            f"{rows}, every subject new; {spread(new, plain)}; ours {_seconds(new)}, plain {_seconds(plain)}",
        ),
        Figure(
            "load",
            "whole load, subjects known / plain DuckDB",
            ratio(known, plain),
            "x cpu",
            RUNS,
            _GOAL,
            f"the same rows again, as next month; {spread(known, plain)}; ours {_seconds(known)}",
        ),
        Figure(
            "load",
            "the same less checks and cube",
            without,
            "x cpu",
            1,
            note="every subject new: collect, parse, mask, number, encrypt, publish",
        ),
        Figure("load", "share of the checks", 100 * parts["checks"] / whole, "% of cpu", 1, note=shares),
    ]


def _gb18030(folder: Path, file: Path) -> Figure:
    homes = _homes(folder, GB18030)

    def plain() -> None:
        text = folder / "transcoded.csv"
        text.write_bytes(file.read_bytes().decode("gb18030", "replace").encode())
        _plain(folder, text)

    ours, theirs = [], []
    for _ in range(RUNS):
        house = next(homes)
        [[one], [other]] = in_turn(1, lambda house=house: _load(house, GB18030, file), plain)
        ours.append(one)
        theirs.append(other)
    return Figure(
        "load",
        "GB18030: whole load / transcoding and plain DuckDB",
        ratio(ours, theirs),
        "x cpu",
        RUNS,
        _GOAL,
        f"{GB18030}, {_lines(file):,} rows, every subject new; {spread(ours, theirs)}; "
        f"ours {_seconds(ours)}, plain {_seconds(theirs)}",
    )


def _homes(folder: Path, dataset: str) -> Iterator[House]:
    """Yield deployments without data, one at a time."""
    home = folder / "home"
    while True:
        shutil.rmtree(home, ignore_errors=True)
        house = found(home)
        describe(house, dataset)
        yield house


def _load(house: House, dataset: str, file: Path) -> None:
    report = done(intake.load(house, dataset, [file], "bench"))
    assert report.published and not report.recognised, "every run loads"  # noqa: PT018


def _plain(folder: Path, file: Path) -> None:
    path = folder / "plain.duckdb"
    with plain_database(path, threads=1) as connection:
        connection.execute("CREATE TABLE plain AS SELECT * FROM read_csv(?, ignore_errors = true)", [str(file)])
        connection.execute("CHECKPOINT")
    path.unlink()


def _taken_apart(house: House, file: Path) -> tuple[dict[str, float], float]:
    """Return the CPU seconds of each part of one load, and of the whole."""
    profile = cProfile.Profile(time.process_time)
    took: Spent = spent(lambda: profile.runcall(_load, house, UTF8, file))
    parts = {"parser": took.children_cpu}
    measured = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for part, (module, function) in _PARTS.items():
        found_in = [
            figures[3]
            for (path, _, name), figures in measured.items()
            if name == function and path.endswith(f"zhanqiao/{module}")
        ]
        if not found_in:
            raise LookupError(f"couldn't take a load apart: {module} has no {function}")
        parts[part] = sum(found_in)
    return parts, took.cpu


def _joined(folder: Path, city: Path, dataset: str) -> Path:
    """Join the parts of a delivery to one file, so that what each file costs does not rule."""
    manifest = json.loads((city / "deliveries" / "manifest.json").read_text(encoding="utf-8"))
    [names] = [one["files"] for one in manifest["datasets"] if one["dataset"] == dataset]
    path = folder / f"{dataset}.csv"
    with path.open("wb") as joined:
        for place, name in enumerate(names):
            header, end, lines = (city / name).read_bytes().partition(b"\n")
            joined.write(lines if place else header + end + lines)
    return path


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") - 1


def _seconds(runs: list[Spent]) -> str:
    return f"{cpu_of(runs):.2f} cpu-s, {wall_of(runs):.2f} s"
