# SPDX-License-Identifier: Apache-2.0
"""What a witness checks, and remembers, before it cosigns (`add-checkpoint` of C2SP tlog-witness).

    (1) form         old size, at most 63 hashes, an empty line, a checkpoint                 else 400
    (2) log          is one that this witness was told to watch                               else 404
    (3) signature    is that log's                                                            else 403
    (4) old size     is not beyond the new one                                                else 400
    (5) memory       is of exactly the old size                                               else 409, with its size
    (6) same size    means same root                                                          else 409
    (7) proof        shows that the new tree only appended to the remembered one              else 422
    (8) remember     the new tree, durably; then sign and answer                                   200

Steps 5 to 8 are one, under a lock that holds for all threads and processes, so that of two trees that do not grow out of
each other one is cosigned at the most, whatever is asked at once and wherever the power goes. A crash between (8) and the
answer loses an answer: whoever asks again is told the remembered size and asks from there.

    witness.pem          the key, its owner's alone
    witness.conf         name, and a line `log <vkey>` for each log
    logs/<origin>.note   the memory: the last checkpoint, with the log's signature and our own; <origin> as its SHA-256
    conflicts/           checkpoints of a remembered size with another root: what proves that a log lied

A log's memory begins with the empty tree, cosigned when the log was added. So a memory that is missing was lost, and one
that our own key did not sign was tampered with; both stop the witness for that log, and neither is taken for a new log.
What nobody can find from within is an old memory put back whole: keep the folder out of others' hands and out of backups.
"""

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from zhanqiao.ledger import durable
from zhanqiao.ledger.checkpoint import Checkpoint
from zhanqiao.ledger.cosignature import Cosignature, cosign
from zhanqiao.ledger.exact import exact_base64, exact_decimal, in_base64
from zhanqiao.ledger.keys import read_key, write_key
from zhanqiao.ledger.note import COSIGNATURE, ED25519, NoteVerifier, is_key_name, open_signed, read_lines
from zhanqiao.ledger.problems import Unsound
from zhanqiao.ledger.regular_file import read_whole
from zhanqiao.ledger.tree import EMPTY_ROOT, HASH_BYTES, MAX_SIZE, check_consistency

MAX_REQUEST_BYTES = 128 * 1024
SIZE_TYPE = "text/x.tlog.size"
_TEXT_TYPE = "text/plain; charset=utf-8"
_MAX_PROOF = 63
# A log that lies does not get to fill the disk.
_MAX_CONFLICTS = 100

Clock = Callable[[], datetime]


class WitnessDamaged(Exception):  # noqa: N818  the name says what is so
    """Key, settings or memory are missing or not what this witness wrote. It cosigns nothing until a person looked."""


@dataclass(frozen=True)
class Answer:
    """What is answered over HTTP. `about` names the log once it is known."""

    status: HTTPStatus
    content: bytes
    content_type: str = _TEXT_TYPE
    about: str = "-"


@dataclass(frozen=True)
class Submission:
    """An `add-checkpoint` request as read; nothing in it is verified."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    @classmethod
    def read(cls, body: bytes) -> "Submission":
        """Read a request body; raises ValueError."""
        if len(body) > MAX_REQUEST_BYTES:
            raise ValueError(f"more than {MAX_REQUEST_BYTES} bytes")
        head, blank, note = body.partition(b"\n\n")
        first, *hashes = head.decode("ascii").split("\n")
        if not blank or not first.startswith("old "):
            raise ValueError("it is not `old <size>`, hashes, an empty line and a checkpoint")
        if len(hashes) > _MAX_PROOF:
            raise ValueError(f"a proof of more than {_MAX_PROOF} hashes")
        proof = tuple(exact_base64(line) for line in hashes)
        if any(len(node) != HASH_BYTES for node in proof):
            raise ValueError("a proof line that is no SHA-256 hash")
        return cls(exact_decimal(first.removeprefix("old "), MAX_SIZE), proof, note)

    def body(self) -> bytes:
        """Return the request body."""
        return (
            "".join(f"{line}\n" for line in [f"old {self.old}", *map(in_base64, self.proof), ""]).encode() + self.note
        )


@dataclass(frozen=True)
class Memory:
    """What a witness last cosigned of one log, and when."""

    checkpoint: Checkpoint
    time: int


class Witness:
    """One witness: a folder, a key, and what it saw of each log."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock
        try:
            self._key = read_key(folder / KEY)
            self.name, self._logs = _read_settings(read_whole(folder / _SETTINGS))
        except (OSError, ValueError, TypeError) as cause:
            raise WitnessDamaged(f"couldn't open the witness in {folder}: {cause}") from cause
        self.verifier = _verifier(self.name, self._key)

    @classmethod
    def found(cls, folder: Path, name: str, logs: Sequence[NoteVerifier], clock: Clock) -> "Witness":
        """Make a witness with a fresh key; raises FileExistsError where one stands, ValueError for an odd name."""
        for one in (name, *(log.name for log in logs)):
            _expect_shown_as_it_is(one)
        # The settings come last: a folder without them is no witness, and a repeated `found` refuses it for its key.
        write_key(folder / KEY, Ed25519PrivateKey.generate())
        durable.write_new(folder / _SETTINGS, f"name {name}\n".encode())
        witness = cls(folder, clock)
        for log in logs:
            witness.watch(log)
        return witness

    def watch(self, log: NoteVerifier) -> None:
        """Watch one more log, from the empty tree; raises ValueError for a key that is none, or is known."""
        if log.kind != ED25519:
            raise ValueError("a log signs with a plain Ed25519 key")
        _expect_shown_as_it_is(log.name)
        if log.public == self.verifier.public:
            raise ValueError("a log does not witness itself")
        with self._alone():
            settings = read_whole(self.folder / _SETTINGS)
            _, self._logs = _read_settings(settings)
            if log in self._logs.get(log.name, []):
                raise ValueError(f"{log.name} is watched already")
            path = self._path(log.name)
            # A crash behind this line leaves an empty memory of a log that nobody watches yet; repeating takes it over.
            if log.name not in self._logs and not path.exists():
                self._remember(Checkpoint(log.name, 0, EMPTY_ROOT), "", int(self._clock().timestamp()))
            settings += f"log {log.vkey}\n".encode()
            durable.write_whole(self.folder / _SETTINGS, settings)
            _, self._logs = _read_settings(settings)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request; raises WitnessDamaged when memory is not what this witness wrote."""
        # (1) The form.
        try:
            asked = Submission.read(body)
            text, lines = read_lines(asked.note)
        except ValueError as cause:
            return _refused(HTTPStatus.BAD_REQUEST, f"this is no add-checkpoint request: {cause}")
        # (2) The log, by its origin line.
        origin = text.split("\n", 1)[0]
        logs = self._logs.get(origin, [])
        if not logs:
            return _refused(HTTPStatus.NOT_FOUND, "this witness does not watch that log")
        # (3) Its signature. From here on the text is the log's word.
        try:
            signed = open_signed(asked.note, logs).signed
        except Unsound as cause:
            return _refused(HTTPStatus.FORBIDDEN, f"the checkpoint is not that log's: {cause}", origin)
        if not signed:
            return _refused(HTTPStatus.FORBIDDEN, "the checkpoint is not signed with a key of that log", origin)
        # (4) The old size.
        try:
            new = Checkpoint.parse(text)
        except Unsound as cause:
            return _refused(HTTPStatus.BAD_REQUEST, str(cause), origin)
        if asked.old > new.size:
            return _refused(HTTPStatus.BAD_REQUEST, "the old size is beyond the new one", origin)
        kept = "".join(line.written() for line in lines if any(line.claims(log) for log in signed))
        with self._alone():
            return self._judge(asked, new, kept)

    def _judge(self, asked: Submission, new: Checkpoint, signatures: str) -> Answer:
        """Steps 5 to 8. The caller holds the lock."""
        memory = self.memory(new.origin)
        known = memory.checkpoint
        # (5) Memory is of exactly the old size.
        if asked.old != known.size:
            return Answer(HTTPStatus.CONFLICT, f"{known.size}\n".encode(), SIZE_TYPE, new.origin)
        # (6) Same size, same root.
        if new.size == known.size and new.root != known.root:
            self._keep_conflict(new.text() + "\n" + signatures)
            return _refused(
                HTTPStatus.CONFLICT, f"this witness knows another tree of {new.size} entries: a fork", new.origin
            )
        # (7) The new tree only appended.
        if not check_consistency(known.size, known.root, new.size, new.root, asked.proof):
            return _refused(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"the proof does not lead from the {known.size} entries that this witness knows",
                new.origin,
            )
        # (8) Remember, then answer. A clock that was set back dates nothing before what is dated already.
        time = max(int(self._clock().timestamp()), memory.time)
        cosignature = self._remember(new, signatures, time)
        return Answer(HTTPStatus.OK, cosignature.line.written().encode(), about=f"{new.origin} {new.size}")

    def logs(self) -> list[str]:
        """Return the origins of the logs that are watched."""
        return sorted(self._logs)

    def memory(self, origin: str) -> Memory:
        """Return what was last cosigned of a log; raises WitnessDamaged."""
        try:
            opened = open_signed(read_whole(self._path(origin)), [self.verifier])
            known = Checkpoint.parse(opened.text)
        except (OSError, ValueError) as cause:
            raise WitnessDamaged(f"couldn't read what this witness knows of {origin}: {cause}") from cause
        if self.verifier not in opened.signed or known.origin != origin:
            raise WitnessDamaged(f"couldn't read what this witness knows of {origin}: it did not write that")
        return Memory(known, opened.signed[self.verifier])

    def conflicts(self) -> int:
        """Count the checkpoints that were kept because they contradict memory."""
        return len(list((self.folder / _CONFLICTS).glob("*.note")))

    def _remember(self, checkpoint: Checkpoint, signatures: str, time: int) -> Cosignature:
        cosignature = cosign(checkpoint.text(), self.name, self._key, time)
        note = f"{checkpoint.text()}\n{signatures}{cosignature.line.written()}"
        durable.write_whole(self._path(checkpoint.origin), note.encode())
        return cosignature

    def _keep_conflict(self, note: str) -> None:
        if self.conflicts() >= _MAX_CONFLICTS:
            return
        name = f"{hashlib.sha256(note.encode()).hexdigest()}.note"
        # Kept for people to judge; the answer does not depend on it, nor on room for it.
        with contextlib.suppress(OSError):
            durable.write_whole(self.folder / _CONFLICTS / name, note.encode())

    def _alone(self) -> contextlib.AbstractContextManager[None]:
        return durable.only_writer(self.folder / "lock")

    def _path(self, origin: str) -> Path:
        return self.folder / "logs" / f"{hashlib.sha256(origin.encode()).hexdigest()}.note"


def _expect_shown_as_it_is(name: str) -> None:
    """Names are printed at terminals: nothing in them commands one, or turns the line around."""
    if not is_key_name(name) or not name.isprintable():
        raise ValueError(f"couldn't take the name {name!r}: a key name holds no space, no plus, no control character")


# A witness is a folder with its key.
KEY = "witness.pem"
_SETTINGS, _CONFLICTS = "witness.conf", "conflicts"


def _read_settings(content: bytes) -> tuple[str, dict[str, list[NoteVerifier]]]:
    """Return the witness's name and the keys of each log, by origin; raises ValueError."""
    first, *lines = content.decode("utf-8").removesuffix("\n").split("\n")
    name = first.removeprefix("name ")
    if not first.startswith("name ") or not is_key_name(name):
        raise ValueError("the first line is not the witness's name")
    logs: dict[str, list[NoteVerifier]] = {}
    for line in lines:
        if not line.startswith("log "):
            raise ValueError("a line that is no `log <vkey>`")
        log = NoteVerifier.from_vkey(line.removeprefix("log "))
        logs.setdefault(log.name, []).append(log)
    return name, logs


def _verifier(name: str, key: Ed25519PrivateKey) -> NoteVerifier:
    return NoteVerifier(name, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), COSIGNATURE)


def _refused(status: HTTPStatus, why: str, about: str = "-") -> Answer:
    return Answer(status, f"{why}\n".encode(), about=about)
