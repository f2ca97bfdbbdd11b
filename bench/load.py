# SPDX-License-Identifier: Apache-2.0
"""A whole `intake.load`, every step and the parser's process included, beside plain DuckDB reading the same CSV.

The peer sniffs the types itself and passes over lines that do not fit, into a plain table of a plain file; it checks,
masks, encrypts and derives nothing. It cannot read GB18030, so there the peer is a transcoding before it.

Taken apart by a profiler whose clock is this process's CPU, with the ended parsers beside it.
"""

import cProfile
import json
import pstats
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Spent, cpu_of, in_turn, ratio, spent, wall_of
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
    figures = [*_utf8(folder, _files(city, UTF8)), _gb18030(folder, _files(city, GB18030))]
    shutil.rmtree(city)
    return figures


def _utf8(folder: Path, files: list[Path]) -> list[Figure]:
    homes = _homes(folder, UTF8)
    house: list[House] = []

    def first() -> None:
        house[:] = [next(homes)]

    new, known, plain = [], [], []
    for _ in range(RUNS):
        first()
        new.append(spent(lambda: _load(house[0], UTF8, files)))
        # In another order the same files are another delivery; every subject of it has a number by now.
        known.append(spent(lambda: _load(house[0], UTF8, files[::-1])))
        plain.append(spent(lambda: _plain(folder, files)))
    first()
    parts, whole = _taken_apart(house[0], files)
    shares = ", ".join(f"{name} {share / whole:.0%}" for name, share in parts.items())
    without = cpu_of(new) * (1 - (parts["checks"] + parts["cube"]) / whole) / cpu_of(plain)
    rows = f"{UTF8}, {_lines(files):,} rows, {len(files)} files"
    return [
        Figure(
            "load",
            "whole load / plain DuckDB",
            ratio(new, plain),
            "x cpu",
            RUNS,
            _GOAL,
            f"{rows}, every subject new; ours {_seconds(new)}, plain {_seconds(plain)}",
        ),
        Figure(
            "load",
            "whole load, subjects known / plain DuckDB",
            ratio(known, plain),
            "x cpu",
            RUNS,
            _GOAL,
            f"the same rows again, as next month; ours {_seconds(known)}",
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


def _gb18030(folder: Path, files: list[Path]) -> Figure:
    homes = _homes(folder, GB18030)

    def plain() -> None:
        texts = []
        for path in files:
            texts.append(folder / f"utf8-{path.name}")
            texts[-1].write_bytes(path.read_bytes().decode("gb18030", "replace").encode())
        _plain(folder, texts)

    ours, theirs = [], []
    for _ in range(RUNS):
        house = next(homes)
        [[one], [other]] = in_turn(1, lambda house=house: _load(house, GB18030, files), plain)
        ours.append(one)
        theirs.append(other)
    return Figure(
        "load",
        "GB18030: whole load / transcoding and plain DuckDB",
        ratio(ours, theirs),
        "x cpu",
        RUNS,
        _GOAL,
        f"{GB18030}, {_lines(files):,} rows, every subject new; ours {_seconds(ours)}, plain {_seconds(theirs)}",
    )


def _homes(folder: Path, dataset: str) -> Iterator[House]:
    """Yield deployments without data, one at a time."""
    home = folder / "home"
    while True:
        shutil.rmtree(home, ignore_errors=True)
        house = found(home)
        describe(house, dataset)
        yield house


def _load(house: House, dataset: str, files: list[Path]) -> None:
    report = done(intake.load(house, dataset, files, "bench"))
    assert report.published and not report.recognised, "every run loads"  # noqa: PT018


def _plain(folder: Path, files: list[Path]) -> None:
    path = folder / "plain.duckdb"
    with plain_database(path) as connection:
        names = [str(file) for file in files]
        connection.execute("CREATE TABLE plain AS SELECT * FROM read_csv(?, ignore_errors = true)", [names])
        connection.execute("CHECKPOINT")
    path.unlink()


def _taken_apart(house: House, files: list[Path]) -> tuple[dict[str, float], float]:
    """Return the CPU seconds of each part of one load, and of the whole."""
    profile = cProfile.Profile(time.process_time)
    took: Spent = spent(lambda: profile.runcall(_load, house, UTF8, files))
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


def _files(city: Path, dataset: str) -> list[Path]:
    manifest = json.loads((city / "deliveries" / "manifest.json").read_text(encoding="utf-8"))
    return [city / name for one in manifest["datasets"] if one["dataset"] == dataset for name in one["files"]]


def _lines(files: list[Path]) -> int:
    return sum(path.read_bytes().count(b"\n") - 1 for path in files)


def _seconds(runs: list[Spent]) -> str:
    return f"{cpu_of(runs):.2f} cpu-s, {wall_of(runs):.2f} s"
