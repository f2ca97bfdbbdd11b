# SPDX-License-Identifier: Apache-2.0
"""Agreements as the doors see them: a frozen grant, compiled from the digital contract in force at that moment."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from zhanqiao.terms.refusals import Reason


class Door(StrEnum):
    STATISTICS = "statistics"
    DECISIONS = "decisions"
    ARTIFACTS = "artifacts"
    EXCHANGE = "exchange"
    OPENDATA = "opendata"


class AgreementState(StrEnum):
    """States of a digital contract; the value is the national code where there is one (domain.md 5)."""

    INITIATED = "01"
    NEGOTIATING = "02"
    SIGNED = "0301"
    PERFORMING = "05"
    SUSPENDED = "suspended"  # ours: a fuse that can be closed again
    TERMINATED = "06"


@dataclass(frozen=True)
class Grant:
    """What one agreement allows at one moment. Only an agreement in force (PERFORMING, within its term) gives one.

    items       dataset name -> item names that a statement may touch
    services    names of decision services that may be called
    reads       dataset name -> item names that these services may read
    items_held_by, reads_held_by    of what else they would name: dataset name -> the department that holds it back for now
    remaining   answers left of the agreed count, None when the agreement sets no count
    """

    agreement: str
    organisation: str
    purpose: str
    doors: frozenset[Door]
    items: dict[str, frozenset[str]] = field(default_factory=dict)
    services: frozenset[str] = frozenset()
    reads: dict[str, frozenset[str]] = field(default_factory=dict)
    items_held_by: dict[str, str] = field(default_factory=dict)
    reads_held_by: dict[str, str] = field(default_factory=dict)
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    remaining: int | None = None
    contract_digest: str = ""

    def covers(self, door: Door) -> frozenset[str]:
        """Return the datasets that answers of a door may come from."""
        return frozenset(self.reads if door is Door.DECISIONS else self.items)

    def held_back(self, dataset: str, door: Door) -> Reason | None:
        """Give the reason why a dataset that was granted may not be used now, if nothing but its department's hold is in the way."""
        held_by = self.reads_held_by if door is Door.DECISIONS else self.items_held_by
        if (department := held_by.get(dataset)) is None:
            return None
        return Reason("dataset-held-back", {"agreement": self.agreement, "dataset": dataset, "by": department})

    def beyond(self, dataset: str, door: Door) -> Reason:
        """Give the reason why answers of a door may not come from a dataset that it does not cover."""
        if (reason := self.held_back(dataset, door)) is not None:
            return reason
        granted = ", ".join(sorted(self.covers(door))) or "-"
        return Reason("dataset-not-granted", {"agreement": self.agreement, "dataset": dataset, "granted": granted})
