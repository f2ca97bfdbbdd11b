# SPDX-License-Identifier: Apache-2.0
"""The demo's story, stage by stage: what is done, and the lines that tell it.

Each stage does its part through the functions that the commands use, keeps what later stages need in `Story`, and
returns lines to print. What must hold in every run is checked here and ends the demo with status 1 when it does not.
"""

import json
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from django.db import connections
from rich.text import Text

from zhanqiao.agreements import consents, lifecycle
from zhanqiao.catalogue import shelf
from zhanqiao.desk import demo_truth, deployment, personas, stewardship
from zhanqiao.desk.answers import write_release
from zhanqiao.desk.audit import audit
from zhanqiao.desk.scenarios import all_scenarios, all_services, find_service
from zhanqiao.doors import decisions, statistics
from zhanqiao.doors.release import Release
from zhanqiao.identity import consent_keys, residents
from zhanqiao.identity.admission import CRITERIA
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.intake import LoadReport
from zhanqiao.ledger.book import new_request_id
from zhanqiao.ledger.certificate import answer_path
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.verify import verify
from zhanqiao.policy import decide
from zhanqiao.terms.refusals import Lang, Refusal
from zhanqiao.terms.requests import BatchDecisionRequest, DecisionRequest, StatisticsRequest
from zhanqiao.terms.subjects import Subject, SubjectKind
from zhanqiao.vault.house import House

T = TypeVar("T")
Lines = list[str | Text]

QUESTION = (
    "SELECT district, count(*) AS enterprises, avg(registered_capital) AS average_capital "
    "FROM enterprise_registration GROUP BY district"
)
FORBIDDEN_QUESTION = "SELECT uscc, legal_representative, max(registered_capital) FROM enterprise_registration"
CONSENT_ISSUER = "credit-consent-app"


def _unseen(text: str, number: int, total: int) -> None:
    """Show no progress: what a story does until somebody watches."""


@dataclass
class Story:
    """What the stages share."""

    house: House
    city_folder: Path
    people: int
    seed: int
    today: date
    city: Any = None
    agreements: dict[str, str] = field(default_factory=dict)
    certificates: list[Path] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    progress: Callable[[str, int, int], None] = field(default=_unseen)

    def expect(self, holds: bool, failure: str) -> None:
        """Remember what should have held and did not."""
        if not holds:
            self.failures.append(failure)

    def keep(self, release: Release, what: str) -> Path:
        """Write answer and certificate as `ask` does, and count the answer among what left."""
        certificate = write_release(release, self.house.home / "answers")
        assert isinstance(certificate, Path), certificate
        self.certificates.append(certificate)
        self.left.append(what)
        return certificate

    def home_option(self) -> str:
        return f"--home {self.house.home}"


@dataclass(frozen=True)
class Stage:
    zh: str
    en: str
    tell: Callable[[Story, Lang], Lines]


def done(outcome: T | Refusal) -> T:
    """Return what was done; a refusal where none belongs is a fault of the demo."""
    if isinstance(outcome, Refusal):
        raise RuntimeError(  # noqa: TRY004  a refusal is a value of its right type, in the wrong place
            "the demo was refused: " + "; ".join(reason.message("en") for reason in outcome.reasons)
        )
    return outcome


def command(line: str) -> Text:
    """Return a line that shows the command which repeats a step."""
    return Text.assemble("  ", (f"$ {line}", "dim"))


# --- stages -----------------------------------------------------------------------------------------


def build_city(story: Story, lang: Lang) -> Lines:
    """The departments' own files, as they really send them."""
    city = all_scenarios()["city"]
    assert city.write is not None, "the city scenario writes deliveries"
    story.progress("…", 0, 1)
    story.city = city.write(story.city_folder, story.people, story.seed, story.today)
    deliveries = story.city.datasets
    rows = sum(delivery.rows for delivery in deliveries)
    dirty = sum(sum(delivery.dirty.values()) for delivery in deliveries)
    encodings = Counter(delivery.encoding for delivery in deliveries)
    spoken = ", ".join(f"{name} x {count}" for name, count in sorted(encodings.items()))
    return [
        _(
            lang,
            f"{story.people:,} 人的城市：{len(deliveries)} 份部门交付文件，{rows:,} 行（{spoken}），其中有意混入 {dirty:,} 行脏数据。",
            f"A city of {story.people:,}: {len(deliveries)} files from departments, {rows:,} rows ({spoken}), "
            f"{dirty:,} of them spoilt on purpose.",
        ),
        command(f"head -3 {story.city_folder / deliveries[0].files[0]}"),
    ]


def load_everything(story: Story, lang: Lang) -> Lines:
    """Describe every dataset, then collect, check, mask and publish every delivery."""
    house = story.house
    done_or_none(personas.settle(house))
    contracts = _contracts()
    for number, content in enumerate(contracts, start=1):
        story.progress(_(lang, "编目", "describing"), number, len(contracts))
        done(stewardship.describe(house, content, "li-officer"))
    deliveries = story.city.datasets
    reports = _deliver_all(story)
    published = sum(report.published for report in reports)
    quarantined = sum(report.quarantined for report in reports)
    return [
        _(
            lang,
            f"已发布 {published:,} 行；{quarantined:,} 行进入加密隔离区，报告只有行号、信息项与代码，没有值。",
            f"{published:,} rows published; {quarantined:,} in the encrypted quarantine, reported by row, item and code, "
            "never by value.",
        ),
        command(
            f"zhanqiao intake load {deliveries[0].dataset} {story.city_folder / deliveries[0].files[0]} --as {personas.steward_of(deliveries[0].department)} {story.home_option()}"
        ),
    ]


def show_catalogue(story: Story, lang: Lang) -> Lines:
    """The open catalogue in figures."""
    counts = shelf.counts()
    total = counts.total
    story.expect((total.categories, total.items) == (56, 398), "the open catalogue is not 56 categories and 398 items")
    lines = [
        _(
            lang,
            f"开放目录：{total.categories} 类 {total.items} 项，{total.records:,} 条记录",
            f"Open catalogue: {total.categories} categories, {total.items} items, {total.records:,} records",
        )
    ]
    lines += [f"  {domain}  {t.categories} / {t.items} / {t.records:,}" for domain, t in counts.domains.items()]
    return [*lines, command(f"zhanqiao catalogue show {story.home_option()}")]


def admit_residents(story: Story, lang: Lang) -> Lines:
    """Two people of the bureau admit each resident by published criteria."""
    evidence = {criterion.code: f"demo/{criterion.code}" for criterion in CRITERIA}
    for resident in personas.RESIDENTS:
        done(residents.assess(story.house.book, resident, evidence, "wang-assessor"))
        done(residents.admit(story.house.book, resident, "zhao-assessor"))
    names = "、".join(personas.RESIDENTS.values())
    return [
        _(
            lang,
            f"按 {len(CRITERIA)} 条公开标准，经初审、复审两人准入：{names}",
            f"Admitted by {len(CRITERIA)} published criteria and two people: {', '.join(personas.RESIDENTS)}",
        ),
        command(f"zhanqiao resident criteria; zhanqiao people show {story.home_option()}"),
    ]


def seal_agreements(story: Story, lang: Lang) -> Lines:
    """Draft five digital contracts, ask before they are sealed, seal them."""
    signatories = {
        "bay-statistics": "bay-signatory",
        "bay-credit": "bay-signatory",
        "laoshan-credit": "laoshan-signatory",
        "bus-statistics": "bus-signatory",
        "hrss-pension": "hrss-signatory",
    }
    lines = []
    for name, signatory in signatories.items():
        text = (files("zhanqiao.desk") / "drafts" / f"{name}.yaml").read_text(encoding="utf-8")
        text = text.replace("__FROM__", str(story.today - timedelta(days=1)))
        text = text.replace("__UNTIL__", str(story.today + timedelta(days=365)))
        agreement = done(lifecycle.draft(story.house.book, text, "li-officer", services=all_services())).id
        story.agreements[name] = agreement
        if name == "bay-statistics":
            early = _ask(story, name, "bay-analyst", QUESTION)
            story.expect(isinstance(early, Refusal), "an agreement answered before both seals")
            lines += _refused(early, lang, _(lang, "盖章之前提问：", "Asked before both seals:"))
        for who in (signatory, "li-officer"):
            done(lifecycle.seal(story.house.book, agreement, who, done(personas.key_of(story.house.home, who))))
        lines.append(f"  {name}: {agreement}")
    return [
        *lines,
        _(
            lang,
            "五份数字合约，双方各自对合约摘要签章后生效。",
            "Five digital contracts, each sealed by both parties over its exact digest.",
        ),
        command(f"zhanqiao agreement show {story.agreements['bay-statistics']} {story.home_option()}"),
    ]


def ask_statistics(story: Story, lang: Lang) -> Lines:
    """One table that is answered, one question that is not."""
    agreement = story.agreements["bay-statistics"]
    release = done(_ask(story, "bay-statistics", "bay-analyst", QUESTION))
    certificate = story.keep(
        release,
        _(lang, "各区市企业数与平均注册资本（统计）", "enterprises and average capital by district (statistics)"),
    )
    refusal = _ask(story, "bay-statistics", "bay-analyst", FORBIDDEN_QUESTION)
    story.expect(isinstance(refusal, Refusal), "a statement over identifiers was answered")
    bus = "SELECT district, count(*) AS insured FROM pension_enrolment GROUP BY district"
    story.keep(
        done(_ask(story, "bus-statistics", "bus-analyst", bus)),
        _(lang, "各区市参保人数（统计）", "insured people by district (statistics)"),
    )
    return [
        command(f'zhanqiao ask --agreement {agreement} "{QUESTION}" --as bay-analyst {story.home_option()}'),
        *_table(release.answer),
        _(lang, f"凭证：{certificate}", f"certificate: {certificate}"),
        "",
        command(f'zhanqiao ask --agreement {agreement} "{FORBIDDEN_QUESTION}" --as bay-analyst {story.home_option()}'),
        *_refused(refusal, lang, _(lang, "拒绝，逐条说明：", "Refused, with every reason:")),
    ]


def certify_pensioners(story: Story, lang: Lang) -> Lines:
    """All pensioners, silently; then scored against the planted truth, which the platform never saw."""
    service = find_service("silent-certification")
    assert service is not None, "the pension scenario is installed"
    ids = demo_truth.roster_ids(story.city_folder)
    story.expect(len(ids) > 0, "the pension agency's list is empty")
    listing = story.city_folder / "examples" / "pensioners.txt"
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text("\n".join(ids) + "\n", encoding="utf-8")
    request = BatchDecisionRequest(
        new_request_id(story.house.dice), story.agreements["hrss-pension"], "hrss-officer", service.name
    )
    release = done(decisions.answer_batch(request, service, ids, house=story.house))
    story.keep(
        release,
        _(
            lang,
            f"{len(ids):,} 名领取人员的认证结论（决策，批量）",
            f"{len(ids):,} pensioners' outcomes (decisions, batch)",
        ),
    )
    results = release.answer["results"]
    assert isinstance(results, list), "a batch answers with results"
    score = demo_truth.score(story.city_folder, results, service, story.today)
    story.expect(score.dead_certified == 0, f"{score.dead_certified} dead pensioners were certified")
    outcomes = Counter(result.get("outcome", result["status"]) for result in results)
    shown = ", ".join(f"{name} {count:,}" for name, count in sorted(outcomes.items()))
    return [
        command(
            f"zhanqiao decide silent-certification --batch --agreement {story.agreements['hrss-pension']} "
            f"--as hrss-officer {story.home_option()} < {listing}"
        ),
        f"  {shown}",
        _(
            lang,
            f"  对照埋设的真值：健在者静默认证率 {score.coverage:.1%}；误认已故 {score.dead_certified} 人；有生存痕迹而未认证 {score.missed:,} 人。",
            f"  against the planted truth: {score.coverage:.1%} of the living certified silently, {score.dead_certified} dead "
            f"certified, {score.missed:,} missed although a trace exists.",
        ),
        _(
            lang,
            "  每一个“存疑”“无法认定”都交由人办理，不自动停发。",
            "  every `suspect` and `undetermined` goes to a person; no pension is stopped by a machine.",
        ),
    ]


def prescreen_enterprise(story: Story, lang: Lang) -> Lines:
    """One enterprise: without its consent nothing, with it a band and reasons."""
    service = find_service("enterprise-credit")
    assert service is not None, "the credit scenario is installed"
    subject = Subject(SubjectKind.ENTERPRISE, demo_truth.example_enterprise(story.city_folder))
    example = story.city_folder / "examples" / "enterprise.json"
    example.write_text(json.dumps({"id": subject.identifier}) + "\n", encoding="utf-8")
    call = (
        f"zhanqiao decide enterprise-credit --agreement {story.agreements['bay-credit']} "
        f"--as bay-analyst {story.home_option()}"
    )
    without = _decide(story, "bay-credit", "bay-analyst", subject, None)
    story.expect(isinstance(without, Refusal), "an enterprise was decided without its consent")
    token = _consent(story, subject)
    path = story.city_folder / "examples" / "consent.jws"
    path.write_text(token + "\n", encoding="utf-8")
    foreign = _decide(story, "laoshan-credit", "laoshan-analyst", subject, token)
    story.expect(isinstance(foreign, Refusal), "a consent for one bank served another")
    release = done(_decide(story, "bay-credit", "bay-analyst", subject, token))
    story.keep(
        release,
        _(lang, "一家企业的信用预审（决策，经同意）", "one enterprise's credit pre-check (decision, consented)"),
    )
    answer = release.answer
    reasons = answer.get("reasons") or []
    assert isinstance(reasons, list), "reasons are a list"
    return [
        command(f"{call} < {example}"),
        *_refused(without, lang, _(lang, "未经同意：", "Without consent:")),
        command(f"{call} --consent {path} < {example}"),
        _(
            lang,
            f"  经同意：{answer['precheck']}，等级 {answer['band']}，原因 {', '.join(map(str, reasons)) or '无'}；下一步：{answer['next_step']}",
            f"  with consent: {answer['precheck']}, band {answer['band']}, reasons {', '.join(map(str, reasons)) or 'none'}; "
            f"next step: {answer['next_step']}",
        ),
        *_refused(foreign, lang, _(lang, "同一份同意用于另一家银行：", "The same consent at another bank:")),
    ]


def verify_everything(story: Story, lang: Lang) -> Lines:
    """Every certificate offline; one is tampered with and caught."""
    trust = Trust.parse((story.house.home / "public" / "trust.txt").read_bytes())
    valid = 0
    for certificate in story.certificates:
        valid += verify(certificate.read_bytes(), trust, answer_path(certificate).read_bytes()).valid
    story.expect(valid == len(story.certificates), "a certificate of this run does not verify")
    first = story.certificates[0]
    forged = answer_path(first).read_bytes().replace(b'"released"', b'"releasec"', 1)
    verdict = verify(first.read_bytes(), trust, forged)
    story.expect(not verdict.valid, "a changed answer verified")
    entries = audit(story.house)
    problems = "; ".join(problem.message(lang) for problem in verdict.problems)
    return [
        command(f"zhanqiao verify {story.house.home}/answers/*.cert {story.home_option()}"),
        _(
            lang,
            f"  {valid} / {len(story.certificates)} 份凭证离线核验有效",
            f"  {valid} of {len(story.certificates)} certificates valid, checked offline",
        ),
        _(
            lang,
            f"  副本中改动答复一个字节：无效（{problems}）",
            f"  one byte of an answer changed, in a copy: invalid ({problems})",
        ),
        command(f"zhanqiao ledger audit {story.home_option()}"),
        _(lang, f"  账本 {entries} 条记录逐条核对一致", f"  {entries} entries of the ledger re-checked"),
    ]


def tell_what_left(story: Story, lang: Lang) -> Lines:
    """The page that a citizen would want to read."""
    refusals = sum(1 for event in story.house.book.events() if event.kind.endswith(".refused"))
    return [
        _(lang, "离开数据库房的只有：", "What left the vault, and nothing else:"),
        *(Text.assemble("  ", ("→", "green"), f" {what}") for what in story.left),
        _(
            lang,
            f"另有 {refusals} 次提问被拒绝并记入账本。没有任何原始数据离开。",
            f"{refusals} requests were refused and logged. No raw data left.",
        ),
        command(f"zhanqiao ledger show --kind statistics.released {story.home_option()}"),
    ]


STAGES = (
    Stage("建一座城", "A city is built", build_city),
    Stage("归集：部门的数据进来", "Intake: the departments' data comes in", load_everything),
    Stage("目录", "The catalogue", show_catalogue),
    Stage("入驻单位准入", "Residents are admitted", admit_residents),
    Stage("数字合约：双方签章", "Digital contracts: two seals", seal_agreements),
    Stage("统计门：一答一拒", "Statistics: one answered, one refused", ask_statistics),
    Stage("决策门：静默养老认证", "Decisions: silent pension certification", certify_pensioners),
    Stage("决策门：企业信用预审", "Decisions: an enterprise is pre-screened", prescreen_enterprise),
    Stage("核验凭证", "Certificates are verified", verify_everything),
    Stage("什么离开了库房", "What left the vault", tell_what_left),
)


# --- parts ------------------------------------------------------------------------------------------


def _(lang: Lang, zh: str, en: str) -> str:
    return zh if lang == "zh" else en


def _deliver_all(story: Story) -> list[LoadReport]:
    """Let departments deliver at the same time, one more than there are cores; the largest deliveries go first."""
    deliveries = sorted(story.city.datasets, key=lambda delivery: -delivery.rows)
    reports = []
    # One more: while some wait for the disk, or for the interpreter, another goes on.
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as departments:
        loads = [departments.submit(_deliver, story, delivery) for delivery in deliveries]
        for number, load in enumerate(as_completed(loads), start=1):
            reports.append(load.result())
            story.progress(reports[-1].dataset, number, len(loads))
    return reports


def _deliver(story: Story, delivery: Any) -> LoadReport:
    """Load one delivery through a house of one's own, as a command would."""
    house = deployment.open_house(story.house.home, story.house.clock)
    assert not isinstance(house, Refusal), "the demo's deployment opens"
    dataset = shelf.find(delivery.dataset)
    assert dataset is not None, "the city's contracts cover its deliveries"
    try:
        files_of = [story.city_folder / name for name in delivery.files]
        return done(stewardship.deliver(house, delivery.dataset, files_of, personas.steward_of(dataset.department)))
    finally:
        connections.close_all()


def done_or_none(refusal: Refusal | None) -> None:
    """Let nothing pass but success."""
    if refusal is not None:
        done(refusal)


def _contracts() -> list[bytes]:
    packages = [scenario.contracts for scenario in all_scenarios().values() if scenario.contracts]
    found = [path for package in packages for path in files(package).iterdir() if path.name.endswith(".odcs.yaml")]
    return [path.read_bytes() for path in sorted(found, key=lambda path: path.name)]


def _ask(story: Story, agreement: str, by: str, statement: str) -> Release | Refusal:
    request = StatisticsRequest(new_request_id(story.house.dice), story.agreements[agreement], by, statement)
    return statistics.answer(request, house=story.house)


def _decide(story: Story, agreement: str, by: str, subject: Subject, token: str | None) -> Release | Refusal:
    service = find_service("enterprise-credit")
    assert service is not None, "the credit scenario is installed"
    request = DecisionRequest(
        new_request_id(story.house.dice), story.agreements[agreement], by, service.name, subject, token
    )
    return decisions.answer(request, service, house=story.house)


def _consent(story: Story, subject: Subject) -> str:
    """Sign a consent as the bureau's consent app does for an enterprise that agreed there."""
    house = story.house
    service = find_service("enterprise-credit")
    assert service is not None, "the credit scenario is installed"
    key = make_key()
    done(
        consent_keys.register_consent_authority(
            house.book, CONSENT_ISSUER, personas.AUTHORITY, public_bytes(key), "liu-secadmin"
        )
    )
    now = house.clock()
    return consents.sign(
        key,
        CONSENT_ISSUER,
        subject,
        recipient="bay-bank",
        service=service.name,
        purpose="credit-precheck",
        items=decide.reads_of(service, shelf.find),
        begins=now - timedelta(minutes=1),
        ends=now + timedelta(days=30),
        salt=house.dice(16),
        nonce=house.dice(16),
        uses=3,
        warned=True,
    )


def _refused(refusal: Release | Refusal, lang: Lang, title: str) -> Lines:
    if not isinstance(refusal, Refusal):
        return [title, "  ?"]
    lines: Lines = [title]
    for reason in refusal.reasons:
        lines.append(Text.assemble("  ", ("✗", "red"), " ", (reason.code, "bold"), f" {reason.message(lang)}"))
        lines.append(f"    → {reason.remedy(lang)}")
    return lines


def _table(answer: dict[str, object]) -> Lines:
    columns, rows = answer["columns"], answer["rows"]
    assert isinstance(columns, list), "a table has columns"
    assert isinstance(rows, list), "a table has rows"
    names = [str(column["name"]) for column in columns]
    return ["  " + " | ".join(names), *("  " + " | ".join("" if c is None else str(c) for c in row) for row in rows)]
