# SPDX-License-Identifier: Apache-2.0
"""Truth tables of decide: each reason alone, all of them together, and a permit only where none stands."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import pytest

import zhanqiao
from lib.statements import AT, CATALOGUE, GRANT, LINES, PENSION, ask, item, statement
from zhanqiao.policy import decide, guard
from zhanqiao.policy.permits import AnswerPermit, BuildPermit, EvidencePermit, LoadPermit, Permit
from zhanqiao.terms.agreements import Door, Grant
from zhanqiao.terms.datasets import CubeSpec, LogicalType, Mask
from zhanqiao.terms.refusals import Reason, Refusal
from zhanqiao.terms.requests import RequestId, StatisticsRequest
from zhanqiao.terms.services import Evidence, Field, Operation, Service, Trace
from zhanqiao.terms.subjects import SubjectKind

TEXT = "SELECT district, count(*) FROM pension_enrolment WHERE birth_year > 1960 GROUP BY district"
REQUEST = StatisticsRequest(RequestId("1" * 32), "A-1", "li", TEXT)
DIGEST = "sha256:" + "ab" * 32


@dataclass(frozen=True)
class Snapshot:
    id: str


def published(name: str) -> Snapshot | None:
    return Snapshot(f"snap-{name}")


def codes(decided: object) -> list[str]:
    assert isinstance(decided, Refusal), decided
    return [reason.code for reason in decided.reasons]


# --- statistics -------------------------------------------------------------------------------------


def test_a_statement_within_everything_is_permitted() -> None:
    read = statement(TEXT)
    permit = decide.decide_statistics(REQUEST, GRANT, read, CATALOGUE.get, published, AT)
    assert isinstance(permit, AnswerPermit)
    assert permit.request == "1" * 32
    assert permit.agreement == "A-1"
    assert permit.expires == AT + timedelta(minutes=5)
    assert permit.statement is read
    assert permit.statement_digest == guard.digest(read)
    assert permit.snapshot == "snap-pension_enrolment"
    assert permit.cube.name == "by_district_year"


def test_the_smallest_cube_that_covers_answers() -> None:
    by_district = statement("SELECT district, avg(contribution_base) FROM pension_enrolment GROUP BY district")
    permit = decide.decide_statistics(REQUEST, GRANT, by_district, CATALOGUE.get, published, AT)
    assert isinstance(permit, AnswerPermit)
    assert permit.cube.name == "by_district"


Break = Callable[[Grant], Grant]
BREAKS: dict[str, Break] = {
    "grant-other-agreement": lambda grant: replace(grant, agreement="A-2"),
    "grant-outside-term": lambda grant: replace(grant, valid_until=AT),
    "door-not-granted": lambda grant: replace(grant, doors=frozenset({Door.DECISIONS})),
    "count-exhausted": lambda grant: replace(grant, remaining=0),
    "item-not-granted": lambda grant: replace(grant, items={"pension_enrolment": frozenset({"district"})}),
}


@pytest.mark.parametrize(
    "chosen",
    [pytest.param(set(few), id="+".join(few)) for n in range(len(BREAKS) + 1) for few in combinations(BREAKS, n)],
)
def test_every_combination_of_flaws_is_told_in_full(chosen: set[str]) -> None:
    grant = GRANT
    for code, break_it in BREAKS.items():
        if code in chosen:
            grant = break_it(grant)
    decided = decide.decide_statistics(REQUEST, grant, statement(TEXT), CATALOGUE.get, published, AT)
    if chosen:
        assert set(codes(decided)) == chosen
        assert isinstance(decided, Refusal)
        assert all(reason.message("zh") and reason.remedy("en") for reason in decided.reasons)
    else:
        assert isinstance(decided, AnswerPermit)


@pytest.mark.parametrize(
    ("begins", "ends", "inside"),
    [
        (None, None, True),
        (AT, None, True),
        (AT + timedelta(seconds=1), None, False),
        (None, AT, False),
        (None, AT + timedelta(seconds=1), True),
        (AT - timedelta(days=1), AT + timedelta(days=1), True),
    ],
)
def test_the_term_includes_its_first_moment_and_not_its_last(
    begins: datetime | None, ends: datetime | None, inside: bool
) -> None:
    reasons = decide.check_grant(replace(GRANT, valid_from=begins, valid_until=ends), "A-1", Door.STATISTICS, AT)
    assert (reasons == ()) is inside


def test_no_grant_is_a_reason_and_nothing_else_is_told() -> None:
    read = ask(TEXT, grant=None)
    decided = decide.decide_statistics(REQUEST, None, read, CATALOGUE.get, published, AT)
    assert codes(decided) == ["no-grant"]
    # Even a statement that somebody else's grant allowed.
    decided = decide.decide_statistics(REQUEST, None, statement(TEXT), CATALOGUE.get, published, AT)
    assert codes(decided) == ["no-grant"]


def test_reasons_of_agreement_and_guard_come_together() -> None:
    refusal = ask("SELECT full_name FROM pension_enrolment LIMIT 1")
    grant = replace(GRANT, doors=frozenset())
    decided = decide.decide_statistics(REQUEST, grant, refusal, CATALOGUE.get, published, AT)
    assert codes(decided) == ["door-not-granted", "form-limit", "statement-item-forbidden"]


def test_nothing_published() -> None:
    decided = decide.decide_statistics(REQUEST, GRANT, statement(TEXT), CATALOGUE.get, lambda _: None, AT)
    assert codes(decided) == ["nothing-published"]


def test_a_contract_that_changed_meanwhile() -> None:
    read = statement(TEXT)
    without = {"pension_enrolment": replace(PENSION, cubes=())}
    assert codes(decide.decide_statistics(REQUEST, GRANT, read, without.get, published, AT)) == [
        "statement-no-cubes-yet"
    ]
    gone = decide.decide_statistics(REQUEST, GRANT, read, {}.get, published, AT)
    assert codes(gone) == ["dataset-not-granted"]


def test_the_key_needs_a_grant_to_be_counted() -> None:
    read = statement("SELECT count(DISTINCT person_id) FROM pension_enrolment")
    grant = replace(GRANT, items={"pension_enrolment": frozenset({"district"})})
    decided = decide.decide_statistics(REQUEST, grant, read, CATALOGUE.get, published, AT)
    assert codes(decided) == ["item-not-granted"]


# --- decisions --------------------------------------------------------------------------------------

CREDIT = Service(
    name="enrolled",
    zh="参保情况",
    en="enrolment",
    subject=SubjectKind.PERSON,
    purposes=("risk",),
    needs_consent=True,
    output=(Field("enrolled", "参保", ("yes", "no")),),
    pack="1",
    decide=lambda evidence, at: {"enrolled": "yes"},
    evidence=(
        Evidence("rows", "pension_enrolment", Operation.COUNT, where=(("district", ("市南区",)),)),
        Evidence("base", "pension_enrolment", Operation.SUM, item="contribution_base", date_item="settled_on"),
    ),
)
ALIVE = replace(
    CREDIT,
    name="alive",
    needs_consent=False,
    evidence=(),
    traces=(Trace("line_tap", "transport"),),
    roster="pension_enrolment",
    roster_where=(("district", ("市南区",)),),
)
READS = {
    "pension_enrolment": frozenset({"district", "contribution_base", "settled_on"}),
    "line_tap": frozenset({"ridden_on"}),
}
SERVICE_GRANT = replace(
    GRANT, doors=frozenset({Door.DECISIONS}), services=frozenset({"enrolled", "alive"}), reads=READS
)
WITH_LATEST = CATALOGUE | {"line_tap": replace(LINES, latest="ridden_on")}


def evidence(
    service: Service,
    grant: Grant | None = SERVICE_GRANT,
    snapshot_id_of: Callable[[str], str | None] = "snap-{}".format,
    **about: str,
) -> EvidencePermit | Refusal:
    return decide.decide_evidence("r-2", "A-1", grant, service, WITH_LATEST.get, snapshot_id_of, AT, **about)


@pytest.mark.parametrize("service", [CREDIT, ALIVE], ids=lambda service: service.name)
def test_a_declared_service_is_permitted(service: Service) -> None:
    permit = evidence(service)
    assert isinstance(permit, EvidencePermit)
    assert (permit.service, permit.subject_kind) == (service.name, SubjectKind.PERSON)
    assert (permit.evidence, permit.traces) == (service.evidence, service.traces)
    assert (permit.roster, permit.roster_where) == (service.roster, service.roster_where)
    assert permit.expires == AT + timedelta(minutes=5)


def test_a_permit_names_the_snapshot_of_all_that_is_read() -> None:
    permit = evidence(ALIVE)
    assert isinstance(permit, EvidencePermit)
    assert permit.snapshots == {"line_tap": "snap-line_tap", "pension_enrolment": "snap-pension_enrolment"}


@pytest.mark.parametrize(
    ("service", "grant", "expected"),
    [
        (CREDIT, None, ["no-grant"]),
        (CREDIT, replace(SERVICE_GRANT, doors=frozenset({Door.STATISTICS})), ["door-not-granted"]),
        (CREDIT, replace(SERVICE_GRANT, services=frozenset({"alive"})), ["service-not-granted"]),
        (CREDIT, replace(SERVICE_GRANT, purpose="marketing"), ["service-other-purpose"]),
        (CREDIT, replace(SERVICE_GRANT, remaining=0, valid_until=AT), ["grant-outside-term", "count-exhausted"]),
        (CREDIT, replace(SERVICE_GRANT, reads={}), ["service-reads-beyond-agreement"]),
        (CREDIT, replace(SERVICE_GRANT, reads={"line_tap": READS["line_tap"]}), ["service-reads-beyond-agreement"]),
        (
            CREDIT,
            replace(SERVICE_GRANT, reads={"pension_enrolment": frozenset({"district", "settled_on"})}),
            ["service-reads-beyond-agreement"],
        ),
        # The items of statements are no items of services.
        (ALIVE, replace(SERVICE_GRANT, reads={}, items=READS), ["service-reads-beyond-agreement"] * 2),
        (replace(CREDIT, purposes=()), SERVICE_GRANT, ["service-other-purpose"]),
        (replace(CREDIT, evidence=()), SERVICE_GRANT, ["service-malformed"]),
        (replace(CREDIT, needs_consent=False), SERVICE_GRANT, ["service-malformed"]),
        (replace(CREDIT, subject=SubjectKind.ENTERPRISE), SERVICE_GRANT, ["service-malformed"]),
        (replace(ALIVE, traces=(Trace("pension_enrolment", "x"),)), SERVICE_GRANT, ["service-malformed"]),
    ],
)
def test_what_stands_against_a_service(service: Service, grant: Grant | None, expected: list[str]) -> None:
    assert codes(evidence(service, grant)) == expected


@pytest.mark.parametrize("item_name", ["full_name", "person_id", "nothing"])
@pytest.mark.parametrize("place", ["item", "date_item", "where"])
def test_a_service_reads_no_identity_and_nothing_unknown(item_name: str, place: str) -> None:
    value = ((item_name, ("x",)),) if place == "where" else item_name
    spy = replace(CREDIT, evidence=(replace(CREDIT.evidence[0], **{place: value}),))
    assert codes(evidence(spy)) == ["service-malformed"]


def test_a_roster_condition_reads_no_identity() -> None:
    assert codes(evidence(replace(ALIVE, roster_where=(("full_name", ("张三",)),)))) == ["service-malformed"]


def test_every_dataset_of_a_service_is_published() -> None:
    decided = evidence(ALIVE, snapshot_id_of=lambda name: None if name == "line_tap" else "s")
    assert codes(decided) == ["nothing-published"]


@pytest.mark.parametrize(
    ("service", "consent", "told"),
    [(CREDIT, "app:1", True), (CREDIT, None, False), (ALIVE, None, True)],
)
def test_a_permit_says_whom_it_is_about_and_on_which_consent(service: Service, consent: str | None, told: bool) -> None:
    permit = decide.decide_evidence(
        "r-2", "A-1", SERVICE_GRANT, service, WITH_LATEST.get, "s-{}".format, AT, subject="who", consent=consent
    )
    assert isinstance(permit, EvidencePermit)
    assert (permit.subject, permit.consent, permit.told) == ("who", consent, told)


@pytest.mark.parametrize("grant", [SERVICE_GRANT, None, replace(SERVICE_GRANT, purpose="marketing")])
def test_the_decision_is_the_same_for_whoever_is_asked_about(grant: Grant | None) -> None:
    """No reason depends on the subject or its consent; what the door hides is one code."""
    abouts: list[dict[str, str]] = [{}, {"subject": "one"}, {"subject": "another", "consent": "app:1"}]
    decided = [evidence(CREDIT, grant, **about) for about in abouts]
    assert all(decided[0] == one if isinstance(one, Refusal) else grant is SERVICE_GRANT for one in decided)
    hidden = Reason("not-answered")
    assert hidden.facts == {}
    assert hidden.message("en") == "This request is not answered."


# --- loading and building ---------------------------------------------------------------------------


def load(**changes: object) -> LoadPermit | Refusal:
    facts: dict[str, object] = {
        "request": "r-3",
        "dataset": PENSION,
        "contract_digest": PENSION.digest,
        "batch_digest": DIGEST,
        "snapshot": "s-2",
        "at": AT,
    }
    return decide.decide_load(**(facts | changes))  # type: ignore[arg-type]


def test_a_checked_batch_is_loaded() -> None:
    permit = load()
    assert isinstance(permit, LoadPermit)
    assert (permit.dataset, permit.contract_digest) == ("pension_enrolment", PENSION.digest)
    assert (permit.batch_digest, permit.snapshot) == (DIGEST, "s-2")


NOTHING_KEPT = replace(PENSION, items=(item("full_name", LogicalType.STRING, identifier=True, mask=Mask.IDENTITY),))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"contract_digest": DIGEST}, ["load-contract-changed"]),
        ({"batch_digest": "ab" * 32}, ["digest-malformed"]),
        ({"batch_digest": DIGEST.upper()}, ["digest-malformed"]),
        ({"batch_digest": DIGEST + "\n"}, ["digest-malformed"]),
        ({"dataset": NOTHING_KEPT}, ["load-nothing-kept"]),
    ],
)
def test_what_stands_against_a_batch(changes: dict[str, object], expected: list[str]) -> None:
    assert codes(load(**changes)) == expected


def test_only_what_the_contract_declares_is_built() -> None:
    dated = replace(PENSION, latest="settled_on")
    for build in (*PENSION.cubes, "settled_on"):
        permit = decide.decide_build("r-4", dated, "s-1", build, AT)
        assert isinstance(permit, BuildPermit)
        assert (permit.dataset, permit.snapshot, permit.build) == ("pension_enrolment", "s-1", build)
    wider = CubeSpec("by_district", ("district", "full_name"), ())
    for build in (wider, "district", "full_name", "nothing", ""):
        assert codes(decide.decide_build("r-4", dated, "s-1", build, AT)) == ["build-not-declared"]
    assert codes(decide.decide_build("r-4", PENSION, "s-1", "settled_on", AT)) == ["build-not-declared"]


# --- who makes permits ------------------------------------------------------------------------------


def test_nobody_makes_a_permit_without_the_mark() -> None:
    with pytest.raises(TypeError, match="only policy makes permits"):
        Permit("r", datetime(2026, 1, 1, tzinfo=UTC), object())


def test_only_decide_holds_the_mark() -> None:
    """Walks the tree: the mark is imported by `policy.decide` and by nobody else."""
    root = Path(zhanqiao.__file__).parent
    holders = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imported = isinstance(node, ast.ImportFrom) and any(alias.name == "MARK" for alias in node.names)
            reached = isinstance(node, ast.Attribute) and node.attr in {"MARK", "_Mark"}
            if imported or reached:
                holders.add(path.relative_to(root).as_posix())
    # The vault asks whether a permit was made here; `decide` alone gives the mark away.
    assert holders == {"policy/decide.py"}
