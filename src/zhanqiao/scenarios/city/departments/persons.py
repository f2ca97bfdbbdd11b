# SPDX-License-Identifier: Apache-2.0
"""Columns about people, and the days on which they met a department.

Nobody meets a department before birth, after death, or today: a department needs a day to write it down.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.scenarios.city.city import City
from zhanqiao.scenarios.city.departments.columns import days, labels, texts
from zhanqiao.scenarios.city.people import DISTRICTS, SEXES

Rows = NDArray[np.integer[Any]]
Days = NDArray[np.datetime64]

_DAYS_A_YEAR = 365


def ids(city: City, rows: Rows) -> pa.Array:
    """Return the citizen ids of those people."""
    return texts(city.people.citizen_id, rows)


def full_names(city: City, rows: Rows) -> pa.Array:
    """Return the names of those people."""
    return texts(city.people.name, rows)


def births(city: City, rows: Rows) -> pa.Array:
    """Return the days of birth of those people."""
    return days(city.people.birth[rows])


def sexes(city: City, rows: Rows) -> pa.Array:
    """Return the sexes of those people."""
    return labels(city.people.sex[rows], SEXES)


def homes(city: City, rows: Rows) -> pa.Array:
    """Return the districts where those people live."""
    return labels(city.people.district[rows], DISTRICTS)


def sample(city: City, candidates: NDArray[np.bool_], share: float) -> NDArray[np.int64]:
    """Return a share of the people that `candidates` marks, in the order of the register."""
    return np.flatnonzero(candidates & (city.dice.random(len(candidates)) < share))


def last_days(city: City, rows: Rows) -> Days:
    """Return the last day on which something could be written down of those people: yesterday, or their death."""
    death = city.people.death[rows]
    yesterday = city.today - np.timedelta64(1, "D")
    return np.minimum(np.where(np.isnat(death), yesterday, death), yesterday)


def some_day(city: City, rows: Rows, first: Days | np.datetime64, spread: float = 1.0) -> Days:
    """Return one day for each of those people between `first` and their last day; a spread above 1 prefers late days."""
    free = np.maximum((last_days(city, rows) - first).astype(np.int64), 0)
    return np.asarray(first + (free * city.dice.random(len(rows)) ** (1 / spread)).astype("timedelta64[D]"))


def meetings(city: City, yearly: NDArray[np.float64], months: int) -> tuple[NDArray[np.int64], Days]:
    """Return (person, day) of each meeting within the last months; `yearly` is how often each person comes in a year.

    The person's own rate of contact multiplies it.
    """
    everybody = np.arange(len(city.people))
    window = city.today - np.timedelta64(months * _DAYS_A_YEAR // 12, "D")
    first = np.maximum(city.people.birth, window)
    free = np.maximum((last_days(city, everybody) - first).astype(np.int64), 0)
    count = city.dice.poisson(yearly * city.lives.contact * free / _DAYS_A_YEAR)
    person = np.repeat(everybody, count)
    day = first[person] + (free[person] * city.dice.random(len(person))).astype("timedelta64[D]")
    return person, np.asarray(day)
