# SPDX-License-Identifier: Apache-2.0
"""Transport (交通运输局): real-name journeys, transit cards and what they tapped. Whereabouts: none of it is open."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.scenarios.city.city import City
from zhanqiao.scenarios.city.departments.columns import days, labels
from zhanqiao.scenarios.city.departments.health import WINDOW
from zhanqiao.scenarios.city.departments.persons import homes, ids, meetings, sample, some_day
from zhanqiao.scenarios.city.people import DISTRICTS

MODES = ("铁路", "民航", "长途客运")
DIRECTIONS = ("离青", "到青")
CARD_KINDS = ("普通卡", "老年优待卡", "学生卡", "爱心卡")
CARD_STATES = ("正常", "挂失", "退卡")
LINES = (
    "59路",
    "60路",
    "803路",
    "85路",
    "1路",
    "25路",
    "26路",
    "31路",
    "125路",
    "228路",
    "312路",
    "321路",
    "372路",
    "601路",
)
# Two stops in each district, in the order of DISTRICTS.
STOPS = (
    "五四广场", "栈桥", "台东", "青岛北站", "长江路", "唐岛湾", "石老人", "会展中心", "李村公园", "万年泉路",
    "城阳批发市场", "正阳路", "鹤山路", "即墨汽车站", "胶州汽车站", "三里河公园", "平度汽车站", "人民路", "莱西汽车站", "月湖公园",
)  # fmt: skip

_TAP_MONTHS = 2
# Taps within a day: morning and evening peaks. Shares of the hours 5 to 22.
_HOURS = np.array([1, 4, 11, 12, 6, 4, 4, 5, 4, 4, 5, 8, 12, 9, 5, 3, 2, 1], dtype=float)
_FIRST_HOUR = 5


def transport(city: City) -> dict[str, pa.Table]:
    """Return the bureau's datasets by name."""
    holders = _holders(city)
    return {
        "rail_air_trip": _journeys(city),
        "transit_card": _cards(city, holders),
        "transit_trip": _taps(city, holders),
    }


def _journeys(city: City) -> pa.Table:
    """Checks of tickets against identity documents; those who live elsewhere come and go more often."""
    age = city.people.ages(city.today)
    yearly = np.interp(age, (5, 18, 30, 55, 70, 85), (0.4, 1.4, 1.6, 1.0, 0.4, 0.05)) * np.where(
        city.lives.away, 1.6, 1.0
    )
    person, day = meetings(city, yearly, WINDOW)
    return pa.table(
        {
            "公民身份号码": ids(city, person),
            "出行方式": labels(city.dice.choice(3, len(person), p=(0.72, 0.18, 0.1)), MODES),
            "方向": labels(city.dice.integers(2, size=len(person)), DIRECTIONS),
            "检票日期": days(day),
        }
    )


def _holders(city: City) -> NDArray[np.int64]:
    return sample(city, (city.people.ages(city.today) >= 7) & np.isnat(city.lives.reported), 0.42)


def _cards(city: City, holders: NDArray[np.int64]) -> pa.Table:
    age = city.people.ages(city.today)[holders]
    kind = np.where(age >= 60, 1, np.where(age < 18, 2, np.where(city.dice.random(len(holders)) < 0.02, 3, 0)))
    number = (city.shard.dealt(city.dice.permutation(len(holders))) + 2_660_000_000).astype("U10")
    first = np.maximum(city.people.birth[holders] + np.timedelta64(7 * 365, "D"), np.datetime64("2013-01-01"))
    return pa.table(
        {
            "卡号": pa.array(number),
            "公民身份号码": ids(city, holders),
            "卡种": labels(kind, CARD_KINDS),
            "开卡日期": days(some_day(city, holders, first)),
            "卡状态": labels(city.dice.choice(3, len(holders), p=(0.95, 0.02, 0.03)), CARD_STATES),
        }
    )


def _taps(city: City, holders: NDArray[np.int64]) -> pa.Table:
    """Taps of registered cards: a card is not its holder, so this is a weak sign of life."""
    yearly = np.zeros(len(city.people))
    yearly[holders] = np.where(city.lives.away[holders], 0.0, np.where(city.people.sex[holders] == 1, 12.0, 9.0))
    person, day = meetings(city, yearly, _TAP_MONTHS)
    dice, count = city.dice, len(person)
    # Most journeys begin in the district of the home, and half of them end there.
    boarded = city.people.district[person].astype(np.int64) * 2 + dice.integers(2, size=count)
    boarded = np.where(dice.random(count) < 0.75, boarded, dice.integers(len(STOPS), size=count))
    near = boarded // 2 * 2 + 1 - boarded % 2
    alighted = np.where(dice.random(count) < 0.5, near, dice.integers(len(STOPS), size=count))
    line = (boarded * 7 + alighted * 3 + dice.integers(3, size=count)) % len(LINES)
    return pa.table(
        {
            "公民身份号码": ids(city, person),
            "线路名称": labels(line, LINES),
            "上车站点": labels(boarded, STOPS),
            "下车站点": labels(alighted, STOPS),
            "乘车日期": days(day),
            "上车时段": pa.array(_FIRST_HOUR + dice.choice(len(_HOURS), count, p=_HOURS / _HOURS.sum())),
            "所属区市": homes(city, person),
        }
    )


assert len(STOPS) == 2 * len(DISTRICTS), "two stops in each district"
