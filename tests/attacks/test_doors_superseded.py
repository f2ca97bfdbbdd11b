# SPDX-License-Identifier: Apache-2.0
"""What an answer is read from changes while it is read: a new delivery voids nothing, a new description lets nothing out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lib.pier import CITIZEN_CREDIT, WAGES, Pier, released, write_wages
from lib.town import CONTRACTS, codes, done
from zhanqiao.desk.audit import audit
from zhanqiao.desk.stewardship import deliver, describe
from zhanqiao.vault.vault import Vault

COUNT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"
Change = Callable[[], object]


def after(monkeypatch: pytest.MonkeyPatch, step: str, change: Change) -> None:
    """Let something happen right after a step of the vault."""
    real = getattr(Vault, step)

    def and_then(vault: Vault, *given: object) -> object:
        found = real(vault, *given)
        change()
        return found

    monkeypatch.setattr(Vault, step, and_then)


def delivery(pier: Pier, folder: Path) -> Change:
    """The next delivery, and then a long wait: a machine that was asleep."""

    def change() -> None:
        done(deliver(pier.house, "pension_enrolment", [write_wages(folder / "more.csv", WAGES[1:])], "hrss-officer"))
        pier.house.clock.forward(minutes=20)

    return change


def description(pier: Pier) -> Change:
    text = (CONTRACTS / "pension_enrolment.odcs.yaml").read_text(encoding="utf-8")
    newer = text.replace("version: 1.0.0", "version: 1.0.1").encode()
    return lambda: done(describe(pier.house, newer, "hrss-officer", withdraw=True))


@pytest.mark.parametrize("door", ["statistics", "decisions"])
def test_a_delivery_meanwhile_is_no_false_alarm(pier: Pier, tmp_path, monkeypatch, door: str) -> None:
    token = pier.consent(CITIZEN_CREDIT, WAGES[60].id)
    after(monkeypatch, {"statistics": "run", "decisions": "evidence"}[door], delivery(pier, tmp_path))
    if door == "statistics":
        released(pier.ask(COUNT))
    else:
        released(pier.decide(CITIZEN_CREDIT, WAGES[60].id, consent=token))
    audit(pier.house)


@pytest.mark.parametrize("door", ["statistics", "decisions"])
def test_a_description_meanwhile_lets_nothing_out(pier: Pier, monkeypatch, door: str) -> None:
    token, request = pier.consent(CITIZEN_CREDIT, WAGES[60].id), pier.number()
    after(monkeypatch, {"statistics": "run", "decisions": "evidence"}[door], description(pier))
    if door == "statistics":
        assert codes(pier.ask(COUNT, request=request)) == ["dataset-changed"]
    else:
        assert codes(pier.decide(CITIZEN_CREDIT, WAGES[60].id, consent=token, request=request)) == ["dataset-changed"]
    record = pier.house.book.request(request)
    assert record is None or not record.released
    audit(pier.house)


def test_an_old_charge_opens_no_old_snapshot(pier: Pier, tmp_path, monkeypatch) -> None:
    """Charged long ago, broken off, and asked again: it is answered from what is published now."""
    request = pier.number()
    with monkeypatch.context() as broken:
        broken.setattr(Vault, "run", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            pier.ask(COUNT, request=request)
    delivery(pier, tmp_path)()
    answer = released(pier.ask(COUNT, request=request)).answer
    assert answer["snapshot"] == released(pier.ask(COUNT)).answer["snapshot"]
    audit(pier.house)
