# SPDX-License-Identifier: Apache-2.0
"""A log that an earlier version began is told from one that somebody altered, and what it does not say is no fault."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connections

from lib.pier import CITIZEN_CREDIT, WAGES, Pier, command_line, released
from lib.town import codes, done
from zhanqiao.agreements.replay import AgreementsReplay
from zhanqiao.catalogue.replay import ShelfReplay
from zhanqiao.desk.audit import audit
from zhanqiao.desk.operation.backup import back_up
from zhanqiao.desk.operation.restore import restore
from zhanqiao.identity.register import FOUNDER
from zhanqiao.identity.replay import RegisterReplay
from zhanqiao.ledger.entries import LedgerDamaged, LedgerOlder, LoggedEvent, read_leaf
from zhanqiao.ledger.replay import compare_state
from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.events import Event
from zhanqiao.vault.house import House


@pytest.fixture
def older(house: House) -> House:
    """A deployment that was founded before the founding said what for."""
    facts: dict[str, object] = {"organisation": "bureau", "kind": "authority", "binding": "-"}
    with house.book.recording(Event("identity.organisation-registered", FOUNDER, facts=facts)):
        pass
    return house


def test_a_log_that_an_earlier_version_began_is_called_so(older: House) -> None:
    with pytest.raises(LedgerOlder, match="the founding with bureau names no profile"):
        audit(older)


def test_the_command_says_what_to_do(older: House) -> None:
    command = command_line("ledger", "audit", "--lang", "en", "--home", str(older.home))
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 1
    assert "ledger-older" in ran.stdout
    assert "Found a new deployment" in ran.stdout
    assert "Exception" not in ran.stderr


def test_its_backup_is_called_so_too(older: House, tmp_path: Path) -> None:
    shutil.copytree(older.home / "keys", tmp_path / "keys")
    done(back_up(older, tmp_path / "b.tar"))
    connections.close_all()
    home = tmp_path / "restored"
    assert codes(restore(tmp_path / "b.tar", home, tmp_path / "keys", None)) == ["ledger-older"]
    assert not home.exists()


def told_without(kind: str, fact: str, events: Iterator[LoggedEvent]) -> Iterator[LoggedEvent]:
    """Tell a log without one fact of one kind of event, as a version did that did not know it yet."""
    for event in events:
        said = read_leaf(event.leaf)
        facts = said.get("facts")
        if event.kind == kind and isinstance(facts, dict):
            kept = {name: value for name, value in facts.items() if name != fact}
            yield replace(event, leaf=canonical({**said, "facts": kept}))
        else:
            yield event


@pytest.mark.parametrize(
    ("kind", "fact"),
    [
        ("statistics.released", "contract"),
        ("statistics.released", "read"),
        ("consent.used", "binding"),
        ("intake.published", "segments"),
    ],
)
def test_a_leaf_that_lacks_what_it_is_judged_by_passes_for_nothing(pier: Pier, kind: str, fact: str) -> None:
    released(pier.ask("SELECT count(*) AS n FROM pension_enrolment"))
    released(pier.decide(CITIZEN_CREDIT, WAGES[60].id, consent=pier.consent(CITIZEN_CREDIT, WAGES[60].id)))
    told = list(told_without(kind, fact, pier.house.book.events()))
    register, shelf = RegisterReplay(), ShelfReplay()
    with pytest.raises(LedgerOlder, match=f"{kind}, does not say '{fact}'"):
        compare_state(told, [register, shelf, AgreementsReplay(register, shelf.described)])


def test_a_withdrawal_that_names_no_binding_is_damage(pier: Pier) -> None:
    """Nor is it one for somebody who has no key: nothing is not the same as nothing."""
    facts: dict[str, object] = {"issuer": "nobody", "nonce": "1"}
    with pier.house.book.recording(Event("consent.withdrawn", "bank-analyst", facts=facts)):
        pass
    with pytest.raises(LedgerDamaged, match=r"consent\.withdrawn by bank-analyst, .*: consent-signature-wrong"):
        audit(pier.house)
