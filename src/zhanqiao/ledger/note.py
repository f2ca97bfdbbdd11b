# SPDX-License-Identifier: Apache-2.0
"""C2SP signed notes: a text, a blank line, and a line for each signature.

    <text, ends in a newline>

    — <key name> <base64 of key id, signature>

Two kinds of keys, told apart by a byte that is part of the key id: Ed25519 over the text (0x01, logs) and the
timestamped cosignature/v1 (0x04, witnesses). Signatures of unknown keys are ignored, as the format demands; one of a
known key that does not verify, or that comes twice, spoils the whole note.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from zhanqiao.ledger.exact import exact_base64, in_base64
from zhanqiao.ledger.problems import Unsound
from zhanqiao.ledger.public_key import read_public_key

ED25519 = 0x01
COSIGNATURE = 0x04

_KEY_ID_BYTES = 4
_TIME_BYTES = 8
_DASH = "\N{EM DASH} "
# The format asks for 16 at least; Go's sumdb/note stops at 100 as well.
_MAX_SIGNATURES = 100


def is_key_name(name: str) -> bool:
    """Tell whether `name` can stand in a signature line: not empty, no space, no plus."""
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)


@dataclass(frozen=True)
class NoteVerifier:
    """A public key with its name. Name and key id together say whose signature a line claims to be."""

    name: str
    public: bytes
    kind: int = ED25519

    @property
    def key_id(self) -> bytes:
        encoded = bytes([self.kind]) + self.public
        return hashlib.sha256(self.name.encode() + b"\n" + encoded).digest()[:_KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """Return the one-line form `name+id+base64` in which keys are published."""
        return f"{self.name}+{self.key_id.hex()}+{in_base64(bytes([self.kind]) + self.public)}"

    @classmethod
    def from_vkey(cls, text: str) -> "NoteVerifier":
        """Read the one-line form; raises ValueError for a wrong id, an unknown kind or an odd spelling."""
        # The name holds no plus; the base64 may.
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        key = exact_base64(encoded)
        if not is_key_name(name) or len(key) != 33 or key[0] not in (ED25519, COSIGNATURE):
            raise ValueError("not the key of a log (Ed25519) or of a witness (cosignature/v1)")
        read_public_key(key[1:])
        verifier = cls(name, key[1:], key[0])
        if verifier.key_id.hex() != key_id:
            raise ValueError(f"the key id {key_id[:8]} is not the key's")
        return verifier

    def opens(self, text: bytes, signature: bytes) -> int | None:
        """Return the time of a cosignature, 0 for a plain signature, None when it does not verify."""
        time = 0
        if self.kind == COSIGNATURE:
            time = int.from_bytes(signature[:_TIME_BYTES], "big")
            text, signature = _cosigned(text, time), signature[_TIME_BYTES:]
        try:
            read_public_key(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return None
        return time


class NoteSigner:
    """A private Ed25519 key that signs notes under a name."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        if not is_key_name(name):
            raise ValueError(f"couldn't name a key {name!r}: a key name holds no space and no plus")
        public = private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = NoteVerifier(name, public)
        self._private_key = private_key

    @property
    def name(self) -> str:
        return self.verifier.name

    @property
    def vkey(self) -> str:
        return self.verifier.vkey

    def line(self, text: bytes) -> str:
        """Return the signature line for `text`."""
        return _line(self.verifier, self._private_key.sign(text))


class CosignatureSigner:
    """A witness: signs a checkpoint together with the time at which it saw it consistent."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey, time: int) -> None:
        public = private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = NoteVerifier(name, public, COSIGNATURE)
        self._private_key = private_key
        self._time = time

    def line(self, text: bytes) -> str:
        signature = self._private_key.sign(_cosigned(text, self._time))
        return _line(self.verifier, self._time.to_bytes(_TIME_BYTES, "big") + signature)


@dataclass(frozen=True)
class SignatureLine:
    """One signature line as it stands, not verified: whose signature it claims to be, and the bytes."""

    name: str
    key_id: bytes
    signature: bytes

    def claims(self, verifier: NoteVerifier) -> bool:
        """Tell whether the line stands in the name of that key."""
        return (self.name, self.key_id) == (verifier.name, verifier.key_id)

    def written(self) -> str:
        """Return the line with its newline; lines are read in this one spelling only."""
        return f"{_DASH}{self.name} {in_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True)
class Opened:
    """A note whose known signatures all verify. `signed` holds each key that did, with its cosignature's time."""

    text: str
    signed: dict[NoteVerifier, int]


def sign(text: str, signers: Sequence[NoteSigner | CosignatureSigner]) -> bytes:
    """Return the note over `text`, which ends in a newline; one signature line for each signer."""
    if not text.endswith("\n") or _has_control(text):
        raise ValueError("couldn't sign the note: its text must end in a newline and hold no other control character")
    return (text + "\n" + "".join(signer.line(text.encode()) for signer in signers)).encode()


def open_note(note: bytes, verifiers: Iterable[NoteVerifier]) -> tuple[str, list[str]]:
    """Return the text and the names of the keys that signed it; raises `Unsound` unless one known key did."""
    opened = open_signed(note, verifiers)
    if not opened.signed:
        raise Unsound("note-not-trusted")
    return opened.text, [verifier.name for verifier in opened.signed]


def open_signed(note: bytes, verifiers: Iterable[NoteVerifier]) -> Opened:
    """Check every signature whose key is known. The caller decides whether the keys that signed suffice."""
    text, lines = read_lines(note)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    signed: dict[NoteVerifier, int] = {}
    for line in lines:
        verifier = known.get((line.name, line.key_id))
        if verifier is None:
            continue
        if verifier in signed:
            raise Unsound("note-signature-twice", key=line.name)
        time = verifier.opens(text.encode(), line.signature)
        if time is None:
            raise Unsound("note-signature-wrong", key=line.name)
        signed[verifier] = time
    return Opened(text, signed)


def read_lines(note: bytes) -> tuple[str, list[SignatureLine]]:
    """Return the text and the signature lines, none of them verified; raises `Unsound`."""
    try:
        content = note.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise Unsound("note-malformed", cause="it is not UTF-8") from cause
    if _has_control(content):
        raise Unsound("note-malformed", cause="it holds a control character")
    text, blank, signatures = content.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise Unsound("note-malformed", cause="no signature lines follow a blank line")
    lines = signatures[:-1].split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise Unsound("note-malformed", cause=f"more than {_MAX_SIGNATURES} signatures")
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> SignatureLine:
    if not line.startswith(_DASH):
        raise Unsound("note-malformed", cause="a signature line does not begin with a dash")
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        content = exact_base64(encoded)
    except ValueError as cause:
        raise Unsound("note-malformed", cause=f"a signature is {cause}") from cause
    if not is_key_name(name) or len(content) <= _KEY_ID_BYTES:
        raise Unsound("note-malformed", cause="a signature line lacks name or signature")
    return SignatureLine(name, content[:_KEY_ID_BYTES], content[_KEY_ID_BYTES:])


def _line(verifier: NoteVerifier, signature: bytes) -> str:
    return SignatureLine(verifier.name, verifier.key_id, signature).written()


def _cosigned(text: bytes, time: int) -> bytes:
    """Return what a witness signs (C2SP tlog-cosignature)."""
    return f"cosignature/v1\ntime {time}\n".encode() + text


def _has_control(text: str) -> bool:
    return any(letter < " " and letter != "\n" for letter in text)
