# SPDX-License-Identifier: Apache-2.0
"""Attack: alter a good certificate in any way and have it accepted all the same.

A forger without a key changes bytes, lines, hashes, base64 and JSON, and grafts parts of one good certificate onto
another. Nothing may be accepted, nothing may crash the verifier, and the Go judge must say the same of every forgery.
One alteration is no forgery: a signature line of an unknown key beside the log's own. The signed-note format demands that
it be ignored, so that witnesses can sign later; it changes nothing that the certificate says. Such files are not counted.

The figure to beat is old: before 1.4.1 the client of a well-known ledger database accepted forged proofs.
"""

import base64
import json
import random
import runpy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import zhanqiao.ledger
from lib.go_judge import judge
from zhanqiao.ledger.certificate import Certificate, Member, assemble, parse
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.verify import verify
from zhanqiao.terms.canonical import canonical

VECTORS = Path(zhanqiao.ledger.__file__).parent / "vectors"
TRUST_FILE, ANSWER_FILE = VECTORS / "trust.txt", VECTORS / "answer.json"
TRUST, ANSWER = Trust.parse(TRUST_FILE.read_bytes()), ANSWER_FILE.read_bytes()
NOW = datetime(2026, 11, 25, tzinfo=UTC)
GOOD = {
    name: (VECTORS / f"{name}.cert").read_bytes()
    for name in ("good-single", "good-group", "good-only-entry", "good-last-of-uneven-tree", "good-group-of-one")
}
# The script that made the vectors, with their keys.
MAKER = runpy.run_path(str(VECTORS / "rebuild.py"))
LOG = MAKER["LOG"].verifier
# What an attacker would try to slip in between.
MORSELS = [
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\x00",
    b"=",
    b"+",
    b"0",
    b"index 7\n",
    b"\n\n",
    "— ".encode(),
    b"\xff",
    b"\xc2\x85",
]

Forge = Callable[[bytes, random.Random], bytes]


def flip_bit(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << dice.randrange(8))]) + content[at + 1 :]


def change_case(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content))
    return content[:at] + content[at : at + 1].swapcase() + content[at + 1 :]


def insert(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content) + 1)
    return content[:at] + dice.choice(MORSELS) + content[at:]


def delete(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content))
    return content[:at] + content[at + dice.randrange(1, 40) :]


def truncate(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))]


def swap_lines(content: bytes, dice: random.Random) -> bytes:
    lines = [*content.split(b"\n"), b""]
    one, other = dice.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def repeat_line(content: bytes, dice: random.Random) -> bytes:
    lines = content.split(b"\n")
    at = dice.randrange(len(lines) - 1)
    return b"\n".join([*lines[: at + 1], lines[at], *lines[at + 1 :]])


def drop_line(content: bytes, dice: random.Random) -> bytes:
    lines = content.split(b"\n")
    del lines[dice.randrange(len(lines))]
    return b"\n".join(lines)


def respell_base64(content: bytes, dice: random.Random) -> bytes:
    """Write one base64 line in another spelling of the same bytes."""
    lines = content.split(b"\n")
    at = dice.choice([number for number, line in enumerate(lines) if len(line) > 30])
    head, space, encoded = lines[at].rpartition(b" ")
    respelt = dice.choice(
        [
            encoded.rstrip(b"="),
            encoded + b"=",
            encoded.replace(b"+", b"-").replace(b"/", b"_"),
            encoded[:20] + b"\r" + encoded[20:],
            encoded[:20] + b"==" + encoded[20:],
        ]
    )
    lines[at] = head + space + respelt
    return b"\n".join(lines)


def inside_extra(content: bytes, dice: random.Random) -> bytes:
    """Alter envelope or member lines below their base64."""
    lines = content.split(b"\n")
    extra = base64.b64decode(lines[1].removeprefix(b"extra "))
    forged = dice.choice([flip_bit, change_case, insert, delete, truncate, drop_line])(extra, dice)
    lines[1] = b"extra " + base64.b64encode(forged)
    return b"\n".join(lines)


def inside_statement(content: bytes, dice: random.Random) -> bytes:
    """Alter one field of what was signed, and keep the signature."""
    parts = parse(content)
    envelope = json.loads(parts.envelope)
    statement = json.loads(base64.b64decode(envelope["payload"]))
    predicate = statement["predicate"]
    name = dice.choice(sorted(predicate))
    predicate[name] = dice.choice([None, "other", 2, [], {}, {"k": 3}])
    envelope["payload"] = base64.b64encode(canonical(statement)).decode()
    return rebuilt(parts, envelope=canonical(envelope))


def logged_by_the_operator(content: bytes, dice: random.Random) -> bytes:
    """The operator itself forges: it holds the log's key and logs an altered envelope, but cannot sign statements."""
    envelope = parse(content).envelope
    forged = dice.choice([flip_bit, change_case, insert, delete])(envelope, dice)
    if forged == envelope:
        forged += b" "
    size = dice.randrange(1, 20)
    return MAKER["Parts"](forged, size=size, index=dice.randrange(size)).file()


def index_and_path(content: bytes, dice: random.Random) -> bytes:
    """Claim another place: the neighbour's, one outside of the tree, one that only lacks high bits."""
    parts = parse(content)
    index = dice.choice([parts.index ^ 1, parts.index + 2 ** dice.randrange(62), dice.randrange(300), 2**63 - 1])
    proof = list(parts.proof)
    for _ in range(dice.randrange(3)):
        if proof:
            proof.insert(dice.randrange(len(proof) + 1), proof.pop(dice.randrange(len(proof))))
    return rebuilt(parts, index=index, proof=tuple(proof))


def group_path(content: bytes, dice: random.Random) -> bytes:
    """Claim another place in the group, or a group where there is none, or none where there is one."""
    parts = parse(content)
    if parts.member is None:
        return rebuilt(parts, member=Member(0, dice.randbytes(32).hex(), ()))
    forged = dice.choice(
        [
            None,
            Member(parts.member.index ^ 1, parts.member.digest, parts.member.path),
            Member(parts.member.index, dice.randbytes(32).hex(), parts.member.path),
            Member(parts.member.index, parts.member.digest, (*parts.member.path, dice.randbytes(32))),
            Member(parts.member.index + 2**40, parts.member.digest, parts.member.path),
        ]
    )
    return rebuilt(parts, member=forged)


def graft(content: bytes, dice: random.Random) -> bytes:
    """Join parts of two certificates that are both good."""
    one, other = parse(content), parse(dice.choice([each for each in GOOD.values() if each != content]))
    field = dice.choice(["envelope", "index", "proof", "note", "member"])
    return rebuilt(one, **{field: getattr(other, field)})


def without_strange_signatures(content: bytes) -> bytes:
    """Leave out signature lines that claim another name or key id than the log's, as a reader of the format must."""
    before, blank, signatures = content.rpartition(b"\n\n")
    lines = signatures.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("— ".encode()) or _claims_the_log(line)]
    return before + blank + b"".join(kept)


def _claims_the_log(line: bytes) -> bool:
    name, _, encoded = line.removeprefix("— ".encode()).partition(b" ")
    try:
        return name == LOG.name.encode() and base64.b64decode(encoded[:8], validate=True)[:4] == LOG.key_id
    except ValueError:
        return True  # no signature at all: the note is spoilt, whoever it names


def rebuilt(parts: Certificate, **changed: object) -> bytes:
    new = {**vars(parts), **changed}
    return assemble(new["envelope"], new["index"], new["proof"], new["note"], new["member"])


FORGERIES: list[Forge] = [
    flip_bit,
    change_case,
    insert,
    delete,
    truncate,
    swap_lines,
    repeat_line,
    drop_line,
    respell_base64,
    inside_extra,
    inside_statement,
    logged_by_the_operator,
    index_and_path,
    group_path,
    graft,
]


def forged(count: int, seed: int) -> list[tuple[str, bytes]]:
    """Return `count` different files, none of them a good certificate; some are altered more than once."""
    dice = random.Random(seed)
    genuine = set(GOOD.values())
    found: dict[bytes, str] = {}
    while len(found) < count:
        forge = dice.choice(FORGERIES)
        content = forge(dice.choice(sorted(genuine)), dice)
        for _ in range(dice.choice([0, 0, 1, 3])):
            content = dice.choice([flip_bit, insert, delete, swap_lines])(content or b"\n\n", dice)
        if without_strange_signatures(content) not in genuine:
            found[content] = forge.__name__
    return [(name, content) for content, name in found.items()]


def test_the_attack_starts_from_certificates_that_are_accepted():
    assert all(verify(content, TRUST, ANSWER, now=NOW).valid for content in GOOD.values())


FORGED = forged(10_000, seed=20261125)


def test_of_10000_forged_certificates_none_is_accepted_and_none_crashes_the_verifier():
    verdicts = [verify(content, TRUST, ANSWER, now=NOW) for _, content in FORGED]
    assert not [name for (name, _), verdict in zip(FORGED, verdicts, strict=True) if verdict.valid]
    codes = {problem.code for verdict in verdicts for problem in verdict.problems}
    assert "not-understood" not in codes
    # The forgeries reach deep: not all of them fall at the first step.
    assert {verdict.failed_step for verdict in verdicts} >= {1, 2, 4, 5, 7}


def test_the_go_judge_refuses_each_of_them_at_the_same_step(tmp_path: Path):
    steps = {}
    for number, (name, content) in enumerate(FORGED):
        path = tmp_path / f"{number:05d}-{name}.cert"
        path.write_bytes(content)
        steps[path] = verify(content, TRUST, ANSWER, now=NOW).failed_step
    assert judge((TRUST_FILE, path, ANSWER_FILE) for path in steps) == steps


def test_a_verifier_that_skipped_a_check_would_be_fooled(monkeypatch):
    """Each control carries weight: without it, the forgery made against it wins."""
    from zhanqiao.ledger import verify as module

    def verdict(name: str, trust: str = "trust.txt") -> bool:
        content = (VECTORS / f"{name}.cert").read_bytes()
        return verify(content, Trust.parse((VECTORS / trust).read_bytes()), ANSWER, now=NOW).valid

    for control, name in [
        ("_expect_in_log", "bad-statement-not-in-log"),
        ("_expect_in_log", "bad-index-of-neighbour"),
        ("_expect_past", "bad-issued-in-the-future"),
    ]:
        assert not verdict(name)
        with monkeypatch.context() as without:
            without.setattr(module, control, lambda *_: None)
            assert verdict(name)
    assert not verdict("bad-no-witness", "trust-witnessed.txt")
    with monkeypatch.context() as without:
        without.setattr(module, "_expect_quorum", lambda *_: None)
        assert verdict("bad-no-witness", "trust-witnessed.txt")
