# SPDX-License-Identifier: Apache-2.0
"""The tax bureau (税务局): who pays, how much and when, whom it graded, and who owes.

Money flows follow one turnover per enterprise and quarter, which falls where the latent risk is high.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.scenarios.city.conduct import TAX_GRADES, Conduct, Events, conduct_of
from zhanqiao.scenarios.city.departments.columns import day_in, days, labels, money, year_texts, years
from zhanqiao.scenarios.city.departments.source import (
    City,
    codes,
    districts,
    industries,
    names,
    representative_ids,
    representative_names,
)
from zhanqiao.scenarios.city.enterprises import ACTIVE, CANCELLED

QUARTERS = 8
TAXPAYER_KINDS = ("增值税一般纳税人", "小规模纳税人")
TAXPAYER_STATES = ("正常", "非正常", "清算", "注销")
ADJUSTMENTS = ("A级调为非A级", "非A级调为A级", "未调整")
TAX_KINDS = ("增值税", "企业所得税", "其他税费")
TIMELINESS = ("按期申报", "逾期申报")
ARREARS_STATES = ("未缴清", "已缴清")
NOTICE_KINDS = ("税款催缴", "责令限期改正")
NOTICE_STATES = ("未履行", "已履行")
ABNORMAL_STATES = ("非正常", "已解除")
VIOLATION_KINDS = ("虚开发票", "偷税", "逃避追缴欠税", "走逃(失联)")


@dataclass(frozen=True, eq=False)
class _Quarter:
    """One enterprise in one quarter: its row, the last day, what it sold (fen), how many it employed."""

    enterprise: NDArray[np.int64]
    end: NDArray[np.datetime64]
    sales: NDArray[np.int64]
    staff: NDArray[np.int64]


def tax(city: City) -> dict[str, pa.Table]:
    """Return the bureau's datasets by name."""
    conduct = conduct_of(city.enterprises, city.today)
    quarters = _quarters(city)
    return {
        "tax_registration": _registration(city, conduct),
        "tax_credit_grade": _grades(city, conduct),
        "tax_payment": _payments(city, quarters),
        "vat_declaration": _declarations(city, quarters),
        "tax_arrears": _arrears(city, conduct),
        "tax_notice": _notices(city, conduct),
        "abnormal_taxpayer": _abnormal(city, conduct),
        "major_tax_violation": _violations(city, conduct),
        "withholding_declaration": _withholding(city, quarters),
    }


def quarter_ends(today: np.datetime64, count: int) -> NDArray[np.datetime64]:
    """Return the last days of the latest finished quarters, oldest first."""
    month = today.astype("datetime64[M]")
    start = month - np.timedelta64(int(month.astype(int)) % 3, "M")
    starts = start - np.arange(count)[::-1] * np.timedelta64(3, "M")
    return np.asarray(starts.astype("datetime64[D]") - np.timedelta64(1, "D"))


def living(city: City, ends: NDArray[np.datetime64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (enterprise, period) positions of every enterprise that was founded by then and not yet closed."""
    enterprises = city.enterprises
    alive = enterprises.founded[:, None] <= ends
    alive &= np.isnat(enterprises.closed)[:, None] | (enterprises.closed[:, None] > ends)
    rows, column = np.nonzero(alive)
    return rows.astype(np.int64), column.astype(np.int64)


def _quarters(city: City) -> _Quarter:
    ends = quarter_ends(city.today, QUARTERS)
    enterprise, column = living(city, ends)
    dice, enterprises = city.dice, city.enterprises
    # About 90,000 yuan of sales per head and quarter; risk turns growth into decline from quarter to quarter.
    ago = QUARTERS - 1 - column
    trend = np.exp(ago * (0.16 * enterprises.risk[enterprise] - 0.008))
    head = enterprises.headcount[enterprise]
    # What one head sells differs from enterprise to enterprise, and a little from quarter to quarter.
    own = dice.lognormal(-0.1, 0.5, len(enterprises))[enterprise]
    sales = head * 9_000_000 * own * trend * dice.lognormal(0, 0.15, len(enterprise))
    staff = np.rint(head * np.exp(ago * (0.05 * enterprises.risk[enterprise] - 0.004)))
    return _Quarter(
        enterprise,
        ends[column],
        np.clip(sales, 0, 5e12).astype(np.int64),
        np.clip(staff, 1, 100_000).astype(np.int64),
    )


def _small(city: City, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    return city.enterprises.headcount[rows] < 8


def _registration(city: City, conduct: Conduct) -> pa.Table:
    rows = np.arange(len(city.enterprises))
    state = np.where(city.enterprises.status == CANCELLED, 3, np.where(city.enterprises.status == ACTIVE, 0, 2))
    lost = conduct.abnormal_taxpayer.enterprise[conduct.abnormal_taxpayer.open]
    state[lost[state[lost] == 0]] = 1
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "纳税人名称": names(city, rows),
            "纳税人类型": labels(_small(city, rows).astype(np.int8), TAXPAYER_KINDS),
            "纳税人状态": labels(state, TAXPAYER_STATES),
            "登记日期": days(city.enterprises.founded + np.timedelta64(12, "D")),
            "所属区市": districts(city, rows),
            "行业门类": industries(city, rows),
        }
    )


def _grades(city: City, conduct: Conduct) -> pa.Table:
    column, rows = np.nonzero(conduct.grades >= 0)
    grade = conduct.grades[column, rows]
    before = np.where(column > 0, conduct.grades[np.maximum(column - 1, 0), rows], -1)
    adjustment = np.where((before == 0) & (grade != 0), 0, np.where((before > 0) & (grade == 0), 1, 2))
    year = np.array(conduct.grade_years)[column]
    evaluated = day_in(year + 1, 100)
    known = evaluated < city.today  # grades of a year come out in April of the next
    rows, grade, adjustment, year = rows[known], grade[known], adjustment[known], year[known]
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "评价年度": year_texts(year),
            "纳税信用级别": labels(grade, TAX_GRADES),
            "级别调整": labels(adjustment, ADJUSTMENTS),
            "评价日期": days(evaluated[known]),
            "所属区市": districts(city, rows),
            "行业门类": industries(city, rows),
        }
    )


def _payments(city: City, quarters: _Quarter) -> pa.Table:
    count = len(quarters.enterprise)
    rates = np.array([0.022, 0.011, 0.004])
    row = np.tile(np.arange(count), len(rates))
    kind = np.repeat(np.arange(len(rates)), count)
    amount = (quarters.sales[row] * rates[kind]).astype(np.int64)
    # Small taxpayers sell below the threshold of value-added tax as often as not.
    due = (amount > 0) & ~(_small(city, quarters.enterprise)[row] & (city.dice.random(len(row)) < 0.45))
    row, kind, amount = row[due], kind[due], amount[due]
    enterprise, end = quarters.enterprise[row], quarters.end[row]
    paid = np.minimum(end + city.dice.integers(3, 16, len(row)).astype("timedelta64[D]"), city.today)
    return pa.table(
        {
            "统一社会信用代码": codes(city, enterprise),
            "税种": labels(kind, TAX_KINDS),
            "税款所属期止": days(end),
            "实缴金额(元)": money(amount),
            "入库日期": days(paid),
            "所属区市": districts(city, enterprise),
            "行业门类": industries(city, enterprise),
        }
    )


def _declarations(city: City, quarters: _Quarter) -> pa.Table:
    rows, dice = quarters.enterprise, city.dice
    late = dice.random(len(rows)) < 0.01 + 0.25 * city.enterprises.risk[rows]
    delay = np.where(late, dice.integers(16, 90, len(rows)), dice.integers(1, 16, len(rows)))
    declared = np.minimum(quarters.end + delay.astype("timedelta64[D]"), city.today)
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "税款所属期止": days(quarters.end),
            "申报销售额(元)": money(quarters.sales),
            "应纳税额(元)": money((quarters.sales * 0.022).astype(np.int64)),
            "申报时效": labels(late.astype(np.int8), TIMELINESS),
            "申报日期": days(declared),
            "所属区市": districts(city, rows),
            "行业门类": industries(city, rows),
        }
    )


def _arrears(city: City, conduct: Conduct) -> pa.Table:
    events = conduct.arrears
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "欠税税种": labels(events.kind, TAX_KINDS),
            "欠税余额(元)": money(events.amount),
            "公告日期": days(events.day),
            "欠税状态": _state(events, ARREARS_STATES),
            "公告年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )


def _notices(city: City, conduct: Conduct) -> pa.Table:
    events = conduct.notices
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "通知类型": labels(events.kind, NOTICE_KINDS),
            "通知日期": days(events.day),
            "履行状态": _state(events, NOTICE_STATES),
            "通知年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )


def _abnormal(city: City, conduct: Conduct) -> pa.Table:
    events = conduct.abnormal_taxpayer
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "认定日期": days(events.day),
            "解除日期": days(events.ended),
            "认定状态": _state(events, ABNORMAL_STATES),
            "认定年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )


def _violations(city: City, conduct: Conduct) -> pa.Table:
    events = conduct.violations
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "企业名称": names(city, events.enterprise),
            "法定代表人证件号码": representative_ids(city, events.enterprise),
            "法定代表人": representative_names(city, events.enterprise),
            "案件性质": labels(events.kind, VIOLATION_KINDS),
            "涉案金额(元)": money(events.amount),
            "公布日期": days(events.day),
            "公布年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )


def _withholding(city: City, quarters: _Quarter) -> pa.Table:
    wages = quarters.staff * city.dice.lognormal(np.log(2_100_000), 0.3, len(quarters.staff))
    return pa.table(
        {
            "统一社会信用代码": codes(city, quarters.enterprise),
            "税款所属期止": days(quarters.end),
            "申报人数": pa.array(quarters.staff),
            "工资薪金总额(元)": money(np.clip(wages, 0, 5e12).astype(np.int64)),
        }
    )


def _state(events: Events, states: tuple[str, str]) -> pa.Array:
    return labels(np.where(events.open, 0, 1), states)
