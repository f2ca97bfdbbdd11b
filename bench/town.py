# SPDX-License-Identifier: Apache-2.0
"""Deployments to measure on: founded as `init` does it, described, filled and agreed upon through the front door."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from zhanqiao.desk import state
from zhanqiao.desk.configuration import Deployment

state.prepare()

from zhanqiao.agreements import lifecycle  # noqa: E402  Django wants its settings first
from zhanqiao.catalogue import shelf  # noqa: E402
from zhanqiao.catalogue.shelf import Snapshot  # noqa: E402
from zhanqiao.desk import deployment, personas  # noqa: E402
from zhanqiao.desk.scenarios import all_services  # noqa: E402
from zhanqiao.policy.decide import decide_build, decide_load  # noqa: E402
from zhanqiao.policy.permits import LoadPermit  # noqa: E402
from zhanqiao.scenarios.city.delivery import CONTRACTS  # noqa: E402
from zhanqiao.terms.canonical import digest  # noqa: E402
from zhanqiao.terms.datasets import CubeSpec, Dataset, Mask  # noqa: E402
from zhanqiao.terms.events import Event  # noqa: E402
from zhanqiao.terms.refusals import Refusal  # noqa: E402
from zhanqiao.vault.house import House  # noqa: E402
from zhanqiao.vault.segments import stored_schema  # noqa: E402

T = TypeVar("T")
TODAY = date(2026, 11, 25)
DAY = (TODAY - date(1970, 1, 1)).days
_ROWS = 1 << 20


def done(outcome: T | Refusal) -> T:
    """Return what was done; a refusal ends the run."""
    if isinstance(outcome, Refusal):
        raise RuntimeError("refused: " + "; ".join(reason.message("en") for reason in outcome.reasons))  # noqa: TRY004
    return outcome


def found(home: Path) -> House:
    """Return a new deployment without data."""
    return done(deployment.found(home, Deployment("青岛", "demo", "zhanqiao.bench/qingdao")))


def describe(house: House, name: str) -> Dataset:
    """Put one of the city's contracts on the shelf."""
    text = (files(CONTRACTS) / f"{name}.odcs.yaml").read_text(encoding="utf-8")
    return done(shelf.add(house.book, text, "li-officer"))


def publish(
    house: House,
    dataset: Dataset,
    snapshot: str,
    batches: Iterable[pa.RecordBatch],
    builds: Iterable[CubeSpec | str],
) -> None:
    """Publish stored rows without a delivery: what `intake.load` does after its checks."""
    segment = store(house, dataset, snapshot, batches)
    for build in builds:
        permit = done(decide_build(f"load-{snapshot}", dataset, snapshot, build, house.clock()))
        house.vault.build(permit, dataset, (segment,))
    show(house, dataset, snapshot, (segment,))


def store(house: House, dataset: Dataset, snapshot: str, batches: Iterable[pa.RecordBatch]) -> str:
    """Write one segment and return its name."""
    return house.vault.load(load_permit(house, dataset, snapshot), dataset, batches)


def load_permit(house: House, dataset: Dataset, snapshot: str) -> LoadPermit:
    """Return the permit for a made-up delivery."""
    batch = digest([dataset.name, snapshot])
    at = house.clock()
    return done(decide_load(f"load-{snapshot}", dataset, dataset.digest, batch, snapshot, at))


def show(house: House, dataset: Dataset, snapshot: str, segments: tuple[str, ...]) -> None:
    """Make a snapshot the published one."""
    with house.book.recording(Event("intake.published", "bench", f"load-{snapshot}", {"snapshot": snapshot})) as tx:
        shelf.publish(
            tx, Snapshot(snapshot, dataset.name, dataset.digest, 0, segments, digest([dataset.name, snapshot]), tx.at)
        )


def seal(house: House, text: str, signatory: str) -> str:
    """Draft an agreement and have both parties seal it."""
    today = house.clock().date()
    text = text.replace("__FROM__", str(today - timedelta(days=1)))
    text = text.replace("__UNTIL__", str(today + timedelta(days=365)))
    agreement = done(lifecycle.draft(house.book, text, "li-officer", services=all_services())).id
    for who in (signatory, "li-officer"):
        key = done(personas.key_of(house.home, who))
        done(lifecycle.seal(house.book, agreement, who, key))
    return agreement


def rows(dataset: Dataset, columns: dict[str, pa.Array], count: int) -> Iterator[pa.RecordBatch]:
    """Yield stored rows: the columns given, and in every other required one the same plain value throughout."""
    schema = stored_schema(dataset)
    for start in range(0, count, _ROWS):
        some = min(_ROWS, count - start)
        yield pa.RecordBatch.from_arrays(
            [
                columns[field.name].slice(start, some) if field.name in columns else _filler(dataset, field, some)
                for field in schema
            ],
            schema=schema,
        )


def _filler(dataset: Dataset, field: pa.Field, count: int) -> pa.Array:
    if field.nullable:
        return pa.nulls(count, field.type)
    item = dataset.item(field.name)
    assert item is not None, "a stored column is an item"
    plain: object = 1
    if pa.types.is_string(field.type):
        plain = item.domain[0] if item.domain and item.mask is Mask.KEEP else "x"
    elif pa.types.is_decimal(field.type):
        plain = Decimal(1)
    elif pa.types.is_date(field.type):
        plain = TODAY
    return pa.repeat(pa.scalar(plain, field.type), count)


def days(dice: np.random.Generator, count: int, back: int) -> pa.Array:
    """Return dates within so many days before the city's day."""
    return pa.array((DAY - dice.integers(0, back, count, dtype=np.int32)).astype(np.int32)).cast(pa.date32())


def plain_database(path: Path, threads: int = 2) -> duckdb.DuckDBPyConnection:
    """Return the peer: DuckDB as it comes, a plain file, as many threads as the vault has unless said otherwise."""
    return duckdb.connect(str(path), config={"threads": str(threads)})
