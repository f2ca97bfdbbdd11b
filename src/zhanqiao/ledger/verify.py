# SPDX-License-Identifier: Apache-2.0
"""Verify a certificate offline, without the platform and without trusting it.

    python -m zhanqiao.ledger.verify FILE... --trust FILE [--answer FILE]

The steps, in order; the first that fails ends the walk, for nothing behind it could be believed:

    1  the file         is a tlog-proof@v1 in the one spelling that it has
    2  the checkpoint   is signed by a log of the trust file, under that log's own name
    3  the witnesses    make the quorum, if the trust file asks for one
    4  the log          holds the envelope, as it stands, at the index
    5  the envelope     is signed by a statement key of the trust file
    6  the statement    inside is a release statement of version 1
    7  the group        that was signed holds this answer, if the statement covers several
    8  the answer       at hand is the one that the statement is about
    9  the dates        have come

Whoever calls still owes two things: a trust file from a source other than the certificate's, and, without `answer` and
`now`, the two last steps. A verdict without the answer speaks of the statement alone: it is valid, `answer_checked` is
false, and the command line neither calls it valid nor ends with 0. What fails is a verdict, never an exception. Imports: terms, this floor's pure parts and
`cryptography`; a bank or a citizen can run it alone.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from zhanqiao.ledger.certificate import (
    MAX_ANSWER_BYTES,
    MAX_CERTIFICATE_BYTES,
    PAYLOAD_TYPE,
    Member,
    Statement,
    member_leaf,
    parse,
    read_answer,
    read_statement,
)
from zhanqiao.ledger.checkpoint import Checkpoint
from zhanqiao.ledger.dsse import open_envelope
from zhanqiao.ledger.note import Opened, open_signed
from zhanqiao.ledger.problems import Problem, Unsound, printable
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.ledger.tree import ProofWrong, leaf_hash, root_from_inclusion
from zhanqiao.ledger.trust import MAX_TRUST_BYTES, Trust
from zhanqiao.terms.refusals import Lang

__all__ = [
    "STEPS",
    "Outcome",
    "Problem",
    "Step",
    "Trust",
    "Unsound",
    "Verdict",
    "exit_status",
    "verify",
    "verify_file",
]

STEPS: tuple[tuple[str, str], ...] = (
    ("the file is a tlog-proof@v1", "文件为 tlog-proof@v1 格式"),
    ("the checkpoint is signed by a trusted log", "检查点由受信账本签署"),
    ("the witnesses make the quorum", "见证方达到法定数"),
    ("the log holds the statement at its index", "账本在该序号处存有此声明"),
    ("the envelope is signed by a trusted key", "信封由受信密钥签署"),
    ("the statement is a release statement", "声明是出库声明"),
    ("the signed group holds the answer", "所签的组包含该答复"),
    ("the answer is the one that was certified", "答复即所证明的答复"),
    ("no date lies in the future", "没有晚于当前的日期"),
)

_ANSWER_STEP = 8

# Clocks differ; nobody gains by five minutes.
_CLOCK_SKEW = timedelta(minutes=5)
# Later times than datetime can hold are in the future for everyone.
_LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_ASKED = "not-asked"  # the trust file, the statement or the caller does not require it
    NOT_REACHED = "not-reached"


@dataclass(frozen=True)
class Step:
    """One numbered step and how it went."""

    number: int
    outcome: Outcome

    def name(self, lang: Lang) -> str:
        english, chinese = STEPS[self.number - 1]
        return chinese if lang == "zh" else english


@dataclass(frozen=True)
class Verdict:
    """What a verification found. `statement` is there only when everything held: nothing else may be shown as true."""

    valid: bool
    steps: tuple[Step, ...]
    problems: tuple[Problem, ...]
    statement: Statement | None = None

    @property
    def failed_step(self) -> int | None:
        return next((step.number for step in self.steps if step.outcome is Outcome.FAILED), None)

    @property
    def answer_checked(self) -> bool:
        """Whether an answer was at hand and is the one that was certified; valid without it is the statement alone."""
        return self.valid and self.steps[_ANSWER_STEP - 1].outcome is Outcome.PASSED

    def as_data(self, lang: Lang) -> dict[str, object]:
        """Return the form of `--json` output."""
        return {
            "valid": self.valid,
            "answer_checked": self.answer_checked,
            "steps": [
                {"step": step.number, "name": step.name(lang), "outcome": step.outcome.value} for step in self.steps
            ],
            "problems": [{"code": problem.code, "message": problem.message(lang)} for problem in self.problems],
            "statement": None if self.statement is None else self.statement.predicate,
        }


class _Walk:
    """Keeps how each step went."""

    def __init__(self, went: Sequence[Step] = ()) -> None:
        self._steps = list(went)

    def went(self, outcome: Outcome = Outcome.PASSED) -> None:
        self._steps.append(Step(len(self._steps) + 1, outcome))

    def end(self, problem: Problem | None, statement: Statement | None) -> Verdict:
        if problem is not None:
            self.went(Outcome.FAILED)
        while len(self._steps) < len(STEPS):
            self.went(Outcome.NOT_REACHED)
        return Verdict(problem is None, tuple(self._steps), () if problem is None else (problem,), statement)


def verify(certificate: bytes, trust: Trust, answer: bytes | None = None, *, now: datetime | None = None) -> Verdict:
    """Verify one certificate; with `answer`, that it is about these very bytes; with `now`, that its dates have come."""
    walk = _Walk()
    try:
        statement = _verify(certificate, trust, answer, now, walk)
    except Unsound as flaw:
        return walk.end(flaw.problem, None)
    except Exception as cause:  # noqa: BLE001  the last wall: what the verifier does not understand is not valid
        return walk.end(Problem("not-understood", {"cause": type(cause).__name__}), None)
    return walk.end(None, statement)


def verify_file(file: Path, trust: Trust, answer: Path | None = None, *, now: datetime | None = None) -> Verdict:
    """Verify a certificate that lies on disk, as `verify`; what cannot be read is not valid, and keeps nobody waiting."""
    try:
        certificate = read_bounded(file, MAX_CERTIFICATE_BYTES)
    except OSError as cause:
        return _Walk().end(Problem("certificate-unreadable", {"cause": cause.strerror or "-"}), None)
    try:
        content = None if answer is None else read_bounded(answer, MAX_ANSWER_BYTES)
    except OSError as cause:
        alone = verify(certificate, trust, now=now)
        problem = Problem("answer-unreadable", {"cause": cause.strerror or "-"})
        return _Walk(alone.steps[: _ANSWER_STEP - 1]).end(problem, None) if alone.valid else alone
    return verify(certificate, trust, content, now=now)


def _verify(certificate: bytes, trust: Trust, answer: bytes | None, now: datetime | None, walk: _Walk) -> Statement:
    # (1) The file is a tlog-proof@v1 in the one spelling that it has.
    parts = parse(certificate)
    walk.went()

    # (2) The checkpoint is signed by a log of the trust file, under that log's own name.
    opened = open_signed(parts.note, [*trust.logs, *trust.witnesses.values()])
    checkpoint = _checkpoint(opened, trust)
    walk.went()

    # (3) The witnesses make the quorum, if the trust file asks for one.
    _expect_quorum(opened, trust)
    walk.went(Outcome.NOT_ASKED if trust.quorum is None else Outcome.PASSED)

    # (4) The log holds the envelope, as it stands, at the index.
    _expect_in_log(parts.envelope, parts.index, parts.proof, checkpoint)
    walk.went()

    # (5) The envelope is signed by a statement key of the trust file. From here on only its verified bytes are used.
    envelope = open_envelope(parts.envelope, trust.envelopes)
    walk.went()

    # (6) The statement inside is a release statement of version 1.
    if envelope.payload_type != PAYLOAD_TYPE:
        raise Unsound("statement-malformed", cause=f"the payload type is {envelope.payload_type}")
    statement = read_statement(envelope.payload)
    walk.went()

    # (7) The group that was signed holds this answer, if the statement covers several.
    digest = _digest_in_group(statement, parts.member)
    walk.went(Outcome.NOT_ASKED if statement.group_size is None else Outcome.PASSED)

    # (8) The answer at hand is the one that the statement is about.
    if answer is not None and read_answer(answer) != digest:
        raise Unsound("answer-other")
    walk.went(Outcome.NOT_ASKED if answer is None else Outcome.PASSED)

    # (9) The dates have come.
    if now is not None:
        _expect_past(statement, opened, now + _CLOCK_SKEW)
    walk.went(Outcome.NOT_ASKED if now is None else Outcome.PASSED)
    return statement


def _checkpoint(opened: Opened, trust: Trust) -> Checkpoint:
    signers = [log for log in trust.logs if log in opened.signed]
    if not signers:
        raise Unsound("note-not-trusted")
    checkpoint = Checkpoint.parse(opened.text)
    # A trusted key speaks for its own log only; else one log could pass its tree off as another's.
    if all(log.name != checkpoint.origin for log in signers):
        raise Unsound("checkpoint-foreign", origin=checkpoint.origin, key=signers[0].name)
    return checkpoint


def _expect_quorum(opened: Opened, trust: Trust) -> None:
    signed = {name for name, witness in trust.witnesses.items() if witness in opened.signed}
    if not trust.reached_by(signed):
        raise Unsound("quorum-missing", quorum=trust.quorum, witnesses=", ".join(sorted(signed)) or "-")


def _expect_in_log(envelope: bytes, index: int, proof: Sequence[bytes], checkpoint: Checkpoint) -> None:
    try:
        root = root_from_inclusion(leaf_hash(envelope), index, checkpoint.size, proof)
    except ProofWrong as cause:
        raise Unsound("proof-malformed", cause=cause) from cause
    if root != checkpoint.root:
        raise Unsound("proof-wrong", index=index)


def _digest_in_group(statement: Statement, member: Member | None) -> str:
    """Return the digest of the one answer that this certificate is about."""
    if statement.group_size is None:
        if member is not None:
            raise Unsound("group-path-unasked")
        return statement.digest
    if member is None:
        raise Unsound("group-path-missing", size=statement.group_size)
    try:
        root = root_from_inclusion(member_leaf(member.digest), member.index, statement.group_size, member.path)
    except ProofWrong as cause:
        raise Unsound("group-path-malformed", cause=cause) from cause
    if root.hex() != statement.digest:
        raise Unsound("group-path-wrong", index=member.index)
    return member.digest


def _expect_past(statement: Statement, opened: Opened, latest: datetime) -> None:
    if datetime.fromisoformat(statement.issued) > latest:
        raise Unsound("from-the-future", what="issued", time=statement.issued)
    for key, time in opened.signed.items():
        if time > _LAST_SECOND or datetime.fromtimestamp(time, UTC) > latest:
            raise Unsound("from-the-future", what=key.name, time=time)


# --- alone on the command line --------------------------------------------------------------------

_VALID, _INVALID, _USAGE, _NO_ANSWER = 0, 1, 2, 4


def main(arguments: Sequence[str], now: datetime, tongue: str = "zh") -> int:
    """Verify the named files; returns the exit status. `tongue` is a locale, spoken unless --lang says otherwise.

    0 all valid with their answers, 1 one is not valid, 2 the call itself is wrong, 4 sound, but no answer was checked.
    """
    options = _parser("zh" if tongue.startswith("zh") else "en").parse_args(arguments)
    if options.answer is not None and len(options.files) > 1:
        sys.stderr.write("--answer goes with one certificate\n")
        return _USAGE
    try:
        trust = Trust.parse(read_bounded(options.trust, MAX_TRUST_BYTES))
        # Who names what is not there mistyped, and is told so before anything is judged.
        for named in (*options.files, *([] if options.answer is None else [options.answer])):
            named.lstat()
    except Unsound as flaw:
        sys.stderr.write(flaw.problem.message(options.lang) + "\n")
        return _USAGE
    except OSError as cause:
        sys.stderr.write(f"couldn't read {printable(str(cause.filename))}: {cause.strerror}\n")
        return _USAGE
    verdicts = {str(file): verify_file(file, trust, options.answer, now=now) for file in options.files}
    if options.json:
        data = {name: verdict.as_data(options.lang) for name, verdict in verdicts.items()}
        sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")
    else:
        for name, verdict in verdicts.items():
            sys.stdout.write(_shown(name, verdict, options.lang))
    return exit_status(verdicts.values())


def exit_status(verdicts: Iterable[Verdict]) -> int:
    """Return how a check of several ends: what is wrong comes before what was not looked at."""
    judged = list(verdicts)
    if not all(verdict.valid for verdict in judged):
        return _INVALID
    return _VALID if all(verdict.answer_checked for verdict in judged) else _NO_ANSWER


def _parser(lang: Lang) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m zhanqiao.ledger.verify", description="Verify certificates.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="certificate")
    parser.add_argument("--trust", required=True, type=Path, metavar="FILE", help="the keys to start from")
    parser.add_argument("--answer", type=Path, metavar="FILE", help="answer file that the certificate came with")
    parser.add_argument("--json", action="store_true", help="print data")
    parser.add_argument("--lang", choices=("zh", "en"), default=lang)
    return parser


_MARKS = {Outcome.PASSED: "+", Outcome.FAILED: "!", Outcome.NOT_ASKED: "-", Outcome.NOT_REACHED: " "}
_WORDS = {
    "zh": {
        "colon": "：",
        "valid": "有效",
        "invalid": "无效",
        "alone": "声明无误；未核验任何答复",
        Outcome.NOT_ASKED: "（未要求）",
    },
    "en": {
        "colon": ": ",
        "valid": "valid",
        "invalid": "NOT valid",
        "alone": "the statement is sound; no answer was checked",
        Outcome.NOT_ASKED: " (not required)",
    },
}


def _shown(name: str, verdict: Verdict, lang: Lang) -> str:
    words = _WORDS[lang]
    found = "valid" if verdict.answer_checked else "alone" if verdict.valid else "invalid"
    lines = [f"{printable(name)}{words['colon']}{words[found]}"]
    lines += [
        f"  {_MARKS[step.outcome]} {step.number} {step.name(lang)}{words.get(step.outcome, '')}"
        for step in verdict.steps
    ]
    lines += [f"  {problem.code}{words['colon']}{problem.message(lang)}" for problem in verdict.problems]
    return "".join(line + "\n" for line in lines)


if __name__ == "__main__":
    # The command line is where the world comes in.
    spoken = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    sys.exit(main(sys.argv[1:], datetime.now(UTC), next(filter(None, spoken), "")))  # noqa: TID251
