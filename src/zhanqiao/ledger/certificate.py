# SPDX-License-Identifier: Apache-2.0
"""Certificates: what a receiver gets with an answer, and what anyone can check without us.

The file is a C2SP tlog-proof@v1:

    c2sp.org/tlog-proof@v1
    extra <base64: the envelope, and in the group form the member lines>
    index <n>
    <inclusion hashes, the leaf's sibling first>
    <empty line>
    <checkpoint: origin, size, root, empty line, signature lines>

The leaf is the DSSE envelope around an in-toto Statement. Its predicate says how the answer came about; its subject
says which answer: the SHA-256 of salt and canonical answer.

Group form: one envelope may cover a commit group of answers. Then the predicate says `group: {size, path}`, where
`path` names the kind of path (`rfc6962-sha256`), and the subject is the Merkle root over the digests of the answers,
each a leaf. The path of one answer differs from certificate to certificate, so it cannot be inside of what is signed
once for all. It follows the envelope in `extra`, which the format does not authenticate, and is checked against the
signed root:

    <envelope, one line>
    member <index> <digest of the answer, hex>
    <path hashes in base64, the leaf's sibling first>

A certificate without member lines is of the single form; the signed predicate says which form is right.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zhanqiao.ledger.dsse import key_id_of, sign_envelope
from zhanqiao.ledger.exact import exact_base64, exact_decimal, exact_json, in_base64
from zhanqiao.ledger.problems import Unsound
from zhanqiao.ledger.tree import HASH_BYTES, MAX_SIZE, leaf_hash, root_of
from zhanqiao.terms.agreements import Door
from zhanqiao.terms.canonical import canonical

HEADER = "c2sp.org/tlog-proof@v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://zhanqiao.dev/predicate/release/v1"
PREDICATE_VERSION = 1
GROUP_PATH = "rfc6962-sha256"
SUBJECT_NAME = "answer"
GROUP_SUBJECT_NAME = "answers"
# How the files of a release are named: NUMBER.cert, and NUMBER.answer.json beside it.
CERTIFICATE, ANSWER = ".cert", ".answer.json"
SALT_BYTES = 16

# An envelope fits a log entry (64 kB), which base64 makes a third longer; the rest is two proofs and a note.
MAX_CERTIFICATE_BYTES = 256 * 1024
# The longest answer is that of a batch: an outcome of some 150 bytes for each of several million lines.
MAX_ANSWER_BYTES = 1 << 30
# A tree that int64 can count is no higher.
_MAX_PATH = 63

_HEX_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SALT = re.compile(rf"[0-9a-f]{{{2 * SALT_BYTES}}}", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z", re.ASCII)

# The fields of the predicate and what each holds. The set is closed.
_TEXT, _TEXT_OR_NULL, _TABLE, _ROWS = "text", "text or null", "table", "list of tables"
_FIELDS = {
    "version": "1",
    "door": "door",
    "service_or_null": _TEXT_OR_NULL,
    "agreement": _TEXT,
    "purpose": _TEXT,
    "policy": "version and pack",
    "statement_or_artifact_digest": _TEXT,
    "snapshot": _TABLE,
    "rung_or_null": _TEXT_OR_NULL,
    "rules": _ROWS,
    "withheld": _ROWS,
    "charge": _TABLE,
    "commitment": _TEXT,
    "approvals": _ROWS,
    "group": "group",
    "issued": "time in UTC",
}


@dataclass(frozen=True)
class Member:
    """The place of one answer in its commit group. Not authenticated by itself: see `verify`."""

    index: int
    digest: str
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Certificate:
    """The parts of a certificate file. Reading it proves nothing: `verify` does."""

    envelope: bytes
    index: int
    proof: tuple[bytes, ...]
    note: bytes
    member: Member | None


@dataclass(frozen=True)
class Statement:
    """What a verified envelope states. `digest` is the answer's, or the group's root when `group_size` is set."""

    digest: str
    predicate: dict[str, object]
    group_size: int | None

    @property
    def issued(self) -> str:
        return str(self.predicate["issued"])


# --- making ---------------------------------------------------------------------------------------


def answer_path(certificate: Path) -> Path:
    """Return where the answer of a certificate lies."""
    return certificate.with_name(certificate.name.removesuffix(CERTIFICATE) + ANSWER)


def certificate_path(file: Path) -> Path:
    """Return where the certificate of an answer lies; of any other file, the file itself."""
    return file.with_name(file.name.removesuffix(ANSWER) + CERTIFICATE) if file.name.endswith(ANSWER) else file


def answer_digest(salt: bytes, answer: Mapping[str, object]) -> str:
    """Return the subject digest of an answer, in hex. The salt keeps small answers from being guessed."""
    return canonical_digest(salt, canonical(answer))


def canonical_digest(salt: bytes, answer: bytes) -> str:
    """Return the subject digest of an answer that is in its canonical form."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"couldn't digest an answer: a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(salt + answer).hexdigest()


def member_leaf(digest: str) -> bytes:
    """Return the leaf of one answer in its group's tree."""
    return leaf_hash(bytes.fromhex(digest))


def group_root(digests: Iterable[str]) -> str:
    """Return the subject digest of a commit group: the root over its answers' digests."""
    return root_of(member_leaf(digest) for digest in digests).hex()


def seal(predicate: Mapping[str, object], subject_digest: str, signer: Ed25519PrivateKey) -> bytes:
    """Return the signed envelope: the leaf of the log. Refuses (ValueError) what `verify` would refuse."""
    payload = canonical(
        {
            "_type": STATEMENT_TYPE,
            "predicate": predicate,
            "predicateType": PREDICATE_TYPE,
            "subject": [
                {
                    "digest": {"sha256": subject_digest},
                    "name": SUBJECT_NAME if predicate.get("group") is None else GROUP_SUBJECT_NAME,
                }
            ],
        }
    )
    read_statement(payload)
    return sign_envelope(PAYLOAD_TYPE, payload, key_id_of(signer.public_key()), signer)


def assemble(
    envelope: bytes, index: int, proof: Sequence[bytes], checkpoint_note: bytes, member: Member | None = None
) -> bytes:
    """Return the certificate file."""
    extra = envelope if member is None else envelope + b"\n" + _member_lines(member).encode()
    head = [HEADER, f"extra {in_base64(extra)}", f"index {index}", *map(in_base64, proof)]
    return "".join(line + "\n" for line in head).encode() + b"\n" + checkpoint_note


def _member_lines(member: Member) -> str:
    lines = [f"member {member.index} {member.digest}", *map(in_base64, member.path)]
    return "".join(line + "\n" for line in lines)


# --- reading --------------------------------------------------------------------------------------


def parse(content: bytes) -> Certificate:
    """Split a certificate file into its parts; raises `Unsound`. The only spelling accepted is `assemble`'s."""
    if len(content) > MAX_CERTIFICATE_BYTES:
        raise Unsound("certificate-too-large", bytes=len(content), limit=MAX_CERTIFICATE_BYTES)
    head, blank, note = content.partition(b"\n\n")
    if not blank:
        raise Unsound("certificate-malformed", cause="no empty line before the checkpoint")
    try:
        return _read_head(head.decode("ascii").split("\n"), note)
    except UnicodeDecodeError as cause:
        raise Unsound("certificate-malformed", cause="before the checkpoint it is not ASCII text") from cause
    except ValueError as cause:
        raise Unsound("certificate-malformed", cause=cause) from cause


def read_statement(payload: bytes) -> Statement:
    """Read the verified payload of an envelope; raises `Unsound` unless it is exactly a release statement, version 1."""
    try:
        return _read_statement(exact_json(payload))
    except ValueError as cause:
        raise Unsound("statement-malformed", cause=cause) from cause


def read_answer(content: bytes) -> str:
    """Return the digest of an answer file `{"answer": {...}, "salt": hex}`; raises `Unsound`."""
    if len(content) > MAX_ANSWER_BYTES:
        raise Unsound("answer-too-large", bytes=len(content), limit=MAX_ANSWER_BYTES)
    try:
        match exact_json(content):
            case {"answer": dict(), "salt": str(salt), **more} if not more and _SALT.fullmatch(salt):
                # It is in its canonical form, and so is the answer in it.
                answer = content[len(b'{"answer":') : -len(f',"salt":"{salt}"}}')]
                return canonical_digest(bytes.fromhex(salt), answer)
    except ValueError as cause:
        raise Unsound("answer-malformed", cause=cause) from cause
    raise Unsound("answer-malformed", cause="it holds not just a salt and an answer")


def _read_head(lines: Sequence[str], note: bytes) -> Certificate:
    if len(lines) < 3 or lines[0] != HEADER:
        raise ValueError(f"its first line is not {HEADER}")
    extra = exact_base64(_after("extra ", lines[1]))
    index = exact_decimal(_after("index ", lines[2]), MAX_SIZE)
    # A canonical envelope holds no newline, so that the first one ends it.
    envelope, newline, rest = extra.partition(b"\n")
    member = _read_member(rest.decode("ascii")) if newline else None
    return Certificate(envelope, index, _hashes(lines[3:]), note, member)


def _read_statement(value: object) -> Statement:
    match value:
        case {
            "_type": str(kind),
            "predicateType": str(predicate_type),
            "predicate": dict(predicate),
            "subject": [{"name": str(name), "digest": {"sha256": str(digest), **other}, **more_inside}],
            **more,
        } if not more and not more_inside and not other:
            pass
        case _:
            raise ValueError("it is not an in-toto Statement about one subject")
    if kind != STATEMENT_TYPE or predicate_type != PREDICATE_TYPE:
        raise ValueError("its type is another")
    if not _HEX_DIGEST.fullmatch(digest):
        raise ValueError("its subject has no SHA-256 digest")
    _check_fields(predicate)
    group = predicate["group"]
    if name != (SUBJECT_NAME if group is None else GROUP_SUBJECT_NAME):
        raise ValueError("its subject is named for the other form")
    return Statement(digest, predicate, group["size"] if group else None)


def _after(prefix: str, line: str) -> str:
    if not line.startswith(prefix):
        raise ValueError(f"the line `{prefix.strip()}` is not in its place")
    return line.removeprefix(prefix)


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    if len(lines) > _MAX_PATH:
        raise ValueError(f"a proof of more than {_MAX_PATH} hashes")
    hashes = tuple(exact_base64(line) for line in lines)
    if any(len(node) != HASH_BYTES for node in hashes):
        raise ValueError("a proof line that is no SHA-256 hash")
    return hashes


def _read_member(text: str) -> Member:
    lines = text.split("\n")
    if lines.pop():
        raise ValueError("the member lines do not end")
    words = _after("member ", lines[0] if lines else "").split(" ")
    if len(words) != 2 or not _HEX_DIGEST.fullmatch(words[1]):
        raise ValueError("the member line is not `member <index> <digest>`")
    return Member(exact_decimal(words[0], MAX_SIZE), words[1], _hashes(lines[1:]))


def _check_fields(predicate: dict[str, object]) -> None:
    """Raise ValueError unless every field is there, none is more, and each holds what it should."""
    if odd := sorted(predicate.keys() ^ _FIELDS.keys()):
        raise ValueError(f"fields missing or unknown: {', '.join(odd)}")
    if wrong := [name for name, kind in _FIELDS.items() if not _fits(kind, predicate[name])]:
        raise ValueError(f"fields that hold something else: {', '.join(wrong)}")


def _fits(kind: str, value: object) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "text or null":
            return value is None or isinstance(value, str)
        case "table":
            return isinstance(value, dict)
        case "list of tables":
            return isinstance(value, list) and all(isinstance(row, dict) for row in value)
        case "1":
            return value == PREDICATE_VERSION and isinstance(value, int) and not isinstance(value, bool)
        case "door":
            return value in {door.value for door in Door}
        case "version and pack":
            return (
                isinstance(value, dict)
                and value.keys() == {"version", "pack"}
                and all(isinstance(part, str) for part in value.values())
            )
        case "time in UTC":
            return isinstance(value, str) and _is_time(value)
        case "group":
            return value is None or _is_group(value)
    raise AssertionError(kind)


def _is_time(value: str) -> bool:
    """Tell whether `value` is a moment of the calendar, in the one spelling of canonical JSON."""
    try:
        return _TIME.fullmatch(value) is not None and datetime.fromisoformat(value).utcoffset() == timedelta(0)
    except ValueError:
        return False


def _is_group(value: object) -> bool:
    match value:
        case {"size": int(size), "path": str(path), **more}:
            return not more and not isinstance(size, bool) and size >= 1 and path == GROUP_PATH
    return False
