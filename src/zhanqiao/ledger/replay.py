# SPDX-License-Identifier: Apache-2.0
"""The rows against the log: what only the platform's state says, nobody has said.

Rows are what the product reads at every act; the log is what is signed. Whoever can write the state file, and nothing
else, could give a key to himself, readmit a resident or set a counter back. Each floor therefore says, as a `Replay`,
which rows the log's events leave behind, and a difference in either direction is damage.

Whoever puts his edit back after he used it leaves no row behind that differs, but an act in the log. So each act is
judged where it stands, by the rules of the doors over what the log says up to there; one that they refuse is damage.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import datetime
from typing import Protocol

from zhanqiao.ledger.entries import LedgerDamaged, LedgerOlder, LoggedEvent, read_leaf
from zhanqiao.terms.refusals import Reason

# What an event says, by name: the facts of its leaf, or the predicate of an envelope's statement.
Facts = Mapping[str, object]


@dataclass(frozen=True)
class Comparison:
    """One kind of row: `said` by the log (or another `source`), `held` by the state (or another `place`); both by name.

    Rows of several columns are dataclasses: the column that differs is named.
    """

    what: str
    said: Mapping[str, object]
    held: Mapping[str, object]
    source: str = "log"
    place: str = "state"

    def differences(self) -> Iterator[str]:
        """Say where the two part, row by row in the order of their names."""
        for name in sorted(self.said.keys() | self.held.keys()):
            if name not in self.held:
                yield f"{self.what} {name} is in the {self.source} and not in the {self.place}"
            elif name not in self.said:
                yield f"{self.what} {name} is in the {self.place} and not in the {self.source}"
            elif self.said[name] != self.held[name]:
                column, held, said = _parting(self.held[name], self.said[name])
                yield f"{self.what} {name}{column} is {held} in the {self.place} and {said} in the {self.source}"


def _parting(held: object, said: object) -> tuple[str, object, object]:
    """Return what differs between two rows: the first column of several, or the whole."""
    if not is_dataclass(held) or not is_dataclass(said):
        return "", held, said
    column = next(name for name, value in vars(held).items() if value != vars(said)[name])
    return f": {column}", vars(held)[column], vars(said)[column]


def second(at: datetime | None) -> str | None:
    """Write down a moment as the log has it: to the second. A row that holds it more exactly says no more."""
    return None if at is None else at.replace(microsecond=0).isoformat()


def places(names: Iterable[str]) -> dict[str, int]:
    """Number rows in their order. Of a number that the state gave, the log tells the order and nothing else."""
    return {name: place for place, name in enumerate(names)}


class Replay(Protocol):
    """One floor's rows as its events leave them."""

    def take(self, event: LoggedEvent, facts: Facts) -> Sequence[Reason]:
        """Do once more what the event says; those of other floors change nothing.

        Where what came before it did not allow it, give every reason, and do nothing.
        """

    def comparisons(self) -> Iterable[Comparison]:
        """Set the outcome beside the rows."""


def compare_state(events: Iterable[LoggedEvent], replays: Sequence[Replay]) -> None:
    """Replay the whole log, which was audited before; raises LedgerDamaged at the first thing that is wrong.

    That is an act that was not allowed at its place, or then a row that the log does not explain. Raises LedgerOlder where
    an entry does not say what it is judged by.
    """
    for event in events:
        facts = facts_of(event)
        for replay in replays:
            for reason in _taken(replay, event, facts):
                said = f"entry {event.index}, {event.kind} by {event.by}, was not allowed when it was written"
                raise LedgerDamaged(f"couldn't audit: {said}: {reason.code}, {reason.message('en')}")
    for replay in replays:
        for comparison in replay.comparisons():
            for difference in comparison.differences():
                raise LedgerDamaged(f"couldn't audit: {difference}")


def _taken(replay: Replay, event: LoggedEvent, facts: Facts) -> Sequence[Reason]:
    try:
        return replay.take(event, facts)
    except KeyError as lacking:
        # The leaf is signed as it is: who wrote it did not say so yet.
        raise LedgerOlder(f"entry {event.index}, {event.kind}, does not say {lacking}") from lacking


def facts_of(event: LoggedEvent) -> Facts:
    """Return what an event says: the facts of its leaf, or the predicate of an envelope's statement; empty for neither."""
    said = read_leaf(event.leaf)
    if event.is_envelope:
        said = json.loads(base64.b64decode(str(said["payload"])))
    facts = said.get("predicate" if event.is_envelope else "facts")
    return facts if isinstance(facts, dict) else {}
