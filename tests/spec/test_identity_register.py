# SPDX-License-Identifier: Apache-2.0
"""The register in its own words: who makes accounts, who gives roles, how residents come and go."""

import pytest

from lib.town import ORGANISATIONS, Town, build, codes, done
from zhanqiao.identity import directory, register, residents
from zhanqiao.identity.admission import CRITERIA
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.identity.people import OrganisationKind, Role
from zhanqiao.identity.register import NewOrganisation, NewPerson
from zhanqiao.identity.replay import RegisterReplay
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.ledger.replay import compare_state

EVIDENCE = {criterion.code: f"doc {criterion.code}" for criterion in CRITERIA}


@pytest.fixture
def town(book) -> Town:
    return build(book)


def newcomer(person: str = "new-person", **changed: object) -> NewPerson:
    terms = {"organisation": "bureau", "name": "新人", "natural": person, "key": public_bytes(make_key()), **changed}
    return NewPerson(person, **terms)  # type: ignore[arg-type]


def test_a_system_administrator_makes_accounts_and_a_security_administrator_gives_roles(town: Town):
    person = done(register.register_person(town.book, newcomer(), "sysadmin"))
    assert person.roles == frozenset()
    assert codes(register.give_role(town.book, "new-person", Role.OFFICER, "sysadmin")) == ["role-missing"]
    person = done(register.give_role(town.book, "new-person", Role.OFFICER, "secadmin"))
    assert person.roles == {Role.OFFICER}
    person = done(register.take_role(town.book, "new-person", Role.OFFICER, "secadmin"))
    assert person.roles == frozenset()
    assert directory.find_person("new-person") == person


def test_every_change_and_every_refused_attempt_is_an_event(town: Town):
    size = town.book.size
    done(register.register_person(town.book, newcomer(), "sysadmin"))
    codes(register.register_person(town.book, newcomer("another"), "bank-officer"))
    events = list(town.book.events(size))
    assert [event.kind for event in events] == ["identity.person-registered", "identity.refused"]
    assert b"role-missing" in events[1].leaf


def test_an_organisation_is_registered_once_under_its_credit_code(town: Town):
    new = NewOrganisation("harbour", OrganisationKind.RESIDENT, "港务", "11370200MB2F00001J")
    assert codes(register.register_organisation(town.book, new, "sysadmin")) == ["credit-code-taken"]
    new = NewOrganisation("harbour", OrganisationKind.RESIDENT, "港务", "11370200MB2F00001K")
    assert codes(register.register_organisation(town.book, new, "sysadmin")) == ["credit-code-invalid"]
    new = NewOrganisation("bank", OrganisationKind.REGULATOR, "银行", "11370200MB2F00003Q")
    assert codes(register.register_organisation(town.book, new, "sysadmin")) == ["id-taken"]
    new = NewOrganisation("Harbour!", OrganisationKind.RESIDENT, "银行")
    assert codes(register.register_organisation(town.book, new, "bank-officer")) == ["role-missing", "id-malformed"]
    found = done(
        register.register_organisation(
            town.book, NewOrganisation("harbour", OrganisationKind.RESIDENT, "港务"), "sysadmin"
        )
    )
    assert found.admission == "applicant"


def test_a_register_is_founded_once(town: Town):
    assert codes(register.found(town.book, ORGANISATIONS, [], profile="demo")) == ["register-founded"]


@pytest.mark.parametrize("given", [{Role.SYSTEM_ADMIN}, {Role.OFFICER}, None], ids=["half", "neither", "nobody"])
def test_a_founding_after_which_nobody_could_be_added_is_refused(book, given):
    key = public_bytes(make_key())
    people = [] if given is None else [NewPerson("one", "runner", "一", "card of one", key, frozenset(given))]
    found = codes(register.found(book, ORGANISATIONS if people else [], people, profile="demo"))
    assert found.count("founding-incomplete") == len({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN} - (given or set()))


def test_a_founding_with_a_flaw_leaves_nothing(book):
    key = public_bytes(make_key())
    people = [
        NewPerson("one", "runner", "一", "the same human", key, frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN})),
        NewPerson("two", "nowhere", "二", "the same human", key),
        NewPerson("watcher", "runner", "三", "third", b"short", frozenset({Role.AUDIT_ADMIN})),
    ]
    found = codes(register.found(book, [*ORGANISATIONS, ORGANISATIONS[0]], people, profile="demo"))
    assert sorted(found) == sorted(
        [
            "id-taken",
            "credit-code-taken",
            "natural-person-taken",
            "key-taken",
            "key-malformed",
            "organisation-unknown",
            "roles-incompatible",
            "role-not-here",
        ]
    )
    assert directory.organisations() == ()
    assert [event.kind for event in book.events()][-1:] == ["identity.refused"]


def test_admission_takes_evidence_and_two_assessors(town: Town):
    done(register.register_organisation(town.book, NewOrganisation("new", OrganisationKind.RESIDENT, "新"), "sysadmin"))
    assert done(residents.show("new")).evidence == {}
    assert codes(residents.admit(town.book, "new", "first-assessor")) == ["admission-step"]
    assert codes(residents.assess(town.book, "new", {}, "first-assessor")) == ["criterion-missing"] * len(CRITERIA)
    assert codes(residents.assess(town.book, "new", EVIDENCE, "bank-officer")) == [
        "role-missing",
        "not-of-organisation",
    ]
    assert done(residents.assess(town.book, "new", EVIDENCE, "first-assessor")).admission == "assessed"
    assert done(residents.show("new")).evidence == EVIDENCE
    assert codes(residents.admit(town.book, "new", "first-assessor")) == ["second-person-needed"]
    assert done(residents.hand_back(town.book, "new", "second-assessor")).admission == "applicant"
    assert done(residents.assess(town.book, "new", EVIDENCE, "second-assessor")).admission == "assessed"
    assert done(residents.admit(town.book, "new", "first-assessor")).admission == "resident"
    assert done(residents.leave(town.book, "new", "first-assessor")).admission == "exit"
    assert codes(residents.assess(town.book, "new", EVIDENCE, "first-assessor")) == ["admission-step"]


def test_a_resident_may_leave_by_itself_but_not_throw_another_out(town: Town):
    assert codes(residents.leave(town.book, "rival", "bank-officer")) == ["role-missing", "not-of-organisation"]
    assert done(residents.leave(town.book, "bank", "bank-officer")).admission == "exit"
    assert codes(residents.assess(town.book, "hrss", EVIDENCE, "first-assessor")) == ["admission-not-resident-kind"]
    assert codes(residents.show("hrss")) == ["admission-not-resident-kind"]
    assert codes(residents.show("nowhere")) == ["organisation-unknown"]


def test_who_was_dismissed_acts_no_more(town: Town):
    _second(town, Role.SECURITY_ADMIN)
    done(register.dismiss(town.book, "secadmin", "sysadmin"))
    assert codes(register.give_role(town.book, "bank-officer", Role.ANALYST, "secadmin")) == ["person-inactive"]


def _second(town: Town, role: Role, organisation: str = "runner") -> None:
    done(register.register_person(town.book, newcomer(organisation=organisation), "sysadmin"))
    done(register.give_role(town.book, "new-person", role, "secadmin"))


_GOES = {
    "dismissed": lambda book, who: register.dismiss(book, who, "sysadmin"),
    "role taken": lambda book, who: register.take_role(book, who, Role(who), "secadmin"),
    "key replaced": lambda book, who: register.replace_key(book, who, public_bytes(make_key()), "sysadmin"),
}


@pytest.mark.parametrize("way", _GOES)
@pytest.mark.parametrize("role", [Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN])
def test_the_last_administrator_of_its_kind_does_not_go(town: Town, role, way):
    """No way back would lead from there: nobody could make an account, or give it a role."""
    before = directory.people()
    assert codes(_GOES[way](town.book, role.value)) == ["administrator-last"]
    assert directory.people() == before
    _second(town, role)
    done(_GOES[way](town.book, role.value))
    by = "new-person" if role is Role.SECURITY_ADMIN else "secadmin"
    assert codes(register.take_role(town.book, "new-person", role, by)) == ["administrator-last"]
    compare_state(town.book.events(), [RegisterReplay()])


@pytest.mark.parametrize("way", _GOES)
def test_the_last_who_watches_the_administrators_does_not_go(town: Town, way):
    """A system administrator alone would otherwise be rid of whoever looks at what he does."""
    assert codes(_GOES[way](town.book, "auditadmin")) == ["overseer-last"]
    _second(town, Role.AUDIT_ADMIN, "bureau")
    done(_GOES[way](town.book, "auditadmin"))
    compare_state(town.book.events(), [RegisterReplay()])


def test_a_dismissed_administrator_is_no_other_one(town: Town):
    _second(town, Role.SECURITY_ADMIN)
    done(register.dismiss(town.book, "new-person", "sysadmin"))
    assert codes(register.dismiss(town.book, "secadmin", "sysadmin")) == ["administrator-last"]


def test_who_was_dismissed_by_mistake_comes_back_without_roles(town: Town):
    """One person alone neither lets somebody go and come back with power, nor keeps anybody out for good."""
    done(register.dismiss(town.book, "bank-officer", "sysadmin"))
    assert codes(register.reinstate(town.book, "bank-officer", "secadmin")) == ["role-missing"]
    back = done(register.reinstate(town.book, "bank-officer", "sysadmin"))
    assert (back.active, back.roles) == (True, frozenset())
    assert codes(register.reinstate(town.book, "bank-officer", "sysadmin")) == ["person-active"]
    assert codes(register.reinstate(town.book, "nobody", "sysadmin")) == ["person-unknown"]
    done(register.give_role(town.book, "bank-officer", Role.OFFICER, "secadmin"))
    compare_state(town.book.events(), [RegisterReplay()])


def test_a_replaced_key_takes_every_role_and_keeps_what_was_sealed_checkable(town: Town):
    before = directory.find_person("bank-signatory")
    assert before is not None
    key = public_bytes(make_key())
    after = done(register.replace_key(town.book, "bank-signatory", key, "sysadmin"))
    assert after.key == key
    assert after.roles == frozenset()
    assert directory.keys_of({key_id_of(before.key): "bank-signatory"}) == {key_id_of(before.key): before.key}
    assert directory.keys_of({key_id_of(before.key): "bank-officer"}) == {}


@pytest.mark.parametrize("kind", [OrganisationKind.AUTHORITY, OrganisationKind.OPERATOR, OrganisationKind.REGULATOR])
def test_who_rules_runs_and_watches_is_told_apart_by_its_credit_code(town, kind):
    """One legal entity could be operator and regulator under two names, if it might leave its code out."""
    nameless = NewOrganisation("another", kind, "另一家")
    assert codes(register.register_organisation(town.book, nameless, "sysadmin")) == ["credit-code-missing"]
    same = NewOrganisation("another", kind, "另一家", "91370200MA3QDQH018")
    assert codes(register.register_organisation(town.book, same, "sysadmin")) == ["credit-code-taken"]
    done(
        register.register_organisation(
            town.book, NewOrganisation("another", kind, "另一家", "11370200MB2F00003Q"), "sysadmin"
        )
    )
