# SPDX-License-Identifier: Apache-2.0
"""Attack: make a certificate pass whose trust file asks for two witnesses, without two witnesses.

The operator holds the log's key, cosignatures of other checkpoints, and one witness that does what it is told. Nothing
else may pass, and the Go judge must say the same of every forgery, at the same step.
"""

import random
import runpy
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import zhanqiao.ledger
from lib.go_judge import judge
from zhanqiao.ledger.certificate import parse
from zhanqiao.ledger.note import ED25519, NoteSigner, NoteVerifier, SignatureLine, read_lines
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.verify import verify

VECTORS = Path(zhanqiao.ledger.__file__).parent / "vectors"
MAKER = runpy.run_path(str(VECTORS / "rebuild.py"))
TRUST_FILE, ANSWER_FILE = VECTORS / "trust-witnessed.txt", VECTORS / "answer.json"
TRUST, ANSWER = Trust.parse(TRUST_FILE.read_bytes()), ANSWER_FILE.read_bytes()
NOW = datetime(2026, 11, 25, tzinfo=UTC)
GOOD = (VECTORS / "good-witnessed.cert").read_bytes()
HEAD = GOOD.removesuffix(parse(GOOD).note)
TEXT, LINES = read_lines(parse(GOOD).note)
WITNESSES = [*TRUST.witnesses.values()]
SIGNED = [verifier for verifier in WITNESSES if any(line.claims(verifier) for line in LINES)]
PUPPET = SIGNED[0]  # signs what it is told
HONEST = [verifier for verifier in WITNESSES if verifier != PUPPET]
_witness, _key = MAKER["_witness"], MAKER["_key"]

Forge = Callable[[list[SignatureLine], random.Random], list[SignatureLine]]


def line_of(witness: NoteVerifier, text: str, time: int) -> SignatureLine:
    """Return a true cosignature, of whatever text."""
    signer = _witness(witness.name.removesuffix(".example"), time)
    _, (line,) = read_lines(f"{text}\n{signer.line(text.encode())}".encode())
    return line


def claimed(lines: list[SignatureLine], dice: random.Random) -> int:
    """Return the place of a line that an honest witness signed."""
    return dice.choice([at for at, line in enumerate(lines) if any(line.claims(one) for one in HONEST)])


def renamed(lines, dice):
    """The puppet's own signature under an honest witness's name or id."""
    puppet = next(line for line in lines if line.claims(PUPPET))
    other = dice.choice(HONEST)
    at = claimed(lines, dice)
    name, key_id = dice.choice([(other.name, other.key_id), (other.name, puppet.key_id), (puppet.name, other.key_id)])
    return [*lines[:at], SignatureLine(name, key_id, puppet.signature), *lines[at + 1 :]]


def doubled(lines, dice):
    """The puppet signs twice, at two times, and no honest witness does."""
    at = claimed(lines, dice)
    return [*lines[:at], line_of(PUPPET, TEXT, dice.randrange(1_700_000_000, 1_790_000_000)), *lines[at + 1 :]]


def of_another_checkpoint(lines, dice):
    """A true cosignature of another tree of the same log, or of another log."""
    origin, size, root, _ = TEXT.split("\n")
    text = dice.choice(
        [f"{origin}\n{int(size) - 1}\n{root}\n", f"{origin}2\n{size}\n{root}\n", f"{origin}\n{size}\n{root}\nmore\n"]
    )
    at = claimed(lines, dice)
    witness = next(one for one in HONEST if lines[at].claims(one))
    return [*lines[:at], line_of(witness, text, 1_736_154_000 + dice.randrange(1_000)), *lines[at + 1 :]]


def redated(lines, dice):
    """Another time on a true cosignature."""
    at = claimed(lines, dice)
    time = dice.choice([0, 1, 2**62, 2**64 - 1, int.from_bytes(lines[at].signature[:8], "big") + dice.randrange(1, 99)])
    line = SignatureLine(lines[at].name, lines[at].key_id, time.to_bytes(8, "big") + lines[at].signature[8:])
    return [*lines[:at], line, *lines[at + 1 :]]


def of_the_operators_keys(lines, dice):
    """Keys that the operator has, in the form of an honest witness."""
    at = claimed(lines, dice)
    other = next(one for one in HONEST if lines[at].claims(one))
    signer = MAKER["CosignatureSigner"](other.name, _key(dice.choice(["log", "foreign"])), 1_736_154_000)
    _, (line,) = read_lines(f"{TEXT}\n{signer.line(TEXT.encode())}".encode())
    if dice.random() < 0.5:
        line = SignatureLine(line.name, other.key_id, line.signature)
    return [*lines[:at], line, *lines[at + 1 :]]


def of_the_other_kind(lines, dice):
    """An honest witness's key as a log would use it: without a time."""
    at = claimed(lines, dice)
    other = next(one for one in HONEST if lines[at].claims(one))
    signer = NoteSigner(other.name, _key(f"witness {other.name.removesuffix('.example')}"))
    _, (line,) = read_lines(f"{TEXT}\n{signer.line(TEXT.encode())}".encode())
    key_id = dice.choice([other.key_id, NoteVerifier(other.name, other.public, ED25519).key_id])
    return [*lines[:at], SignatureLine(other.name, key_id, line.signature), *lines[at + 1 :]]


def reshaped(lines, dice):
    """Too short, too long, a bit turned."""
    at = claimed(lines, dice)
    old = lines[at].signature
    place = dice.randrange(len(old))
    new = dice.choice(
        [
            old[:place] or b"\x00",
            old + dice.randbytes(dice.randrange(1, 20)),
            old[:place] + bytes([old[place] ^ 1 << dice.randrange(8)]) + old[place + 1 :],
            old[8:],
            bytes(8) + old,
        ]
    )
    return [*lines[:at], SignatureLine(lines[at].name, lines[at].key_id, new), *lines[at + 1 :]]


def left_out(lines, dice):
    """One witness alone, with any number of strangers."""
    at = claimed(lines, dice)
    strangers = [SignatureLine(f"stranger{n}", dice.randbytes(4), dice.randbytes(72)) for n in range(dice.randrange(9))]
    return [*lines[:at], *lines[at + 1 :], *strangers]


FORGERIES: list[Forge] = [
    renamed,
    doubled,
    of_another_checkpoint,
    redated,
    of_the_operators_keys,
    of_the_other_kind,
    reshaped,
    left_out,
]


def forged(count: int) -> dict[bytes, str]:
    dice = random.Random(20261125)
    found: dict[bytes, str] = {}
    while len(found) < count:
        forge = dice.choice(FORGERIES)
        lines = forge(list(LINES), dice)
        if dice.random() < 0.5:
            dice.shuffle(lines)
        note = f"{TEXT}\n{''.join(line.written() for line in lines)}".encode()
        if dice.random() < 0.3:
            note = note.replace(*dice.choice([(b"= ", b""), (b"==\n", b"=\n"), (b"\n\n", b"\n"), (b" ", b"  ")]), 1)
        found[HEAD + note] = forge.__name__
    return found


def test_the_attack_starts_from_a_certificate_that_is_accepted():
    assert verify(GOOD, TRUST, ANSWER, now=NOW).valid
    assert len(SIGNED) == 2, "each of both is needed"


@pytest.mark.parametrize("count", [600, pytest.param(10_000, marks=pytest.mark.slow)])
def test_of_forged_cosignatures_none_makes_a_quorum_and_the_go_judge_says_the_same(tmp_path: Path, count):
    steps, codes = {}, Counter()
    for number, (content, name) in enumerate(forged(count).items()):
        verdict = verify(content, TRUST, ANSWER, now=NOW)
        assert not verdict.valid, name
        codes.update(problem.code for problem in verdict.problems)
        path = tmp_path / f"{number:05d}-{name}.cert"
        path.write_bytes(content)
        steps[path] = verdict.failed_step
    assert set(codes) >= {"quorum-missing", "note-signature-wrong", "note-signature-twice", "note-malformed"}
    assert "not-understood" not in codes
    assert judge((TRUST_FILE, path, ANSWER_FILE) for path in steps) == steps
    print(f"{count} forged cosignatures: {dict(codes)}")
