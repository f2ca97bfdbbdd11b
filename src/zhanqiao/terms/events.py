# SPDX-License-Identifier: Apache-2.0
"""Events: what the ledger keeps of every change. No request text, no rows, no subject identifiers."""

import re
from dataclasses import dataclass, field

# What an event may call somebody or something: a name of the register or the catalogue, a contract's number, random bits.
_NAMED = re.compile(r"[a-z][a-z0-9_-]{0,63}|C[0-9]{6}[0-9A-Z]{40,42}|[0-9a-f]{32}", re.ASCII)
UNNAMED = "-"


def as_named(text: str) -> str:
    """Return a name as it was given, or `-` for whatever has not the form of one.

    Who mistypes a command may have written a citizen's id, a name or a page of text where a name belongs. The log is
    public and for ever: it keeps that somebody tried, and not what he wrote.
    """
    return text if _NAMED.fullmatch(text) else UNNAMED


@dataclass(frozen=True)
class Event:
    """One entry of the log.

    kind        `floor.verb`, e.g. `agreement.sealed`, `intake.published`, `statistics.released`
    by          id of the person, organisation or process that acted
    request     request id under which it happened ("" when none)
    facts       canonical-JSON facts: codes, digests, counts, ids of agreements and datasets
    """

    kind: str
    by: str
    request: str = ""
    facts: dict[str, object] = field(default_factory=dict)
