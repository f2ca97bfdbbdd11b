# SPDX-License-Identifier: Apache-2.0
"""The housing fund (住房公积金管理中心): who saves with whom, who takes money out, who borrowed and pays back.

Loans are those of `homes.py`: the real estate registry knows the same ones as mortgages.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.scenarios.city.city import City
from zhanqiao.scenarios.city.departments.columns import column_of, days, labels, money
from zhanqiao.scenarios.city.departments.persons import full_names, homes, ids, last_days, some_day
from zhanqiao.scenarios.city.departments.source import codes, districts, names
from zhanqiao.scenarios.city.enterprises import ACTIVE, CANCELLED
from zhanqiao.scenarios.city.people import NO_EMPLOYER, YEAR

MONTHS = 3
UNIT_STATES = ("正常缴存", "缓缴", "欠缴", "销户")
RATIOS = ("5%", "6%", "8%", "10%", "12%")
ACCOUNT_STATES = ("正常", "封存")
DEPOSIT_KINDS = ("汇缴", "补缴")
WITHDRAWAL_REASONS = ("偿还购房贷款", "购买住房", "租房", "离退休", "与单位终止劳动关系", "其他")
CHANNELS = ("网上办理", "柜台办理", "按月自动划转")
LOAN_PURPOSES = ("购买新建住房", "购买存量住房")
LOAN_STATES = ("正常还款", "逾期", "已结清")

_RATIO_PER_MILLE = np.array([50, 60, 80, 100, 120])
_YEARLY_RATE = 0.0285


@dataclass(frozen=True, eq=False)
class _Savings:
    """What the fund knows: which enterprises take part and at what ratio, who saves, who once saved."""

    ratio: NDArray[np.int64]  # by enterprise, position in RATIOS
    state: NDArray[np.int64]  # by enterprise, position in UNIT_STATES
    takes_part: NDArray[np.bool_]  # by enterprise
    saver: NDArray[np.int64]  # positions of people who save now
    dormant: NDArray[np.int64]  # positions of people whose account is sealed


@dataclass(frozen=True, eq=False)
class _Loans:
    """Loans of the fund: the home each is for, what is left, the months since it began, the monthly payment in fen."""

    home: NDArray[np.int64]
    left: NDArray[np.int64]
    months: NDArray[np.int64]
    payment: NDArray[np.int64]
    overdue: NDArray[np.bool_]


def housing_fund(city: City) -> dict[str, pa.Table]:
    """Return the fund's datasets by name."""
    savings, loans = _savings(city), _loans(city)
    return {
        "fund_unit": _units(city, savings),
        "fund_account": _accounts(city, savings),
        "fund_deposit": _deposits(city, savings),
        "fund_withdrawal": _withdrawals(city, savings),
        "fund_loan": _loan_table(city, loans),
        "fund_repayment": _repayments(city, loans),
    }


def _savings(city: City) -> _Savings:
    enterprises, dice = city.enterprises, city.dice
    # Small enterprises often leave the fund out; large ones hardly ever.
    joins = dice.random(len(enterprises)) < np.clip(0.3 + 0.16 * np.log2(enterprises.headcount), 0, 0.97)
    troubled = dice.random(len(enterprises)) < 0.01 + 0.35 * enterprises.risk
    state = np.where(enterprises.status == ACTIVE, np.where(troubled, 1 + (dice.random(len(joins)) < 0.6), 0), 3)
    employer = city.people.employer
    saves = (employer != NO_EMPLOYER) & joins[employer]
    past = city.lives.contributes & city.people.alive & ~saves & (dice.random(len(saves)) < 0.2)
    return _Savings(
        ratio=dice.choice(len(RATIOS), len(enterprises), p=(0.34, 0.1, 0.2, 0.1, 0.26)),
        state=state,
        takes_part=joins,
        saver=np.flatnonzero(saves),
        dormant=np.flatnonzero(past),
    )


def _monthly(city: City, savings: _Savings, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what employer and employee pay in together each month, in fen: the same ratio each, in whole yuan."""
    ratio = _RATIO_PER_MILLE[savings.ratio[city.people.employer[rows]]]
    return np.asarray(city.lives.base[rows] * ratio // 100_000 * 200)


def _units(city: City, savings: _Savings) -> pa.Table:
    rows = np.flatnonzero(savings.takes_part & (city.enterprises.status <= CANCELLED))
    savers = np.bincount(city.people.employer[savings.saver], minlength=len(city.enterprises))
    opened = np.minimum(city.enterprises.founded[rows] + np.timedelta64(60, "D"), city.today)
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "单位名称": names(city, rows),
            "所属区市": districts(city, rows),
            "缴存状态": labels(savings.state[rows], UNIT_STATES),
            "单位缴存比例": labels(savings.ratio[rows], RATIOS),
            "缴存人数": pa.array(savers[rows]),
            "开户日期": days(opened),
        }
    )


def _accounts(city: City, savings: _Savings) -> pa.Table:
    rows = np.concatenate([savings.saver, savings.dormant])
    active = np.arange(len(rows)) < len(savings.saver)
    monthly = np.zeros(len(rows), dtype=np.int64)
    monthly[active] = _monthly(city, savings, savings.saver)
    # Most of what was paid in has been taken out again for homes and rent.
    months = np.minimum(city.lives.paid_months[rows], 300)
    typical = np.where(active, monthly, 60_000)
    balance = (typical * months * city.dice.beta(1.2, 3.0, len(rows))).astype(np.int64)
    opened = city.today - np.ceil(months * YEAR / 12).astype("timedelta64[D]")
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "姓名": full_names(city, rows),
            "所属区市": homes(city, rows),
            "账户状态": labels((~active).astype(np.int8), ACCOUNT_STATES),
            "开户日期": days(opened),
            "缴存基数": money(city.lives.base[rows]),
            "月缴存额": money(monthly),
            "连续缴存月数": pa.array(np.where(active, np.minimum(city.lives.steady_months[rows], months), 0)),
            "账户余额": money(balance),
        }
    )


def _deposits(city: City, savings: _Savings) -> pa.Table:
    this = city.today.astype("datetime64[M]")
    months = (this - np.arange(MONTHS, 0, -1)).astype("datetime64[D]")
    row = np.tile(savings.saver, MONTHS)
    column = np.repeat(np.arange(MONTHS), len(savings.saver))
    employer = city.people.employer[row]
    # An enterprise behind with its payments is behind for everybody, and may make up for an older month.
    behind = (savings.state[employer] > 0) & (column > 0)
    kept = (city.work.hired[row] <= months[column]) & ~behind
    row, column, employer = row[kept], column[kept], employer[kept]
    by_unit = city.dice.integers(0, 20, (len(city.enterprises), MONTHS))
    made_up = savings.state[employer] > 0
    paid = months[column] + (by_unit[employer, column] + np.where(made_up, 35, 5)).astype("timedelta64[D]")
    return pa.table(
        {
            "公民身份号码": ids(city, row),
            "统一社会信用代码": codes(city, employer),
            "缴存年月": days(months[column]),
            "业务类型": labels(made_up.astype(np.int8), DEPOSIT_KINDS),
            "缴存金额": money(_monthly(city, savings, row)),
            "到账日期": days(paid),
        }
    )


def _withdrawals(city: City, savings: _Savings) -> pa.Table:
    members = np.concatenate([savings.saver, savings.dormant])
    rows = members[city.dice.random(len(members)) < 0.2]
    reason = city.dice.choice(len(WITHDRAWAL_REASONS), len(rows), p=(0.46, 0.14, 0.26, 0.04, 0.06, 0.04))
    channel = np.where(
        reason == 0, city.dice.choice(3, len(rows), p=(0.3, 0.1, 0.6)), city.dice.integers(2, size=len(rows))
    )
    amount = city.dice.lognormal(np.log(1_500_000), 0.8, len(rows))
    two_years = city.today - np.timedelta64(730, "D")
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "所属区市": homes(city, rows),
            "提取原因": labels(reason, WITHDRAWAL_REASONS),
            "办理渠道": labels(channel, CHANNELS),
            "提取金额": money(np.clip(amount, 10_000, 90_000_000).astype(np.int64)),
            "提取日期": days(some_day(city, rows, two_years)),
        }
    )


def _loans(city: City) -> _Loans:
    dwellings = city.homes
    home = np.flatnonzero(dwellings.fund_loan > 0)
    lent, term = dwellings.fund_loan[home], dwellings.years[home] * 12
    months = ((last_days(city, dwellings.owner[home]) - dwellings.acquired[home]).astype(np.int64) * 12 / YEAR).astype(
        np.int64
    )
    # Equal instalments: what is left after so many months, by the formula of an annuity.
    growth = 1 + _YEARLY_RATE / 12
    share = (growth**term - growth ** np.minimum(months, term)) / (growth**term - 1)
    left = (lent * share).astype(np.int64)
    # Some pay everything back early.
    left[city.dice.random(len(home)) < np.clip(months / 400, 0, 0.5)] = 0
    payment = (lent * (_YEARLY_RATE / 12) * growth**term / (growth**term - 1)).astype(np.int64)
    overdue = (left > 0) & (city.dice.random(len(home)) < 0.015)
    return _Loans(home, left, months, payment, overdue)


def _loan_table(city: City, loans: _Loans) -> pa.Table:
    dwellings = city.homes
    owner = dwellings.owner[loans.home]
    return pa.table(
        {
            "公民身份号码": ids(city, owner),
            "姓名": full_names(city, owner),
            "所属区市": homes(city, owner),
            "贷款用途": labels(dwellings.way[loans.home], LOAN_PURPOSES),
            "贷款金额": money(dwellings.fund_loan[loans.home]),
            "贷款期限(年)": pa.array(dwellings.years[loans.home]),
            "发放日期": days(dwellings.acquired[loans.home]),
            "贷款余额": money(loans.left),
            "贷款状态": labels(np.where(loans.left == 0, 2, loans.overdue), LOAN_STATES),
        }
    )


def _repayments(city: City, loans: _Loans) -> pa.Table:
    running = np.flatnonzero((loans.left > 0) & city.people.alive[city.homes.owner[loans.home]])
    this = city.today.astype("datetime64[M]")
    months = (this - np.arange(MONTHS, 0, -1)).astype("datetime64[D]")
    row = np.tile(running, MONTHS)
    column = np.repeat(np.arange(MONTHS), len(running))
    began = city.homes.acquired[loans.home[row]] < months[column]
    row, column = row[began], column[began]
    # Who is overdue missed the last month, and paid the one before only in part.
    late = loans.overdue[row] & (column > 0)
    share = np.where(late, np.where(column == MONTHS - 1, 0, 40), 100)
    owner = city.homes.owner[loans.home[row]]
    return pa.table(
        {
            "公民身份号码": ids(city, owner),
            "所属区市": homes(city, owner),
            "还款年月": days(months[column]),
            "应还金额": money(loans.payment[row]),
            "实还金额": money(loans.payment[row] * share // 100),
            "是否逾期": column_of(late),
        }
    )
