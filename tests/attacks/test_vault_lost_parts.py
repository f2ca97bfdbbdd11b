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
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.faults import VaultFault
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
