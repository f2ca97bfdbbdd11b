# SPDX-License-Identifier: Apache-2.0
"""Rebuild the vectors: certificates that verify and certificates with exactly one flaw, each named by it.

    python src/zhanqiao/ledger/vectors/rebuild.py

The keys are made from names below, so that anyone can forge under them: they are for these vectors and nothing else.
Everything is deterministic; a test demands that this script gives the files that are in the repository, byte by byte.
A bad certificate is made the way a forger would: what lies above the flaw is signed properly, with the real keys where
the forger could have the log's help, so that nothing but the named check can catch it.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zhanqiao.ledger import certificate
from zhanqiao.ledger.certificate import Member, answer_digest, group_root, member_leaf
from zhanqiao.ledger.checkpoint import Checkpoint
from zhanqiao.ledger.dsse import key_id_of, sign_envelope
from zhanqiao.ledger.note import CosignatureSigner, NoteSigner, sign
from zhanqiao.ledger.tree import inclusion_proof, leaf_hash, node_hash, root_of
from zhanqiao.ledger.trust import trust_text
from zhanqiao.terms.canonical import canonical

FOLDER = Path(__file__).resolve().parent
ORIGIN = "vectors.zhanqiao.dev/qingdao"
TRUST, WITNESSED = "trust.txt", "trust-witnessed.txt"
ANSWER_NAME = "answer.json"
# Order of the Ed25519 group: a signature's second half plus this is the same signature to a careless verifier.
_ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


@dataclass(frozen=True)
class Case:
    """One vector: the file, and what every verifier must say of it."""

    name: str
    content: bytes
    step: int | None = None  # the step that fails, None for a valid one
    problem: str | None = None
    answer: bytes | None = None
    trust: str = TRUST


def _key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"zhanqiao vectors: {name}".encode()).digest())


LOG = NoteSigner(ORIGIN, _key("log"))
ENVELOPE = _key("envelope")
FOREIGN = _key("foreign")
# 2025-01-06T09:00:00Z: in the past on every clock, for a date that has not come is a flaw of its own
_SEEN = 1_736_154_000

ANSWER: dict[str, object] = {"columns": ["district", "people"], "rows": [["市南区", "41260"], ["崂山区", "38155"]]}
SALT = bytes(range(16))
ANSWER_FILE = canonical({"answer": ANSWER, "salt": SALT.hex()})
DIGEST = answer_digest(SALT, ANSWER)
PREDICATE: dict[str, object] = {
    "version": 1,
    "door": "statistics",
    "service_or_null": None,
    "agreement": "QD-2025-0007",
    "purpose": "公积金政策评估",
    "policy": {"version": "1", "pack": "zhanqiao-default-1"},
    "statement_or_artifact_digest": "sha256:" + hashlib.sha256(b"statement").hexdigest(),
    "snapshot": {"pension_enrolment": "pension_enrolment-000003"},
    "rung_or_null": "cube",
    "rules": [{"rule": "min-group", "figures": {"k": 11, "share": "0.85"}}],
    "withheld": [{"public_code": "too-small", "groups": 2}],
    "charge": {"answers": 1},
    "commitment": "hmac-sha256:" + hashlib.sha256(b"commitment").hexdigest(),
    "approvals": [],
    "group": None,
    "issued": "2025-01-06T08:59:58Z",
}


@dataclass(frozen=True)
class Parts:
    """A certificate before it is put together; a flaw is a changed part."""

    envelope: bytes
    size: int = 13
    index: int = 7
    member: Member | None = None
    signers: tuple[NoteSigner | CosignatureSigner, ...] = (LOG,)
    origin: str = ORIGIN
    text: Callable[[str], str] = field(default=lambda text: text)

    @property
    def leaves(self) -> list[bytes]:
        """The log around the envelope."""
        leaves = [leaf_hash(b"entry %d" % number) for number in range(self.size)]
        leaves[self.index] = leaf_hash(self.envelope)
        return leaves

    @property
    def proof(self) -> list[bytes]:
        return _proof(self.leaves, self.index)

    def note(self) -> bytes:
        text = Checkpoint(self.origin, self.size, root_of(self.leaves)).text()
        return sign(self.text(text), list(self.signers))

    def file(self, *, index: int | None = None, proof: list[bytes] | None = None, note: bytes | None = None) -> bytes:
        return certificate.assemble(
            self.envelope,
            self.index if index is None else index,
            self.proof if proof is None else proof,
            self.note() if note is None else note,
            self.member,
        )


def _proof(leaves: list[bytes], index: int) -> list[bytes]:
    return inclusion_proof(
        index, len(leaves), lambda level, number: root_of(leaves[number << level : (number + 1) << level])
    )


def _sealed(**changed: object) -> bytes:
    return certificate.seal({**PREDICATE, **changed}, DIGEST, ENVELOPE)


def _signed(payload: bytes, key: Ed25519PrivateKey = ENVELOPE, kind: str = certificate.PAYLOAD_TYPE) -> bytes:
    return sign_envelope(kind, payload, key_id_of(ENVELOPE.public_key()), key)


def _statement(**changed: object) -> dict[str, object]:
    return {
        "_type": certificate.STATEMENT_TYPE,
        "predicate": PREDICATE,
        "predicateType": certificate.PREDICATE_TYPE,
        "subject": [{"digest": {"sha256": DIGEST}, "name": "answer"}],
        **changed,
    }


def _predicate(**changed: object) -> bytes:
    """Return a payload that `seal` would refuse to make."""
    return canonical(_statement(predicate={**PREDICATE, **changed}))


GOOD = Parts(_sealed())


def good() -> Iterator[Case]:
    yield Case("good-single", GOOD.file(), answer=ANSWER_FILE)
    yield Case("good-only-entry", Parts(_sealed(), size=1, index=0).file(), answer=ANSWER_FILE)
    yield Case("good-last-of-uneven-tree", Parts(_sealed(), size=261, index=260).file(), answer=ANSWER_FILE)
    yield Case("good-without-answer", GOOD.file())
    other = NoteSigner("another.example/log", FOREIGN)
    yield Case("good-unknown-signature-beside", Parts(_sealed(), signers=(LOG, other)).file(), answer=ANSWER_FILE)
    same_name = NoteSigner(ORIGIN, FOREIGN)
    yield Case("good-unknown-key-of-same-name", Parts(_sealed(), signers=(LOG, same_name)).file(), answer=ANSWER_FILE)
    yield Case("good-group", _group().file(), answer=ANSWER_FILE)
    yield Case("good-group-of-one", _group(size=1, at=0).file(), answer=ANSWER_FILE)
    witnessed = Parts(_sealed(), signers=(LOG, _witness("department"), _witness("bank")))
    yield Case("good-witnessed", witnessed.file(), answer=ANSWER_FILE, trust=WITNESSED)


def bad_file() -> Iterator[Case]:
    """Flaws of the file itself."""
    whole = GOOD.file()
    head, _, note = whole.partition(b"\n\n")
    lines = head.split(b"\n")
    first, extra, index, *proof = lines

    def malformed(name: str, content: bytes) -> Case:
        return Case(f"bad-{name}", content, 1, "certificate-malformed", ANSWER_FILE)

    def joined(*lines: bytes) -> bytes:
        return b"\n".join(lines) + b"\n\n" + note

    yield malformed("empty-file", b"")
    yield malformed("cr-lf", whole.replace(b"\n", b"\r\n"))
    yield malformed("byte-order-mark", b"\xef\xbb\xbf" + whole)
    yield malformed("other-version", whole.replace(b"tlog-proof@v1", b"tlog-proof@v2", 1))
    yield malformed("space-after-header", joined(first + b" ", extra, index, *proof))
    yield malformed("extra-missing", joined(first, index, *proof))
    yield malformed("extra-twice", joined(first, extra, extra, index, *proof))
    yield malformed("index-before-extra", joined(first, index, extra, *proof))
    yield malformed("index-twice", joined(first, extra, index, index, *proof))
    yield malformed("index-leading-zero", joined(first, extra, b"index 07", *proof))
    yield malformed("index-plus-sign", joined(first, extra, b"index +7", *proof))
    yield malformed("index-negative", joined(first, extra, b"index -6", *proof))
    yield malformed("index-beyond-int64", joined(first, extra, b"index %d" % (2**64 + 7), *proof))
    yield malformed("index-arabic-digit", joined(first, extra, "index ٧".encode(), *proof))
    yield malformed("no-empty-line", head + b"\n" + note.split(b"\n\n")[0] + b"\n")
    yield malformed("proof-odd-bits", joined(first, extra, index, _odd_bits(proof[0]), *proof[1:]))
    yield malformed("proof-without-padding", joined(first, extra, index, proof[0].rstrip(b"="), *proof[1:]))
    yield malformed("proof-hash-too-short", joined(first, extra, index, base64.b64encode(bytes(31)), *proof[1:]))
    urlsafe = [line.replace(b"+", b"-").replace(b"/", b"_") for line in proof]
    yield malformed("proof-url-base64", joined(first, extra, index, *urlsafe))
    yield malformed("extra-space-in-base64", joined(first, extra[:50] + b" " + extra[50:], index, *proof))
    group = _group()
    yield malformed("member-digest-upper-case", _with_member(group, lambda text: text.replace(DIGEST, DIGEST.upper())))
    yield malformed("member-line-unended", _with_member(group, lambda text: text[:-1]))
    yield malformed("member-two-spaces", _with_member(group, lambda text: text.replace("member ", "member  ")))


def bad_checkpoint() -> Iterator[Case]:
    """Flaws of the checkpoint and of its signatures."""

    def case(name: str, note: bytes, problem: str) -> Case:
        return Case(f"bad-{name}", GOOD.file(note=note), 2, problem, ANSWER_FILE)

    def signed(name: str, text: Callable[[str], str]) -> Case:
        return case(name, Parts(GOOD.envelope, text=text).note(), "checkpoint-malformed")

    note = GOOD.note()
    text, _, signature = note.partition(b"\n\n")
    yield case("signature-of-other-size", note.replace(b"\n13\n", b"\n14\n"), "note-signature-wrong")
    yield case("signature-flipped", _flip_signature(note), "note-signature-wrong")
    yield case("signature-malleable", _malleable(note), "note-signature-wrong")
    yield case("signature-under-swapped-name", _renamed(note, b"another.example/log"), "note-not-trusted")
    yield case("signed-by-nobody-known", Parts(GOOD.envelope, signers=(NoteSigner(ORIGIN, FOREIGN),)).note(),
               "note-not-trusted")  # fmt: skip
    yield case("foreign-origin", Parts(GOOD.envelope, origin="another.example/log").note(), "checkpoint-foreign")
    yield case("signature-twice", note + signature, "note-signature-twice")
    yield case("signature-good-and-wrong", note + _flip_signature(note).partition(b"\n\n")[2], "note-signature-twice")
    yield case("signature-odd-bits", text + b"\n\n" + _odd_bits(signature[:-1]) + b"\n", "note-malformed")
    yield case("signature-without-dash", note.replace("— ".encode(), b"- "), "note-malformed")
    yield case("no-signature", text + b"\n\n", "note-malformed")
    yield case("no-final-newline", note[:-1], "note-malformed")
    yield case("text-after-signature", note + b"and more\n", "note-malformed")
    yield case("tab-in-note", note.replace(b"\n13\n", b"\n13\t\n"), "note-malformed")
    yield case("note-not-utf8", note.replace(b"\n13\n", b"\n13\n\xff\n"), "note-malformed")
    yield signed("size-leading-zero", lambda text: text.replace("\n13\n", "\n013\n"))
    yield signed("extension-line", lambda text: text + "extension\n")
    yield signed("root-too-short", lambda text: "\n".join(text.split("\n")[:2]) + "\n" + "AAAA\n")
    yield signed("no-root", lambda text: "\n".join(text.split("\n")[:2]) + "\n")
    yield signed("root-odd-bits", lambda text: _odd_bits(text[:-1].encode()).decode() + "\n")
    yield signed("size-beyond-int64", lambda text: text.replace("\n13\n", f"\n{2**63}\n"))


def bad_witnesses() -> Iterator[Case]:
    """Too few witnesses, or false ones."""

    def case(name: str, note: bytes, step: int, problem: str) -> Case:
        return Case(f"bad-{name}", GOOD.file(note=note), step, problem, ANSWER_FILE, WITNESSED)

    def note(*witnesses: CosignatureSigner) -> bytes:
        return Parts(GOOD.envelope, signers=(LOG, *witnesses)).note()

    yield case("no-witness", note(), 3, "quorum-missing")
    yield case("one-witness-of-two", note(_witness("bank")), 3, "quorum-missing")
    unknown = CosignatureSigner("stranger.example", FOREIGN, _SEEN)
    yield case("witness-unknown", note(_witness("bank"), unknown), 3, "quorum-missing")
    moved = _witness("bank", _SEEN + 60).line(Checkpoint(ORIGIN, 12, bytes(32)).text().encode()).encode()
    yield case("witness-of-other-checkpoint", note(_witness("department")) + moved, 2, "note-signature-wrong")
    yield case("witness-of-the-future", note(_witness("department"), _witness("bank", 2**40)), 9, "from-the-future")
    yield case("witness-beyond-time", note(_witness("department"), _witness("bank", 2**63)), 9, "from-the-future")


def bad_proof() -> Iterator[Case]:
    """Forged places in the log."""
    leaves, proof = GOOD.leaves, GOOD.proof

    def malformed(name: str, content: bytes) -> Case:
        return Case(f"bad-{name}", content, 4, "proof-malformed", ANSWER_FILE)

    def wrong(name: str, content: bytes) -> Case:
        return Case(f"bad-{name}", content, 4, "proof-wrong", ANSWER_FILE)

    yield malformed("index-equals-size", GOOD.file(index=13))
    yield malformed("index-beyond-size", GOOD.file(index=7 + 16))
    yield malformed("proof-one-too-long", GOOD.file(proof=[*proof, proof[-1]]))
    yield malformed("proof-one-too-short", GOOD.file(proof=proof[:-1]))
    yield malformed("proof-empty", GOOD.file(proof=[]))
    empty = sign(Checkpoint(ORIGIN, 0, root_of([])).text(), [LOG])
    yield malformed("log-empty", GOOD.file(note=empty, index=0, proof=[]))
    yield wrong("index-of-neighbour", GOOD.file(index=6))
    yield wrong("proof-reversed", GOOD.file(proof=proof[::-1]))
    yield wrong("proof-of-neighbour", GOOD.file(proof=_proof(leaves, 6)))
    # The envelope is genuine and signed, but this log never held it: an answer that left without a record.
    unlogged = Parts(_sealed(agreement="QD-2025-0008"))
    yield wrong("statement-not-in-log", unlogged.file(note=GOOD.note()))
    # A node passed off as a leaf, with the proof that a node would need.
    node = Parts(leaves[6] + leaves[7])
    yield malformed("node-as-leaf", node.file(index=3, proof=proof[1:], note=GOOD.note()))
    even = Parts(GOOD.envelope, size=16)
    node = Parts(even.leaves[6] + even.leaves[7])
    small = sign(Checkpoint(ORIGIN, 8, root_of(even.leaves)).text(), [LOG])
    yield wrong("node-as-leaf-of-half-the-size", node.file(index=3, proof=even.proof[1:], note=small))
    longer = Parts(GOOD.envelope, size=14)
    yield wrong("checkpoint-of-another-tree", GOOD.file(note=longer.note()))


def bad_envelope() -> Iterator[Case]:
    """Envelopes that the log holds and that nobody should believe all the same."""
    payload = canonical(_statement())

    def case(name: str, envelope: bytes, problem: str) -> Case:
        return Case(f"bad-{name}", Parts(envelope).file(), 5, problem, ANSWER_FILE)

    def malformed(name: str, envelope: bytes) -> Case:
        return case(name, envelope, "envelope-malformed")

    genuine = _sealed()
    value = json.loads(genuine)
    foreign = sign_envelope(certificate.PAYLOAD_TYPE, payload, key_id_of(FOREIGN.public_key()), FOREIGN)
    yield case("envelope-foreign-key", foreign, "envelope-foreign")
    yield case("envelope-borrowed-key-id", _signed(payload, FOREIGN), "envelope-signature-wrong")
    other = json.loads(_sealed(agreement="QD-2025-0008"))
    yield case("envelope-payload-exchanged", canonical({**value, "payload": other["payload"]}),
               "envelope-signature-wrong")  # fmt: skip
    yield case("envelope-type-exchanged", canonical({**value, "payloadType": "text/plain"}), "envelope-signature-wrong")
    raw = sign_envelope("", payload, key_id_of(ENVELOPE.public_key()), ENVELOPE)
    unframed = json.loads(raw)["signatures"]
    yield case("envelope-signed-without-type", canonical({**value, "signatures": unframed}), "envelope-signature-wrong")
    yield malformed("envelope-with-spaces", json.dumps(value).encode())
    yield malformed("envelope-key-twice", genuine.replace(b'{"payload":', b'{"payload":"","payload":', 1))
    yield malformed("envelope-unknown-field", canonical({**value, "note": ""}))
    yield malformed("envelope-two-signatures", canonical({**value, "signatures": value["signatures"] * 2}))
    yield malformed("envelope-no-signature", canonical({**value, "signatures": []}))
    [signature] = value["signatures"]
    odd = {**signature, "sig": _odd_bits(signature["sig"].encode()).decode()}
    yield malformed("envelope-odd-bits", canonical({**value, "signatures": [odd]}))
    yield malformed("envelope-not-json", b"release")
    yield malformed("envelope-event-instead", canonical({"kind": "agreement.sealed", "by": "p1", "facts": {}}))
    yield malformed("envelope-nested-deep", b'{"payload":' + b"[" * 5_000 + b"]" * 5_000 + b"}")


def bad_statement() -> Iterator[Case]:
    """Properly signed by the right key, and yet no release statement."""

    def case(name: str, envelope: bytes) -> Case:
        return Case(f"bad-{name}", Parts(envelope).file(), 6, "statement-malformed", ANSWER_FILE)

    payload = canonical(_statement())
    subject = {"digest": {"sha256": DIGEST}, "name": "answer"}
    without = {name: value for name, value in PREDICATE.items() if name != "charge"}
    yield case("payload-type-other", _signed(payload, kind="application/json"))
    yield case("statement-type-other", _signed(canonical(_statement(_type="https://in-toto.io/Statement/v0.1"))))
    yield case("predicate-type-other", _signed(canonical(_statement(predicateType="https://slsa.dev/provenance/v1"))))
    yield case("statement-two-subjects", _signed(canonical(_statement(subject=[subject, subject]))))
    yield case("statement-no-subject", _signed(canonical(_statement(subject=[]))))
    yield case("statement-unknown-field", _signed(canonical(_statement(more=1))))
    upper = {"digest": {"sha256": DIGEST.upper()}, "name": "answer"}
    yield case("statement-digest-upper-case", _signed(canonical(_statement(subject=[upper]))))
    two = {"digest": {"sha256": DIGEST, "sm3": DIGEST}, "name": "answer"}
    yield case("statement-two-digests", _signed(canonical(_statement(subject=[two]))))
    yield case("statement-not-canonical", _signed(json.dumps(_statement(), ensure_ascii=False).encode()))
    yield case("predicate-field-twice", _signed(payload.replace(b'"door":', b'"door":"exchange","door":', 1)))
    yield case("predicate-field-missing", _signed(canonical(_statement(predicate=without))))
    yield case("predicate-field-unknown", _signed(_predicate(rows=[])))
    yield case("predicate-version-2", _signed(_predicate(version=2)))
    yield case("predicate-version-true", _signed(_predicate(version=True)))
    yield case("predicate-door-unknown", _signed(_predicate(door="back")))
    yield case("predicate-fraction", _signed(payload.replace(b'"k":11', b'"k":11.5')))
    yield case("predicate-number-too-large", _signed(payload.replace(b'"k":11', b'"k":9007199254740993')))
    yield case("predicate-minus-zero", _signed(payload.replace(b'"k":11', b'"k":-0')))
    yield case("predicate-issued-local-time", _signed(_predicate(issued="2025-01-06T16:59:58+08:00")))
    yield case("predicate-issued-no-such-day", _signed(_predicate(issued="2025-02-30T08:59:58Z")))
    yield case("predicate-issued-fraction", _signed(_predicate(issued="2025-01-06T08:59:58.5Z")))
    yield case("group-of-none", _signed(_grouped(DIGEST, 0)))
    yield case("group-path-kind-unknown", _signed(_grouped(DIGEST, 5, path="list")))
    single = [{"digest": {"sha256": DIGEST}, "name": "answers"}]
    yield case("single-named-as-group", _signed(canonical(_statement(subject=single))))


def bad_group() -> Iterator[Case]:
    """Forged places in a commit group."""
    group = _group()
    member = group.member
    assert member is not None

    def case(name: str, changed: Member | None, problem: str) -> Case:
        parts = Parts(group.envelope, member=changed)
        return Case(f"bad-{name}", parts.file(), 7, problem, ANSWER_FILE)

    path = member.path
    yield case("group-path-missing", None, "group-path-missing")
    yield Case("bad-group-path-unasked", Parts(_sealed(), member=Member(0, DIGEST, ())).file(), 7,
               "group-path-unasked", ANSWER_FILE)  # fmt: skip
    yield case("group-index-equals-size", Member(5, DIGEST, path), "group-path-malformed")
    yield case("group-path-too-long", Member(3, DIGEST, (*path, path[-1])), "group-path-malformed")
    yield case("group-path-too-short", Member(3, DIGEST, path[:-1]), "group-path-malformed")
    yield case("group-index-of-neighbour", Member(2, DIGEST, path), "group-path-wrong")
    stranger = answer_digest(SALT, {"verdict": "PASS"})
    yield case("group-answer-not-in-it", Member(3, stranger, path), "group-path-wrong")
    # The root itself as the answer: single form passed off as group form.
    root = group_root(_digests(5, 3))
    yield case("group-root-as-answer", Member(0, root, ()), "group-path-malformed")
    one = _group(size=1, at=0)
    yield Case("bad-group-node-as-answer", Parts(one.envelope, member=Member(0, stranger, ())).file(), 7,
               "group-path-wrong", ANSWER_FILE)  # fmt: skip


def bad_answer() -> Iterator[Case]:
    """A good certificate beside an answer that it does not speak of."""

    def case(name: str, answer: bytes, problem: str = "answer-malformed") -> Case:
        return Case(f"bad-{name}", GOOD.file(), 8, problem, answer)

    altered = {**ANSWER, "rows": [["市南区", "41261"], ["崂山区", "38155"]]}
    yield case("answer-altered", canonical({"answer": altered, "salt": SALT.hex()}), "answer-other")
    yield case("answer-salt-altered", canonical({"answer": ANSWER, "salt": SALT[::-1].hex()}), "answer-other")
    yield case("answer-salt-too-short", canonical({"answer": ANSWER, "salt": SALT.hex()[:30]}))
    yield case("answer-without-salt", canonical({"answer": ANSWER}))
    yield case("answer-with-more", canonical({"answer": ANSWER, "salt": SALT.hex(), "seen": "yes"}))
    yield case("answer-not-canonical", json.dumps({"answer": ANSWER, "salt": SALT.hex()}).encode())
    twice = ANSWER_FILE.replace(b'{"answer":', b'{"answer":{},"answer":', 1)
    yield case("answer-twice", twice)
    member = _group().member
    assert member is not None
    neighbour = Member(2, _digests(5, 3)[2], tuple(_proof([member_leaf(each) for each in _digests(5, 3)], 2)))
    parts = Parts(_group().envelope, member=neighbour)
    yield Case("bad-answer-of-group-neighbour", parts.file(), 8, "answer-other", ANSWER_FILE)


def bad_dates() -> Iterator[Case]:
    future = Parts(_sealed(issued="2999-01-01T00:00:00Z"))
    yield Case("bad-issued-in-the-future", future.file(), 9, "from-the-future", ANSWER_FILE)


_FAMILIES = (
    good,
    bad_file,
    bad_checkpoint,
    bad_witnesses,
    bad_proof,
    bad_envelope,
    bad_statement,
    bad_group,
    bad_answer,
    bad_dates,
)


def cases() -> list[Case]:
    """Return every vector."""
    return [case for family in _FAMILIES for case in family()]


def files() -> dict[str, bytes]:
    """Return every file of the folder that this script makes."""
    trust = trust_text(LOG.verifier, ENVELOPE.public_key())
    made = {TRUST: trust.encode(), WITNESSED: (trust + _quorum()).encode()}
    expected = {}
    for case in cases():
        assert f"{case.name}.cert" not in made, case.name
        made[f"{case.name}.cert"] = case.content
        answer = ANSWER_NAME if case.answer == ANSWER_FILE else f"{case.name}.answer.json"
        if case.answer is not None:
            made[answer] = case.answer
        expected[case.name] = {
            "valid": case.step is None,
            "step": case.step,
            "problem": case.problem,
            "trust": case.trust,
            "answer": None if case.answer is None else answer,
        }
    made["expected.json"] = (json.dumps(expected, indent=1, sort_keys=True) + "\n").encode()
    return made


# --- how flaws are made ---------------------------------------------------------------------------


def _digests(size: int, at: int) -> list[str]:
    digests = [answer_digest(bytes([number]) * 16, {"verdict": "PASS"}) for number in range(size)]
    digests[at] = DIGEST
    return digests


def _group(size: int = 5, at: int = 3) -> Parts:
    digests = _digests(size, at)
    predicate = {**PREDICATE, "group": {"size": size, "path": certificate.GROUP_PATH}}
    envelope = certificate.seal(predicate, group_root(digests), ENVELOPE)
    path = _proof([member_leaf(digest) for digest in digests], at)
    return Parts(envelope, member=Member(at, DIGEST, tuple(path)))


def _grouped(root: str, size: int, path: str = certificate.GROUP_PATH) -> bytes:
    return canonical(
        _statement(
            predicate={**PREDICATE, "group": {"size": size, "path": path}},
            subject=[{"digest": {"sha256": root}, "name": "answers"}],
        )
    )


def _with_member(parts: Parts, change: Callable[[str], str]) -> bytes:
    """Return a certificate whose member lines were changed."""
    lines = parts.file().split(b"\n")
    envelope, _, member = base64.b64decode(lines[1].removeprefix(b"extra ")).partition(b"\n")
    lines[1] = b"extra " + base64.b64encode(envelope + b"\n" + change(member.decode()).encode())
    return b"\n".join(lines)


def _witness(name: str, time: int = _SEEN) -> CosignatureSigner:
    return CosignatureSigner(f"{name}.example", _key(name), time)


def _quorum() -> str:
    names = ("department", "bank", "university")
    lines = [f"witness {name} {_witness(name).verifier.vkey}\n" for name in names]
    return "".join(lines) + f"group outsiders 2 {' '.join(names)}\nquorum outsiders\n"


def _odd_bits(encoded: bytes) -> bytes:
    """Set a bit that decoding throws away: another spelling of the same bytes."""
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = encoded.rstrip(b"=")
    padding = encoded[len(body) :]
    assert padding, "only base64 with padding has bits to spare"
    return body[:-1] + letters[letters.index(body[-1]) + 1 :][:1] + padding


def _signature_of(note: bytes) -> tuple[bytes, bytes]:
    """Return what stands before the signature, and the signature with its key id."""
    before, _, encoded = note[:-1].rpartition(b" ")
    return before + b" ", base64.b64decode(encoded)


def _flip_signature(note: bytes) -> bytes:
    before, signature = _signature_of(note)
    return before + base64.b64encode(signature[:10] + bytes([signature[10] ^ 1]) + signature[11:]) + b"\n"


def _malleable(note: bytes) -> bytes:
    before, signature = _signature_of(note)
    scalar = int.from_bytes(signature[-32:], "little") + _ED25519_ORDER
    return before + base64.b64encode(signature[:-32] + scalar.to_bytes(32, "little")) + b"\n"


def _renamed(note: bytes, name: bytes) -> bytes:
    text, _, signature = note.partition(b"\n\n")
    return text + b"\n\n" + signature.replace(ORIGIN.encode(), name)


# A reader of this file may wonder: node_hash is what `bad-node-as-leaf` must not be able to imitate.
assert node_hash(bytes(32), bytes(32)) != leaf_hash(bytes(64))


def main() -> None:
    """Write the folder anew."""
    wanted = files()
    for old in FOLDER.iterdir():
        if old.suffix in {".cert", ".json", ".txt"} and old.name not in wanted:
            old.unlink()
    for name, content in wanted.items():
        (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    main()
