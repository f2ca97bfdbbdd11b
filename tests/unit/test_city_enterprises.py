# SPDX-License-Identifier: Apache-2.0
"""The enterprises of the synthetic city: valid codes, one truth behind all departments, risk that shows."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from stdnum.cn import uscc

from lib.enterprise_city import EnterpriseCity, build, contracts, deliveries
from zhanqiao.scenarios.city.conduct import conduct_of
from zhanqiao.scenarios.city.enterprises import ACTIVE, REGIONS, build_enterprises
from zhanqiao.scenarios.city.shards import Shard
from zhanqiao.terms.datasets import Dataset, LogicalType
from zhanqiao.terms.subjects import SubjectKind

CODE = "统一社会信用代码"
OPEN_DOMAINS = {"工商注册": 11, "税务": 8, "公共信用": 9}
CLOSED_DEPARTMENTS = {"court", "police"}


@pytest.fixture(scope="module")
def city() -> EnterpriseCity:
    return build(60_000, seed=7)


@pytest.fixture(scope="module")
def tables(city: EnterpriseCity) -> dict[str, pa.Table]:
    return deliveries(city)


def _own() -> dict[str, Dataset]:
    kinds = CLOSED_DEPARTMENTS | {"market", "tax", "credit"}
    return {name: dataset for name, dataset in contracts().items() if dataset.department in kinds}


def _codes(table: pa.Table) -> set[str]:
    return set(table[CODE].to_pylist())


def test_every_code_is_valid_and_given_once(city: EnterpriseCity) -> None:
    codes = city.enterprises.uscc.tolist()
    assert all(uscc.is_valid(code) for code in codes)
    assert len(set(codes)) == len(codes) == 60_000 // 12


def test_a_code_is_registered_in_the_enterprises_district(city: EnterpriseCity) -> None:
    regions = list(REGIONS.values())
    assert all(
        code[:2] == "91" and code[2:8] == regions[district]
        for code, district in zip(city.enterprises.uscc, city.enterprises.district, strict=True)
    )


def test_names_are_chinese_and_given_once(city: EnterpriseCity) -> None:
    names = city.enterprises.name.tolist()
    assert len(set(names)) == len(names)
    assert all(name.startswith("青岛") and name.endswith("有限公司") and "\0" not in name for name in names)


def test_names_of_the_largest_cities_are_given_once() -> None:
    """What is dealt to the last of very many shards lies beyond all names of two and three characters."""
    names = build_enterprises(600, Shard(1, 699_999, 700_000), np.datetime64("2026-11-25")).name.tolist()
    assert len(set(names)) == len(names) == 50
    assert all(len(name.removeprefix("青岛").removesuffix("有限公司")) >= 6 and "\0" not in name for name in names)


def test_same_dice_same_city(tables: dict[str, pa.Table]) -> None:
    again = deliveries(build(60_000, seed=7))
    assert all(again[name].equals(table) for name, table in tables.items())
    other = build_enterprises(60_000, Shard(8), np.datetime64("2026-11-25"))
    assert set(other.uscc.tolist()) != _codes(tables["enterprise_registration"])


def test_the_smallest_city_has_all_tables() -> None:
    assert set(deliveries(build(120, seed=1))) == set(_own())


def test_28_open_datasets_with_199_items() -> None:
    opened = [dataset for dataset in _own().values() if dataset.open]
    found = {domain: sum(dataset.domain == domain for dataset in opened) for domain in OPEN_DOMAINS}
    assert found == OPEN_DOMAINS
    assert sum(len(dataset.items) for dataset in opened) == 199


def test_every_open_dataset_has_cubes_and_no_court_or_police_dataset_is_open() -> None:
    for dataset in _own().values():
        assert 1 <= len(dataset.cubes) <= 3 if dataset.open else not dataset.cubes, dataset.name
        assert not (dataset.open and dataset.department in CLOSED_DEPARTMENTS), dataset.name


def test_columns_are_the_contracts_headers(tables: dict[str, pa.Table]) -> None:
    for name, dataset in _own().items():
        assert tables[name].column_names == [item.header for item in dataset.items], name


def test_values_keep_what_the_contract_says(tables: dict[str, pa.Table]) -> None:
    kinds = {
        LogicalType.STRING: pa.types.is_string,
        LogicalType.BOOLEAN: pa.types.is_string,  # departments write 是 and 否
        LogicalType.DATE: pa.types.is_date,
        LogicalType.INTEGER: pa.types.is_integer,
        LogicalType.NUMBER: pa.types.is_decimal,
    }
    for name, dataset in _own().items():
        for item in dataset.items:
            column, place = tables[name][item.header], (name, item.name)
            assert kinds[item.type](column.type) or not len(column), place
            assert column.null_count == 0 or not item.required, place
            assert not item.unique or len(pc.unique(column)) == len(column), place
            if item.domain:
                assert set(pc.unique(column).to_pylist()) <= set(item.domain), place
            if item.bounds and len(column):
                extremes = pc.min_max(column).as_py()
                assert item.bounds.low <= extremes["min"] <= extremes["max"] <= item.bounds.high, place
            if item.max_length:
                assert pc.max(pc.utf8_length(column)).as_py() <= item.max_length, place


AHEAD = {"valid_until", "release_due_on"}


def test_only_terms_end_after_today(city: EnterpriseCity, tables: dict[str, pa.Table]) -> None:
    for name, dataset in _own().items():
        for item in dataset.items:
            if item.type is LogicalType.DATE and item.name not in AHEAD:
                newest = pc.max(tables[name][item.header]).as_py()
                assert newest is None or newest <= city.today.item(), (name, item.name)


def test_departments_know_only_registered_enterprises(tables: dict[str, pa.Table]) -> None:
    registered = _codes(tables["enterprise_registration"])
    for name, dataset in _own().items():
        if SubjectKind.ENTERPRISE in dataset.subject_kinds:
            assert _codes(tables[name]) <= registered, name


def test_departments_agree(tables: dict[str, pa.Table]) -> None:
    penalties = tables["administrative_penalty"]
    at_market = penalties.filter(pc.equal(penalties["处罚领域"], "市场监管"))
    assert sorted(at_market["罚没金额(元)"].to_pylist()) == sorted(tables["market_penalty"]["罚没金额(元)"].to_pylist())

    listed = tables["untrustworthy_list"]
    for kind, source in (
        ("失信被执行人", "judgment_defaulter"),
        ("重大税收违法失信主体", "major_tax_violation"),
        ("严重违法失信企业", "serious_illegal_list"),
    ):
        assert _codes(listed.filter(pc.equal(listed["名单类型"], kind))) == _codes(tables[source])
    assert _codes(tables["judgment_defaulter"]) <= _codes(tables["enforcement_case"])

    honours, grades = tables["red_list"], tables["tax_credit_grade"]
    best = _codes(grades.filter(pc.equal(grades["纳税信用级别"], "A")))
    assert _codes(honours.filter(pc.equal(honours["荣誉类型"], "纳税信用A级纳税人"))) == best


def test_cancelled_enterprises_are_cancelled_everywhere(tables: dict[str, pa.Table]) -> None:
    register, taxpayers = tables["enterprise_registration"], tables["tax_registration"]
    gone = _codes(register.filter(pc.equal(register["登记状态"], "注销")))
    assert gone == _codes(tables["enterprise_cancellation"])
    assert gone == _codes(taxpayers.filter(pc.equal(taxpayers["纳税人状态"], "注销")))


@pytest.mark.parametrize("source", ["penalties", "arrears", "enforcement", "abnormal_operation", "defaulters"])
def test_risk_shows_in_what_departments_write_down(city: EnterpriseCity, source: str) -> None:
    enterprises = city.enterprises
    seen = np.zeros(len(enterprises), dtype=bool)
    seen[getattr(conduct_of(enterprises, city.today), source).enterprise] = True
    active = enterprises.status == ACTIVE
    marked = enterprises.will_default[active & seen].mean()
    clean = enterprises.will_default[active & ~seen].mean()
    assert marked > 1.5 * clean


def test_only_active_enterprises_default_and_few_of_them(city: EnterpriseCity) -> None:
    enterprises = city.enterprises
    assert not enterprises.will_default[enterprises.status != ACTIVE].any()
    assert 0.02 < enterprises.will_default.mean() < 0.12
