# SPDX-License-Identifier: Apache-2.0
"""The market regulator (市场监督管理局): the business register, what changed in it, and whom it listed or fined."""

import numpy as np
import pyarrow as pa

from zhanqiao.scenarios.city.conduct import MARKET_FIELD, PENALTY_KINDS, Conduct, conduct_of, draw_events
from zhanqiao.scenarios.city.departments.columns import (
    column_of,
    day_in,
    days,
    labels,
    money,
    numbered,
    year_of,
    year_texts,
    years,
)
from zhanqiao.scenarios.city.departments.source import (
    City,
    codes,
    districts,
    industries,
    names,
    representative_ids,
    representative_names,
)
from zhanqiao.scenarios.city.enterprises import CANCELLED, STATUSES

TYPES = ("有限责任公司(自然人独资)", "有限责任公司(自然人投资或控股)", "有限责任公司(法人独资)", "股份有限公司")
CHANGES = ("法定代表人变更", "投资人变更", "经营范围变更", "高级管理人员备案", "住所变更", "注册资本变更", "名称变更")
CANCELLATION_REASONS = ("决议解散", "经营期限届满", "因合并或分立解散", "被吊销营业执照", "破产清算")
CANCELLATION_MODES = ("简易注销", "普通注销")
RIGHTS = ("发明专利", "实用新型专利", "外观设计专利", "注册商标", "软件著作权")
ABNORMAL_REASONS = ("未按期公示年度报告", "未按期公示其他信息", "公示信息隐瞒真实情况", "登记的住所无法联系")
SERIOUS_REASONS = ("被列入经营异常名录届满三年", "提交虚假材料取得登记", "实施严重违法经营行为", "拒不履行行政处罚决定")
LISTING_STATES = ("在列", "已移出")
OPERATING_STATES = ("开业", "歇业", "清算")
VIOLATIONS = ("产品质量违法", "食品安全违法", "广告违法", "价格违法", "无照或超范围经营")
COLLATERAL = ("生产设备", "原材料及产品", "交通运输工具", "其他动产")
REGISTER_STATES = ("有效", "已注销")
PLEDGORS = ("自然人", "企业法人", "其他组织")
FREEZE_STATES = ("冻结中", "已解除")


def market(city: City) -> dict[str, pa.Table]:
    """Return the regulator's datasets by name."""
    conduct = conduct_of(city.enterprises, city.today)
    return {
        "enterprise_registration": _registration(city),
        "enterprise_change": _changes(city),
        "enterprise_cancellation": _cancellations(city),
        "intellectual_property": _intellectual_property(city),
        "abnormal_operation": _abnormal_operation(city, conduct),
        "serious_illegal_list": _serious_illegal(city, conduct),
        "annual_report": _annual_reports(city),
        "market_penalty": _penalties(city, conduct),
        "chattel_mortgage": _mortgages(city),
        "equity_pledge": _pledges(city),
        "equity_freeze": _freezes(city),
    }


def _registration(city: City) -> pa.Table:
    enterprises, dice = city.enterprises, city.dice
    rows = np.arange(len(enterprises))
    road = labels(dice.integers(len(_ROADS), size=len(rows)), _ROADS)
    house = pa.array(dice.integers(1, 400, len(rows))).cast(pa.string())
    # The register was last touched some time between founding and today, or when the enterprise left it.
    lived = (city.today - enterprises.founded).astype("timedelta64[D]").astype(np.int64)
    touched = enterprises.founded + (lived * dice.random(len(rows)) ** 2).astype("timedelta64[D]")
    approved = np.where(np.isnat(enterprises.closed), touched, enterprises.closed)
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "企业名称": names(city, rows),
            "法定代表人证件号码": representative_ids(city, rows),
            "法定代表人": representative_names(city, rows),
            "住所": pa.compute.binary_join_element_wise("山东省青岛市", districts(city, rows), road, house, "号", ""),
            "所属区市": districts(city, rows),
            "行业门类": industries(city, rows),
            "企业类型": labels(dice.choice(len(TYPES), len(rows), p=(0.42, 0.45, 0.10, 0.03)), TYPES),
            "登记状态": labels(enterprises.status, STATUSES),
            "成立日期": days(enterprises.founded),
            "注册资本(万元)": pa.array(enterprises.capital),
            "核准日期": days(approved),
        }
    )


_ROADS = ("香港中路", "山东路", "辽阳西路", "黑龙江中路", "长江路", "重庆北路", "苗岭路", "正阳路", "鹤山路", "常州路")


def _changes(city: City) -> pa.Table:
    # Trouble shows in the register: representatives and investors leave risky enterprises.
    events = draw_events(
        city.enterprises,
        city.today,
        city.dice,
        0.25 + 0.9 * city.enterprises.risk,
        shares=(0.18, 0.2, 0.22, 0.16, 0.12, 0.08, 0.04),
    )
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "变更事项": labels(events.kind, CHANGES),
            "变更日期": days(events.day),
            "变更年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
            "行业门类": industries(city, events.enterprise),
        }
    )


def _cancellations(city: City) -> pa.Table:
    rows = np.flatnonzero(city.enterprises.status == CANCELLED)
    reason = city.dice.choice(len(CANCELLATION_REASONS), len(rows), p=(0.72, 0.12, 0.06, 0.08, 0.02))
    # Only a dissolution by resolution or at the end of the term may go the simple way.
    mode = np.where((reason < 2) & (city.dice.random(len(rows)) < 0.7), 0, 1)
    closed = city.enterprises.closed[rows]
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "注销原因": labels(reason, CANCELLATION_REASONS),
            "注销方式": labels(mode, CANCELLATION_MODES),
            "注销日期": days(closed),
            "注销年度": years(closed),
            "所属区市": districts(city, rows),
            "行业门类": industries(city, rows),
        }
    )


def _intellectual_property(city: City) -> pa.Table:
    inventive = np.isin(city.enterprises.industry, (1, 4, 5))
    events = draw_events(
        city.enterprises,
        city.today,
        city.dice,
        np.where(inventive, 0.5, 0.08) * (1 - city.enterprises.risk),
        shares=(0.14, 0.3, 0.1, 0.3, 0.16),
    )
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "权利类型": labels(events.kind, RIGHTS),
            "证书编号": numbered("知", events.day, city.dice),
            "授权公告日期": days(events.day),
            "授权年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
            "行业门类": industries(city, events.enterprise),
        }
    )


def _abnormal_operation(city: City, conduct: Conduct) -> pa.Table:
    events = conduct.abnormal_operation
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "列入原因": labels(events.kind, ABNORMAL_REASONS),
            "列入日期": days(events.day),
            "移出日期": days(events.ended),
            "列入状态": labels(np.where(events.open, 0, 1), LISTING_STATES),
            "列入年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )


def _serious_illegal(city: City, conduct: Conduct) -> pa.Table:
    events = conduct.serious_illegal
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "列入原因": labels(events.kind, SERIOUS_REASONS),
            "列入日期": days(events.day),
            "列入状态": labels(np.where(events.open, 0, 1), LISTING_STATES),
            "列入年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )


def _annual_reports(city: City) -> pa.Table:
    """Reports of the last three finished years: due from January to June of the next year."""
    enterprises, dice = city.enterprises, city.dice
    this_year = int(year_of(np.array([city.today]))[0])
    report_years = np.arange(this_year - 3, this_year)
    exists = year_of(enterprises.founded)[:, None] <= report_years
    closed = np.where(np.isnat(enterprises.closed), city.today, enterprises.closed)
    exists &= year_of(closed)[:, None] > report_years
    rows, column = np.nonzero(exists & (dice.random(exists.shape) < 0.93))
    report_year = report_years[column]
    reported = day_in(report_year + 1, 0) + dice.integers(0, 181, len(rows)).astype("timedelta64[D]")
    given = reported < city.today
    rows, report_year, reported = rows[given], report_year[given], reported[given]
    # The newest year has today's size; older ones differ by what a year brings, more where risk is high.
    back = this_year - 1 - report_year
    drift = 1 + back * (0.05 * dice.normal(size=len(rows)) + 0.25 * enterprises.risk[rows] - 0.02)
    employees = np.clip(np.rint(enterprises.headcount[rows] * drift), 0, 100_000).astype(np.int64)
    idle = dice.random(len(rows)) < 0.02 + 0.1 * enterprises.risk[rows]
    state = np.where(idle, 1 + (dice.random(len(rows)) < 0.2), 0)
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "报告年度": year_texts(report_year),
            "报送日期": days(reported),
            "经营状态": labels(state, OPERATING_STATES),
            "从业人数": pa.array(employees),
            "是否有网站或网店": column_of(dice.random(len(rows)) < 0.24),
            "所属区市": districts(city, rows),
            "行业门类": industries(city, rows),
        }
    )


def _penalties(city: City, conduct: Conduct) -> pa.Table:
    own = conduct.penalties.kind == MARKET_FIELD
    events = conduct.penalties.only(own)
    violation = city.dice.choice(len(VIOLATIONS), len(events), p=(0.3, 0.25, 0.2, 0.1, 0.15))
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "企业名称": names(city, events.enterprise),
            "决定书文号": numbered("青市监罚", events.day, city.dice),
            "处罚种类": labels(conduct.penalty_kinds[own], PENALTY_KINDS),
            "违法类型": labels(violation, VIOLATIONS),
            "罚没金额(元)": money(fined(events.amount, conduct.penalty_kinds[own])),
            "处罚决定日期": days(events.day),
            "处罚年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )


def fined(amount: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Return what is paid: a warning, a stop of work and a lost permit cost no fine."""
    return np.where((kind == 1) | (kind == 2), amount, 0)


def _mortgages(city: City) -> pa.Table:
    makes = city.enterprises.industry == 1
    events = draw_events(
        city.enterprises,
        city.today,
        city.dice,
        np.where(makes, 0.08, 0.015) * (0.6 + 3 * city.enterprises.risk),
        shares=(0.5, 0.25, 0.2, 0.05),
        median_yuan=1_500_000,
    )
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "抵押物种类": labels(events.kind, COLLATERAL),
            "担保债权数额(元)": money(events.amount),
            "登记日期": days(events.day),
            "登记状态": labels(np.where(events.open, 0, 1), REGISTER_STATES),
            "登记年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )


def _pledges(city: City) -> pa.Table:
    events = draw_events(
        city.enterprises,
        city.today,
        city.dice,
        0.02 + 0.06 * city.enterprises.risk,
        shares=(0.7, 0.27, 0.03),
    )
    part = city.dice.integers(10, 101, len(events))
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "出质人类型": labels(events.kind, PLEDGORS),
            "出质股权数额(万元)": money(city.enterprises.capital[events.enterprise] * part),
            "登记日期": days(events.day),
            "登记状态": labels(np.where(events.open, 0, 1), REGISTER_STATES),
            "登记年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )


def _freezes(city: City) -> pa.Table:
    events = draw_events(city.enterprises, city.today, city.dice, 0.12 * city.enterprises.risk, lasting=0.5)
    part = city.dice.integers(10, 101, len(events))
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "冻结股权数额(万元)": money(city.enterprises.capital[events.enterprise] * part),
            "冻结日期": days(events.day),
            "冻结状态": labels(np.where(events.open, 0, 1), FREEZE_STATES),
            "冻结年度": years(events.day),
            "所属区市": districts(city, events.enterprise),
        }
    )
