# SPDX-License-Identifier: Apache-2.0
"""Scaled whole numbers and decimals, exactly. Python's default context rounds at 28 digits; sums here have up to 38."""

from decimal import Context, Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_EXACT = Context(prec=80)
_WORD = 1 << 64


def as_decimal(value: object, scale: int) -> Decimal | None:
    """Return a whole number of last digits as a decimal; None stays None."""
    return None if value is None else _EXACT.scaleb(Decimal(int(value)), -scale)  # type: ignore[call-overload]


def as_integer(value: Decimal | int, scale: int) -> int:
    """Return a decimal as a whole number of last digits."""
    return int(_EXACT.scaleb(Decimal(value), scale))


def total(values: list[Decimal]) -> Decimal:
    """Return the exact sum."""
    result = Decimal(0)
    for value in values:
        result = _EXACT.add(result, value)
    return result


def unscaled(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int64] | npt.NDArray[np.object_]:
    """Return a decimal column without NULLs as whole numbers of last digits; int64 if all fit."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not len(array):
        return np.empty(0, np.int64)
    words = np.frombuffer(array.buffers()[1], "<i8").reshape(-1, 2)[array.offset : array.offset + len(array)]
    low, high = words[:, 0], words[:, 1]
    if (high == low >> 63).all():
        return low
    return np.array([above * _WORD + below % _WORD for below, above in words.tolist()], object)
