# SPDX-License-Identifier: Apache-2.0
"""Truth tables of identity: who may hold what, and which step of an admission leads where."""

from itertools import combinations, product

import pytest

from zhanqiao.identity.admission import CRITERIA, TRANSITIONS, Admission, Step, check_evidence, check_step
from zhanqiao.identity.people import (
    ADMINISTRATORS,
    HELD_IN,
    INCOMPATIBLE,
    Organisation,
    OrganisationKind,
    Person,
    Role,
    check_acts,
    check_role,
)


def person(kind: OrganisationKind, *roles: Role, active: bool = True) -> Person:
    return Person("wang", Organisation("org", kind, "机构"), "王", frozenset(roles), bytes(32), active)


@pytest.mark.parametrize(("held", "wanted"), list(product(ADMINISTRATORS, Role)))
def test_an_administrator_holds_nothing_else(held: Role, wanted: Role):
    kind = next(iter(HELD_IN[wanted]))
    assert check_role(person(kind, held), wanted)


@pytest.mark.parametrize("kind", OrganisationKind)
@pytest.mark.parametrize("role", Role)
def test_a_role_is_held_in_its_kinds_only(kind: OrganisationKind, role: Role):
    assert (check_role(person(kind), role) == ()) is (kind in HELD_IN[role])


@pytest.mark.parametrize("pair", list(combinations(Role, 2)))
def test_pairs_are_forbidden_by_the_table_alone_in_both_directions(pair: tuple[Role, Role]):
    for held, wanted in (pair, pair[::-1]):
        kind = next(iter(HELD_IN[wanted]))
        assert (check_role(person(kind, held), wanted) == ()) is (frozenset(pair) not in INCOMPATIBLE)


def test_every_forbidden_pair_says_why():
    assert all(len(pair) == 2 and why for pair, why in INCOMPATIBLE.items())


def test_the_operator_neither_grants_nor_asks_nor_audits():
    assert {role for role in Role if OrganisationKind.OPERATOR in HELD_IN[role]} == {
        Role.SYSTEM_ADMIN,
        Role.SECURITY_ADMIN,
        Role.OUTPUT_CHECKER,
    }
    assert OrganisationKind.REGULATOR not in HELD_IN[Role.SYSTEM_ADMIN] | HELD_IN[Role.SIGNATORY]


def test_all_reasons_come_at_once():
    codes = [reason.code for reason in check_role(person(OrganisationKind.REGULATOR, Role.AUDITOR), Role.SIGNATORY)]
    assert codes == ["role-not-here", "roles-incompatible"]
    gone = person(OrganisationKind.RESIDENT, active=False)
    codes = [reason.code for reason in check_acts(gone, Role.SIGNATORY, "bank")]
    assert codes == ["person-inactive", "role-missing", "not-of-organisation"]


@pytest.mark.parametrize(("state", "step"), list(product(Admission, Step)))
def test_admission_goes_where_the_table_says_and_nowhere_else(state: Admission, step: Step):
    reasons = check_step("bank", state, step)
    assert (reasons == ()) is ((state, step) in TRANSITIONS)
    assert all(reason.message("zh") and reason.remedy("en") for reason in reasons)


def test_nobody_becomes_a_resident_without_both_stages():
    assert [where for where, after in TRANSITIONS.items() if after is Admission.RESIDENT] == [
        (Admission.ASSESSED, Step.ADMIT)
    ]
    assert not [where for where in TRANSITIONS if where[0] is Admission.EXIT]


def test_missing_evidence_is_named_all_at_once():
    full = {criterion.code: f"doc-{criterion.code}" for criterion in CRITERIA}
    assert check_evidence(full) == ()
    reasons = check_evidence({"R1": "licence", "R2": "  ", "R9": "?"})
    assert [(reason.code, reason.facts["criterion"]) for reason in reasons] == [
        *(("criterion-missing", code) for code in ("R2", "R3", "R4", "R5", "R6")),
        ("criterion-unknown", "R9"),
    ]
