# SPDX-License-Identifier: Apache-2.0
"""Drafts: what becomes a contract, and every way not to, with its line."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from lib.described import dataset
from lib.town import CITIZEN_CREDIT
from zhanqiao.agreements.contract import Contract, UsageRule, read_contract
from zhanqiao.agreements.draft_checks import World, check_draft, narrowed, settle
from zhanqiao.agreements.drafting import parse
from zhanqiao.identity.people import Organisation, OrganisationKind
from zhanqiao.terms.agreements import Door
from zhanqiao.terms.datasets import (
    Bounds,
    Capability,
    Item,
    LogicalType,
    Mask,
    Opening,
    Sharing,
)
from zhanqiao.terms.subjects import SubjectKind

AT = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
NUMBER = "C1" + "0" * 45

DRAFT = """\
name: 个人信用贷款预审
abstract: 以社保缴存情况辅助授信
resident: bank
issuer: bureau
purpose: credit-precheck
doors: [statistics, decisions]
datasets:
  pension_enrolment:
    items: [person_id, district, contribution_base]
    capabilities: {contribution_base: [aggregate]}
services: [citizen_credit]
term: {from: 2026-12-01, until: 2027-11-30}
limits: {count: 1000}
policy:
  permission:
    - action: use
      constraint:
        - {leftOperand: purpose, operator: eq, rightOperand: credit-precheck}
        - {leftOperand: recipient, operator: isAnyOf, rightOperand: [bank]}
  prohibition:
    - action: sell
  obligation:
    - action: tdp:desensitize
"""

ITEMS = (
    Item(
        "person_id",
        "公民身份号码",
        "公民身份号码",
        LogicalType.STRING,
        subject=SubjectKind.PERSON,
        mask=Mask.TOKEN,
        capabilities=frozenset({Capability.JOIN}),
    ),
    Item("full_name", "姓名", "姓名", LogicalType.STRING, identifier=True, mask=Mask.IDENTITY),
    Item(
        "district",
        "区市",
        "区市",
        LogicalType.STRING,
        mask=Mask.KEEP,
        capabilities=frozenset({Capability.FILTER, Capability.GROUP}),
    ),
    Item(
        "contribution_base",
        "缴费基数",
        "缴费基数",
        LogicalType.NUMBER,
        scale=2,
        mask=Mask.KEEP,
        capabilities=frozenset({Capability.AGGREGATE, Capability.FILTER}),
        bounds=Bounds(Decimal(0), Decimal(9)),
    ),
    Item("settled_on", "结算日期", "结算日期", LogicalType.DATE, mask=Mask.KEEP),
    Item(
        "diagnosis",
        "诊断",
        "诊断",
        LogicalType.STRING,
        mask=Mask.KEEP,
        category="disease",
        capabilities=frozenset({Capability.GROUP}),
    ),
    Item("remark", "备注", "备注", LogicalType.STRING),
)
PENSION = dataset("pension_enrolment", *ITEMS)
DATASETS = {
    "pension_enrolment": PENSION,
    "withheld_one": replace(PENSION, name="withheld_one", sharing=Sharing.WITHHELD),
    "closed_one": replace(PENSION, name="closed_one", opening=Opening.CLOSED),
    "tax_return": replace(PENSION, name="tax_return", department="tax"),
}
OPEN_NAMES = [name for name, dataset in DATASETS.items() if dataset.open]
_K = OrganisationKind
ORGANISATIONS = {
    organisation.id: organisation
    for organisation in (
        Organisation("bureau", _K.AUTHORITY, "大数据局"),
        Organisation("hrss", _K.DEPARTMENT, "人社局"),
        Organisation("tax", _K.DEPARTMENT, "税务局"),
        Organisation("bank", _K.RESIDENT, "银行", admission="resident"),
        Organisation("startup", _K.RESIDENT, "新公司", admission="assessed"),
        Organisation("runner", _K.OPERATOR, "运营公司"),
        Organisation("watch", _K.REGULATOR, "监管"),
    )
}
SERVICES = (CITIZEN_CREDIT,)
WORLD = World(ORGANISATIONS.get, DATASETS.get, lambda: OPEN_NAMES, SERVICES, AT)


def reasons_of(text: str) -> list[tuple[str, int]]:
    draft, reasons = parse(text)
    found = (*reasons, *(check_draft(draft, WORLD) if draft else ()))
    for reason in found:
        for lang in ("zh", "en"):
            assert reason.message(lang)
            assert reason.remedy(lang)
    return [(reason.code, int(reason.facts["line"])) for reason in found]


def remedies_of(text: str) -> dict[str, str]:
    draft, reasons = parse(text)
    assert draft is not None
    found = (*reasons, *check_draft(draft, WORLD))
    return {"en": "".join(one.remedy("en") for one in found), "zh": "".join(one.remedy("zh") for one in found)}


def contract_of(text: str) -> Contract:
    draft, reasons = parse(text)
    assert draft is not None
    assert (*reasons, *check_draft(draft, WORLD)) == ()
    return settle(draft, WORLD, NUMBER, "wang")


def changed(old: str, new: str) -> str:
    assert DRAFT.count(old) == 1, old
    return DRAFT.replace(old, new)


def line_of(old: str) -> int:
    return DRAFT[: DRAFT.index(old)].count("\n") + 1


def test_a_draft_becomes_exactly_this_contract():
    contract = contract_of(DRAFT)
    assert contract.doors == (Door.DECISIONS, Door.STATISTICS)
    assert contract.items() == {"pension_enrolment": frozenset({"person_id", "district", "contribution_base"})}
    assert contract.granted[0].department == "hrss"
    assert contract.granted[0].capabilities == (("contribution_base", (Capability.AGGREGATE,)),)
    assert contract.services == ("citizen_credit",)
    assert contract.begins == datetime(2026, 11, 30, 16, tzinfo=UTC)  # midnight in legal time
    assert contract.ends == datetime(2027, 11, 30, 16, tzinfo=UTC)  # the last day is included
    assert contract.count == 1_000
    assert UsageRule("prohibition", "sell") in contract.rules


def test_the_byte_form_is_the_contract_and_its_digest_its_name():
    contract = contract_of(DRAFT)
    assert read_contract(contract.to_bytes()) == contract
    assert read_contract(contract.to_bytes()).digest == contract.digest
    assert contract_of(changed("count: 1000", "count: 1001")).digest != contract.digest
    with pytest.raises(ValueError, match="couldn't read a contract"):
        read_contract(contract.to_bytes() + b" ")


def test_a_purpose_may_be_several_words():
    assert contract_of(DRAFT.replace("credit-precheck", '"two words, & more"')).purpose == "two words, & more"


def test_what_has_no_policy_gets_what_its_doors_do():
    text = DRAFT[: DRAFT.index("policy:")]
    assert contract_of(text).rules == (UsageRule("permission", "use"),)


CASES: list[tuple[str, str, str]] = [
    # what is changed, into what, the code; the line is where the change stands
    ("resident: bank", "resident: nobody", "draft-organisation-unknown"),
    ("resident: bank", "resident: startup", "draft-resident-not-admitted"),
    ("resident: bank", "resident: runner", "draft-party-wrong"),
    ("resident: bank", "resident: watch", "draft-party-wrong"),
    ("resident: bank", "resident: 'null'", "draft-organisation-unknown"),
    ("resident: bank", "resident: null", "draft-value-wrong"),
    ("issuer: bureau", "issuer: runner", "draft-party-wrong"),
    ("issuer: bureau", "issuer: [bureau]", "draft-value-wrong"),
    ("doors: [statistics, decisions]", "doors: [statistics, decisions, window]", "draft-value-wrong"),
    ("doors: [statistics, decisions]", "doors: [decisions, decisions]", "draft-value-wrong"),
    ("doors: [statistics, decisions]", "doors: decisions", "draft-value-wrong"),
    ("  pension_enrolment:\n", "  nothing_here:\n", "draft-dataset-unknown"),
    ("  pension_enrolment:\n", "  withheld_one:\n", "draft-dataset-withheld"),
    ("  pension_enrolment:\n", "  closed_one:\n", "draft-dataset-closed"),
    ("items: [person_id, district", "items: [person_id, distrikt", "draft-item-unknown"),
    ("items: [person_id, district", "items: [person_id, diagnosis", "draft-item-forbidden"),
    ("items: [person_id, district", "items: [person_id, full_name", "draft-item-not-kept"),
    ("items: [person_id, district", "items: [person_id, remark", "draft-item-not-kept"),
    ("[aggregate]", "[group]", "draft-capability-wider"),
    ("[aggregate]", "[filter]", "draft-capability-level"),
    ("{contribution_base: [aggregate]}", "{settled_on: []}", "draft-item-unknown"),
    ("services: [citizen_credit]", "services: [fortune_telling]", "draft-service-unknown"),
    ("until: 2027-11-30", "until: 2026-11-30", "draft-term-backwards"),
    ("from: 2026-12-01, until: 2027-11-30", "from: 2020-12-01, until: 2021-11-30", "draft-term-over"),
    ("until: 2027-11-30", "until: 2031-12-01", "draft-term-too-long"),
    ("until: 2027-11-30", "until: someday", "draft-value-wrong"),
    ("until: 2027-11-30", "until: 2027-02-30", "draft-value-wrong"),
    ("until: 2027-11-30", "until: 2027-11-30 12:00:00", "draft-value-wrong"),
    ("limits: {count: 1000}", "limits: {count: 0}", "draft-value-wrong"),
    ("limits: {count: 1000}", "limits: {count: -1}", "draft-value-wrong"),
    ("limits: {count: 1000}", "limits: {count: 1e9}", "draft-value-wrong"),
    ("limits: {count: 1000}", "limits: {count: 0x10}", "draft-value-wrong"),
    ("limits: {count: 1000}", "limits: {rows: 1000}", "draft-key-unknown"),
    ("abstract:", "abstrakt:", "draft-key-unknown"),
    ("    - action: use", "    - action: sell", "draft-policy-unenforceable"),
    ("    - action: use", "    - action: track", "draft-policy-unenforceable"),
    ("    - action: sell", "    - action: use", "draft-policy-contradicts"),
    ("    - action: tdp:desensitize", "    - action: anonymize", "draft-policy-contradicts"),
    ("    - action: tdp:desensitize", "    - action: delete", "draft-policy-unenforceable"),
    ("operator: eq", "operator: neq", "draft-policy-unenforceable"),
    ("operator: eq", "operator: isA", "draft-policy-unenforceable"),
    ("leftOperand: purpose, operator: eq", "leftOperand: spatial, operator: eq", "draft-policy-unenforceable"),
    ("rightOperand: credit-precheck", "rightOperand: marketing", "draft-policy-contradicts"),
    ("rightOperand: [bank]", "rightOperand: [other]", "draft-policy-contradicts"),
]


@pytest.mark.parametrize(("old", "new", "code"), CASES)
def test_each_flaw_is_named_with_its_line(old: str, new: str, code: str):
    assert (code, line_of(old)) in reasons_of(changed(old, new))


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ("  pension_enrolment:\n", "  pension_enrollment:\n", "pension_enrolment"),
        ("  pension_enrolment:\n", "  tax_retrun:\n", "tax_return"),
        ("items: [person_id, district", "items: [person_id, distrikt", "district"),
        ("{contribution_base: [aggregate]}", "{contribution_bas: [aggregate]}", "contribution_base"),
    ],
)
def test_a_misspelt_name_gets_the_nearest_one(old: str, new: str, meant: str):
    remedies = remedies_of(changed(old, new))
    assert f"Did you mean {meant}? " in remedies["en"]
    assert f"是否指 {meant}？" in remedies["zh"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  pension_enrolment:\n", "  closed_on:\n"),
        ("  pension_enrolment:\n    items: [person_id, district", "  closed_one:\n    items: [person_id, distrikt"),
        ("items: [person_id, district", "items: [person_id, full_nam"),
        ("items: [person_id, district", "items: [person_id, remarc"),
        ("{contribution_base: [aggregate]}", "{settled_on: []}"),
    ],
)
def test_no_suggestion_tells_a_name_that_is_not_open(old: str, new: str):
    remedies = remedies_of(changed(old, new))
    assert "Choose a" in remedies["en"] or "Choose an" in remedies["en"]
    assert "Did you mean" not in remedies["en"]
    assert "是否指" not in remedies["zh"]


@pytest.mark.parametrize("left", ["spatial", "dateTime", "count", "purpose", "recipient", "weather"])
@pytest.mark.parametrize(
    "operator", ["eq", "gt", "gteq", "isPartOf", "isA", "isAllOf", "isAnyOf", "lt", "lteq", "neq", "about"]
)
def test_a_constraint_is_enforced_or_refused_never_ignored(left: str, operator: str):
    right = {"dateTime": "2027-06-30", "count": "10", "purpose": "credit-precheck", "recipient": "bank"}.get(left, "x")
    text = changed(
        "leftOperand: purpose, operator: eq, rightOperand: credit-precheck",
        f"leftOperand: {left}, operator: {operator}, rightOperand: {right}",
    )
    codes = {code for code, _ in reasons_of(text)}
    enforced = {
        "dateTime": {"gt", "gteq", "lt", "lteq"},
        "count": {"lt", "lteq"},
        "purpose": {"eq", "isAnyOf"},
        "recipient": {"eq", "isAnyOf"},
    }
    if operator in enforced.get(left, ()):
        assert codes == set()
    else:
        assert codes == {"draft-policy-unenforceable"}


@pytest.mark.parametrize("kind", ["prohibition", "obligation"])
def test_constraints_of_prohibitions_and_obligations_are_refused(kind: str):
    rule = "sell" if kind == "prohibition" else "tdp:desensitize"
    constraint = "      constraint: [{leftOperand: count, operator: lteq, rightOperand: 1}]\n"
    text = changed(f"    - action: {rule}\n", f"    - action: {rule}\n{constraint}")
    assert [code for code, _ in reasons_of(text)] == ["draft-policy-unenforceable"]


@pytest.mark.parametrize(
    ("constraint", "read", "expected"),
    [
        ("count, operator: lteq, rightOperand: 10", lambda c: c.count, 10),
        ("count, operator: lt, rightOperand: 10", lambda c: c.count, 9),
        ("count, operator: lteq, rightOperand: 9999", lambda c: c.count, 1_000),
        (
            "dateTime, operator: gteq, rightOperand: 2027-01-01",
            lambda c: c.begins,
            datetime(2026, 12, 31, 16, tzinfo=UTC),
        ),
        ("dateTime, operator: gt, rightOperand: 2027-01-01", lambda c: c.begins, datetime(2027, 1, 1, 16, tzinfo=UTC)),
        ("dateTime, operator: lt, rightOperand: 2027-06-01", lambda c: c.ends, datetime(2027, 5, 31, 16, tzinfo=UTC)),
        ("dateTime, operator: lteq, rightOperand: 2027-06-01", lambda c: c.ends, datetime(2027, 6, 1, 16, tzinfo=UTC)),
        (
            "dateTime, operator: lteq, rightOperand: '2027-06-01T12:00:00+08:00'",
            lambda c: c.ends,
            datetime(2027, 6, 1, 4, 0, 1, tzinfo=UTC),
        ),
    ],
)
def test_an_enforced_constraint_takes_from_term_and_count(
    constraint: str, read: Callable[[Contract], object], expected: object
):
    text = changed("leftOperand: purpose, operator: eq, rightOperand: credit-precheck", f"leftOperand: {constraint}")
    assert read(contract_of(text)) == expected


def test_constraints_that_leave_no_term_are_backwards():
    text = changed(
        "leftOperand: purpose, operator: eq, rightOperand: credit-precheck",
        "leftOperand: dateTime, operator: lt, rightOperand: 2026-12-01",
    )
    assert [code for code, _ in reasons_of(text)] == ["draft-term-backwards"]


def test_five_years_are_five_years():
    assert reasons_of(changed("until: 2027-11-30", "until: 2031-11-30")) == []
    draft, _ = parse(changed("until: 2027-11-30", "until: 2031-12-01"))
    assert draft is not None
    (reason,) = check_draft(draft, WORLD)
    assert reason.facts["last"] == "2031-11-30"
    leap = changed("from: 2026-12-01, until: 2027-11-30", "from: 2028-02-29, until: 2033-02-28")
    assert reasons_of(leap) == []


def test_a_department_grants_its_own_data_only_and_gets_what_is_closed_to_society():
    own = changed("issuer: bureau", "issuer: hrss")
    assert reasons_of(own) == []
    assert ("draft-dataset-foreign", 8) in reasons_of(own.replace("  pension_enrolment:", "  tax_return:"))
    between = changed("resident: bank", "resident: tax").replace("  pension_enrolment:", "  closed_one:")
    between = between.replace("rightOperand: [bank]", "rightOperand: [tax]")
    assert reasons_of(between) == []
    assert ("draft-dataset-withheld", 8) in reasons_of(between.replace("closed_one", "withheld_one"))


def test_two_parties_are_two():
    assert ("draft-one-party", 3) in reasons_of(
        changed("issuer: bureau", "issuer: hrss").replace("resident: bank", "resident: hrss")
    )


def test_items_without_capability_serve_decisions_but_no_statement():
    with_date = changed("[person_id, district, contribution_base]", "[person_id, contribution_base, settled_on]")
    assert reasons_of(with_date) == []
    statistics = with_date.replace("[statistics, decisions]", "[statistics]").replace(
        "services: [citizen_credit]\n", ""
    )
    assert reasons_of(statistics) == [("draft-item-gives-nothing", 9)]


def test_services_and_the_decisions_door_come_together():
    assert reasons_of(changed("[statistics, decisions]", "[statistics]"))[0][0] == "draft-doors-contradict"
    assert reasons_of(changed("services: [citizen_credit]\n", ""))[0][0] == "draft-doors-contradict"


def test_a_door_needs_its_permission():
    assert ("draft-policy-contradicts", 16) in reasons_of(changed("[statistics, decisions]", "[decisions, artifacts]"))


def test_every_problem_comes_at_once():
    text = """\
name: 草案
resident: nobody
issuer: runner
purpose:
doors: [statistics, roof]
datasets:
  pension_enrolment: [distrikt, diagnosis, full_name]
  nothing_here: [x]
term: {from: 2027-01-01, until: 2020-01-01}
limits: {count: many}
policy:
  permission: [{action: use, constraint: [{leftOperand: spatial, operator: isPartOf, rightOperand: '3702'}]}]
extra: 1
"""
    assert sorted(line for _, line in reasons_of(text)) == [2, 3, 4, 5, 7, 7, 7, 8, 9, 10, 12, 13]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("doors: a\ndoors: b\n", 2),
        ("doors: &a x\nabstract: *a\n", 1),
        ("doors: !!python/object:os.system x\n", 1),
        ("doors: a\n---\nname: b\n", 2),
        ("doors: [a\n", 2),
        ("doors: a\n\tb: c\n", 2),
        ("doors: " + "[" * 40 + "]" * 40, 1),
        ("doors: \x00", 1),
        ("x: " + "y" * 70_000, 1),
    ],
)
def test_what_is_no_plain_yaml_goes_no_further(text: str, line: int):
    draft, reasons = parse(text)
    assert ("draft-not-yaml", str(line)) in {(reason.code, reason.facts["line"]) for reason in reasons}
    assert draft is None or reasons


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list",
        "just words",
        "370202196001010018: 2\n370202196001010018: 2\n",
        "name: 参保人一\n370202196001010018: 2\n",
        "*370202196001010018,参保人一\n",
        "name: 参保人一\n370202196001010018: [\n",
    ],
)
def test_of_what_is_no_draft_nothing_is_repeated(text: str):
    """Somebody gives a file of rows instead of a draft: what it holds is data."""
    draft, reasons = parse(text)
    assert draft is None
    assert [reason.code for reason in reasons] == ["draft-not-described"]
    said = " ".join(reason.message(lang) + reason.remedy(lang) for reason in reasons for lang in ("zh", "en"))
    assert "3702" not in said
    assert "参保人" not in said


def test_deep_nesting_does_not_exhaust_us():
    for text in ("doors: " + "[" * 50_000, "[" * 60_000, "{a: " * 15_000, "- " * 30_000):
        draft, reasons = parse(text)
        assert draft is None
        assert reasons


def test_narrowing_takes_and_never_gives():
    contract = contract_of(DRAFT)
    item = narrowed(PENSION, contract).item("contribution_base")
    assert item is not None
    assert item.capabilities == {Capability.AGGREGATE}
    # The department has since taken the capability away: the contract cannot bring it back.
    poorer = replace(
        PENSION,
        items=tuple(
            replace(each, capabilities=frozenset({Capability.FILTER})) if each.name == "contribution_base" else each
            for each in ITEMS
        ),
    )
    item = narrowed(poorer, contract).item("contribution_base")
    assert item is not None
    assert item.capabilities == frozenset()
    assert narrowed(DATASETS["tax_return"], contract) == DATASETS["tax_return"]
