# SPDX-License-Identifier: Apache-2.0
"""Traces: the newest date per person, kept ready, so that a whole roster is certified without a pass over its rows.

One array per source, two bytes per subject number: days since 1970, 0 for no trace (lasts to 2149). What is dated before
1970-01-02 counts as that day, what lies beyond 2149 as its last day: a trace is never lost. The greatest of all is
commutative and idempotent, so late and repeated batches do no harm; a trace that was withdrawn needs a rebuild.

A day's delivery changes little of a city's array. It is kept as changes: the few subjects that it speaks of, beside the
array that stands. Changes of several deliveries join into one; how they are laid over the array does not matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from zhanqiao.terms.services import Value
from zhanqiao.vault.engines import Days
from zhanqiao.vault.subjects import Numbers

State = npt.NDArray[np.uint16]

_EPOCH = date(1970, 1, 1)
_DAY_BITS = 16
_FIRST, _LAST = 1, 2**_DAY_BITS - 1


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
    # Ascending, as a roster is: the two ends tell for all.
    if len(numbers) and numbers[0] >= 0 and numbers[-1] < len(state) and (numbers[1:] >= numbers[:-1]).all():
        # Twice as fast as an index.
        return np.take(state, numbers)
    days = np.zeros(len(numbers), np.uint16)
    inside = (numbers >= 0) & (numbers < len(state))
    days[inside] = state[numbers[inside]]
    return days


def as_date(day: int) -> date | None:
    """Return a day of the state as a date."""
    return _EPOCH + timedelta(days=day) if day else None


@dataclass(frozen=True)
class RosterBlock:
    """Some subjects of a roster with the newest date of each trace. Numbers stay in the vault's process.

    days    dataset of the trace -> days since 1970 per subject, 0 for none
    """

    numbers: Numbers
    days: dict[str, State]

    def __len__(self) -> int:
        return len(self.numbers)

    def evidence(self, place: int) -> dict[str, Value]:
        """Return one subject's dates, by dataset of the trace."""
        return {dataset: as_date(int(days[place])) for dataset, days in self.days.items()}
