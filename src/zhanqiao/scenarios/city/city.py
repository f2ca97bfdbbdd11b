# SPDX-License-Identifier: Apache-2.0
"""The synthetic city of one seed: enterprises, people, their jobs and lives and homes, linked and the same every time."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from zhanqiao.scenarios.city.enterprises import Enterprises, build_enterprises, link_representatives
from zhanqiao.scenarios.city.homes import Homes, build_homes
from zhanqiao.scenarios.city.lives import Lives, build_lives
from zhanqiao.scenarios.city.people import People, build_people
from zhanqiao.scenarios.city.shards import Shard
from zhanqiao.scenarios.city.work import Work, employ


@dataclass(frozen=True, eq=False)
class City:
    """Everything that is true in the city, or in one shard of it, on one day; departments know parts of it."""

    people: People
    enterprises: Enterprises
    work: Work
    lives: Lives
    homes: Homes
    today: np.datetime64
    shard: Shard
    dice: np.random.Generator

    def seen_by(self, department: str) -> "City":
        """Return the same city with dice of that department's own, for what only it knows."""
        return replace(self, dice=self.shard.dice(department))


def build_city(people: int, shard: Shard, today: date) -> City:
    """Return a shard with so many people on that day; of a small city it is the whole."""
    day = np.datetime64(today, "D")
    enterprises = build_enterprises(people, shard, day)
    everybody = build_people(people, shard, day)
    work = employ(everybody, enterprises, day, shard.dice("work"))
    everybody = replace(everybody, employer=work.employer)
    lives = build_lives(everybody, work, day, shard.dice("lives"))
    adults = np.flatnonzero(everybody.alive & (everybody.ages(day) >= 22) & (everybody.ages(day) < 68))
    return City(
        people=everybody,
        enterprises=link_representatives(enterprises, adults, shard.dice("representatives")),
        work=work,
        lives=lives,
        homes=build_homes(everybody, lives, day, shard),
        today=day,
        shard=shard,
        dice=shard.dice("city"),
    )
