# SPDX-License-Identifier: Apache-2.0
"""Education (教育局): degrees with their subject and day, as far back as the electronic register goes. Not open."""

import numpy as np
import pyarrow as pa

from zhanqiao.scenarios.city.city import City
from zhanqiao.scenarios.city.departments.columns import days, labels
from zhanqiao.scenarios.city.departments.persons import full_names, ids
from zhanqiao.scenarios.city.lives import DEGREES, SPECIALIST

SCHOOLS = ("双一流建设高校", "普通本科院校", "高职高专院校", "成人高校")
SUBJECTS = ("工学", "管理学", "医学", "经济学", "文学", "理学", "法学", "教育学", "农学", "艺术学")
# Degrees are in the electronic register since then.
_REGISTER = np.datetime64("2001-06-01")


def education(city: City) -> dict[str, pa.Table]:
    """Return the bureau's datasets by name."""
    lives = city.lives
    known = city.people.alive & (lives.graduated >= _REGISTER) & (lives.graduated < city.today)
    rows = np.flatnonzero(known & (lives.degree >= SPECIALIST))
    school = np.where(
        lives.degree[rows] > SPECIALIST,
        city.dice.choice(3, len(rows), p=(0.25, 0.65, 0.1)),
        city.dice.choice((2, 3), len(rows), p=(0.8, 0.2)),
    )
    # Specialised colleges give no bachelor's degree: those who seem to are at an ordinary university.
    school[(lives.degree[rows] > SPECIALIST) & (school == 2)] = 1
    number = pa.array((city.shard.dealt(city.dice.permutation(len(rows))) + 10_000_000).astype("U8"))
    year = pa.array((lives.graduated[rows].astype("datetime64[Y]").astype(np.int64) + 1970).astype("U4"))
    table = pa.table(
        {
            "公民身份号码": ids(city, rows),
            "姓名": full_names(city, rows),
            "学历层次": labels(lives.degree[rows], DEGREES),
            "学校类别": labels(school, SCHOOLS),
            "学科门类": labels(
                city.dice.choice(10, len(rows), p=(0.33, 0.18, 0.08, 0.07, 0.08, 0.07, 0.05, 0.05, 0.03, 0.06)),
                SUBJECTS,
            ),
            "毕业日期": days(lives.graduated[rows]),
            "证书编号": pa.compute.binary_join_element_wise("1", year, number, ""),
        }
    )
    return {"degree_certificate": table}
