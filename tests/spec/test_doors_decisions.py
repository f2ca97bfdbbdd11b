# SPDX-License-Identifier: Apache-2.0
"""The decisions door: one small answer about one subject, within consent or duty, in the service's own words."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from lib.pier import CITIZEN_CREDIT, WAGES, Pier, predicate, released
from lib.town import codes
from zhanqiao.agreements import grants
from zhanqiao.catalogue import shelf
from zhanqiao.desk import demo_truth
from zhanqiao.desk.scenarios import find_service
from zhanqiao.doors import decisions, release
from zhanqiao.policy import decide
from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.legal_time import legal_day
from zhanqiao.terms.requests import BatchDecisionRequest
from zhanqiao.terms.services import Field, Service, Value
from zhanqiao.terms.subjects import Subject, SubjectKind

HIGH = next(row for row in WAGES if row.base is not None and row.base >= 5_000)
LOW = next(row for row in WAGES if row.base is not None and row.base < 5_000)
NOTHING = next(row for row in WAGES if row.base is None)
KNOWN = WAGES[60].id
DAY = date(2026, 11, 25)


def _service(name: str) -> Service:
    found = find_service(name)
    assert found is not None, name
    return found


SILENT, ENTERPRISE = _service("silent-certification"), _service("enterprise-credit")


# --- with consent -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        (HIGH, {"outcome": "pass", "band": "high", "next_step": "none"}),
        (LOW, {"outcome": "pass", "band": "low", "next_step": "none"}),
        (NOTHING, {"outcome": "manual", "band": "unknown", "next_step": "officer"}),
    ],
    ids=["high", "low", "no-value"],
)
def test_a_consented_question_gets_the_rules_outcome_and_nothing_else(pier: Pier, row, outcome) -> None:
    answer = released(pier.decide(CITIZEN_CREDIT, row.id, consent=pier.consent(CITIZEN_CREDIT, row.id)))
    assert answer.answer == {"status": "released", "service": "citizen-credit", "request": answer.request, **outcome}
    assert row.id.encode() not in answer.answer_file + answer.certificate


def test_an_enterprise_is_judged_in_the_words_of_the_service(pier: Pier) -> None:
    code = demo_truth.example_enterprise(pier.settled.city)
    answer = released(pier.decide(ENTERPRISE, code, consent=pier.consent(ENTERPRISE, code)))
    words = {field.name: set(field.values) for field in ENTERPRISE.output if field.values}
    assert answer.answer["outcome"] in words["outcome"]
    assert answer.answer["band"] in words["band"]
    assert set(answer.answer) <= {"status", "service", "request", *(field.name for field in ENTERPRISE.output)}
    assert pier.verify(answer).valid


def test_what_an_outdated_source_does_not_hold_is_unknown_and_held_against_nobody(pier: Pier, clock) -> None:
    """A list that nobody kept up for years does not clear an enterprise; without the control, its silence says "no"."""
    code = demo_truth.example_enterprise(pier.settled.city)
    said = [released(pier.decide(ENTERPRISE, code, consent=pier.consent(ENTERPRISE, code))).answer]
    clock.forward(days=800)
    said.append(released(pier.decide(ENTERPRISE, code, consent=pier.consent(ENTERPRISE, code))).answer)
    before, after = said
    assert "SOURCE_MISSING" not in before["reasons"]
    assert "SOURCE_MISSING" in after["reasons"]
    lists = [one.name for one in ENTERPRISE.evidence if one.name.endswith("_flag") and one.name in before]
    assert "no" in {before[name] for name in lists}
    assert {after[name] for name in lists if before[name] == "no"} == {"unknown"}
    assert after["ep_lost_credit_excute_num_12_m"] == "unknown"


def test_without_consent_nothing_is_answered_or_charged(pier: Pier) -> None:
    assert codes(pier.decide(CITIZEN_CREDIT, HIGH.id)) == ["not-answered"]
    assert pier.spent("credit") == 0


def test_a_consent_is_used_up_use_by_use(pier: Pier) -> None:
    token = pier.consent(CITIZEN_CREDIT, HIGH.id, uses=2)
    for _ in range(2):
        released(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token))
    assert codes(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token)) == ["not-answered"]
    assert pier.spent("credit") == 2


def test_the_same_request_id_uses_neither_consent_nor_count_twice(pier: Pier, clock) -> None:
    request, token = pier.number(), pier.consent(CITIZEN_CREDIT, HIGH.id, uses=2)
    first = released(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token, request=request))
    clock.forward(days=1)
    for again in (pier, pier.reopened()):
        assert again.decide(CITIZEN_CREDIT, HIGH.id, consent=token, request=request) == first
    assert pier.spent("credit") == 1
    released(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token))
    assert codes(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token)) == ["not-answered"]


def test_a_refused_question_uses_no_consent(pier: Pier) -> None:
    token = pier.consent(CITIZEN_CREDIT, HIGH.id)
    assert codes(pier.decide(CITIZEN_CREDIT, LOW.id, consent=token)) == ["not-answered"]
    assert codes(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token, agreement="rival-credit")) == ["agreement-unknown"]
    released(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token))


def test_a_request_id_stands_for_one_subject(pier: Pier) -> None:
    request = pier.number()
    released(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=pier.consent(CITIZEN_CREDIT, HIGH.id), request=request))
    other = pier.decide(CITIZEN_CREDIT, LOW.id, consent=pier.consent(CITIZEN_CREDIT, LOW.id), request=request)
    assert codes(other) == ["request-id-taken"]
    assert pier.spent("credit") == 1


def test_an_agreement_for_five_answers_gives_five(pier: Pier) -> None:
    token = pier.consent(CITIZEN_CREDIT, HIGH.id, uses=9)
    for _ in range(5):
        released(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token, agreement="few-credit"))
    assert codes(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token, agreement="few-credit")) == ["count-exhausted"]
    assert pier.spent("few-credit") == 5


def test_what_depends_on_the_agreement_alone_is_explained(pier: Pier) -> None:
    assert codes(pier.decide(CITIZEN_CREDIT, HIGH.id, agreement="statistics")) == [
        "door-not-granted",
        "service-not-granted",
        "service-other-purpose",
    ]
    unread = replace(
        CITIZEN_CREDIT, evidence=tuple(replace(one, dataset="no_such_dataset") for one in CITIZEN_CREDIT.evidence)
    )
    assert set(codes(pier.decide(unread, HIGH.id))) == {"service-malformed", "nothing-published"}


# --- on duty ----------------------------------------------------------------------------------------


def test_a_batch_answers_each_subject_as_a_single_call_would(pier: Pier) -> None:
    ids = pier.pensioners()[:40]
    results = _results(pier.batch(SILENT, ids))
    assert [result["id"] for result in results] == ids
    for identifier, result in zip(ids, results, strict=True):
        single = released(pier.decide(SILENT, identifier, by="hrss-officer", agreement="pension")).answer
        bare = {name: value for name, value in single.items() if name not in {"status", "service", "request"}}
        assert result == {"id": identifier, "status": "answered", **bare}
    assert pier.spent("pension") == 2 * len(ids)


@pytest.mark.parametrize("newest_signs", [True, False], ids=["once-for-all-alike", "one-by-one"])
def test_the_answer_to_a_whole_list_is_that_of_its_single_decisions_byte_for_byte(pier: Pier, newest_signs) -> None:
    service = replace(SILENT, newest_signs=newest_signs)
    ids = [*pier.pensioners(), HIGH.id, "x", 'quoted "id":""', *pier.pensioners()[:3]]
    left = released(pier.batch(service, ids))
    datasets = {name: shelf.find(name) for name in {SILENT.roster, *(trace.dataset for trace in SILENT.traces)}}
    at = pier.house.clock()
    grant = grants.find_grant(pier.agreements["pension"], at)
    results = []
    for identifier in ids:
        subject = Subject(SubjectKind.PERSON, identifier)
        permit = decide.decide_evidence(
            "r",
            pier.agreements["pension"],
            grant,
            service,
            shelf.find,
            shelf.snapshot_id_of,
            at,
            subject=pier.house.vault.subject_digest(subject),
        )
        evidence = pier.house.vault.evidence(permit, datasets, subject, legal_day(at))
        if evidence is None:
            results.append({"id": identifier, "status": "not-answered"})
        else:
            said = decisions.shaped(SILENT.decide(evidence, legal_day(at)), SILENT)
            results.append({"id": identifier, "status": "answered", **said})
    assert {result.get("outcome") for result in results} >= {"certified", "undetermined", None}
    answer = {"status": "released", "service": SILENT.name, "request": left.request, "results": results}
    assert left.answer == answer
    assert left.answer_file == canonical({"salt": json.loads(left.answer_file)["salt"], "answer": answer})


def test_every_pensioner_is_answered_and_no_dead_one_certified(pier: Pier) -> None:
    ids = pier.pensioners()
    results = _results(pier.batch(SILENT, ids))
    score = demo_truth.score(pier.settled.city, results, SILENT, DAY)  # type: ignore[arg-type]
    assert score.living + score.dead == len(ids) > 100
    assert score.dead_certified == 0
    assert score.coverage > 0.5
    for result in results:
        for name in ("valid_until", "evidence_month"):
            assert result[name] is None or len(str(result[name])) == len("2026-11"), "months, never days"


def test_whoever_is_not_on_the_list_is_not_answered(pier: Pier) -> None:
    known = pier.pensioners()[0]
    # On no list, insured but no pensioner, no id at all, and one that was asked already.
    ids = ["370202199001011234", HIGH.id, "x", known, known]
    results = _results(pier.batch(SILENT, ids))
    assert [result["status"] for result in results] == [*["not-answered"] * 3, "answered", "answered"]
    assert [set(result) for result in results[:3]] == [{"id", "status"}] * 3
    assert pier.spent("pension") == len(ids)
    single = pier.decide(SILENT, HIGH.id, by="hrss-officer", agreement="pension")
    assert codes(single) == ["not-answered"]


def test_a_batch_is_one_job_with_one_certificate(pier: Pier) -> None:
    request, ids = pier.number(), pier.pensioners()[:7]
    first = released(pier.batch(SILENT, ids, request=request))
    assert pier.verify(first).valid
    assert predicate(first)["charge"] == {"answers": 7}
    assert pier.batch(SILENT, ids, request=request) == first
    assert codes(pier.batch(SILENT, ids[:6], request=request)) == ["request-id-taken"]
    assert pier.spent("pension") == 7


def test_a_batch_is_charged_whole_or_not_at_all(pier: Pier) -> None:
    ids = pier.pensioners()[:4]
    assert codes(pier.batch(SILENT, ids, agreement="few-pension")) == ["count-exhausted"]
    assert pier.spent("few-pension") == 0
    assert len(_results(pier.batch(SILENT, ids[:3], agreement="few-pension"))) == 3
    assert codes(pier.batch(SILENT, ids[:1], agreement="few-pension")) == ["count-exhausted"]


def test_a_batch_that_broke_off_is_repeated_on_its_own_charge(pier: Pier) -> None:
    request, ids = pier.number(), pier.pensioners()[:3]
    asked = decisions._asked_batch(
        BatchDecisionRequest(request, pier.agreements["few-pension"], "hrss-officer", SILENT.name),
        SILENT,
        ids,
        pier.house,
    )
    assert release.reserve(asked, pier.house) is None
    again = pier.reopened()
    assert len(_results(again.batch(SILENT, ids, agreement="few-pension", request=request))) == 3
    assert again.spent("few-pension") == 3


def test_what_rests_on_consent_is_not_asked_by_the_list(pier: Pier) -> None:
    refusal = pier.batch(CITIZEN_CREDIT, [HIGH.id], by="bank-analyst", agreement="credit")
    assert codes(refusal) == ["batch-without-duty"]
    # A roster does not take the place of a consent.
    listed = replace(CITIZEN_CREDIT, roster="pension_enrolment")
    assert codes(pier.batch(listed, [HIGH.id], by="bank-analyst", agreement="credit")) == ["batch-without-duty"]


def _results(outcome: object) -> list[dict[str, object]]:
    results = released(outcome).answer["results"]
    assert isinstance(results, list)
    return results


# --- nothing beyond the schema ----------------------------------------------------------------------

FINE: dict[str, object] = {"outcome": "pass", "band": "high", "next_step": "none"}
MARKER = "370202195001010991"
OFF_SCHEMA: dict[str, dict[str, object]] = {
    "a field more": {**FINE, "note": MARKER},
    "the marker as a field's name": {**FINE, MARKER: "yes"},
    "a field less": {"outcome": "pass"},
    "another word": {**FINE, "band": MARKER},
    "an exact figure": {**FINE, "band": Decimal("5055.88")},
    "a number": {**FINE, "band": 7},
    "a list for a word": {**FINE, "band": ["high", "low"]},
    "an object": {**FINE, "band": {"high": MARKER}},
    "nothing where something must be": {**FINE, "band": None},
    "a float": {**FINE, "band": 0.5},
    "bytes": {**FINE, "band": MARKER.encode()},
    "a date for a word": {**FINE, "band": DAY},
    "another case": {**FINE, "band": "High"},
    "a space more": {**FINE, "band": "high "},
    "the service's name": {**FINE, "service": MARKER},
}


@pytest.mark.parametrize("said", OFF_SCHEMA.values(), ids=OFF_SCHEMA.keys())
def test_a_rule_that_says_anything_else_is_a_fault_and_nothing_leaves(pier: Pier, said) -> None:
    service = replace(CITIZEN_CREDIT, decide=_says(said))
    request, token = pier.number(), pier.consent(CITIZEN_CREDIT, HIGH.id)
    with pytest.raises(ValueError, match="couldn't answer") as fault:
        pier.decide(service, HIGH.id, consent=token, request=request)
    assert MARKER not in str(fault.value), "an error is a channel, too"
    assert pier.house.book.request(request) is None
    assert pier.events("decisions.released") == []
    assert pier.spent("credit") == 0
    released(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token))  # the consent was not used either


@pytest.mark.parametrize("said", OFF_SCHEMA.values(), ids=OFF_SCHEMA.keys())
def test_nothing_leaves_in_a_batch_either(pier: Pier, said) -> None:
    service = replace(SILENT, decide=_says(said), output=CITIZEN_CREDIT.output)
    with pytest.raises(ValueError, match="couldn't answer") as fault:
        pier.batch(service, pier.pensioners()[:3])
    assert MARKER not in str(fault.value)
    assert pier.events("decisions.released") == []


DATED = (Field("until", "至", is_date=True, optional=True), Field("month", "月", is_month=True))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"until": DAY, "month": DAY}, {"until": "2026-11-25", "month": "2026-11"}),
        ({"until": None, "month": DAY}, {"until": None, "month": "2026-11"}),
        ({"month": DAY}, {"month": "2026-11"}),
    ],
)
def test_days_leave_as_months_unless_the_schema_says_days(said, shown) -> None:
    assert decisions.shaped(said, replace(SILENT, output=DATED)) == shown


@pytest.mark.parametrize(
    "said",
    [
        {"until": datetime(2026, 11, 25, 9, 30, 17, tzinfo=UTC), "month": DAY},
        {"until": DAY, "month": datetime(2026, 11, 25, 9, 30, 17, tzinfo=UTC)},
        {"until": "2026-11-25", "month": DAY},
        {"until": DAY, "month": None},
    ],
    ids=["moment", "moment-as-month", "text", "none"],
)
def test_what_is_no_day_does_not_leave_as_one(said) -> None:
    with pytest.raises(ValueError, match="is no date"):
        decisions.shaped(said, replace(SILENT, output=DATED))


@pytest.mark.parametrize("said", [["a", "a"], ["a", "b", "a"], ["c"], "ab", ["a", None]], ids=str)
def test_a_list_says_words_of_the_enumeration_each_once(said) -> None:
    service = replace(SILENT, output=(Field("reasons", "原因", ("a", "b"), many=True),))
    with pytest.raises(ValueError, match="couldn't answer"):
        decisions.shaped({"reasons": said}, service)
    assert decisions.shaped({"reasons": ("b", "a")}, service) == {"reasons": ["b", "a"]}


def _says(said: dict[str, object]) -> Callable[[dict[str, Value], date], dict[str, object]]:
    return lambda evidence, at: said


# --- certificates and log ---------------------------------------------------------------------------


def test_a_certificate_verifies_with_its_answer_and_with_no_other(pier: Pier) -> None:
    token = pier.consent(CITIZEN_CREDIT, HIGH.id, uses=2)
    first = released(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token))
    second = released(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token))
    assert first.answer == {**second.answer, "request": first.request}, "an answer names the request that it is for"
    assert pier.verify(first).valid
    assert not pier.verify(first, answer=second.answer_file).valid
    assert not pier.verify(first, answer=first.answer_file.replace(b'"high"', b'"low"')).valid


def test_the_log_names_no_subject_and_no_outcome(pier: Pier) -> None:
    before = pier.house.book.size
    token = pier.consent(CITIZEN_CREDIT, HIGH.id)
    released(pier.decide(CITIZEN_CREDIT, HIGH.id, consent=token))
    pier.decide(CITIZEN_CREDIT, LOW.id)
    released(pier.batch(SILENT, pier.pensioners()[:1]))
    for event in pier.house.book.events(before):
        text = json.dumps(json.loads(event.leaf))
        assert not any(word in text for word in (HIGH.id, LOW.id, pier.pensioners()[0], '"high"', token))


def test_whoever_holds_the_log_cannot_guess_a_subject_from_the_questions_digest(pier: Pier) -> None:
    """All but the id stands in the log: a plain digest over it would tell the id after some 10^8 tries."""
    from zhanqiao.terms.canonical import digest

    request, identifier = pier.number(), pier.pensioners()[0]
    released(pier.batch(SILENT, [identifier], request=request))
    reserved = next(event for event in pier.events("decisions.reserved") if event["request"] == request)
    facts = reserved["facts"]
    assert isinstance(facts, dict)
    question = [request, pier.agreements["pension"], SILENT.name, SILENT.pack, [identifier]]
    assert facts["digest"].startswith("hmac-sha256:")
    for guess in (question, ["question", *question]):
        assert digest(guess).partition(":")[2] != facts["digest"].partition(":")[2]


def test_equal_answers_show_no_equal_commitments(pier: Pier) -> None:
    """The log is public: two banks that ask about one subject must not find each other, nor one case label the rest."""
    twice = [released(pier.decide(CITIZEN_CREDIT, KNOWN, consent=pier.consent(CITIZEN_CREDIT, KNOWN))) for _ in "ab"]
    first, second = (predicate(one) for one in twice)
    assert twice[0].answer == {**twice[1].answer, "request": twice[0].request}
    assert first["commitment"] != second["commitment"]


def test_what_is_judged_is_judged_as_of_the_legal_day(pier: Pier, clock) -> None:
    """Eight hours of every day in China are the day before in UTC."""
    days: list[date] = []

    def judge(evidence: dict[str, Value], day: date) -> dict[str, object]:
        days.append(day)
        return CITIZEN_CREDIT.decide(evidence, day)

    clock.now = datetime(2026, 11, 25, 15, 59, 59, tzinfo=UTC)
    for _ in "ab":
        watched = replace(CITIZEN_CREDIT, decide=judge)
        released(pier.decide(watched, KNOWN, consent=pier.consent(CITIZEN_CREDIT, KNOWN)))
        clock.now += timedelta(seconds=1)
    assert days == [date(2026, 11, 25), date(2026, 11, 26)]
