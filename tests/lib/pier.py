# SPDX-License-Identifier: Apache-2.0
"""A settled deployment for tests of the doors, built through the front doors once a session and copied for each test.

Everybody of `lib.town`, and beside it

    pension_enrolment   people by district and birth year, hand-made: what is too small or dominated is known by eye
    firm_turnover       enterprises by sector and size class, hand-made
    the city's          39 datasets that the installed services read, from a generated city of 2,000 people
    agreements          `statistics` and `few` (five answers) of the bank, `rival` of another bank, `credit` and
                        `rival-credit` (consent), `pension` (duty); everybody's key lies where the command line looks
"""

import base64
import csv
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connections
from stdnum.cn import ric, uscc

from lib import town, warm
from lib.town import CONTRACTS, done
from zhanqiao.agreements import consents, lifecycle
from zhanqiao.catalogue import shelf
from zhanqiao.desk import deployment, personas
from zhanqiao.desk.configuration import Deployment
from zhanqiao.desk.demo_truth import roster_ids
from zhanqiao.desk.scenarios import all_scenarios, all_services
from zhanqiao.desk.stewardship import deliver, describe
from zhanqiao.doors import decisions, statistics
from zhanqiao.doors.release import Release
from zhanqiao.identity import register
from zhanqiao.identity.keys import read_key_file, write_key_file
from zhanqiao.identity.people import Role
from zhanqiao.ledger import certificate
from zhanqiao.ledger.book import new_request_id
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.verify import Verdict, verify
from zhanqiao.policy import decide
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.requests import BatchDecisionRequest, DecisionRequest, RequestId, StatisticsRequest
from zhanqiao.terms.services import Evidence, Field, Operation, Service, Value
from zhanqiao.terms.subjects import Subject, SubjectKind
from zhanqiao.vault.house import House

CITY_PEOPLE, CITY_SEED, CITY_DAY = 2_000, 5, date(2026, 11, 25)


# --- what the departments deliver -------------------------------------------------------------------


class Wage(NamedTuple):
    """One insured person: a row of pension_enrolment."""

    id: str
    name: str
    born: date | None
    district: str
    base: Decimal | None


class Firm(NamedTuple):
    """One enterprise: a row of firm_turnover."""

    id: str
    name: str
    sector: str
    staff_class: int
    turnover: Decimal


def citizen_id(number: int, born: date | None = None) -> str:
    """Return a citizen id with its check character."""
    stem = f"370202{born or date(1970, 1, 1):%Y%m%d}{number:03d}"
    return stem + ric.calc_check_digit(stem + "0")


def credit_code(number: int) -> str:
    """Return a unified social credit code with its check character."""
    stem = f"91370200MA{number:07d}"
    return stem + uscc.calc_check_digit(stem)


def _wages() -> tuple[Wage, ...]:
    groups: list[tuple[str, int | None, list[str | None]]] = [
        # Sums of 16,000.02 and 16,000.06 over 16 people: averages that end in a tie.
        ("市南区", 1950, ["1000.02", *["1000"] * 15]),
        ("市南区", 1951, ["1000.06", *["1000"] * 15]),
        ("市南区", 1952, [None, None, *["3000.50"] * 10]),
        ("市南区", None, ["4000"] * 10),
        ("市北区", 1950, ["5000"] * 15),
        ("市北区", 1951, ["5100"] * 3),  # too few
        ("市北区", 1952, ["5200"] * 11),
        ("李沧区", 1950, ["6000"] * 6),  # too few, both
        ("李沧区", 1951, ["6100"] * 5),
        ("崂山区", 1960, ["100000", *["100"] * 19]),  # one person earns nearly all
        ("崂山区", 1961, ["5000"] * 14),
    ]
    rows = []
    for district, year, bases in groups:
        for base in bases:
            number = len(rows)
            born = None if year is None else date(year, 1 + number % 12, 1 + number % 28)
            rows.append(
                Wage(
                    citizen_id(number, born),
                    f"参保人{number:03d}",
                    born,
                    district,
                    None if base is None else Decimal(base),
                )
            )
    return tuple(rows)


def _firms() -> tuple[Firm, ...]:
    groups = [
        ("制造", 1, [300_000] * 6),
        ("批发", 1, [120_000.5] * 7),
        ("批发", 2, [110_000] * 5),
        ("采矿", 1, [80_000] * 3),  # too few
        ("钢铁", 1, [1_000_000, *[1_000] * 7]),  # one steelworks
    ]
    rows = []
    for sector, staff_class, amounts in groups:
        for amount in amounts:
            rows.append(
                Firm(credit_code(len(rows)), f"海湾第{len(rows):02d}公司", sector, staff_class, Decimal(str(amount)))
            )
    return tuple(rows)


WAGES, FIRMS = _wages(), _firms()
WAGE_HEADER = ["公民身份号码", "姓名", "出生日期", "参保区市", "月缴费基数", "累计缴费月数", "最近结算日期", "备注"]
FIRM_HEADER = ["统一社会信用代码", "企业名称", "行业", "规模等级", "营业收入"]


def write_wages(path: Path, rows: Iterable[Wage] = WAGES, *, encoding: str = "utf-8") -> Path:
    """Write a delivery of pension_enrolment."""
    lines = [[row.id, row.name, row.born or "", row.district, row.base or "", 120, "2026-10-31", ""] for row in rows]
    return write_csv(path, WAGE_HEADER, lines, encoding=encoding)


def write_firms(path: Path, rows: Iterable[Firm] = FIRMS, *, encoding: str = "utf-8") -> Path:
    """Write a delivery of firm_turnover."""
    return write_csv(path, FIRM_HEADER, rows, encoding=encoding)


def write_csv(path: Path, header: list[str], rows: Iterable[Iterable[object]], *, encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


# --- a service with consent, about people -----------------------------------------------------------


def _judge(evidence: dict[str, Value], at: date) -> dict[str, object]:
    base = evidence["base"]
    if not evidence["insured"] or not isinstance(base, Decimal):
        return {"outcome": "manual", "band": "unknown", "next_step": "officer"}
    return {"outcome": "pass", "band": "high" if base >= 5_000 else "low", "next_step": "none"}


CITIZEN_CREDIT = Service(
    name="citizen-credit",
    zh="个人信用预审",
    en="Citizen credit pre-check",
    subject=SubjectKind.PERSON,
    purposes=("credit-precheck",),
    needs_consent=True,
    output=(
        Field("outcome", "结论", ("pass", "manual")),
        Field("band", "等级", ("high", "low", "unknown")),
        Field("next_step", "下一步", ("none", "officer")),
    ),
    pack="citizen-credit/1",
    decide=_judge,
    evidence=(
        Evidence("insured", "pension_enrolment", Operation.EXISTS),
        Evidence("base", "pension_enrolment", Operation.NEWEST, item="contribution_base", date_item="settled_on"),
    ),
    negative_outcome_next_step="由银行人员人工审查。",
)


# --- the settled pier -------------------------------------------------------------------------------

_DRAFT = """\
name: 栈桥测试合约
abstract: 供各道门的测试使用
resident: {resident}
issuer: bureau
purpose: {purpose}
doors: [{door}]
{covers}
term: {{from: 2026-01-01, until: 2030-12-31}}
limits: {{count: {count}}}
policy:
  permission: [{{action: use}}]
"""
_TABLES = """\
datasets:
  pension_enrolment: {items: [person_id, district, birth_year, contribution_base]}
  firm_turnover: {items: [uscc, sector, staff_class, turnover]}"""
_CREDIT = "services: [enterprise-credit, citizen-credit]"
_PENSION = "services: [silent-certification]"
# name -> resident, purpose, door, what it covers, count
_AGREEMENTS = {
    "statistics": ("bank", "market-research", "statistics", _TABLES, 1_000_000),
    "few": ("bank", "market-research", "statistics", _TABLES, 5),
    "rival": ("rival", "market-research", "statistics", _TABLES, 1_000_000),
    "credit": ("bank", "credit-precheck", "decisions", _CREDIT, 1_000_000),
    "few-credit": ("bank", "credit-precheck", "decisions", _CREDIT, 5),
    "rival-credit": ("rival", "credit-precheck", "decisions", _CREDIT, 1_000_000),
    "pension": ("hrss", "pension-certification", "decisions", _PENSION, 1_000_000),
    "few-pension": ("hrss", "pension-certification", "decisions", _PENSION, 3),
}


@dataclass(frozen=True)
class Settled:
    """The built pier on disk, which nobody opens: tests take copies."""

    home: Path
    city: Path
    agreements: dict[str, str]

    def copy(self, to: Path) -> Path:
        """Copy the deployment. Segments are immutable, so that a second name is copy enough."""

        def place(source: str, target: str) -> object:
            if source.endswith(".duckdb"):
                os.link(source, target)
                return target
            return shutil.copy2(source, target)

        shutil.copytree(self.home, to, copy_function=place)
        return to


def settle(folder: Path, clock: Callable[[], datetime]) -> Settled:
    """Build the pier in `folder`, or return what another test process built there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done_file = folder / "agreements.json"
        if not done_file.exists():
            numbers = _build(folder, clock)
            done_file.write_text(json.dumps(numbers), encoding="utf-8")
        return Settled(folder / "home", folder / "city", json.loads(done_file.read_text(encoding="utf-8")))


def _build(folder: Path, clock: Callable[[], datetime]) -> dict[str, str]:
    home = folder / "home"
    house = done(deployment.found(home, Deployment("青岛", "demo", "zhanqiao.test/pier"), clock))
    settled = town.build(house.book)
    done(register.give_role(house.book, "hrss-officer", Role.ANALYST, "secadmin"))
    for who, key in settled.keys.items():
        path = personas.key_file(home, who) if who in town.PEOPLE else folder / f"{who}.pem"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        assert write_key_file(path, key, passphrase=None, profile="demo") is None
    _deliver_by_hand(house, folder)
    _deliver_city(house, folder / "city")
    agreements = {name: _agree(house, settled, *terms) for name, terms in _AGREEMENTS.items()}
    connections.close_all()
    return agreements


def _deliver_by_hand(house: House, folder: Path) -> None:
    done(describe(house, (CONTRACTS / "firm_turnover.odcs.yaml").read_bytes(), "bureau-officer"))
    done(deliver(house, "pension_enrolment", [write_wages(folder / "wages.csv")], "hrss-officer"))
    done(deliver(house, "firm_turnover", [write_firms(folder / "firms.csv")], "bureau-officer"))


def _deliver_city(house: House, folder: Path) -> None:
    scenario = all_scenarios()["city"]
    assert scenario.write is not None
    manifest = scenario.write(folder, CITY_PEOPLE, CITY_SEED, CITY_DAY)
    contracts = files(scenario.contracts)
    for name in sorted(_read_by_services()):
        done(describe(house, (contracts / f"{name}.odcs.yaml").read_bytes(), "bureau-officer"))
        done(deliver(house, name, [folder / file for file in manifest.of(name).files], "bureau-officer"))


def _read_by_services() -> set[str]:
    read: set[str] = set()
    for service in all_services():
        read |= {one.dataset for one in service.evidence} | {trace.dataset for trace in service.traces}
        read |= {service.roster} if service.roster else set()
    return read


def _agree(house: House, settled: town.Town, resident: str, purpose: str, door: str, covers: str, count: int) -> str:
    text = _DRAFT.format(resident=resident, purpose=purpose, door=door, covers=covers, count=count)
    services = [*all_services(), CITIZEN_CREDIT]
    agreement = done(lifecycle.draft(house.book, text, f"{resident}-officer", services=services)).id
    for who in ("bureau-signatory", f"{resident}-signatory"):
        done(lifecycle.seal(house.book, agreement, who, settled.keys[who]))
    return agreement


# --- one test's copy --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pier:
    """An open copy, with the short ways in which tests speak to it. Every way leads through a front door."""

    house: House
    settled: Settled

    @property
    def agreements(self) -> dict[str, str]:
        return self.settled.agreements

    @property
    def home(self) -> Path:
        return self.house.home

    def number(self) -> RequestId:
        """Return a new request id."""
        return new_request_id(self.house.dice)

    def ask(
        self,
        statement: str,
        *,
        by: str = "bank-analyst",
        agreement: str = "statistics",
        request: RequestId | None = None,
    ) -> Release | Refusal:
        asked = StatisticsRequest(request or self.number(), self._named(agreement), by, statement)
        return statistics.answer(asked, house=self.house)

    def decide(
        self,
        service: Service,
        identifier: str,
        *,
        consent: str | None = None,
        by: str = "bank-analyst",
        agreement: str = "credit",
        request: RequestId | None = None,
    ) -> Release | Refusal:
        subject = Subject(service.subject, identifier)
        asked = DecisionRequest(request or self.number(), self._named(agreement), by, service.name, subject, consent)
        return decisions.answer(asked, service, house=self.house)

    def batch(
        self,
        service: Service,
        ids: list[str],
        *,
        by: str = "hrss-officer",
        agreement: str = "pension",
        request: RequestId | None = None,
    ) -> Release | Refusal:
        asked = BatchDecisionRequest(request or self.number(), self._named(agreement), by, service.name)
        return decisions.answer_batch(asked, service, ids, house=self.house)

    def consent(
        self,
        service: Service,
        identifier: str,
        /,
        *,
        issuer: str = "app",
        key: Ed25519PrivateKey | None = None,
        **changed: object,
    ) -> str:
        """Return a signed consent of a subject to the bank's use of a service, as its app would make it."""
        file = self.settled.home.parent / f"{issuer}.pem"
        key = key or done(read_key_file(file, passphrase=None, profile="demo"))
        now = self.house.clock()
        terms: dict[str, object] = {
            "recipient": "bank",
            "service": service.name,
            "purpose": service.purposes[0],
            "items": decide.reads_of(service, shelf.find),
            "begins": now - timedelta(days=1),
            "ends": now + timedelta(days=30),
            "salt": self.house.dice(16),
            "nonce": self.house.dice(16),
            "uses": 1,
            "warned": True,
            **changed,
        }
        return consents.sign(key, issuer, Subject(service.subject, identifier), **terms)  # type: ignore[arg-type]

    def withdraw(self, token: str) -> None:
        """Withdraw a consent, as an officer does for a subject that asks."""
        consent = done(consents.open(token, self.house.clock()))
        assert consents.withdraw(self.house.book, consent, "bureau-officer") is None

    def spent(self, agreement: str = "statistics") -> int:
        """Return how many answers an agreement was charged."""
        return done(lifecycle.show(self._named(agreement), self.house.clock())).spent

    def events(self, kind: str | None = None) -> list[dict[str, object]]:
        """Return what the log says, oldest first."""
        return [json.loads(event.leaf) for event in self.house.book.events(kind=kind)]

    def pensioners(self) -> list[str]:
        """Return the ids on the pension agency's list."""
        return roster_ids(self.settled.city)

    def verify(self, release: Release, *, answer: bytes | None = None) -> Verdict:
        """Check a certificate as an outsider does, with the published trust file alone."""
        trust = Trust.parse((self.home / "public" / "trust.txt").read_bytes())
        return verify(release.certificate, trust, release.answer_file if answer is None else answer)

    def reopened(self, clock: Callable[[], datetime] | None = None) -> "Pier":
        """Open the same folder anew, as a restarted process does."""
        connections.close_all()
        return replace(self, house=done(deployment.open_house(self.home, clock or self.house.clock)))

    def command(self, *words: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the real command line in a process of its own on this deployment."""
        return subprocess.run(
            command_line(*words, "--home", str(self.home)),
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "LANG": "en_US.UTF-8", "PYTHONUTF8": "1", **environment},
        )

    def _named(self, agreement: str) -> str:
        return self.agreements.get(agreement, agreement)


def released(outcome: object) -> Release:
    """Return what left; anything else fails the test."""
    assert isinstance(outcome, Release), outcome
    return outcome


def predicate(release: Release) -> dict[str, object]:
    """Return what a certificate says, read out of its bytes."""
    envelope = json.loads(certificate.parse(release.certificate).envelope)
    return certificate.read_statement(base64.b64decode(envelope["payload"])).predicate


_MAIN = "from zhanqiao.desk.cli import main; main()"


def command_line(*words: str) -> list[str]:
    """Return how `zhanqiao` is started, by an interpreter that has imported it."""
    return warm.python("-c", _MAIN, *words)


def cold_command_line(*words: str) -> list[str]:
    """Return how `zhanqiao` is started by a new interpreter."""
    return warm.cold("-c", _MAIN, *words)


def opened(settled: Settled, folder: Path, clock: Callable[[], datetime]) -> Iterator[Pier]:
    """Give one test its own open copy."""
    home = settled.copy(folder / "pier")
    yield Pier(done(deployment.open_house(home, clock)), settled)
    connections.close_all()
