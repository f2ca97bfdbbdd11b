# SPDX-License-Identifier: Apache-2.0
"""The police (公安局): checks of criminal records that were asked for, and who serves a sentence. None of it is open."""

import numpy as np
import pyarrow as pa

from zhanqiao.scenarios.city.departments.columns import days, labels, texts
from zhanqiao.scenarios.city.departments.source import City

CHECK_RESULTS = ("无犯罪记录", "有犯罪记录")
CHECK_PURPOSES = ("就业入职", "落户申请", "出国(境)", "其他")


def police(city: City) -> dict[str, pa.Table]:
    """Return the police's datasets by name."""
    return {"criminal_record_check": _checks(city), "serving_sentence": _sentences(city)}


def _adults(city: City) -> np.ndarray:
    return np.flatnonzero(city.people.alive & (city.people.birth < city.today - np.timedelta64(18 * 365, "D")))


def _checks(city: City) -> pa.Table:
    """A fifth of all adults asked for a check within three years; a record is rare."""
    adults = _adults(city)
    rows = city.dice.choice(adults, len(adults) // 5, replace=False)
    day = city.today - city.dice.integers(1, 3 * 365, len(rows)).astype("timedelta64[D]")
    return pa.table(
        {
            "公民身份号码": texts(city.people.citizen_id, rows),
            "姓名": texts(city.people.name, rows),
            "核查用途": labels(
                city.dice.choice(len(CHECK_PURPOSES), len(rows), p=(0.5, 0.2, 0.2, 0.1)), CHECK_PURPOSES
            ),
            "核查结果": labels((city.dice.random(len(rows)) < 0.006).astype(np.int8), CHECK_RESULTS),
            "核查日期": days(day),
        }
    )


def _sentences(city: City) -> pa.Table:
    """Who is inside today; nobody over 65, to whom the law is mild."""
    adults = _adults(city)
    adults = adults[city.people.birth[adults] > city.today - np.timedelta64(65 * 365, "D")]
    rows = city.dice.choice(adults, len(adults) // 1200, replace=False)
    began = city.today - city.dice.integers(30, 3 * 365, len(rows)).astype("timedelta64[D]")
    due = city.today + city.dice.integers(1, 5 * 365, len(rows)).astype("timedelta64[D]")
    return pa.table(
        {
            "公民身份号码": texts(city.people.citizen_id, rows),
            "姓名": texts(city.people.name, rows),
            "收监日期": days(began),
            "刑期届满日期": days(due),
        }
    )
