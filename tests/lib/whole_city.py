# SPDX-License-Identifier: Apache-2.0
"""A city for tests, with what every department would send, before any dirt."""

from datetime import date
from functools import cache

import pyarrow as pa

from zhanqiao.scenarios.city.city import City, build_city
from zhanqiao.scenarios.city.delivery import OFFICES, city_contracts
from zhanqiao.scenarios.city.shards import Shard
from zhanqiao.terms.datasets import Dataset

TODAY = date(2026, 11, 25)
PEOPLE = 24_000
SEED = 11


@cache
def city() -> City:
    return build_city(PEOPLE, Shard(SEED), TODAY)


@cache
def contracts() -> dict[str, Dataset]:
    return city_contracts()


@cache
def tables() -> dict[str, pa.Table]:
    found: dict[str, pa.Table] = {}
    for office in OFFICES:
        found |= office.datasets(city().seen_by(office.name))
    return found
