# SPDX-License-Identifier: Apache-2.0
"""Work: who is employed where, since when, and for how much. Enterprises that left the register employ nobody."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhanqiao.scenarios.city.enterprises import ACTIVE, Enterprises
from zhanqiao.scenarios.city.people import DISTRICTS, FEMALE, NO_EMPLOYER, YEAR, People

YOUNGEST = 18
RETIREMENT = (60, 55)  # men, women
# Share of all people of working age who look for a job in an enterprise; the rest study, farm or work for themselves.
_LOOKING = 0.72
_SAME_DISTRICT = 0.7
_MEDIAN_WAGE_FEN = 640_000


@dataclass(frozen=True, eq=False)
class Work:
    """Jobs by person.

    employer    position in `Enterprises`, -1 without one
    hired       first day at the present employer, NaT without one
    wage        monthly wage in fen that the person earns or would earn
    """

    employer: NDArray[np.int32]
    hired: NDArray[np.datetime64]
    wage: NDArray[np.int64]


def working_age(people: People, today: np.datetime64) -> NDArray[np.bool_]:
    """Return who is old enough to work and too young to retire."""
    age = people.ages(today)
    return np.asarray((age >= YOUNGEST) & (age < np.array(RETIREMENT)[people.sex]))


def employ(people: People, enterprises: Enterprises, today: np.datetime64, dice: np.random.Generator) -> Work:
    """Return the jobs: workers fill the places of enterprises, near their homes first."""
    count = len(people)
    looking = np.flatnonzero(people.alive & working_age(people, today) & (dice.random(count) < _LOOKING))
    size = np.where(enterprises.status == ACTIVE, enterprises.headcount, 0)
    places = dice.permutation(np.repeat(np.arange(len(enterprises)), size))
    looking = dice.permutation(looking)
    employer = np.full(count, NO_EMPLOYER, dtype=np.int32)
    near = dice.random(len(looking)) < _SAME_DISTRICT
    for home in range(len(DISTRICTS)):
        wanting = looking[near & (people.district[looking] == home)]
        offered = places[enterprises.district[places] == home]
        taken = min(len(wanting), len(offered))
        employer[wanting[:taken]] = offered[:taken]
        # What is taken is marked, so that the second round deals the rest.
        places = np.concatenate([places[enterprises.district[places] != home], offered[taken:]])
    waiting = looking[employer[looking] == NO_EMPLOYER]
    places = dice.permutation(places)
    taken = min(len(waiting), len(places))
    employer[waiting[:taken]] = places[:taken]
    return Work(employer, _hired(people, enterprises, employer, today, dice), _wages(people, today, dice))


def _hired(
    people: People,
    enterprises: Enterprises,
    employer: NDArray[np.int32],
    today: np.datetime64,
    dice: np.random.Generator,
) -> NDArray[np.datetime64]:
    adult = people.birth + np.timedelta64(round(YOUNGEST * YEAR), "D")
    earliest = np.maximum(adult, enterprises.founded[employer])
    free = np.maximum((today - earliest).astype(np.int64), 1)
    served = np.minimum(dice.exponential(4.5 * YEAR, len(people)), free)
    hired = today - np.ceil(served).astype("timedelta64[D]")
    hired[employer == NO_EMPLOYER] = np.datetime64("NaT")
    return np.asarray(hired)


def _wages(people: People, today: np.datetime64, dice: np.random.Generator) -> NDArray[np.int64]:
    # Wages rise with age to about 45; women earn less, as statistics say.
    age = np.clip(people.ages(today), YOUNGEST, 60)
    shape = 1.08 - ((age - 45) / 45) ** 2 - np.where(people.sex == FEMALE, 0.12, 0)
    wage = _MEDIAN_WAGE_FEN * shape * dice.lognormal(0, 0.48, len(people))
    # Whole yuan, and nobody below the minimum wage.
    return np.maximum(wage // 100, 2_200).astype(np.int64) * 100
