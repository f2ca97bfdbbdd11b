# SPDX-License-Identifier: Apache-2.0
"""A described dataset, a grant and the two parsers, for tests that put statements to the guard. No data anywhere."""

from datetime import UTC, datetime
from decimal import Decimal

from lib.described import dataset
from zhanqiao.policy import guard
from zhanqiao.policy.guard.lexer import Lexed, lex
from zhanqiao.policy.ir import Statement
from zhanqiao.terms.agreements import Door, Grant
from zhanqiao.terms.datasets import (
    Capability,
    CubeSpec,
    Generaliser,
    Item,
    LogicalType,
    Mask,
)
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.second_parser import tree_of

AT = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
FILTER, COMPARE, GROUP, AGGREGATE, JOIN = (
    Capability.FILTER,
    Capability.COMPARE,
    Capability.GROUP,
    Capability.AGGREGATE,
    Capability.JOIN,
)


def item(name: str, type_: LogicalType, *capabilities: Capability, **more: object) -> Item:
    settings = {"mask": Mask.KEEP, "zh": name, "header": name} | more
    return Item(name=name, type=type_, capabilities=frozenset(capabilities), **settings)  # type: ignore[arg-type]


PERSON_ID = item(
    "person_id", LogicalType.STRING, JOIN, subject=SubjectKind.PERSON, unique=True, mask=Mask.TOKEN, required=True
)
PENSION = dataset(
    "pension_enrolment",
    PERSON_ID,
    item("full_name", LogicalType.STRING, identifier=True, mask=Mask.IDENTITY),
    item("secret_note", LogicalType.STRING, mask=Mask.KEEP),
    item("birth_year", LogicalType.DATE, FILTER, GROUP, COMPARE, mask=Mask.GENERALISE, generaliser=Generaliser.YEAR),
    item("since", LogicalType.DATE, FILTER, GROUP, COMPARE, mask=Mask.GENERALISE, generaliser=Generaliser.MONTH),
    item("quarter", LogicalType.DATE, FILTER, GROUP, COMPARE, mask=Mask.GENERALISE, generaliser=Generaliser.QUARTER),
    item(
        "paid",
        LogicalType.INTEGER,
        FILTER,
        GROUP,
        mask=Mask.GENERALISE,
        generaliser=Generaliser.BAND,
        grid=(Decimal(12),),
    ),
    item("district", LogicalType.STRING, FILTER, GROUP, domain=("市南区", "市北区", "崂山区")),
    item("sex", LogicalType.STRING, FILTER, GROUP),
    item("rank", LogicalType.INTEGER, FILTER, GROUP),
    item("shown_only", LogicalType.STRING, GROUP),
    item("asked_only", LogicalType.STRING, FILTER),
    item("settled_on", LogicalType.DATE, FILTER, GROUP, COMPARE),
    item("not_granted", LogicalType.STRING, FILTER, GROUP),
    item("contribution_base", LogicalType.NUMBER, AGGREGATE, scale=2),
    item("months", LogicalType.INTEGER, AGGREGATE, FILTER, COMPARE),
    cubes=(
        CubeSpec(
            "by_district_year",
            ("district", "birth_year", "sex", "rank", "shown_only", "asked_only"),
            ("contribution_base", "months"),
        ),
        CubeSpec("by_month", ("since", "quarter", "paid"), ()),
        CubeSpec("by_district", ("district",), ("contribution_base",)),
    ),
)
# One person has many rows here, and no cube is published.
TAPS = dataset(
    "tap",
    item("person_id", LogicalType.STRING, JOIN, subject=SubjectKind.PERSON, mask=Mask.TOKEN),
    item("line", LogicalType.STRING, FILTER, GROUP),
)
LINES = dataset("line_tap", *TAPS.items, cubes=(CubeSpec("by_line", ("line",), ()),))
# A dataset of the catalogue that the agreement does not name.
ELSEWHERE = dataset("court_case", *TAPS.items, cubes=(CubeSpec("by_line", ("line",), ()),))
CATALOGUE = {one.name: one for one in (PENSION, TAPS, LINES, ELSEWHERE)}

GRANT = Grant(
    agreement="A-1",
    organisation="bank",
    purpose="risk",
    doors=frozenset({Door.STATISTICS}),
    items={
        "pension_enrolment": frozenset(one.name for one in PENSION.items if one.name != "not_granted"),
        "tap": frozenset({"person_id", "line"}),
        "line_tap": frozenset({"person_id", "line"}),
    },
)


def ask(text: str, grant: Grant | None = GRANT) -> Statement | Refusal:
    """Put one text to the guard, both parsers real."""
    return guard.read(text, tree_of, CATALOGUE.get, grant)


def statement(text: str) -> Statement:
    """Return the statement of a text that must be accepted."""
    read = ask(text)
    assert isinstance(read, Statement), [reason.message("en") for reason in read.reasons]
    return read


def codes(text: str, grant: Grant | None = GRANT) -> set[str]:
    """Return the codes of a text that must be refused."""
    read = ask(text, grant)
    assert isinstance(read, Refusal), read
    return {reason.code for reason in read.reasons}


def lexed(text: str) -> Lexed:
    found = lex(text)
    assert isinstance(found, Lexed), found
    return found
