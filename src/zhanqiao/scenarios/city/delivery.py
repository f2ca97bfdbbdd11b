# SPDX-License-Identifier: Apache-2.0
"""What the departments of the city really send: CSV files in their own encodings and spellings, with dirt in them.

    deliveries/<department>/<dataset>.csv     or several parts, `<dataset>.1.csv`, where there are many rows; of a city
                                              built in shards, parts of each shard, `<dataset>.1.1.csv`
    deliveries/manifest.json                  for each dataset its files, encoding, rows and planted dirt by kind
    truth/                                    the planted truth, apart (`truth.py`)

The same people, seed and day give the same bytes.
"""

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.resources import files
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
from numpy.typing import NDArray

from zhanqiao.catalogue.contracts import parse
from zhanqiao.scenarios.city.city import City, build_city
from zhanqiao.scenarios.city.departments.civil_affairs import civil_affairs
from zhanqiao.scenarios.city.departments.court import court
from zhanqiao.scenarios.city.departments.credit import credit
from zhanqiao.scenarios.city.departments.education import education
from zhanqiao.scenarios.city.departments.health import health
from zhanqiao.scenarios.city.departments.housing_fund import housing_fund
from zhanqiao.scenarios.city.departments.hrss import hrss
from zhanqiao.scenarios.city.departments.market import market
from zhanqiao.scenarios.city.departments.police import police
from zhanqiao.scenarios.city.departments.real_estate import real_estate
from zhanqiao.scenarios.city.departments.tax import tax
from zhanqiao.scenarios.city.departments.transport import transport
from zhanqiao.scenarios.city.dirt import plant
from zhanqiao.scenarios.city.shards import Shard, shards_of
from zhanqiao.scenarios.city.truth import Truth, newest_days, truth_of, write_truth
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.refusals import Refusal

PART_ROWS = 150_000
CONTRACTS = "zhanqiao.scenarios.city.contracts"


@dataclass(frozen=True)
class Office:
    """A department and how it writes: encoding, what stands between year, month and day, what ends a line."""

    name: str
    datasets: Callable[[City], dict[str, pa.Table]]
    encoding: str = "utf-8"
    between: str = "-"
    line_end: str = "\n"

    def day(self, iso: str) -> str:
        """Return a day as this department writes it."""
        return iso.replace("-", self.between)


OFFICES = (
    Office("market", market),
    Office("tax", tax, between=""),
    Office("hrss", hrss),
    Office("housing_fund", housing_fund, encoding="gb18030", between=""),
    Office("natural_resources", real_estate, encoding="gb18030", between="/", line_end="\r\n"),
    Office("credit", credit),
    Office("court", court, encoding="gb18030", line_end="\r\n"),
    Office("police", police, between=""),
    Office("health", health),
    Office("transport", transport),
    Office("civil_affairs", civil_affairs, encoding="gb18030", between="/"),
    # Saved from a spreadsheet: with a byte order mark.
    Office("education", education, encoding="utf-8-sig", between="/", line_end="\r\n"),
)


@dataclass(frozen=True)
class Delivered:
    """One dataset as it was delivered. `files` are relative to the folder; `rows` are all rows, dirty ones included."""

    dataset: str
    department: str
    files: tuple[str, ...]
    encoding: str
    rows: int
    dirty: dict[str, int]


@dataclass(frozen=True)
class Manifest:
    """Everything that was delivered, by dataset."""

    people: int
    seed: int
    today: str
    datasets: tuple[Delivered, ...]

    @property
    def rows(self) -> int:
        return sum(delivered.rows for delivered in self.datasets)

    def of(self, dataset: str) -> Delivered:
        """Return what was delivered of a dataset."""
        return next(delivered for delivered in self.datasets if delivered.dataset == dataset)

    def json(self) -> str:
        """Return the manifest as text."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"


def city_contracts() -> dict[str, Dataset]:
    """Return the datasets of the city's contracts by name."""
    found = {}
    for file in files(CONTRACTS).iterdir():
        if file.name.endswith(".odcs.yaml"):
            dataset = parse(file.read_text("utf-8"))
            assert not isinstance(dataset, Refusal), f"{file.name}: {dataset}"
            found[dataset.name] = dataset
    return found


@dataclass(frozen=True)
class _Written:
    """What was delivered of one shard, and what is true of it."""

    datasets: list[Delivered]
    truth: Truth


def write_city(folder: Path, people: int, seed: int, today: date) -> Manifest:
    """Write the deliveries of all departments, and the truth apart; return what was written.

    The shards of a large city are built by as many processes as there are cores; each takes about 0.7 GB.
    """
    shards = shards_of(people, seed)
    if len(shards) == 1:
        written = [_write_shard(folder, people, shards[0][0], today)]
    else:
        # A fresh interpreter each: forking would copy the locks of threads that run here.
        with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as processes:
            jobs = [processes.submit(_write_shard, folder, count, shard, today) for shard, count in shards]
            written = [job.result() for job in jobs]
    together = zip(*(shard.datasets for shard in written), strict=True)
    manifest = Manifest(people, seed, today.isoformat(), tuple(map(_merged, together)))
    (folder / "deliveries" / "manifest.json").write_text(manifest.json(), "utf-8")
    write_truth(folder / "truth", [shard.truth for shard in written])
    return manifest


def _write_shard(folder: Path, people: int, shard: Shard, today: date) -> _Written:
    city = build_city(people, shard, today)
    contracts = city_contracts()
    delivered: list[Delivered] = []
    traces: dict[str, NDArray[np.datetime64]] = {}
    for office in OFFICES:
        for name, table in office.datasets(city.seen_by(office.name)).items():
            delivered.append(_deliver(folder / "deliveries", office, contracts[name], table, shard))
            if contracts[name].latest is not None:
                traces[name] = newest_days(city, contracts[name], table)
    return _Written(delivered, truth_of(city, traces))


def _merged(shards: tuple[Delivered, ...]) -> Delivered:
    """Return what the shards delivered of one dataset as one delivery."""
    dirty = sum((Counter(shard.dirty) for shard in shards), Counter())
    names = tuple(name for shard in shards for name in shard.files)
    return replace(shards[0], files=names, rows=sum(shard.rows for shard in shards), dirty=dict(sorted(dirty.items())))


def _deliver(folder: Path, office: Office, dataset: Dataset, table: pa.Table, shard: Shard) -> Delivered:
    dirtied = plant(_lines(table, office), dataset, shard.dice(f"dirt of {dataset.name}"), office.day)
    header = ",".join(table.column_names).encode() + b"\n"
    (folder / office.name).mkdir(parents=True, exist_ok=True)
    parts = _parts(dirtied.lines)
    names = []
    for number, part in enumerate(parts, start=1):
        name = f"{office.name}/{dataset.name}{_part_mark(shard, number, len(parts))}.csv"
        (folder / name).write_bytes(_encoded(header + part, office))
        names.append(f"deliveries/{name}")
    rows = table.num_rows + sum(dirtied.dirty.values())
    return Delivered(dataset.name, office.name, tuple(names), office.encoding, rows, dirtied.dirty)


def _part_mark(shard: Shard, part: int, parts: int) -> str:
    if shard.of > 1:
        return f".{shard.number + 1}.{part}"
    return f".{part}" if parts > 1 else ""


def _lines(table: pa.Table, office: Office) -> bytes:
    """Return the rows as CSV without header, in UTF-8; no value of the city needs quotes."""
    for place, column in enumerate(table.columns):
        if pa.types.is_date(column.type) and office.between != "-":
            days = pc.replace_substring(column.cast(pa.string()), "-", office.between)
            table = table.set_column(place, table.column_names[place], days)
    sink = BytesIO()
    pcsv.write_csv(table, sink, pcsv.WriteOptions(include_header=False, quoting_style="none"))
    return sink.getvalue()


def _parts(lines: bytes) -> list[bytes]:
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
    cuts = [0, *ends[PART_ROWS - 1 :: PART_ROWS].tolist()]
    if cuts[-1] != len(lines):
        cuts.append(len(lines))
    return [lines[start:end] for start, end in pairwise(cuts)] or [b""]


def _encoded(content: bytes, office: Office) -> bytes:
    if office.line_end != "\n":
        content = content.replace(b"\n", office.line_end.encode())
    return content if office.encoding == "utf-8" else content.decode().encode(office.encoding)
