# SPDX-License-Identifier: Apache-2.0
"""A refused attempt is an event too: who tried which act on what, and the codes of the refusal. No text of anybody."""

from collections.abc import Sequence

from zhanqiao.ledger.book import Recording
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal

# An attempt names ids as they were typed; what is longer than any id is cut before it is logged.
_LONGEST_ID = 64


def note_refusal(tx: Recording, act: str, by: str, about: str, reasons: Sequence[Reason]) -> Refusal:
    """Log a refused act in the open transaction, in which nothing else was changed, and return the refusal."""
    facts: dict[str, object] = {
        "act": act,
        "about": about[:_LONGEST_ID],
        "codes": sorted({reason.code for reason in reasons}),
    }
    tx.add(Event(f"{act.partition('.')[0]}.refused", by[:_LONGEST_ID], facts=facts))
    return Refusal(tuple(reasons))
