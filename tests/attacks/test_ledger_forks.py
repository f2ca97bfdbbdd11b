# SPDX-License-Identifier: Apache-2.0
"""Attack: an operator with the log's key keeps two logs and shows each witness whatever serves.

Everything a witness signs must be one history. The liar forks at 500 places, mixes proofs, sizes and trees at will, asks
from many threads at once, and puts other proofs together 10,000 times. The Go judge, on the Go team's own `tlog`, answers
every request for itself and must say the same.
"""

import random
import shutil
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib.go_judge import judge_requests
from lib.witnessed_logs import LOG, ORIGIN, LiarsLog, found_witness, key_of
from zhanqiao.ledger.checkpoint import Checkpoint
from zhanqiao.ledger.cosigning import Submission, Witness
from zhanqiao.ledger.note import NoteSigner, read_lines, sign
from zhanqiao.ledger.tree import EMPTY_ROOT
from zhanqiao.ledger.trust import trust_text

SIZE = 300
TREE = LiarsLog.of(SIZE)


def one_history(cosigned: list[Checkpoint], *trees: LiarsLog) -> bool:
    """Tell whether all that was cosigned belongs to one of these trees."""
    return any(all(tree.checkpoint(one.size) == one for one in cosigned) for tree in trees)


# --- forks ------------------------------------------------------------------------------------------


def lie(witness: Witness, fork: LiarsLog, dice: random.Random) -> list[Checkpoint]:
    """Show both trees in any way that may help; return what was cosigned."""
    cosigned = []
    for _ in range(12):
        known = witness.memory(ORIGIN).checkpoint.size
        shown, proving = dice.choice([TREE, fork]), dice.choice([TREE, fork])
        size = dice.choice([known, SIZE, dice.randint(known, SIZE), dice.randint(0, SIZE)])
        old = min(dice.choice([known, known, known, 0, dice.randint(0, SIZE)]), size)
        proof = list(proving.submission(old, size).proof)
        if proof and dice.random() < 0.3:
            proof[dice.randrange(len(proof))] = dice.choice([TREE, fork]).leaves[dice.randrange(SIZE)]
        answer = witness.add_checkpoint(Submission(old, tuple(proof), shown.note(size)).body())
        if answer.status == 200:
            cosigned.append(shown.checkpoint(size))
    return cosigned


@pytest.mark.parametrize("count", [50, pytest.param(500, marks=pytest.mark.slow)])
def test_of_500_forks_none_is_cosigned_twice(tmp_path, clock, count):
    dice, outcomes = random.Random(20261125), Counter()
    for number in range(count):
        witness = found_witness(tmp_path / f"{number}", clock)
        at = number * 7 % SIZE
        fork = TREE.forked(at)
        cosigned = lie(witness, fork, dice)
        assert one_history(cosigned, TREE, fork), f"forked at {at}"
        outcomes["the fork" if not one_history(cosigned, TREE) else "the log"] += 1
        # Then the honest way, either tree whole: the one that was not cosigned is never cosigned.
        known = witness.memory(ORIGIN).checkpoint.size
        cosigned += [tree.checkpoint(SIZE) for tree in (TREE, fork) if tree.show(witness, known, SIZE).status == 200]
        assert one_history(cosigned, TREE, fork)
    assert min(outcomes["the fork"], outcomes["the log"]) > count // 10, (
        "the liar got each of both trees cosigned somewhere"
    )


def test_a_witness_without_memory_would_be_fooled(tmp_path, clock):
    """The control carries weight: put an old memory back, and the fork is cosigned."""
    witness, fork = found_witness(tmp_path / "w", clock), TREE.forked(100)
    shutil.copytree(witness.folder / "logs", tmp_path / "before")
    assert TREE.show(witness, 0, SIZE).status == 200
    assert fork.show(witness, 0, SIZE).status == 409
    shutil.copytree(tmp_path / "before", witness.folder / "logs", dirs_exist_ok=True)
    assert fork.show(witness, 0, SIZE).status == 200


def test_a_log_rolled_back_and_grown_anew_is_refused_at_every_size(tmp_path, clock):
    witness = found_witness(tmp_path / "w", clock)
    assert TREE.show(witness, 0, 200).status == 200
    fork = TREE.forked(150)
    for size in range(1, SIZE + 1):
        old = min(200, size)
        assert fork.show(witness, old, size).status in (409, 422)
    assert witness.memory(ORIGIN).checkpoint == TREE.checkpoint(200)


def test_of_two_forks_asked_at_once_one_is_cosigned(tmp_path, clock):
    """Threads of one process and two programs on one folder: one lock holds for all of them."""
    fork = TREE.forked(20)
    for race in range(25):
        one = found_witness(tmp_path / str(race), clock)
        both = [one, Witness(one.folder, clock)]
        start = threading.Barrier(8)

        def ask(number: int, both=both, start=start) -> Checkpoint | None:
            tree = (TREE, fork)[number % 2]
            start.wait()
            answer = tree.show(both[number // 2 % 2], 0, 40)
            return tree.checkpoint(40) if answer.status == 200 else None

        with ThreadPoolExecutor(8) as threads:
            cosigned = [won for won in threads.map(ask, range(8)) if won]
        assert len(cosigned) == 1, "the others are told the new size"
        assert one.memory(ORIGIN).checkpoint == cosigned[0]


def test_a_race_of_sizes_never_takes_memory_back(tmp_path, clock):
    witness = found_witness(tmp_path / "w", clock)
    for _ in range(20):
        known = witness.memory(ORIGIN).checkpoint.size
        sizes = [size for size in range(known + 1, known + 9) if size <= SIZE]
        with ThreadPoolExecutor(8) as threads:
            statuses = list(threads.map(lambda size, known=known: TREE.show(witness, known, size).status, sizes))
        assert statuses.count(200) == 1
        assert witness.memory(ORIGIN).checkpoint.size == sizes[statuses.index(200)]


# --- forged proofs ----------------------------------------------------------------------------------

OLD = 130
FORK = TREE.forked(97)
GENUINE = {size: TREE.submission(OLD, size) for size in (OLD, 131, 144, 192, 256, 257, SIZE)}
THIEF = NoteSigner(ORIGIN, key_of("thief"))


def other_proof(honest: Submission, size: int, dice: random.Random) -> Submission:
    """Another proof for the fork: its own, one from elsewhere, one stirred."""
    proof = list(dice.choice([honest.proof, FORK.submission(OLD, size).proof]))
    for _ in range(dice.randrange(1, 4)):
        node = dice.choice([dice.randbytes(32), dice.choice(TREE.leaves), TREE.checkpoint(OLD).root, EMPTY_ROOT])
        match dice.choice(["insert", "replace", "drop", "swap", "keep"]):
            case "insert":
                proof.insert(dice.randrange(len(proof) + 1), node)
            case "replace" if proof:
                proof[dice.randrange(len(proof))] = node
            case "drop" if proof:
                del proof[dice.randrange(len(proof))]
            case "swap" if len(proof) > 1:
                dice.shuffle(proof)
    return Submission(OLD, tuple(proof), FORK.note(max(size, 131)))


def wrong_proof(honest: Submission, size: int, dice: random.Random) -> Submission:
    """The honest tree under a proof that is not its own."""
    forged = other_proof(honest, size, dice)
    return Submission(OLD, forged.proof, honest.note)


def other_old(honest: Submission, size: int, dice: random.Random) -> Submission:
    """A proof from another size, honest in itself."""
    old = dice.choice([0, OLD - 1, min(OLD + 1, size), dice.randint(0, size), size + 1, 2**62])
    note = dice.choice([honest.note, FORK.note(size)])
    return Submission(old, TREE.submission(min(old, size), size).proof, note)


def other_signer(honest: Submission, size: int, dice: random.Random) -> Submission:
    """Signed by somebody else, by nobody, for another log, or for another tree."""
    text = TREE.checkpoint(size).text()
    _, _, signatures = TREE.note(dice.choice([OLD - 1, OLD + 3])).rpartition(b"\n\n")
    note = dice.choice(
        [
            sign(text, [THIEF]),
            sign(text, [NoteSigner("somebody", key_of("log"))]),
            sign(text.replace(ORIGIN, ORIGIN + "2"), [LOG]),
            sign(text.replace(ORIGIN, ORIGIN + "2"), [NoteSigner(ORIGIN + "2", key_of("log"))]),
            f"{text}\n".encode() + signatures,
            sign(text, [LOG, LOG]),
            sign(text + "more\n", [LOG]),
        ]
    )
    return Submission(OLD, honest.proof, note)


def altered_bytes(honest: Submission, size: int, dice: random.Random) -> bytes:
    """Any byte, line or spelling."""
    body = honest.body()
    at = dice.randrange(len(body))
    lines = body.split(b"\n")
    line = dice.randrange(len(lines))
    match dice.choice(["flip", "insert", "delete", "cut", "double", "drop", "swap", "respell"]):
        case "flip":
            return body[:at] + bytes([body[at] ^ 1 << dice.randrange(8)]) + body[at + 1 :]
        case "insert":
            return body[:at] + dice.choice([b"\n", b"\r", b" ", b"\x00", b"=", b"0", b"\n\n", b"\xff"]) + body[at:]
        case "delete":
            return body[:at] + body[at + dice.randrange(1, 40) :]
        case "cut":
            return body[:at]
        case "double":
            return b"\n".join([*lines[: line + 1], lines[line], *lines[line + 1 :]])
        case "drop":
            return b"\n".join([*lines[:line], *lines[line + 1 :]])
        case "swap":
            other = dice.randrange(len(lines))
            lines[line], lines[other] = lines[other], lines[line]
            return b"\n".join(lines)
        case _:
            lines[line] = dice.choice([lines[line].rstrip(b"="), lines[line] + b"=", lines[line].replace(b"+", b"-")])
            return b"\n".join(lines)


FORGERIES = [other_proof, wrong_proof, other_old, other_signer, altered_bytes]


def forged(count: int) -> list[bytes]:
    """Return `count` different requests, none of which says what an honest one does."""
    dice = random.Random(20261125)
    found: dict[bytes, None] = {}
    while len(found) < count:
        size = dice.choice(list(GENUINE))
        made = dice.choice(FORGERIES)(GENUINE[size], size, dice)
        body = made if isinstance(made, bytes) else made.body()
        if not _says_the_same(body):
            found[body] = None
    return list(found)


def _says_the_same(body: bytes) -> bool:
    """Tell whether old size, proof, text and the log's line are an honest request's; strangers' lines are nobody's."""
    try:
        asked = Submission.read(body)
        text, lines = read_lines(asked.note)
    except ValueError:
        return False
    honest = [(one.old, one.proof, *_said(one.note)) for one in GENUINE.values()]
    return (asked.old, asked.proof, text, [line for line in lines if line.claims(LOG.verifier)]) in honest


def _said(note: bytes) -> tuple[str, list[object]]:
    text, lines = read_lines(note)
    return text, list(lines)


@pytest.mark.parametrize("count", [600, pytest.param(10_000, marks=pytest.mark.slow)])
def test_of_forged_requests_none_is_cosigned_and_the_go_judge_answers_the_same(tmp_path: Path, clock, count):
    witness = found_witness(tmp_path / "w", clock)
    assert TREE.show(witness, 0, OLD).status == 200
    (memory,) = (witness.folder / "logs").iterdir()
    before = memory.read_bytes()
    answered: dict[Path, int] = {}
    for number, body in enumerate(forged(count)):
        path = tmp_path / f"{number:05d}.request"
        path.write_bytes(body)
        answered[path] = int(witness.add_checkpoint(body).status)
    assert memory.read_bytes() == before
    assert set(answered.values()) == {400, 403, 404, 409, 422}

    # The control: honest requests, which both let pass.
    honest = {}
    for size, asked in GENUINE.items():
        path = tmp_path / f"honest-{size}.request"
        path.write_bytes(asked.body())
        honest[path] = None
        again = found_witness(tmp_path / f"w{size}", clock)
        assert TREE.show(again, 0, OLD).status == again.add_checkpoint(asked.body()).status == 200

    trust, remembered = tmp_path / "trust.txt", tmp_path / "remembered"
    trust.write_text(trust_text(LOG.verifier, key_of("envelope").public_key()))
    remembered.write_text(TREE.checkpoint(OLD).text())
    wanted = {**answered, **honest}
    found = judge_requests(trust, ((remembered, path) for path in wanted))
    assert {path: (wanted[path], found[path]) for path in wanted if wanted[path] != found[path]} == {}
    print(f"{count} forged requests: {dict(Counter(answered.values()))}")
