# SPDX-License-Identifier: Apache-2.0
"""Entries: what a leaf of the log looks like, and how the rows are read back.

An ordinary event is one leaf, its canonical JSON; where a key proved who acts, the leaf names it (`ledger.proof`). A
release is two, made in one transaction and one behind the other:

    <door>.certified    the DSSE envelope that the certificate carries; its columns are the release's
    <door>.released     {kind, by, request, time, facts: {envelope: {index, digest}, memo, question}}

So receiver, request and time of a release stand under the tree too, and whoever edits a column edits what its leaf, or
for an envelope the leaf behind it, says otherwise. Rows are read as SQL gives them and believed in nothing: a column of
another type is damage, not a fault.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from zhanqiao.ledger.models import Entry
from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.events import Event

RESERVED, CERTIFIED, RELEASED = ".reserved", ".certified", ".released"
# A kept answer went out once more.
REPEATED = ".repeated"


class LedgerDamaged(Exception):  # noqa: N818  the name says what is so, not that it was raised
    """State, tiles and checkpoint contradict each other. Nothing is repaired silently: stop and look."""


class TrustStrange(Exception):  # noqa: N818  likewise
    """The published trust file names keys that are not this log's; the log itself is whole."""


class LedgerOlder(Exception):  # noqa: N818  likewise
    """A version began the log that did not say in it what an audit now asks for. Whole it may be; nobody can tell."""


@dataclass(frozen=True)
class LoggedEvent:
    """One entry read back: the columns, and the exact leaf."""

    index: int
    kind: str
    by: str
    request: str
    time: datetime
    leaf: bytes

    @property
    def is_envelope(self) -> bool:
        return self.kind.endswith(CERTIFIED)


def event_leaf(event: Event, at: datetime, key: str = "") -> bytes:
    """Return the leaf of an ordinary event; `key` names the one that proved who acts, empty where nothing did."""
    said = {"kind": event.kind, "by": event.by, "request": event.request, "time": at, "facts": event.facts}
    return canonical({**said, "key": key} if key else said)


def read_leaf(leaf: bytes) -> dict[str, object]:
    """Return what a leaf says; an empty table when it is none of ours."""
    try:
        said = json.loads(leaf)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def proving_key(event: LoggedEvent) -> str:
    """Return the name of the key that proved who acts; empty where nothing did."""
    return str(read_leaf(event.leaf).get("key", ""))


def read_entries(start: int = 0, kind: str | None = None) -> Iterator[LoggedEvent]:
    """Read rows in log order; raises LedgerDamaged at one that cannot be an entry."""
    for row in _rows([kind] if kind else []).filter(index__gte=start).order_by("index").iterator(chunk_size=1_000):
        yield _logged(row)


def newest_entry(*kinds: str) -> LoggedEvent | None:
    """Return the newest row, of some kinds where any are named; None when there is none."""
    row = _rows(kinds).order_by("-index").first()
    return None if row is None else _logged(row)


def _rows(kinds: Sequence[str]) -> "QuerySet[Entry, tuple[object, ...]]":
    rows = Entry.objects.filter(kind__in=kinds) if kinds else Entry.objects.all()
    # As text: what stands there for a time may be none, and the sentence has to say in which entry.
    return rows.values_list("index", "kind", "by", "request", Cast("time", TextField()), "leaf")


def _logged(row: tuple[object, ...]) -> LoggedEvent:
    match row:
        case (int(index), str(kind), str(by), str(request), str(time), bytes(leaf)):
            pass
        case _:
            raise LedgerDamaged(f"couldn't read entry {row[0]!r}: a column holds something else than it should")
    try:
        moment = datetime.fromisoformat(time)
    except ValueError as cause:
        raise LedgerDamaged(f"couldn't read entry {index}: its column time holds no time") from cause
    return LoggedEvent(index, kind, by, request, moment.replace(tzinfo=moment.tzinfo or UTC), leaf)
