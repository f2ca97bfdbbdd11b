# SPDX-License-Identifier: Apache-2.0
"""Somebody loses a part of the vault, or puts an older copy of it back, and everybody goes on as if nothing was missing.

Without the control the subject book begins anew where it ends: the next numbers are given twice, and people are
certified on the evidence of others.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.deliveries import GOOD, NEXT, deliver, describe, load, loaded, published_rows
from lib.pier import CITIZEN_CREDIT, WAGES
from zhanqiao.catalogue import high_water, shelf
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.scenarios import find_service
from zhanqiao.intake import quarantine
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.faults import KeyFault, VaultFault
from zhanqiao.vault.house import House

GONE = "subject book of person: numbers that were given are gone; put the newest copy of vault/subjects/person back"


def reopened(house: House) -> House:
    """Open the deployment anew, as a process does that never saw the book."""
    again = open_house(house.home, house.clock)
    assert isinstance(again, House)
    return again


def lose_all(house: House, _: Path) -> None:
    shutil.rmtree(house.home / "vault" / "subjects")


def lose_the_last(house: House, _: Path) -> None:
    books = list((house.home / "vault" / "subjects" / "person").glob("*.book"))
    max(books, key=lambda path: int(path.stem.partition("-")[2])).unlink()


def restore_the_book(house: House, copy: Path) -> None:
    shutil.rmtree(house.home / "vault" / "subjects", ignore_errors=True)
    shutil.copytree(copy / "subjects", house.home / "vault" / "subjects")


def restore_the_vault(house: House, copy: Path) -> None:
    shutil.rmtree(house.home / "vault")
    shutil.copytree(copy, house.home / "vault")


@pytest.mark.parametrize("lose", [lose_all, lose_the_last, restore_the_book, restore_the_vault])
def test_no_number_is_given_by_a_book_that_is_lost_or_older(
    house: House, tmp_path: Path, lose: Callable[[House, Path], None]
) -> None:
    describe(house, "append")
    loaded(house, deliver(tmp_path, *GOOD[:2], name="a.csv"))
    shutil.copytree(house.home / "vault", tmp_path / "copy")
    loaded(house, deliver(tmp_path, GOOD[2], name="b.csv"))
    before = shelf.snapshot_of("enrolment")
    lose(house, tmp_path / "copy")
    again = reopened(house)
    for _ in range(2):
        with pytest.raises(VaultFault, match=GONE):
            load(again, deliver(tmp_path, NEXT, name="c.csv"))
    assert shelf.snapshot_of("enrolment") == before
    assert high_water.mark_of("subjects/person") == 3


def test_a_book_that_was_put_back_is_gone_on_with(house: House, tmp_path: Path) -> None:
    describe(house, "append")
    loaded(house, deliver(tmp_path, *GOOD[:2], name="a.csv"))
    shutil.copytree(house.home / "vault", tmp_path / "copy")
    lose_all(house, tmp_path)
    with pytest.raises(VaultFault, match=GONE):
        load(reopened(house), deliver(tmp_path, NEXT, name="c.csv"))
    restore_the_book(house, tmp_path / "copy")
    loaded(reopened(house), deliver(tmp_path, NEXT, name="c.csv"))
    assert sorted(row["person_id"] for row in published_rows(house)) == [0, 1, 2]


def test_nobody_is_decided_on_with_a_lost_book(pier) -> None:
    pension, person = find_service("silent-certification"), WAGES[60].id
    consent = pier.consent(CITIZEN_CREDIT, person)
    pensioners, released = pier.pensioners()[:3], len(pier.events("decisions.released"))
    lose_all(pier.house, pier.home)
    after = pier.reopened()
    asked: list[Callable[[], object]] = [
        lambda: after.decide(CITIZEN_CREDIT, person, consent=consent),
        lambda: after.batch(pension, pensioners),
        lambda: after.decide(pension, pensioners[0], by="hrss-officer", agreement="pension"),
    ]
    for ask in asked:
        with pytest.raises(VaultFault, match=GONE):
            ask()
    assert len(pier.events("decisions.released")) == released
    with pytest.raises(VaultFault, match="of enterprise: numbers that were given are gone"):
        after.house.vault._subjects.count(SubjectKind.ENTERPRISE)


# --- direct identifiers, and bad rows ---------------------------------------------------------------


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_identity_file_is_named_and_none_is_written_over(house: House, tmp_path: Path, missing: int) -> None:
    """Without the control, the load after that takes the name of the newest file for its own."""
    describe(house, "append")
    for place in range(3):
        loaded(house, deliver(tmp_path, GOOD[place], name=f"{place}.csv"))
    folder = house.home / "vault" / "identities" / "person"
    (folder / f"{missing:08d}.sealed").unlink()
    left = {path.name: path.read_bytes() for path in folder.glob("*.sealed")}
    with pytest.raises(VaultFault, match=f"identity store of person: {missing:08d}.sealed is missing"):
        load(house, deliver(tmp_path, NEXT, name="c.csv"))
    assert {path.name: path.read_bytes() for path in folder.glob("*.sealed")} == left


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: shutil.rmtree(path.parent)])
def test_a_missing_quarantine_is_named(house: House, tmp_path: Path, lose: Callable[[Path], None]) -> None:
    """Without the control, a load with bad rows looks like one without."""
    describe(house)
    report = loaded(house, deliver(tmp_path, *GOOD, "x,,,,,,"))
    part = house.home / "quarantine" / "enrolment" / report.snapshot / "000000.sealed"
    assert len(list(quarantine.read(house, "enrolment", report.snapshot))) == 1
    lose(part)
    with pytest.raises(VaultFault, match=f"quarantine of {report.snapshot}: 000000.sealed is missing"):
        list(quarantine.read(house, "enrolment", report.snapshot))


def test_a_damaged_quarantine_is_named(house: House, tmp_path: Path) -> None:
    describe(house)
    report = loaded(house, deliver(tmp_path, *GOOD, "x,,,,,,"))
    damage(house.home / "quarantine" / "enrolment" / report.snapshot / "000000.sealed")
    with pytest.raises(KeyFault, match="sealed quarantine: wrong key, damaged"):
        list(quarantine.read(house, "enrolment", report.snapshot))


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
