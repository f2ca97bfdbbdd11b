# SPDX-License-Identifier: Apache-2.0
"""Who can write the state file edits it, walks through a door, and puts the edit back: no row tells.

The act is in the log, at a place where what came before did not allow it. The audit names the entry and the rule.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection

from lib import town
from lib.pier import CITIZEN_CREDIT, WAGES, Pier, released, write_wages
from lib.town import CONTRACTS, codes, done
from lib.witnessing import found_witnesses
from zhanqiao.agreements import consents, lifecycle
from zhanqiao.agreements.seals import seal_statement
from zhanqiao.catalogue import shelf
from zhanqiao.desk.audit import audit
from zhanqiao.desk.operation.rights import audit_rights
from zhanqiao.desk.operation.sealing import split_keys
from zhanqiao.desk.personas import key_of
from zhanqiao.desk.sealed_keys import memory_of
from zhanqiao.desk.seats import add_witness
from zhanqiao.desk.stewardship import deliver, describe, drop, faults, sweep
from zhanqiao.doors import release
from zhanqiao.doors.release import Asked
from zhanqiao.identity import consent_keys, register, residents
from zhanqiao.identity.admission import CRITERIA
from zhanqiao.identity.consent_keys import subject_digest
from zhanqiao.identity.directory import find_person
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.identity.people import OrganisationKind, Role
from zhanqiao.identity.proofs import proof_by
from zhanqiao.identity.register import NewOrganisation, NewPerson
from zhanqiao.ledger import durable
from zhanqiao.ledger.book import founding
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.ledger.proof import ProofFallen, acting
from zhanqiao.ledger.witnesses import Seat
from zhanqiao.terms.agreements import Door
from zhanqiao.terms.canonical import canonical, digest_bytes
from zhanqiao.terms.subjects import Subject, SubjectKind
from zhanqiao.vault.house import House

COUNT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"


def write(statement: str, *values: object) -> None:
    with founding(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount > 0, "the attack changes something"


@contextmanager
def rewritten(table: str, column: str, value: object, where: str, *names: object) -> Iterator[None]:
    """Hold a column at another value for the length of the block."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE {where}", names)
        ((before,),) = cursor.fetchall()
    write(f"UPDATE {table} SET {column} = %s WHERE {where}", value, *names)
    yield
    write(f"UPDATE {table} SET {column} = %s WHERE {where}", before, *names)


def moved(person: str, *, to: str) -> AbstractContextManager[None]:
    return rewritten("identity_person", "organisation_id", to, "id = %s", person)


@contextmanager
def holding(person: str, role: Role) -> Iterator[None]:
    """Let a person hold a role that nobody gave, for the length of the block."""
    write("INSERT INTO identity_role (person_id, role) VALUES (%s, %s)", person, role.value)
    yield
    write("DELETE FROM identity_role WHERE person_id = %s AND role = %s", person, role.value)


@contextmanager
def passing_for(person: str) -> Iterator[None]:
    """Act with a key of one's own, which the rows say is that person's for the length of the block."""
    public = public_bytes(make_key())
    with (
        rewritten("identity_key", "public", public, "person_id = %s", person),
        rewritten("identity_key", "id", key_id_of(public), "person_id = %s", person),
        acting(proof_by(public)),
    ):
        yield


def ended_agreement(pier: Pier, _: Path) -> None:
    agreement = pier.agreements["statistics"]
    done(lifecycle.terminate(pier.house.book, agreement, "bureau-officer"))
    with rewritten("agreements_agreement", "kept", "0301", "id = %s", agreement):
        released(pier.ask(COUNT))


def suspended_agreement(pier: Pier, _: Path) -> None:
    agreement = pier.agreements["statistics"]
    done(lifecycle.suspend(pier.house.book, agreement, "bureau-officer"))
    with (
        rewritten("agreements_agreement", "kept", "0301", "id = %s", agreement),
        rewritten("agreements_hold", "whole", 0, "agreement_id = %s", agreement),
    ):
        released(pier.ask(COUNT))


def department_that_holds_back(pier: Pier, _: Path) -> None:
    agreement = pier.agreements["statistics"]
    done(lifecycle.suspend(pier.house.book, agreement, "hrss-officer"))
    with rewritten("agreements_hold", "organisation", "tax", "agreement_id = %s", agreement):
        released(pier.ask(COUNT))


def somebody_elses_agreement(pier: Pier, _: Path) -> None:
    with moved("rival-analyst", to="bank"):
        released(pier.ask(COUNT, by="rival-analyst"))


def somebody_elses_answers_spent(pier: Pier, _: Path) -> None:
    """Charged, and broken off before anything left: the answers are gone all the same."""
    asked = Asked(pier.number(), Door.STATISTICS, pier.agreements["statistics"], "rival-analyst", "sha256:" + "0" * 64)
    with moved("rival-analyst", to="bank"):
        assert release.reserve(asked, pier.house) is None


def role_of_an_analyst(pier: Pier, _: Path) -> None:
    with holding("bank-officer", Role.ANALYST):
        released(pier.ask(COUNT, by="bank-officer"))


def dismissed_analyst(pier: Pier, _: Path) -> None:
    done(register.dismiss(pier.house.book, "bank-analyst", "sysadmin"))
    with rewritten("identity_person", "active", 1, "id = 'bank-analyst'"):
        released(pier.ask(COUNT))


def resident_that_left(pier: Pier, _: Path) -> None:
    done(residents.leave(pier.house.book, "bank", "first-assessor"))
    with rewritten("identity_organisation", "admission", "resident", "id = 'bank'"):
        released(pier.ask(COUNT))


def more_than_was_agreed(pier: Pier, _: Path) -> None:
    agreement = pier.agreements["few"]
    for _each in range(5):
        released(pier.ask(COUNT, agreement="few"))
    write("UPDATE agreements_agreement SET spent = 0 WHERE id = %s", agreement)
    released(pier.ask(COUNT, agreement="few"))
    write("UPDATE agreements_agreement SET spent = 6 WHERE id = %s", agreement)


@contextmanager
def widened(agreement: str) -> Iterator[None]:
    """Hold a contract without its limits, sealed anew by keys that the rows say are the parties'."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT contract FROM agreements_agreement WHERE id = %s", [agreement])
        text = json.loads(cursor.fetchone()[0])
        cursor.execute("SELECT organisation, person FROM agreements_seal WHERE agreement_id = %s", [agreement])
        seals = cursor.fetchall()
    text["datasets"][0]["capabilities"] = {}
    content = canonical(text)
    with ExitStack() as held:
        for column, value in (("contract", content), ("digest", digest_bytes(content))):
            held.enter_context(rewritten("agreements_agreement", column, value, "id = %s", agreement))
        for organisation, person in seals:
            key = make_key()
            named = key_id_of(key.public_key())
            signed = key.sign(seal_statement(agreement, digest_bytes(content), organisation, person))
            for column, value in (("public", public_bytes(key)), ("id", named)):
                held.enter_context(rewritten("identity_key", column, value, "person_id = %s", person))
            for column, value in (("key", named), ("signature", signed)):
                where = "agreement_id = %s AND person = %s"
                held.enter_context(rewritten("agreements_seal", column, value, where, agreement, person))
        yield


def question_beyond_the_contract(pier: Pier, _: Path) -> None:
    text = town.DRAFT.format(issuer="bureau", begins="2026-11-01", ends="2027-10-31", count=5)
    agreement = done(lifecycle.draft(pier.house.book, text, "bank-officer", services=(town.CITIZEN_CREDIT,))).id
    for who in ("bureau-signatory", "bank-signatory"):
        done(lifecycle.seal(pier.house.book, agreement, who, done(key_of(pier.home, who))))
    question = COUNT.replace("GROUP", "WHERE birth_year = 1950 GROUP")
    assert codes(pier.ask(question, agreement=agreement)) == ["statement-no-capability"]
    with widened(agreement):
        released(pier.ask(question, agreement=agreement))


def used_up_consent(pier: Pier, _: Path) -> None:
    token = pier.consent(CITIZEN_CREDIT, WAGES[60].id)
    released(pier.decide(CITIZEN_CREDIT, WAGES[60].id, consent=token))
    write("UPDATE agreements_consent SET used = 0")
    released(pier.decide(CITIZEN_CREDIT, WAGES[60].id, consent=token))
    write("UPDATE agreements_consent SET used = 2")


def withdrawn_consent(pier: Pier, _: Path) -> None:
    token = pier.consent(CITIZEN_CREDIT, WAGES[60].id)
    pier.withdraw(token)
    with rewritten("agreements_consent", "withdrawn", None, "issuer = 'app'"):
        released(pier.decide(CITIZEN_CREDIT, WAGES[60].id, consent=token))


def revoked_consent_key(pier: Pier, _: Path) -> None:
    token = pier.consent(CITIZEN_CREDIT, WAGES[60].id)
    assert consent_keys.revoke_consent_key(pier.house.book, "app", "secadmin") is None
    with rewritten("identity_consent_key", "revoked", None, "issuer = 'app'"):
        released(pier.decide(CITIZEN_CREDIT, WAGES[60].id, consent=token))


def consent_under_a_key_of_ones_own(pier: Pier, _: Path) -> None:
    mine = make_key()
    with rewritten("identity_consent_key", "public", public_bytes(mine), "issuer = 'app'"):
        token = pier.consent(CITIZEN_CREDIT, WAGES[60].id, key=mine)
        released(pier.decide(CITIZEN_CREDIT, WAGES[60].id, consent=token))


def consent_under_somebody_elses_key(pier: Pier, _: Path) -> None:
    """The subject's own key signs for somebody else, to whom the row binds it meanwhile."""
    other = Subject(SubjectKind.PERSON, WAGES[60].id)
    with rewritten("identity_consent_key", "digest", subject_digest(other, b"s" * 16), "issuer = 'own'"):
        token = pier.consent(CITIZEN_CREDIT, WAGES[60].id, issuer="own")
        released(pier.decide(CITIZEN_CREDIT, WAGES[60].id, consent=token))


def seal_with_a_key_of_ones_own(pier: Pier, _: Path) -> None:
    book, key = pier.house.book, make_key()
    text = town.DRAFT.format(issuer="bureau", begins="2026-11-01", ends="2027-10-31", count=5)
    agreement = done(lifecycle.draft(book, text, "bank-officer", services=(town.CITIZEN_CREDIT,))).id
    public = public_bytes(key)
    with (
        rewritten("identity_key", "public", public, "person_id = 'bank-signatory'"),
        rewritten("identity_key", "id", key_id_of(public), "person_id = 'bank-signatory'"),
    ):
        done(lifecycle.seal(book, agreement, "bank-signatory", key))


def role_given_with_a_key_of_ones_own(pier: Pier, _: Path) -> None:
    with passing_for("secadmin"):
        done(register.give_role(pier.house.book, "rival-analyst", Role.OFFICER, "secadmin"))


def question_with_a_key_of_ones_own(pier: Pier, _: Path) -> None:
    with passing_for("bank-analyst"):
        released(pier.ask(COUNT))


def attempt_with_a_key_of_ones_own(pier: Pier, _: Path) -> None:
    with passing_for("tax-officer"):
        codes(register.dismiss(pier.house.book, "bank-analyst", "tax-officer"))


def question_with_a_key_that_was_replaced(pier: Pier, _: Path) -> None:
    book, former = pier.house.book, find_person("bank-analyst")
    assert former is not None
    done(register.replace_key(book, "bank-analyst", public_bytes(make_key()), "sysadmin"))
    done(register.give_role(book, "bank-analyst", Role.ANALYST, "secadmin"))
    newer = "person_id = 'bank-analyst' AND public <> %s"
    with (
        rewritten("identity_key", "until", "2026-11-25 00:00:00", newer, former.key),
        rewritten("identity_key", "until", None, "public = %s", former.key),
        acting(proof_by(former.key)),
    ):
        released(pier.ask(COUNT))


def consent_withdrawn_with_a_key_of_ones_own(pier: Pier, _: Path) -> None:
    token, public = pier.consent(CITIZEN_CREDIT, WAGES[60].id), public_bytes(make_key())
    consent = done(consents.open(token, pier.house.clock()))
    with (
        rewritten("identity_consent_key", "public", public, "issuer = 'app'"),
        acting(proof_by(public)),
    ):
        assert consents.withdraw(pier.house.book, consent, "app") is None


def role_given_by_nobody(pier: Pier, _: Path) -> None:
    with holding("bank-officer", Role.SECURITY_ADMIN):
        done(register.give_role(pier.house.book, "rival-analyst", Role.OFFICER, "bank-officer"))


def reinstated_by_nobody(pier: Pier, _: Path) -> None:
    done(register.dismiss(pier.house.book, "rival-analyst", "sysadmin"))
    with holding("bank-officer", Role.SYSTEM_ADMIN):
        done(register.reinstate(pier.house.book, "rival-analyst", "bank-officer"))


def reinstated_who_never_left(pier: Pier, _: Path) -> None:
    """It would take every role of somebody who was not dismissed."""
    with rewritten("identity_person", "active", False, "id = 'rival-analyst'"):
        done(register.reinstate(pier.house.book, "rival-analyst", "sysadmin"))


def resident_admitted_by_one(pier: Pier, _: Path) -> None:
    book = pier.house.book
    new = NewOrganisation("new", OrganisationKind.RESIDENT, "新入驻")
    done(register.register_organisation(book, new, "sysadmin"))
    done(residents.assess(book, "new", {each.code: "document" for each in CRITERIA}, "first-assessor"))
    with rewritten("identity_organisation", "assessed_by", "second-assessor", "id = 'new'"):
        done(residents.admit(book, "new", "first-assessor"))


def delivery_of_another_department(pier: Pier, folder: Path) -> None:
    with holding("tax-officer", Role.STEWARD), moved("tax-officer", to="hrss"):
        done(deliver(pier.house, "pension_enrolment", [write_wages(folder / "more.csv", WAGES[1:])], "tax-officer"))


def contract_of_another_department(pier: Pier, _: Path) -> None:
    text = (CONTRACTS / "pension_enrolment.odcs.yaml").read_text(encoding="utf-8")
    with holding("tax-officer", Role.STEWARD), moved("tax-officer", to="hrss"):
        done(
            describe(
                pier.house, text.replace("version: 1.0.0", "version: 9.0.0").encode(), "tax-officer", withdraw=True
            )
        )


def answer_of_an_older_snapshot(pier: Pier, folder: Path) -> None:
    older = shelf.snapshot_id_of("pension_enrolment")
    done(deliver(pier.house, "pension_enrolment", [write_wages(folder / "more.csv", WAGES[1:])], "hrss-officer"))
    pier.house.clock.forward(hours=2)
    with rewritten("catalogue_standing", "snapshot_id", older, "dataset = 'pension_enrolment'"):
        released(pier.ask(COUNT))


def answer_under_another_description(pier: Pier, _: Path) -> None:
    """Described by nobody, as wide as he likes: an item that is said to be no key is a group like any other."""
    stood = done(shelf.find("pension_enrolment"))
    text = f"{shelf.contract_of(stood.digest)}# read otherwise\n"
    lenient = digest_bytes(text.encode())
    write(
        "INSERT INTO catalogue_contract (digest, dataset, version, text, by, described)"
        " SELECT %s, dataset, '9.9.9', %s, by, described FROM catalogue_contract WHERE digest = %s",
        *(lenient, text, stood.digest),
    )
    with (
        rewritten("catalogue_snapshot", "contract_id", lenient, "dataset = 'pension_enrolment'"),
        rewritten("catalogue_standing", "contract_id", lenient, "dataset = 'pension_enrolment'"),
    ):
        released(pier.ask(COUNT))
    write("DELETE FROM catalogue_contract WHERE digest = %s", lenient)


def answer_handed_out_again(pier: Pier, _: Path) -> None:
    """Who knows an id and a question gets the answer that its own asker paid for."""
    request = pier.number()
    released(pier.ask(COUNT, request=request))
    assert codes(pier.ask(COUNT, request=request, by="rival-analyst")) == ["agreement-unknown"]
    with moved("rival-analyst", to="bank"):
        released(pier.ask(COUNT, request=request, by="rival-analyst"))


def witness_named_by_nobody(pier: Pier, folder: Path) -> None:
    (witness,) = found_witnesses(folder, pier.home, pier.house.clock, "court").values()
    with holding("bank-officer", Role.SYSTEM_ADMIN):
        assert add_witness(pier.house, Seat("court", "http://court.example", witness.verifier), "bank-officer") is None


def snapshots_dropped_by_nobody(pier: Pier, folder: Path) -> None:
    done(deliver(pier.house, "pension_enrolment", [write_wages(folder / "more.csv", WAGES[1:])], "hrss-officer"))
    pier.house.clock.forward(hours=2)
    with holding("bank-officer", Role.SYSTEM_ADMIN):
        assert len(done(drop(pier.house, "pension_enrolment", "bank-officer"))) == 1


def quarantine_read_by_another_department(pier: Pier, _: Path) -> None:
    with holding("tax-officer", Role.STEWARD), moved("tax-officer", to="hrss"):
        done(faults(pier.house, "pension_enrolment", "tax-officer"))


def keys_split_by_nobody(pier: Pier, folder: Path) -> None:
    with holding("bank-officer", Role.SYSTEM_ADMIN):
        done(split_keys(pier.house, 2, ("sysadmin", "secadmin"), folder / "shares", "bank-officer"))
    shutil.rmtree(memory_of(pier.home))


def last_administrator_dismissed(pier: Pier, _: Path) -> None:
    with holding("bank-officer", Role.SECURITY_ADMIN):
        done(register.dismiss(pier.house.book, "secadmin", "sysadmin"))


def rights_audited_by_nobody(pier: Pier, _: Path) -> None:
    with holding("bank-officer", Role.AUDIT_ADMIN):
        done(audit_rights(pier.house, "bank-officer"))


def swept_by_nobody(pier: Pier, _: Path) -> None:
    (pier.home / "answers").mkdir()
    (pier.home / "answers" / f"x.1-1{durable.PART}").touch()
    with holding("bank-officer", Role.SYSTEM_ADMIN):
        assert done(sweep(pier.house, "bank-officer")) == {"answers": 1}


ATTACKS: dict[Callable[[Pier, Path], None], str] = {
    answer_of_an_older_snapshot: "statistics.released by bank-analyst, .*: snapshot-superseded",
    answer_under_another_description: "statistics.released by bank-analyst, .*: dataset-changed",
    answer_handed_out_again: "statistics.repeated by rival-analyst, .*: agreement-unknown",
    ended_agreement: "statistics.reserved by bank-analyst, .*: agreement-terminated",
    suspended_agreement: "statistics.reserved by bank-analyst, .*: agreement-suspended",
    department_that_holds_back: "statistics.certified by bank-analyst, .*: dataset-held-back",
    somebody_elses_agreement: "statistics.reserved by rival-analyst, .*: agreement-unknown",
    somebody_elses_answers_spent: "statistics.reserved by rival-analyst, .*: agreement-unknown",
    role_of_an_analyst: "statistics.reserved by bank-officer, .*: role-missing",
    dismissed_analyst: "statistics.reserved by bank-analyst, .*: person-inactive",
    resident_that_left: "statistics.certified by bank-analyst, .*: resident-left",
    more_than_was_agreed: "statistics.reserved by bank-analyst, .*: count-exhausted",
    question_beyond_the_contract: "statistics.released by bank-analyst, .*: agreement-altered",
    used_up_consent: "consent.used by bank-analyst, .*: consent-used-up",
    withdrawn_consent: "consent.used by bank-analyst, .*: consent-withdrawn",
    revoked_consent_key: "consent.used by bank-analyst, .*: consent-issuer-unknown",
    consent_under_a_key_of_ones_own: "consent.used by bank-analyst, .*: consent-signature-wrong",
    consent_under_somebody_elses_key: "consent.used by bank-analyst, .*: consent-signature-wrong",
    seal_with_a_key_of_ones_own: "agreement.sealed by bank-signatory, .*: seal-invalid",
    role_given_with_a_key_of_ones_own: "identity.role-given by secadmin, .*: act-unproven",
    question_with_a_key_of_ones_own: "statistics.reserved by bank-analyst, .*: act-unproven",
    attempt_with_a_key_of_ones_own: "identity.refused by tax-officer, .*: act-unproven",
    question_with_a_key_that_was_replaced: "statistics.reserved by bank-analyst, .*: act-unproven",
    consent_withdrawn_with_a_key_of_ones_own: "consent.withdrawn by app, .*: act-unproven",
    role_given_by_nobody: "identity.role-given by bank-officer, .*: role-missing",
    reinstated_by_nobody: "identity.person-reinstated by bank-officer, .*: role-missing",
    reinstated_who_never_left: "identity.person-reinstated by sysadmin, .*: person-active",
    last_administrator_dismissed: "identity.person-dismissed by sysadmin, .*: administrator-last",
    rights_audited_by_nobody: "rights.(audited|differ) by bank-officer, .*: role-missing",
    resident_admitted_by_one: "identity.admission by first-assessor, .*: second-person-needed",
    delivery_of_another_department: "intake.published by tax-officer, .*: role-missing",
    witness_named_by_nobody: "ledger.witness-added by bank-officer, .*: role-missing",
    snapshots_dropped_by_nobody: "intake.dropped by bank-officer, .*: role-missing",
    quarantine_read_by_another_department: "quarantine.read by tax-officer, .*: role-missing",
    keys_split_by_nobody: "keys.split by bank-officer, .*: role-missing",
    swept_by_nobody: "intake.swept by bank-officer, .*: role-missing",
    contract_of_another_department: "catalogue.described by tax-officer, .*: role-missing",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_was_done_meanwhile_is_found(pier: Pier, tmp_path: Path, attack: Callable[[Pier, Path], None]) -> None:
    attack(pier, tmp_path)
    with pytest.raises(LedgerDamaged, match=rf"entry [0-9]+, {ATTACKS[attack]}"):
        audit(pier.house)


def test_the_command_says_so_in_one_sentence(pier: Pier, tmp_path: Path) -> None:
    role_given_by_nobody(pier, tmp_path)
    ran = pier.command("ledger", "audit", "--lang", "en")
    assert "role-missing" in ran.stdout + ran.stderr
    assert "Exception" not in ran.stderr, "no half-read row is complained of"


def test_what_is_done_with_ones_own_key_names_it(pier: Pier) -> None:
    analyst = find_person("bank-analyst")
    assert analyst is not None
    with acting(proof_by(analyst.key)):
        released(pier.ask(COUNT))
        codes(pier.ask("SELECT name FROM pension_enrolment"))
    audit(pier.house)
    keys = {pier.events(f"statistics.{act}")[-1].get("key") for act in ("reserved", "released", "refused")}
    assert keys == {key_id_of(analyst.key)}


def test_a_key_that_is_replaced_while_it_acts_does_nothing_more(pier: Pier) -> None:
    officer, size = find_person("bureau-officer"), pier.house.book.size
    assert officer is not None
    with acting(proof_by(officer.key)):
        done(register.replace_key(pier.house.book, "bureau-officer", public_bytes(make_key()), "sysadmin"))
        with pytest.raises(ProofFallen):
            lifecycle.terminate(pier.house.book, pier.agreements["statistics"], "bureau-officer")
    assert pier.house.book.size == size + 1


def test_one_word_in_the_settings_does_not_open_the_house(pier: Pier) -> None:
    with pytest.raises(LedgerDamaged, match="setting profile is laptop in the settings and demo in the log"):
        audit(replace(pier.house, profile="laptop"))


def test_where_keys_are_demanded_an_act_without_one_is_found(house: House) -> None:
    """As in a deployment whose settings said `demo` for a moment."""
    keys = {name: make_key() for name in ("sysadmin", "secadmin", "bank-officer")}
    people = [
        NewPerson(name, home, name, f"card of {name}", public_bytes(keys[name]), roles)
        for name, (home, roles) in town.PEOPLE.items()
        if name in keys
    ]
    done(register.found(house.book, town.ORGANISATIONS, people, profile="laptop"))
    with acting(proof_by(public_bytes(keys["secadmin"]))):
        done(register.give_role(house.book, "bank-officer", Role.ANALYST, "secadmin"))
    audit(replace(house, profile="laptop"))
    done(register.give_role(house.book, "bank-officer", Role.SIGNATORY, "secadmin"))
    with pytest.raises(LedgerDamaged, match=r"identity\.role-given by secadmin, .*: act-unproven"):
        audit(replace(house, profile="laptop"))
