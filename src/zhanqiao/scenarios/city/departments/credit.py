# SPDX-License-Identifier: Apache-2.0
"""Public credit (公共信用): what all departments decided about an enterprise, gathered by the bureau, and its grades."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.scenarios.city.conduct import PENALTY_FIELDS, PENALTY_KINDS, Conduct, conduct_of, draw_events
from zhanqiao.scenarios.city.departments.columns import (
    day_in,
    days,
    labels,
    money,
    numbered,
    year_of,
    year_texts,
    years,
)
from zhanqiao.scenarios.city.departments.market import LISTING_STATES, fined
from zhanqiao.scenarios.city.departments.source import City, codes, districts, industries, names
from zhanqiao.scenarios.city.departments.tax import QUARTERS, living, quarter_ends

PERMIT_KINDS = ("普通", "特许", "认可", "核准", "登记")
LISTS = ("失信被执行人", "重大税收违法失信主体", "严重违法失信企业")
HONOURS = ("纳税信用A级纳税人", "守合同重信用企业", "海关高级认证企业", "诚信建设示范企业")
COMMITMENTS = ("审批替代型", "容缺受理型", "主动公示型", "信用修复型")
FULFILMENTS = ("已履行", "履行中", "未履行")
REPAIRS = ("准予修复", "不予修复")
CREDIT_GRADES = ("优", "良", "中", "差")
COLOURS = ("绿", "蓝", "黄", "红")
LABOUR_GRADES = ("A", "B", "C")


def credit(city: City) -> dict[str, pa.Table]:
    """Return the public credit datasets by name."""
    conduct = conduct_of(city.enterprises, city.today)
    return {
        "administrative_permit": _permits(city),
        "administrative_penalty": _penalties(city, conduct),
        "untrustworthy_list": _untrustworthy(city, conduct),
        "red_list": _honours(city, conduct),
        "credit_commitment": _commitments(city),
        "credit_repair": _repairs(city, conduct),
        "public_credit_evaluation": _evaluations(city, conduct),
        "environmental_credit": _environment(city, conduct),
        "labour_credit": _labour(city, conduct),
        "utility_usage": _utilities(city),
    }


def _permits(city: City) -> pa.Table:
    events = draw_events(city.enterprises, city.today, city.dice, 0.3, shares=(0.62, 0.03, 0.1, 0.15, 0.1))
    term = city.dice.choice((1, 3, 5), len(events)) * 365
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "决定书文号": numbered("青审许", events.day, city.dice),
            "许可类别": labels(events.kind, PERMIT_KINDS),
            "许可决定日期": days(events.day),
            "有效期至": days(events.day + term.astype("timedelta64[D]")),
            "许可年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
            "行业门类": industries(city, events.enterprise),
        }
    )


def _penalties(city: City, conduct: Conduct) -> pa.Table:
    events = conduct.penalties
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "企业名称": names(city, events.enterprise),
            "决定书文号": numbered("青罚", events.day, city.dice),
            "处罚领域": labels(events.kind, PENALTY_FIELDS),
            "处罚种类": labels(conduct.penalty_kinds, PENALTY_KINDS),
            "罚没金额(元)": money(fined(events.amount, conduct.penalty_kinds)),
            "处罚决定日期": days(events.day),
            "处罚年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )


def _untrustworthy(city: City, conduct: Conduct) -> pa.Table:
    sources = (conduct.defaulters, conduct.violations, conduct.serious_illegal)
    enterprise = np.concatenate([events.enterprise for events in sources])
    listed = np.concatenate([events.day for events in sources])
    still = np.concatenate([events.open for events in sources])
    kind = np.repeat(np.arange(len(sources)), [len(events) for events in sources])
    return pa.table(
        {
            "统一社会信用代码": codes(city, enterprise),
            "名单类型": labels(kind, LISTS),
            "列入日期": days(listed),
            "列入状态": labels(np.where(still, 0, 1), LISTING_STATES),
            "列入年度": years(listed),
            "所属区市": districts(city, enterprise),
        }
    )


def _honours(city: City, conduct: Conduct) -> pa.Table:
    column, best = np.nonzero(conduct.grades == 0)
    graded = day_in(np.array(conduct.grade_years)[column] + 1, 110)
    known = graded < city.today
    other = draw_events(
        city.enterprises, city.today, city.dice, 0.03 * (1 - city.enterprises.risk), shares=(0.6, 0.1, 0.3)
    )
    enterprise = np.concatenate([best[known], other.enterprise])
    listed = np.concatenate([graded[known], other.day])
    kind = np.concatenate([np.zeros(int(known.sum()), np.int64), 1 + other.kind])
    return pa.table(
        {
            "统一社会信用代码": codes(city, enterprise),
            "荣誉类型": labels(kind, HONOURS),
            "认定日期": days(listed),
            "认定年度": years(listed),
            "所属区市": districts(city, enterprise),
            "行业门类": industries(city, enterprise),
        }
    )


def _commitments(city: City) -> pa.Table:
    events = draw_events(city.enterprises, city.today, city.dice, 0.2, shares=(0.35, 0.25, 0.3, 0.1))
    broken = city.dice.random(len(events)) < 0.01 + 0.3 * city.enterprises.risk[events.enterprise]
    fulfilment = np.where(broken, 2, np.where(events.open, 1, 0))
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "承诺类型": labels(events.kind, COMMITMENTS),
            "承诺日期": days(events.day),
            "履约状态": labels(fulfilment, FULFILMENTS),
            "承诺年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )


def _repairs(city: City, conduct: Conduct) -> pa.Table:
    asked = ~conduct.penalties.open & (city.dice.random(len(conduct.penalties)) < 0.5)
    events = conduct.penalties.only(asked)
    refused = city.dice.random(len(events)) < 0.12
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "修复领域": labels(events.kind, PENALTY_FIELDS),
            "办结日期": days(events.ended),
            "修复结果": labels(refused.astype(np.int8), REPAIRS),
            "办结年度": years(events.ended),
            "所属区市": districts(city, events.enterprise),
        }
    )


def _evaluations(city: City, conduct: Conduct) -> pa.Table:
    """Yearly score of up to 1000 points; what the departments wrote down in that year counts, nothing else."""
    rows, year, evaluated = _yearly(city, conduct, share=1.0)
    marks = np.zeros(len(rows))
    for events, weight in (
        (conduct.penalties, 40),
        (conduct.arrears, 60),
        (conduct.abnormal_operation, 50),
        (conduct.enforcement, 70),
        (conduct.defaulters, 120),
        (conduct.violations, 200),
    ):
        marks += weight * _events_in(events.enterprise, events.day, rows, year, len(city.enterprises))
    score = np.clip(np.rint(860 + city.dice.normal(0, 45, len(rows)) - marks), 0, 1000).astype(np.int64)
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "评价年度": year_texts(year),
            "综合评价等级": labels(np.select([score >= 850, score >= 750, score >= 600], [0, 1, 2], 3), CREDIT_GRADES),
            "综合评价得分": pa.array(score),
            "评价日期": days(evaluated),
            "所属区市": districts(city, rows),
            "行业门类": industries(city, rows),
        }
    )


def _environment(city: City, conduct: Conduct) -> pa.Table:
    rows, year, evaluated = _yearly(city, conduct, share=0.25)
    bad = _events_in(
        conduct.penalties.enterprise[conduct.penalties.kind == 1],
        conduct.penalties.day[conduct.penalties.kind == 1],
        rows,
        year,
        len(city.enterprises),
    )
    mark = city.dice.normal(0, 1, len(rows)) + 2.5 * bad + 1.5 * city.enterprises.risk[rows]
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "评价年度": year_texts(year),
            "环境信用等级": labels(np.select([mark < 0.6, mark < 1.8, mark < 3.2], [0, 1, 2], 3), COLOURS),
            "评价日期": days(evaluated),
            "所属区市": districts(city, rows),
            "行业门类": industries(city, rows),
        }
    )


def _labour(city: City, conduct: Conduct) -> pa.Table:
    rows, year, evaluated = _yearly(city, conduct, share=0.4)
    mark = city.dice.normal(0, 1, len(rows)) + 3 * city.enterprises.risk[rows]
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "评价年度": year_texts(year),
            "守法诚信等级": labels(np.select([mark < 0.8, mark < 2.6], [0, 1], 2), LABOUR_GRADES),
            "评价日期": days(evaluated),
            "所属区市": districts(city, rows),
            "行业门类": industries(city, rows),
        }
    )


def _utilities(city: City) -> pa.Table:
    ends = quarter_ends(city.today, QUARTERS)
    rows, column = living(city, ends)
    ago = QUARTERS - 1 - column
    scale = city.enterprises.headcount[rows] * np.exp(ago * (0.12 * city.enterprises.risk[rows] - 0.005))
    power = scale * np.where(city.enterprises.industry[rows] == 1, 1500, 300) * city.dice.lognormal(0, 0.12, len(rows))
    water = scale * 12 * city.dice.lognormal(0, 0.2, len(rows))
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "计费期止": days(ends[column]),
            "用电量(千瓦时)": pa.array(np.clip(power, 0, 1e9).astype(np.int64)),
            "用水量(吨)": pa.array(np.clip(water, 0, 1e8).astype(np.int64)),
        }
    )


def _yearly(
    city: City, conduct: Conduct, share: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.datetime64]]:
    """Return (enterprise, year, day of evaluation) for those that are rated in each of the graded years."""
    rated = city.dice.random(len(city.enterprises)) < share
    column, rows = np.nonzero((conduct.grades >= 0) & rated)
    year = np.array(conduct.grade_years)[column]
    evaluated = day_in(year + 1, 75)
    known = evaluated < city.today
    return rows[known].astype(np.int64), year[known].astype(np.int64), evaluated[known]


def _events_in(
    enterprise: NDArray[np.int64],
    day: NDArray[np.datetime64],
    rows: NDArray[np.int64],
    year: NDArray[np.int64],
    size: int,
) -> NDArray[np.int64]:
    """Return how many events each (enterprise, year) has."""
    base = int(year.min()) if len(year) else 0
    span = int(year.max()) - base + 1 if len(year) else 1
    offset = year_of(day) - base
    inside = (offset >= 0) & (offset < span)
    counts = np.bincount(enterprise[inside] * span + offset[inside], minlength=size * span)
    return np.asarray(counts[rows * span + (year - base)])
