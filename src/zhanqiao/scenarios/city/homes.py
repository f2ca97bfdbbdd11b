# SPDX-License-Identifier: Apache-2.0
"""Homes: who owns them, what they cost and who lent the money. Real estate registry and housing fund both tell of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhanqiao.scenarios.city.lives import Lives
from zhanqiao.scenarios.city.people import YEAR, People
from zhanqiao.scenarios.city.shards import Shard

# How a home was paid for.
CASH, BANK, FUND, BOTH = range(4)
# How it was come by, in the order of `departments.real_estate.TRANSFERS`.
NEW_BUILD, SECOND_HAND, INHERITED, GIVEN = range(4)
_OWNED_SHARE = 0.78
_SECOND_SHARE = 0.14
# Mean price per square metre in fen, in the order of people.DISTRICTS.
_PRICES = np.array([2_900, 2_000, 1_500, 2_700, 1_900, 1_600, 1_050, 1_000, 650, 700]) * 1_000
_BUYING_AGE = 24


@dataclass(frozen=True, eq=False)
class Homes:
    """Dwellings as parallel arrays.

    owner       position in `People`
    district    where the home lies
    area        square metres times 100
    price       fen
    acquired    day of the registration
    way         NEW_BUILD, SECOND_HAND, INHERITED or GIVEN
    finance     CASH, BANK, FUND or BOTH
    loan        fen lent in all, 0 for CASH
    years       term of the loan
    joint       whether the spouse owns it too
    number      serial of the certificate
    """

    owner: NDArray[np.int64]
    district: NDArray[np.int8]
    area: NDArray[np.int64]
    price: NDArray[np.int64]
    acquired: NDArray[np.datetime64]
    way: NDArray[np.int64]
    finance: NDArray[np.int64]
    loan: NDArray[np.int64]
    years: NDArray[np.int64]
    joint: NDArray[np.bool_]
    number: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def fund_loan(self) -> NDArray[np.int64]:
        """Return what the housing fund lent for each home, in fen; it lends at most 1,000,000 yuan."""
        part = np.where(self.finance == BOTH, self.loan // 2, self.loan)
        return np.where(self.finance >= FUND, np.minimum(part, 100_000_000) // 100_000 * 100_000, 0)

    @property
    def bank_loan(self) -> NDArray[np.int64]:
        """Return what a bank lent for each home, in fen."""
        rest = self.loan - np.where(self.finance == BOTH, self.fund_loan, 0)
        return np.where((self.finance == BANK) | (self.finance == BOTH), rest // 100_000 * 100_000, 0)


def build_homes(people: People, lives: Lives, today: np.datetime64, shard: Shard) -> Homes:
    """Return the homes: most households own one, some own two; owners are adults who live or died lately."""
    dice = shard.dice("homes")
    adults = np.flatnonzero(people.ages(today) >= _BUYING_AGE + 4)
    # One owner per household: the first adult in an order that chance makes.
    adults = dice.permutation(adults)
    first = adults[np.unique(people.household[adults], return_index=True)[1]]
    owners = first[dice.random(len(first)) < _OWNED_SHARE]
    owner = np.concatenate([owners, owners[dice.random(len(owners)) < _SECOND_SHARE]])
    count = len(owner)
    acquired = _acquired(people, owner, today, dice)
    area = (np.clip(dice.lognormal(np.log(92), 0.32, count), 28, 400) * 100).astype(np.int64)
    price = (_PRICES[people.district[owner]] * dice.lognormal(0, 0.2, count)).astype(np.int64) * area // 100
    way = dice.choice(4, count, p=(0.52, 0.36, 0.07, 0.05))
    finance = dice.choice(4, count, p=(0.34, 0.36, 0.12, 0.18))
    # The fund lends to those who pay into it; what is inherited or given costs nothing.
    finance[(finance >= FUND) & ~lives.contributes[owner]] = BANK
    finance[(way >= INHERITED) | (people.ages(today)[owner] > 70)] = CASH
    loan = np.where(finance == CASH, 0, price * dice.uniform(0.3, 0.7, count)).astype(np.int64)
    return Homes(
        owner=owner,
        district=people.district[owner],
        area=area,
        price=price // 100_000 * 100_000,
        acquired=acquired,
        way=way,
        finance=finance,
        loan=loan,
        years=dice.choice((10, 15, 20, 25, 30), count, p=(0.1, 0.15, 0.25, 0.15, 0.35)),
        joint=(people.spouse[owner] >= 0) & (dice.random(count) < 0.6),
        number=shard.dealt(dice.permutation(count)) + 1,
    )


def _acquired(
    people: People, owner: NDArray[np.int64], today: np.datetime64, dice: np.random.Generator
) -> NDArray[np.datetime64]:
    """Return the day of registration: after the owner came of age, before today or death, since registers are digital."""
    last: NDArray[np.datetime64] = np.where(people.alive, today, people.death)[owner]
    first = people.birth[owner] + np.timedelta64(round(_BUYING_AGE * YEAR), "D")
    first = np.maximum(first, np.datetime64("1998-07-01"))
    span = np.maximum((last - first).astype(np.int64) - 1, 0)
    return np.asarray(first + (span * dice.beta(1.1, 0.9, len(owner))).astype("timedelta64[D]"))
