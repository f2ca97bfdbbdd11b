# SPDX-License-Identifier: Apache-2.0
"""The real estate registry (自然资源和规划局, 不动产登记中心): who owns, who owes on it, what is seized, what changed hands."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.scenarios.city.city import City
from zhanqiao.scenarios.city.departments.columns import days, labels, money
from zhanqiao.scenarios.city.departments.persons import full_names, ids, last_days, some_day
from zhanqiao.scenarios.city.departments.source import codes, districts
from zhanqiao.scenarios.city.enterprises import ACTIVE, INDUSTRIES
from zhanqiao.scenarios.city.homes import CASH, NEW_BUILD
from zhanqiao.scenarios.city.people import DISTRICTS, YEAR

USES = ("住宅", "公寓", "商业", "车位")
ENTERPRISE_USES = ("工业", "商业", "办公", "仓储")
OWNERSHIPS = ("单独所有", "共同共有")
MORTGAGEES = ("商业银行", "住房公积金管理中心")
REGISTER_STATES = ("有效", "已注销")
SEIZURES = ("司法查封", "行政查封", "轮候查封")
TRANSFERS = ("新建商品房买卖", "存量房买卖", "继承", "赠与")
NOTICES = ("预购商品房预告登记", "预购商品房抵押预告登记")
PAYMENTS = ("一次性付款", "分期付款", "贷款")

_ROADS = ("香港中路", "延安三路", "台东一路", "重庆南路", "长江中路", "珠江路", "海尔路", "书院路", "正阳路", "振华街")
_TRANSFER_YEARS = 6
_DEVELOPER = next(i for i, industry in enumerate(INDUSTRIES) if industry.zh == "房地产业")


def real_estate(city: City) -> dict[str, pa.Table]:
    """Return the registry's datasets by name."""
    use = city.dice.choice(len(USES), len(city.homes), p=(0.93, 0.05, 0.02, 0.0))
    return {
        "real_estate_ownership": _ownership(city, use),
        "enterprise_real_estate": _enterprise_property(city),
        "mortgage_registration": _mortgages(city),
        "seizure_registration": _seizures(city),
        "transfer_registration": _transfers(city, use),
        "advance_notice": _notices(city),
        "presale_contract": _presales(city),
    }


def _lies_in(city: City, home: NDArray[np.int64]) -> pa.Array:
    return labels(city.homes.district[home], DISTRICTS)


def _ownership(city: City, use: NDArray[np.int64]) -> pa.Table:
    """One row for each owner: a home of a couple stands twice, under one certificate. Some owners have a parking space."""
    homes = city.homes
    spouses = np.flatnonzero(homes.joint)
    parking = np.flatnonzero(city.dice.random(len(homes)) < 0.12)
    home = np.concatenate([np.arange(len(homes)), spouses, parking])
    is_parking = np.arange(len(home)) >= len(homes) + len(spouses)
    owner = np.concatenate([homes.owner, city.people.spouse[homes.owner[spouses]], homes.owner[parking]])
    number = pa.array((homes.number[home] + np.where(is_parking, city.shard.of * len(homes), 0)).astype("U8"))
    year = pa.array((homes.acquired[home].astype("datetime64[Y]").astype(np.int64) + 1970).astype("U4"))
    road = labels(homes.number[home] % len(_ROADS), _ROADS)
    house = pa.array((homes.number[home] % 397 + 1).astype("U4"))
    flat = pa.array((homes.number[home] % 30 * 100 + homes.number[home] % 4 + 101).astype("U5"))
    area = np.where(is_parking, 1_320, homes.area[home])
    join = pa.compute.binary_join_element_wise
    return pa.table(
        {
            "公民身份号码": ids(city, owner),
            "姓名": full_names(city, owner),
            "不动产权证号": join("鲁(", year, ")青岛市不动产权第", number, "号", ""),
            "坐落": join("青岛市", _lies_in(city, home), road, house, "号", flat, "户", ""),
            "所属区市": _lies_in(city, home),
            "规划用途": labels(np.where(is_parking, USES.index("车位"), use[home]), USES),
            "建筑面积": money(area),
            "共有情况": labels((homes.joint[home] & ~is_parking).astype(np.int8), OWNERSHIPS),
            "登记日期": days(homes.acquired[home]),
        }
    )


def _enterprise_property(city: City) -> pa.Table:
    enterprises, dice = city.enterprises, city.dice
    chance = np.clip(0.05 + 0.05 * np.log2(enterprises.headcount), 0, 0.6)
    rows = np.flatnonzero((enterprises.status == ACTIVE) & (dice.random(len(enterprises)) < chance))
    rows = np.repeat(rows, 1 + dice.poisson(0.4, len(rows)))
    lived = (city.today - enterprises.founded[rows]).astype(np.int64)
    acquired = enterprises.founded[rows] + (lived * dice.random(len(rows))).astype("timedelta64[D]")
    area = np.clip(dice.lognormal(np.log(600), 1.2, len(rows)), 30, 90_000) * 100
    unit = pa.array((city.shard.dealt(dice.permutation(len(rows))) + 100_000_000).astype("U9"))
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "不动产单元号": pa.compute.binary_join_element_wise("3702GB", unit, ""),
            "所属区市": districts(city, rows),
            "规划用途": labels(dice.choice(4, len(rows), p=(0.4, 0.25, 0.25, 0.1)), ENTERPRISE_USES),
            "建筑面积": money(area.astype(np.int64)),
            "登记日期": days(acquired),
        }
    )


def _mortgages(city: City) -> pa.Table:
    """One row for each lender: a home paid for with both kinds of loan is mortgaged twice."""
    homes = city.homes
    bank, fund = np.flatnonzero(homes.bank_loan > 0), np.flatnonzero(homes.fund_loan > 0)
    home = np.concatenate([bank, fund])
    lent = np.concatenate([homes.bank_loan[bank], homes.fund_loan[fund]])
    by_fund = np.repeat([0, 1], [len(bank), len(fund)])
    ran = (last_days(city, homes.owner[home]) - homes.acquired[home]).astype(np.int64) / YEAR
    cleared = (ran > homes.years[home]) | (city.dice.random(len(home)) < np.clip(ran / 40, 0, 0.5))
    return pa.table(
        {
            "公民身份号码": ids(city, homes.owner[home]),
            "所属区市": _lies_in(city, home),
            "抵押权人类型": labels(by_fund, MORTGAGEES),
            "被担保债权数额": money(lent),
            "登记日期": days(homes.acquired[home]),
            "登记状态": labels(cleared.astype(np.int8), REGISTER_STATES),
        }
    )


def _seizures(city: City) -> pa.Table:
    owners = city.homes.owner
    home = np.flatnonzero(city.people.alive[owners] & (city.dice.random(len(owners)) < 0.009))
    seized = some_day(
        city, owners[home], np.maximum(city.homes.acquired[home], city.today - np.timedelta64(5 * 365, "D"))
    )
    # A court seizes a home for three years at most; it may do so again.
    ends = seized + np.timedelta64(3 * 365, "D")
    lifted = (ends < city.today) | (city.dice.random(len(home)) < 0.35)
    return pa.table(
        {
            "公民身份号码": ids(city, owners[home]),
            "所属区市": _lies_in(city, home),
            "查封类型": labels(city.dice.choice(3, len(home), p=(0.82, 0.05, 0.13)), SEIZURES),
            "登记日期": days(seized),
            "查封期限止": days(ends),
            "登记状态": labels(lifted.astype(np.int8), REGISTER_STATES),
        }
    )


def _transfers(city: City, use: NDArray[np.int64]) -> pa.Table:
    homes = city.homes
    since = city.today - np.timedelta64(round(_TRANSFER_YEARS * YEAR), "D")
    home = np.flatnonzero(homes.acquired >= since)
    paid = np.where(homes.way[home] <= 1, homes.price[home], 0)
    return pa.table(
        {
            "公民身份号码": ids(city, homes.owner[home]),
            "所属区市": _lies_in(city, home),
            "转移原因": labels(homes.way[home], TRANSFERS),
            "规划用途": labels(use[home], USES),
            "建筑面积": money(homes.area[home]),
            "成交金额": money(paid),
            "登记日期": days(homes.acquired[home]),
        }
    )


def _presales(city: City) -> pa.Table:
    """Contracts for homes that were built new, one to two years before they were registered; each names a developer."""
    homes = city.homes
    since = city.today - np.timedelta64(round(_TRANSFER_YEARS * YEAR), "D")
    home = np.flatnonzero((homes.way == NEW_BUILD) & (homes.acquired >= since))
    developers = np.flatnonzero(city.enterprises.industry == _DEVELOPER)
    # Without a developer in a very small city, the first enterprise builds.
    developer = city.dice.choice(developers if len(developers) else np.array([0]), len(home))
    signed = homes.acquired[home] - city.dice.integers(300, 800, len(home)).astype("timedelta64[D]")
    payment = np.where(homes.finance[home] != CASH, 2, city.dice.integers(2, size=len(home)))
    return pa.table(
        {
            "公民身份号码": ids(city, homes.owner[home]),
            "开发企业统一社会信用代码": codes(city, developer),
            "所属区市": _lies_in(city, home),
            "建筑面积": money(homes.area[home]),
            "合同总价": money(homes.price[home]),
            "付款方式": labels(payment, PAYMENTS),
            "签订日期": days(signed),
        }
    )


def _notices(city: City) -> pa.Table:
    """Advance notices for what is bought new: cancelled when the home itself is registered, but some are forgotten."""
    homes = city.homes
    since = city.today - np.timedelta64(round(_TRANSFER_YEARS * YEAR), "D")
    home = np.flatnonzero((homes.way == NEW_BUILD) & (homes.acquired >= since))
    mortgaged = home[homes.finance[home] != CASH]
    both = np.concatenate([home, mortgaged])
    kind = np.repeat([0, 1], [len(home), len(mortgaged)])
    noted = homes.acquired[both] - city.dice.integers(200, 300, len(both)).astype("timedelta64[D]")
    forgotten = city.dice.random(len(both)) < 0.05
    return pa.table(
        {
            "公民身份号码": ids(city, homes.owner[both]),
            "所属区市": _lies_in(city, both),
            "预告种类": labels(kind, NOTICES),
            "登记日期": days(noted),
            "登记状态": labels((~forgotten).astype(np.int8), REGISTER_STATES),
        }
    )
