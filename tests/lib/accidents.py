# SPDX-License-Identifier: Apache-2.0
"""Commands to which something may happen, each with what must hold whatever happened: the world that accidents hit.

A command is made ready in one copy of the deployment. Its check looks at what an accident left, and looks again after
the same command was repeated: nothing lost, doubled, half published or charged twice.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lib.pier import WAGES, Pier, Wage, citizen_id, released, write_wages
from lib.town import CONTRACTS, codes, done
from zhanqiao.agreements import lifecycle
from zhanqiao.catalogue import shelf
from zhanqiao.desk import demo_truth, personas
from zhanqiao.desk.audit import audit
from zhanqiao.desk.scenarios import all_services, find_service
from zhanqiao.intake import quarantine, sweep
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.verify import verify
from zhanqiao.terms.subjects import SubjectKind

BY_DISTRICT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"


@dataclass(frozen=True)
class Accident:
    """One command, made ready in one copy of the deployment.

    words   as they are typed, `given` on standard input
    stands  the code by which a repetition is told that it was done before; empty where it is simply done again
    check   looks at what is left: after the death (`whole` is False), and after the repetition (True)
    """

    words: tuple[str, ...]
    check: Callable[[Pier, bool], None]
    given: str = ""
    stands: str = ""


_DRAFT = """\
name: 事故测试合约
abstract: 第二枚签章时出事故
resident: bank
issuer: bureau
purpose: market-research
doors: [statistics]
datasets:
  pension_enrolment: {items: [person_id, district, birth_year, contribution_base]}
term: {from: 2026-01-01, until: 2030-12-31}
limits: {count: 7}
policy:
  permission: [{action: use}]
"""

# --- the commands -----------------------------------------------------------------------------


def ask(pier: Pier, folder: Path) -> Accident:
    request, agreement = pier.number(), pier.agreements["statistics"]
    people = Counter(row.district for row in WAGES)

    def check(after: Pier, whole: bool) -> None:
        _check_charge(after, request, "statistics", 1, whole=whole)
        if whole:
            answer = _answer_on_disk(after, request)
            assert {row[0]: row[1] for row in answer["rows"]} == dict(people)  # type: ignore[union-attr]
            again = released(after.ask(BY_DISTRICT, request=request))
            assert again.answer_file == (after.home / "answers" / f"{request}.answer.json").read_bytes()
            assert after.spent("statistics") == 1

    words = ("ask", BY_DISTRICT, "--agreement", agreement, "--as", "bank-analyst", "--request", request)
    return Accident(words, check)


def decide(pier: Pier, folder: Path) -> Accident:
    service = find_service("enterprise-credit")
    assert service is not None
    request, code = pier.number(), demo_truth.example_enterprise(pier.settled.city)
    token = pier.consent(service, code)
    path = folder / "consent.jws"
    path.write_text(token, encoding="utf-8")

    def check(after: Pier, whole: bool) -> None:
        _check_charge(after, request, "decisions", 1, whole=whole)
        if whole:
            assert _answer_on_disk(after, request)["service"] == service.name
            # Its one use was counted once: another request finds none left.
            assert codes(after.decide(service, code, consent=token)) == ["not-answered"]
            assert after.spent("credit") == 1

    words = ("decide", service.name, "--agreement", pier.agreements["credit"], "--as", "bank-analyst")
    return Accident((*words, "--consent", str(path), "--request", request), check, json.dumps({"id": code}))


# One district less, a dozen people nobody knew, and three rows that do not fit.
NEXT: tuple[Wage, ...] = (
    *(row for row in WAGES if row.district != "李沧区"),
    *(Wage(citizen_id(500 + n), f"新参保人{n:02d}", None, "市南区", WAGES[0].base) for n in range(12)),
)
BAD = tuple(Wage(citizen_id(600 + n), f"不合格人{n}", None, "青岛市", None) for n in range(3))


def load(pier: Pier, folder: Path) -> Accident:
    delivery = write_wages(folder / "next.csv", (*NEXT, *BAD))
    before = shelf.snapshot_of("pension_enrolment")
    assert before is not None
    old, new = Counter(row.district for row in WAGES), Counter(row.district for row in NEXT)

    def check(after: Pier, whole: bool) -> None:
        snapshot = shelf.snapshot_of("pension_enrolment")
        assert snapshot is not None
        is_new = snapshot.id != before.id
        assert is_new or not whole
        # All of the one or all of the other, in rows, cubes and quarantine alike.
        rows = released(after.ask(BY_DISTRICT)).answer["rows"]
        assert {row[0]: row[1] for row in rows} == dict(new if is_new else old)  # type: ignore[union-attr]
        assert snapshot.rows == (len(NEXT) if is_new else len(WAGES))
        published = [
            event
            for event in after.events("intake.published")
            if event["facts"]["dataset"] == "pension_enrolment"  # type: ignore[index]
        ]
        assert len(published) == (2 if is_new else 1), "published once, whatever was repeated"
        if is_new:
            kept = list(quarantine.read(after.house, "pension_enrolment", snapshot.id))
            assert len(kept) == len(BAD)
        # Nothing of the delivery is readable where it landed.
        assert {path.name for path in (after.home / "landing").iterdir()} <= {
            f".{dataset.name}.lock" for dataset in shelf.all()
        }
        if whole:
            _check_swept(after)

    return Accident(("intake", "load", "pension_enrolment", str(delivery), "--as", "hrss-officer"), check)


def describe(pier: Pier, folder: Path) -> Accident:
    text = (CONTRACTS / "pension_enrolment.odcs.yaml").read_text(encoding="utf-8")
    contract = folder / "described.odcs.yaml"
    text = text.replace("pension_enrolment", "pension_again").replace("370200-hrss-001", "370200-hrss-901")
    contract.write_text(text, encoding="utf-8")

    def check(after: Pier, whole: bool) -> None:
        told = [
            event
            for event in after.events("catalogue.described")
            if event["facts"]["dataset"] == "pension_again"  # type: ignore[index]
        ]
        described = shelf.find("pension_again")
        assert (described is not None) == bool(told)
        assert described is not None or not whole
        released(after.ask(BY_DISTRICT))

    return Accident(("catalogue", "add", str(contract), "--as", "hrss-officer"), check)


def seal(pier: Pier, folder: Path) -> Accident:
    number = done(lifecycle.draft(pier.house.book, _DRAFT, "bank-officer", services=all_services())).id
    key = done(personas.key_of(pier.home, "bank-signatory"))
    done(lifecycle.seal(pier.house.book, number, "bank-signatory", key))
    pier.house.book.publish()

    def check(after: Pier, whole: bool) -> None:
        sealed = [event for event in after.events("agreement.sealed") if event["facts"]["agreement"] == number]  # type: ignore[index]
        signed = len(sealed) == 2
        assert signed or not whole
        assert len(sealed) in {1, 2}, "nobody's seal stands twice"
        answered = after.ask(BY_DISTRICT, agreement=number)
        if signed:
            released(answered)
        else:
            assert codes(answered) == ["agreement-not-sealed"]

    return Accident(("agreement", "seal", number, "--as", "bureau-signatory"), check, stands="seal-standing")


COMMANDS = {"ask": ask, "decide": decide, "load": load, "describe": describe, "seal": seal}


# --- what is looked at ------------------------------------------------------------------------------


def _check_charge(pier: Pier, request: str, door: str, charge: int, *, whole: bool) -> None:
    """Charged never or once, released never or once, and charged before released."""
    record = pier.house.book.request(request)
    kinds = [event.kind for event in pier.house.book.events() if event.request == request]
    again = f"{door}.repeated"
    assert max(Counter(kind for kind in kinds if kind != again).values(), default=0) <= 1, "no entry stands twice"
    assert pier.spent({"statistics": "statistics", "decisions": "credit"}[door]) == (charge if record else 0)
    assert (f"{door}.released" in kinds) == (record is not None and record.released)
    if whole:
        assert kinds[-1] in {f"{door}.released", again}


def _answer_on_disk(pier: Pier, request: str) -> dict[str, object]:
    """Return what the receiver has, after checking it as an outsider does."""
    answer = (pier.home / "answers" / f"{request}.answer.json").read_bytes()
    certificate = (pier.home / "answers" / f"{request}.cert").read_bytes()
    assert verify(certificate, Trust.parse((pier.home / "public" / "trust.txt").read_bytes()), answer).valid
    said = json.loads(answer)["answer"]
    assert isinstance(said, dict)
    return said


def check_log(pier: Pier) -> None:
    """The log is whole as it lies there, and again after what was not shown yet is shown."""
    audit(pier.house)
    assert pier.house.book.publish().size == audit(pier.house)


def _check_swept(pier: Pier) -> None:
    """What the accident left is removed, and only that: each subject has one number, each segment a snapshot."""
    everybody = {row.id for row in (*WAGES, *NEXT)}
    numbers = pier.house.vault._subjects.numbers(SubjectKind.PERSON, sorted(everybody))
    assert len(set(numbers.tolist())) == len(everybody)
    assert min(numbers.tolist()) >= 0
    sweep(pier.house, "chen-sysadmin", wait=True)
    places = [pier.home / place for place in ("vault", "quarantine", "landing")]
    assert not [path for place in places for path in place.rglob("*.part*")]
    assert sweep(pier.house, "chen-sysadmin", wait=True) == {}
    released(pier.ask(BY_DISTRICT))
