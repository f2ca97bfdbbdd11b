# SPDX-License-Identifier: Apache-2.0
"""A refused attempt is an event too: who tried which act on what, and the codes of the refusal. No text of anybody."""

from collections.abc import Sequence

from zhanqiao.ledger.book import Recording
from zhanqiao.terms.events import Event, as_named
from zhanqiao.terms.refusals import Reason, Refusal


def note_refusal(tx: Recording, act: str, by: str, about: str, reasons: Sequence[Reason]) -> Refusal:
    """Log a refused act in the open transaction, in which nothing else was changed, and return the refusal."""
    facts: dict[str, object] = {
        "act": act,
        "about": as_named(about),
        "codes": sorted({reason.code for reason in reasons}),
    }
    tx.add(Event(f"{act.partition('.')[0]}.refused", as_named(by), facts=facts))
    return Refusal(tuple(reasons))
