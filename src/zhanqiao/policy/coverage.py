# SPDX-License-Identifier: Apache-2.0
"""Coverage (覆盖期): whether the absence of a record says anything.

That no penalty stands in a list means "none" only as long as the list is kept up. A snapshot that was published two update
cycles ago, or more, is silent about what came since: an absence in it is unknown, never "no". What it does hold stays
said, for it happened.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from zhanqiao.terms.datasets import Dataset, UpdateCycle
from zhanqiao.terms.services import Evidence, Operation, Value

_CYCLE_DAYS = {
    UpdateCycle.REAL_TIME: 1,
    UpdateCycle.DAY: 1,
    UpdateCycle.WEEK: 7,
    UpdateCycle.MONTH: 31,
    UpdateCycle.QUARTER: 92,
    UpdateCycle.YEAR: 366,
}
_CYCLES = 2
# Who delivers each day rests over holidays.
_LEAST_DAYS = 14


def silent(datasets: Iterable[Dataset], published: Mapping[str, date], at: date) -> frozenset[str]:
    """Return the datasets in which an absence says nothing at `at`. published: dataset -> day of its snapshot."""
    return frozenset(
        dataset.name
        for dataset in datasets
        if dataset.name not in published or at > published[dataset.name] + _covered(dataset.update_cycle)
    )


def heard(found: Mapping[str, Value], asked: Iterable[Evidence], silent: frozenset[str]) -> dict[str, Value]:
    """Return evidence in which the absence of a record in a silent dataset is None: unknown."""
    absent = {
        one.name
        for one in asked
        if one.dataset in silent and one.operation in {Operation.EXISTS, Operation.COUNT} and not found[one.name]
    }
    return {name: None if name in absent else value for name, value in found.items()}


def _covered(cycle: UpdateCycle) -> timedelta:
    return timedelta(days=max(_CYCLES * _CYCLE_DAYS[cycle], _LEAST_DAYS))
