# SPDX-License-Identifier: Apache-2.0
"""How long a snapshot speaks for a missing record, and what is said of one beyond that."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from lib.vault_cases import BY_PERSON
from zhanqiao.policy import coverage
from zhanqiao.terms.datasets import UpdateCycle
from zhanqiao.terms.services import Evidence, Operation, Value

PUBLISHED = date(2026, 1, 1)


@pytest.mark.parametrize(
    ("cycle", "days"),
    [
        (UpdateCycle.REAL_TIME, 14),
        (UpdateCycle.DAY, 14),
        (UpdateCycle.WEEK, 14),
        (UpdateCycle.MONTH, 62),
        (UpdateCycle.QUARTER, 184),
        (UpdateCycle.YEAR, 732),
    ],
)
def test_a_snapshot_speaks_for_two_cycles_and_a_fortnight_at_least(cycle: UpdateCycle, days: int) -> None:
    dataset = replace(BY_PERSON, update_cycle=cycle)

    def silent(after: int) -> frozenset[str]:
        return coverage.silent([dataset], {dataset.name: PUBLISHED}, PUBLISHED + timedelta(days=after))

    assert silent(0) == silent(days) == frozenset()
    assert silent(days + 1) == {dataset.name}


def test_what_was_never_published_is_silent() -> None:
    assert coverage.silent([BY_PERSON], {}, PUBLISHED) == {BY_PERSON.name}


@pytest.mark.parametrize(
    ("operation", "found", "heard"),
    [
        (Operation.EXISTS, False, None),
        (Operation.EXISTS, True, True),
        (Operation.COUNT, 0, None),
        (Operation.COUNT, 2, 2),
        # A sum of nothing has no value anyhow, and one of what is there stays: it was owed.
        (Operation.SUM, Decimal(0), Decimal(0)),
        (Operation.NEWEST, None, None),
        (Operation.NEWEST, 0, 0),
    ],
)
def test_an_absence_in_a_silent_source_is_unknown_and_a_presence_stays(
    operation: Operation, found: Value, heard: Value
) -> None:
    asked = [Evidence("e", "list", operation), Evidence("f", "kept-up", Operation.EXISTS)]
    said = coverage.heard({"e": found, "f": False, "trace": date(2026, 1, 1)}, asked, frozenset({"list"}))
    assert said == {"e": heard, "f": False, "trace": date(2026, 1, 1)}
    assert coverage.heard({"e": found, "f": False}, asked, frozenset()) == {"e": found, "f": False}
