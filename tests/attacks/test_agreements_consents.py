# SPDX-License-Identifier: Apache-2.0
"""Attacks on consents: replay, somebody else's, another use, expired, withdrawn, signed by who profits."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from conftest import Clock
from lib.town import ITEMS, SUBJECT, Town, build, codes, done
from zhanqiao.agreements import consents
from zhanqiao.agreements.consents import Consent
from zhanqiao.catalogue import shelf
from zhanqiao.identity import consent_keys
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.terms.events import Event
from zhanqiao.terms.subjects import Subject, SubjectKind

NEIGHBOUR = Subject(SubjectKind.PERSON, "110105194912310038")


@pytest.fixture
def town(book) -> Town:
    return build(book)


def opened(town: Town, token: str) -> Consent:
    return done(consents.open(token, town.clock()))


def check(town: Town, consent: Consent, **changed: object) -> list[str]:
    terms: dict[str, object] = {
        "recipient": "bank",
        "service": "citizen_credit",
        "purpose": "credit-precheck",
        "subject": SUBJECT,
        "items": ITEMS,
        "at": town.clock(),
        **changed,
    }
    found = consents.check(consent, **terms)  # type: ignore[arg-type]
    assert all(reason.message("zh") and reason.remedy("en") for reason in found)
    return [reason.code for reason in found]


def use(town: Town, consent: Consent) -> bool:
    with town.book.recording(Event("decisions.reserved", "bank-analyst")) as tx:
        return consents.use(tx, consent, "bank-analyst", "r1")


@pytest.mark.parametrize("key", ["app", "own"])
def test_a_consent_covers_exactly_the_use_it_names(town: Town, key: str):
    consent = opened(town, town.consent(key))
    assert check(town, consent) == []
    assert use(town, consent)
    assert not use(town, consent)
    assert check(town, consent) == ["consent-used-up"]
    assert not consents.can_use(consent, town.clock())


def test_a_use_for_anything_else(town: Town):
    consent = opened(town, town.consent())
    assert check(town, consent, recipient="rival") == ["consent-other-recipient"]
    assert check(town, consent, service="pension") == ["consent-other-service"]
    assert check(town, consent, purpose="marketing") == ["consent-other-purpose"]
    assert check(town, consent, subject=NEIGHBOUR) == ["consent-other-subject"]
    enterprise = Subject(SubjectKind.ENTERPRISE, SUBJECT.identifier)
    assert check(town, consent, subject=enterprise) == ["consent-other-subject"]
    more = {"pension_enrolment": ITEMS["pension_enrolment"] | {"district"}}
    assert check(town, consent, items=more) == ["consent-items-missing"]
    assert check(town, consent, items={"tax_return": frozenset({"amount"})}) == ["consent-items-missing"]
    # Whether there is a row at all is an answer too.
    assert check(town, consent, items={**ITEMS, "judgments": frozenset()}) == ["consent-items-missing"]
    assert check(town, consent, items={"pension_enrolment": frozenset()}) == []
    assert check(
        town, consent, recipient="rival", purpose="x", subject=NEIGHBOUR, at=town.clock() + timedelta(365)
    ) == [
        "consent-expired",
        "consent-other-recipient",
        "consent-other-purpose",
        "consent-other-subject",
    ]


def test_items_that_need_a_warning_need_it_in_the_consent(town: Town):
    income = consents.items_to_warn_of(ITEMS, shelf.find)
    assert income == {"pension_enrolment.contribution_base"}
    assert check(town, opened(town, town.consent()), warning_needed=income) == ["consent-warning-missing"]
    warned = opened(town, town.consent(warned=True, nonce=b"w" * 16))
    assert check(town, warned, warning_needed=income) == []


def test_a_consent_has_its_time(town: Town, clock: Clock):
    token = town.consent()
    consent = opened(town, token)
    clock.now = consent.begins - timedelta(seconds=1)
    assert codes(consents.open(token, town.clock())) == ["consent-not-yet"]
    assert not use(town, consent)
    clock.now = consent.ends
    assert codes(consents.open(token, town.clock())) == ["consent-expired"]
    assert not use(town, consent)
    clock.now = consent.ends - timedelta(seconds=1)
    assert use(town, consent)
    endless = town.consent(ends=datetime(2036, 1, 1, tzinfo=UTC))
    assert codes(consents.open(endless, town.clock())) == ["consent-too-long"]


@pytest.mark.parametrize("uses", [1, 7])
def test_sixteen_replays_race_and_exactly_the_agreed_uses_win(town: Town, uses: int):
    consent = opened(town, town.consent(uses=uses))
    ready, outcomes = threading.Barrier(16), []

    def replay() -> None:
        try:
            ready.wait()
            outcomes.append(use(town, consent))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=replay) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 16
    assert sum(outcomes) == uses


def test_a_use_in_a_transaction_that_fails_is_not_counted(town: Town):
    consent = opened(town, town.consent())

    def fail_after_use() -> None:
        with town.book.recording(Event("decisions.reserved", "bank-analyst")) as tx:
            assert consents.use(tx, consent, "bank-analyst", "r1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_use()
    assert use(town, consent)


def test_signing_again_with_the_same_nonce_gives_no_new_uses(town: Town):
    assert use(town, opened(town, town.consent(uses=1)))
    # The count belongs to issuer and nonce; a token that says more uses is measured against what was used.
    again = opened(town, town.consent(uses=2))
    assert use(town, again)
    assert not use(town, again)
    fresh = opened(town, town.consent(nonce=b"n" * 16))
    assert use(town, fresh)


def test_withdrawal_acts_at_the_next_call(town: Town):
    consent = opened(town, town.consent(uses=10))
    assert use(town, consent)
    assert consents.withdraw(town.book, consent, "app") is None
    assert not use(town, consent)
    assert check(town, consent) == ["consent-withdrawn"]
    assert consents.withdraw(town.book, consent, "bureau-officer") is None  # twice is harmless


def test_a_consent_is_withdrawn_before_its_first_use(town: Town):
    consent = opened(town, town.consent("own"))
    assert consents.withdraw(town.book, consent, "own") is None
    assert not use(town, consent)


def test_somebody_else_withdraws(town: Town):
    consent = opened(town, town.consent())
    assert codes(consents.withdraw(town.book, consent, "rival-officer")) == ["role-missing"]
    assert codes(consents.withdraw(town.book, consent, "other-app")) == ["person-unknown"]
    assert use(town, consent)


def test_a_revoked_key_ends_every_consent_it_signed(town: Town):
    token = town.consent(uses=10)
    consent = opened(town, token)
    assert codes(consent_keys.revoke_consent_key(town.book, "app", "bank-officer")) == ["role-missing"]
    assert consent_keys.revoke_consent_key(town.book, "app", "secadmin") is None
    assert codes(consents.open(token, town.clock())) == ["consent-issuer-unknown"]
    assert not use(town, consent)
    assert "consent-other-subject" in check(town, consent)


def test_a_subject_signs_for_a_neighbour_with_its_own_key(town: Town):
    consent = opened(town, town.consent("own", subject=NEIGHBOUR))
    assert check(town, consent, subject=NEIGHBOUR) == ["consent-other-subject"]


def test_a_consent_is_moved_to_a_neighbour_by_its_digest(town: Town):
    consent = opened(town, town.consent())
    moved = replace(consent, subject_digest=consent_keys.subject_digest(NEIGHBOUR, consent.salt))
    assert check(town, moved) == ["consent-other-subject"]


def test_who_profits_does_not_sign(town: Town):
    found = consent_keys.register_consent_authority(town.book, "bank-app", "bank", public_bytes(make_key()), "secadmin")
    assert codes(found) == ["role-not-here"]
    token = town.consent(recipient="bureau")
    assert "consent-by-recipient" in check(town, opened(town, token), recipient="bureau")


def test_keys_are_registered_by_those_who_may_and_once(town: Town):
    key = public_bytes(make_key())
    assert codes(consent_keys.register_consent_authority(town.book, "x", "bureau", key, "sysadmin")) == ["role-missing"]
    assert codes(consent_keys.register_consent_authority(town.book, "app", "bureau", key, "secadmin")) == ["id-taken"]
    own = public_bytes(town.keys["own"])
    assert codes(consent_keys.register_consent_authority(town.book, "x", "bureau", own, "secadmin")) == ["key-taken"]
    found = consent_keys.register_subject_key(town.book, "x", SUBJECT, b"short", "bureau-officer", salt=bytes(16))
    assert codes(found) == ["key-malformed"]


def test_state_and_log_never_learn_whose_consent_it_was(town: Town):
    use(town, opened(town, town.consent()))
    leaves = b"".join(event.leaf for event in town.book.events())
    assert SUBJECT.identifier.encode() not in leaves
    assert SUBJECT.identifier not in repr(SUBJECT)
    assert consent_keys.subject_digest(SUBJECT, bytes(16)).encode() not in leaves
