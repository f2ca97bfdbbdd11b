# SPDX-License-Identifier: Apache-2.0
"""The courts (法院): who is enforced against, who hides, who is limited, and what was argued about. None of it is open."""

import numpy as np
import pyarrow as pa

from zhanqiao.scenarios.city.conduct import CASE_KINDS, ENFORCEMENT_STATES, Conduct, Events, conduct_of, draw_events
from zhanqiao.scenarios.city.departments.columns import days, labels, money, numbered, texts
from zhanqiao.scenarios.city.departments.source import City, codes, names, representative_ids, representative_names

REFUSALS = ("有履行能力而拒不履行", "伪造证据或妨碍执行", "规避执行", "违反财产报告制度")
DEFAULTER_STATES = ("公布中", "已屏蔽")
LIMIT_STATES = ("限制中", "已解除")
ROLES = ("原告", "被告")
BANKRUPTCY_STAGES = ("受理破产清算", "受理破产重整", "宣告破产", "终结破产程序")
AUCTIONED = ("房产", "机动车", "股权", "设备", "其他")


def court(city: City) -> dict[str, pa.Table]:
    """Return the courts' datasets by name."""
    conduct = conduct_of(city.enterprises, city.today)
    return {
        "enforcement_case": _enforcement(city, conduct),
        "judgment_defaulter": _defaulters(city, conduct),
        "personal_defaulter": _personal_defaulters(city),
        "consumption_limit": _limits(city, conduct),
        "legal_case": _cases(city),
        "criminal_case": _criminal(city),
        "bankruptcy_case": _bankruptcies(city),
        "judicial_auction": _auctions(city, conduct),
    }


def _enforcement(city: City, conduct: Conduct) -> pa.Table:
    events = conduct.enforcement
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "被执行人名称": names(city, events.enterprise),
            "执行案号": numbered("鲁02执", events.day, city.dice),
            "立案日期": days(events.day),
            "执行标的(元)": money(events.amount),
            "执行状态": labels(events.kind, ENFORCEMENT_STATES),
        }
    )


def _defaulters(city: City, conduct: Conduct) -> pa.Table:
    events = conduct.defaulters
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "被执行人名称": names(city, events.enterprise),
            "法定代表人证件号码": representative_ids(city, events.enterprise),
            "失信行为": labels(city.dice.choice(len(REFUSALS), len(events), p=(0.6, 0.1, 0.15, 0.15)), REFUSALS),
            "发布日期": days(events.day),
            "公布状态": _state(events, DEFAULTER_STATES),
        }
    )


def _personal_defaulters(city: City) -> pa.Table:
    """Natural persons on the list: representatives of defaulting enterprises among them, by chance as in life."""
    adults = np.flatnonzero(city.people.alive & (city.people.birth < city.today - np.timedelta64(20 * 365, "D")))
    rows = city.dice.choice(adults, len(adults) // 150, replace=False)
    day = city.today - city.dice.integers(1, 4 * 365, len(rows)).astype("timedelta64[D]")
    shown = city.dice.random(len(rows)) < 0.7
    return pa.table(
        {
            "公民身份号码": texts(city.people.citizen_id, rows),
            "姓名": texts(city.people.name, rows),
            "失信行为": labels(city.dice.choice(len(REFUSALS), len(rows), p=(0.6, 0.1, 0.15, 0.15)), REFUSALS),
            "发布日期": days(day),
            "公布状态": labels(np.where(shown, 0, 1), DEFAULTER_STATES),
        }
    )


def _limits(city: City, conduct: Conduct) -> pa.Table:
    events = conduct.limits
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "限制对象证件号码": representative_ids(city, events.enterprise),
            "限制对象姓名": representative_names(city, events.enterprise),
            "限制日期": days(events.day),
            "限制状态": _state(events, LIMIT_STATES),
        }
    )


def _cases(city: City) -> pa.Table:
    events = draw_events(
        city.enterprises,
        city.today,
        city.dice,
        0.06 + 0.35 * city.enterprises.risk,
        shares=(0.58, 0.2, 0.05, 0.02, 0.15),
        median_yuan=90_000,
    )
    accused = city.dice.random(len(events)) < 0.45 + 0.4 * city.enterprises.risk[events.enterprise]
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "案号": numbered("鲁02民初", events.day, city.dice),
            "案由类别": labels(events.kind, CASE_KINDS),
            "诉讼地位": labels(accused.astype(np.int8), ROLES),
            "标的金额(元)": money(events.amount),
            "立案日期": days(events.day),
        }
    )


def _criminal(city: City) -> pa.Table:
    events = draw_events(city.enterprises, city.today, city.dice, 0.008 * city.enterprises.risk)
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "案号": numbered("鲁02刑初", events.day, city.dice),
            "立案日期": days(events.day),
        }
    )


def _bankruptcies(city: City) -> pa.Table:
    events = draw_events(
        city.enterprises, city.today, city.dice, 0.02 * city.enterprises.risk, shares=(0.5, 0.2, 0.2, 0.1)
    )
    return pa.table(
        {
            "统一社会信用代码": codes(city, events.enterprise),
            "程序阶段": labels(events.kind, BANKRUPTCY_STAGES),
            "公告日期": days(events.day),
        }
    )


def _auctions(city: City, conduct: Conduct) -> pa.Table:
    sold = conduct.enforcement.only(city.dice.random(len(conduct.enforcement)) < 0.08)
    # An auction follows the case by some months; what would lie ahead is not yet known.
    day = sold.day + city.dice.integers(60, 400, len(sold)).astype("timedelta64[D]")
    held = day < city.today
    rows, day, amount = sold.enterprise[held], day[held], sold.amount[held]
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "拍卖标的类型": labels(city.dice.choice(len(AUCTIONED), len(rows), p=(0.4, 0.2, 0.1, 0.2, 0.1)), AUCTIONED),
            "起拍价(元)": money(amount),
            "拍卖日期": days(day),
        }
    )


def _state(events: Events, states: tuple[str, str]) -> pa.Array:
    return labels(np.where(events.open, 0, 1), states)
