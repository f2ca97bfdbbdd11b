# SPDX-License-Identifier: Apache-2.0
"""The guard against anything: it never raises, it says nothing but statement or refusal, and what it accepts means what
it says. Three judges: a small evaluator of conditions over small worlds, DuckDB itself, and a printer whose text must be
read back as the same statement.
"""

from itertools import product

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.statements import CATALOGUE, GRANT, ask, lexed, statement
from zhanqiao.policy import guard
from zhanqiao.policy.guard import duckdb_reader, sqlglot_reader
from zhanqiao.policy.guard.canonical import Vacuous, canonical_where
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
    Predicate,
    Statement,
    Sum,
    Within,
)
from zhanqiao.terms.refusals import Refusal
from zhanqiao.vault.second_parser import tree_of

QUICK = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)

# --- random conditions ------------------------------------------------------------------------------

YEARS = (1, 2, 3, 4)
SEXES = ("女", "男", "it's")
_leaves = st.one_of(
    st.builds(Compare, st.just("birth_year"), st.sampled_from(list(Operator)), st.sampled_from(YEARS)),
    st.builds(Compare, st.just("sex"), st.sampled_from([Operator.EQ, Operator.NE]), st.sampled_from(SEXES)),
    st.builds(Within, st.just("birth_year"), st.lists(st.sampled_from(YEARS), min_size=1, max_size=3).map(tuple)),
    st.builds(Within, st.just("sex"), st.lists(st.sampled_from(SEXES), min_size=1, max_size=2).map(tuple)),
)
conditions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def holds(where: Predicate, row: dict[str, object]) -> bool | None:
    """SQL's three-valued logic, written down once more."""
    match where:
        case Compare(item, operator, value):
            have = row[item]
            if have is None:
                return None
            return {
                Operator.EQ: have == value,
                Operator.NE: have != value,
                Operator.LT: have < value,
                Operator.LE: have <= value,
                Operator.GT: have > value,
                Operator.GE: have >= value,
            }[operator]
        case Within(item, values):
            return None if row[item] is None else row[item] in values
        case Not(inner):
            said = holds(inner, row)
            return None if said is None else not said
        case And(parts):
            said = [holds(part, row) for part in parts]
            return False if False in said else None if None in said else True
        case Or(parts):
            said = [holds(part, row) for part in parts]
            return True if True in said else None if None in said else False


WORLD = [
    {"birth_year": year, "sex": sex}
    for year, sex in product((None, 0, 1, 2, 3, 4, 5), (None, "", "女", "男", "it's", "z"))
]


def kept(where: Predicate) -> list[bool]:
    return [holds(where, row) is True for row in WORLD]


# --- a printer of its own, for tests ----------------------------------------------------------------


def show(where: Predicate) -> str:
    match where:
        case Compare(item, operator, value):
            return f"({item} {operator} {show_value(value)})"
        case Within(item, values):
            return f"({item} IN ({', '.join(show_value(value) for value in values)}))"
        case Not(inner):
            return f"(NOT {show(inner)})"
        case And(parts):
            return "(" + " AND ".join(show(part) for part in parts) + ")"
        case Or(parts):
            return "(" + " OR ".join(show(part) for part in parts) + ")"


def show_value(value: object) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def show_statement(asked: Statement) -> str:
    keys = {"person": "person_id"}
    columns = []
    for output in asked.outputs:
        match output.term:
            case Dim(item):
                text = item
            case Count():
                text = "count(*)"
            case CountUnits(kind):
                text = f"count(DISTINCT {keys[kind.value]})"
            case Sum(item):
                text = f"sum({item})"
            case Average(item):
                text = f"avg({item})"
        columns.append(f'{text} AS "{output.alias.replace(chr(34), chr(34) * 2)}"')
    where = "" if asked.where is None else f" WHERE {show(asked.where)}"
    group = "" if not asked.dims else f" GROUP BY {', '.join(asked.dims)}"
    return f"SELECT {', '.join(columns)} FROM {asked.dataset}{where}{group}"


# --- what must hold ---------------------------------------------------------------------------------


@QUICK
@given(conditions)
def test_canonical_form_keeps_the_meaning(where: Predicate) -> None:
    written = canonical_where(where)
    if written is Vacuous.NEVER:
        assert not any(kept(where))
    elif not isinstance(written, Vacuous):
        assert kept(written) == kept(where)
        assert canonical_where(written) == written


@QUICK
@given(conditions, st.randoms(use_true_random=False))
def test_equal_spellings_have_one_form(where: Predicate, dice: object) -> None:
    assert canonical_where(respelled(where, dice)) == canonical_where(where)


def respelled(where: Predicate, dice: object) -> Predicate:
    """Say the same in other words: laws of logic, applied by chance."""
    match where:
        case Compare(item, Operator.EQ, value) if dice.random() < 0.5:
            return Within(item, (value, value))
        case Compare("birth_year", Operator.EQ, value) if dice.random() < 0.5:
            return And((Compare("birth_year", Operator.LE, value), Compare("birth_year", Operator.GT, value - 1)))
        case Compare("birth_year", Operator.LT, value) if dice.random() < 0.5:
            return Not(Compare("birth_year", Operator.GE, value))
        case Compare(item, Operator.NE, value) if dice.random() < 0.5:
            return Not(Compare(item, Operator.EQ, value))
        case Within(item, values) if dice.random() < 0.5:
            return Or(tuple(Compare(item, Operator.EQ, value) for value in reversed(values)))
        case Not(inner):
            return Not(respelled(inner, dice))
        case And(parts) | Or(parts):
            kind, other = (And, Or) if isinstance(where, And) else (Or, And)
            again = [respelled(part, dice) for part in parts]
            dice.shuffle(again)
            if dice.random() < 0.3:
                again.append(again[0])
            if dice.random() < 0.3:
                return Not(other(tuple(Not(part) for part in again)))
            return (
                kind(tuple(again))
                if dice.random() < 0.6 or len(again) < 3
                else kind((again[0], kind(tuple(again[1:]))))
            )
        case _:
            return Not(Not(where)) if dice.random() < 0.3 else where


@QUICK
@given(conditions, conditions)
def test_one_digest_means_one_meaning(one: Predicate, other: Predicate) -> None:
    first, second = canonical_where(one), canonical_where(other)
    if first == second and not isinstance(first, Vacuous):
        assert kept(one) == kept(other)


@QUICK
@given(conditions)
def test_both_readers_and_the_engine_agree_on_a_condition(where: Predicate) -> None:
    text = f"SELECT count(*) FROM pension_enrolment WHERE {show(where)}"
    lexed_text = lexed(text)
    first = sqlglot_reader.read(lexed_text)
    assert first.reasons == ()
    assert first.parsed is not None
    assert duckdb_reader.read(tree_of(lexed_text.text), lexed_text) == first.parsed
    assert kept(first.parsed.where) == kept(where)
    assert in_duckdb(show(where)) == sum(kept(where))
    read = ask(text)
    if isinstance(read, Statement):
        assert in_duckdb(show(read.where)) == sum(kept(where))


_ENGINE = duckdb.connect(":memory:")
_ENGINE.execute("CREATE TABLE world (birth_year INTEGER, sex VARCHAR)")
_ENGINE.executemany("INSERT INTO world VALUES (?, ?)", [[row["birth_year"], row["sex"]] for row in WORLD])


def in_duckdb(where: str) -> int:
    return _ENGINE.execute(f"SELECT count(*) FROM world WHERE {where}").fetchone()[0]


_terms = st.sampled_from(
    ["district", "sex", "count(*)", "count(DISTINCT person_id)", "sum(contribution_base)", "avg(months)", "birth_year"]
)


@QUICK
@given(st.lists(_terms, min_size=1, max_size=5, unique=True), st.none() | conditions)
def test_what_is_accepted_is_read_back_as_itself(terms: list[str], where: Predicate | None) -> None:
    dims = [term for term in terms if "(" not in term]
    text = f"SELECT {', '.join(terms)} FROM pension_enrolment"
    text += "" if where is None else f" WHERE {show(where)}"
    text += f" GROUP BY {', '.join(dims)}" if dims else ""
    read = ask(text)
    if isinstance(read, Statement):
        again = statement(show_statement(read))
        assert again == read
        assert guard.digest(again) == guard.digest(read)


# --- anything at all --------------------------------------------------------------------------------

_WORDS = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "AS",
    "count",
    "(",
    ")",
    "*",
    ",",
    ".",
    "=",
    "<>",
    "<",
    ">",
    "<=",
    ">=",
    "!=",
    "==",
    "'x'",
    "'女'",
    "1",
    "2",
    "-5",
    "+",
    "-",
    "sum",
    "avg",
    "DISTINCT",
    "person_id",
    "district",
    "sex",
    "birth_year",
    "contribution_base",
    "pension_enrolment",
    "p",
    "tap",
    "full_name",
    "NULL",
    "IS",
    "LIKE",
    "CASE",
    "WHEN",
    "THEN",
    "END",
    "HAVING",
    "ORDER",
    "LIMIT",
    "JOIN",
    "ON",
    "USING",
    "UNION",
    "ALL",
    "EXISTS",
    "CAST",
    "::",
    ";",
    '"区"',
    '"x"',
    "true",
    "max",
    "OVER",
    "WITH",
    "VALUES",
    "FILTER",
    "TABLE",
    "LATERAL",
    "ROLLUP",
    "zq__s0",
    "'zq__n0'",
    "#",
    "$",
    "?",
    "@",
    "[",
    "]",
    "{",
    "}",
    "--",
    "/*",
    "\u200b",
    "е",
    "'",
    '"',
    "\\",
    "~",
    "%",
    "|",
    "&",
    "^",
    ":",
    "1.5",
    "1e5",
    "0x1",
    "QUALIFY",
    "PIVOT",
    "UNPIVOT",
    "SAMPLE",
    "OFFSET",
    "INTERVAL",
    "DATE",
    "ANY",
    "SOME",
    "SYMMETRIC",
    "COLLATE",
    "AT",
    "ESCAPE",
]
_BASES = (
    "SELECT district , count ( * ) FROM pension_enrolment WHERE birth_year = 1960 GROUP BY district",
    "SELECT avg ( contribution_base ) AS \"均值\" FROM pension_enrolment p WHERE NOT p . sex IN ( '女' , '男' )",
    "SELECT count ( DISTINCT person_id ) FROM pension_enrolment WHERE birth_year BETWEEN 1 AND 5 OR sex <> 'a' ;",
)


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A good statement with a few words dropped, doubled, exchanged or put in."""
    words = draw(st.sampled_from(_BASES)).split(" ")
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(len(words) - 1, 0)))
        match draw(st.sampled_from(["drop", "double", "put", "change", "swap"])):
            case "drop" if words:
                del words[at]
            case "double" if words:
                words.insert(at, words[at])
            case "put":
                words.insert(at, draw(st.sampled_from(_WORDS)))
            case "change" if words:
                words[at] = draw(st.sampled_from(_WORDS))
            case "swap" if len(words) > 1:
                other = draw(st.integers(0, len(words) - 1))
                words[at], words[other] = words[other], words[at]
            case _:
                pass
    return draw(st.sampled_from([" ", "  ", "\n"])).join(words)


def settled(text: str) -> None:
    read = ask(text)
    if isinstance(read, Statement):
        named = {*read.dims, *(output.term.item for output in read.outputs if hasattr(output.term, "item"))}
        assert named <= GRANT.items[read.dataset] - {"full_name", "secret_note", "person_id"}
        assert statement(show_statement(read)) == read
    else:
        assert isinstance(read, Refusal)
        for lang in ("en", "zh"):
            assert read.as_data(lang)["reasons"]
        for reason in read.reasons:
            example = reason.facts.get("example", "…")
            assert "…" in example or isinstance(ask(example), Statement)
    memory = guard.Memory()
    assert memory.read(text, tree_of, CATALOGUE.get, GRANT) == read


@settings(QUICK, max_examples=400)
@given(mutants())
def test_mutants_are_settled(text: str) -> None:
    settled(text)


@QUICK
@given(st.text(max_size=60))
def test_any_text_is_settled(text: str) -> None:
    settled(text)
    settled(f"SELECT {text} FROM pension_enrolment")
    settled(f"SELECT count(*) FROM pension_enrolment WHERE sex = '{text}'")
    settled(f'SELECT count(*) AS "{text}" FROM pension_enrolment')


@QUICK
@given(st.lists(st.sampled_from(_WORDS), max_size=25).map(" ".join))
def test_any_row_of_words_is_settled(text: str) -> None:
    settled("SELECT " + text)


@pytest.mark.slow
@settings(QUICK, max_examples=8_000)
@given(mutants())
def test_many_mutants_are_settled(text: str) -> None:
    settled(text)


@pytest.mark.slow
@settings(QUICK, max_examples=4_000)
@given(st.lists(st.sampled_from(_WORDS), max_size=30).map(" ".join))
def test_many_rows_of_words_are_settled(text: str) -> None:
    settled("SELECT " + text)


@pytest.mark.slow
@settings(QUICK, max_examples=3_000)
@given(conditions, st.randoms(use_true_random=False))
def test_many_spellings_have_one_form(where: Predicate, dice: object) -> None:
    assert canonical_where(respelled(where, dice)) == canonical_where(where)
