# SPDX-License-Identifier: Apache-2.0
"""Events: what the ledger keeps of every change. No request text, no rows, no subject identifiers."""

from dataclasses import dataclass, field


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
