# SPDX-License-Identifier: Apache-2.0
"""A new contract for described data: it takes nobody's data over, and a stricter class binds older agreements at once."""

from dataclasses import replace

import pytest

from lib.pier import CITIZEN_CREDIT, WAGES, Pier, released, write_wages
from lib.town import CONTRACTS, codes, done
from zhanqiao.catalogue import contracts, shelf
from zhanqiao.desk.audit import audit
from zhanqiao.desk.stewardship import deliver, describe, sweep
from zhanqiao.identity import register
from zhanqiao.identity.people import Role
from zhanqiao.terms.datasets import Dataset

CONTRACT = (CONTRACTS / "pension_enrolment.odcs.yaml").read_text(encoding="utf-8")
STATEMENT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"
NEXT = ("version: 1.0.0", "version: 1.0.1")
CLOSED = ("{property: opening, value: conditional}", "{property: opening, value: closed}")
WITHHELD = ("{property: sharing, value: conditional}", "{property: sharing, value: withheld}")
DROPPED = "          - {property: mask, value: drop}\n"
CONDITIONS = (
    ("      - {property: sharingCondition, value: 社会保险业务核验}\n", ""),
    ("      - {property: openingCondition, value: 签订授权协议}\n", ""),
)

KEYLESS = (
    ("subjectKinds, value: [person]", "subjectKinds, value: []"),
    ("          - {property: subject, value: person}\n          - {property: mask, value: token}\n", DROPPED),
    ("          - {property: capabilities, value: [join]}\n", ""),
    ("      - {property: latest, value: settled_on}\n", ""),
    ("          - {property: identifier, value: true}\n          - {property: mask, value: identity}\n", DROPPED),
    ("{property: sharing, value: conditional}", "{property: sharing, value: unconditional}"),
    ("{property: opening, value: conditional}", "{property: opening, value: unconditional}"),
    *CONDITIONS,
)


def edited(*edits: tuple[str, str]) -> bytes:
    text = CONTRACT
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


@pytest.mark.parametrize("by", ["bureau-officer", "hrss-officer"])
def test_no_contract_takes_over_the_data_of_another_department(pier: Pier, by: str) -> None:
    before = shelf.find("pension_enrolment"), shelf.snapshot_of("pension_enrolment")
    taken = edited(NEXT, ("department, value: hrss", "department, value: bureau"))
    outcome = describe(pier.house, taken, by)
    # Neither the thief's own steward nor somebody who acts for all departments.
    assert set(codes(outcome)) <= {"contract-department-changed", "not-of-organisation"}
    assert (shelf.find("pension_enrolment"), shelf.snapshot_of("pension_enrolment")) == before
    released(pier.ask(STATEMENT))


def test_no_steward_makes_data_about_people_data_about_nobody(pier: Pier) -> None:
    """Without its key nothing counts the people of a group, and groups of one would stand in a cube."""
    before = shelf.find("pension_enrolment"), shelf.snapshot_of("pension_enrolment")
    keyless = edited(NEXT, *KEYLESS)
    named = edited(
        NEXT, *KEYLESS[:4], ("{property: mask, value: identity}", "{property: mask, value: drop}"), *KEYLESS[5:]
    )
    assert codes(contracts.read(named)) == ["contract-identifier-without-subject"], "it names one of them"
    assert isinstance(contracts.read(keyless), Dataset), "as new data it could be described"
    assert codes(describe(pier.house, keyless, "hrss-officer")) == ["contract-key-dropped"]
    assert (shelf.find("pension_enrolment"), shelf.snapshot_of("pension_enrolment")) == before


def test_that_somebody_tried_is_on_the_record(pier: Pier) -> None:
    """Who is no steward of the department describes and delivers nothing, and the log says so."""
    file = write_wages(pier.home / "again.csv")
    assert codes(describe(pier.house, edited(NEXT), "bank-officer")) == ["role-missing", "not-of-organisation"]
    assert codes(deliver(pier.house, "pension_enrolment", [file], "bank-officer")) == [
        "role-missing",
        "not-of-organisation",
    ]
    assert codes(sweep(pier.house, "bank-officer")) == ["role-missing"]
    tried = [
        event for event in pier.events() if event["by"] == "bank-officer" and str(event["kind"]).endswith(".refused")
    ]
    assert [(event["kind"], event["facts"]["about"]) for event in tried] == [  # type: ignore[index]
        ("catalogue.refused", "pension_enrolment"),
        ("intake.refused", "pension_enrolment"),
        ("intake.refused", "vault"),
    ]


def _reclassified(pier: Pier, *edits: tuple[str, str]) -> None:
    done(describe(pier.house, edited(NEXT, *edits), "hrss-officer", withdraw=True))
    done(deliver(pier.house, "pension_enrolment", [write_wages(pier.home / "again.csv")], "hrss-officer"))


def test_data_that_was_closed_stays_in_under_older_agreements(pier: Pier) -> None:
    released(pier.ask(STATEMENT))
    _reclassified(pier, CLOSED, CONDITIONS[1])
    assert codes(pier.ask(STATEMENT)) == ["statement-dataset-not-granted"]
    # Its agreement covers more than that.
    released(pier.ask("SELECT sector, count(*) AS firms FROM firm_turnover GROUP BY sector"))
    # A subject who consents is still answered: closed data reaches nobody by a decision.
    known = WAGES[60].id
    released(pier.decide(CITIZEN_CREDIT, known, consent=pier.consent(CITIZEN_CREDIT, known)))


def test_data_that_was_withheld_answers_nobody(pier: Pier) -> None:
    _reclassified(pier, CLOSED, WITHHELD, *CONDITIONS)
    known = WAGES[60].id
    assert codes(pier.ask(STATEMENT)) == ["statement-dataset-not-granted"]
    refused = pier.decide(CITIZEN_CREDIT, known, consent=pier.consent(CITIZEN_CREDIT, known))
    assert codes(refused) == ["service-reads-beyond-agreement"]


def test_a_category_that_the_law_forbids_binds_older_agreements(pier: Pier) -> None:
    _reclassified(pier, ("category, value: income", "category, value: disease"))
    known = WAGES[60].id
    refused = pier.decide(CITIZEN_CREDIT, known, consent=pier.consent(CITIZEN_CREDIT, known))
    assert codes(refused) == ["service-reads-beyond-agreement"]
    assert "contribution_base" in refused.reasons[0].message("en")


def test_who_is_no_steward_any_more_publishes_nothing(pier: Pier) -> None:
    """A load takes its time: what was his to deliver when it began is not when it would be published."""
    before = shelf.snapshot_of("pension_enrolment")
    taken: list[object] = []

    def dice(count: int) -> bytes:
        if not taken:
            taken.append(done(register.take_role(pier.house.book, "hrss-officer", Role.STEWARD, "secadmin")))
        return pier.house.dice(count)

    file = write_wages(pier.home / "again.csv", WAGES[1:])
    refused = deliver(replace(pier.house, dice=dice), "pension_enrolment", [file], "hrss-officer")
    assert taken
    assert codes(refused) == ["role-missing"]
    assert shelf.snapshot_of("pension_enrolment") == before
    assert audit(pier.house) == pier.house.book.size
