# SPDX-License-Identifier: Apache-2.0
"""A text column as its bytes: what the checks look at, without a Python object for each value."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

# A column is looked at value by value when so many of its first rows hold fewer than a quarter as many values.
_SAMPLE_ROWS = 2_048


@dataclass(frozen=True)
class Texts:
    """One text column without nulls; the empty text stands for a missing value."""

    array: pa.Array

    def __len__(self) -> int:
        return len(self.array)

    @cached_property
    def offsets(self) -> NDArray[np.int32]:
        """Where each value begins; one more than there are values."""
        count, start = len(self.array), self.array.offset
        buffer = self.array.buffers()[1]
        if buffer is None or not count:
            return np.zeros(count + 1, np.int32)
        return np.frombuffer(buffer, np.int32, count + 1, start * 4)

    @cached_property
    def octets(self) -> NDArray[np.uint8]:
        """The bytes that `offsets` points into."""
        buffer = self.array.buffers()[2]
        return np.zeros(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)

    @cached_property
    def used(self) -> NDArray[np.uint8]:
        """The bytes of this column's values, one after another."""
        return self.octets[self.offsets[0] : self.offsets[-1]]

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """Bytes of each value."""
        return np.diff(self.offsets)

    @cached_property
    def missing(self) -> Mask:
        empty: Mask = self.lengths == 0
        return empty

    @cached_property
    def any_missing(self) -> bool:
        return bool(self.missing.any())

    def distinct(self) -> "tuple[Texts, NDArray[np.int32]] | None":
        """Return each value once, and which of them stands in each row; None where too few rows repeat one."""
        sample = self.array.slice(0, _SAMPLE_ROWS)
        if len(sample) < _SAMPLE_ROWS or pc.count_distinct(sample).as_py() * 4 > _SAMPLE_ROWS:
            return None
        encoded = self.array.dictionary_encode()
        return Texts(encoded.dictionary), encoded.indices.to_numpy()

    def matrix(self, places: NDArray[np.intp] | None, width: int) -> NDArray[np.uint8]:
        """Return the bytes of values that all have `width` bytes, one row for each; all values where places is None."""
        if places is None:
            return self.used.reshape(len(self), width)
        gathered: NDArray[np.uint8] = self.octets[self.offsets[places][:, None] + np.arange(width, dtype=np.int32)]
        return gathered

    def firsts(self) -> NDArray[np.uint8]:
        """Return the first byte of each value, 0 where it is missing."""
        if not len(self.octets):
            return np.zeros(len(self), np.uint8)
        first = self.octets[np.minimum(self.offsets[:-1], len(self.octets) - 1)]
        if self.any_missing:
            first = np.where(self.missing, np.uint8(0), first)
        return first

    def nulled(self) -> pa.Array:
        """Return the column with nulls where values are missing."""
        if not self.any_missing:
            return self.array
        _, offsets, data = self.array.buffers()
        return with_nulls(pa.string(), len(self), [offsets, data], ~self.missing, self.array.offset)


def with_nulls(kind: Any, count: int, buffers: list[Any], valid: Mask | None, offset: int = 0) -> pa.Array:
    """Build an array over buffers as they are; `valid` None means that every value is there."""
    bits = None
    if valid is not None and not valid.all():
        padded = np.concatenate([np.zeros(offset, np.bool_), valid]) if offset else valid
        bits = pa.py_buffer(np.packbits(padded, bitorder="little"))
    return pa.Array.from_buffers(kind, count, [bits, *buffers], offset=offset)
