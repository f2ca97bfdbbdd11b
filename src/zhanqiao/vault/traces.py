# SPDX-License-Identifier: Apache-2.0
"""Traces: the newest date per person, kept ready, so that a whole roster is certified without a pass over its rows.

One array per source, two bytes per subject number: days since 1970, 0 for no trace (lasts to 2149). What is dated before
1970-01-02 counts as that day, what lies beyond 2149 as its last day: a trace is never lost. The greatest of all is
commutative and idempotent, so late and repeated batches do no harm; a trace that was withdrawn needs a rebuild.

A day's delivery changes little of a city's array. It is kept as changes: the few subjects that it speaks of, beside the
array that stands. Changes of several deliveries join into one; how they are laid over the array does not matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from zhanqiao.terms.canonical import digest, digest_bytes
from zhanqiao.terms.services import Trace, Value
from zhanqiao.vault.engines import Days
from zhanqiao.vault.subjects import Numbers
from zhanqiao.vault.tokens import Flags

State = npt.NDArray[np.uint16]

_EPOCH = date(1970, 1, 1)
_DAY_BITS = 16
_FIRST, _LAST = 1, 2**_DAY_BITS - 1

NOBODY = -1
# A block's arrays stay in the cache.
_BLOCK = 65_536


@dataclass(frozen=True)
class Changes:
    """The newest date of some subjects: numbers ascending, each once, and a day for each."""

    numbers: Numbers
    days: State

    def __len__(self) -> int:
        return len(self.numbers)

    def joined(self, numbers: Numbers, days: Days | State) -> "Changes":
        """Return these and more traces, in whatever order they come."""
        # Number before day in one integer: sorted, the last of each number is its newest.
        both = np.concatenate([_packed(self.numbers, self.days), _packed(numbers, _kept(days))])
        both.sort()
        last = both[np.append(both[1:] >> _DAY_BITS != both[:-1] >> _DAY_BITS, True)] if len(both) else both
        return Changes((last >> _DAY_BITS).astype(np.int32), (last & _LAST).astype(np.uint16))


NO_CHANGES = Changes(np.empty(0, np.int32), np.empty(0, np.uint16))


def merged(state: State, blocks: Iterable[tuple[Numbers, Days | State]]) -> State:
    """Return the state with more traces in it; it grows with the subject numbers and ends with the last trace."""
    state, end = state.copy(), len(state)
    for numbers, days in blocks:
        if not len(numbers):
            continue
        if (needed := int(numbers.max()) + 1) > len(state):
            state = np.concatenate([state, np.zeros(max(needed, len(state) * 2) - len(state), np.uint16)])
        end = max(end, needed)
        np.maximum.at(state, numbers, _kept(days))
    return state[:end]


def _kept(days: Days | State) -> State:
    """Return days as the state writes them: none is lost, and none is 0."""
    kept: State = np.clip(days, _FIRST, _LAST).astype(np.uint16)
    return kept


def _packed(numbers: Numbers, days: State) -> npt.NDArray[np.int64]:
    packed: npt.NDArray[np.int64] = numbers.astype(np.int64) << _DAY_BITS | days
    return packed


def days_of(state: State, numbers: Numbers) -> State:
    """Return the day of each subject, 0 where there is no trace."""
    if not len(numbers) or not len(state):
        return np.zeros(len(numbers), np.uint16)
    if numbers.min() >= 0 and numbers.max() < len(state):
        return np.take(state, numbers)
    days: State = np.take(state, numbers, mode="clip")
    days[(numbers < 0) | (numbers >= len(state))] = 0
    return days


def as_date(day: int) -> date | None:
    """Return a day of the state as a date."""
    return _EPOCH + timedelta(days=day) if day else None


@dataclass(frozen=True)
class Alike:
    """Subjects of a list that nothing tells apart in what a rule looks at.

    firsts  of each sort, the place of one subject
    which   the sort of each subject, NOBODY for who is not answerable
    """

    firsts: list[int]
    which: npt.NDArray[np.int32]


@dataclass(frozen=True)
class RosterEvidence:
    """The evidence of a list of subjects, by columns and in the list's order. Their numbers stay in the vault.

    answerable  whether a subject may be answered about: known, and on the roster
    days        dataset of the trace -> days since 1970 per subject, 0 for none and for who is not answerable
    figures     what was read from each subject's rows; None where the permit asks for nothing of them
    """

    answerable: Flags
    days: dict[str, State]
    figures: list[dict[str, Value]] | None = None

    def __len__(self) -> int:
        return len(self.answerable)

    def of(self, place: int) -> dict[str, Value] | None:
        """Return one subject's evidence as a single decision reads it; None if it is not answerable."""
        if not self.answerable[place]:
            return None
        figures = {} if self.figures is None else self.figures[place]
        return figures | {dataset: as_date(int(days[place])) for dataset, days in self.days.items()}

    def digests(self) -> dict[str, object]:
        """Return what a commitment to all of it is made of."""
        return {
            "answerable": digest_bytes(self.answerable.tobytes()),
            "days": {name: digest_bytes(days.astype("<u2", copy=False).tobytes()) for name, days in self.days.items()},
            "figures": None if self.figures is None else digest(self.figures),
        }

    def one_by_one(self) -> Alike:
        """Return every answerable subject as one of its own."""
        firsts = np.flatnonzero(self.answerable)
        which = np.full(len(self), NOBODY, np.int32)
        which[firsts] = np.arange(len(firsts), dtype=np.int32)
        return Alike(firsts.tolist(), which)

    def by_newest_signs(self, traces: Sequence[Trace], at: date) -> Alike:
        """Return which subjects are alike in what `Service.newest_signs` says, figures aside."""
        signs = np.empty(len(self), np.int32)
        for start in range(0, len(self), _BLOCK):
            some = slice(start, start + _BLOCK)
            block = [(self.days[trace.dataset][some], trace.negative) for trace in traces]
            signs[some] = _signs(block, len(signs[some]), (at - _EPOCH).days)
        signs[~self.answerable] = NOBODY
        return _alike(signs)


def _signs(traces: Sequence[tuple[State, bool]], count: int, at: int) -> npt.NDArray[np.int32]:
    """Return one small number for the signs of each subject: equal numbers, equal signs.

    traces  days of each, and whether they are negative
    """
    # Day before rank in one integer, an earlier declared trace with the higher rank: the greatest is the newest, and
    # the first of equals. No rank is 0, and none is another's: the number names the trace.
    rank_bits = len(traces).bit_length()
    positive, negative = np.zeros(count, np.int32), np.zeros(count, np.int32)
    for rank, (days, is_negative) in zip(range(len(traces), 0, -1), traces, strict=True):
        day, newest = days.astype(np.int32), negative if is_negative else positive
        counts = day > 0 if is_negative else (day > 0) & (day <= at)
        np.maximum(newest, np.where(counts, day << rank_bits | rank, 0), out=newest)
    contradicted = positive >> rank_bits > negative >> rank_bits
    return np.where(negative > 0, negative << 1 | contradicted, positive << 1)


def _alike(signs: npt.NDArray[np.int32]) -> Alike:
    """Sort subjects by their number of signs, without a sort: the numbers are small."""
    places = np.flatnonzero(signs != NOBODY)
    if not len(places):
        return Alike([], signs)
    known = signs[places]
    first_of = np.full(int(known.max()) + 1, len(signs), np.int32)
    first_of[known[::-1]] = places[::-1]
    present = np.flatnonzero(first_of < len(signs))
    sort_of = np.full(len(first_of), NOBODY, np.int32)
    sort_of[present] = np.arange(len(present), dtype=np.int32)
    which = np.full(len(signs), NOBODY, np.int32)
    which[places] = sort_of[known]
    return Alike(first_of[present].tolist(), which)
