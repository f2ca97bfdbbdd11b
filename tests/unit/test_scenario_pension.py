# SPDX-License-Identifier: Apache-2.0
"""Silent certification: the truth table of the rule, its edges in time, and what may leave."""

from datetime import date

import pytest

from lib.enterprise_city import contracts
from zhanqiao.scenarios.pension import scenario, silent_certification
from zhanqiao.scenarios.pension.rules import TRACES, WEAK, decide, months_after
from zhanqiao.terms.subjects import SubjectKind

AT = date(2026, 11, 25)
POSITIVE = [trace for trace in TRACES if not trace.negative]
SEEN, SEEN_CLASS = POSITIVE[0].dataset, POSITIVE[0].evidence_class
DEATH = "death_register"


def test_the_truth_table() -> None:
    lately, long_ago, before, after = date(2026, 5, 3), date(2024, 5, 3), date(2026, 5, 2), date(2026, 5, 4)
    table = [
        # newest positive, newest negative -> outcome, reasons, next step
        ((None, None), ("undetermined", ["no_evidence"], "self_certification")),
        ((long_ago, None), ("undetermined", ["expired"], "self_certification")),
        ((lately, None), ("certified", [], "none")),
        ((None, lately), ("suspect", ["negative"], "officer_reviews")),
        ((long_ago, lately), ("suspect", ["negative"], "officer_reviews")),
        ((lately, lately), ("suspect", ["negative"], "officer_reviews")),
        ((lately, after), ("suspect", ["negative"], "officer_reviews")),
        ((lately, before), ("suspect", ["conflict"], "officer_reviews")),
        ((lately, long_ago), ("suspect", ["conflict"], "officer_reviews")),
    ]
    for (positive, negative), expected in table:
        answer = decide({SEEN: positive, DEATH: negative}, AT)
        assert (answer["outcome"], answer["reasons"], answer["next_step"]) == expected, (positive, negative)


def test_valid_until_is_the_latest_positive_and_twelve_months() -> None:
    answer = decide({SEEN: date(2026, 5, 3)}, AT)
    assert answer["valid_until"] == date(2027, 5, 3)
    assert (answer["evidence_class"], answer["evidence_month"]) == (SEEN_CLASS, date(2026, 5, 3))


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (date(2025, 11, 24), "undetermined"),
        (date(2025, 11, 25), "certified"),
        (date(2026, 11, 25), "certified"),
        (date(2026, 11, 26), "undetermined"),  # dated in the future: proves nothing
    ],
)
def test_the_edges_of_the_term(seen: date, outcome: str) -> None:
    assert decide({SEEN: seen}, AT)["outcome"] == outcome


def test_a_negative_dated_in_the_future_still_needs_a_look() -> None:
    assert decide({SEEN: date(2026, 5, 3), DEATH: date(2030, 1, 1)}, AT)["outcome"] == "suspect"


@pytest.mark.parametrize("trace", POSITIVE, ids=lambda trace: trace.dataset)
def test_every_positive_trace_certifies_alone(trace) -> None:
    answer = decide({trace.dataset: date(2026, 6, 1)}, AT)
    assert (answer["outcome"], answer["evidence_class"]) == ("certified", trace.evidence_class)


@pytest.mark.parametrize("negative", [trace for trace in TRACES if trace.negative], ids=lambda trace: trace.dataset)
@pytest.mark.parametrize("trace", POSITIVE, ids=lambda trace: trace.dataset)
def test_no_positive_outweighs_a_negative(trace, negative) -> None:
    answer = decide({trace.dataset: date(2026, 6, 1), negative.dataset: date(2026, 5, 1)}, AT)
    assert (answer["outcome"], answer["reasons"], answer["valid_until"]) == ("suspect", ["conflict"], None)
    assert answer["evidence_class"] == negative.evidence_class


def test_the_newest_trace_decides_and_the_first_of_equals() -> None:
    first, last = POSITIVE[0], POSITIVE[-1]
    newer = decide({first.dataset: date(2026, 1, 1), last.dataset: date(2026, 6, 1)}, AT)
    assert newer["evidence_class"] == last.evidence_class
    same = decide({last.dataset: date(2026, 6, 1), first.dataset: date(2026, 6, 1)}, AT)
    assert same["evidence_class"] == first.evidence_class


@pytest.mark.parametrize("weak", WEAK)
def test_a_weak_trace_says_nothing(weak: str) -> None:
    assert decide({weak: date(2026, 6, 1)}, AT)["outcome"] == "undetermined"


def test_traces_keep_the_newest_date_of_a_person() -> None:
    for trace in TRACES:
        dataset = contracts()[trace.dataset]
        assert dataset.latest, trace.dataset
        assert dataset.key_of(SubjectKind.PERSON), trace.dataset
        assert not dataset.open, trace.dataset


def test_the_roster_is_one_row_per_pensioner() -> None:
    roster = contracts()[silent_certification.roster or ""]
    key = roster.key_of(SubjectKind.PERSON)
    assert key is not None
    assert key.unique
    for name, values in silent_certification.roster_where:
        item = roster.item(name)
        assert item is not None
        assert set(values) < set(item.domain)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 5, 3), 12, date(2027, 5, 3)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 11, 30), 1, date(2026, 12, 30)),
    ],
)
def test_months_after(day: date, months: int, later: date) -> None:
    assert months_after(day, months) == later


def test_no_pension_is_stopped_and_no_day_leaves() -> None:
    outcomes = next(field for field in silent_certification.output if field.name == "outcome")
    assert outcomes.values == ("certified", "suspect", "undetermined")
    assert not any(field.is_date for field in silent_certification.output)
    assert "不自动停发" in silent_certification.negative_outcome_next_step


def test_the_answer_keeps_the_schema() -> None:
    fields = {field.name: field for field in silent_certification.output}
    for evidence in ({}, {SEEN: date(2026, 6, 1)}, {DEATH: date(2026, 6, 1)}):
        answer = decide(evidence, AT)
        assert set(answer) == set(fields)
        assert {"evidence_class", "valid_until", "evidence_month"} >= {name for name in answer if answer[name] is None}
        assert answer["evidence_class"] in {None, *fields["evidence_class"].values}


def test_on_duty_for_a_roster_without_consent() -> None:
    assert scenario.services == (silent_certification,)
    assert not silent_certification.needs_consent
    assert silent_certification.roster
    assert not silent_certification.evidence
