# SPDX-License-Identifier: Apache-2.0
"""Enterprise credit: the truth table of the pre-check, bands at their edges, and signal against the planted truth."""

from datetime import date
from decimal import Decimal

import pytest

from lib.enterprise_city import TODAY, build, contracts, deliveries, evidence_by_code
from zhanqiao.scenarios.credit import enterprise_credit, scenario
from zhanqiao.scenarios.credit.features import FEATURES, UNKNOWN, amount_band, count_band, rate_band
from zhanqiao.scenarios.credit.rules import CORE, REASONS, RULES
from zhanqiao.terms.datasets import LogicalType
from zhanqiao.terms.services import Operation, Value

AT = date(2026, 11, 25)


def evidence(**changes: Value) -> dict[str, Value]:
    """A plain, sound enterprise, with changes."""
    quiet: dict[Operation, Value] = {Operation.EXISTS: False, Operation.COUNT: 0, Operation.SUM: None}
    known = {entry.name: quiet.get(entry.operation) for entry in enterprise_credit.evidence}
    known |= {"ep_status": "在营", "founded_year": 2012, "tax_grade_latest": "B"}
    known |= {"ep_tax_credit_adj_dic_latest": "未调整", "credit_grade_latest": "优"}
    assert set(changes) <= set(known)
    return known | changes


def decide(**changes: Value) -> dict[str, object]:
    return enterprise_credit.decide(evidence(**changes), AT)


def test_a_sound_enterprise_passes() -> None:
    answer = decide()
    assert (answer["outcome"], answer["precheck"], answer["band"]) == ("favourable", "PASS", "A")
    assert answer["reasons"] == []
    assert answer["next_step"] == "bank_decides"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ep_status": "吊销"}, "NOT_ACTIVE"),
        ({"ep_status": "迁出"}, "NOT_ACTIVE"),
        ({"owing_tax_now_flag": True}, "TAX_OWED"),
        ({"tax_abnor_acct_now_flag": True}, "TAX_ABNORMAL"),
        ({"ep_big_tax_illegal_num_12_m": 1}, "TAX_VIOLATION"),
        ({"ep_env_penalty_num_12_m": 3}, "PENALTY_ENV"),
        ({"penalty_suspension_12_m": True}, "PENALTY_GRAVE"),
        ({"busi_abnor_now_flag": True}, "ABNORMAL_LISTED"),
        ({"ep_serious_illegal_list_flag": True}, "SERIOUS_ILLEGAL"),
        ({"bankrupt_liquid_12_m_flag": True}, "BANKRUPTCY"),
        ({"ep_force_excute_num_12_m": 2}, "ENFORCEMENT"),
        ({"case_closed_unpaid_12_m_flag": True}, "CLOSED_UNPAID"),
        ({"lost_credit_now_flag": True}, "DEFAULTER"),
        ({"excu_limi_high_consum_12_m_flag": True}, "LIMITED"),
        ({"ep_criminal_case_num_12_m": 1}, "CRIMINAL_CASE"),
        ({"judicial_auction_12_m_flag": True}, "AUCTIONED"),
        ({"ep_holder_eqty_frez_num_12_m": 1}, "EQUITY_FROZEN"),
    ],
)
def test_what_a_person_must_look_at(changes: dict[str, Value], reason: str) -> None:
    answer = decide(**changes)
    assert reason in answer["reasons"]
    assert (answer["outcome"], answer["precheck"]) == ("review", "TO_MANUAL")
    assert answer["next_step"] == "credit_officer_reviews"


@pytest.mark.parametrize(
    ("changes", "reason", "band"),
    [
        ({"founded_year": 2026}, "YOUNG", "A"),
        ({"tax_grade_latest": "D"}, "TAX_GRADE_LOW", "A"),
        ({"owing_tax_12_m_flag": True}, "TAX_OWED_LATELY", "A"),
        ({"tax_as_pay_12_m_flag": True, "late_declaration_num_12_m": 2}, "LATE_RETURNS", "B"),
        ({"ep_tax_penalty_num_12_m": 2}, "PENALTY_TAX", "B"),
        ({"ep_force_excute_num_12_m": 1}, "ENFORCEMENT", "B"),
        ({"ep_legal_person_adj_num_12_m": 7}, "NEW_HEAD", "A"),
    ],
)
def test_what_only_costs_points(changes: dict[str, Value], reason: str, band: str) -> None:
    answer = decide(**changes)
    assert reason in answer["reasons"]
    assert (answer["precheck"], answer["band"]) == ("PASS", band)


def test_many_small_things_go_to_a_person() -> None:
    answer = decide(
        tax_grade_latest="C",
        owing_tax_12_m_flag=True,
        ep_force_excute_num_12_m=1,
        ep_other_legal_case_num_12_m=3,
    )
    assert answer["band"] == "D"
    assert answer["precheck"] == "TO_MANUAL"
    assert "LOW_BAND" in answer["reasons"]


def test_an_a_grade_makes_up_for_little_things() -> None:
    assert decide(ep_force_excute_num_12_m=1)["band"] == "B"
    assert decide(ep_force_excute_num_12_m=1, tax_grade_latest="A")["band"] == "A"


@pytest.mark.parametrize("name", CORE)
def test_a_missing_core_source_is_no_negative(name: str) -> None:
    answer = decide(**{name: None})
    assert (answer["outcome"], answer["precheck"]) == ("undetermined", "TO_MANUAL")
    assert answer["reasons"] == ["SOURCE_MISSING"]
    assert (answer["band"], answer["next_step"]) == (UNKNOWN, "ask_source_department")


def test_a_missing_side_source_costs_nothing() -> None:
    answer = decide(ep_env_evaluate_12_m=None, tax_grade_latest=None, ep_patent_add_num_12_m=None)
    assert (answer["precheck"], answer["band"], answer["reasons"]) == ("PASS", "A", [])


def test_no_evidence_at_all_is_undetermined() -> None:
    assert enterprise_credit.decide({}, AT)["outcome"] == "undetermined"


def test_only_declared_values_leave() -> None:
    fields = {field.name: field for field in enterprise_credit.output}
    for answer in (decide(), enterprise_credit.decide({}, AT), decide(ep_status="不明", founded_year=3000)):
        assert set(answer) == set(fields)
        for name, value in answer.items():
            values = value if fields[name].many else [value]
            assert set(values) <= set(fields[name].values), name


def test_fields_of_the_handbook() -> None:
    names = {feature.name for feature in FEATURES}
    assert len(names) == len(FEATURES) >= 30
    penalties = ("tax", "env", "fire", "secu", "qlty", "hr", "other")
    assert {f"ep_{kind}_penalty_{part}_12_m" for kind in penalties for part in ("num", "amt")} <= names
    assert {"ep_status", "ep_founding_years", "owing_tax_12_m_flag", "tax_as_pay_12_m_flag"} <= names
    assert {"ep_force_excute_num_12_m", "excu_limi_high_consum_12_m_flag", "ep_env_evaluate_12_m"} <= names


def test_rules_name_features_values_and_reasons_that_exist() -> None:
    values = {feature.name: set(feature.values) for feature in FEATURES}
    for rule in RULES:
        assert set(rule.points) | rule.manual <= values[rule.feature], rule.code
        assert rule.code in REASONS
    assert len({rule.code for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(("value", "band"), [(0, "0"), (1, "1"), (2, "2"), (3, "3+"), (99, "3+"), (None, UNKNOWN)])
def test_count_bands(value: Value, band: str) -> None:
    assert count_band(value) == band


@pytest.mark.parametrize(
    ("value", "band"),
    [
        (Decimal(0), "none"),
        (Decimal("0.01"), "under_10k"),
        (Decimal("9999.99"), "under_10k"),
        (Decimal(10_000), "10k_100k"),
        (Decimal(100_000), "100k_1m"),
        (Decimal(1_000_000), "over_1m"),
        (None, UNKNOWN),
    ],
)
def test_amount_bands(value: Value, band: str) -> None:
    assert amount_band(value) == band


def test_no_penalties_are_no_amount() -> None:
    assert decide()["ep_tax_penalty_amt_12_m"] == "none"
    assert decide(ep_tax_penalty_num_12_m=None)["ep_tax_penalty_amt_12_m"] == UNKNOWN
    assert (
        decide(ep_holder_eqty_pledge_num_12_m=1, ep_holder_eqty_pledge_amt_12_m=Decimal(50))[
            "ep_holder_eqty_pledge_amt_12_m"
        ]
        == "100k_1m"
    )


@pytest.mark.parametrize(
    ("newer", "older", "periods", "band"),
    [
        (400, 400, (4, 8), "stable"),
        (420, 400, (4, 8), "stable"),
        (421, 400, (4, 8), "up_5_20"),
        (500, 400, (4, 8), "up_over_20"),
        (379, 400, (4, 8), "down_5_20"),
        (300, 400, (4, 8), "down_20_50"),
        (100, 400, (4, 8), "down_over_50"),
        (500, 300, (5, 8), "stable"),
        (400, 100, (4, 5), UNKNOWN),
        (400, 0, (4, 8), UNKNOWN),
    ],
)
def test_change_bands(newer: int, older: int, periods: tuple[int, int], band: str) -> None:
    known: dict[str, Value] = {
        "sales_sum_12_m": Decimal(newer),
        "sales_sum_24_m": Decimal(newer + older),
        "sales_periods_12_m": periods[0],
        "sales_periods_24_m": periods[1],
    }
    assert rate_band(known, "sales") == band


def test_evidence_reads_items_that_are_stored() -> None:
    for entry in enterprise_credit.evidence:
        dataset = contracts()[entry.dataset]
        assert dataset.item("uscc") is not None
        if entry.date_item:
            date_item = dataset.item(entry.date_item)
            assert date_item is not None, entry.name
            assert date_item.stored, entry.name
            assert date_item.type is LogicalType.DATE, entry.name
            assert date_item.generaliser is None, entry.name
        if entry.item:
            item = dataset.item(entry.item)
            assert item is not None, entry.name
            assert item.stored, entry.name
        for name, values in entry.where:
            item = dataset.item(name)
            assert item is not None, entry.name
            assert set(values) <= set(item.domain), entry.name


def test_the_service_needs_consent_and_names_a_person() -> None:
    assert scenario.services == (enterprise_credit,)
    assert enterprise_credit.needs_consent
    assert enterprise_credit.roster is None
    assert "人工" in enterprise_credit.negative_outcome_next_step


def test_the_precheck_tells_risk_apart_on_a_synthetic_city() -> None:
    city = build(60_000, seed=11)
    known = evidence_by_code(enterprise_credit.evidence, deliveries(city))
    active = [place for place, status in enumerate(city.enterprises.status) if status == 0]
    defaults: dict[str, list[bool]] = {}
    for place in active:
        answer = enterprise_credit.decide(known[str(city.enterprises.uscc[place])], TODAY)
        truth = bool(city.enterprises.will_default[place])
        defaults.setdefault(str(answer["precheck"]), []).append(truth)
        defaults.setdefault(str(answer["band"]), []).append(truth)
    rates = {name: sum(found) / len(found) for name, found in defaults.items()}
    assert len(defaults["PASS"]) > 0.6 * len(active)
    assert rates["TO_MANUAL"] > 2 * rates["PASS"]
    assert rates["A"] < rates["B"] < rates["D"]
