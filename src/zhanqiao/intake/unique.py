# SPDX-License-Identifier: Apache-2.0
"""Uniqueness, which only the whole delivery shows.

All rows that share a value are findings, the first one too: nobody here knows which of them is right. What stands in
published segments stays, and a later row that repeats it is the finding. Missing values repeat nothing.
"""

from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from zhanqiao.intake.texts import Mask


def repeated(columns: list[pa.Array]) -> Mask | None:
    """Return where a value stands more than once in these columns, taken as one; None where all are different."""
    whole: Any = pa.chunked_array(columns)
    there = len(whole) - whole.null_count
    if pc.count_distinct(whole, mode="only_valid").as_py() == there:
        return None
    codes = pc.dictionary_encode(whole.combine_chunks()).indices
    valid = codes.is_valid().to_numpy(zero_copy_only=False)
    numbers = codes.fill_null(0).to_numpy(zero_copy_only=False)
    return cast("Mask", valid & (np.bincount(numbers[valid], minlength=1)[numbers] > 1))


def known_before(numbers: NDArray[np.int32], published: NDArray[np.int32]) -> Mask:
    """Return which subject numbers are among the published ones; an unknown subject (negative) is not."""
    seen = np.zeros(int(max(numbers.max(initial=-1), published.max(initial=-1))) + 2, np.bool_)
    seen[published[published >= 0]] = True
    return (numbers >= 0) & seen[np.maximum(numbers, 0)]
