# SPDX-License-Identifier: Apache-2.0
"""Contracts: what a good one gives, and what is said about each way to spoil it."""

from decimal import Decimal
from pathlib import Path

import pytest

from zhanqiao.catalogue import contracts
from zhanqiao.catalogue.contracts import MAX_BYTES
from zhanqiao.catalogue.reading import MAX_REASONS
from zhanqiao.terms.canonical import digest_bytes
from zhanqiao.terms.datasets import (
    Bounds,
    Capability,
    CubeSpec,
    Dataset,
    Delivery,
    Generaliser,
    Level,
    LogicalType,
    Mask,
    Opening,
    Sharing,
    UpdateCycle,
)
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.subjects import SubjectKind

GOOD = (Path(__file__).parents[1] / "lib" / "contracts" / "pension_enrolment.odcs.yaml").read_text(encoding="utf-8")


def edited(*edits: tuple[int, str, str]) -> str:
    """Return the good contract with `old` replaced by `new` in single lines, which keep their numbers."""
    lines = GOOD.splitlines()
    for line, old, new in edits:
        assert old in lines[line - 1], f"line {line} has no {old!r}: {lines[line - 1]}"
        lines[line - 1] = lines[line - 1].replace(old, new)
    return "\n".join(lines) + "\n"


def problems_of(text: str) -> list[tuple[str, int]]:
    """Return (code, line) of every reason; every sentence must be printable in both languages."""
    result = contracts.parse(text)
    assert isinstance(result, Refusal), "the contract was taken"
    assert all(reason.message(lang) and reason.remedy(lang) for reason in result.reasons for lang in ("zh", "en"))
    return [(reason.code, int(reason.facts.get("line", "0"))) for reason in result.reasons]


# --- a good one -------------------------------------------------------------------------------------


@pytest.fixture
def dataset() -> Dataset:
    result = contracts.parse(GOOD)
    assert isinstance(result, Dataset), [reason.message("en") for reason in result.reasons]
    return result


def test_dataset_level(dataset: Dataset) -> None:
    assert (dataset.name, dataset.code, dataset.version) == ("pension_enrolment", "370200-hrss-001", "1.0.0")
    assert dataset.zh == dataset.category == "城镇职工基本养老保险参保信息"
    assert dataset.en == "Pension insurance enrolment of urban employees"
    assert (dataset.department, dataset.domain) == ("hrss", "人力资源和社会保障")
    assert dataset.subject_kinds == (SubjectKind.PERSON,)
    assert (dataset.sharing, dataset.sharing_condition) == (Sharing.CONDITIONAL, "社会保险业务核验")
    assert (dataset.opening, dataset.opening_condition) == (Opening.CONDITIONAL, "签订授权协议")
    assert (dataset.update_cycle, dataset.delivery, dataset.format_code) == (UpdateCycle.MONTH, Delivery.FULL, 2)
    assert dataset.abstract == "参保职工的缴费基数与参保区市。"
    assert dataset.cubes == (CubeSpec("by_district_year", ("district", "birth_year"), ("contribution_base",)),)
    assert dataset.latest == "settled_on"
    assert dataset.digest == digest_bytes(GOOD.encode())


def test_levels_of_items(dataset: Dataset) -> None:
    levels = {item.name: item.level for item in dataset.items}
    assert levels == {
        "person_id": Level.KEY,
        "full_name": Level.FORBIDDEN,
        "birth_year": Level.QUASI,
        "district": Level.DIM,
        "contribution_base": Level.MEASURE,
        "insured_months": Level.QUASI,
        "settled_on": Level.FORBIDDEN,
        "remark": Level.FORBIDDEN,
    }


def test_a_measure_is_exact(dataset: Dataset) -> None:
    base = dataset.item("contribution_base")
    assert base is not None
    assert (base.type, base.scale, base.bounds) == (LogicalType.NUMBER, 2, Bounds(Decimal(0), Decimal(100000)))
    assert base.grid == (Decimal(0), Decimal(5000), Decimal(10000), Decimal(20000))
    assert (base.category, base.grade) == ("income", 3)


def test_headers_default_to_the_chinese_name(dataset: Dataset) -> None:
    headers = {item.name: item.header for item in dataset.items}
    assert headers["district"] == "参保区市"
    assert headers["birth_year"] == "出生日期"


def test_what_declares_nothing_is_dropped_and_graded_highest(dataset: Dataset) -> None:
    remark = dataset.item("remark")
    assert remark is not None
    assert (remark.mask, remark.grade, remark.capabilities, remark.stored) == (Mask.DROP, 5, frozenset(), False)


def test_quasi_identifiers_keep_their_generaliser(dataset: Dataset) -> None:
    birth, months = dataset.item("birth_year"), dataset.item("insured_months")
    assert birth is not None
    assert months is not None
    assert birth.generaliser is Generaliser.YEAR
    assert birth.capabilities == {Capability.FILTER, Capability.GROUP, Capability.COMPARE}
    assert (months.generaliser, months.grid[-1]) == (Generaliser.BAND, Decimal(720))


def test_bytes_with_a_byte_order_mark_are_read() -> None:
    assert isinstance(contracts.read(b"\xef\xbb\xbf" + GOOD.encode()), Dataset)


@pytest.mark.parametrize(
    "edits",
    [
        [(1, "v3.1.0", "v3.0.2")],
        [(1, "v3.1.0", "v3.2.0")],
        [(21, "full", "append")],
        [(19, "签订授权协议", '"{a} {line} %s"')],
        [(20, "month", "real_time")],
        [(15, "[person]", "[person, enterprise]"), (96, "string", "string\n" + " " * 8 + "required: true\n" + " " * 8 + "customProperties:\n" + " " * 10 + "- {property: subject, value: enterprise}\n" + " " * 10 + "- {property: mask, value: token}")],
        [(43, "maxLength: 40", "maxLength: 40, pattern: '[\\p{Han}·]{2,20}'")],
        [(71, "0.01", "1")],
        [(71, "minimum: 0", "minimum: -0.01")],
        [(96, "string", "boolean")],
        [(65, "市北区, 李沧区", "'市北区，李沧区', \"是，否\"")],
        [(5, "version: 1.0.0", "version: 1.0.0\ntags: [社保]\nteam: []")],
        [(94, "name: remark", "name: select")],  # names are quoted wherever they are printed
    ],
)  # fmt: skip
def test_what_may_be_said_otherwise(edits: list[tuple[int, str, str]]) -> None:
    result = contracts.parse(edited(*edits))
    assert isinstance(result, Dataset), [reason.message("en") for reason in result.reasons]


# --- one slip, one problem --------------------------------------------------------------------------

# (line, old text, new text, code, and the line that is named when it is another one)
SLIPS: list[tuple[int, str, str, str] | tuple[int, str, str, str, int]] = [
    # the file
    (10, "pension_enrolment", "*other", "contract-yaml-not-plain"),
    (10, "pension_enrolment", "&name pension_enrolment", "contract-yaml-not-plain"),
    (10, "pension_enrolment", "!!str pension_enrolment", "contract-yaml-not-plain"),
    (96, "string", "string\n---\na: 1", "contract-yaml-not-plain", 97),
    (8, "{purpose", "{[a]: b, purpose", "contract-yaml-not-plain"),
    (8, "}", "", "contract-not-yaml", 9),
    (12, "Pension", "Pension: insurance: [", "contract-not-yaml"),
    (12, "Pension", "Pension\x07", "contract-not-yaml"),
    (33, "required: true", "logicalType: string", "contract-key-twice"),
    # the contract
    (1, "v3.1.0", "v2.2.2", "contract-code-unknown"),
    (1, "v3.1.0", "3.1", "contract-type-wrong"),
    (2, "DataContract", "DataProduct", "contract-code-unknown"),
    (3, '"370200-hrss-001"', "370200", "contract-type-wrong"),
    (3, "370200-hrss-001", "370200 hrss", "contract-form-wrong"),
    (4, "name: 城镇职工基本养老保险参保信息", "nom: x", "contract-key-unknown"),
    (5, "1.0.0", "1.0", "contract-type-wrong"),
    (5, "1.0.0", "1.0.0-beta", "contract-form-wrong"),
    (5, "1.0.0", "01.0.0", "contract-form-wrong"),
    (6, "active", "draft", "contract-code-unknown"),
    (7, "人力资源和社会保障", "", "contract-type-wrong"),
    (7, "人力资源和社会保障", '"  "', "contract-value-empty"),
    (8, "{purpose: 参保职工的缴费基数与参保区市。}", "参保", "contract-type-wrong"),
    (8, "purpose", "usage", "contract-key-missing"),
    (8, "description:", "price: {}\ndescription:", "contract-key-not-kept"),
    (9, "schema:", "quality: []\nschema:", "contract-key-unknown"),
    # the dataset
    (10, "pension_enrolment", "PensionEnrolment", "contract-form-wrong"),
    (10, "pension_enrolment", "p" * 64, "contract-form-wrong"),
    (10, "pension_enrolment", "2026_pension", "contract-form-wrong"),
    (10, "pension_enrolment", "ｐension", "contract-form-wrong"),
    (11, "城镇职工", "城镇\u200b职工", "contract-text-invisible"),
    (11, "城镇职工", "城镇\u202e职工", "contract-text-invisible"),
    (11, "城镇职工", "城镇" * 120, "contract-text-too-long"),
    (12, "description: Pension insurance enrolment of urban employees", "tags: []", "contract-key-missing", 10),
    (14, "hrss", "人社局", "contract-form-wrong"),
    (14, "value: hrss", "valeu: hrss", "contract-key-unknown"),
    (14, "property: department", "property: departement", "contract-custom-unknown"),
    (15, "[person]", "person", "contract-type-wrong"),
    (15, "[person]", "[person, enterprise]", "contract-subject-without-key"),
    (15, "[person]", "[person, person]", "contract-value-twice"),
    (15, "[person]", "[person, animal]", "contract-code-unknown"),
    (16, "conditional", "sometimes", "contract-code-unknown"),
    (16, "conditional", "true", "contract-type-wrong"),
    (22, "formatCode, value: 2", "delivery, value: full", "contract-custom-twice"),
    (18, "conditional", "open", "contract-code-unknown"),
    (20, "month", "monthly", "contract-code-unknown"),
    (20, "month", "4", "contract-type-wrong"),
    (21, "full", "delta", "contract-code-unknown"),
    (22, "2", "8", "contract-number-outside"),
    (22, "2", "'2'", "contract-type-wrong"),
    (22, "2", "0x2", "contract-type-wrong"),
    (25, "by_district_year", "按区市", "contract-form-wrong"),
    (26, "[district, birth_year]", "[district, settled_on]", "contract-dim-without-group"),
    (26, "[district, birth_year]", "[district, person_id]", "contract-dim-without-group"),
    (26, "[district, birth_year]", "[district, contribution_base]", "contract-dim-without-group"),
    (26, "[district, birth_year]", "[district, year_of_birth]", "contract-item-unknown"),
    (26, "[district, birth_year]", "[district, district]", "contract-value-twice"),
    (26, "[district, birth_year]", "[]", "contract-value-empty"),
    (26, "dims", "dimensions", "contract-key-unknown"),
    (26, "[district, birth_year]", "[[district]]", "contract-type-wrong"),
    (27, "[contribution_base]", "[district]", "contract-measure-without-aggregate"),
    (27, "[contribution_base]", "[insured_months]", "contract-measure-without-aggregate"),
    (27, "[contribution_base]", "contribution_base", "contract-type-wrong"),
    (28, "settled_on", "birth_year", "contract-latest-not-kept"),
    (28, "settled_on", "district", "contract-latest-not-date"),
    (28, "settled_on", "last_seen", "contract-item-unknown"),
    (28, "settled_on", "2026-01-01", "contract-type-wrong"),
    (29, "properties:", "quality: []\n    properties:", "contract-key-not-kept"),
    # subjects and identifiers
    (30, "person_id", "remark", "contract-name-twice", 94),
    (31, "公民身份号码", "备注", "contract-header-twice", 95),
    (31, "businessName: 公民身份号码", "description: x", "contract-key-missing", 30),
    (32, "string", "integer", "contract-subject-type"),
    (33, "required: true", "required: yes", "contract-type-wrong"),
    (34, "unique: true", "primaryKey: true", "contract-key-not-kept"),
    (36, "person", "enterprise", "contract-subject-not-declared", 36),
    (37, "token", "keep", "contract-subject-exposed"),
    (37, "token", "sm4", "contract-code-unknown"),
    (37, "property: mask", "property: masks", "contract-custom-unknown"),
    (38, "3", "6", "contract-number-outside"),
    (38, "3", "three", "contract-type-wrong"),
    (39, "[join]", "[join, group]", "contract-subject-capability"),
    (39, "[join]", "[join, aggregate]", "contract-subject-capability"),
    (39, "property: capabilities, value: [join]", "property: identifier, value: true", "contract-subject-extra"),
    (42, "string", "text", "contract-code-unknown"),
    (43, "maxLength: 40", "maxLength: 0", "contract-number-outside"),
    (43, "maxLength: 40", "pattern: '(?=a)b'", "contract-pattern-invalid"),
    (43, "maxLength: 40", "pattern: '('", "contract-pattern-invalid"),
    (43, "maxLength: 40", "pattern: '(a{1000}){1000}'", "contract-pattern-invalid"),
    (43, "maxLength: 40", "pattern: '\\Qa'", "contract-pattern-invalid"),
    (43, "{maxLength: 40}", "[40]", "contract-type-wrong"),
    (43, "maxLength: 40", "minLength: 2", "contract-key-unknown"),
    (45, "true", "false", "contract-identity-without-identifier", 46),
    (46, "identity", "keep", "contract-identifier-exposed"),
    (46, "identity", "token", "contract-token-without-subject"),
    (47, "property: grade, value: 3", "property: capabilities, value: [filter]", "contract-capability-without-mask"),
    # quasi-identifiers and dimensions
    (50, "date", "timestamp", "contract-code-unknown"),
    (50, "date", "string", "contract-generaliser-type", 53),
    (52, "generalise", "keep", "contract-generaliser-idle", 53),
    (53, "{property: generaliser, value: year}", "{property: grade, value: 2}", "contract-custom-twice", 55),
    (53, "year", "decade", "contract-code-unknown"),
    (54, "group", "groupby", "contract-code-unknown"),
    (54, "[filter, group, compare]", "filter", "contract-type-wrong"),
    (54, "filter, group", "group, group", "contract-value-twice"),
    (63, "mask, value: keep", "category, value: lawfully_public", "contract-capability-without-mask", 66),
    (65, "市南区", "1", "contract-type-wrong"),
    (65, "市南区", "yes", "contract-type-wrong"),
    (65, "市南区", "2026-01-01", "contract-type-wrong"),
    (65, "市南区", "市北区", "contract-value-twice"),
    (65, "[市南区, 市北区, 李沧区, 崂山区]", "[]", "contract-domain-size"),
    (65, "市北区, 李沧区", "市北区， 李沧区", "contract-domain-comma"),
    (65, "[市南区, 市北区, 李沧区, 崂山区]", "\n" + " " * 14 + "- 市南区\n" + " " * 14 + "- 市北区，李沧区\n" + " " * 12, "contract-domain-comma", 67),
    (65, "[市南区, 市北区, 李沧区, 崂山区]", "市南区", "contract-type-wrong"),
    (66, "[filter, group]", "[filter, group, compare]", "contract-compare-unordered"),
    (86, "[group]", "[group, filter, compare]", "contract-compare-unordered"),
    (66, "[filter, group]", "[filter, group, join]", "contract-join-without-subject"),
    # measures
    (71, "minimum: 0, maximum: 100000, ", "", "contract-aggregate-without-bounds", 74),
    (71, "maximum: 100000, ", "", "contract-bounds-half"),
    (71, "minimum: 0", "minimum: 200000", "contract-bounds-order"),
    (71, ", multipleOf: 0.01", "", "contract-scale-missing", 70),
    (71, "0.01", "0.05", "contract-form-wrong"),
    (71, "0.01", "1e-2", "contract-type-wrong"),
    (71, "100000", "100000.005", "contract-figure-does-not-fit"),
    (71, "100000", "1000000000000000000000", "contract-type-wrong"),
    (71, "100000", "99999999999999999", "contract-figure-does-not-fit"),
    (71, "100000", ".inf", "contract-type-wrong"),
    (71, "100000", "1_000_000", "contract-type-wrong"),
    (74, "[aggregate, compare]", "[aggregate, compare, group]", "contract-aggregate-exclusive"),
    (75, "grid, value: [0, 5000, 10000, 20000]", "identifier, value: false", "contract-compare-without-grid", 74),
    (75, "5000", "0", "contract-grid-order"),
    (75, "[0, 5000, 10000, 20000]", "[5000]", "contract-grid-order"),
    (75, "5000", "5000.001", "contract-figure-does-not-fit"),
    (75, "5000", "five", "contract-type-wrong"),
    (76, "income", "wealth", "contract-code-unknown"),
    (84, "value: band", "value: year", "contract-generaliser-type"),
    (85, "grid, value: [0, 120, 240, 480, 720]", "identifier, value: false", "contract-band-without-grid", 84),
    (93, "grade, value: 3", "domain, value: [今天]", "contract-domain-not-text"),
    (93, "property: grade, value: 3", "property: capabilities, value: [join]", "contract-join-without-subject"),
    (93, "property: grade, value: 3", "property: capabilities, value: [aggregate]", "contract-aggregate-type"),
    (96, "string", "string\n        properties: []", "contract-key-not-kept", 97),
    (96, "string", "string\n        bounds: [0, 1]", "contract-key-unknown", 97),
    (94, "name: remark", "name: rows", "contract-name-reserved"),
    (94, "name: remark", "name: sum_contribution_base", "contract-name-reserved"),
    (94, "- name: remark", "- 备注\n      - name: remark", "contract-type-wrong"),
    (95, "备注", "[备注]", "contract-type-wrong"),
    (96, "string", "string\n        customProperties: {mask: keep}", "contract-type-wrong", 97),
    (96, "string", "string\n        customProperties: [mask]", "contract-type-wrong", 97),
    (96, "string", "string\n        customProperties: [{property: 1, value: keep}]", "contract-type-wrong", 97),
    (96, "string", "string\n        description: ''", "contract-value-empty", 97),
    (96, "string", "object", "contract-code-unknown"),
]  # fmt: skip


CITY_TREES = """\
apiVersion: v3.1.0
kind: DataContract
id: "370202-garden-001"
name: 行道树
version: 1.0.0
status: active
domain: 园林绿化
description: {purpose: 公众了解街道绿化。}
schema:
  - name: street_tree
    businessName: 行道树
    description: Street trees
    customProperties:
      - {property: department, value: parks}
      - {property: subjectKinds, value: []}
      - {property: sharing, value: unconditional}
      - {property: opening, value: unconditional}
      - {property: updateCycle, value: year}
      - {property: cubes, value: [{name: by_kind, dims: [kind], measures: []}]}
    properties:
      - name: kind
        businessName: 树种
        logicalType: string
        required: true
        customProperties:
          - {property: mask, value: keep}
          - {property: grade, value: 1}
          - {property: domain, value: [悬铃木, 雪松]}
          - {property: capabilities, value: [filter, group]}
"""


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: f"{slip[0]}-{slip[3]}-{slip[2][:24]!a}")
def test_one_slip_is_one_problem_with_its_line(slip: tuple[int, str, str, str]) -> None:
    line, old, new, code, *other = slip
    found = problems_of(edited((line, old, new)))
    expected = (code, other[0] if other else line)
    assert expected in found
    # A misspelt key is also a missing one; apart from that, nothing follows from one slip.
    follows = set() if "key" not in code else {"contract-key-unknown", "contract-key-missing"}
    if old == "required: true":
        follows.add("contract-cube-key-optional")
    assert [problem for problem in found if problem != expected and problem[0] not in follows] == []


@pytest.mark.parametrize(
    ("line", "old", "new", "remedy"),
    [
        (33, "required: true", "required: yes", "Write it like this: true"),
        (33, "required: true", "required: no", "Write it like this: false"),
        (5, "version: 1.0.0", "version: 1.0", "Write it like this: 1.0.0"),
        (16, "conditional", "yes", "Write it like this: unconditional | conditional | withheld"),
        (15, "[person]", "person", "Write it like this: [person]"),
        (65, "市南区", "1", 'Write it like this: "1"'),
        (8, "{purpose: 参保职工的缴费基数与参保区市。}", "参保", "Write it like this: {key: value}"),
        (14, "hrss", "人社局", "Write the id of a department as `zhanqiao people show` lists it, e.g. hrss."),
    ],
)
def test_what_is_of_another_type_is_told_how_it_is_written(line: int, old: str, new: str, remedy: str) -> None:
    found = contracts.parse(edited((line, old, new)))
    assert isinstance(found, Refusal)
    assert found.reasons[0].remedy("en") == remedy
    assert "{" not in found.reasons[0].message("zh")


@pytest.mark.parametrize("opening", ["closed", "conditional"])
def test_a_cube_about_nobody_is_of_a_dataset_that_is_open_to_all(opening: str) -> None:
    """Without subjects nothing is counted, and the load would end in the vault."""
    text = CITY_TREES.replace("opening, value: unconditional", f"opening, value: {opening}")
    text = text.replace("    properties:", "      - {property: openingCondition, value: 协商}\n    properties:", 1)
    assert isinstance(contracts.parse(CITY_TREES), Dataset), contracts.parse(CITY_TREES)
    assert "contract-cube-about-nobody" in [code for code, _ in problems_of(text)]
    assert isinstance(contracts.parse(text, kept=True), Dataset), "one that an older version took is still read"


def test_two_edits_that_only_together_are_wrong() -> None:
    no_subject = edited((15, "[person]", "[]"))
    assert ("contract-identity-without-subject", 46) in problems_of(no_subject)
    assert ("contract-latest-without-person", 28) in problems_of(no_subject)
    # Who says that data on people is about nobody would see groups of one, unless it names one of them.
    dropped = edited((15, "[person]", "[]"), (46, "identity", "drop"))
    assert ("contract-identifier-without-subject", 45) in problems_of(dropped)
    summed_band = edited((86, "[group]", "[aggregate]"))
    assert problems_of(summed_band) == [("contract-aggregate-generalised", 86)]
    kept_date = edited((52, "generalise", "keep"), (53, "{property: generaliser, value: year}", "{property: identifier, value: false}"))  # fmt: skip
    assert problems_of(kept_date) == [("contract-dim-type", 26)]
    dated_name = edited((42, "string", "date"), (43, "logicalTypeOptions: {maxLength: 40}", "unique: false"))
    assert problems_of(dated_name) == [("contract-identity-type", 42)]
    idle_grid = edited((74, ", compare", ""))
    assert problems_of(idle_grid) == [("contract-grid-idle", 75)]
    no_condition = edited((17, "- {property: sharingCondition, value: 社会保险业务核验}", "# none"))
    assert problems_of(no_condition) == [("contract-condition-missing", 16)]
    no_domain = edited((64, "- property: domain", "- property: category"), (65, "[市南区, 市北区, 李沧区, 崂山区]", "negative"))  # fmt: skip
    assert problems_of(no_domain) == [("contract-group-without-domain", 66)]
    unknown_how = edited((53, "- {property: generaliser, value: year}", "# none"))
    assert problems_of(unknown_how) == [("contract-generaliser-missing", 52)]
    cube_twice = edited((27, "[contribution_base]", "[]\n          - {name: by_district_year, dims: [district], measures: []}"))  # fmt: skip
    assert problems_of(cube_twice) == [("contract-name-twice", 28), ("contract-cubes-stacked", 28)]
    optional_key = edited((33, "required: true", "required: false"))
    assert problems_of(optional_key) == [("contract-cube-key-optional", 36)]
    second_cube = edited((27, "[contribution_base]", "[]\n          - {name: by_district, dims: [district], measures: []}"))  # fmt: skip
    assert problems_of(second_cube) == [("contract-cubes-stacked", 28)]


def test_every_problem_at_once_in_the_order_of_lines() -> None:
    found = problems_of(
        edited((5, "1.0.0", "one"), (20, "month", "often"), (37, "token", "keep"), (52, "generalise", "blur"))
    )
    assert found == [
        ("contract-form-wrong", 5),
        ("contract-code-unknown", 20),
        ("contract-subject-exposed", 37),
        ("contract-code-unknown", 52),
    ]


def test_a_contract_without_custom_properties_names_each_that_is_needed() -> None:
    lines = GOOD.splitlines()
    text = "\n".join([*lines[:12], "    customProperties: []", *lines[28:29], *lines[93:96]])
    assert problems_of(text) == [("contract-custom-missing", 13)] * 5


def test_what_is_missing_at_the_top_is_named() -> None:
    result = contracts.parse("apiVersion: v3.1.0\n")
    assert isinstance(result, Refusal)
    assert {reason.facts["key"] for reason in result.reasons} == {
        "kind", "id", "name", "version", "status", "domain", "description", "schema",
    }  # fmt: skip


def test_one_contract_describes_one_dataset() -> None:
    twice = GOOD + GOOD[GOOD.index("  - name: pension_enrolment") :]
    assert problems_of(twice) == [("contract-one-schema", 97)]
    assert problems_of(GOOD[: GOOD.index("schema:")] + "schema: []\n") == [("contract-one-schema", 9)]


@pytest.mark.parametrize("schema", ["{}", "[dataset]", "text"])
def test_a_schema_is_a_list_of_one_mapping(schema: str) -> None:
    assert problems_of(GOOD[: GOOD.index("schema:")] + f"schema: {schema}\n") == [("contract-type-wrong", 9)]


def test_properties_are_a_list() -> None:
    found = problems_of(GOOD[: GOOD.index("    properties:")] + "    properties: {}\n")
    assert ("contract-type-wrong", 29) in found


def test_a_purpose_may_have_several_lines() -> None:
    text = edited((8, "{purpose: 参保职工的缴费基数与参保区市。}", '{purpose: "第一行\\n第二行　完"}'))
    result = contracts.parse(text)
    assert isinstance(result, Dataset)
    assert result.abstract == "第一行\n第二行　完"
    assert problems_of(edited((8, "参保职工", "参" * 4_001))) == [("contract-text-too-long", 8)]
    assert problems_of(edited((8, "参保职工", "参保\u200b职工"))) == [("contract-text-invisible", 8)]


def test_a_dataset_has_items() -> None:
    found = problems_of(GOOD[: GOOD.index("    properties:")] + "    properties: []\n")
    assert ("contract-value-empty", 29) in found


# --- hostile files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "\ufeff", "---\n...\n"])
def test_an_empty_file_is_no_contract(text: str) -> None:
    assert problems_of(text) == [("contract-not-described", 1)]


@pytest.mark.parametrize("text", ["just words", "[1, 2]", "42", "null", "- a\n- b\n", "张三: 370202195001010011\n"])
def test_a_contract_is_a_mapping(text: str) -> None:
    assert problems_of(text) == [("contract-not-described", 1)]


@pytest.mark.parametrize(
    "rows",
    [
        "身份证号,姓名\n370202196001010018,参保人一\n370202196001010026,参保人二\n",
        "370202196001010018: 2\n370202196001010018: 2\n",
        '{"id": "1", "name": "参保人一", "kind": "retired", "37020219600101": 1}',
        "id: 370202196001010018\nname: 参保人一\nstatus: 370202196001010018\n",
        "*370202196001010018,参保人一\n",
        "&370202196001010018 参保人一\n",
        "!370202196001010018 参保人一\n",
        "%370202196001010018 参保人一\n",
        "姓名: 参保人一\n370202196001010018: [\n",
    ],
)
def test_of_a_file_of_rows_nothing_is_repeated(rows: str) -> None:
    """Somebody gives the delivery instead of its description: what it holds is data."""
    refusal = contracts.parse(rows)
    assert isinstance(refusal, Refusal)
    assert [reason.code for reason in refusal.reasons] == ["contract-not-described"]
    said = " ".join(reason.message(lang) + reason.remedy(lang) for reason in refusal.reasons for lang in ("zh", "en"))
    assert "3702" not in said
    assert "参保人" not in said
    assert "intake load" in said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (edited((1, ": v3.1.0", "：v3.1.0")), 2),
        (edited((9, "schema:", "schema：")), 10),
        ('{"apiVersion": "v3.1.0", "schema" []}', 1),
        ("apiVersion: [\n", 2),
    ],
)
def test_a_contract_that_breaks_off_is_told_where(text: str, line: int) -> None:
    assert problems_of(text) == [("contract-not-yaml", line)]


def test_a_yaml_bomb_is_refused_before_it_expands() -> None:
    bomb = "schema:\na0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    assert {code for code, _ in problems_of(bomb)} == {"contract-yaml-not-plain", "contract-more-problems"} - (
        set() if bomb.count("*") > MAX_REASONS else {"contract-more-problems"}
    )


def test_a_node_that_holds_itself_is_refused() -> None:
    assert {code for code, _ in problems_of("schema: &s [*s]\n")} == {"contract-yaml-not-plain"}


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{b: " * 5_000, "\n" + "\n".join(" " * n + "a:" for n in range(1, 900))]
)
def test_depth_is_bounded(text: str) -> None:
    assert problems_of(text) == [("contract-not-described", 1)]
    assert problems_of("schema: " + text)[0][0] in {"contract-yaml-not-plain", "contract-not-yaml"}


def test_size_is_bounded() -> None:
    large = GOOD + "#" * (MAX_BYTES - len(GOOD.encode()) + 1)
    assert problems_of(large) == [("contract-too-large", 0)]
    assert isinstance(contracts.parse(large[:-1]), Dataset)
    result = contracts.read(b"#" * (MAX_BYTES + 1))
    assert isinstance(result, Refusal)


def test_the_number_of_values_and_of_reasons_is_bounded() -> None:
    assert problems_of("schema: [" + "1," * 60_000 + "]") == [("contract-yaml-not-plain", 1)]
    many = "apiVersion: v3.1.0\n" + "".join(f"k{n}: 1\n" for n in range(MAX_REASONS * 2))
    result = contracts.parse(many)
    assert isinstance(result, Refusal)
    assert len(result.reasons) == MAX_REASONS + 1
    assert result.reasons[-1].facts == {"count": str(MAX_REASONS + 8)}


@pytest.mark.parametrize("content", [GOOD.encode("gb18030"), GOOD.encode("utf-16"), b"a: \xff\n", b"a: 1\nb: \xc3("])
def test_other_encodings_are_not_guessed(content: bytes) -> None:
    result = contracts.read(content)
    assert isinstance(result, Refusal)
    assert [reason.code for reason in result.reasons] == ["contract-not-utf8"]


def test_half_a_surrogate_pair_has_no_digest() -> None:
    assert problems_of("a: 1\nb: \ud800\n") == [("contract-not-utf8", 2)]


def test_what_a_message_repeats_of_a_file_is_short_and_visible() -> None:
    result = contracts.parse(edited((96, "string", "string\n        " + "x\u202e" * 2_000 + ": 1")))
    assert isinstance(result, Refusal)
    message = result.reasons[0].message("en")
    assert len(message) < 1_000
    assert message.isprintable()
