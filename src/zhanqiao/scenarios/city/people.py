# SPDX-License-Identifier: Apache-2.0
"""The people of the synthetic city, as parallel numpy arrays: position i in every array is person i.

Districts have the shares, and ages and sexes the shape, of Qingdao in the seventh census (2020). Those who died in the
last three years are among them, with the day: a pension office, a hospital and the civil affairs bureau each know a
part of that. Ids are valid (GB 11643) and never given twice. All follows from the shard's dice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhanqiao.scenarios.city.citizen_ids import citizen_ids
from zhanqiao.scenarios.city.enterprises import REGIONS
from zhanqiao.scenarios.city.families import Families, Lifespans, build_families
from zhanqiao.scenarios.city.names import people_names
from zhanqiao.scenarios.city.regions import ELSEWHERE, birth_regions
from zhanqiao.scenarios.city.shards import Shard

DISTRICTS = tuple(REGIONS)
SEXES = ("男", "女")
MALE, FEMALE = range(2)
NO_EMPLOYER = -1
YEAR = 365.2425

# Residents on 2020-11-01, in the order of DISTRICTS: 10,071,722 in all (黄岛区 with the whole West Coast New Area).
CENSUS = np.array(
    [486_643, 1_096_879, 1_903_595, 502_370, 737_281, 1_109_606, 1_336_077, 987_820, 1_191_348, 720_103], dtype=float
)
_MALE_SHARE = 0.5096

# Per cent of people in each five years of age, 0-4 to 95-99. The census gives 15.41 below 15, 64.31 from 15 to 59,
# 20.28 from 60 and 14.20 from 65; within these bands the shape follows the country.
_AGES = np.array(
    [5.0, 5.7, 4.71, 4.6, 5.6, 6.3, 9.0, 8.2, 7.1, 7.7, 8.4, 7.41, 6.08, 5.6, 3.5, 2.15, 1.65, 0.95, 0.28, 0.07]
)
# Women outlive men: their share grows with age.
_FEMALE_EXCESS_FROM = 60

# Deaths are kept for so many years, until some days ago: what happened since, no department could have written down.
# Yearly hazard exp(a + b * age), a third less for women.
DEATH_YEARS = 3
UNSEEN_DAYS = 4
_HAZARD = (-10.6, 0.098)


@dataclass(frozen=True, eq=False)
class People:
    """Everybody, living and lately dead.

    citizen_id  U18, valid and unique
    birth       datetime64[D]
    sex         position in SEXES
    district    position in DISTRICTS: where the person lives
    household   number of the household
    spouse      position of the spouse in these arrays, -1 without one (a widowed person keeps the dead spouse)
    alive       whether the person lives today
    death       datetime64[D], NaT while alive
    employer    position in `Enterprises`, -1 without one (always without for the dead)
    """

    citizen_id: NDArray[np.str_]
    name: NDArray[np.str_]
    birth: NDArray[np.datetime64]
    sex: NDArray[np.int8]
    district: NDArray[np.int8]
    household: NDArray[np.int32]
    spouse: NDArray[np.int32]
    alive: NDArray[np.bool_]
    death: NDArray[np.datetime64]
    employer: NDArray[np.int32]
    families: Families

    def __len__(self) -> int:
        return len(self.citizen_id)

    def ages(self, day: np.datetime64 | NDArray[np.datetime64]) -> NDArray[np.float64]:
        """Return the age of each person on that day, in years."""
        return ages(self.birth, day)


def build_people(people: int, shard: Shard, today: np.datetime64) -> People:
    """Return so many people as they are on that day, in households, still without employers."""
    dice = shard.dice("people")
    district = dice.choice(len(DISTRICTS), people, p=CENSUS / CENSUS.sum()).astype(np.int8)
    band = dice.choice(len(_AGES), people, p=_AGES / _AGES.sum())
    age = band * 5 + dice.random(people) * 5
    birth = today - np.ceil(age * YEAR).astype("timedelta64[D]")
    female_share = 1 - _MALE_SHARE - 0.008 + np.clip((age - _FEMALE_EXCESS_FROM) * 0.006, 0, 0.2)
    sex = (dice.random(people) < female_share).astype(np.int8)
    death = _deaths(age, sex, today, dice)
    families = build_families(Lifespans(birth, sex == FEMALE, district, np.where(np.isnat(death), today, death)), dice)
    return People(
        citizen_id=citizen_ids(_registered(district, birth, dice), birth, sex == FEMALE, shard),
        name=people_names(birth, sex == FEMALE, dice),
        birth=birth,
        sex=sex,
        district=district,
        household=families.household,
        spouse=families.spouse,
        alive=np.isnat(death),
        death=death,
        employer=np.full(people, NO_EMPLOYER, dtype=np.int32),
        families=families,
    )


def ages(birth: NDArray[np.datetime64], day: np.datetime64 | NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Return ages on that day, in years."""
    return np.asarray((day - birth).astype(np.int64) / YEAR)


def _deaths(
    age: NDArray[np.float64], sex: NDArray[np.int8], today: np.datetime64, dice: np.random.Generator
) -> NDArray[np.datetime64]:
    hazard = np.exp(_HAZARD[0] + _HAZARD[1] * age) * np.where(sex == FEMALE, 0.66, 1.0)
    # Years after the beginning of the window; whoever gets past its end lives, whoever was not born yet lives too.
    after = dice.exponential(1 / hazard)
    death = (
        today - UNSEEN_DAYS - np.floor((DEATH_YEARS - np.minimum(after, DEATH_YEARS)) * YEAR).astype("timedelta64[D]")
    )
    death[(after >= DEATH_YEARS) | (age < DEATH_YEARS + 1)] = np.datetime64("NaT")
    return np.asarray(death)


def _registered(
    district: NDArray[np.int8], birth: NDArray[np.datetime64], dice: np.random.Generator
) -> NDArray[np.int64]:
    """Return the region where each person was first registered: mostly at home, some elsewhere in the city or beyond."""
    count = len(district)
    moved = dice.random(count)
    other = dice.choice(len(DISTRICTS), count, p=CENSUS / CENSUS.sum())
    region = birth_regions(np.where(moved < 0.74, district, other), birth, DISTRICTS)
    return np.where(moved > 0.84, dice.choice(ELSEWHERE, count), region)
