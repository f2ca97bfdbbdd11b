# SPDX-License-Identifier: Apache-2.0
"""Any deliveries, late, repeated, small or large: newest dates kept as changes are those of one plain merge."""

import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st

from lib.vault_cases import NOW, TRACED, batch, build_permit, keyring, load_permit, nothing_recorded, row
from zhanqiao.vault.reference import ReferenceEngine
from zhanqiao.vault.vault import Vault

PEOPLE = 60
FIRST_DAY = date(1969, 12, 20)
TRACE = st.tuples(st.integers(0, PEOPLE), st.integers(0, 70_000))
DELIVERIES = st.lists(st.lists(TRACE, max_size=8), min_size=1, max_size=8)
_RELAXED = settings(max_examples=30, deadline=None, derandomize=True)

Delivered = list[tuple[int, int]]


def newest(traces: Delivered) -> list[int]:
    """The judge: what lies outside the calendar counts as its first or last day."""
    days = [0] * (max((number for number, _ in traces), default=-1) + 1)
    for number, after in traces:
        day = (FIRST_DAY - date(1970, 1, 1)).days + after
        days[number] = max(days[number], min(max(day, 1), 65_535))
    return days


def deliver(vault: Vault, snapshot: str, traces: Delivered, onto: str | None) -> None:
    rows = [row(number, settled_on=FIRST_DAY + timedelta(days=after)) for number, after in traces]
    segment = vault.load(load_permit(TRACED, snapshot), TRACED, [batch(TRACED, rows)])
    for _ in range(2):  # a build repeated after a crash finds it done
        vault.build(build_permit(TRACED, "settled_on", snapshot), TRACED, [segment], onto=onto)


@given(st.lists(TRACE, min_size=0, max_size=120), DELIVERIES, st.data())
@_RELAXED
def test_changes_over_a_whole_are_one_plain_merge(
    first: Delivered, deliveries: list[Delivered], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        vault = Vault(
            Path(folder), keyring(Path(folder)), lambda: NOW, engine=ReferenceEngine(), recorded=nothing_recorded
        )
        everything = list(first)
        deliver(vault, "s0", first, None)
        for place, delivery in enumerate(deliveries, 1):
            again = data.draw(st.booleans(), "an older delivery comes once more")
            traces = [*delivery, *(first if again else [])]
            deliver(vault, f"s{place}", traces, f"s{place - 1}")
            everything += traces
            kept = vault._states.newest(TRACED.name, f"s{place}", "settled_on")
            assert kept.dtype == np.uint16
            assert kept.tolist() == newest(everything)
            (form,) = (Path(folder) / "states" / TRACED.name / f"s{place}").iterdir()
            event(form.name)
