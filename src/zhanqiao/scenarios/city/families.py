# SPDX-License-Identifier: Apache-2.0
"""Families: who married whom and when, who divorced, and who lives together.

Couples form inside a district, by nearness of age. Children, some young adults and some widowed old people live with a
couple that could be theirs; all others live alone. A household has about 2.5 people, as in the census.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
_YEAR = 365.2425
_MARRIAGE_AGE = 22
# Share that stands in a couple here, by age, of men and of women; the long widowed stand alone.
_MARRIED_AT = (22, 25, 30, 35, 45, 60, 70, 80, 90)
_MARRIED_SHARE = (
    (0.04, 0.22, 0.66, 0.86, 0.94, 0.95, 0.92, 0.82, 0.6),
    (0.1, 0.4, 0.8, 0.92, 0.95, 0.93, 0.82, 0.55, 0.2),
)
_DIVORCED_SHARE = 0.09


@dataclass(frozen=True, eq=False)
class Lifespans:
    """Who is there to form families, as parallel arrays; `end` is the day of death or today."""

    birth: NDArray[np.datetime64]
    female: NDArray[np.bool_]
    district: NDArray[np.int8]
    end: NDArray[np.datetime64]

    @property
    def age(self) -> NDArray[np.float64]:
        return np.asarray((self.end - self.birth).astype(np.int64) / _YEAR)

    def homes(self) -> range:
        return range(int(self.district.max(initial=-1)) + 1)


@dataclass(frozen=True, eq=False)
class Families:
    """Couples as parallel arrays, households and spouses by person.

    husband, wife   positions in `People`
    married         day of the marriage
    divorced        day of the divorce, NaT without one
    household       number of the household of each person
    spouse          position of the spouse of each person, -1 without one
    """

    husband: NDArray[np.int64]
    wife: NDArray[np.int64]
    married: NDArray[np.datetime64]
    divorced: NDArray[np.datetime64]
    household: NDArray[np.int32]
    spouse: NDArray[np.int32]


def build_families(lives: Lifespans, dice: np.random.Generator) -> Families:
    """Return the families of these people."""
    husband, wife = _couples(lives, dice)
    # From the twentieth birthday of the younger to the first death or today.
    first = np.maximum(lives.birth[husband], lives.birth[wife]) + np.timedelta64(round(20 * _YEAR), "D")
    last = np.minimum(lives.end[husband], lives.end[wife])
    free = (last - first).astype(np.int64)
    married = first + np.minimum(dice.gamma(4, 1.4 * _YEAR, len(husband)), free * 0.95).astype("timedelta64[D]")
    together = (last - married).astype(np.int64)
    divorced = married + (together * dice.uniform(0.1, 1, len(husband))).astype("timedelta64[D]")
    divorced[(dice.random(len(husband)) >= _DIVORCED_SHARE) | (together < 365)] = np.datetime64("NaT")
    kept = np.isnat(divorced)
    spouse = np.full(len(lives.birth), NOBODY, dtype=np.int32)
    spouse[husband[kept]] = wife[kept]
    spouse[wife[kept]] = husband[kept]
    return Families(husband, wife, married, divorced, _households(lives, spouse, dice), spouse)


def _couples(lives: Lifespans, dice: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    age, female = lives.age, lives.female
    of_men, of_women = (np.interp(age, _MARRIED_AT, share, left=0) for share in _MARRIED_SHARE)
    marries = (age >= _MARRIAGE_AGE) & (dice.random(len(age)) < np.where(female, of_women, of_men))
    # Men marry about two years younger women; the noise keeps couples from having exactly that difference.
    place = lives.birth.astype(np.int64) + dice.normal(0, 2.5 * _YEAR, len(age)) - np.where(female, 2 * _YEAR, 0)
    husbands, wives = [], []
    for home in lives.homes():
        men, women = (np.flatnonzero(marries & (lives.district == home) & (female == sex)) for sex in (False, True))
        size = min(len(men), len(women))
        men, women = (dice.choice(group, size, replace=False) for group in (men, women))
        husbands.append(men[np.argsort(place[men], kind="stable")])
        wives.append(women[np.argsort(place[women], kind="stable")])
    return np.concatenate(husbands), np.concatenate(wives)


def _households(lives: Lifespans, spouse: NDArray[np.int32], dice: np.random.Generator) -> NDArray[np.int32]:
    age, count = lives.age, len(spouse)
    single = spouse == NOBODY
    # The household of somebody alone is numbered by that person, of a couple by the husband, of a guest by the hosts.
    head = np.where(lives.female & ~single, spouse, np.arange(count))
    chance = dice.random(count)
    young = (age < _MARRIAGE_AGE) | (single & (age < 34) & (chance < 0.55))
    old = single & (age >= 70) & (chance < 0.4)
    # A mother is about 28 years older than her child; an old person lives with a daughter or a daughter-in-law.
    apart = dice.normal(28, 4.5, count) * _YEAR
    wanted = lives.birth.astype(np.int64) + np.where(old, apart, -apart)
    for home in lives.homes():
        hosts = np.flatnonzero(lives.female & ~single & (lives.district == home))
        if not len(hosts):
            continue
        hosts = hosts[np.argsort(lives.birth[hosts], kind="stable")]
        guests = np.flatnonzero((young | old) & single & (lives.district == home))
        nearest = np.searchsorted(lives.birth[hosts].astype(np.int64), wanted[guests])
        # Some places up or down the line, so that guests spread over the hosts of that age.
        reach = len(hosts) // 50 + 1
        nearest += dice.integers(-reach, reach + 1, len(guests))
        head[guests] = head[hosts[np.clip(nearest, 0, len(hosts) - 1)]]
    return np.unique(head, return_inverse=True)[1].astype(np.int32)
