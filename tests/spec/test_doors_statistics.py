# SPDX-License-Identifier: Apache-2.0
"""The statistics door: tables over many subjects, exact, protected, charged once, certified.

What is expected is computed here from the delivered rows, in plain Python with fractions.
"""

import json
from collections import Counter
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from itertools import islice

import pytest

from lib.pier import FIRMS, WAGES, Firm, Pier, Wage, predicate, released, write_wages
from lib.town import codes, done
from zhanqiao.agreements import lifecycle
from zhanqiao.catalogue import shelf
from zhanqiao.desk.stewardship import deliver
from zhanqiao.doors import release, statistics
from zhanqiao.ledger import certificate
from zhanqiao.terms.canonical import digest_bytes
from zhanqiao.terms.requests import StatisticsRequest

REST = "其余"
BY_DISTRICT = (
    "SELECT district, count(*) AS people, sum(contribution_base) AS total, avg(contribution_base) AS average "
    "FROM pension_enrolment GROUP BY district"
)
BY_YEAR = (
    "SELECT district, birth_year, count(*) AS people, sum(contribution_base) AS total, "
    "avg(contribution_base) AS average FROM pension_enrolment GROUP BY district, birth_year"
)
FORBIDDEN = "SELECT full_name, max(contribution_base) FROM pension_enrolment GROUP BY full_name"


def wages(keeps: Callable[[Wage], bool] = lambda _: True) -> list[object]:
    """Return people, total and average of the rows that are kept, as the door writes them."""
    rows = [row for row in WAGES if keeps(row)]
    bases = [row.base for row in rows if row.base is not None]
    return [len(rows), f"{sum(bases):.2f}", average(bases)]


def average(values: list[Decimal]) -> str:
    """Return the exact quotient, rounded once: half to even."""
    exact = sum(map(Fraction, values), Fraction()) / len(values)
    return str((Decimal(exact.numerator) / exact.denominator).quantize(Decimal("0.0001"), ROUND_HALF_EVEN))


def of(district: str, *years: int | None) -> list[object]:
    """Return the figures of a district, or of some of its birth years."""
    return wages(
        lambda row: row.district == district and (not years or (row.born and row.born.year) in years)  # type: ignore[arg-type]
    )


def rows_of(answer: object) -> list[object]:
    rows = released(answer).answer["rows"]
    assert isinstance(rows, list)
    return rows


# --- figures ----------------------------------------------------------------------------------------


def test_figures_are_exact(pier: Pier) -> None:
    assert rows_of(pier.ask(BY_DISTRICT)) == [
        ["崂山区", *of("崂山区")],
        ["市北区", *of("市北区")],
        ["市南区", *of("市南区")],
        ["李沧区", *of("李沧区")],
    ]


def test_a_figure_over_all_is_one_row(pier: Pier) -> None:
    statement = BY_DISTRICT.replace("SELECT district,", "SELECT").replace(" GROUP BY district", "")
    assert rows_of(pier.ask(statement)) == [wages()]


def test_groups_that_are_too_small_or_dominated_stand_in_a_named_remainder(pier: Pier) -> None:
    assert rows_of(pier.ask(BY_YEAR)) == [
        ["崂山区", REST, *of("崂山区", 1960, 1961)],  # one person earned nearly all of 1960
        ["市北区", 1952, *of("市北区", 1952)],
        ["市北区", REST, *of("市北区", 1950, 1951)],  # three people, hidden among eighteen
        ["市南区", 1950, *of("市南区", 1950)],
        ["市南区", 1951, *of("市南区", 1951)],
        ["市南区", 1952, *of("市南区", 1952)],
        ["市南区", REST, *of("市南区", None)],  # no birth date
        ["李沧区", REST, *of("李沧区", 1950, 1951)],
    ]


def test_remainders_are_told_and_not_what_they_hold(pier: Pier) -> None:
    answer = released(pier.ask(BY_YEAR))
    # One in each of four districts; that two years joined that of 崂山区 is not told.
    withheld = [{"rule": "too-small-or-dominated", "groups": 4}]
    assert answer.answer["withheld"] == withheld
    assert predicate(answer)["withheld"] == [{"public_code": "too-small-or-dominated", "groups": 4}]
    assert released(pier.ask(BY_DISTRICT)).answer["withheld"] == []


def test_a_group_by_a_later_dimension_alone_is_told_to_be_a_part(pier: Pier) -> None:
    """Of those born in 1952 some stand alone in their district; who reads their number must not take it for all."""
    statement = "SELECT birth_year, count(*) AS people FROM pension_enrolment GROUP BY birth_year"
    answer = released(pier.ask(statement))
    shown = {row[0]: row[1] for row in rows_of(answer)}  # type: ignore[index]
    born = Counter(row.born.year for row in WAGES if row.born)
    assert shown[1950] < born[1950]
    assert sum(shown.values()) == len(WAGES)
    assert answer.answer["withheld"] == [{"rule": "parts-in-remainder", "groups": 1}]
    one = released(pier.ask(statement.replace(" GROUP", " WHERE district = '市南区' GROUP")))
    assert one.answer["withheld"] == [{"rule": "too-small-or-dominated", "groups": 1}], "of one district it is whole"
    two = released(pier.ask(statement.replace(" GROUP", " WHERE district IN ('市南区', '市北区') GROUP")))
    assert two.answer["withheld"] == [{"rule": "parts-in-remainder", "groups": 1}]


@pytest.mark.parametrize(
    ("where", "left_out"),
    [
        ("birth_year = 1950", 1),
        ("birth_year <> 1950", 1),
        ("NOT birth_year = 1950", 1),
        ("birth_year IN (1950, 1951)", 1),
        ("birth_year >= 1900", 1),
        ("district = '市南区'", 0),
        ("district <> '市南区'", 0),
    ],
)
def test_a_filter_that_leaves_the_remainder_out_says_so(pier: Pier, where: str, left_out: int) -> None:
    """Whoever adds the rows up would take them for all."""
    answer = released(pier.ask(f"SELECT count(*) AS people FROM pension_enrolment WHERE {where}"))
    withheld = [{"rule": "filter-leaves-out-remainder", "groups": 1}] if left_out else []
    assert answer.answer["withheld"] == withheld
    codes = [{"public_code": entry["rule"], "groups": entry["groups"]} for entry in withheld]
    assert predicate(answer)["withheld"] == codes


def test_enterprises_are_protected_by_their_own_threshold(pier: Pier) -> None:
    def firms(keeps: Callable[[Firm], bool]) -> list[object]:
        kept = [row.turnover for row in FIRMS if keeps(row)]
        return [len(kept), f"{sum(kept):.2f}"]

    statement = (
        "SELECT sector, staff_class, count(*) AS firms, sum(turnover) AS total FROM firm_turnover "
        "GROUP BY sector, staff_class"
    )
    answer = released(pier.ask(statement))
    assert answer.answer["rows"] == [
        ["制造", 1, *firms(lambda row: row.sector == "制造")],
        ["批发", 1, *firms(lambda row: (row.sector, row.staff_class) == ("批发", 1))],
        ["批发", 2, *firms(lambda row: (row.sector, row.staff_class) == ("批发", 2))],
        [REST, REST, *firms(lambda row: row.sector in {"采矿", "钢铁"})],
    ]
    assert answer.answer["columns"] == [
        {"name": "sector", "type": "string"},
        {"name": "staff_class", "type": "integer"},
        {"name": "firms", "type": "integer"},
        {"name": "total", "type": "decimal"},
    ]


@pytest.mark.parametrize(
    ("year", "tie", "even"), [(1950, "1000.00125", "1000.0012"), (1951, "1000.00375", "1000.0038")]
)
def test_averages_round_half_to_even(pier: Pier, year: int, tie: str, even: str) -> None:
    bases = [row.base for row in WAGES if row.district == "市南区" and row.born and row.born.year == year]
    assert sum(map(Fraction, filter(None, bases))) / len(bases) == Fraction(tie)
    found = {(row[0], row[1]): row[4] for row in rows_of(pier.ask(BY_YEAR))}  # type: ignore[index]
    assert found["市南区", year] == even


def test_rows_without_a_value_are_counted_and_not_averaged(pier: Pier) -> None:
    rows = {(row[0], row[1]): row[2:] for row in rows_of(pier.ask(BY_YEAR))}  # type: ignore[index]
    assert rows["市南区", 1952] == [12, "30005.00", "3000.5000"]


def test_filters_keep_the_groups_that_are_named(pier: Pier) -> None:
    statement = BY_DISTRICT.replace(" GROUP", " WHERE district IN ('市南区', '李沧区') GROUP")
    assert rows_of(pier.ask(statement)) == [["市南区", *of("市南区")], ["李沧区", *of("李沧区")]]


def test_coarse_and_fine_answers_never_contradict_each_other(pier: Pier) -> None:
    fine: dict[object, list[Decimal]] = {}
    for district, _, people, total, _ in rows_of(pier.ask(BY_YEAR)):  # type: ignore[misc]
        kept = fine.setdefault(district, [Decimal(0), Decimal(0)])
        kept[0] += people
        kept[1] += Decimal(total)
    coarse = {row[0]: [row[1], Decimal(row[2])] for row in rows_of(pier.ask(BY_DISTRICT))}  # type: ignore[index]
    assert fine == coarse


# --- the same question ------------------------------------------------------------------------------


def test_the_same_question_has_the_same_answer_to_the_byte(pier: Pier) -> None:
    first, second = released(pier.ask(BY_YEAR)), released(pier.ask(BY_YEAR))
    foreign = released(pier.ask(BY_YEAR, by="rival-analyst", agreement="rival"))
    alike = [{**one.answer, "request": "each its own"} for one in (first, second, foreign)]
    bare = [json.dumps(one, ensure_ascii=False).encode() for one in alike]
    assert bare[0] == bare[1] == bare[2]
    # Each is salted anew, so that nobody tells from the log who got the same.
    assert len({one.answer_file for one in (first, second, foreign)}) == 3


def test_the_same_request_id_has_the_same_bytes_and_no_second_charge(pier: Pier, clock) -> None:
    request = pier.number()
    first = released(pier.ask(BY_YEAR, request=request))
    spent, size = pier.spent(), pier.house.book.size
    clock.forward(days=3)
    for again in (pier.ask(BY_YEAR, request=request), pier.reopened().ask(BY_YEAR, request=request)):
        assert again == first
    assert pier.spent() == spent
    # The log tells who got it again, and nothing else happened.
    assert [event.kind for event in pier.house.book.events(size)] == ["statistics.repeated"] * 2


def test_an_answer_that_left_stays_readable_when_data_and_agreement_have_gone_on(pier: Pier, tmp_path) -> None:
    request = pier.number()
    first = released(pier.ask(BY_DISTRICT, request=request))
    fewer = write_wages(tmp_path / "fewer.csv", [row for row in WAGES if row.district != "李沧区"])
    done(deliver(pier.house, "pension_enrolment", [fewer], "hrss-officer"))
    later = released(pier.ask(BY_DISTRICT))
    assert [row[0] for row in later.answer["rows"]] == ["崂山区", "市北区", "市南区"]  # type: ignore[union-attr]
    assert later.answer["snapshot"] != first.answer["snapshot"]
    done(lifecycle.terminate(pier.house.book, pier.agreements["statistics"], "bureau-officer"))
    assert pier.ask(BY_DISTRICT, request=request) == first
    assert codes(pier.ask(BY_DISTRICT)) == ["agreement-terminated"]


def test_a_request_id_stands_for_one_question(pier: Pier) -> None:
    request = pier.number()
    released(pier.ask(BY_YEAR, request=request))
    spent = pier.spent()
    assert codes(pier.ask(BY_DISTRICT, request=request)) == ["request-id-taken"]
    assert pier.spent() == spent
    assert pier.events("statistics.refused")[-1]["facts"] == {
        "agreement": pier.agreements["statistics"],
        "codes": ["request-id-taken"],
    }


# --- charge and refusal -----------------------------------------------------------------------------


def test_each_answer_is_charged_once_and_logged_before_it_leaves(pier: Pier) -> None:
    request = pier.number()
    released(pier.ask(BY_DISTRICT, request=request))
    assert pier.spent() == 1
    kinds = [event.kind for event in pier.house.book.events() if event.request == request]
    assert kinds == ["statistics.reserved", "statistics.certified", "statistics.released"]


def test_a_release_is_an_envelope_and_the_event_that_says_to_whom_it_went(pier: Pier) -> None:
    left = released(pier.ask(BY_DISTRICT))
    parts = certificate.parse(left.certificate)
    envelope, event = islice(pier.house.book.events(parts.index), 2)
    assert envelope.leaf == parts.envelope
    record = pier.house.book.request(left.request)
    assert record is not None
    assert record.memo is not None
    assert record.index == envelope.index
    said = json.loads(event.leaf)
    assert (said["kind"], said["by"], said["request"]) == ("statistics.released", "bank-analyst", left.request)
    assert said["facts"].pop("permitted") <= said["time"]
    assert said["facts"] == {
        "envelope": {"index": envelope.index, "digest": digest_bytes(envelope.leaf)},
        "memo": digest_bytes(record.memo),
        "question": record.digest,
        "contract": done(lifecycle.show(pier.agreements["statistics"], pier.house.clock())).digest,
        "read": {"pension_enrolment": shelf.among(["pension_enrolment"])["pension_enrolment"].digest},
    }
    assert (envelope.by, envelope.request, envelope.time) == (event.by, event.request, event.time)


def test_the_log_shows_a_release_as_one_line(pier: Pier) -> None:
    before = pier.house.book.size
    left = released(pier.ask(BY_DISTRICT))
    every = pier.command("ledger", "show", "--from", str(before), "--json")
    assert [event["kind"] for event in json.loads(every.stdout)] == ["statistics.reserved", "statistics.released"]
    asked_for = pier.command("ledger", "show", "--kind", "statistics.certified", "--json")
    assert [event["index"] for event in json.loads(asked_for.stdout)] == [certificate.parse(left.certificate).index]


def test_a_refusal_costs_nothing_and_gives_every_reason(pier: Pier) -> None:
    refusal = pier.ask(FORBIDDEN)
    found = codes(refusal)
    assert len(found) >= 2, "the name and the maximum are two reasons"
    assert pier.spent() == 0
    noted = pier.events("statistics.refused")[-1]
    assert noted["facts"] == {"agreement": pier.agreements["statistics"], "codes": found}
    assert "full_name" not in json.dumps(noted), "the text of a request is not logged"


def test_an_agreement_for_five_answers_gives_five(pier: Pier) -> None:
    requests = [pier.number() for _ in range(5)]
    answers = [released(pier.ask(BY_DISTRICT, agreement="few", request=request)) for request in requests]
    assert codes(pier.ask(BY_DISTRICT, agreement="few")) == ["count-exhausted"]
    assert pier.spent("few") == 5
    assert pier.ask(BY_DISTRICT, agreement="few", request=requests[0]) == answers[0], "what was paid stays paid"


def test_the_last_charge_is_not_lost_when_the_work_breaks_off(pier: Pier) -> None:
    for _ in range(4):
        released(pier.ask(BY_DISTRICT, agreement="few"))
    # Charged, then the power went.
    request = pier.number()
    asked = statistics._asked(StatisticsRequest(request, pier.agreements["few"], "bank-analyst", BY_DISTRICT))
    assert release.reserve(asked, pier.house) is None
    again = pier.reopened()
    assert codes(again.ask(BY_DISTRICT, agreement="few")) == ["count-exhausted"]
    assert rows_of(again.ask(BY_DISTRICT, agreement="few", request=request))[0] == ["崂山区", *of("崂山区")]
    assert again.spent("few") == 5


def test_a_charge_that_broke_off_answers_its_own_question_only(pier: Pier) -> None:
    request = pier.number()
    asked = statistics._asked(StatisticsRequest(request, pier.agreements["statistics"], "bank-analyst", BY_DISTRICT))
    assert release.reserve(asked, pier.house) is None
    other = statistics._asked(StatisticsRequest(request, pier.agreements["statistics"], "bank-analyst", BY_YEAR))
    assert codes(release.reserve(other, pier.house)) == ["request-id-taken"]
    assert codes(pier.ask(BY_YEAR, request=request)) == ["request-id-taken"]
    assert pier.spent() == 1


# --- certificates -----------------------------------------------------------------------------------


def test_a_certificate_verifies_with_its_answer_and_with_no_other(pier: Pier) -> None:
    first, second = released(pier.ask(BY_DISTRICT)), released(pier.ask(BY_DISTRICT))
    assert pier.verify(first).valid
    assert pier.verify(second).valid
    assert not pier.verify(first, answer=second.answer_file).valid, "same figures, another salt"
    assert not pier.verify(first, answer=first.answer_file.replace(b"171900.00", b"171900.01")).valid
    assert not pier.verify(first, answer=b"").valid


def test_a_certificate_says_under_what_and_how_but_no_value(pier: Pier) -> None:
    answer = released(pier.ask(BY_YEAR))
    said = predicate(answer)
    assert (said["door"], said["agreement"]) == ("statistics", pier.agreements["statistics"])
    assert (said["purpose"], said["rung_or_null"], said["charge"]) == ("market-research", "cube", {"answers": 1})
    assert said["snapshot"] == {"pension_enrolment": answer.answer["snapshot"]}
    text = json.dumps(said, ensure_ascii=False)
    assert not any(word in text for word in ("市南区", REST, "5055.8824", "bank-analyst"))


def test_every_planted_row_is_about_another_subject() -> None:
    assert len(WAGES) == len({row.id for row in WAGES}) == 128
    assert len(FIRMS) == len({row.id for row in FIRMS}) == 29
