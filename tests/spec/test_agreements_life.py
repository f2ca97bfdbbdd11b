# SPDX-License-Identifier: Apache-2.0
"""The life of an agreement in its own words: drafted, sealed twice, performing, suspended, spent, over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from conftest import Clock
from lib.town import CITIZEN_CREDIT, DRAFT, Town, build, codes, done
from zhanqiao.agreements import contract_id, grants, lifecycle
from zhanqiao.agreements.lifecycle import Agreement
from zhanqiao.agreements.states import Verb
from zhanqiao.catalogue import shelf
from zhanqiao.identity import register, residents
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.terms.agreements import AgreementState, Door
from zhanqiao.terms.datasets import Capability
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Refusal


@pytest.fixture
def town(book) -> Town:
    return build(book)


def why(town: Town, agreement: str) -> list[str]:
    assert grants.find_grant(agreement, town.clock()) is None
    return codes(grants.why_no_grant(agreement, town.clock()))


def state(town: Town, agreement: str) -> AgreementState:
    return done(lifecycle.show(agreement, town.clock())).state


def act(town: Town, agreement: str, by: str, verb: Verb) -> Agreement | Refusal:
    if verb is Verb.SEAL:
        return town.seal(agreement, by)
    return getattr(lifecycle, verb.value)(town.book, agreement, by)


def spend(town: Town, agreement: str, count: int = 1) -> bool:
    with town.book.recording(Event("statistics.reserved", "bank-analyst")) as tx:
        return grants.spend(tx, agreement, count)


def test_nothing_opens_before_both_seals_stand(town: Town):
    agreement = town.draft()
    assert state(town, agreement) is AgreementState.INITIATED
    assert why(town, agreement) == ["agreement-not-sealed", "agreement-not-sealed"]
    assert not spend(town, agreement)
    shown = done(town.seal(agreement, "bureau-signatory"))
    assert shown.state is AgreementState.NEGOTIATING
    assert shown.missing_seals == ("bank",)
    assert why(town, agreement) == ["agreement-not-sealed"]
    assert not spend(town, agreement)
    shown = done(town.seal(agreement, "bank-signatory"))
    assert shown.state is AgreementState.PERFORMING
    assert grants.find_grant(agreement, town.clock()) is not None


def test_the_resident_may_seal_first(town: Town):
    agreement = town.draft()
    done(town.seal(agreement, "bank-signatory"))
    assert done(town.seal(agreement, "bureau-deputy")).state is AgreementState.PERFORMING


def test_a_grant_is_what_the_contract_says(town: Town):
    agreement = town.signed()
    grant = grants.find_grant(agreement, town.clock())
    assert grant is not None
    assert grant.organisation == "bank"
    assert grant.purpose == "credit-precheck"
    assert grant.doors == {Door.STATISTICS, Door.DECISIONS}
    assert grant.items == {"pension_enrolment": frozenset({"person_id", "district", "birth_year", "contribution_base"})}
    assert grant.services == {"citizen_credit"}
    assert grant.remaining == 5
    assert grant.contract_digest == done(lifecycle.show(agreement, town.clock())).digest
    assert contract_id.is_valid(agreement)
    assert agreement[2:24] == "11370200MB2F00001J3702"


def test_the_term_begins_and_ends_by_itself(town: Town, clock: Clock):
    agreement = town.signed(begins="2026-12-01", ends="2026-12-31")
    assert state(town, agreement) is AgreementState.SIGNED
    assert why(town, agreement) == ["agreement-not-started"]
    assert not spend(town, agreement)
    clock.forward(days=6)
    assert state(town, agreement) is AgreementState.PERFORMING
    grant = grants.find_grant(agreement, town.clock())
    assert grant is not None
    assert spend(town, agreement)
    clock.now = grant.valid_until - timedelta(seconds=1)
    assert grants.find_grant(agreement, town.clock()) is not None
    clock.forward(seconds=1)
    assert state(town, agreement) is AgreementState.TERMINATED
    assert why(town, agreement) == ["agreement-ended"]
    assert not spend(town, agreement)


def test_answers_are_counted_and_run_out(town: Town):
    agreement = town.signed(count=3)
    assert spend(town, agreement, 2)
    assert not spend(town, agreement, 2)
    assert done(lifecycle.show(agreement, town.clock())).remaining == 1
    assert spend(town, agreement)
    assert not spend(town, agreement)
    assert why(town, agreement) == ["count-exhausted"]


def test_without_a_count_the_meter_still_runs(town: Town):
    text = DRAFT.format(issuer="bureau", begins="2026-11-01", ends="2027-10-31", count=1)
    text = text.replace("limits: {count: 1}\n", "")
    agreement = done(lifecycle.draft(town.book, text, "bank-officer", services=(CITIZEN_CREDIT,))).id
    done(town.seal(agreement, "bureau-signatory"))
    done(town.seal(agreement, "bank-signatory"))
    assert all(spend(town, agreement) for _ in range(3))
    shown = done(lifecycle.show(agreement, town.clock()))
    assert (shown.spent, shown.remaining) == (3, None)


def test_the_authority_suspends_at_once_and_alone_resumes(town: Town):
    agreement = town.signed()
    assert done(lifecycle.suspend(town.book, agreement, "bureau-officer")).state is AgreementState.SUSPENDED
    assert why(town, agreement) == ["agreement-suspended"]
    assert not spend(town, agreement)
    assert codes(lifecycle.suspend(town.book, agreement, "bureau-officer")) == ["hold-standing"]
    assert codes(lifecycle.resume(town.book, agreement, "bank-officer")) == ["not-entitled", "hold-missing"]
    assert codes(lifecycle.resume(town.book, agreement, "hrss-officer")) == ["hold-missing"]
    assert done(lifecycle.resume(town.book, agreement, "bureau-officer")).state is AgreementState.PERFORMING
    assert spend(town, agreement)


def test_a_source_department_holds_its_own_items_back(town: Town):
    agreement = town.signed()
    shown = done(lifecycle.suspend(town.book, agreement, "hrss-officer"))
    assert shown.held_items_by == ("hrss",)
    assert shown.state is AgreementState.PERFORMING
    assert why(town, agreement) == ["agreement-suspended"]  # nothing but its items was granted
    assert codes(lifecycle.suspend(town.book, agreement, "tax-officer")) == ["not-entitled"]
    done(lifecycle.resume(town.book, agreement, "hrss-officer"))
    assert grants.find_grant(agreement, town.clock()) is not None


def test_who_resumes_does_not_open_what_another_closed(town: Town):
    agreement = town.signed(issuer="hrss")
    done(lifecycle.suspend(town.book, agreement, "hrss-officer"))
    done(lifecycle.suspend(town.book, agreement, "bureau-officer"))
    assert done(lifecycle.resume(town.book, agreement, "hrss-officer")).state is AgreementState.SUSPENDED
    assert why(town, agreement) == ["agreement-suspended"]
    assert done(lifecycle.resume(town.book, agreement, "bureau-officer")).state is AgreementState.PERFORMING


@pytest.mark.parametrize("by", ["bureau-officer", "bank-officer"])
def test_either_party_ends_it_for_good(town: Town, by: str):
    agreement = town.signed()
    assert done(lifecycle.terminate(town.book, agreement, by)).state is AgreementState.TERMINATED
    assert why(town, agreement) == ["agreement-terminated"]
    assert codes(lifecycle.terminate(town.book, agreement, by)) == ["agreement-step"]
    assert codes(lifecycle.resume(town.book, agreement, "bureau-officer")) == ["agreement-step", "hold-missing"]


def test_filing_is_a_flag_from_the_signature_on(town: Town):
    agreement = town.draft()
    assert codes(lifecycle.file(town.book, agreement, "bureau-officer")) == ["agreement-step"]
    done(town.seal(agreement, "bureau-signatory"))
    done(town.seal(agreement, "bank-signatory"))
    assert codes(lifecycle.file(town.book, agreement, "bank-officer")) == ["not-entitled"]
    assert done(lifecycle.file(town.book, agreement, "bureau-officer")).filed
    assert codes(lifecycle.file(town.book, agreement, "bureau-officer")) == ["filed-already"]


def test_a_resident_that_left_gets_nothing(town: Town):
    agreement = town.signed()
    done(residents.leave(town.book, "bank", "bank-officer"))
    assert why(town, agreement) == ["resident-left"]
    shown = done(lifecycle.show(agreement, town.book.clock()))
    assert shown.as_data()["recipient_out"] == ["resident-left"], "it does not look as if it answered"


def test_what_was_sealed_stays_sealed_when_its_signatory_goes(town: Town):
    agreement = town.signed()
    done(register.dismiss(town.book, "bank-signatory", "sysadmin"))
    done(register.replace_key(town.book, "bureau-signatory", public_bytes(make_key()), "sysadmin"))
    assert grants.find_grant(agreement, town.clock()) is not None


def test_only_parties_and_the_authority_draft(town: Town):
    text = DRAFT.format(issuer="bureau", begins="2026-11-01", ends="2027-10-31", count=1)
    published = (CITIZEN_CREDIT,)
    assert codes(lifecycle.draft(town.book, text, "rival-officer", services=published)) == ["not-of-organisation"]
    assert codes(lifecycle.draft(town.book, text, "bank-analyst", services=published)) == ["role-missing"]
    assert codes(lifecycle.draft(town.book, text, "nobody", services=published)) == ["person-unknown"]
    assert codes(lifecycle.draft(town.book, text, "bank-officer")) == ["draft-service-unknown"]
    done(lifecycle.draft(town.book, text, "bureau-officer", services=published))


def test_a_flawed_draft_leaves_nothing(town: Town):
    assert "draft-not-yaml" in codes(lifecycle.draft(town.book, "doors: [", "bank-officer"))
    assert lifecycle.listing(town.clock()) == ()


def test_an_unknown_agreement_is_not_found(town: Town):
    for outcome in (
        lifecycle.show("C0", town.clock()),
        town.seal("C0", "bank-signatory"),
        lifecycle.suspend(town.book, "C0", "bureau-officer"),
        grants.why_no_grant("C0", town.clock()),
    ):
        assert codes(outcome) == ["agreement-unknown"]
        assert outcome.exit_status == 4
    assert grants.find_grant("C0", town.clock()) is None
    assert not spend(town, "C0")


def test_each_act_on_a_signed_agreement_is_open_to_few_people(town: Town):
    may = {
        Verb.SEAL: (),
        Verb.FILE: ("bureau-officer",),
        Verb.SUSPEND: ("bureau-officer", "hrss-officer"),
        Verb.RESUME: (),
        Verb.TERMINATE: ("bureau-officer", "bank-officer"),
    }
    people = ("bureau-officer", "hrss-officer", "tax-officer", "bank-officer", "bank-signatory", "rival-officer")
    agreement = town.signed()
    before = done(lifecycle.show(agreement, town.clock()))
    for verb, allowed in may.items():
        for by in set(people) - set(allowed):
            assert codes(act(town, agreement, by, verb)), (by, verb)
    assert done(lifecycle.show(agreement, town.clock())) == before
    for verb, allowed in may.items():
        for by in allowed:
            done(act(town, town.signed(), by, verb))


def test_the_contract_narrows_what_the_catalogue_gives(town: Town):
    agreement = town.signed()
    dataset = shelf.find("pension_enrolment")
    assert dataset is not None
    grant = grants.find_grant(agreement, town.clock())
    assert grant is not None
    item = grants.narrow(grant, dataset).item("birth_year")
    assert item is not None
    assert item.capabilities == {Capability.GROUP}
    assert grants.narrow(replace(grant, contract_digest="sha256:0"), dataset).items == (), "another contract"


def test_only_analysts_of_the_holder_ask(town: Town):
    agreement = town.signed()
    assert grants.check_caller(agreement, "bank-analyst") == ()
    assert [each.code for each in grants.check_caller(agreement, "bank-officer")] == ["role-missing"]
    assert [each.code for each in grants.check_caller(agreement, "nobody")] == ["person-unknown"]


def test_to_strangers_an_agreement_does_not_exist(town: Town):
    agreement = town.signed()
    seen = grants.check_caller(agreement, "rival-analyst")
    assert [each.code for each in seen] == ["agreement-unknown"]
    unknown = grants.check_caller("C0", "rival-analyst")
    assert [each.message("en").replace("C0", agreement) for each in unknown] == [each.message("en") for each in seen]


def test_the_log_tells_the_life_without_the_text(town: Town):
    size = town.book.size
    agreement = town.signed()
    done(lifecycle.suspend(town.book, agreement, "bureau-officer"))
    done(lifecycle.resume(town.book, agreement, "bureau-officer"))
    done(lifecycle.terminate(town.book, agreement, "bank-officer"))
    events = list(town.book.events(size))
    assert [event.kind.removeprefix("agreement.") for event in events] == [
        "drafted",
        "sealed",
        "sealed",
        "suspended",
        "resumed",
        "terminated",
    ]
    assert all(agreement.encode() in event.leaf for event in events)
    assert not any("授信".encode() in event.leaf for event in events)


def test_an_agreement_shows_everything_as_data(town: Town):
    agreement = town.signed()
    data = done(lifecycle.show(agreement, town.clock())).as_data()
    assert data["state"] == "05"
    assert data["remaining"] == 5
    assert data["missing_seals"] == ()
    assert data["not_enforced_by_machine"] == ["prohibition sell"]
    assert [each["person"] for each in data["seals"]] == ["bureau-signatory", "bank-signatory"]
