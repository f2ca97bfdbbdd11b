# SPDX-License-Identifier: Apache-2.0
"""Reasons that would tell something about a subject: sealed for the auditor, and opened on the record.

What the caller may not learn must not be read off the log either, so every sealed reason has one length, whatever and
however many the codes are. Codes only: the facts behind them (items, dates) are not kept.
"""

import base64
from collections.abc import Sequence

from zhanqiao.identity.attempts import note_refusal
from zhanqiao.identity.directory import check_actor
from zhanqiao.identity.people import Role
from zhanqiao.ledger.entries import read_leaf
from zhanqiao.terms.events import UNNAMED, Event
from zhanqiao.terms.refusals import Reason, Refusal, refuse
from zhanqiao.vault.house import House
from zhanqiao.vault.keys import Sealed

# Room for every code that a consent can fail with, all at once; a test holds the two together.
LENGTH = 512
_FACT = "sealed_reason"


class _Untold(dict[str, str]):
    """Facts that were not kept: each prints as an ellipsis."""

    def __missing__(self, name: str) -> str:
        return "…"


def seal(reasons: Sequence[Reason], request: str, house: House) -> str:
    """Return the sealed form of all codes, at the one length. It opens under this request only."""
    codes = ",".join(reason.code for reason in reasons).encode()
    assert len(codes) <= LENGTH, "a reason is never cut"
    return base64.b64encode(house.vault.seal(Sealed.REASON, codes.ljust(LENGTH), request.encode())).decode()


def reveal(index: int, by: str, house: House) -> tuple[Reason, ...] | Refusal:
    """Open the reason that log entry `index` keeps, for an auditor; that it was opened, and by whom, is an event."""
    if strange := check_actor(by, Role.AUDITOR):
        with house.book.recording() as tx:
            # A number that is no entry may be anything, a citizen's id too.
            about = f"entry-{index}" if 0 <= index < house.book.size else UNNAMED
            return note_refusal(tx, "ledger.reason", by, about, strange)
    entry = next(house.book.events(index), None)
    facts = None if entry is None or entry.index != index else read_leaf(entry.leaf).get("facts")
    if entry is None or not isinstance(facts, dict) or _FACT not in facts:
        return refuse("no-sealed-reason", index=str(index))
    codes = house.vault.open(Sealed.REASON, base64.b64decode(facts[_FACT]), entry.request.encode()).decode().strip()
    # On the record before it is told.
    with house.book.recording(Event("ledger.reason-opened", by, entry.request, {"entry": index})):
        pass
    return tuple(Reason(code, _Untold()) for code in codes.split(","))
