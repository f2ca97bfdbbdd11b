# SPDX-License-Identifier: Apache-2.0
"""The synthetic city of one seed: enterprises, people, their jobs and lives and homes, linked and the same every time.

Every part has its own dice, made from the seed and the part's name, so that a change in one part leaves the others
as they were.
"""

from dataclasses import dataclass, replace
from datetime import date
from zlib import crc32

import numpy as np

from zhanqiao.scenarios.city.enterprises import Enterprises, build_enterprises, link_representatives
from zhanqiao.scenarios.city.homes import Homes, build_homes
from zhanqiao.scenarios.city.lives import Lives, build_lives
from zhanqiao.scenarios.city.people import People, build_people
from zhanqiao.scenarios.city.work import Work, employ


@dataclass(frozen=True, eq=False)
class City:
    """Everything that is true in the city on one day; departments know parts of it."""

    people: People
    enterprises: Enterprises
    work: Work
    lives: Lives
    homes: Homes
    today: np.datetime64
    seed: int
    dice: np.random.Generator

    def seen_by(self, department: str) -> "City":
        """Return the same city with dice of that department's own, for what only it knows."""
        return replace(self, dice=dice_of(self.seed, department))


def build_city(people: int, seed: int, today: date) -> City:
    """Return the city with so many people on that day."""
    day = np.datetime64(today, "D")
    enterprises = build_enterprises(people, dice_of(seed, "enterprises"), day)
    everybody = build_people(people, dice_of(seed, "people"), day)
    work = employ(everybody, enterprises, day, dice_of(seed, "work"))
    everybody = replace(everybody, employer=work.employer)
    lives = build_lives(everybody, work, day, dice_of(seed, "lives"))
    adults = np.flatnonzero(everybody.alive & (everybody.ages(day) >= 22) & (everybody.ages(day) < 68))
    return City(
        people=everybody,
        enterprises=link_representatives(enterprises, adults, dice_of(seed, "representatives")),
        work=work,
        lives=lives,
        homes=build_homes(everybody, lives, day, dice_of(seed, "homes")),
        today=day,
        seed=seed,
        dice=dice_of(seed, "city"),
    )


def dice_of(seed: int, part: str) -> np.random.Generator:
    """Return the dice of one part of the city."""
    return np.random.default_rng([seed, crc32(part.encode())])
