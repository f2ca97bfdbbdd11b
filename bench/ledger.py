# SPDX-License-Identifier: Apache-2.0
"""The ledger: events that are durable when `book.recording` ends, beside what the disk alone allows."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.table import Figure, at_least
from bench.town import found
from zhanqiao.ledger.book import Book
from zhanqiao.terms.events import Event

RUNS = 5
_GROUPS, _BY, _SINGLY, _SYNCS = 100, 100, 300, 300


def measure(folder: Path) -> list[Figure]:
    """Record as a door that reserves does: 100 events in one transaction, and one in each."""
    book = found(folder / "home").book
    grouped, single, syncs, shown = [], [], [], []
    for _ in range(RUNS):
        grouped.append(_GROUPS * _BY / _seconds(lambda: _record(book, _GROUPS, _BY)))
        single.append(_SINGLY / _seconds(lambda: _record(book, _SINGLY, 1)))
        syncs.append(_SYNCS / _seconds(lambda: _sync(folder / "limit")))
        before = book.checkpoint().size
        took = _seconds(book.publish)
        shown.append((book.size - before) / took)
    limit = statistics.median(syncs)
    return [
        Figure(
            "ledger",
            "durable events a second, by 100",
            statistics.median(grouped),
            "events/s",
            RUNS,
            at_least(20_000),
            f"limit {limit:,.0f} fdatasync/s in the same run; SQLite WAL FULL, leaf and tree head in the transaction",
        ),
        Figure("ledger", "durable events a second, singly", statistics.median(single), "events/s", RUNS),
        Figure(
            "ledger",
            "shown in tiles and checkpoint",
            statistics.median(shown),
            "events/s",
            RUNS,
            note="`book.publish`, after the commit; not part of the two above",
        ),
    ]


def _record(book: Book, groups: int, by: int) -> None:
    for group in range(groups):
        with book.recording(*[_event(group * by + number) for number in range(by)]):
            pass


def _event(number: int) -> Event:
    facts: dict[str, object] = {"agreement": "370200-2026-000001", "charge": 1, "digest": f"sha256:{number:064x}"}
    return Event("statistics.reserved", "bay-analyst", f"{number:032x}", facts)


def _sync(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(bytes(400))
            os.fdatasync(file.fileno())


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
