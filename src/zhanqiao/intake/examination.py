# SPDX-License-Identifier: Apache-2.0
"""The examination of one delivery: every file parsed, every value checked, everything masked; nothing stored yet.

Good rows wait masked in a spool, bad rows as they came in quarantine's waiting room, both sealed where they do not fit
into memory. Only when the last row has been seen is it known whether the delivery fits its contract, so that a refused
one leaves no trace in the vault.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.intake import parser_process, unique
from zhanqiao.intake.checks import Checked, check
from zhanqiao.intake.collect import Delivery, Landed
from zhanqiao.intake.landing import Workspace
from zhanqiao.intake.masks import Masked, mask
from zhanqiao.intake.parser_process import End, Rows, Torn
from zhanqiao.intake.quarantine import BadRow, Waiting
from zhanqiao.intake.report import FileRead, Tally, describe, items_of
from zhanqiao.intake.spool import Spool
from zhanqiao.intake.texts import Mask
from zhanqiao.terms.datasets import Dataset, Item
from zhanqiao.terms.refusals import Reason, Refusal, refuse

# Says which values of an item stand in published segments already; None where nothing is published to compare with.
Published = Callable[[Item, pa.ChunkedArray], Mask | None]


@dataclass
class Examined:
    """A delivery that fits its contract but for the rows in `waiting`.

    blank  lines without any value, which are no rows and are not counted among them
    """

    spool: Spool
    waiting: Waiting
    tally: Tally
    files: list[FileRead] = field(default_factory=list)
    rows: int = 0
    bad: int = 0
    blank: int = 0
    # Rows that the whole delivery shows to be bad: over all rows of the spool, or None when there are none.
    _late: Mask | None = None

    def batches(self) -> Iterator[Masked]:
        """Yield the good rows, masked."""
        start = 0
        for masked in self.spool:
            if self._late is None:
                yield masked
            else:
                yield masked.only(~self._late[start : start + len(masked)])
            start += len(masked)

    def drop(self, late: Mask) -> None:
        """Leave out these rows of the spool from now on."""
        self._late = late


def examine(
    dataset: Dataset,
    delivery: Delivery,
    workspace: Workspace,
    published: Published,
    tally: Tally,
    *,
    max_bad_percent: int,
) -> Examined | Refusal:
    """Examine a delivery; a file that cannot be read, or too many bad rows, refuse it whole. `tally` tells what was found."""
    examined = Examined(Spool(workspace.sealed_file()), Waiting(workspace.sealed_file()), tally)
    watched = _Watched.of(dataset)
    for number, file in enumerate(delivery.files, start=1):
        refusal = _examine_file(dataset, number, file, examined, watched)
        if refusal is not None:
            return refusal
    _find_repeated(dataset, delivery, examined, watched, published)
    if examined.bad * 100 > examined.rows * max_bad_percent:
        return _too_many(dataset, examined, max_bad_percent)
    return examined


def _examine_file(
    dataset: Dataset, number: int, file: Landed, examined: Examined, watched: "_Watched"
) -> Refusal | None:
    encoding, blank = "", 0
    for piece in parser_process.read(file.copy, file.size, _headers(dataset)):
        match piece:
            case Rows():
                encoding = piece.encoding
                checked = check(dataset, piece)
                _set_aside(dataset, number, piece, checked, examined)
                good = checked.good
                blank += 0 if checked.blank is None else int(checked.blank.sum())
                watched.note(number, piece, checked, good)
                examined.spool.append(mask(dataset, checked.columns, piece.numbers).only(good))
            case Torn():
                examined.tally.add("", piece.why, number, np.array(piece.numbers, np.int32))
                examined.bad += len(piece.numbers)
                for row, text in zip(piece.numbers, piece.texts, strict=True):
                    examined.waiting.add(BadRow(number, row, (("", piece.why),), None, _unmarked(text)))
            case End():
                if piece.rows == blank:
                    return refuse("intake-empty", file=file.name)
                examined.files.append(FileRead(file.name, piece.rows - blank, encoding))
                examined.rows += piece.rows - blank
                examined.blank += blank
            case Refusal():
                return Refusal(tuple(Reason(one.code, {**one.facts, "file": file.name}) for one in piece.reasons))
    return None


def _set_aside(dataset: Dataset, file: int, rows: Rows, checked: Checked, examined: Examined) -> None:
    """Count what was found in a batch, and keep its bad rows as they came."""
    faults: dict[int, list[tuple[str, str]]] = {}
    for finding in checked.findings:
        examined.tally.add(finding.item, finding.code, file, finding.rows)
        for row in finding.rows.tolist():
            faults.setdefault(row, []).append((finding.item, finding.code))
    examined.bad += len(faults)
    for bad in _as_delivered(dataset, file, rows, checked.bad, faults):
        examined.waiting.add(bad)


def _as_delivered(
    dataset: Dataset, file: int, rows: Rows, bad: Mask, faults: dict[int, list[tuple[str, str]]]
) -> Iterator[BadRow]:
    places = pa.array(np.flatnonzero(bad))
    columns = [_unmarked_all(texts.take(places), odd=rows.odd) for texts in rows.texts]
    headers = _headers(dataset)
    for row, values in zip(rows.numbers[bad].tolist(), zip(*columns, strict=True), strict=True):
        yield BadRow(file, row, tuple(faults[row]), dict(zip(headers, values, strict=True)))


def _unmarked_all(texts: pa.Array, *, odd: bool) -> list[str]:
    values: list[str] = texts.to_pylist()
    return [_unmarked(text) for text in values] if odd else values


def _unmarked(text: str) -> str:
    """Take out the parser's mark of a doubtful encoding."""
    return text.replace("\0", "")


def _headers(dataset: Dataset) -> tuple[str, ...]:
    return tuple(item.header for item in dataset.items)


# --- what only the whole delivery shows -----------------------------------------------------------


@dataclass
class _Watched:
    """The columns whose values must be unique, and where each of their rows stands in the delivery."""

    columns: dict[str, list[pa.Array]]
    places: list[tuple[int, NDArray[np.int32]]] = field(default_factory=list)

    @classmethod
    def of(cls, dataset: Dataset) -> "_Watched":
        return cls({item.name: [] for item in dataset.items if item.unique})

    def note(self, file: int, rows: Rows, checked: Checked, good: Mask) -> None:
        """Keep the good rows of one batch."""
        if not self.columns:
            return
        whole = bool(good.all())
        self.places.append((file, rows.numbers if whole else rows.numbers[good]))
        for name, kept in self.columns.items():
            kept.append(checked.columns[name] if whole else checked.columns[name].filter(pa.array(good)))


def _find_repeated(
    dataset: Dataset, delivery: Delivery, examined: Examined, watched: _Watched, published: Published
) -> None:
    """Find rows that repeat a unique value, count them, and set them aside as they came."""
    late = np.zeros(examined.spool.rows, np.bool_)
    faults: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for item in dataset.items:
        columns = watched.columns.get(item.name)
        if not columns:
            continue
        found = [
            unique.repeated(columns),
            published(item, pa.chunked_array(columns)),
        ]
        wrong = np.logical_or.reduce([where for where in found if where is not None] or [np.zeros_like(late)])
        for file, row in _rows_at(watched.places, wrong, examined.tally, item.name):
            faults.setdefault((file, row), []).append((item.name, "unique"))
        late |= wrong
    if late.any():
        examined.drop(late)
        examined.bad += len(faults)
        for bad in _read_again(dataset, delivery, faults):
            examined.waiting.add(bad)


def _rows_at(
    places: list[tuple[int, NDArray[np.int32]]], wrong: Mask, tally: Tally, item: str
) -> Iterator[tuple[int, int]]:
    start = 0
    for file, numbers in places:
        rows = numbers[wrong[start : start + len(numbers)]]
        start += len(numbers)
        if len(rows):
            tally.add(item, "unique", file, rows)
            yield from ((file, int(row)) for row in rows)


def _read_again(
    dataset: Dataset, delivery: Delivery, faults: dict[tuple[int, int], list[tuple[str, str]]]
) -> Iterator[BadRow]:
    """Parse the files once more for the text of rows that were found late. Rare, and cheaper than keeping all texts."""
    for number in sorted({file for file, _ in faults}):
        of_file = {row: reasons for (file, row), reasons in faults.items() if file == number}
        wanted = np.fromiter(of_file, np.int32)
        file = delivery.files[number - 1]
        for piece in parser_process.read(file.copy, file.size, _headers(dataset)):
            if isinstance(piece, Rows):
                yield from _as_delivered(dataset, number, piece, np.isin(piece.numbers, wanted), of_file)


def _too_many(dataset: Dataset, examined: Examined, max_bad_percent: int) -> Refusal:
    counts, items = examined.tally.counts()[:20], items_of(dataset)
    return refuse(
        "intake-too-many-bad-rows",
        bad=f"{examined.bad:,}",
        rows=f"{examined.rows:,}",
        percent=str(max_bad_percent),
        found_en="; ".join(describe(counts, items, "en", len(examined.files))),
        found_zh="；".join(describe(counts, items, "zh", len(examined.files))),
    )
