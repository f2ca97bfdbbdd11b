# SPDX-License-Identifier: Apache-2.0
"""What a department sees of the city: its people, its enterprises, the day, and dice for what only it knows."""

from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.scenarios.city.departments.columns import labels, texts
from zhanqiao.scenarios.city.enterprises import INDUSTRIES, REGIONS, Enterprises
from zhanqiao.scenarios.city.shards import Shard

DISTRICTS = tuple(REGIONS)
INDUSTRY_NAMES = tuple(industry.zh for industry in INDUSTRIES)


class Inhabitants(Protocol):
    """What enterprise-side departments read of `People`."""

    @property
    def citizen_id(self) -> NDArray[np.str_]: ...
    @property
    def name(self) -> NDArray[np.str_]: ...
    @property
    def birth(self) -> NDArray[np.datetime64]: ...
    @property
    def alive(self) -> NDArray[np.bool_]: ...
    @property
    def district(self) -> NDArray[np.integer]: ...


class City(Protocol):
    """What every department function takes."""

    @property
    def people(self) -> Inhabitants: ...
    @property
    def enterprises(self) -> Enterprises: ...
    @property
    def dice(self) -> np.random.Generator: ...
    @property
    def shard(self) -> Shard: ...
    @property
    def today(self) -> np.datetime64: ...


Rows = NDArray[np.integer]


def codes(city: City, rows: Rows) -> pa.Array:
    """Return the social credit codes of those enterprises."""
    return texts(city.enterprises.uscc, rows)


def names(city: City, rows: Rows) -> pa.Array:
    """Return the names of those enterprises."""
    return texts(city.enterprises.name, rows)


def districts(city: City, rows: Rows) -> pa.Array:
    """Return the districts where those enterprises are registered."""
    return labels(city.enterprises.district[rows], DISTRICTS)


def industries(city: City, rows: Rows) -> pa.Array:
    """Return the industries of those enterprises."""
    return labels(city.enterprises.industry[rows], INDUSTRY_NAMES)


def representative_ids(city: City, rows: Rows) -> pa.Array:
    """Return the citizen ids of the legal representatives of those enterprises."""
    return texts(city.people.citizen_id, city.enterprises.representative[rows])


def representative_names(city: City, rows: Rows) -> pa.Array:
    """Return the names of the legal representatives of those enterprises."""
    return texts(city.people.name, city.enterprises.representative[rows])
