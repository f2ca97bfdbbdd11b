# SPDX-License-Identifier: Apache-2.0
"""What people do that more than one department writes down: insurance and pensions, degrees, contact, death reports.

Each fact is drawn once, so that departments agree without asking each other. How often somebody meets a department is
one latent rate per person: some go to the doctor every week, some have not been seen for years, and some live in
another city. Life signs, and their absence, follow from it; nothing is tuned to a rate of certification.

One thing is kinder here than in life: at least one department knows of every death. What nobody knows, no rule can see.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhanqiao.scenarios.city.people import NO_EMPLOYER, YEAR, People
from zhanqiao.scenarios.city.work import RETIREMENT, YOUNGEST, Work

# How somebody is insured for old age.
UNINSURED, BY_EMPLOYER, FLEXIBLE, RESIDENT, EMPLOYEE_PENSIONER, RESIDENT_PENSIONER = range(6)
RESIDENT_PENSION_AGE = 60
DEGREES = ("小学及以下", "初中", "高中或中专", "大学专科", "大学本科", "硕士研究生", "博士研究生")
SPECIALIST, BACHELOR, MASTER, DOCTOR = 3, 4, 5, 6
# Shares of DEGREES for those born before 1955, 1970, 1985, and later.
_DEGREE_COHORTS = np.array(["1955", "1970", "1985"], dtype="datetime64[Y]").astype("datetime64[D]")
_DEGREE_SHARES = np.array(
    [
        [0.52, 0.30, 0.12, 0.04, 0.018, 0.0015, 0.0005],
        [0.20, 0.46, 0.20, 0.08, 0.052, 0.006, 0.002],
        [0.07, 0.40, 0.22, 0.16, 0.124, 0.021, 0.005],
        [0.02, 0.20, 0.22, 0.25, 0.25, 0.05, 0.01],
    ]
)
_LEAVES_SCHOOL = np.array([12, 15, 18, 21, 22, 25, 29])

# Contribution bases have a floor and a ceiling, in fen a month.
BASE_FLOOR, BASE_CEILING = 441_600, 2_208_000
_FIRST_INSURED = np.datetime64("1993-01-01")
_FLEXIBLE_SHARE = 0.38
_RESIDENT_SHARE = 0.75
_URBAN_PENSION_SHARE = 0.62

# Contact with departments, relative to people of the same age: mean 1, from hardly ever to very often.
_CONTACT_SPREAD = 0.9
_AWAY_SHARE = 0.025
# Days from death to its report, and the share of deaths that the family never reports: the funeral home alone knows.
_REPORT_DAYS = 9
_UNREPORTED_SHARE = 0.012
# Of those over 60, so many are in the death register by mistake: somebody else's number was typed.
_MISTAKEN_SHARE = 0.0004


@dataclass(frozen=True, eq=False)
class Lives:
    """Facts by person.

    insurance       UNINSURED, BY_EMPLOYER, ...: for the dead, how they were insured
    enrolled        first day of old-age insurance, NaT for the uninsured
    paid_months     months of contributions until today
    steady_months   months of contributions without a gap until today
    base            monthly contribution base in fen
    pension_from    first day of the pension, NaT for others
    pension         monthly pension in fen, 0 for others
    degree          position in DEGREES
    graduated       day of that degree
    contact         how often the person meets departments, relative to others of that age
    away            lives in another city, unknown to every department
    reported        day on which the death was reported, NaT while it is not; then there is a cremation record
    mistaken        lives, but stands in the death register
    """

    insurance: NDArray[np.int8]
    enrolled: NDArray[np.datetime64]
    paid_months: NDArray[np.int64]
    steady_months: NDArray[np.int64]
    base: NDArray[np.int64]
    pension_from: NDArray[np.datetime64]
    pension: NDArray[np.int64]
    degree: NDArray[np.int8]
    graduated: NDArray[np.datetime64]
    contact: NDArray[np.float64]
    away: NDArray[np.bool_]
    reported: NDArray[np.datetime64]
    mistaken: NDArray[np.bool_]

    @property
    def contributes(self) -> NDArray[np.bool_]:
        """Return who pays into the employees' insurance."""
        return np.isin(self.insurance, (BY_EMPLOYER, FLEXIBLE))

    @property
    def pensioner(self) -> NDArray[np.bool_]:
        """Return who draws, or drew until death, a pension."""
        return np.asarray(self.insurance >= EMPLOYEE_PENSIONER)


def build_lives(people: People, work: Work, today: np.datetime64, dice: np.random.Generator) -> Lives:
    """Return the shared facts of these people."""
    count = len(people)
    insurance = _insurance(people, work, today, dice)
    enrolled, paid = _contributions(people, work, insurance, today, dice)
    pension_from, pension = _pensions(people, work, insurance, today, dice)
    degree = _degrees(people, dice)
    reported, mistaken = _reports(people, today, dice)
    contact = dice.lognormal(-(_CONTACT_SPREAD**2) / 2, _CONTACT_SPREAD, count)
    return Lives(
        insurance=insurance,
        enrolled=enrolled,
        paid_months=paid,
        steady_months=np.minimum(paid, dice.geometric(1 / 70, count)),
        base=np.clip(work.wage, BASE_FLOOR, BASE_CEILING),
        pension_from=pension_from,
        pension=pension,
        degree=degree,
        graduated=_graduations(people, degree, dice),
        contact=contact,
        away=dice.random(count) < _AWAY_SHARE,
        reported=reported,
        mistaken=mistaken,
    )


def _insurance(people: People, work: Work, today: np.datetime64, dice: np.random.Generator) -> NDArray[np.int8]:
    age = people.ages(np.where(people.alive, today, people.death))
    chance = dice.random(len(people))
    urban = dice.random(len(people)) < _URBAN_PENSION_SHARE
    retired = age >= np.array(RETIREMENT)[people.sex]
    insurance = np.full(len(people), UNINSURED, dtype=np.int8)
    adult = (age >= YOUNGEST) & ~retired
    insurance[adult & (age >= 22) & (chance < _RESIDENT_SHARE)] = RESIDENT
    insurance[adult & (age >= 22) & (chance < _FLEXIBLE_SHARE)] = FLEXIBLE
    insurance[work.employer != NO_EMPLOYER] = BY_EMPLOYER
    # Women who retire at 55 from the employees' insurance draw at once; residents' pensions begin at 60.
    insurance[retired & urban] = EMPLOYEE_PENSIONER
    insurance[retired & ~urban] = RESIDENT
    insurance[retired & ~urban & (age >= RESIDENT_PENSION_AGE)] = RESIDENT_PENSIONER
    insurance[(insurance == RESIDENT_PENSIONER) & (chance < 0.03)] = UNINSURED
    return insurance


def _contributions(
    people: People, work: Work, insurance: NDArray[np.int8], today: np.datetime64, dice: np.random.Generator
) -> tuple[NDArray[np.datetime64], NDArray[np.int64]]:
    begin = people.birth + ((20 + dice.gamma(2, 2, len(people))) * YEAR).astype("timedelta64[D]")
    begin = np.maximum(begin, _FIRST_INSURED)
    # Nobody is enrolled later than hired, or later than last month.
    latest = np.where(np.isnat(work.hired), today - np.timedelta64(40, "D"), work.hired)
    enrolled = np.minimum(begin, latest)
    span = ((today - enrolled).astype(np.int64) / YEAR * 12).astype(np.int64)
    paid = np.maximum((span * dice.beta(8, 1.2, len(people))).astype(np.int64), 1)
    enrolled[insurance == UNINSURED] = np.datetime64("NaT")
    paid[insurance == UNINSURED] = 0
    return np.asarray(enrolled), paid


def _pensions(
    people: People, work: Work, insurance: NDArray[np.int8], today: np.datetime64, dice: np.random.Generator
) -> tuple[NDArray[np.datetime64], NDArray[np.int64]]:
    at = np.where(insurance == EMPLOYEE_PENSIONER, np.array(RETIREMENT)[people.sex], RESIDENT_PENSION_AGE)
    # A pension begins with the month after the birthday.
    birthday = people.birth + np.ceil(at * YEAR).astype("timedelta64[D]")
    begins = (birthday.astype("datetime64[M]") + 1).astype("datetime64[D]")
    begins = np.minimum(begins, today.astype("datetime64[M]").astype("datetime64[D]"))
    begins[insurance < EMPLOYEE_PENSIONER] = np.datetime64("NaT")
    of_employee = np.clip(work.wage * 0.52 * dice.lognormal(0, 0.15, len(people)), 130_000, 1_500_000)
    of_resident = 22_000 + dice.gamma(2, 4_000, len(people))
    pension = np.select([insurance == EMPLOYEE_PENSIONER, insurance == RESIDENT_PENSIONER], [of_employee, of_resident])
    return begins, pension.astype(np.int64)


def _degrees(people: People, dice: np.random.Generator) -> NDArray[np.int8]:
    cohort = np.searchsorted(_DEGREE_COHORTS, people.birth, side="right")
    steps = np.cumsum(_DEGREE_SHARES, axis=1)[:, :-1]
    return np.asarray((dice.random(len(people))[:, None] >= steps[cohort]).sum(axis=1), dtype=np.int8)


def _graduations(people: People, degree: NDArray[np.int8], dice: np.random.Generator) -> NDArray[np.datetime64]:
    """Graduations are in the last days of June or the first of July of a year; a day after today is still to come."""
    year = people.birth.astype("datetime64[Y]") + (_LEAVES_SCHOOL[degree] + dice.integers(0, 2, len(people)))
    return np.asarray(year.astype("datetime64[D]") + np.timedelta64(170, "D") + dice.integers(0, 16, len(people)))


def _reports(
    people: People, today: np.datetime64, dice: np.random.Generator
) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    count = len(people)
    delay = 1 + dice.exponential(_REPORT_DAYS, count)
    reported = people.death + delay.astype("timedelta64[D]")
    reported[(dice.random(count) < _UNREPORTED_SHARE) | (reported > today)] = np.datetime64("NaT")
    old = people.alive & (people.ages(today) >= RESIDENT_PENSION_AGE)
    return np.asarray(reported), old & (dice.random(count) < _MISTAKEN_SHARE)
