# SPDX-License-Identifier: Apache-2.0
"""Whoever calls the decisions door in order to learn who is known, who consented to what, or whose consent fell.

Every question that depends on a subject and gets no answer gets the same bytes, the same status and the same length in
the log. The true reason is sealed for the auditor; this test opens it, so that it knows that each case is what it says.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from lib.pier import CITIZEN_CREDIT, WAGES, Pier, citizen_id, released
from lib.town import codes
from zhanqiao.agreements import consents
from zhanqiao.agreements.consents import Consent
from zhanqiao.catalogue import shelf
from zhanqiao.desk import demo_truth
from zhanqiao.desk.cli import app
from zhanqiao.desk.configuration import utc_now
from zhanqiao.desk.scenarios import find_service
from zhanqiao.doors import reasons
from zhanqiao.policy import decide
from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.refusals import RULES, Reason, Refusal
from zhanqiao.terms.services import Service
from zhanqiao.vault.faults import KeyFault
from zhanqiao.vault.keys import Sealed

KNOWN, OTHER = WAGES[60].id, WAGES[61].id
# Never delivered, and right in every character.
UNKNOWN = citizen_id(999)
Ask = tuple[str, str | None]


def _consented(pier: Pier, service: Service, subject: str, /, **changed: object) -> Ask:
    return subject, pier.consent(service, subject, **changed)


def _used_up(pier: Pier, service: Service, subject: str) -> Ask:
    token = pier.consent(service, subject)
    released(pier.decide(service, subject, consent=token))
    return subject, token


def _withdrawn(pier: Pier, service: Service, subject: str) -> Ask:
    token = pier.consent(service, subject)
    pier.withdraw(token)
    return subject, token


def _later(pier: Pier, days: int) -> object:
    return pier.house.clock() + timedelta(days=days)


def _without_an_item(service: Service) -> dict[str, frozenset[str]]:
    items = decide.reads_of(service, shelf.find)
    first = min(items)
    return {name: names for name, names in items.items() if name != first} or {"other": frozenset({"item"})}


# case -> how it is asked, and the code that only the auditor sees
CASES: dict[str, tuple[Callable[[Pier, Service, str, str, str], Ask], str]] = {
    "unknown subject, with its consent": (lambda p, s, a, b, u: _consented(p, s, u), "not-answered"),
    "unknown subject, no consent": (lambda p, s, a, b, u: (u, None), "consent-missing"),
    "no consent": (lambda p, s, a, b, u: (a, None), "consent-missing"),
    "an empty consent": (lambda p, s, a, b, u: (a, ""), "consent-malformed"),
    "no token at all": (lambda p, s, a, b, u: (a, "not a token"), "consent-malformed"),
    "a very long token": (lambda p, s, a, b, u: (a, "x" * 100_000), "consent-malformed"),
    "a token cut short": (lambda p, s, a, b, u: (a, p.consent(s, a)[:-9]), "consent-malformed"),
    "a changed token": (lambda p, s, a, b, u: (a, _changed(p.consent(s, a))), "consent-signature-wrong"),
    "for another recipient": (
        lambda p, s, a, b, u: _consented(p, s, a, recipient="rival"),
        "consent-other-recipient",
    ),
    "for another service": (lambda p, s, a, b, u: _consented(p, s, a, service="another"), "consent-other-service"),
    "for another purpose": (lambda p, s, a, b, u: _consented(p, s, a, purpose="sales"), "consent-other-purpose"),
    "for less than is read": (
        lambda p, s, a, b, u: _consented(p, s, a, items=_without_an_item(s)),
        "consent-items-missing",
    ),
    "not warned": (lambda p, s, a, b, u: _consented(p, s, a, warned=False), "consent-warning-missing"),
    "of another subject": (lambda p, s, a, b, u: (a, p.consent(s, b)), "consent-other-subject"),
    "withdrawn": (lambda p, s, a, b, u: _withdrawn(p, s, a), "consent-withdrawn"),
    "expired": (
        lambda p, s, a, b, u: _consented(p, s, a, begins=_later(p, -9), ends=_later(p, -8)),
        "consent-expired",
    ),
    "not yet valid": (
        lambda p, s, a, b, u: _consented(p, s, a, begins=_later(p, 8), ends=_later(p, 9)),
        "consent-not-yet",
    ),
    "used up": (lambda p, s, a, b, u: _used_up(p, s, a), "consent-used-up"),
    "a malformed id": (lambda p, s, a, b, u: ("1", p.consent(s, a)), "consent-other-subject"),
    "an id of another kind": (lambda p, s, a, b, u: ("91370200MA00000011", None), "consent-missing"),
    "an empty id": (lambda p, s, a, b, u: ("", None), "consent-missing"),
}


def _changed(token: str) -> str:
    """Return the token with one claim changed, under the old signature."""
    header, claims, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    said["uses"] = 1_000
    return f"{header}.{base64.urlsafe_b64encode(canonical(said)).rstrip(b'=').decode()}.{signature}"


def test_every_unanswered_question_looks_the_same_to_the_caller_and_in_the_log(pier: Pier) -> None:
    shown, leaves, told = set(), set(), {}
    for case, (ask, reason) in CASES.items():
        subject, token = ask(pier, CITIZEN_CREDIT, KNOWN, OTHER, UNKNOWN)
        before = pier.house.book.size
        refusal = pier.decide(CITIZEN_CREDIT, subject, consent=token)
        assert codes(refusal) == ["not-answered"], case
        shown.add((str(refusal.as_data("zh")), str(refusal.as_data("en")), refusal.exit_status))  # type: ignore[union-attr]
        events = list(pier.house.book.events(before))
        assert [event.kind for event in events] == ["decisions.refused"], case
        facts = json.loads(events[0].leaf)["facts"]
        leaves.add((len(events[0].leaf), tuple(sorted(facts)), tuple(facts["codes"]), len(facts["sealed_reason"])))
        told[case] = _reasons(pier, events[0].index)
        assert reason in told[case], case
    assert len(shown) == 1
    assert len(leaves) == 1
    assert len(set(told.values())) >= 14, "the auditor tells them apart"


def test_duty_does_not_tell_who_is_known_either(pier: Pier) -> None:
    """Insured but no pensioner, known to nobody, malformed: none is on the list that the duty rests on."""
    service = find_service("silent-certification")
    assert service is not None
    seen = set()
    for subject in (KNOWN, UNKNOWN, "1", ""):
        before = pier.house.book.size
        refusal = pier.decide(service, subject, by="hrss-officer", agreement="pension")
        assert codes(refusal) == ["not-answered"]
        (event,) = pier.house.book.events(before)
        seen.add((str(refusal.as_data("en")), len(event.leaf)))  # type: ignore[union-attr]
    assert len(seen) == 1


@pytest.mark.parametrize("how", ["no consent", "a sound consent of somebody else"])
def test_forty_ids_in_a_row_tell_nothing(pier: Pier, how: str) -> None:
    """Nobody who is insured stands out among those who are not, whatever is shown with the id."""
    ids = [*(row.id for row in WAGES[:20]), *(citizen_id(number) for number in range(900, 920))]
    token = None if how == "no consent" else pier.consent(CITIZEN_CREDIT, KNOWN, uses=99)
    answers = {str(pier.decide(CITIZEN_CREDIT, each, consent=token).as_data("en")) for each in ids}  # type: ignore[union-attr]
    assert len(answers) == 1
    if token is not None:
        released(pier.decide(CITIZEN_CREDIT, KNOWN, consent=token))


def test_a_consent_that_falls_between_the_look_and_the_charge_is_logged_no_shorter(pier: Pier) -> None:
    """The last use is taken by another request, or the consent withdrawn, while this one is being judged."""
    pier.decide(CITIZEN_CREDIT, UNKNOWN)
    usual = len(list(pier.house.book.events())[-1].leaf)
    for fall in (_take_last_use, _withdraw_meanwhile):
        token = pier.consent(CITIZEN_CREDIT, KNOWN)
        slow = replace(CITIZEN_CREDIT, decide=fall(pier, token))
        assert codes(pier.decide(slow, KNOWN, consent=token)) == ["not-answered"]
        last = list(pier.house.book.events())[-1]
        assert last.kind == "decisions.refused"
        assert len(last.leaf) == usual


def _take_last_use(pier: Pier, token: str) -> Callable[..., dict[str, object]]:
    def judge(evidence: object, at: object) -> dict[str, object]:
        released(pier.decide(CITIZEN_CREDIT, KNOWN, consent=token))
        return {"outcome": "pass", "band": "high", "next_step": "none"}

    return judge


def _withdraw_meanwhile(pier: Pier, token: str) -> Callable[..., dict[str, object]]:
    def judge(evidence: object, at: object) -> dict[str, object]:
        pier.withdraw(token)
        return {"outcome": "pass", "band": "high", "next_step": "none"}

    return judge


def _reasons(pier: Pier, index: int) -> tuple[str, ...]:
    """Open the true reasons, as the auditor may."""
    opened = reasons.reveal(index, "auditor", pier.house)
    assert not isinstance(opened, Refusal), opened
    return tuple(reason.code for reason in opened)


# --- who opens the true reason ----------------------------------------------------------------------


def test_a_reason_is_never_cut(pier: Pier) -> None:
    """All codes that a consent can fail with fit at once, and one is as long as all of them."""
    every = [Reason(code) for code in RULES if code.startswith("consent-")] + [Reason("not-answered")]
    assert len(every) > 12
    request = pier.number()
    sealed = [reasons.seal(some, request, pier.house) for some in (every, every[:1])]
    assert len({len(one) for one in sealed}) == 1
    opened = pier.house.vault.open(Sealed.REASON, base64.b64decode(sealed[0]), request.encode()).decode().strip()
    assert opened.split(",") == [reason.code for reason in every]


def test_many_reasons_at_once_reach_the_auditor_whole(pier: Pier) -> None:
    wrong = {"recipient": "rival", "service": "another", "purpose": "sales", "warned": False}
    token = pier.consent(CITIZEN_CREDIT, OTHER, items=_without_an_item(CITIZEN_CREDIT), **wrong)
    pier.decide(CITIZEN_CREDIT, KNOWN, consent=token)
    told = _reasons(pier, pier.house.book.size - 1)
    assert {
        "consent-other-recipient",
        "consent-other-service",
        "consent-other-purpose",
        "consent-other-subject",
        "consent-items-missing",
        "consent-warning-missing",
    } <= set(told)


def test_that_a_reason_was_opened_is_on_the_record(pier: Pier) -> None:
    pier.decide(CITIZEN_CREDIT, KNOWN)
    index = pier.house.book.size - 1
    assert _reasons(pier, index) == ("consent-missing",)
    last = pier.events()[-1]
    assert (last["kind"], last["by"], last["facts"]) == ("ledger.reason-opened", "auditor", {"entry": index})
    assert "consent-missing" not in json.dumps(pier.events()), "and the record does not tell it on"


@pytest.mark.parametrize("by", ["bank-analyst", "bureau-officer", "sysadmin", "secadmin", "auditadmin", "nobody", ""])
def test_nobody_but_an_auditor_opens_a_reason_and_trying_is_on_the_record(pier: Pier, by: str) -> None:
    pier.decide(CITIZEN_CREDIT, KNOWN)
    index = pier.house.book.size - 1
    told = reasons.reveal(index, by, pier.house)
    assert codes(told) == (["person-unknown"] if by in {"nobody", ""} else ["role-missing"])
    last = pier.events()[-1]
    assert (last["kind"], last["by"]) == ("ledger.refused", by or "-")
    assert last["facts"]["about"] == f"entry-{index}"  # type: ignore[index]


def test_a_citizen_id_where_an_entry_belongs_is_not_written_down(pier: Pier) -> None:
    reasons.reveal(int(KNOWN[:17]), "bank-analyst", pier.house)
    assert pier.events()[-1]["facts"]["about"] == "-"  # type: ignore[index]


def test_an_entry_without_a_sealed_reason_is_told(pier: Pier) -> None:
    before = pier.house.book.size
    for index in (0, before, 10**9):
        told = reasons.reveal(index, "auditor", pier.house)
        assert codes(told) == ["no-sealed-reason"]
        assert told.exit_status == 4  # type: ignore[union-attr]
    assert pier.house.book.size == before


def test_a_reason_moved_to_another_request_does_not_open(pier: Pier) -> None:
    sealed = reasons.seal([Reason("consent-missing")], pier.number(), pier.house)
    with pytest.raises(KeyFault):
        pier.house.vault.open(Sealed.REASON, base64.b64decode(sealed), pier.number().encode())


def test_the_auditor_opens_it_at_the_command_line(pier: Pier) -> None:
    pier.decide(CITIZEN_CREDIT, KNOWN)
    index = str(pier.house.book.size - 1)
    ran = pier.command("ledger", "reason", index, "--as", "auditor", "--lang", "en")
    assert ran.returncode == 0, ran
    assert ran.stdout.startswith("consent-missing  No consent came with this request.")
    data = json.loads(pier.command("ledger", "reason", index, "--as", "auditor", "--json").stdout)
    assert (data["entry"], [one["code"] for one in data["reasons"]]) == (int(index), ["consent-missing"])
    refused = pier.command("ledger", "reason", index, "--as", "bank-analyst", "--lang", "en")
    assert (refused.returncode, "role-missing" in refused.stdout) == (3, True)
    assert "consent" not in refused.stdout


# --- at the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [["--json"], ["--lang", "zh"], ["--lang", "en"]], ids=["json", "zh", "en"])
def test_the_command_line_says_the_same_bytes_with_the_same_status(pier: Pier, tmp_path, mode) -> None:
    """The installed service, with today's clock, as a bank's employee types it."""
    service = find_service("enterprise-credit")
    assert service is not None
    now = pier.reopened(utc_now)
    known = demo_truth.example_enterprise(pier.settled.city)
    other, unknown = "91370200MA0000001P", "91370200MA0000002M"
    said = set()
    # The enterprise service reads nothing that the credit law ties to a warning; a file beyond all bounds is not read.
    cases = [ask for case, (ask, _) in CASES.items() if case not in {"not warned", "a very long token"}]
    for number, ask in enumerate(cases):
        subject, token = ask(now, service, known, other, unknown)
        path = None if token is None else tmp_path / f"{number}.jws"
        if path is not None:
            path.write_text(str(token), encoding="utf-8")
        said.add(_decide(now, subject, path, mode))
    ((output, errors, status),) = said
    assert (errors, status) == ("", 3)
    assert "not-answered" in output


@pytest.mark.parametrize("content", [bytes(range(256)), b"x" * 100_000], ids=["no text", "beyond all bounds"])
def test_a_file_that_is_not_read_is_named_whoever_is_asked_about(pier: Pier, tmp_path, content: bytes) -> None:
    now, path = pier.reopened(utc_now), tmp_path / "consent.jws"
    path.write_bytes(content)
    asked_about = (demo_truth.example_enterprise(pier.settled.city), "91370200MA0000002M")
    ((_, _, status),) = {_decide(now, subject, path, ["--json"]) for subject in asked_about}
    assert status == 2


def test_the_command_line_answers_when_all_is_well(pier: Pier, tmp_path) -> None:
    """The control: the same call with a good consent is answered."""
    service = find_service("enterprise-credit")
    assert service is not None
    now = pier.reopened(utc_now)
    known = demo_truth.example_enterprise(pier.settled.city)
    path = tmp_path / "good.jws"
    path.write_text(now.consent(service, known), encoding="utf-8")
    output, _, status = _decide(now, known, path, ["--json"])
    assert status == 0
    assert json.loads(output)["status"] == "released"


def _decide(pier: Pier, subject: str, consent: object, mode: list[str]) -> tuple[str, str, int]:
    words = ["decide", "enterprise-credit", "--agreement", pier.agreements["credit"], "--as", "bank-analyst"]
    words += ["--home", str(pier.home), *mode, *([] if consent is None else ["--consent", str(consent)])]
    ran = CliRunner().invoke(app, words, input=json.dumps({"id": subject}))
    return ran.stdout, ran.stderr, ran.exit_code


def test_a_consent_of_a_person_is_none_of_an_enterprise(pier: Pier) -> None:
    service = find_service("enterprise-credit")
    assert service is not None
    token = pier.consent(CITIZEN_CREDIT, KNOWN, service=service.name, items=decide.reads_of(service, shelf.find))
    assert isinstance(consents.open(token, pier.house.clock()), Consent), "a good consent, of a person"
    assert codes(pier.decide(service, KNOWN, consent=token)) == ["not-answered"]
