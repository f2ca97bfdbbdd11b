# SPDX-License-Identifier: Apache-2.0
"""Masks: what becomes of each item before anything is stored. What declares no mask is not stored at all.

    token       the identifier stays as text until the vault has given its subject number (`numbered`)
    identity    apart, for the identity store
    generalise  the declared coarsening in place of the value
    keep        as checked

Pure: columns in, columns out. A masked batch holds the stored columns, the subjects' identifiers under their items'
names, and the direct identifiers apart; nothing of the rest goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from zhanqiao.intake.texts import with_nulls
from zhanqiao.terms.datasets import Dataset, Generaliser, Item, LogicalType, Mask
from zhanqiao.terms.subjects import SubjectKind


@dataclass(frozen=True)
class Masked:
    """One batch after masking. `stored` still has identifiers where subject numbers will stand.

    numbers     the rows' places in the delivered file
    identities  direct identifiers by item name, empty when the contract has none
    """

    stored: dict[str, pa.Array]
    identities: dict[str, pa.Array]
    numbers: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.numbers)

    def only(self, kept: NDArray[np.bool_]) -> "Masked":
        """Return the rows where `kept` is true."""
        if kept.all():
            return self
        wanted = pa.array(kept)
        return Masked(
            {name: column.filter(wanted) for name, column in self.stored.items()},
            {name: column.filter(wanted) for name, column in self.identities.items()},
            self.numbers[kept],
        )


def mask(dataset: Dataset, columns: dict[str, pa.Array], numbers: NDArray[np.int32]) -> Masked:
    """Mask one batch of checked columns."""
    stored: dict[str, pa.Array] = {}
    identities: dict[str, pa.Array] = {}
    for item in dataset.items:
        column = columns[item.name]
        match item.mask:
            case Mask.TOKEN | Mask.KEEP:
                stored[item.name] = column
            case Mask.GENERALISE:
                stored[item.name] = generalise(item, column)
            case Mask.IDENTITY:
                identities[item.name] = as_text(column)
            case Mask.DROP:
                pass
            case _:
                assert_never(item.mask)
    return Masked(stored, identities, numbers)


def numbered(dataset: Dataset, masked: Masked, numbers: dict[str, NDArray[np.int32]]) -> pa.RecordBatch:
    """Return the batch to store: subject numbers in place of identifiers, null where a row names no subject."""
    columns = dict(masked.stored)
    for name, of_subjects in numbers.items():
        columns[name] = pa.array(of_subjects, pa.int32(), mask=of_subjects < 0)
    names = [item.name for item in dataset.items if item.stored]
    return pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)


def identity_kind(dataset: Dataset) -> tuple[SubjectKind, Item] | None:
    """Return whose direct identifiers the dataset carries: those of its first subject kind with a key; None if none."""
    if not any(item.mask is Mask.IDENTITY for item in dataset.items):
        return None
    keys = ((kind, dataset.key_of(kind)) for kind in dataset.subject_kinds)
    return next(((kind, key) for kind, key in keys if key is not None and key.mask is Mask.TOKEN), None)


def as_text(column: pa.Array) -> pa.Array:
    """Return a typed column as text, for the identity store."""
    return column if column.type == pa.string() else column.cast(pa.string())


# --- generalisers ---------------------------------------------------------------------------------


def generalise(item: Item, column: pa.Array) -> pa.Array:
    """Return the declared coarsening of a typed column."""
    match item.generaliser:
        case Generaliser.YEAR:
            return _of_dates(column, "Y", lambda years: years + 1970)
        case Generaliser.MONTH:
            return _of_dates(column, "M", _labelled(lambda n: f"{1970 + n // 12:04d}-{n % 12 + 1:02d}"))
        case Generaliser.QUARTER:
            quarter = _labelled(lambda n: f"{1970 + n // 4:04d}Q{n % 4 + 1}")
            return _of_dates(column, "M", lambda months: quarter(months // 3))
        case Generaliser.REGION:
            return pc.utf8_slice_codeunits(column, 0, 6)
        case Generaliser.BAND:
            return _banded(item, column)
        case None:
            raise ValueError(f"couldn't generalise {item.name}: it declares no generaliser")
        case _:
            assert_never(item.generaliser)


def _of_dates(
    column: pa.Array, unit: str, coarsen: Callable[[NDArray[np.int64]], NDArray[np.int64] | pa.Array]
) -> pa.Array:
    """Apply a coarsening of counted years or months since 1970 to a date column."""
    days = np.frombuffer(column.buffers()[1] or b"", np.int32, len(column), column.offset * 4)
    coarse = coarsen(days.astype("datetime64[D]").astype(f"datetime64[{unit}]").astype(np.int64))
    valid = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
    if isinstance(coarse, np.ndarray):
        return with_nulls(pa.int64(), len(coarse), [pa.py_buffer(coarse)], valid)
    return coarse if valid is None else pc.if_else(pa.array(valid), coarse, pa.scalar(None, pa.string()))


def _labelled(label: Callable[[int], str]) -> Callable[[NDArray[np.int64]], pa.Array]:
    """Return a function from integers to their labels, each label made once."""

    def labels(values: NDArray[np.int64]) -> pa.Array:
        distinct, places = np.unique(values, return_inverse=True)
        texts = pa.array([label(int(value)) for value in distinct], pa.string())
        return texts.take(pa.array(places.astype(np.int32)))

    return labels


def _banded(item: Item, column: pa.Array) -> pa.Array:
    """Return the label of the half-open step that holds each number; below and above the grid the step is open."""
    scale = item.scale if item.type is LogicalType.NUMBER else 0
    steps = np.array([int(step.scaleb(scale)) for step in item.grid], np.int64)
    places = np.searchsorted(steps, _scaled(column), side="right")
    labels = pa.array(item.bands, pa.string()).take(pa.array(places.astype(np.int32)))
    return pc.if_else(column.is_valid(), labels, pa.scalar(None, pa.string())) if column.null_count else labels


def _scaled(column: pa.Array) -> NDArray[np.int64]:
    """Return the integers behind an int64 or DECIMAL(18, s) column; what null cells hold means nothing."""
    words = np.frombuffer(column.buffers()[1] or b"", np.int64)
    if pa.types.is_decimal(column.type):
        return words.reshape(-1, 2)[column.offset : column.offset + len(column), 0]
    return words[column.offset : column.offset + len(column)]
