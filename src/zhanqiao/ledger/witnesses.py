# SPDX-License-Identifier: Apache-2.0
"""The log's side of witnessing: show the newest checkpoint to each witness, and keep what they cosign.

A witness is asked with the proof from the size that it last cosigned; if it remembers another, it says so and is asked
from there. Three things can come of it:

    it cosigned       verified against its key, and kept in `cosigned`, beside the plain `checkpoint`
    it did not        unreachable, does not know us, dated the future: told, and nothing stops
    it knows better   more entries than our disk holds, or other ones: `HistoryDiffers`. Our disk was rolled back, or
                      somebody signs another log with our key; going on would make the fork that witnesses exist to find

`cosigned` is the newest checkpoint with a cosignature, at the most one line for each witness. A certificate takes it when
it goes far enough. `quorum` is the newest one that enough witnesses cosigned; its dates, which are theirs, say how long
releases have been without them.
"""

import http.client
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from zhanqiao.ledger import durable
from zhanqiao.ledger.checkpoint import Checkpoint
from zhanqiao.ledger.cosignature import Cosignature, attach, cosignatures_on, read_cosignature
from zhanqiao.ledger.cosigning import SIZE_TYPE, Submission
from zhanqiao.ledger.exact import exact_decimal
from zhanqiao.ledger.note import COSIGNATURE, NoteVerifier, open_note, read_lines
from zhanqiao.ledger.problems import Unsound
from zhanqiao.ledger.regular_file import read_whole
from zhanqiao.ledger.tiles import TilesDamaged, TileStore
from zhanqiao.ledger.tree import MAX_SIZE, check_consistency, root_at

COSIGNED, QUORUM = "cosigned", "quorum"

# Releases wait for it: long enough for a bank's network, short enough for a person.
_ANSWER_SECONDS = 5
_MAX_ANSWER_BYTES = 64 * 1024
# Asked from nothing, told the size, asked from there; once more each, should another process publish in between.
_TURNS = 4
# As `verify` allows: what lies further in the future would spoil the certificate.
_CLOCK_SKEW = timedelta(minutes=5)


class HistoryDiffers(Exception):  # noqa: N818  the name says what is so
    """A witness cosigned another history of this log than the one on our disk."""


class Trouble(StrEnum):
    """Why a witness that was asked did not cosign."""

    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown-log"
    REFUSED = "refused"
    WRONG = "wrong-answer"
    FUTURE = "from-the-future"


@dataclass(frozen=True)
class Seat:
    """One witness as the deployment's settings name it. `name` counts here and in our trust file only."""

    name: str
    url: str
    verifier: NoteVerifier

    @classmethod
    def read(cls, name: str, url: str, vkey: str) -> "Seat":
        """Read the three settings; raises ValueError."""
        verifier, parts = NoteVerifier.from_vkey(vkey), urlsplit(url)
        if verifier.kind != COSIGNATURE:
            raise ValueError("a witness signs with a cosignature/v1 key")
        if not name or not all(letter.isalnum() or letter in "-_." for letter in name) or name == "none":
            raise ValueError("a witness's name is letters, digits, dashes")
        # What `urlsplit` passes over would be a line of its own in the trust file.
        plain = url.isprintable() and not any(letter.isspace() for letter in url)
        if not plain or parts.scheme not in ("http", "https") or not parts.hostname or set("?#") & set(url):
            raise ValueError("a witness's address is http(s)://HOST:PORT, perhaps with a path")
        return cls(name, url.rstrip("/"), verifier)

    def rivals(self, other: "Seat") -> bool:
        """Tell whether the other one has the same name, or the same key and so would count twice."""
        return self.name == other.name or self.verifier.public == other.verifier.public


@dataclass(frozen=True)
class Reply:
    """What came back over HTTP."""

    status: int
    content_type: str
    content: bytes


# (url, body) -> what came back; raises OSError or HTTPException when nothing did.
Send = Callable[[str, bytes], Reply]


@dataclass(frozen=True)
class Heard:
    """How asking one witness went: its cosignature of that checkpoint, or the trouble."""

    seat: Seat
    note: bytes
    checkpoint: Checkpoint
    cosignature: Cosignature | None = None
    trouble: Trouble | None = None
    cause: str = ""


@dataclass(frozen=True)
class Patience:
    """How many witnesses have to cosign, or all where there are fewer, and how long releases go on without them."""

    quorum: int = 2
    seconds: int = 3_600


@dataclass(frozen=True)
class Kept:
    """A cosigned checkpoint."""

    note: bytes
    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...]

    def times(self) -> dict[NoteVerifier, int]:
        """Return when each witness signed it."""
        return {one.witness: one.time for one in self.cosignatures}


class Witnesses:
    """The witnesses of one log on disk. Whoever calls `keep` is the only writer of the folder."""

    def __init__(
        self,
        folder: Path,
        log: NoteVerifier,
        seats: tuple[Seat, ...],
        now: Callable[[], datetime],
        send: Send,
        patience: Patience = Patience(),
    ) -> None:
        self.seats = seats
        self.patience = patience
        self._folder = folder
        self._log = log
        self._now = now
        self._send = send
        self._tiles = TileStore(folder)

    @property
    def verifiers(self) -> list[NoteVerifier]:
        return [seat.verifier for seat in self.seats]

    def ask(self) -> list[Heard]:
        """Show the checkpoint on disk to all witnesses at once; raises HistoryDiffers."""
        if not self.seats:
            return []
        kept = self.kept()
        with ThreadPoolExecutor(len(self.seats)) as threads:
            return list(threads.map(lambda seat: self._ask(seat, kept), self.seats))

    def introduce(self, seat: Seat) -> Heard:
        """Show the checkpoint on disk to who is no witness yet; nothing is kept, and nothing that he says is believed."""
        note, shown = self._shown()
        try:
            return self._ask(seat, None)
        except HistoryDiffers as claim:
            return Heard(seat, note, shown, trouble=Trouble.WRONG, cause=str(claim))

    def all_signed(self, checkpoint: Checkpoint) -> bool:
        """Tell whether every witness has cosigned this checkpoint already."""
        kept = self.kept()
        if kept is None:
            return not self.seats
        return kept.checkpoint == checkpoint and all(seat.verifier in kept.times() for seat in self.seats)

    def in_touch(self) -> bool:
        """Tell whether enough witnesses cosigned lately; whoever has no witnesses waits for none."""
        if self.needed == 0:
            return True
        kept = self._read(QUORUM)
        times = sorted(kept.times().values(), reverse=True) if kept is not None else []
        if len(times) < self.needed:
            return False
        age = self._now().timestamp() - times[self.needed - 1]
        # A clock that was set back would make the last word of the witnesses last for ever.
        return -_CLOCK_SKEW.total_seconds() <= age <= self.patience.seconds

    @property
    def needed(self) -> int:
        """How many have to cosign before answers leave: all of them where there are fewer than the quorum."""
        return min(self.patience.quorum, len(self.seats))

    def keep(self, heard: list[Heard]) -> None:
        """Add what was cosigned to `cosigned`, unless a newer one stands there, and to `quorum` when it makes one."""
        signed = [one for one in heard if one.cosignature is not None]
        newest = max(signed, key=lambda one: one.checkpoint.size, default=None)
        if newest is None:
            return
        kept = self.kept()
        if kept is not None and kept.checkpoint.size > newest.checkpoint.size:
            return
        note = kept.note if kept is not None and kept.checkpoint == newest.checkpoint else newest.note
        cosignatures = [one.cosignature for one in signed if one.checkpoint == newest.checkpoint and one.cosignature]
        note = attach(note, cosignatures)
        durable.write_whole(self._folder / COSIGNED, note, mode=durable.PUBLIC)
        if self.needed and len(cosignatures_on(note, self.verifiers)) >= self.needed:
            durable.write_whole(self._folder / QUORUM, note, mode=durable.PUBLIC)

    def kept(self) -> Kept | None:
        """Read the newest cosigned checkpoint; raises `Unsound` for one that log or witness did not sign."""
        return self._read(COSIGNED)

    def _read(self, name: str) -> Kept | None:
        try:
            note = read_whole(self._folder / name)
        except FileNotFoundError:
            return None
        text, _ = open_note(note, [self._log])
        cosignatures = cosignatures_on(note, self.verifiers)
        return Kept(note, Checkpoint.parse(text), tuple(cosignatures))

    def forget(self) -> None:
        """Drop what is kept, before a witness leaves: the others will cosign again."""
        for name in (COSIGNED, QUORUM):
            (self._folder / name).unlink(missing_ok=True)

    def check(self, shown: Checkpoint) -> None:
        """Check what is kept against tiles and checkpoint; raises `Unsound`, TilesDamaged or HistoryDiffers."""
        for name in (COSIGNED, QUORUM):
            kept = self._read(name)
            if kept is not None:
                self._check(name, kept, shown)

    def _check(self, name: str, kept: Kept, shown: Checkpoint) -> None:
        known = [self._log, *kept.times()]
        if strange := [line for line in read_lines(kept.note)[1] if not any(line.claims(key) for key in known)]:
            raise Unsound("note-malformed", cause=f"{strange[0].name} signed `{name}` and is no witness of ours")
        if kept.checkpoint.size > shown.size:
            raise HistoryDiffers(
                f"witnesses cosigned {kept.checkpoint.size} entries, the checkpoint shows {shown.size}: rolled back"
            )
        if self._root_of_first(kept.checkpoint.size, shown.size) != kept.checkpoint.root:
            raise HistoryDiffers(f"witnesses cosigned another tree of {kept.checkpoint.size} entries: a fork")

    def _ask(self, seat: Seat, kept: Kept | None) -> Heard:
        old = kept.checkpoint.size if kept is not None and seat.verifier in kept.times() else 0
        for _ in range(_TURNS):
            # Read anew each turn: another process may have published, and shown that to this witness, since.
            note, shown = self._shown()
            if old > shown.size:
                raise HistoryDiffers(
                    f"witness {seat.name} cosigned {old} entries of this log, and the disk shows {shown.size}: "
                    "it was rolled back"
                )
            proof = self._tiles.consistency(old, shown.size)
            try:
                reply = self._send(f"{seat.url}/add-checkpoint", Submission(old, tuple(proof), note).body())
            # ValueError: an address that no client can use, by its port or its name.
            except (OSError, ValueError, http.client.HTTPException) as cause:
                return Heard(seat, note, shown, trouble=Trouble.UNREACHABLE, cause=str(cause) or type(cause).__name__)
            match reply.status:
                case 200:
                    return self._heard(seat, note, shown, reply.content)
                case 409 if reply.content_type == SIZE_TYPE:
                    remembered = _size(reply.content)
                    if remembered in (None, old):
                        return Heard(seat, note, shown, trouble=Trouble.WRONG, cause="a size that leads nowhere")
                    old = int(remembered or 0)
                case 409 | 422 if old:
                    self._blame(seat, old, shown, proof)
                case 404:
                    return Heard(seat, note, shown, trouble=Trouble.UNKNOWN, cause="404")
                case status:
                    return Heard(seat, note, shown, trouble=Trouble.REFUSED, cause=str(status))
        return Heard(seat, note, shown, trouble=Trouble.WRONG, cause="it remembers another size each time")

    def _heard(self, seat: Seat, note: bytes, shown: Checkpoint, answer: bytes) -> Heard:
        try:
            cosignature = read_cosignature(shown.text(), answer, seat.verifier)
        except Unsound as flaw:
            return Heard(seat, note, shown, trouble=Trouble.WRONG, cause=str(flaw))
        if cosignature.time > (self._now() + _CLOCK_SKEW).timestamp():
            return Heard(seat, note, shown, trouble=Trouble.FUTURE, cause=f"time {cosignature.time}")
        return Heard(seat, note, shown, cosignature)

    def _blame(self, seat: Seat, old: int, shown: Checkpoint, proof: list[bytes]) -> NoReturn:
        """Say whose fault it is that a witness does not take our proof; always raises."""
        if not check_consistency(old, self._root_of_first(old, shown.size), shown.size, shown.root, proof):
            raise TilesDamaged(f"couldn't prove that {shown.size} entries grew out of {old}: the tiles are damaged")
        raise HistoryDiffers(
            f"witness {seat.name} cosigned {old} entries of this log that are not the first {old} on the disk: a fork"
        )

    def _shown(self) -> tuple[bytes, Checkpoint]:
        note = read_whole(self._folder / "checkpoint")
        return note, Checkpoint.parse(open_note(note, [self._log])[0])

    def _root_of_first(self, entries: int, size: int) -> bytes:
        """Return the root of the first entries, of which no checkpoint need ever have been shown."""
        return root_at(entries, lambda level, index: self._tiles.hash_at(level, index, size))


def send_over_http(url: str, body: bytes) -> Reply:
    """Send one request, within a bounded time and without proxies or redirects; raises OSError or HTTPException."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_ANSWER_SECONDS)
    try:
        connection.connect()
        # The time-out bounds each silence, not their sum.
        late = threading.Event()
        watch = threading.Timer(_ANSWER_SECONDS, _cut, [connection.sock, late])
        watch.daemon = True
        watch.start()
        try:
            connection.request("POST", parts.path, body, {"Content-Type": "text/plain; charset=utf-8"})
            reply = connection.getresponse()
            content = reply.read(_MAX_ANSWER_BYTES)
        finally:
            watch.cancel()
        if late.is_set():
            raise TimeoutError(f"no whole answer within {_ANSWER_SECONDS} s")
        return Reply(reply.status, reply.getheader("Content-Type", ""), content)
    finally:
        connection.close()


def _cut(connection: socket.socket, late: threading.Event) -> None:
    late.set()
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it ended by itself


def _size(content: bytes) -> int | None:
    try:
        return exact_decimal(content.decode("ascii").removesuffix("\n"), MAX_SIZE)
    except ValueError:
        return None
