# SPDX-License-Identifier: Apache-2.0
"""How the enterprises behaved: the events that more than one department writes down.

A tax fine stands at the tax bureau and in the public credit file; a judgment defaulter stands at the court and on the
list of the untrustworthy. Both are drawn here once, from the seed of the enterprises, so departments agree without
asking each other. Rates grow with the latent risk: that is all the signal that there is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhanqiao.scenarios.city.enterprises import Enterprises

# Negative information lives five years (regulation on the credit industry, article 16).
YEARS = 5
_DAYS = 365

PENALTY_FIELDS = ("税务", "生态环境", "消防救援", "应急管理", "市场监管", "人力资源社会保障", "其他")
MARKET_FIELD = PENALTY_FIELDS.index("市场监管")
PENALTY_KINDS = ("警告", "罚款", "没收违法所得", "责令停产停业", "吊销许可证件")
TAX_GRADES = ("A", "B", "M", "C", "D")
ENFORCEMENT_STATES = ("执行中", "执行完毕", "终结本次执行程序")
CASE_KINDS = ("合同纠纷", "劳动争议", "知识产权纠纷", "环境污染责任纠纷", "其他")

# Events per enterprise and year at mean risk.
_PENALTIES = 0.06
_ARREARS = 0.04
_NOTICES = 0.08
_ABNORMAL_OPERATION = 0.05
_ABNORMAL_TAXPAYER = 0.02
_VIOLATIONS = 0.004
_SERIOUS = 0.005
_ENFORCEMENT = 0.05


@dataclass(frozen=True, eq=False)
class Events:
    """Events of enterprises, as parallel arrays.

    enterprise  position in `Enterprises`
    day         when it happened
    ended       when it was settled, NaT while it lasts
    kind        position in the labels of this kind of event
    amount      fen, 0 where there is none
    """

    enterprise: NDArray[np.int64]
    day: NDArray[np.datetime64]
    ended: NDArray[np.datetime64]
    kind: NDArray[np.int64]
    amount: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.enterprise)

    def only(self, rows: NDArray[np.bool_]) -> "Events":
        """Return the events that `rows` marks."""
        return Events(self.enterprise[rows], self.day[rows], self.ended[rows], self.kind[rows], self.amount[rows])

    @property
    def open(self) -> NDArray[np.bool_]:
        """Return which events still last."""
        return np.isnat(self.ended)


@dataclass(frozen=True, eq=False)
class Conduct:
    """What the departments agree on.

    penalties   kind: `PENALTY_FIELDS`; `penalty_kinds` says how each was punished
    defaulters  the enforcement cases whose debtor hides or refuses; `limits` those with a limit on consumption
    grades      tax grade per year (rows, oldest first, `grade_years`) and enterprise, position in `TAX_GRADES`, -1 none
    """

    penalties: Events
    penalty_kinds: NDArray[np.int64]
    arrears: Events
    notices: Events
    abnormal_operation: Events
    abnormal_taxpayer: Events
    violations: Events
    serious_illegal: Events
    enforcement: Events
    defaulters: Events
    limits: Events
    grade_years: tuple[int, ...]
    grades: NDArray[np.int8]


def conduct_of(enterprises: Enterprises, today: np.datetime64) -> Conduct:
    """Return how these enterprises behaved up to that day; the same enterprises always behaved the same."""
    dice = np.random.default_rng(enterprises.seed)
    bad = _badness(enterprises)
    penalties = draw_events(
        enterprises, today, dice, bad * _PENALTIES, shares=(0.2, 0.12, 0.15, 0.1, 0.25, 0.08, 0.1), median_yuan=8_000
    )
    enforcement = draw_events(enterprises, today, dice, bad * _ENFORCEMENT, shares=(0.4, 0.4, 0.2), median_yuan=180_000)
    refusing = dice.random(len(enforcement)) < np.where(enforcement.kind == 1, 0.1, 0.4)
    limited = refusing | (dice.random(len(enforcement)) < 0.2)
    notices = draw_events(enterprises, today, dice, bad * _NOTICES, shares=(0.6, 0.4))
    arrears = draw_events(enterprises, today, dice, bad * _ARREARS, shares=(0.6, 0.3, 0.1), median_yuan=40_000)
    violations = draw_events(
        enterprises, today, dice, bad * _VIOLATIONS, shares=(0.5, 0.3, 0.15, 0.05), median_yuan=900_000, lasting=0.8
    )
    years, grades = _grades(enterprises, today, dice, arrears, violations)
    return Conduct(
        penalties=penalties,
        penalty_kinds=dice.choice(len(PENALTY_KINDS), len(penalties), p=(0.2, 0.6, 0.12, 0.06, 0.02)),
        arrears=arrears,
        notices=notices,
        abnormal_operation=draw_events(
            enterprises, today, dice, bad * _ABNORMAL_OPERATION, shares=(0.55, 0.05, 0.05, 0.35), lasting=0.4
        ),
        abnormal_taxpayer=draw_events(enterprises, today, dice, bad * _ABNORMAL_TAXPAYER, lasting=0.5),
        violations=violations,
        serious_illegal=draw_events(enterprises, today, dice, bad * _SERIOUS, shares=(0.4, 0.3, 0.2, 0.1), lasting=0.7),
        enforcement=enforcement,
        defaulters=enforcement.only(refusing),
        limits=enforcement.only(limited),
        grade_years=years,
        grades=grades,
    )


def draw_events(
    enterprises: Enterprises,
    today: np.datetime64,
    dice: np.random.Generator,
    yearly: NDArray[np.float64] | float,
    *,
    shares: tuple[float, ...] = (1.0,),
    median_yuan: float = 0,
    lasting: float = 0.3,
    years: int = YEARS,
) -> Events:
    """Return Poisson events while an enterprise lived: kinds by share, log-normal amounts, a part that still lasts."""
    first = np.maximum(enterprises.founded, today - np.timedelta64(years * _DAYS, "D"))
    last = np.where(np.isnat(enterprises.closed), today, enterprises.closed)
    lived = np.maximum((last - first).astype("timedelta64[D]").astype(np.int64), 0)
    expected = yearly * lived / _DAYS
    times = dice.poisson(expected)
    if not times.any():
        times[np.argmax(expected)] = 1  # even a small city's register has an entry
    enterprise = np.repeat(np.arange(len(enterprises)), times)
    count = len(enterprise)
    # At least one day after founding, never today: a department needs a day to write it down.
    day = first[enterprise] + (dice.random(count) * lived[enterprise]).astype("timedelta64[D]")
    ended = day + (20 + dice.exponential(200, count)).astype("timedelta64[D]")
    ended[(dice.random(count) < lasting) | (ended >= today)] = np.datetime64("NaT")
    amount = np.zeros(count, dtype=np.int64)
    if median_yuan:
        amount = np.clip(dice.lognormal(np.log(median_yuan * 100), 1.1, count), 10_000, 5e10).astype(np.int64)
    kind = np.searchsorted(np.cumsum(shares)[:-1] / sum(shares), dice.random(count), side="right")
    return Events(enterprise, day, ended, kind, amount)


def _badness(enterprises: Enterprises) -> NDArray[np.float64]:
    """Return the factor on every rate: 1 on average, 0.3 for the safest, several times 1 for the riskiest."""
    return np.asarray(0.3 + 0.7 * enterprises.risk / enterprises.risk.mean())


def _grades(
    enterprises: Enterprises, today: np.datetime64, dice: np.random.Generator, arrears: Events, violations: Events
) -> tuple[tuple[int, ...], NDArray[np.int8]]:
    """Return the grades of the last three finished years: points, then the facts that cap them."""
    this_year = int(today.astype("datetime64[Y]").astype(int)) + 1970
    years = (this_year - 3, this_year - 2, this_year - 1)
    points = 0.8 + dice.normal(0, 0.6, (len(years), len(enterprises))) - 3 * enterprises.risk
    grades = np.select([points > 1.0, points > -0.6, points > -1.6], [0, 1, 3], 4).astype(np.int8)
    founded = enterprises.founded.astype("datetime64[Y]").astype(int) + 1970
    closed = np.where(
        np.isnat(enterprises.closed), this_year, enterprises.closed.astype("datetime64[Y]").astype(int) + 1970
    )
    for row, year in enumerate(years):
        owing = arrears.enterprise[arrears.day.astype("datetime64[Y]").astype(int) + 1970 == year]
        grades[row, owing] = np.maximum(grades[row, owing], 3)  # arrears: C at best
        caught = violations.enterprise[violations.day.astype("datetime64[Y]").astype(int) + 1970 <= year]
        grades[row, caught] = 4  # a published major violation: D
        grades[row, (founded == year) & (grades[row] < 3)] = 2  # in its first year: M
        grades[row, (founded > year) | (closed < year)] = -1
    return years, grades
