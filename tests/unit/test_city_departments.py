# SPDX-License-Identifier: Apache-2.0
"""Departments keep their contracts and agree with one another: one person, one enterprise, one home everywhere."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lib.whole_city import TODAY, city, contracts, tables
from zhanqiao.terms.datasets import LogicalType
from zhanqiao.terms.subjects import SubjectKind

PERSON, ENTERPRISE = "公民身份号码", "统一社会信用代码"
NAMES = sorted(contracts())
# Days that lie ahead on purpose: ends of terms.
AHEAD = {
    ("labour_contract", "合同终止日期"),
    ("seizure_registration", "查封期限止"),
    ("administrative_permit", "有效期至"),
    ("serving_sentence", "刑期届满日期"),
}
OWN_OPEN = {"人力资源和社会保障": (15, 110), "住房公积金": (6, 43), "不动产": (7, 46)}


def column(dataset: str, header: str) -> list[object]:
    return tables()[dataset][header].to_pylist()


def by_person(dataset: str, header: str) -> dict[object, object]:
    return dict(zip(column(dataset, PERSON), column(dataset, header), strict=True))


def test_every_contract_has_its_table_and_every_table_its_contract() -> None:
    assert set(tables()) == set(contracts())


@pytest.mark.parametrize("domain", OWN_OPEN)
def test_the_open_catalogue_has_its_size(domain: str) -> None:
    opened = [dataset for dataset in contracts().values() if dataset.open and dataset.domain == domain]
    assert (len(opened), sum(len(dataset.items) for dataset in opened)) == OWN_OPEN[domain]
    assert all(dataset.cubes for dataset in opened)


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_what_its_contract_says(name: str) -> None:
    table = tables()[name]
    assert table.column_names == [item.header for item in contracts()[name].items]
    assert table.num_rows
    for item in contracts()[name].items:
        values = table[item.header]
        if item.required:
            assert values.null_count == 0, item.name
        if item.unique:
            assert len(values.unique()) == len(values), item.name
        if item.domain:
            assert set(values.unique().to_pylist()) - {None} <= set(item.domain), item.name
        if item.bounds is not None:
            lowest, highest = pc.min_max(values).as_py().values()
            assert item.bounds.low <= Decimal(lowest) <= Decimal(highest) <= item.bounds.high, item.name
        if item.type is LogicalType.DATE:
            assert pa.types.is_date(values.type), item.name
            if (name, item.header) not in AHEAD:
                assert pc.max(values).as_py() <= TODAY, item.name


@pytest.mark.parametrize("name", NAMES)
def test_everybody_exists_and_is_called_the_same_everywhere(name: str) -> None:
    people, enterprises = city().people, city().enterprises
    known = {SubjectKind.PERSON: people.citizen_id, SubjectKind.ENTERPRISE: enterprises.uscc}
    for item in contracts()[name].items:
        if item.subject is not None:
            found = pc.index_in(tables()[name][item.header], pa.array(known[item.subject]))
            assert found.null_count == 0, item.name
    headers = tables()[name].column_names
    if PERSON in headers:
        rows = pc.index_in(tables()[name][PERSON], pa.array(people.citizen_id)).to_numpy()
        for header, truth in (("姓名", people.name), ("出生日期", people.birth)):
            if header in headers:
                assert (tables()[name][header].to_numpy() == truth[rows]).all()


def test_employer_and_staff_are_the_same_in_every_register() -> None:
    employer = by_person("employment_registration", ENTERPRISE)
    for dataset in ("labour_contract", "unemployment_insurance", "injury_insurance", "pension_payment", "fund_deposit"):
        assert by_person(dataset, ENTERPRISE).items() <= employer.items(), dataset
    staff = dict(zip(column("insured_unit", ENTERPRISE), column("insured_unit", "参保人数"), strict=True))
    assert sum(staff.values()) == len(employer)
    assert all(staff[code] == 0 or code in set(employer.values()) for code in staff)


def test_who_is_employed_is_insured_with_one_base() -> None:
    base = by_person("pension_enrolment", "月缴费基数")
    assert set(column("employment_registration", PERSON)) <= set(base)
    for dataset, header in (
        ("unemployment_insurance", "缴费基数"),
        ("pension_payment", "缴费基数"),
        ("fund_account", "缴存基数"),
    ):
        assert by_person(dataset, header).items() <= base.items(), dataset


def test_nobody_contributes_and_draws_at_once() -> None:
    drawing = set(column("pension_roster", PERSON))
    assert not drawing & set(column("pension_enrolment", PERSON))
    assert not drawing & set(column("resident_pension", PERSON))
    assert not set(column("pension_enrolment", PERSON)) & set(column("resident_pension", PERSON))


def test_unpaid_contributions_are_owed_by_the_enterprise() -> None:
    unpaid: dict[str, Decimal] = {}
    payments = tables()["pension_payment"].to_pylist()
    for row in payments:
        if row["到账状态"] == "未到账":
            assert row["到账日期"] is None
            paid = row["个人缴费金额"] + row["单位缴费金额"]
            unpaid[row[ENTERPRISE]] = unpaid.get(row[ENTERPRISE], Decimal(0)) + paid
    owed = dict(zip(column("insured_unit", ENTERPRISE), column("insured_unit", "欠费金额"), strict=True))
    assert unpaid
    # The unit's debt counts all its present staff, also who was hired within the three months.
    assert all(owed[code] >= amount - Decimal(1) for code, amount in unpaid.items())


def test_the_fund_lends_what_the_registry_has_as_its_mortgage() -> None:
    loans = sorted(zip(column("fund_loan", PERSON), column("fund_loan", "贷款金额"), strict=True))
    mortgages = tables()["mortgage_registration"].filter(pc.field("抵押权人类型") == "住房公积金管理中心").to_pylist()
    assert loans == sorted((row[PERSON], row["被担保债权数额"]) for row in mortgages)
    assert {person for person, _ in loans} <= set(column("real_estate_ownership", PERSON))


def test_a_home_of_two_stands_under_one_certificate() -> None:
    shared = tables()["real_estate_ownership"].filter(pc.field("共有情况") == "共同共有").to_pylist()
    owners: dict[str, list[str]] = {}
    for row in shared:
        owners.setdefault(row["不动产权证号"], []).append(row[PERSON])
    assert owners
    people = city().people
    spouse = dict(zip(people.citizen_id.tolist(), people.citizen_id[people.spouse].tolist(), strict=True))
    assert all(len(both) == 2 and spouse[both[0]] == both[1] for both in owners.values())


@pytest.mark.parametrize("name", [name for name, dataset in contracts().items() if dataset.latest is not None])
def test_the_dead_leave_no_traces(name: str) -> None:
    dataset = contracts()[name]
    latest = dataset.item(dataset.latest)
    people = city().people
    rows = pc.index_in(tables()[name][PERSON], pa.array(people.citizen_id)).to_numpy()
    days = tables()[name][latest.header].to_numpy().astype("datetime64[D]")
    dead = ~people.alive[rows]
    assert (days < np.datetime64(TODAY)).all()
    assert (days >= people.birth[rows]).all()
    if name == "cremation_record":
        assert dead.all()
        assert (days > people.death[rows]).all()
    elif name == "death_register":
        assert (days[dead] == people.death[rows][dead]).all()
    elif name != "serving_sentence":
        assert (days[dead] <= people.death[rows][dead]).all()


def test_some_department_knows_of_every_death() -> None:
    people = city().people
    known = set(column("death_register", PERSON)) | set(column("cremation_record", PERSON))
    assert set(people.citizen_id[~people.alive].tolist()) <= known


def test_a_death_is_reported_after_it_and_pay_ends_a_month_later_at_most() -> None:
    for row in tables()["death_register"].to_pylist():
        assert row["死亡日期"] < row["登记日期"] <= TODAY
    reported = by_person("death_register", "登记日期")
    first = TODAY.replace(day=1)
    people = city().people
    alive = dict(zip(people.citizen_id.tolist(), people.alive.tolist(), strict=True))
    for person, state in by_person("pension_roster", "领取状态").items():
        assert (state == "终止发放") == (person in reported and reported[person] < first and not alive[person])


def test_most_pensioners_show_a_sign_of_life_and_some_do_not() -> None:
    since = TODAY - timedelta(days=365)
    living = set(city().people.citizen_id[city().lives.pensioner & city().people.alive].tolist())
    seen = set()
    for dataset, header in (
        ("medical_settlement", "结算日期"),
        ("health_check", "体检日期"),
        ("rail_air_trip", "检票日期"),
    ):
        seen |= {
            person for person, day in zip(column(dataset, PERSON), column(dataset, header), strict=True) if day >= since
        }
    assert 0.6 < len(living & seen) / len(living) < 0.98
