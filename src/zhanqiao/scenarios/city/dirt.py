# SPDX-License-Identifier: Apache-2.0
"""Dirt as departments deliver it: broken copies of good rows, each wrong in one known way.

Good rows stay as they are, so that the planted truth about people and enterprises holds whatever intake does with the
dirt; but who cannot tell a row from its duplicate may set both aside. A contract decides what can be wrong: only a
dataset with a date has impossible dates.
"""

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zhanqiao.terms.datasets import Dataset, Item, LogicalType
from zhanqiao.terms.subjects import SubjectKind

# Every dataset has a share of dirt in between.
LEAST, MOST = 0.003, 0.01

_CHECKS = {SubjectKind.PERSON: "0123456789X", SubjectKind.ENTERPRISE: "0123456789ABCDEFGHJKLMNPQRTUWXY"}
_NO_DAYS = ("2025-02-30", "2026-13-01", "2024-04-31", "0000-00-00", "2023-02-29")
_NO_CODES = ("未知", "99", "其它类", "NULL")
_NO_AMOUNT = "-99999999999"


@dataclass(frozen=True)
class _Kind:
    """One way to be wrong: the items it can strike, and the row that comes out."""

    strikes: Callable[[Item], bool]
    spoil: Callable[[list[str], int, Item, np.random.Generator], list[str]]


def _replaced(row: list[str], place: int, value: str) -> list[str]:
    return [*row[:place], value, *row[place + 1 :]]


def _bad_check_digit(row: list[str], place: int, item: Item, dice: np.random.Generator) -> list[str]:
    assert item.subject is not None, "only subjects have check digits"
    letters = _CHECKS[item.subject].replace(row[place][-1], "")
    return _replaced(row, place, row[place][:-1] + letters[dice.integers(len(letters))])


def _impossible_date(row: list[str], place: int, item: Item, dice: np.random.Generator) -> list[str]:
    del item
    return _replaced(row, place, _NO_DAYS[dice.integers(len(_NO_DAYS))])


def _outside_domain(row: list[str], place: int, item: Item, dice: np.random.Generator) -> list[str]:
    wrong = [code for code in _NO_CODES if code not in item.domain]
    return _replaced(row, place, wrong[dice.integers(len(wrong))])


def _outside_bounds(row: list[str], place: int, item: Item, dice: np.random.Generator) -> list[str]:
    del item, dice
    return _replaced(row, place, _NO_AMOUNT)


def _missing_key(row: list[str], place: int, item: Item, dice: np.random.Generator) -> list[str]:
    del item, dice
    return _replaced(row, place, "")


def _duplicate(row: list[str], place: int, item: Item, dice: np.random.Generator) -> list[str]:
    del place, item, dice
    return row


def _shifted_columns(row: list[str], place: int, item: Item, dice: np.random.Generator) -> list[str]:
    """Everything stands one column to the right, the last value in the first."""
    del place, item, dice
    return [row[-1], *row[:-1]]


def _torn(row: list[str], place: int, item: Item, dice: np.random.Generator) -> list[str]:
    """A separator too many or a field too few."""
    del item
    return [*row[:place], "", *row[place:]] if dice.random() < 0.5 else row[:-1]


KINDS: dict[str, _Kind] = {
    "bad_check_digit": _Kind(lambda item: item.subject is not None, _bad_check_digit),
    "impossible_date": _Kind(lambda item: item.type is LogicalType.DATE, _impossible_date),
    "outside_domain": _Kind(lambda item: bool(item.domain), _outside_domain),
    "outside_bounds": _Kind(lambda item: item.bounds is not None, _outside_bounds),
    "missing_key": _Kind(lambda item: item.subject is not None and item.required, _missing_key),
    # Only where one row per subject is promised can anybody tell a duplicate from two equal events.
    "duplicate": _Kind(lambda item: item.subject is not None and item.unique, _duplicate),
    "shifted_columns": _Kind(lambda item: item.subject is not None, _shifted_columns),
    "torn": _Kind(lambda item: item.subject is not None, _torn),
}


@dataclass(frozen=True)
class Dirtied:
    """The rows of a file with dirt among them, and how much of each kind."""

    lines: bytes
    dirty: dict[str, int]


def plant(lines: bytes, dataset: Dataset, dice: np.random.Generator, day: Callable[[str], str]) -> Dirtied:
    """Return CSV lines with broken copies strewn among them; `day` writes an ISO date as this department does."""
    octets = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(octets == ord("\n")) + 1
    count = round(len(ends) * dice.uniform(LEAST, MOST))
    if not count:
        return Dirtied(lines, {})
    starts = np.r_[0, ends[:-1]]
    copied = dice.integers(len(ends), size=count)
    rows = csv.reader([lines[starts[i] : ends[i]].decode().rstrip("\n") for i in copied])
    possible = _possible(dataset)
    dirty: Counter[str] = Counter()
    broken = []
    for row in rows:
        name = list(possible)[dice.integers(len(possible))]
        places = possible[name]
        place = places[dice.integers(len(places))]
        spoilt = KINDS[name].spoil(row, place, dataset.items[place], dice)
        if name == "impossible_date":
            spoilt[place] = day(spoilt[place])
        broken.append(",".join(spoilt).encode() + b"\n")
        dirty[name] += 1
    return Dirtied(_strewn(lines, ends, broken, dice), dict(sorted(dirty.items())))


def _possible(dataset: Dataset) -> dict[str, list[int]]:
    struck = {
        name: [place for place, item in enumerate(dataset.items) if kind.strikes(item)] for name, kind in KINDS.items()
    }
    return {name: places for name, places in struck.items() if places}


def _strewn(
    lines: bytes, ends: "np.ndarray[tuple[int], np.dtype[np.intp]]", broken: list[bytes], dice: np.random.Generator
) -> bytes:
    cuts = np.sort(dice.integers(len(ends), size=len(broken)))
    pieces, former = [], 0
    for line, cut in zip(broken, ends[cuts].tolist(), strict=True):
        pieces += [lines[former:cut], line]
        former = cut
    return b"".join([*pieces, lines[former:]])
