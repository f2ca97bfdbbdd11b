# SPDX-License-Identifier: Apache-2.0
"""A request id names files and log entries: what could leave its folder, forge a line or fill a disk is no id.

Refused before anything is opened, at the command line and again at the doors.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from lib.pier import CITIZEN_CREDIT, WAGES, Pier, released
from lib.town import codes
from zhanqiao.desk.scenarios import find_service
from zhanqiao.ledger.book import new_request_id
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.requests import RequestId
from zhanqiao.vault.faults import KeyFault

STATEMENT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"
GOOD = "0123456789abcdef" * 2

BAD = {
    "empty": "",
    "parent folder": "../x",
    "parent folder, padded": "../" + "a" * 29,
    "absolute": "/tmp/" + "a" * 27,
    "dot": ".",
    "separator inside": GOOD[:15] + "/" + GOOD[16:],
    "windows separator": GOOD[:15] + "\\" + GOOD[16:],
    "newline after it": GOOD + "\n",
    "newline inside": GOOD[:31] + "\n",
    "escape": "\x1b[2J" + GOOD[4:],
    "bell": GOOD[:31] + "\x07",
    "upper case": GOOD.upper(),
    "too short": GOOD[:31],
    "too long": GOOD + "0",
    "ten kilobytes": "a" * 10_000,
    "full-width digits": "\uff10" * 32,
    "arabic digits": "\u0660" * 32,
    "space before": " " + GOOD[:31],
    "prefix": "0x" + GOOD[:30],
    "dashes": "01234567-89ab-cdef-0123-456789abcdef",
    "markup": "[red]" + GOOD[5:],
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_no_other_text_becomes_a_request_id(text: str) -> None:
    refusal = RequestId.parse(text)
    assert isinstance(refusal, Refusal)
    assert (codes(refusal), refusal.exit_status) == (["request-id-malformed"], 2)
    assert all(not reason.facts for reason in refusal.reasons), "what was typed is not printed again"
    with pytest.raises(ValueError, match="couldn't take a request id"):
        RequestId(text)


@pytest.mark.parametrize("text", ["37020219400101123437020219400101", "0" * 14 + "370202194001011234", "1" * 32])
def test_a_number_padded_to_an_id_is_refused_and_kept_nowhere(pier: Pier, text: str) -> None:
    """Its digits are hexadecimal, too: a citizen's id would stand in the log for ever."""
    refusal = RequestId.parse(text)
    assert isinstance(refusal, Refusal)
    assert (codes(refusal), refusal.exit_status) == (["request-id-not-random"], 2)
    assert text not in f"{refusal.reasons[0].message('en')} {refusal.reasons[0].remedy('zh')}"
    words = ("ask", STATEMENT, "--agreement", pier.agreements["few"], "--as", "bank-analyst", "--request", text)
    size = pier.house.book.size
    ran = pier.command(*words, "--lang", "en")
    assert (ran.returncode, "request-id-not-random" in ran.stdout) == (2, True), ran.stdout + ran.stderr
    assert all(text not in str(event) for event in pier.house.book.events(size))


def test_no_id_is_given_out_that_could_not_be_given_again() -> None:
    throws = iter([bytes.fromhex("12" * 16), bytes.fromhex("ab" * 16)])
    assert new_request_id(lambda _: next(throws)) == "ab" * 16


def test_a_good_id_is_taken_as_it_is() -> None:
    assert RequestId.parse(GOOD) == RequestId(GOOD) == GOOD


@pytest.mark.parametrize("door", ["statistics", "decisions", "batch"])
def test_the_doors_refuse_what_is_no_request_id_and_log_nothing(pier: Pier, door: str) -> None:
    """A caller that is not held by our types hands a text over."""
    service = find_service("silent-certification")
    assert service is not None
    token, ids = pier.consent(CITIZEN_CREDIT, WAGES[60].id), pier.pensioners()[:3]
    asking = {
        "statistics": lambda request: pier.ask(STATEMENT, request=request),
        "decisions": lambda request: pier.decide(CITIZEN_CREDIT, WAGES[60].id, consent=token, request=request),
        "batch": lambda request: pier.batch(service, ids, request=request),
    }[door]
    before = pier.house.book.size
    for text in filter(None, BAD.values()):
        assert codes(asking(text)) == ["request-id-malformed"]
    assert pier.house.book.size == before
    assert not any(map(pier.spent, ("statistics", "credit", "pension")))
    released(asking(pier.number()))


@pytest.mark.parametrize("case", ["parent folder", "upper case", "ten kilobytes", "escape", "empty"])
@pytest.mark.parametrize("door", ["ask", "decide", "batch"])
def test_the_command_line_refuses_it_before_it_reads_anything(pier: Pier, door: str, case: str) -> None:
    before, files = pier.house.book.size, sorted(pier.home.rglob("*"))
    words = {
        "ask": ("ask", STATEMENT, "--agreement", pier.agreements["statistics"], "--as", "bank-analyst"),
        "decide": ("decide", "enterprise-credit", "--agreement", pier.agreements["credit"], "--as", "bank-analyst"),
        "batch": ("decide", "silent-certification", "--batch", "--agreement", "any", "--as", "hrss-officer"),
    }[door]
    ran = pier.command(*words, f"--request={BAD[case]}", "--lang", "en")
    assert ran.returncode == 2, ran
    assert "request-id-malformed" in ran.stdout
    assert "32 lower-case hexadecimal digits" in ran.stdout
    assert "\x1b" not in ran.stdout
    assert len(ran.stdout) < 500
    assert pier.house.book.size == before
    assert sorted(pier.home.rglob("*")) == files, "no file was made, in the answers' folder or beside it"


def test_another_organisations_id_gives_neither_its_answer_nor_its_files(pier: Pier) -> None:
    """A well-formed id of somebody else is an id: whose answer it is decides, not the form."""
    theirs = released(pier.ask(STATEMENT))
    told = pier.ask(STATEMENT, by="rival-analyst", agreement="rival", request=theirs.request)
    assert codes(told) == ["request-id-taken"]
    words = ("ask", STATEMENT, "--agreement", pier.agreements["rival"], "--as", "rival-analyst")
    ran = pier.command(*words, "--request", theirs.request, "--lang", "en")
    assert (ran.returncode, "request-id-taken" in ran.stdout) == (3, True)
    assert not (pier.home / "answers" / f"{theirs.request}.cert").exists()
    assert pier.spent("rival") == 0


def test_an_answer_that_is_kept_opens_for_its_own_question_alone(pier: Pier) -> None:
    """Who writes the row of a released request makes it another question's, asks that, and puts the row back."""
    theirs, mine = pier.number(), pier.number()
    released(pier.ask(STATEMENT, request=theirs))
    released(pier.ask(STATEMENT, agreement="rival", by="rival-analyst", request=mine))
    with edited(pier) as state:
        [kept] = state.execute('SELECT digest, memo, "index" FROM ledger_request WHERE id = ?', [theirs])
        state.execute(
            "UPDATE ledger_request SET digest = (SELECT digest FROM ledger_request WHERE id = ?) WHERE id = ?",
            [mine, theirs],
        )
    with pytest.raises(KeyFault):
        pier.ask(STATEMENT, agreement="rival", by="rival-analyst", request=theirs)
    # Nor with the kept answer laid into a row of one's own.
    with edited(pier) as state:
        state.execute("UPDATE ledger_request SET digest = ? WHERE id = ?", [kept[0], theirs])
        state.execute('UPDATE ledger_request SET memo = ?, "index" = ? WHERE id = ?', [*kept[1:], mine])
    with pytest.raises(KeyFault):
        pier.ask(STATEMENT, agreement="rival", by="rival-analyst", request=mine)
    released(pier.ask(STATEMENT, request=theirs))


@contextmanager
def edited(pier: Pier) -> Iterator[sqlite3.Connection]:
    """Write the state as somebody does who has its file alone."""
    with closing(sqlite3.connect(pier.home / "state.sqlite3")) as state, state:
        yield state
