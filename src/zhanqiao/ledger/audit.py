# SPDX-License-Identifier: Apache-2.0
"""The audit: everything that the ledger stores is checked against the one thing that is signed, the tree.

    (1) entries        follow one another, are what tiles and checkpoint show, and their columns say what their leaves say
    (2) the head       goes as far as they do, and was signed over them
    (3) requests       every charged or released request is a row with that question, answer and place in the log, and
                       every row was charged or released by an entry
    (4) hash tiles     hold the hashes of the entries, and of the tiles below them
    (5) tile files     are each a tile of this log to the byte, the partial ones of sizes before as well
    (6) certificates   kept for hand-over carry the envelope of their entry, a checkpoint of this log, and no false
                       cosignature of its witnesses

The first thing that is wrong ends the walk with a sentence that names it. All rows are read in one transaction: who
writes meanwhile is no damage.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from zhanqiao.ledger import certificate
from zhanqiao.ledger.checkpoint import Checkpoint
from zhanqiao.ledger.cosignature import cosignatures_on
from zhanqiao.ledger.entries import (
    CERTIFIED,
    RELEASED,
    RESERVED,
    LedgerDamaged,
    LoggedEvent,
    read_entries,
    read_leaf,
)
from zhanqiao.ledger.head import read_head
from zhanqiao.ledger.models import Entry, Request
from zhanqiao.ledger.note import NoteVerifier, open_note
from zhanqiao.ledger.regular_file import read_whole
from zhanqiao.ledger.tiles import TilesDamaged, TileStore
from zhanqiao.ledger.tree import Frontier, ProofWrong, leaf_hash, root_from_inclusion
from zhanqiao.terms.canonical import digest_bytes

# Requests that are looked up together.
_AT_ONCE = 500


@dataclass(frozen=True)
class _Claim:
    """What an entry says about a request. `memo` and `envelope` are a release's."""

    entry: int
    request: str
    question: object
    memo: object = None
    envelope: object = None


def check_log(tiles: TileStore, shown: Checkpoint, log: NoteVerifier) -> int:
    """Check (1) to (4); returns how many entries there are. `shown` was read before: the rows go at least as far."""
    with transaction.atomic():
        size = _check_entries(tiles, shown, log)
        _check_rows()
    _check_tiles(tiles, shown.size)
    return size


# --- entries --------------------------------------------------------------------------------------


def _check_entries(tiles: TileStore, shown: Checkpoint, log: NoteVerifier) -> int:
    frontier, claims = Frontier(), list[_Claim]()
    shown_leaves = tiles.entries(shown.size)
    before: LoggedEvent | None = None
    for event in read_entries():
        if event.index != frontier.size:
            raise LedgerDamaged(f"couldn't audit: entry {frontier.size} is missing")
        if event.index < shown.size and _next(shown_leaves, event.index) != event.leaf:
            raise LedgerDamaged(f"couldn't audit: entry {event.index} differs between state and tiles")
        _check_columns(event, before)
        claims += _claims_of(event, before)
        if len(claims) >= _AT_ONCE:
            _check_claims(claims)
            claims.clear()
        frontier.append(leaf_hash(event.leaf))
        if frontier.size == shown.size and frontier.root() != shown.root:
            raise LedgerDamaged(
                f"couldn't audit: the first {shown.size} entries are not those of the signed checkpoint"
            )
        before = event
    if before is not None and before.is_envelope:
        raise LedgerDamaged(f"couldn't audit: the release of envelope {before.index} is missing")
    _check_claims(claims)
    head = read_head(log)
    if frontier.size != head.size or shown.size > head.size:
        raise LedgerDamaged(
            f"couldn't audit: head says {head.size}, rows are {frontier.size}, checkpoint shows {shown.size}"
        )
    if head.tree.root() != frontier.root():
        raise LedgerDamaged("couldn't audit: the entries are not those that the head was signed over")
    return head.size


def _next(leaves: Iterator[bytes], index: int) -> bytes:
    try:
        return next(leaves)
    except (TilesDamaged, OSError) as cause:
        raise LedgerDamaged(f"couldn't audit: entry {index} cannot be read from the tiles: {cause}") from cause


def _check_columns(event: LoggedEvent, before: LoggedEvent | None) -> None:
    """Compare the searchable columns with the leaf; those of an envelope, once its release is read, with that one's."""
    said = read_leaf(event.leaf)
    if event.is_envelope or "payload" in said:
        if not event.is_envelope or "payload" not in said:
            raise LedgerDamaged(f"couldn't audit: the column kind of entry {event.index} differs from its leaf")
        if before is not None and before.is_envelope:
            raise LedgerDamaged(f"couldn't audit: the release of envelope {before.index} is missing")
        return
    if odd := _differing(event, said, str(said.get("kind"))):
        raise LedgerDamaged(f"couldn't audit: the column {odd} of entry {event.index} differs from its leaf")
    if before is None or not before.is_envelope:
        return
    if odd := _differing(before, said, event.kind.removesuffix(RELEASED) + CERTIFIED):
        raise LedgerDamaged(
            f"couldn't audit: the column {odd} of envelope {before.index} differs from its release, entry {event.index}"
        )


def _differing(event: LoggedEvent, said: dict[str, object], kind: str) -> str | None:
    """Return the first column that says something else than the leaf does."""
    columns = {"kind": event.kind == kind, "by": event.by == said.get("by")}
    columns |= {"request": event.request == said.get("request"), "time": event.time == _time(said.get("time"))}
    return next((name for name, agrees in columns.items() if not agrees), None)


def _time(said: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(said))
    except ValueError:
        return None


# --- requests -------------------------------------------------------------------------------------


def _claims_of(event: LoggedEvent, before: LoggedEvent | None) -> list[_Claim]:
    facts = read_leaf(event.leaf).get("facts")
    if not isinstance(facts, dict):
        return []
    if event.kind.endswith(RESERVED):
        return [_Claim(event.index, event.request, facts.get("digest"))]
    if not event.kind.endswith(RELEASED):
        return []
    if before is None or facts.get("envelope") != {"index": before.index, "digest": digest_bytes(before.leaf)}:
        raise LedgerDamaged(f"couldn't audit: entry {event.index} does not follow the envelope that it names")
    return [_Claim(event.index, event.request, facts.get("question"), facts.get("memo"), before.index)]


def _check_claims(claims: list[_Claim]) -> None:
    rows = Request.objects.in_bulk([claim.request for claim in claims])
    for claim in claims:
        row = rows.get(claim.request)
        if row is None:
            raise LedgerDamaged(f"couldn't audit: request {claim.request} of entry {claim.entry} is missing")
        agrees = {"digest": row.digest == claim.question}
        if claim.envelope is not None:
            agrees["memo"] = isinstance(row.memo, bytes) and digest_bytes(row.memo) == claim.memo
            agrees["index"] = row.index == claim.envelope
        if odd := next((name for name, same in agrees.items() if not same), None):
            raise LedgerDamaged(
                f"couldn't audit: the column {odd} of request {claim.request} differs from entry {claim.entry}"
            )


def _check_rows() -> None:
    """Find rows that no entry speaks of. The columns by which they are found were checked just before."""
    # Read by no replay, and yet it would speak for others.
    if (index := Entry.objects.filter(index__lt=0).values_list("index", flat=True).first()) is not None:
        raise LedgerDamaged(f"couldn't audit: entry {index} stands before the first")
    spoken_of = Entry.objects.filter(request=OuterRef("pk"))
    released = Exists(spoken_of.filter(kind__endswith=RELEASED))
    reserved = Exists(spoken_of.filter(kind__endswith=RESERVED))
    if (row := Request.objects.exclude(released).exclude(reserved).values_list("pk").first()) is not None:
        raise LedgerDamaged(f"couldn't audit: no entry says that request {row[0]} was charged")
    answered = Request.objects.exclude(Q(memo=None) & Q(index=None))
    if (row := answered.exclude(released).values_list("pk").first()) is not None:
        raise LedgerDamaged(f"couldn't audit: request {row[0]} holds an answer, and no entry says that it was released")


# --- files ----------------------------------------------------------------------------------------


def _check_tiles(tiles: TileStore, size: int) -> None:
    try:
        tiles.check(size)
    except (TilesDamaged, OSError) as cause:
        raise LedgerDamaged(f"couldn't audit: {cause}") from cause


def check_files(tiles: TileStore, shown: int, head: int) -> None:
    """Check (5), beyond what (4) read: each file among the tiles is one. The caller holds the lock: nobody writes one."""
    unshown = [event.leaf for event in islice(read_entries(shown), head - shown)]
    try:
        tiles.check_files(shown, unshown)
    except (TilesDamaged, OSError) as cause:
        raise LedgerDamaged(f"couldn't audit: {cause}") from cause


def check_certificates(tiles: TileStore, log: NoteVerifier, witnesses: Sequence[NoteVerifier]) -> None:
    """Check (6). The tiles that it leans on were checked before, or a certificate would be blamed for a tile."""
    for path in sorted((tiles.folder / "certificates").glob("*.cert")):
        check_certificate(path, tiles, log, witnesses)


def check_certificate(path: Path, tiles: TileStore, log: NoteVerifier, witnesses: Sequence[NoteVerifier] = ()) -> bytes:
    """Return a certificate that is kept for hand-over; raises LedgerDamaged unless it is, to the byte, one of this log."""
    try:
        content = read_whole(path)
        parts = certificate.parse(content)
        cosignatures_on(parts.note, witnesses)
        at = Checkpoint.parse(open_note(parts.note, [log])[0])
        root = root_from_inclusion(leaf_hash(parts.envelope), parts.index, at.size, parts.proof)
        sound = root == at.root and path.stem == f"{parts.index:012d}" and tiles.root(at.size) == at.root
        # Lines that the format lets anybody add are none of ours.
        sound = sound and content == certificate.assemble(parts.envelope, parts.index, parts.proof, parts.note)
    except (ValueError, ProofWrong, TilesDamaged, OSError) as cause:
        raise LedgerDamaged(f"couldn't confirm the certificate {path.name}: {cause}") from cause
    if not sound:
        raise LedgerDamaged(f"couldn't confirm the certificate {path.name}: it is not one of this log")
    return content
