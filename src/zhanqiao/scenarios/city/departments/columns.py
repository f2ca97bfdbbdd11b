# SPDX-License-Identifier: Apache-2.0
"""Columns of a delivery from numpy arrays, without a Python loop over rows: labels, exact money, days, document numbers."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def labels(positions: NDArray[np.integer], names: Sequence[str]) -> pa.Array:
    """Return the name at each position as text; -1 gives NULL."""
    positions = np.asarray(positions)
    missing = positions < 0
    return pa.array(list(names), pa.string()).take(pa.array(positions, mask=missing if missing.any() else None))


def texts(values: NDArray[np.str_], rows: NDArray[np.integer]) -> pa.Array:
    """Return text values of those rows."""
    return pa.array(values).take(pa.array(rows))


def money(fen: NDArray[np.int64]) -> pa.Array:
    """Return fen as exact yuan with two digits."""
    # A 128-bit little-endian integer is the value and its sign, 64 bits each.
    halves = np.ascontiguousarray(np.stack([fen, fen >> 63], axis=1), dtype=np.int64)
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(fen), [None, pa.py_buffer(halves)])


def days(values: NDArray[np.datetime64]) -> pa.Array:
    """Return days as dates; NaT gives NULL."""
    return pa.array(values.astype("datetime64[D]"))


def year_of(values: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the calendar year of each day."""
    return values.astype("datetime64[Y]").astype(np.int64) + 1970


def day_in(year: NDArray[np.integer], after: int) -> NDArray[np.datetime64]:
    """Return the day that lies so many days after the first of January of each year."""
    return np.asarray((year - 1970).astype("datetime64[Y]").astype("datetime64[D]") + np.timedelta64(after, "D"))


def years(values: NDArray[np.datetime64]) -> pa.Array:
    """Return the calendar year of each day as text."""
    return year_texts(year_of(values))


def year_texts(values: NDArray[np.integer]) -> pa.Array:
    """Return years as text."""
    if not len(values):
        return pa.array([], pa.string())
    first = int(values.min())
    return labels(values - first, [str(year) for year in range(first, int(values.max()) + 1)])


def numbered(prefix: str, values: NDArray[np.datetime64], dice: np.random.Generator) -> pa.Array:
    """Return document numbers like 青市监罚〔2025〕004711号."""
    serial = pa.array(dice.integers(1, 1_000_000, len(values))).cast(pa.string())
    return pa.compute.binary_join_element_wise(f"{prefix}〔", years(values), "〕", serial, "号", "")


def column_of(answer: NDArray[np.bool_]) -> pa.Array:
    """Return booleans the way departments write them."""
    return labels(answer.astype(np.int8), ("否", "是"))
