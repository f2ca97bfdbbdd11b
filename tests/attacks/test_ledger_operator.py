# SPDX-License-Identifier: Apache-2.0
"""Attack: the operator, who has disk and keys, edits the log, rolls it back, or keeps two. Two witnesses watch.

1,000 tamperings of state, tiles, checkpoints, certificates and what witnesses signed; each is found by `audit` or by asking
the witnesses, and none is repaired silently. What one person with all keys can do to a log that nobody else remembers
is shown first: without witnesses the same rewriting passes.
"""

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connections

from conftest import Clock
from lib.ledger_cases import request_id, work
from lib.witnessing import found_witnesses, log_of, seat
from zhanqiao.desk.deployment import open_house
from zhanqiao.ledger.book import Book
from zhanqiao.ledger.certificate import parse
from zhanqiao.ledger.cosigning import Witness
from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.ledger.note import read_lines
from zhanqiao.ledger.witnesses import COSIGNED, QUORUM
from zhanqiao.terms.events import Event

SIZE, EARLIER, RELEASES = 300, 200, 3


def log_events(book: Book, count: int, word: str) -> None:
    for number in range(count):
        with book.recording(Event("test.done", "tester", facts={word: number})):
            pass


def grown(book: Book, size: int, word: str = "number") -> None:
    log_events(book, size - book.size, word)
    book.publish()


@pytest.fixture(scope="module")
def told(empty_home, tmp_path_factory) -> Iterator[tuple[Path, Path, Path]]:
    """A cosigned log of 300 entries, the same when it had 200, and the witnesses' folders."""
    folder, clock = tmp_path_factory.mktemp("told"), Clock()
    home = folder / "home"
    shutil.copytree(empty_home, home)
    witnesses = found_witnesses(folder / "witnesses", home, clock, "court", "bank")
    house = open_house(home, clock)
    seat(house, witnesses, clock)
    for number in range(RELEASES):
        work(house.book, number)
        log_events(house.book, 40, "early")
    grown(house.book, EARLIER)
    connections.close_all()
    shutil.copytree(home, folder / "earlier")
    house = open_house(home, clock)
    seat(house, witnesses, clock)
    grown(house.book, SIZE)
    house.book.cosign()
    connections.close_all()
    return home, folder / "earlier", folder / "witnesses"


class Stage:
    """A copy of the log that can be put back after each tampering."""

    def __init__(self, told: tuple[Path, Path, Path], folder: Path) -> None:
        self.whole, self.earlier, watching = told
        self.home = folder / "home"
        self.clock = Clock()
        shutil.copytree(self.whole, self.home)
        shutil.copytree(watching, folder / "witnesses")
        self.witnesses = {name: Witness(folder / "witnesses" / name, self.clock) for name in ("court", "bank")}

    def back(self) -> None:
        connections.close_all()
        shutil.rmtree(self.home)
        shutil.copytree(self.whole, self.home)

    def house(self, *, witnessed: bool = True):
        house = open_house(self.home, self.clock)
        if witnessed:
            seat(house, self.witnesses, self.clock)
        return house

    def finding(self, *, witnessed: bool = True) -> str | None:
        """Do what a nightly job does; return what is found."""
        try:
            book = self.house(witnessed=witnessed).book
            book.audit()
            book.cosign()
        except LedgerDamaged as damage:
            return str(damage)
        finally:
            connections.close_all()
        return None

    def sql(self, *statements: str) -> None:
        with sqlite3.connect(self.home / "state.sqlite3") as state:
            for statement in statements:
                state.execute(statement)
            assert state.total_changes > 0
        state.close()

    def files(self) -> list[Path]:
        """Return the files of the ledger."""
        return sorted(path for path in (self.home / "ledger").rglob("*") if path.is_file() and path.name != "lock")

    def needed(self) -> list[Path]:
        """Return those that have to be there: neither what is kept for a repetition, nor tiles of a former size."""
        every = [path for path in self.files() if path.suffix != ".cert" and path.name not in (COSIGNED, QUORUM)]
        return [path for path in every if ".p" not in path.parent.name or path.name in ("44", "1")]


@pytest.fixture
def stage(told, tmp_path):
    yield Stage(told, tmp_path)
    connections.close_all()


# --- tamperings -------------------------------------------------------------------------------------

Tamper = Callable[[Stage, random.Random], bool]


def a_bit(stage: Stage, dice: random.Random) -> bool:
    path = dice.choice(stage.files())
    content = bytearray(path.read_bytes())
    at = dice.randrange(len(content))
    content[at] ^= 1 << dice.randrange(8)
    if path.suffix == ".cert" and _only_a_strangers_line(path.read_bytes(), bytes(content), stage):
        return False
    path.write_bytes(content)
    return True


def _only_a_strangers_line(before: bytes, after: bytes, stage: Stage) -> bool:
    """A witness's line that became some stranger's: readers must ignore it, so it is less of a certificate, not a false one."""
    try:
        text, lines = read_lines(parse(after).note)
    except ValueError:
        return False
    old_text, old_lines = read_lines(parse(before).note)
    lost = [line for line in old_lines if line not in lines]
    strange = [line for line in lines if line not in old_lines]
    known = [log_of(stage.home), *(one.verifier for one in stage.witnesses.values())]
    same = before.removesuffix(parse(before).note) == after.removesuffix(parse(after).note) and text == old_text
    log_is_there = not any(line.claims(known[0]) for line in lost)
    return same and log_is_there and not any(line.claims(key) for line in strange for key in known)


def cut_off(stage: Stage, dice: random.Random) -> bool:
    path = dice.choice(stage.files())
    content = path.read_bytes()
    at = dice.randrange(len(content))
    if content[:at].endswith(b"\n"):
        at -= 1  # lines left out whole are another matter, and a note without a cosignature is a note
    path.write_bytes(content[: max(at, 0)])
    return True


def a_file_of_another(stage: Stage, dice: random.Random) -> bool:
    one, other = dice.sample(stage.files(), 2)
    if {one.name, other.name} <= {"checkpoint", COSIGNED, QUORUM}:
        return False  # of one size: either is what the other says
    one.write_bytes(other.read_bytes())
    return True


def a_file_removed(stage: Stage, dice: random.Random) -> bool:
    dice.choice(stage.needed()).unlink()
    return True


def an_older_file(stage: Stage, dice: random.Random) -> bool:
    name = dice.choice(["checkpoint", "tile/entries/000.p/200", "tile/0/000.p/200"])
    to = {"checkpoint": "checkpoint", "tile/entries/000.p/200": "tile/entries/000", "tile/0/000.p/200": "tile/0/000"}
    shutil.copy(stage.earlier / "ledger" / name, stage.home / "ledger" / to[name])
    return True


def a_column(stage: Stage, dice: random.Random) -> bool:
    column, value = dice.choice(
        [
            ("kind", "'test.other'"),
            ("by", f"'{dice.choice(['somebody', '', 'tester '])}'"),
            ("request", f"'{request_id(dice.randrange(9, 99))}'"),
            ("time", "'2026-11-25 09:00:01+00:00'"),
            ("leaf", f"CAST(leaf || '{dice.randrange(10)}' AS BLOB)"),
            ("leaf", "CAST(replace(leaf, 'e', 'f') AS BLOB)"),
        ]
    )
    stage.sql(f'UPDATE ledger_entry SET "{column}" = {value} WHERE "index" = {dice.randrange(SIZE)}')
    return True


def rows_removed(stage: Stage, dice: random.Random) -> bool:
    first = dice.randrange(SIZE)
    stage.sql(f'DELETE FROM ledger_entry WHERE "index" BETWEEN {first} AND {first + dice.choice([0, 0, 3, SIZE])}')
    return True


def rows_swapped(stage: Stage, dice: random.Random) -> bool:
    one, other = dice.sample(range(SIZE), 2)
    stage.sql(
        f'UPDATE ledger_entry SET "index" = -1 WHERE "index" = {one}',
        f'UPDATE ledger_entry SET "index" = {one} WHERE "index" = {other}',
        f'UPDATE ledger_entry SET "index" = {other} WHERE "index" = -1',
    )
    return True


def a_request(stage: Stage, dice: random.Random) -> bool:
    request = request_id(dice.randrange(RELEASES))
    change = dice.choice(
        [
            f"UPDATE ledger_request SET memo = x'{dice.randbytes(4).hex()}' WHERE id = '{request}'",
            f"UPDATE ledger_request SET digest = 'other' WHERE id = '{request}'",
            f"UPDATE ledger_request SET \"index\" = {dice.randrange(200, SIZE)} WHERE id = '{request}'",
            f"DELETE FROM ledger_request WHERE id = '{request}'",
        ]
    )
    stage.sql(change)
    return True


def state_rolled_back(stage: Stage, dice: random.Random) -> bool:
    _put(stage, "state.sqlite3")
    return True


def everything_rolled_back(stage: Stage, dice: random.Random) -> bool:
    """The disk as it was, keys, state, tiles and signatures: nothing on it contradicts anything."""
    _put(stage, "state.sqlite3", "ledger")
    if dice.random() < 0.5:
        house = stage.house(witnessed=False)
        grown(house.book, EARLIER + dice.randrange(1, 30), "anew")
    return True


def grown_anew(stage: Stage, dice: random.Random) -> bool:
    """Rolled back and written on, to more than the witnesses know: another history, signed with the log's own key."""
    _put(stage, "state.sqlite3", "ledger")
    grown(stage.house(witnessed=False).book, SIZE + dice.choice([0, 0, 1, 20]), f"anew {dice.randrange(10**6)}")
    return True


def _put(stage: Stage, *names: str) -> None:
    connections.close_all()
    for name in names:
        here = stage.home / name
        for path in [here, *stage.home.glob(f"{name}-*")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        source = stage.earlier / name
        shutil.copytree(source, here) if source.is_dir() else shutil.copy(source, here)


CHEAP: list[Tamper] = [
    a_bit,
    a_bit,
    a_bit,
    cut_off,
    a_file_of_another,
    a_file_removed,
    an_older_file,
    a_column,
    a_column,
    rows_removed,
    rows_swapped,
    a_request,
    state_rolled_back,
    everything_rolled_back,
    grown_anew,
]


@pytest.mark.parametrize("count", [60, pytest.param(1_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(1_200)
def test_of_1000_tamperings_all_are_found(stage, count):
    dice, missed, kinds = random.Random(20261125), [], Counter()
    assert stage.finding() is None, "untouched it is clean"
    number = 0
    while number < count:
        stage.back()
        tamper = CHEAP[number % len(CHEAP)]
        if not tamper(stage, dice):
            continue
        number += 1
        kinds[tamper.__name__] += 1
        if stage.finding() is None:
            missed.append((number, tamper.__name__))
    assert missed == []
    print(f"{count} tamperings found: {dict(kinds)}")


# --- what witnesses alone can find ------------------------------------------------------------------


@pytest.mark.parametrize("rewriting", [everything_rolled_back, grown_anew])
def test_without_witnesses_an_operator_with_all_keys_is_not_found(stage, rewriting):
    rewriting(stage, random.Random(1))
    for name in (COSIGNED, QUORUM):
        (stage.home / "ledger" / name).unlink()
    assert stage.finding(witnessed=False) is None
    assert stage.finding() is not None


def test_a_disk_that_was_rolled_back_answers_nothing_more(stage):
    everything_rolled_back(stage, random.Random(0))
    book = stage.house().book
    with pytest.raises(LedgerDamaged, match=r"witness (court|bank) cosigned 300 entries .* it was rolled back"):
        work(book, 50)
    assert not list((stage.home / "ledger" / "certificates").glob(f"{book.size:012d}.cert"))


@pytest.mark.parametrize("size", [SIZE, SIZE + 50])
def test_a_log_that_was_grown_anew_is_named_a_fork(stage, size):
    _put(stage, "state.sqlite3", "ledger")
    grown(stage.house(witnessed=False).book, size, "anew")
    found = stage.finding()
    assert found is not None
    assert "cosigned 300 entries of this log that are not the first 300 on the disk: a fork" in found


def test_two_deployments_with_one_key_cannot_both_be_cosigned(stage, tmp_path):
    """One for the bank and one for the regulator: whoever comes second is refused by both witnesses."""
    grown(stage.house().book, SIZE + 10, "for the bank")
    connections.close_all()
    first = {one.memory(log_of(stage.home).name).checkpoint for one in stage.witnesses.values()}
    stage.back()
    with pytest.raises(LedgerDamaged, match=r"rolled back|a fork"):
        grown(stage.house().book, SIZE + 20, "for the regulator")
    assert {one.memory(log_of(stage.home).name).checkpoint for one in stage.witnesses.values()} == first


def test_damaged_tiles_are_not_blamed_on_the_witness(stage):
    grown(stage.house(witnessed=False).book, SIZE + 10)
    path = stage.home / "ledger" / "tile" / "0" / "001.p" / "54"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    (stage.home / "ledger" / "cosigned").unlink()
    with pytest.raises(LedgerDamaged, match="the tiles are damaged"):
        stage.house().book.cosign()
