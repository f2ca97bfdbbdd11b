# SPDX-License-Identifier: Apache-2.0
"""What the guard accepts, and what it then means: pairs of text and statement, and spellings that are one question."""

import pytest

from lib.statements import GRANT, ask, codes, statement
from zhanqiao.policy import guard
from zhanqiao.policy.ir import (
    And,
    Average,
    Compare,
    Count,
    CountUnits,
    Dim,
    Not,
    Operator,
    Or,
    Output,
    Statement,
    Sum,
    Within,
)
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.subjects import SubjectKind

EQ, NE, LT, LE, GT, GE = Operator
P = "FROM pension_enrolment"
COUNT = Output("count", Count())


def year(operator: Operator, value: int) -> Compare:
    return Compare("birth_year", operator, value)


def test_the_whole_form() -> None:
    text = f"""
        SELECT district AS "所属区市", sex, count(*) AS people, count(DISTINCT person_id),
               sum(contribution_base), avg(contribution_base) AS mean
        {P} AS p
        WHERE p.birth_year BETWEEN 1960 AND 1969 AND NOT (district = '市南区' OR sex IN ('女', '男'))
        GROUP BY sex, p.district;
    """
    assert statement(text) == Statement(
        dataset="pension_enrolment",
        outputs=(
            Output("所属区市", Dim("district")),
            Output("sex", Dim("sex")),
            Output("people", Count()),
            Output("count_person_id", CountUnits(SubjectKind.PERSON)),
            Output("sum_contribution_base", Sum("contribution_base")),
            Output("mean", Average("contribution_base")),
        ),
        dims=("district", "sex"),
        where=And(
            (
                year(GE, 1960),
                year(LE, 1969),
                Compare("district", NE, "市南区"),
                Not(Within("sex", ("女", "男"))),
            )
        ),
    )


WHERES = [
    ("birth_year = 1960", year(EQ, 1960)),
    ("1960 = birth_year", year(EQ, 1960)),
    ("birth_year <> -5", year(NE, -5)),
    ("birth_year > 1960", year(GE, 1961)),
    ("1960 > birth_year", year(LE, 1959)),
    ("birth_year IN (1962, 1960, 1962)", Within("birth_year", (1960, 1962))),
    ("birth_year IN (1960, 1961, 1962)", And((year(GE, 1960), year(LE, 1962)))),
    ("birth_year NOT IN (1960, 1970)", Not(Within("birth_year", (1960, 1970)))),
    ("birth_year < 1960 OR birth_year = 1970", Or((Compare("birth_year", EQ, 1970), year(LE, 1959)))),
    (
        "since >= '2020-01' AND since < '2021-01'",
        And((Compare("since", GE, "2020-01"), Compare("since", LT, "2021-01"))),
    ),
    ("since BETWEEN '2020-01' AND '2020-01'", Compare("since", EQ, "2020-01")),
    ("paid = '[12,)'", Compare("paid", EQ, "[12,)")),
    ("quarter > '2020Q1'", Compare("quarter", GT, "2020Q1")),
    ("sex = '女' OR district = '市南区'", Or((Compare("district", EQ, "市南区"), Compare("sex", EQ, "女")))),
    ("sex = '女' AND (sex = '女' OR sex = '男')", Compare("sex", EQ, "女")),
    ("sex = 'it''s'", Compare("sex", EQ, "it's")),
    ("sex = '; DROP TABLE x --'", Compare("sex", EQ, "; DROP TABLE x --")),
    ("sex = 'zq__s0'", Compare("sex", EQ, "zq__s0")),
    ("sex = ''", Compare("sex", EQ, "")),
    ("rank = 3", Compare("rank", EQ, 3)),
    ("\"sex\" = '女'", Compare("sex", EQ, "女")),
    ("birth_year <> 1960 AND birth_year > 1950", Or((And((year(GE, 1951), year(LE, 1959))), year(GE, 1961)))),
    ("birth_year = 1 AND sex = 'x' AND birth_year = 2 OR sex = 'y'", Compare("sex", EQ, "y")),
]


@pytest.mark.parametrize(("text", "where"), WHERES, ids=[text for text, _ in WHERES])
def test_a_condition_means(text: str, where: object) -> None:
    assert statement(f"SELECT count(*) {P} WHERE {text}").where == where


@pytest.mark.parametrize(
    ("text", "outputs", "dims"),
    [
        ("SELECT count(*) {P}", (COUNT,), ()),
        ("SELECT ALL COUNT( * ) {P}", (COUNT,), ()),
        ("SELECT district {P} GROUP BY district", (Output("district", Dim("district")),), ("district",)),
        ("SELECT count(*) {P} GROUP BY sex, district", (COUNT,), ("district", "sex")),
        ("SELECT n: count(*) {P}", (Output("n", Count()),), ()),
        ("SELECT sum(months) {P}", (Output("sum_months", Sum("months")),), ()),
        ("SELECT sex, sex AS again {P} GROUP BY sex", (Output("sex", Dim("sex")), Output("again", Dim("sex"))), ("sex",)),
        ('SELECT count(*) AS "=1+1" {P}', (Output("=1+1", Count()),), ()),
        ("SELECT shown_only, count(*) {P} WHERE asked_only = 'x' GROUP BY shown_only",
         (Output("shown_only", Dim("shown_only")), COUNT), ("shown_only",)),
    ],
)  # fmt: skip
def test_a_projection_means(text: str, outputs: tuple[Output, ...], dims: tuple[str, ...]) -> None:
    read = statement(text.format(P=P))
    assert (read.outputs, read.dims) == (outputs, dims)


# Each line is one question in several spellings; no two lines are the same question.
SPELLINGS = [
    [
        "SELECT count(*) {P} WHERE birth_year = 1963",
        "select COUNT(*) from PENSION_ENROLMENT where BIRTH_YEAR = 1963;",
        "SELECT count(*) AS count {P} WHERE birth_year BETWEEN 1963 AND 1963",
        "SELECT count(*) {P} p WHERE p.birth_year IN (1963)",
        "SELECT count(*) {P} WHERE NOT (birth_year < 1963 OR birth_year > 1963)",
        "SELECT count(*) {P} WHERE NOT birth_year <> 1963",
        "SELECT count(*) {P} WHERE birth_year >= 1963 AND birth_year < 1964",
        "SELECT count(*) {P} WHERE birth_year > 1962 AND NOT birth_year >= 1964",
        "SELECT count(*) {P} WHERE NOT NOT 1963 = birth_year",
        'SELECT count(*) "count" FROM "pension_enrolment" AS "甲" WHERE "甲"."birth_year" == 1963',
        "SELECT count(*) {P} WHERE birth_year IN (1963, 1963) OR (birth_year = 1963 AND birth_year <> 1)",
        "SELECT count(*) {P} WHERE birth_year = 1963 OR birth_year = 2 AND birth_year = 1",
    ],
    [
        "SELECT count(*) {P} WHERE sex = 'a' AND (district = '市南区' OR birth_year < 3)",
        "SELECT count(*) {P} WHERE (birth_year <= 2 OR '市南区' = district) AND 'a' = sex",
        "SELECT count(*) {P} WHERE NOT (sex <> 'a' OR NOT (district = '市南区' OR NOT birth_year >= 3))",
        "SELECT count(*) {P} WHERE NOT (sex NOT IN ('a') OR (district <> '市南区' AND birth_year > 2))",
    ],
    [
        "SELECT count(*) {P} WHERE sex IN ('a', 'b') AND NOT (sex = 'b')",
        "SELECT count(*) {P} WHERE sex = 'a'",
        "SELECT count(*) {P} WHERE sex = 'a' AND sex <> 'c'",
    ],
    ["SELECT count(*) {P} WHERE sex <> 'a'", "SELECT count(*) {P} WHERE NOT sex IN ('a', 'a')"],
    ["SELECT count(*) {P} WHERE sex = 'a' OR sex = 'b'", "SELECT count(*) {P} WHERE sex IN ('b', 'a')"],
    [
        "SELECT sex, district, count(*) {P} GROUP BY sex, district",
        "SELECT sex, district, count(*) {P} GROUP BY district, sex",
        "SELECT sex, district, count(*) {P} GROUP BY district, sex, district",
    ],
    ["SELECT district, sex, count(*) {P} GROUP BY district, sex"],
    ["SELECT count(*) AS n {P}"],
    ["SELECT count(*) {P}", "SELECT count(*) {P} AS x"],
    ["SELECT count(*) {P} GROUP BY sex"],
    ["SELECT count(DISTINCT person_id) {P}"],
    ["SELECT sum(months) {P}"],
    ["SELECT avg(months) {P}"],
    ["SELECT sum(months) AS avg_months {P}"],
    ["SELECT count(*) {P} WHERE rank = 1"],
    ["SELECT count(*) {P} WHERE sex = '1'"],
    ["SELECT count(*) {P} WHERE since > '2020-01'"],
    ["SELECT count(*) {P} WHERE since >= '2020-01'"],
    ["SELECT count(*) {P} WHERE quarter >= '2020Q1'"],
]


def test_equal_questions_have_one_digest_and_others_another() -> None:
    digests = []
    for spellings in SPELLINGS:
        one = {guard.digest(statement(text.format(P=P))) for text in spellings}
        assert len(one) == 1, spellings
        digests.append(one.pop())
    assert len(set(digests)) == len(digests)
    assert all(digest.startswith("sha256:") for digest in digests)


def test_the_digest_stands_still() -> None:
    """Certificates name it: a change of form must be meant, and gets a new form name."""
    asked = statement(f"SELECT district, avg(contribution_base) {P} WHERE birth_year IN (1, 3) GROUP BY district")
    assert guard.digest(asked) == "sha256:2df26e1487cac9f15fead9520b741d1ca928a54774a41ef0ed1a891dbab9e082"


def test_count_distinct_needs_one_row_per_subject() -> None:
    assert codes("SELECT count(DISTINCT person_id) FROM line_tap") == {"statement-units-not-unique"}


@pytest.mark.parametrize(
    ("text", "cubeless"),
    [
        ("SELECT since, district, count(*) {P} GROUP BY since, district", "statement-no-cube"),
        ("SELECT since, sum(months) {P} GROUP BY since", "statement-no-cube"),
        ("SELECT district, count(*) {P} WHERE quarter = '2020Q1' GROUP BY district", "statement-no-cube"),
        ("SELECT line, count(*) FROM tap GROUP BY line", "statement-no-cubes-yet"),
    ],
)
def test_what_no_cube_covers(text: str, cubeless: str) -> None:
    assert codes(text.format(P=P)) == {cubeless}


def test_every_reason_comes_at_once() -> None:
    refused = codes(
        f"SELECT *, max(months), full_name {P} JOIN tap USING (person_id) "
        "WHERE contribution_base > 5 AND district = '火星' AND birth_year = '1960' AND sex > 'a' AND nothing = 1 "
        "GROUP BY 1 HAVING count(*) > 3 ORDER BY 1 LIMIT 5"
    )
    assert refused == {
        "form-star",
        "form-aggregate",
        "form-join",
        "form-ordinal",
        "form-having",
        "form-order",
        "form-limit",
        "statement-item-forbidden",
        "statement-item-unknown",
        "statement-measure-filter",
        "statement-literal-domain",
        "statement-literal-type",
        "statement-not-ordered",
    }


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("SELECT district, count(*) AS n {P} GROUP BY district ORDER BY n DESC", {"form-order"}),
        ('SELECT district, count(*) AS "人数" {P} GROUP BY district ORDER BY "人数"', {"form-order"}),
        ("SELECT district, count(*) AS Total {P} GROUP BY district HAVING total > 9 ORDER BY TOTAL",
         {"form-having", "form-order"}),
        ("SELECT district, count(*) {P} GROUP BY district ORDER BY n", {"form-order", "statement-item-unknown"}),
        ("SELECT district, count(*) AS n {P} WHERE n > 5 GROUP BY district", {"statement-item-unknown"}),
        ("SELECT district, count(*) AS n {P} GROUP BY district ORDER BY pension_enrolment.n",
         {"form-order", "statement-item-unknown"}),
        ("SELECT sum(months ORDER BY n) AS n {P}", {"form-order", "statement-item-unknown"}),
    ],
)  # fmt: skip
def test_an_alias_is_no_item_where_the_answer_is_sorted_or_cut(text: str, refused: set[str]) -> None:
    assert codes(text.format(P=P)) == refused


def test_no_agreement_learns_nothing_of_the_catalogue() -> None:
    assert codes(f"SELECT full_name {P} WHERE nonsense = 1", grant=None) == {"no-grant"}
    assert codes(f"SELECT * {P}", grant=None) == {"form-star", "no-grant"}


def test_unknown_and_not_granted_datasets_look_alike() -> None:
    hidden, absent = ask("SELECT line FROM court_case"), ask("SELECT line FROM court_cast")
    assert isinstance(hidden, Refusal)
    assert isinstance(absent, Refusal)
    assert hidden.as_data("en") == {
        "status": "refused",
        "reasons": [
            {
                "code": "statement-dataset-not-granted",
                "message": "There is no dataset court_case within this agreement.",
                "remedy": "Granted are: line_tap, pension_enrolment, tap.",
            }
        ],
    }
    assert str(absent.as_data("zh")).replace("court_cast", "court_case") == str(hidden.as_data("zh"))
    assert hidden.exit_status == absent.exit_status == 4


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("SELECT distrct, count(*) {P} GROUP BY distrct", "district"),
        ("SELECT sum(Contribution_Bas) {P}", "contribution_base"),
        ("SELECT count(*) FROM pension_enrollment", "pension_enrolment"),
        ("SELECT not_grantet, count(*) {P} GROUP BY not_grantet", None),
        ("SELECT full_nam {P}", None),
        ("SELECT count(*) FROM court_cas", None),
        ("SELECT zzz, count(*) {P} GROUP BY zzz", None),
    ],
)
def test_a_misspelt_name_gets_the_nearest_one_within_the_agreement(text: str, meant: str | None) -> None:
    """And no name beyond it: neither an item or a dataset that others have, nor one that no statement may use."""
    read = ask(text.format(P=P))
    assert isinstance(read, Refusal)
    (reason,) = read.reasons
    assert reason.code in {"statement-item-unknown", "statement-dataset-not-granted"}
    assert reason.remedy("en").startswith("Did you mean ") is (meant is not None)
    if meant is not None:
        assert reason.remedy("en").startswith(f"Did you mean {meant}? ")
        assert reason.remedy("zh").startswith(f"是否指 {meant}？")


@pytest.mark.parametrize(
    ("text", "advised"),
    [
        ("SELECT since, district, count(*) {P} WHERE birth_year > 1960 AND quarter = '2020Q1' GROUP BY since, district",
         "SELECT since, count(*) {P} WHERE quarter = '2020Q1' GROUP BY since"),
        ("SELECT district, sum(contribution_base), max(months) {P} GROUP BY district",
         "SELECT district, sum(contribution_base) {P} GROUP BY district"),
        ("SELECT district, count(*) {P} WHERE birth_year = '1960' AND sex = '女' GROUP BY district ORDER BY 2",
         "SELECT district, count(*) {P} WHERE sex = '女' GROUP BY district"),
        ("SELECT full_name, district {P}", "SELECT district, count(*) {P} GROUP BY district"),
        ("DELETE {P}", "SELECT line, count(*) FROM line_tap GROUP BY line"),
        ("SELECT count(DISTINCT person_id) FROM line_tap", "SELECT count(*) FROM line_tap"),
    ],
)  # fmt: skip
def test_a_remedy_names_the_nearest_safe_query(text: str, advised: str) -> None:
    read = ask(text.format(P=P))
    assert isinstance(read, Refusal)
    examples = {reason.facts.get("example") for reason in read.reasons} - {None}
    assert examples == {advised.format(P=P)}
    assert isinstance(ask(advised.format(P=P)), Statement)


def test_memory_forgets_with_grant_and_contract() -> None:
    from dataclasses import replace

    from lib.statements import CATALOGUE, PENSION, tree_of

    calls: list[str] = []

    def counted(text: str) -> str:
        calls.append(text)
        return tree_of(text)

    memory = guard.Memory(limit=2)
    texts = [f"SELECT count(*) {P} WHERE birth_year = {n}" for n in (1, 2, 3)]
    first = memory.read(texts[0], counted, CATALOGUE.get, GRANT)
    assert memory.read(texts[0], counted, CATALOGUE.get, GRANT) is first
    assert len(calls) == 1
    narrower = replace(GRANT, items={"pension_enrolment": frozenset({"district"})})
    assert isinstance(memory.read(texts[0], counted, CATALOGUE.get, narrower), Refusal)
    changed = replace(PENSION, items=tuple(one for one in PENSION.items if one.name != "birth_year"))
    assert isinstance(memory.read(texts[0], counted, {"pension_enrolment": changed}.get, GRANT), Refusal)
    assert isinstance(memory.read(texts[0], counted, CATALOGUE.get, None), Refusal)
    for text in texts:
        memory.read(text, counted, CATALOGUE.get, GRANT)
    before = len(calls)
    memory.read(texts[2], counted, CATALOGUE.get, GRANT)
    assert len(calls) == before
    memory.read(texts[0], counted, CATALOGUE.get, GRANT)
    assert len(calls) == before + 1
