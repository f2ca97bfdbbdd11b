# SPDX-License-Identifier: Apache-2.0
"""Health and medical insurance (卫生健康委, 医疗保障局): who came to a hospital, was examined or vaccinated, who died.

None of it is open. What it gives to other departments is a life sign without hospital, illness or exact day.
"""

import numpy as np
import pyarrow as pa

from zhanqiao.scenarios.city.city import City
from zhanqiao.scenarios.city.departments.columns import days, labels, money
from zhanqiao.scenarios.city.departments.persons import full_names, homes, ids, meetings

SETTLEMENTS = ("普通门诊", "门诊慢特病", "住院")
HOSPITALS = ("一级及以下", "二级", "三级")
DISEASES = (
    "循环系统",
    "呼吸系统",
    "消化系统",
    "内分泌和代谢",
    "肌肉骨骼",
    "肿瘤",
    "泌尿生殖",
    "精神和行为",
    "损伤",
    "其他",
)
CHECKS = ("65岁及以上老年人健康体检", "职工健康体检", "其他健康体检")
VACCINES = ("流感疫苗", "新冠疫苗", "肺炎疫苗", "带状疱疹疫苗", "儿童免疫规划疫苗")
PLACES = ("医院", "家中", "养老机构", "其他")

# Life signs reach back so far, in months.
WINDOW = 15


def health(city: City) -> dict[str, pa.Table]:
    """Return the departments' datasets by name."""
    return {
        "medical_settlement": _settlements(city),
        "pharmacy_purchase": _purchases(city),
        "health_check": _checks(city),
        "vaccination": _vaccinations(city),
        "death_register": _deaths(city),
    }


def _age(city: City) -> np.ndarray:
    return city.people.ages(city.today)


def _settlements(city: City) -> pa.Table:
    # The old come more often; who lives in another city settles there.
    yearly = np.where(
        city.lives.away, 0.0, np.interp(_age(city), (0, 15, 40, 60, 75, 90), (1.2, 0.6, 0.9, 2.4, 4.2, 5.0))
    )
    person, day = meetings(city, yearly, WINDOW)
    dice, count = city.dice, len(person)
    kind = dice.choice(3, count, p=(0.62, 0.27, 0.11))
    cost = np.array([18_000, 32_000, 900_000])[kind] * dice.lognormal(0, 0.7, count)
    return pa.table(
        {
            "公民身份号码": ids(city, person),
            "结算类型": labels(kind, SETTLEMENTS),
            "医疗机构等级": labels(dice.choice(3, count, p=(0.4, 0.27, 0.33)), HOSPITALS),
            "疾病分类": labels(
                dice.choice(10, count, p=(0.24, 0.16, 0.1, 0.12, 0.1, 0.05, 0.06, 0.02, 0.05, 0.1)), DISEASES
            ),
            "医疗费用总额": money(np.clip(cost, 500, 90_000_000).astype(np.int64)),
            "结算日期": days(day),
            "所属区市": homes(city, person),
        }
    )


def _purchases(city: City) -> pa.Table:
    """A card at a pharmacy may be in the hand of a son: a weak sign, and none once a card is handed in."""
    yearly = np.where(city.lives.away, 0.0, np.interp(_age(city), (0, 20, 60, 80), (0.1, 0.3, 0.9, 0.6)))
    person, day = meetings(city, yearly, WINDOW)
    cost = np.clip(city.dice.lognormal(np.log(9_000), 0.7, len(person)), 300, 2_000_000)
    return pa.table(
        {
            "公民身份号码": ids(city, person),
            "购药金额": money(cost.astype(np.int64)),
            "购药日期": days(day),
            "所属区市": homes(city, person),
        }
    )


def _checks(city: City) -> pa.Table:
    # Everybody from 65 is invited once a year; about two thirds come.
    age = _age(city)
    employed = city.people.employer >= 0
    yearly = np.where(age >= 65, 0.75, np.where(employed, 0.3, 0.05))
    person, day = meetings(city, np.where(city.lives.away, 0.0, yearly), WINDOW)
    kind = np.where(age[person] >= 65, 0, np.where(employed[person], 1, 2))
    return pa.table(
        {
            "公民身份号码": ids(city, person),
            "体检类型": labels(kind, CHECKS),
            "体检日期": days(day),
            "所属区市": homes(city, person),
        }
    )


def _vaccinations(city: City) -> pa.Table:
    age = _age(city)
    yearly = np.interp(age, (0, 3, 6, 8, 60, 66), (3.0, 1.5, 0.8, 0.1, 0.1, 0.35))
    person, day = meetings(city, np.where(city.lives.away, 0.0, yearly), WINDOW)
    adult = city.dice.choice(4, len(person), p=(0.6, 0.1, 0.2, 0.1))
    return pa.table(
        {
            "公民身份号码": ids(city, person),
            "疫苗名称": labels(np.where(age[person] < 8, 4, adult), VACCINES),
            "接种日期": days(day),
            "所属区市": homes(city, person),
        }
    )


def _deaths(city: City) -> pa.Table:
    """Reported deaths, and a few of the living whose number was written down for somebody else's."""
    known = np.flatnonzero(~np.isnat(city.lives.reported))
    mistaken = np.flatnonzero(city.lives.mistaken)
    rows = np.concatenate([known, mistaken])
    ago = city.dice.integers(20, 400, len(mistaken)).astype("timedelta64[D]")
    died = np.concatenate([city.people.death[known], city.today - ago])
    reported = np.concatenate([city.lives.reported[known], city.today - ago + np.timedelta64(8, "D")])
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "姓名": full_names(city, rows),
            "死亡日期": days(died),
            "登记日期": days(reported),
            "死亡地点类别": labels(city.dice.choice(4, len(rows), p=(0.38, 0.5, 0.08, 0.04)), PLACES),
            "所属区市": homes(city, rows),
        }
    )
