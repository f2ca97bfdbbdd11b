# SPDX-License-Identifier: Apache-2.0
"""Cosignatures (C2SP tlog-cosignature): what a witness says about a checkpoint, and a checkpoint that carries them.

    — <witness> <base64 of key id, time as uint64, Ed25519 signature>

signed over `cosignature/v1`, `time <seconds>` and the checkpoint's text: at that time this was the largest tree of that
log which the witness had seen, and each tree before was a part of it. Pure: nobody is asked here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zhanqiao.ledger.note import COSIGNATURE, CosignatureSigner, NoteVerifier, SignatureLine, open_signed, read_lines
from zhanqiao.ledger.problems import Unsound


@dataclass(frozen=True)
class Cosignature:
    """One verified cosignature: by whom, when, and its line."""

    witness: NoteVerifier
    time: int
    line: SignatureLine


def cosign(text: str, name: str, key: Ed25519PrivateKey, time: int) -> Cosignature:
    """Sign a checkpoint's text as the witness `name`."""
    signer = CosignatureSigner(name, key, time)
    return read_cosignature(text, signer.line(text.encode()).encode(), signer.verifier)


def read_cosignature(text: str, answer: bytes, witness: NoteVerifier) -> Cosignature:
    """Return the cosignature of `witness` among the lines of `answer`; lines of others are ignored. Raises `Unsound`."""
    assert witness.kind == COSIGNATURE, "a log's own signature is no cosignature"
    whole = f"{text}\n".encode() + answer
    opened = open_signed(whole, [witness])
    if opened.text != text or witness not in opened.signed:
        raise Unsound("cosignature-missing", key=witness.name)
    (line,) = (line for line in read_lines(whole)[1] if line.claims(witness))
    return Cosignature(witness, opened.signed[witness], line)


def cosignatures_on(note: bytes, witnesses: Iterable[NoteVerifier]) -> list[Cosignature]:
    """Return the cosignatures that a note carries, of these witnesses; raises `Unsound` when one is wrong."""
    known = list(witnesses)
    opened, lines = open_signed(note, known), read_lines(note)[1]
    return [
        Cosignature(witness, opened.signed[witness], line)
        for witness in known
        if witness in opened.signed
        for line in lines
        if line.claims(witness)
    ]


def attach(note: bytes, cosignatures: Iterable[Cosignature]) -> bytes:
    """Return the note with these cosignatures, each in place of an earlier one of its key."""
    text, lines = read_lines(note)
    added = list(cosignatures)
    kept = [line for line in lines if not any(line.claims(one.witness) for one in added)]
    return (text + "\n" + "".join(line.written() for line in [*kept, *(one.line for one in added)])).encode()
