# SPDX-License-Identifier: Apache-2.0
"""Civil affairs (民政局): marriages, cremations, allowances of the very old, social assistance. None of it is open."""

import numpy as np
import pyarrow as pa

from zhanqiao.scenarios.city.city import City
from zhanqiao.scenarios.city.departments.columns import days, labels
from zhanqiao.scenarios.city.departments.health import WINDOW
from zhanqiao.scenarios.city.departments.persons import full_names, homes, ids, meetings, sample, some_day

MARITAL = ("已婚", "离异", "丧偶")
EVENTS = ("结婚登记", "离婚登记")
ALLOWANCES = ("80至89周岁", "90至99周岁", "100周岁及以上")
ASSISTANCE = ("城市最低生活保障", "农村最低生活保障", "特困供养", "临时救助")
ASSISTANCE_STATES = ("享受中", "已停发")


def civil_affairs(city: City) -> dict[str, pa.Table]:
    """Return the bureau's datasets by name."""
    return {
        "marriage_registration": _marriages(city),
        "cremation_record": _cremations(city),
        "senior_allowance": _allowances(city),
        "social_assistance": _assistance(city),
    }


def _marriages(city: City) -> pa.Table:
    """The last event of each person: one row each for husband and wife. The bureau learns of a death when it is reported."""
    families = city.people.families
    known = ~np.isnat(city.lives.reported)
    rows = np.concatenate([families.husband, families.wife])
    other = np.concatenate([families.wife, families.husband])
    divorced = np.tile(~np.isnat(families.divorced), 2)
    day = np.tile(np.where(np.isnat(families.divorced), families.married, families.divorced), 2)
    state = np.where(divorced, 1, np.where(known[other], 2, 0))
    # Registers before 1990 are on paper.
    kept = ~known[rows] & (day >= np.datetime64("1990-01-01"))
    return pa.table(
        {
            "公民身份号码": ids(city, rows[kept]),
            "婚姻状况": labels(state[kept], MARITAL),
            "登记类型": labels(divorced[kept].astype(np.int8), EVENTS),
            "登记日期": days(day[kept]),
            "所属区市": homes(city, rows[kept]),
        }
    )


def _cremations(city: City) -> pa.Table:
    """Funeral homes write down a cremation at once, often before anybody reports the death."""
    people = city.people
    cremated = people.death + city.dice.integers(2, 6, len(people)).astype("timedelta64[D]")
    cremated = np.minimum(cremated, city.today - np.timedelta64(1, "D"))
    # One reported death in twenty happened elsewhere; of the others there is always this record.
    here = np.isnat(city.lives.reported) | (city.dice.random(len(people)) < 0.95)
    rows = np.flatnonzero(~people.alive & here)
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "姓名": full_names(city, rows),
            "火化日期": days(cremated[rows]),
            "殡仪馆所在区市": homes(city, rows),
        }
    )


def _allowances(city: City) -> pa.Table:
    """From 80 on there is an allowance, and the neighbourhood committee looks after those who draw it."""
    age = city.people.ages(city.today)
    person, day = meetings(city, np.where((age >= 80) & ~city.lives.away, 0.8, 0.0), WINDOW)
    return pa.table(
        {
            "公民身份号码": ids(city, person),
            "津贴档次": labels(np.clip((age[person] - 80) // 10, 0, 2).astype(np.int64), ALLOWANCES),
            "走访核查日期": days(day),
            "所属区市": homes(city, person),
        }
    )


def _assistance(city: City) -> pa.Table:
    rows = sample(city, np.isnat(city.lives.reported), 0.012)
    began = some_day(city, rows, np.maximum(city.people.birth[rows], city.today - np.timedelta64(8 * 365, "D")))
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "救助类别": labels(city.dice.choice(4, len(rows), p=(0.25, 0.5, 0.12, 0.13)), ASSISTANCE),
            "批准日期": days(began),
            "享受状态": labels((city.dice.random(len(rows)) < 0.2).astype(np.int8), ASSISTANCE_STATES),
            "所属区市": homes(city, rows),
        }
    )
