# SPDX-License-Identifier: Apache-2.0
"""Citizen ids (公民身份号码, GB 11643) for many people at once: region, day of birth, serial, check character.

No id is given twice: people of one region, day and sex take different serials, odd for men and even for women.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhanqiao.scenarios.city.shards import Shard

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
# ISO 7064 MOD 11-2: the character for each remainder of the weighted sum.
_CHECK = np.array([ord(letter) for letter in "10X98765432"], dtype=np.uint32)
# Serials of one region, day and sex: 1 to 499, a prime number of them, so that any stride visits all.
_SERIALS = 499
_STRIDE = 187


def citizen_ids(
    region: NDArray[np.int64], birth: NDArray[np.datetime64], female: NDArray[np.bool_], shard: Shard
) -> NDArray[np.str_]:
    """Return one id for each person; `region` is the six-digit code of the place of first registration."""
    numbers = region * 100_000_000 + _calendar(birth)
    serial = _serials(numbers * 2 + female, shard) * 2 + ~female
    digits = np.empty((len(region), 17), dtype=np.int64)
    rest = numbers * 1000 + serial
    for column in range(16, -1, -1):
        rest, digits[:, column] = np.divmod(rest, 10)
    letters = np.empty((len(region), 18), dtype=np.uint32)
    letters[:, :17] = digits + ord("0")
    letters[:, 17] = _CHECK[digits @ _WEIGHTS % 11]
    return letters.view("U18")[:, 0]


def _calendar(day: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return days as numbers YYYYMMDD."""
    month = day.astype("datetime64[M]")
    months = month.astype(np.int64)
    year, month_of_year = months // 12 + 1970, months % 12 + 1
    day_of_month = (day - month.astype("datetime64[D]")).astype(np.int64) + 1
    return np.asarray(year * 10_000 + month_of_year * 100 + day_of_month)


def _serials(group: NDArray[np.integer[Any]], shard: Shard) -> NDArray[np.int64]:
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[first, len(ordered)])
    assert sizes.max(initial=0) * shard.of <= _SERIALS, "more people of one region, day and sex than serials"
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(first, sizes)
    return (shard.dealt(rank) * _STRIDE + group % 9973) % _SERIALS + 1
