# SPDX-License-Identifier: Apache-2.0
"""A city of enterprises for tests, and a slow, plain reading of evidence from its departments' tables."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files

import numpy as np
import pyarrow as pa

from zhanqiao.catalogue.contracts import parse
from zhanqiao.scenarios.city.departments.court import court
from zhanqiao.scenarios.city.departments.credit import credit
from zhanqiao.scenarios.city.departments.market import market
from zhanqiao.scenarios.city.departments.police import police
from zhanqiao.scenarios.city.departments.tax import tax
from zhanqiao.scenarios.city.enterprises import Enterprises, build_enterprises, link_representatives
from zhanqiao.scenarios.city.people import People, build_people
from zhanqiao.scenarios.city.shards import Shard
from zhanqiao.terms.datasets import Dataset, Generaliser
from zhanqiao.terms.services import Evidence, Operation, Value

TODAY = date(2026, 11, 25)
DEPARTMENTS = (market, tax, credit, court, police)


@dataclass(frozen=True, eq=False)
class EnterpriseCity:
    people: People
    enterprises: Enterprises
    dice: np.random.Generator
    today: np.datetime64
    shard: Shard


def build(people: int, seed: int) -> EnterpriseCity:
    shard = Shard(seed)
    dice = shard.dice("enterprise city")
    today = np.datetime64(TODAY)
    everybody = build_people(people, shard, today)
    enterprises = build_enterprises(people, shard, today)
    adults = np.flatnonzero(everybody.alive & (everybody.ages(today) >= 22))
    return EnterpriseCity(everybody, link_representatives(enterprises, adults, dice), dice, today, shard)


def deliveries(city: EnterpriseCity) -> dict[str, pa.Table]:
    tables: dict[str, pa.Table] = {}
    for department in DEPARTMENTS:
        tables |= department(city)
    return tables


@cache
def contracts() -> dict[str, Dataset]:
    folder = files("zhanqiao.scenarios.city").joinpath("contracts")
    found = [parse(file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".odcs.yaml")]
    broken = [dataset for dataset in found if not isinstance(dataset, Dataset)]
    assert not broken, broken
    return {dataset.name: dataset for dataset in found}


def evidence_by_code(evidence: tuple[Evidence, ...], tables: dict[str, pa.Table]) -> dict[str, dict[str, Value]]:
    """Return the evidence of every enterprise by its code, row by row: the meaning, without any speed."""
    rows = {name: _rows(name, tables[name]) for name in {entry.dataset for entry in evidence}}
    codes = tables["enterprise_registration"]["统一社会信用代码"].to_pylist()
    return {code: {entry.name: _read(entry, rows[entry.dataset][code]) for entry in evidence} for code in codes}


def _rows(name: str, table: pa.Table) -> dict[str, list[dict[str, object]]]:
    items = contracts()[name].items
    by_code: dict[str, list[dict[str, object]]] = defaultdict(list)
    columns = [table[item.header].to_pylist() for item in items]
    for values in zip(*columns, strict=True):
        row = dict(zip([item.name for item in items], values, strict=True))
        for item in items:
            if item.generaliser is Generaliser.YEAR:
                row[item.name] = row[item.name].year
        by_code[row["uscc"]].append(row)
    return by_code


def _read(entry: Evidence, rows: list[dict[str, object]]) -> Value:
    since = None
    if entry.window_months is not None:
        month = TODAY.year * 12 + TODAY.month - 1 - entry.window_months
        since = TODAY.replace(year=month // 12, month=month % 12 + 1)
    counted = [
        row
        for row in rows
        if all(row[item] in values for item, values in entry.where)
        and (since is None or since < row[entry.date_item] <= TODAY)
    ]
    match entry.operation:
        case Operation.EXISTS:
            return bool(counted)
        case Operation.COUNT:
            return len(counted)
        case Operation.SUM:
            return sum((Decimal(row[entry.item]) for row in counted), Decimal(0)) if counted else None
        case Operation.NEWEST:
            return max(counted, key=lambda row: row[entry.date_item])[entry.item] if counted else None
        case Operation.LATEST_DATE:
            return max((row[entry.date_item] for row in counted), default=None)
