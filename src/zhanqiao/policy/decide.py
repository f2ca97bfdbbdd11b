# SPDX-License-Identifier: Apache-2.0
"""Decide (决定): from a request, a grant and the catalogue to a permit, or to every reason against it.

Default deny: a permit is made only where no reason stands, and a missing grant is a reason like any other. Pure: the
moment comes in as `at`, the catalogue as functions. The vault worker decides every request again with these functions.

All reasons told here are the caller's own business: agreement, door, service, publication. What depends on the subject
of a decision (unknown, no consent, withdrawn, for somebody else) is the door's to hide behind `not-answered`.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol

from zhanqiao.policy.guard.cubes import cover
from zhanqiao.policy.guard.digest import digest
from zhanqiao.policy.guard.parsed import items_of
from zhanqiao.policy.ir import Average, CountUnits, Dim, Statement, Sum
from zhanqiao.policy.permits import MARK, AnswerPermit, BuildPermit, EvidencePermit, LoadPermit
from zhanqiao.terms.agreements import Door, Grant
from zhanqiao.terms.datasets import CubeSpec, Dataset, LogicalType
from zhanqiao.terms.refusals import Reason, Refusal
from zhanqiao.terms.requests import StatisticsRequest
from zhanqiao.terms.services import Service

PERMIT_LIFE = timedelta(minutes=5)
# A city's delivery is examined and numbered for longer than that; publication looks at the contract once more.
LOAD_PERMIT_LIFE = timedelta(hours=12)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Published(Protocol):
    """A published snapshot, as far as a decision looks at it."""

    @property
    def id(self) -> str: ...


def decide_statistics(
    request: StatisticsRequest,
    grant: Grant | None,
    statement: Statement | Refusal,
    dataset_of: Callable[[str], Dataset | None],
    snapshot_of: Callable[[str], Published | None],
    at: datetime,
) -> AnswerPermit | Refusal:
    """Return the permit for one statement, or every reason against it, the guard's reasons among them."""
    reasons = [*check_grant(grant, request.agreement, Door.STATISTICS, at)]
    if isinstance(statement, Refusal):
        return _refusal([*reasons, *statement.reasons])
    dataset, snapshot = dataset_of(statement.dataset), snapshot_of(statement.dataset)
    cube = None if dataset is None else cover(statement, dataset)
    if grant is not None:
        reasons += _check_statement(statement, grant, dataset)
    if dataset is not None and cube is None:
        # The guard looked before; between its look and this one the contract can have changed.
        reasons.append(Reason("statement-no-cubes-yet", {"dataset": dataset.name}))
    if snapshot is None:
        reasons.append(Reason("nothing-published", {"dataset": statement.dataset}))
    if reasons or snapshot is None or cube is None:
        return _refusal(reasons)
    return AnswerPermit(
        request=request.id,
        expires=at + PERMIT_LIFE,
        mark=MARK,
        agreement=request.agreement,
        statement=statement,
        statement_digest=digest(statement),
        snapshot=snapshot.id,
        cube=cube,
    )


def decide_evidence(
    request: str,
    agreement: str,
    grant: Grant | None,
    service: Service,
    dataset_of: Callable[[str], Dataset | None],
    snapshot_id_of: Callable[[str], str | None],
    at: datetime,
    *,
    subject: str | None = None,
    consent: str | None = None,
) -> EvidencePermit | Refusal:
    """Return the permit for what a service reads, or every reason against it; the same for whoever is asked about.

    subject  the vault's digest of whom it is about, or None for a roster
    consent  the consent that was found to cover this very use; without one that is needed nothing is handed out
    """
    reasons = [*check_grant(grant, agreement, Door.DECISIONS, at)]
    if grant is not None:
        reasons += _check_service(service, grant)
    reasons += _check_declaration(service, dataset_of)
    if grant is not None and not reasons:
        reasons += _check_reads(service, grant, dataset_of)
    snapshots: dict[str, str] = {}
    for name in _datasets_of(service):
        snapshot = snapshot_id_of(name)
        if snapshot is None:
            reasons.append(Reason("nothing-published", {"dataset": name}))
        else:
            snapshots[name] = snapshot
    if reasons:
        return _refusal(reasons)
    return EvidencePermit(
        request=request,
        expires=at + PERMIT_LIFE,
        mark=MARK,
        agreement=agreement,
        service=service.name,
        subject_kind=service.subject,
        subject=subject,
        consent=consent,
        told=consent is not None or not service.needs_consent,
        evidence=service.evidence,
        traces=service.traces,
        roster=service.roster,
        roster_where=service.roster_where,
        snapshots=snapshots,
    )


def decide_load(
    request: str,
    dataset: Dataset,
    contract_digest: str,
    batch_digest: str,
    snapshot: str,
    at: datetime,
) -> LoadPermit | Refusal:
    """Return the permit to load one batch into one dataset.

    contract_digest  of the contract that the batch was checked against
    """
    reasons = []
    if contract_digest != dataset.digest:
        reasons.append(Reason("load-contract-changed", {"dataset": dataset.name}))
    if not _DIGEST.fullmatch(batch_digest):
        reasons.append(Reason("digest-malformed", {"digest": batch_digest[:80]}))
    if not any(item.stored for item in dataset.items):
        reasons.append(Reason("load-nothing-kept", {"dataset": dataset.name}))
    if reasons:
        return _refusal(reasons)
    return LoadPermit(request, at + LOAD_PERMIT_LIFE, MARK, dataset.name, contract_digest, batch_digest, snapshot)


def decide_build(
    request: str, dataset: Dataset, snapshot: str, build: CubeSpec | str, at: datetime
) -> BuildPermit | Refusal:
    """Return the permit to derive a declared cube, or the maintained newest date (`build` = its item), of a snapshot."""
    if isinstance(build, CubeSpec):
        declared, named = build in dataset.cubes, build.name
    else:
        item = dataset.item(build)
        declared = build == dataset.latest and item is not None and item.stored and item.type is LogicalType.DATE
        named = build
    if not declared:
        return Refusal((Reason("build-not-declared", {"dataset": dataset.name, "build": named}),))
    return BuildPermit(request, at + PERMIT_LIFE, MARK, dataset.name, snapshot, build)


# --- reasons ----------------------------------------------------------------------------------------


def check_grant(grant: Grant | None, agreement: str, door: Door, at: datetime) -> tuple[Reason, ...]:
    """Give every reason why a grant does not open a door at a moment; none means that it does."""
    if grant is None:
        return (Reason("no-grant"),)
    reasons = []
    if grant.agreement != agreement:
        reasons.append(Reason("grant-other-agreement", {"agreement": agreement}))
    if _is_outside_term(grant, at):
        reasons.append(Reason("grant-outside-term", {"agreement": agreement}))
    if door not in grant.doors:
        doors = ", ".join(sorted(grant.doors)) or "-"
        reasons.append(Reason("door-not-granted", {"agreement": agreement, "door": door.value, "doors": doors}))
    if grant.remaining is not None and grant.remaining < 1:
        reasons.append(Reason("count-exhausted", {"agreement": agreement}))
    return tuple(reasons)


def _is_outside_term(grant: Grant, at: datetime) -> bool:
    """Whether `at` lies outside the term, which includes its first moment and excludes its last."""
    too_early = grant.valid_from is not None and at < grant.valid_from
    too_late = grant.valid_until is not None and at >= grant.valid_until
    return too_early or too_late


def _check_statement(statement: Statement, grant: Grant, dataset: Dataset | None) -> list[Reason]:
    """Give every reason why a statement goes beyond the grant. The guard checked it, too: two walls, one table."""
    facts = {"agreement": grant.agreement, "dataset": statement.dataset}
    if dataset is None or statement.dataset not in grant.items:
        return [grant.beyond(statement.dataset, Door.STATISTICS)]
    beyond = _items_of(statement, dataset) - grant.items[statement.dataset]
    return [Reason("item-not-granted", {**facts, "items": ", ".join(sorted(beyond))})] if beyond else []


def _items_of(statement: Statement, dataset: Dataset) -> set[str]:
    used = {*statement.dims, *items_of(statement.where)}
    for output in statement.outputs:
        match output.term:
            case Dim(item) | Sum(item) | Average(item):
                used.add(item)
            case CountUnits(kind):
                key = dataset.key_of(kind)
                used.add(key.name if key is not None else kind.value)
            case _:
                pass
    return used


def reads_of(service: Service, dataset_of: Callable[[str], Dataset | None]) -> dict[str, frozenset[str]]:
    """Return what a service reads: dataset -> items. A trace reads the newest date that its dataset declares."""
    read = {name: set(_read_of(service, name)) for name in _datasets_of(service)}
    for trace in service.traces:
        dataset = dataset_of(trace.dataset)
        if dataset is not None and dataset.latest is not None:
            read[trace.dataset].add(dataset.latest)
    return {name: frozenset(items) for name, items in read.items()}


def _check_service(service: Service, grant: Grant) -> list[Reason]:
    reasons = []
    facts = {"agreement": grant.agreement, "service": service.name}
    if service.name not in grant.services:
        reasons.append(Reason("service-not-granted", {**facts, "granted": ", ".join(sorted(grant.services)) or "-"}))
    if grant.purpose not in service.purposes:
        purposes = ", ".join(service.purposes) or "-"
        reasons.append(Reason("service-other-purpose", {**facts, "purpose": grant.purpose, "purposes": purposes}))
    return reasons


def _check_reads(service: Service, grant: Grant, dataset_of: Callable[[str], Dataset | None]) -> list[Reason]:
    """What was sealed is what may be read: the declaration may have grown since, or a department holds data back."""
    reasons = []
    for name, items in reads_of(service, dataset_of).items():
        beyond = items - grant.reads.get(name, frozenset())
        if (held_back := grant.held_back(name, Door.DECISIONS)) is not None:
            reasons.append(held_back)
        elif beyond or name not in grant.reads:
            what = ", ".join(f"{name}.{item}" for item in sorted(beyond)) or name
            facts = {"agreement": grant.agreement, "service": service.name, "what": what}
            reasons.append(Reason("service-reads-beyond-agreement", facts))
    return reasons


def _check_declaration(service: Service, dataset_of: Callable[[str], Dataset | None]) -> list[Reason]:
    """Give every reason why a service's declaration cannot be honoured: it reads what is not kept, or about nobody."""
    problems = [] if _datasets_of(service) else ["nothing"]
    if not service.needs_consent and service.roster is None:
        problems.append("subjects without consent and without a roster")
    for name in _datasets_of(service):
        dataset = dataset_of(name)
        if dataset is None:
            problems.append(name)
            continue
        if dataset.key_of(service.subject) is None:
            problems.append(f"{name}, which is not about a {service.subject.value}")
        problems += [f"{name}.{item}" for item in _read_of(service, name) if not _is_readable(dataset, item)]
        if any(trace.dataset == name for trace in service.traces) and dataset.latest is None:
            problems.append(f"newest dates of {name}")
    return [Reason("service-malformed", {"service": service.name, "what": problem}) for problem in problems]


def _datasets_of(service: Service) -> tuple[str, ...]:
    """Return every dataset that a service reads, each once, in order of declaration."""
    evidence: Iterable[str] = (one.dataset for one in service.evidence)
    traces = (trace.dataset for trace in service.traces)
    roster = () if service.roster is None else (service.roster,)
    return tuple(dict.fromkeys([*evidence, *traces, *roster]))


def _read_of(service: Service, dataset: str) -> tuple[str, ...]:
    """Return the items that a service reads from one dataset."""
    read: list[str | None] = []
    for one in service.evidence:
        if one.dataset == dataset:
            read += [one.item, one.date_item, *(item for item, _ in one.where)]
    if service.roster == dataset:
        read += [item for item, _ in service.roster_where]
    return tuple(dict.fromkeys(item for item in read if item is not None))


def _is_readable(dataset: Dataset, name: str) -> bool:
    """Whether a service may look at an item: it is stored, and it names nobody."""
    item = dataset.item(name)
    return item is not None and item.stored and item.subject is None and not item.identifier


def _refusal(reasons: Iterable[Reason]) -> Refusal:
    unique: list[Reason] = []
    for reason in reasons:
        if reason not in unique:
            unique.append(reason)
    return Refusal(tuple(unique))
