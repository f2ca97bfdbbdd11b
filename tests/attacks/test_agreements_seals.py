# SPDX-License-Identifier: Apache-2.0
"""Attacks on seals and grants: self-seal, borrowed hands, altered text, a rewritten database, a race for the last answers."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection, connections

from lib.pier import Pier
from lib.town import DRAFT, Town, build, codes, done
from zhanqiao.agreements import grants, lifecycle
from zhanqiao.agreements.seals import seal_statement, sign_seal
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.ledger.book import founding
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.terms.agreements import AgreementState
from zhanqiao.terms.events import Event


@pytest.fixture
def town(book) -> Town:
    return build(book)


def rewrite(statement: str, *values: object) -> None:
    """Write to the database behind everybody's back, as who has stolen it can."""
    with founding(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount > 0


def closed(town: Town, agreement: str, code: str) -> None:
    assert grants.find_grant(agreement, town.clock()) is None
    assert code in codes(grants.why_no_grant(agreement, town.clock()))


def test_one_party_seals_for_both(town: Town):
    agreement = town.draft()
    done(town.seal(agreement, "bureau-signatory"))
    assert codes(town.seal(agreement, "bureau-signatory")) == ["seal-standing", "seal-same-person"]
    assert codes(town.seal(agreement, "bureau-deputy")) == ["seal-standing"]
    closed(town, agreement, "agreement-not-sealed")


def test_somebody_without_the_role_or_of_another_house_seals(town: Town):
    agreement = town.draft()
    assert codes(town.seal(agreement, "bank-officer")) == ["role-missing"]
    assert codes(town.seal(agreement, "rival-signatory")) == ["seal-not-a-party"]
    assert codes(town.seal(agreement, "hrss-signatory")) == ["seal-not-a-party"]
    assert codes(town.seal(agreement, "sysadmin")) == ["role-missing", "seal-not-a-party"]
    assert done(lifecycle.show(agreement, town.clock())).seals == ()


def test_a_signature_of_another_key_or_of_another_text(town: Town):
    agreement, other = town.draft(), town.draft(count=1_000_000)
    digest = done(lifecycle.show(agreement, town.clock())).digest
    lifecycle_key = town.keys["bank-signatory"]
    wrong = [
        sign_seal(seal_statement(agreement, digest, "bank", "bank-signatory"), make_key()),
        sign_seal(
            seal_statement(other, done(lifecycle.show(other, town.clock())).digest, "bank", "bank-signatory"),
            lifecycle_key,
        ),
        sign_seal(seal_statement(agreement, "sha256:" + "0" * 64, "bank", "bank-signatory"), lifecycle_key),
        sign_seal(seal_statement(agreement, digest, "bureau", "bank-signatory"), lifecycle_key),
        sign_seal(digest.encode(), lifecycle_key),
        bytes(64),
        b"",
    ]
    for signature in wrong:
        assert codes(lifecycle.seal_with(town.book, agreement, "bank-signatory", signature)) == ["seal-invalid"]


def test_a_seal_is_moved_to_another_contract(town: Town):
    small, large = town.signed(count=1), town.draft(count=1_000_000)
    seal = done(lifecycle.show(small, town.clock())).seals[1]
    assert codes(lifecycle.seal_with(town.book, large, "bank-signatory", seal.signature)) == ["seal-invalid"]


def test_sealing_after_suspension_and_after_the_end(town: Town):
    agreement = town.signed()
    done(lifecycle.suspend(town.book, agreement, "bureau-officer"))
    assert "agreement-step" in codes(town.seal(agreement, "bureau-deputy"))
    done(lifecycle.terminate(town.book, agreement, "bureau-officer"))
    assert "agreement-step" in codes(town.seal(agreement, "bureau-deputy"))
    draft = town.draft()
    done(lifecycle.terminate(town.book, draft, "bank-officer"))
    assert codes(town.seal(draft, "bureau-signatory")) == ["agreement-step"]


def test_sealing_when_the_term_is_over(town: Town, clock):
    agreement = town.draft(begins="2026-11-01", ends="2026-11-30")
    done(town.seal(agreement, "bureau-signatory"))
    clock.forward(days=10)
    assert codes(town.seal(agreement, "bank-signatory")) == ["agreement-step"]


def test_the_stored_text_is_altered_after_the_seals(town: Town):
    agreement = town.signed()
    rewrite("UPDATE agreements_agreement SET contract = CAST(replace(contract, 'district', 'distrikt') AS BLOB)")
    closed(town, agreement, "agreement-altered")
    assert codes(lifecycle.show(agreement, town.clock())) == ["agreement-altered"]


def test_an_altered_agreement_does_not_vanish_from_the_list(town: Town):
    """Without the control, who alters one takes it out of sight."""
    whole, altered = sorted([town.signed(), town.signed()])
    rewrite(
        "UPDATE agreements_agreement SET contract = CAST(replace(contract, 'district', 'distrikt') AS BLOB) WHERE id = %s",
        altered,
    )
    listed = lifecycle.listing(town.clock())
    assert [one.id for one in listed] == [whole, altered]
    assert isinstance(listed[0], lifecycle.Agreement)
    assert listed[1] == lifecycle.Altered(altered)
    assert codes(lifecycle.Altered(altered).refusal) == ["agreement-altered"]


def test_the_command_line_lists_an_altered_agreement_as_altered(pier: Pier):
    altered = pier.agreements["few"]
    rewrite('UPDATE agreements_agreement SET "limit" = 1000000 WHERE id = %s', altered)
    table = pier.command("agreement", "show", "--lang", "en").stdout.splitlines()
    assert len(table) == 1 + len(pier.agreements)
    (line,) = (line for line in table if altered in line)
    assert line.split() == ["-", "-", "-", "agreement-altered", "-", altered, "-"]
    listed = {one["agreement"]: one for one in json.loads(pier.command("agreement", "show", "--json").stdout)}
    assert [one["code"] for one in listed.pop(altered)["reasons"]] == ["agreement-altered"]
    assert not any("reasons" in one for one in listed.values())


def test_text_and_digest_are_altered_together(town: Town):
    agreement = town.signed(count=5)
    richer = done(lifecycle.show(town.draft(count=500), town.clock()))
    content = richer.contract.to_bytes().replace(richer.id.encode(), agreement.encode())
    from zhanqiao.terms.canonical import digest_bytes

    rewrite(
        'UPDATE agreements_agreement SET contract = %s, digest = %s, "limit" = 500 WHERE id = %s',
        content,
        digest_bytes(content),
        agreement,
    )
    closed(town, agreement, "agreement-not-sealed")  # the seals are over another digest


@pytest.mark.parametrize(
    ("column", "value"),
    [('"limit"', None), ('"limit"', 10**6), ("ends", "2036-01-01 00:00:00"), ("begins", "2020-01-01 00:00:00")],
)
def test_the_columns_that_charge_say_more_than_the_sealed_text(town: Town, column: str, value: object):
    agreement = town.signed()
    rewrite(f"UPDATE agreements_agreement SET {column} = %s", value)
    closed(town, agreement, "agreement-altered")


def test_a_database_thief_declares_a_draft_signed(town: Town):
    agreement = town.draft()
    rewrite("UPDATE agreements_agreement SET kept = %s", AgreementState.SIGNED.value)
    closed(town, agreement, "agreement-not-sealed")


def test_a_database_thief_forges_the_missing_seal_with_a_key_of_his_own(town: Town):
    agreement = town.draft()
    done(town.seal(agreement, "bank-signatory"))
    thief = make_key()
    statement = seal_statement(
        agreement, done(lifecycle.show(agreement, town.clock())).digest, "bureau", "bureau-signatory"
    )
    rewrite("UPDATE agreements_agreement SET kept = %s", AgreementState.SIGNED.value)
    rewrite(
        "INSERT INTO agreements_seal (agreement_id, organisation, person, key, signature, at) VALUES (%s,%s,%s,%s,%s,%s)",
        agreement,
        "bureau",
        "bureau-signatory",
        key_id_of(public_bytes(thief)),
        sign_seal(statement, thief),
        "2026-11-25 09:00:00",
    )
    closed(town, agreement, "agreement-not-sealed")  # the register knows no such key of the signatory


def test_refused_attempts_leave_a_trace_and_change_nothing(town: Town):
    agreement = town.draft()
    size, before = town.book.size, done(lifecycle.show(agreement, town.clock()))
    town.seal(agreement, "rival-signatory")
    lifecycle.terminate(town.book, agreement, "rival-officer")
    assert [event.kind for event in town.book.events(size)] == ["agreement.refused", "agreement.refused"]
    assert done(lifecycle.show(agreement, town.clock())) == before


def test_an_attempt_under_a_monstrous_name_does_not_break_the_log(town: Town):
    agreement = town.draft()
    for name in ("x" * 100_000, "", "\x00", "';--", "名" * 1_000):
        assert codes(lifecycle.terminate(town.book, agreement, name)) == ["person-unknown"]
        assert "agreement-unknown" in codes(lifecycle.terminate(town.book, name, "bank-officer"))


def race(count: int, act) -> list[object]:
    """Let `count` threads do `act` at once, each on a connection of its own."""
    ready, outcomes = threading.Barrier(count), []

    def run() -> None:
        try:
            ready.wait()
            outcomes.append(act())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_many_race_for_the_last_answers(town: Town):
    agreement = town.signed(count=5)

    def charge() -> bool:
        with town.book.recording(Event("statistics.reserved", "bank-analyst")) as tx:
            return grants.spend(tx, agreement)

    outcomes = race(16, charge)
    assert len(outcomes) == 16
    assert sum(outcomes) == 5
    assert done(lifecycle.show(agreement, town.clock())).remaining == 0


def test_both_signatories_of_one_house_race_to_seal(town: Town):
    agreement = town.draft()
    names = iter(["bureau-signatory", "bureau-deputy"] * 4)
    outcomes = race(8, lambda: town.seal(agreement, next(names)))
    assert sum(isinstance(outcome, lifecycle.Agreement) for outcome in outcomes) == 1
    assert len(done(lifecycle.show(agreement, town.clock())).seals) == 1


def test_termination_wins_over_a_race_of_charges(town: Town):
    agreement = town.signed(count=1_000)

    def charge() -> bool:
        with town.book.recording(Event("statistics.reserved", "bank-analyst")) as tx:
            return grants.spend(tx, agreement)

    def end() -> object:
        return lifecycle.terminate(town.book, agreement, "bank-officer")

    acts = iter([charge] * 7 + [end] + [charge] * 4)

    def act() -> object:
        return next(acts)()

    race(12, act)
    assert not charge()
    kinds = [event.kind for event in town.book.events() if event.kind == "agreement.terminated"]
    assert kinds == ["agreement.terminated"]


def test_a_clock_that_is_turned_back_does_not_revive_what_people_ended(town: Town, clock):
    agreement = town.signed()
    done(lifecycle.terminate(town.book, agreement, "bureau-officer"))
    clock.now -= timedelta(days=10)
    closed(town, agreement, "agreement-terminated")


def test_a_draft_that_reads_differently_to_people_and_machines(town: Town):
    text = DRAFT.format(issuer="bureau", begins="2026-11-01", ends="2027-10-31", count=1)
    assert "draft-not-yaml" in codes(lifecycle.draft(town.book, text + "limits: {count: 1000000}\n", "bank-officer"))
    hidden = text.replace("abstract: ", "abstract: &x ")
    assert "draft-not-yaml" in codes(lifecycle.draft(town.book, hidden, "bank-officer"))
