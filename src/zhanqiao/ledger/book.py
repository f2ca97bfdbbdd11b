# SPDX-License-Identifier: Apache-2.0
"""The book: the only writer of platform state.

    with book.recording(Event("agreement.sealed", by=officer)) as tx:
        ...   # change rows here; rows and event commit together or not at all

A recording is one IMMEDIATE transaction with `synchronous = FULL`: when the block has ended, the change and its event
survive a power cut. Outside of a recording the connection is read-only, so that a forgotten event is an error and not
a gap. What the log shows the world (tiles, checkpoint, certificates) is written after the commit by `publish`, which
repeats harmlessly: it always continues from what the disk really holds.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from django.db import connection, transaction

from zhanqiao.ledger import certificate, durable
from zhanqiao.ledger.audit import check_certificate, check_certificates, check_files, check_log
from zhanqiao.ledger.checkpoint import Checkpoint
from zhanqiao.ledger.dsse import key_id_of, sign_envelope
from zhanqiao.ledger.entries import (
    CERTIFIED,
    RELEASED,
    LedgerDamaged,
    LoggedEvent,
    event_leaf,
    newest_entry,
    read_entries,
)
from zhanqiao.ledger.head import LogHead, found_head, move_head, read_head
from zhanqiao.ledger.keys import LogKeys, strange_keys
from zhanqiao.ledger.models import Request
from zhanqiao.ledger.note import open_note, sign
from zhanqiao.ledger.problems import Unsound
from zhanqiao.ledger.proof import KeyProof, standing_proof
from zhanqiao.ledger.regular_file import NotRegular, read_whole
from zhanqiao.ledger.tiles import MAX_ENTRY_BYTES, TilesDamaged, TileStore
from zhanqiao.ledger.tree import Frontier, leaf_hash, root_from_inclusion
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.witnesses import Heard, HistoryDiffers, Kept, Seat, Witnesses, send_over_http
from zhanqiao.terms.canonical import digest_bytes
from zhanqiao.terms.events import Event
from zhanqiao.terms.requests import RequestId

_log = logging.getLogger(__name__)

_INSERT_ENTRY = (
    'INSERT INTO ledger_entry ("index", "kind", "by", "request", "time", "leaf") VALUES (%s, %s, %s, %s, %s, %s)'
)


class AlreadyReleased(Exception):  # noqa: N818
    """Another attempt at the same request came first: read its answer from the memo."""


@dataclass(frozen=True)
class RequestRecord:
    """What the book remembers of a charged request."""

    id: RequestId
    digest: str
    memo: bytes | None
    index: int | None

    @property
    def released(self) -> bool:
        return self.memo is not None


@dataclass
class Recording:
    """An open transaction. Whoever changes rows takes one, so that no row changes without its event."""

    at: datetime
    _start: int
    _keys: LogKeys
    _proof: KeyProof | None = None
    _leaves: list[tuple[Event, bytes]] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Log one more event in this transaction, with the key that proved who acts, if one did."""
        key = self._proof.key if self._proof is not None and self._proof.by == event.by else ""
        self._leaves.append((event, event_leaf(event, self.at, key)))

    def owns(self, public: bytes) -> bool:
        """Tell whether a public key (32 bytes, Ed25519) is one of those that this log signs with: then it is nobody else's."""
        return public in {self._keys.log.verifier.public, self._keys.envelope.public_key().public_bytes_raw()}

    def reserve(self, request: RequestId, digest: str) -> None:
        """Remember that `request` was charged; raises IntegrityError when the id is taken."""
        Request.objects.create(id=request, digest=digest)

    def release(self, event: Event, predicate: dict[str, object], subject_digest: str, memo: bytes) -> None:
        """Sign the statement about an answer and keep its sealed bytes. COMMIT is the point of no return.

        Logs the envelope and, right behind it, `event`, which is named `<door>.released` and says what was released.
        """
        assert event.kind.endswith(RELEASED), "a release is named one"
        question = Request.objects.filter(pk=event.request, memo=None).values_list("digest", flat=True).first()
        if question is None:
            raise AlreadyReleased(event.request)
        envelope = certificate.seal(predicate, subject_digest, self._keys.envelope)
        # Nobody else moves the head while this transaction is open.
        index = self._start + len(self._leaves)
        Request.objects.filter(pk=event.request).update(memo=memo, index=index)
        self._leaves.append((replace(event, kind=event.kind.removesuffix(RELEASED) + CERTIFIED), envelope))
        facts = {
            "envelope": {"index": index, "digest": digest_bytes(envelope)},
            "memo": digest_bytes(memo),
            "question": question,
        }
        self.add(replace(event, facts={**event.facts, **facts}))


class Book:
    """The ledger of one deployment: state database, tiles and checkpoint under one set of keys."""

    def __init__(
        self, folder: Path, keys: LogKeys, clock: Callable[[], datetime], witnesses: Witnesses | None = None
    ) -> None:
        self.folder = folder
        self.clock = clock
        self.witnesses = witnesses or Witnesses(folder, keys.log.verifier, (), clock, send_over_http)
        self._keys = keys
        self._tiles = TileStore(folder)
        self._tiles_looked_at = False

    def found(self) -> None:
        """Write the head and the checkpoint of an empty log; `init` calls this once, in its unlocked block."""
        found_head(self._keys.log)
        self._sign(Checkpoint(self._keys.origin, 0, Frontier().root()))

    # --- writing ----------------------------------------------------------------------------------

    @contextmanager
    def recording(self, *events: Event) -> Iterator[Recording]:
        """Open one durable transaction; what is changed inside commits together with `events`, or nothing does."""
        at = self.clock()
        with _unlocked(), transaction.atomic(durable=True):
            head, shown = self._position()
            if not self._tiles_looked_at:
                self._tree_shown(shown)
                with _as_damage("go on"):
                    self._tiles.check_newest(shown.size)
                self._tiles_looked_at = True
            tx = Recording(at, head.size, self._keys, standing_proof())
            for event in events:
                tx.add(event)
            yield tx
            assert tx._leaves, "a recording without an event"  # noqa: SLF001  the book and its recording are one
            self._append(tx, head.tree, shown.size)

    def _append(self, tx: Recording, tree: Frontier, shown: int) -> None:
        start, rows = tree.size, []
        for index, (event, leaf) in enumerate(tx._leaves, start=start):  # noqa: SLF001
            if len(leaf) > MAX_ENTRY_BYTES:
                raise ValueError(f"couldn't log {event.kind}: its leaf has {len(leaf)} bytes, {MAX_ENTRY_BYTES} fit")
            tree.append(leaf_hash(leaf))
            # To the second, as the leaf says it.
            rows.append((index, event.kind, event.by, event.request, tx.at.replace(microsecond=0), leaf))
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT_ENTRY, rows)
        # A second instance on the same state loses here and writes nothing.
        if not move_head(self._keys.log, start, tree, shown):
            raise LedgerDamaged("couldn't append: another writer moved the log's head")

    # --- reading ----------------------------------------------------------------------------------

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Read inside as of one moment: what others commit meanwhile is not seen. Nothing can be recorded inside."""
        with transaction.atomic():
            yield

    def request(self, request: RequestId) -> RequestRecord | None:
        """Return what was charged under that id, or None."""
        row = Request.objects.filter(pk=request).first()
        if row is None:
            return None
        return RequestRecord(request, row.digest, None if row.memo is None else bytes(row.memo), row.index)

    def events(self, start: int = 0, kind: str | None = None) -> Iterator[LoggedEvent]:
        """Read entries in log order."""
        return read_entries(start, kind)

    def newest(self, *kinds: str) -> LoggedEvent | None:
        """Return the newest entry, of some kinds where any are named; None when there is none."""
        return newest_entry(*kinds)

    @property
    def size(self) -> int:
        return read_head(self._keys.log.verifier).size

    # --- showing the world ------------------------------------------------------------------------

    def publish(self) -> Checkpoint:
        """Bring tiles and checkpoint up to the committed rows. A crash at any point leaves the former checkpoint valid.

        Where the deployment has witnesses they cosign it. One that does not answer is told and stops nothing here;
        whether enough of them did is asked before the next answer (`out_of_touch`).
        """
        with self._alone():
            checkpoint = self._publish()
        with _as_damage("publish"):
            if self.witnesses.all_signed(checkpoint):
                return checkpoint
        for one in self._ask_witnesses():
            if one.trouble is not None:
                _log.warning("witness %s did not cosign: %s (%s)", one.seat.name, one.trouble, one.cause)
        return checkpoint

    def cosign(self) -> list[Heard]:
        """Publish, and ask every witness, also those that cosigned already; returns how each of them answered."""
        with self._alone():
            self._publish()
        return self._ask_witnesses()

    def introduce(self, seat: Seat) -> Heard:
        """Publish, and ask somebody who is no witness yet to cosign."""
        with self._alone():
            self._publish()
        with _as_damage("have the log cosigned"):
            return self.witnesses.introduce(seat)

    def out_of_touch(self) -> bool:
        """Tell whether too few witnesses have cosigned for too long. They are asked once more before it is said."""
        with _as_damage("see what witnesses cosigned"):
            if self.witnesses.in_touch():
                return False
        self.cosign()
        return not self.witnesses.in_touch()

    def cosigned(self) -> Kept | None:
        """Return the newest cosigned checkpoint, None before the first."""
        with _as_damage("read what witnesses cosigned"):
            return self.witnesses.kept()

    def sweep(self) -> list[Path]:
        """Remove the unfinished files that killed writers left in the ledger's folder, and return them."""
        with self._alone():
            return durable.sweep_parts(self.folder)

    def _ask_witnesses(self) -> list[Heard]:
        # Without the lock while strangers think; a checkpoint that is shown meanwhile is theirs to cosign as well.
        with _as_damage("have the log cosigned"):
            heard = self.witnesses.ask()
            with self._alone():
                self.witnesses.keep(heard)
        return heard

    @contextmanager
    def still(self) -> Iterator[Checkpoint]:
        """Bring tiles and checkpoint up to the committed rows, and let nobody change them inside: they are copied."""
        with self._alone():
            yield self._publish()

    def _publish(self) -> Checkpoint:
        head, shown = self._position()
        if shown.size == head.size:
            return shown
        # Exactly up to that head: others may have committed more since it was read.
        leaves = [event.leaf for event in islice(read_entries(shown.size), head.size - shown.size)]
        checkpoint = Checkpoint(self._keys.origin, head.size, head.tree.root())
        try:
            self._check_growth(shown, leaves, checkpoint)
            self._tiles.append(shown.size, leaves)
            self._expect_root(self._tiles.root(head.size), checkpoint.root)
        except TilesDamaged as cause:
            raise LedgerDamaged(f"couldn't publish: {cause}") from cause
        self._sign(checkpoint)
        return checkpoint

    def _check_growth(self, shown: Checkpoint, leaves: list[bytes], to: Checkpoint) -> None:
        """Raise LedgerDamaged unless the tiles hold what is shown, and `leaves` behind it lead to the signed head."""
        tree = self._tree_shown(shown)
        for leaf in leaves:
            tree.append(leaf_hash(leaf))
        if (tree.size, tree.root()) != (to.size, to.root):
            raise LedgerDamaged(
                f"couldn't publish: the entries from {shown.size} on are not those that the head was signed over"
            )

    def _tree_shown(self, shown: Checkpoint) -> Frontier:
        """Return the right edge of the tree in the tiles; raises LedgerDamaged unless it is the one that is shown."""
        try:
            tree = self._tiles.frontier(shown.size)
        except TilesDamaged as cause:
            raise LedgerDamaged(f"couldn't go on: {cause}") from cause
        if tree.root() != shown.root:
            raise LedgerDamaged(f"couldn't go on: the tiles are not those of the {shown.size} entries that are shown")
        return tree

    def _position(self) -> tuple[LogHead, Checkpoint]:
        """Return the head and what the disk shows of it; raises LedgerDamaged when they are not of one log.

        The head is read first and stays, or the checkpoint does: the caller holds the one lock or the other.
        """
        head = read_head(self._keys.log.verifier)
        shown = self.checkpoint()
        if shown.size < head.shown:
            raise LedgerDamaged(f"couldn't go on: the checkpoint shows {shown.size} entries, it has shown {head.shown}")
        if shown.size > head.size:
            raise LedgerDamaged(f"couldn't go on: the checkpoint shows {shown.size} entries, the state has {head.size}")
        if shown.size == head.size:
            self._expect_root(shown.root, head.tree.root())
        return head, shown

    def _sign(self, checkpoint: Checkpoint) -> None:
        note = sign(checkpoint.text(), [self._keys.log])
        durable.write_whole(self.folder / "checkpoint", note, mode=durable.PUBLIC)

    def _alone(self) -> AbstractContextManager[None]:
        """Keep others, in whatever process, from changing what the disk shows."""
        return durable.only_writer(self.folder / "lock")

    def checkpoint(self) -> Checkpoint:
        """Read the checkpoint that the disk shows. There is one from the founding on: a missing one is damage."""
        try:
            text, _ = open_note(read_whole(self.folder / "checkpoint"), [self._keys.log.verifier])
            return Checkpoint.parse(text)
        except FileNotFoundError as cause:
            raise LedgerDamaged("couldn't read the checkpoint: it is missing") from cause
        except (ValueError, NotRegular) as cause:
            raise LedgerDamaged(f"couldn't read the checkpoint: {cause}") from cause

    def confirm(self, note: bytes) -> Checkpoint:
        """Return a checkpoint that somebody else kept; it may show more entries than are here.

        Raises `Unsound` unless this log signed it, LedgerDamaged when the entries that it shows are not those here.
        """
        kept = Checkpoint.parse(open_note(note, [self._keys.log.verifier])[0])
        if kept.size <= self.checkpoint().size:
            self._expect_root(self._tiles.root(kept.size), kept.root)
        return kept

    def certificate(self, index: int) -> bytes:
        """Return the certificate of a released entry: written once, so that every hand-over gives the same bytes."""
        path = self._certificate(index)
        if not path.exists():
            self.publish()
            # Alone for the whole of it: the proof and the checkpoint beside it must be of one size.
            with self._alone():
                note, checkpoint = self._newest_over(index)
                proof = self._tiles.inclusion(index, checkpoint.size)
                envelope = self._envelope(index)
                # Never hand out what nobody could verify: the row may have been edited since it was shown.
                self._expect_root(
                    root_from_inclusion(leaf_hash(envelope), index, checkpoint.size, proof), checkpoint.root
                )
                # Another process may have been first while this one waited.
                if not path.exists():
                    durable.write_whole(path, certificate.assemble(envelope, index, proof, note))
        return check_certificate(path, self._tiles, self._keys.log.verifier, self.witnesses.verifiers)

    def strange_keys(self, trust: Trust) -> list[str]:
        """Return what a published trust file names that is none of this log's keys."""
        return strange_keys(self._keys, trust)

    def kept_certificate(self, index: int) -> bytes | None:
        """Return the certificate of a released entry as it was handed over, unchecked; None where it never was."""
        try:
            return read_whole(self._certificate(index))
        except FileNotFoundError:
            return None

    def _certificate(self, index: int) -> Path:
        return self.folder / "certificates" / f"{index:012d}{certificate.CERTIFICATE}"

    def vouch(self, payload_type: str, payload: bytes) -> bytes:
        """Sign, with the key that signs releases, what is no release and no entry; returns its envelope."""
        assert payload_type != certificate.PAYLOAD_TYPE, "releases are signed inside of a recording"
        key = self._keys.envelope
        return sign_envelope(payload_type, payload, key_id_of(key.public_key()), key)

    def check(self) -> None:
        """Raise LedgerDamaged unless head, checkpoint and the right edge of the tiles are of one log; reads no entries."""
        with self._alone():
            _, shown = self._position()
            self._tree_shown(shown)

    def audit(self) -> int:
        """Re-check all that the ledger stores; returns the entries checked. See `ledger.audit`."""
        size = check_log(self._tiles, self.checkpoint(), self._keys.log.verifier)
        with self._alone(), _as_damage("audit"):
            head, shown = self._position()
            check_files(self._tiles, shown.size, head.size)
            self.witnesses.check(shown)
        check_certificates(self._tiles, self._keys.log.verifier, self.witnesses.verifiers)
        return size

    def _newest_over(self, index: int) -> tuple[bytes, Checkpoint]:
        """Return the newest cosigned checkpoint if it goes as far as that entry, else the newest plain one."""
        kept = self.cosigned()
        if kept is not None and kept.checkpoint.size > index:
            return kept.note, kept.checkpoint
        checkpoint = self._publish()
        return read_whole(self.folder / "checkpoint"), checkpoint

    def _envelope(self, index: int) -> bytes:
        entry = next(read_entries(index), None)
        if entry is None or entry.index != index or not entry.is_envelope:
            raise LedgerDamaged(f"couldn't certify: entry {index} is no envelope")
        return entry.leaf

    def _expect_root(self, found: bytes, wanted: bytes) -> None:
        if found != wanted:
            raise LedgerDamaged("couldn't go on: the tree on disk and the state have different roots")


def new_request_id(dice: Callable[[int], bytes]) -> RequestId:
    """Return a fresh request id, one that its holder can give again."""
    while (text := dice(16).hex()).isdecimal():
        pass
    return RequestId(text)


@contextmanager
def founding() -> Iterator[None]:
    """The named block in which `init` and `upgrade` change the schema. Nothing else uses it."""
    with _unlocked():
        yield


@contextmanager
def _as_damage(doing: str) -> Iterator[None]:
    """Say in the ledger's own words that what witnesses know, or what we keep of it, does not fit the disk."""
    try:
        yield
    except (HistoryDiffers, TilesDamaged, Unsound) as cause:
        raise LedgerDamaged(f"couldn't {doing}: {cause}") from cause


@contextmanager
def _unlocked() -> Iterator[None]:
    """Let this connection write, in IMMEDIATE transactions, for the length of the block."""
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = OFF")
    connection.transaction_mode = "IMMEDIATE"  # type: ignore[attr-defined]
    try:
        yield
    finally:
        connection.transaction_mode = None  # type: ignore[attr-defined]
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = ON")
