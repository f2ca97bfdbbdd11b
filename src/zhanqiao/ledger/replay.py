# SPDX-License-Identifier: Apache-2.0
"""The rows against the log: what only the platform's state says, nobody has said.

Rows are what the product reads at every act; the log is what is signed. Whoever can write the state file, and nothing
else, could give a key to himself, readmit a resident or set a counter back. Each floor therefore says, as a `Replay`,
which rows the log's events leave behind, and a difference in either direction is damage.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from zhanqiao.ledger.entries import LedgerDamaged, LoggedEvent, read_leaf

# What an event says, by name: the facts of its leaf, or the predicate of an envelope's statement.
Facts = Mapping[str, object]


@dataclass(frozen=True)
class Comparison:
    """One kind of row: `said` by the log, `held` by the state; both by the row's name."""

    what: str
    said: Mapping[str, object]
    held: Mapping[str, object]

    def differences(self) -> Iterator[str]:
        """Say where the two part, row by row in the order of their names."""
        for name in sorted(self.said.keys() | self.held.keys()):
            if name not in self.held:
                yield f"{self.what} {name} is in the log and not in the state"
            elif name not in self.said:
                yield f"{self.what} {name} is in the state and not in the log"
            elif self.said[name] != self.held[name]:
                yield f"{self.what} {name} is {self.held[name]} in the state and {self.said[name]} in the log"


class Replay(Protocol):
    """One floor's rows as its events leave them."""

    def take(self, event: LoggedEvent, facts: Facts) -> None:
        """Do once more what the event says; those of other floors change nothing."""

    def comparisons(self) -> Iterable[Comparison]:
        """Set the outcome beside the rows."""


def compare_state(events: Iterable[LoggedEvent], replays: Sequence[Replay]) -> None:
    """Replay the whole log, which was audited before; raises LedgerDamaged at the first row that it does not explain."""
    for event in events:
        facts = _facts_of(event)
        for replay in replays:
            replay.take(event, facts)
    for replay in replays:
        for comparison in replay.comparisons():
            for difference in comparison.differences():
                raise LedgerDamaged(f"couldn't audit: {difference}")


def _facts_of(event: LoggedEvent) -> Facts:
    said = read_leaf(event.leaf)
    if event.is_envelope:
        said = json.loads(base64.b64decode(str(said["payload"])))
    facts = said.get("predicate" if event.is_envelope else "facts")
    return facts if isinstance(facts, dict) else {}
