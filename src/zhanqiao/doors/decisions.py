# SPDX-License-Identifier: Apache-2.0
"""The decisions door (决策): one small answer about one subject, from a published service.

Who may not have an answer about a subject learns one thing only: not answered. Unknown subject, missing or withdrawn
consent, a consent for somebody else: one code, one text. The true reasons are sealed for the auditor, at one length,
inside the log's event. What depends on the agreement alone is explained in full.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from zhanqiao.agreements import consents
from zhanqiao.agreements.consents import Consent
from zhanqiao.catalogue import shelf
from zhanqiao.doors import reasons as sealed_reasons
from zhanqiao.doors import release
from zhanqiao.doors.release import Asked, Release, Sealing
from zhanqiao.ledger.book import Recording
from zhanqiao.policy import coverage, decide
from zhanqiao.policy.permits import EvidencePermit
from zhanqiao.terms.agreements import Door, Grant
from zhanqiao.terms.canonical import array_of, canonical, digest, digest_bytes, object_of, text_of
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.legal_time import legal_day
from zhanqiao.terms.refusals import Reason, Refusal, refuse
from zhanqiao.terms.requests import BatchDecisionRequest, DecisionRequest
from zhanqiao.terms.services import Field, Service
from zhanqiao.vault.house import House
from zhanqiao.vault.traces import RosterEvidence


@dataclass(frozen=True)
class Decided:
    """What was decided about a list of subjects.

    outcomes  each different outcome, in the service's output schema
    which     the outcome of each subject, `traces.NOBODY` for who is not answered
    """

    outcomes: list[dict[str, object]]
    which: npt.NDArray[np.int32]


def answer(request: DecisionRequest, service: Service, *, house: House) -> Release | Refusal:
    """Answer one service for one subject, or say that there is no answer."""
    asked = _asked(request, service, house)
    # (1) Find the promise this request stands on; who was answered before is answered from the book.
    grant = release.opening(asked, house)
    if not isinstance(grant, Grant):
        return grant
    # (2) Find what stands against this subject being asked about.
    at = house.clock()
    consent, hidden = _consent_of(request, service, grant, at)
    # (3) Decide, without touching data.
    permit = decide.decide_evidence(
        request.id,
        request.agreement,
        grant,
        service,
        shelf.find,
        shelf.snapshot_id_of,
        at,
        subject=house.vault.subject_digest(request.subject),
        consent=None if consent is None or hidden else consent.reference,
    )
    if isinstance(permit, Refusal):
        return release.note_refusal(asked, permit, house)
    # (4) Read the evidence. It is read for a refusal too, so that both take the same work; it is not told then.
    day = legal_day(at)
    datasets = _datasets(permit)
    evidence = house.vault.evidence(permit, datasets, request.subject, day)
    if evidence is None:
        # A twin of this very request may have used the consent up, for an answer that is this one's too.
        hidden = hidden or (Reason("not-answered"),)
        return release.earlier(asked, house) or _not_answered(asked, hidden, house)
    # (5) The service's pure rule, and nothing beyond its output schema. What an outdated source does not hold is unknown.
    evidence = coverage.heard(evidence, service.evidence, _silent(datasets, day))
    outcome = {"status": "released", "service": service.name, **shaped(service.decide(evidence, day), service)}
    # (6) Charge, use up the consent, log and sign in one transaction; only then does it leave.
    sealing = _sealing(permit, datasets, grant, service, _commitment(asked, [evidence], outcome, house))
    told = canonical({**outcome, "request": asked.id})
    return release.charge_and_hand_over(asked, told, sealing, house, _use(consent, asked, house))


def answer_batch(
    request: BatchDecisionRequest, service: Service, ids: Sequence[str], *, house: House
) -> Release | Refusal:
    """Answer a duty-based service for a list of subjects: one job, one charge per subject, one certificate.

    Whoever is not on the roster that the duty rests on gets `not-answered`, as an unknown subject does.
    """
    asked = _asked_batch(request, service, ids, house)
    grant = release.opening(asked, house)
    if not isinstance(grant, Grant):
        return grant
    if service.roster is None or service.needs_consent:
        return release.note_refusal(asked, refuse("batch-without-duty", service=service.name), house)
    at = house.clock()
    permit = decide.decide_evidence(request.id, request.agreement, grant, service, shelf.find, shelf.snapshot_id_of, at)
    if isinstance(permit, Refusal):
        return release.note_refusal(asked, permit, house)
    if (refusal := release.reserve(asked, house)) is not None:
        return release.note_refusal(asked, refusal, house)
    day = legal_day(at)
    datasets = _datasets(permit)
    read = house.vault.roster_evidence(permit, datasets, service.subject, ids, day)
    decided = decide_list(read, service, day, _silent(datasets, day))
    outcome = object_of(
        {
            "request": canonical(asked.id),
            "results": _results(decided, ids).encode(),
            "service": canonical(service.name),
            "status": canonical("released"),
        }
    )
    commitment = _commitment(asked, read.digests(), digest_bytes(outcome), house)
    sealing = _sealing(permit, datasets, grant, service, commitment)
    return release.hand_over(asked, outcome, sealing, house)


def decide_list(read: RosterEvidence, service: Service, at: date, silent: frozenset[str] = frozenset()) -> Decided:
    """Decide for a list of subjects by the rule of single decisions, once for all that it cannot tell apart.

    silent  datasets in which an absence says nothing
    """
    by_signs = service.newest_signs and read.figures is None
    alike = read.by_newest_signs(service.traces, at) if by_signs else read.one_by_one()
    outcomes = []
    for place in alike.firsts:
        evidence = read.of(place)
        assert evidence is not None, "who stands for its sort is answerable"
        heard = coverage.heard(evidence, service.evidence, silent)
        outcomes.append(shaped(service.decide(heard, at), service))
    return Decided(outcomes, alike.which)


def _results(decided: Decided, ids: Sequence[str]) -> str:
    """Return the results of a batch in their canonical form: each outcome is spelt once, and identifiers put between."""
    answered = [_around_id({"status": "answered", **outcome}) for outcome in decided.outcomes]
    # NOBODY is the last place of a list.
    around = [*answered, _around_id({"status": "not-answered"})]
    before, after = [head for head, _ in around], [f"{tail}," for _, tail in around]
    which = decided.which.tolist()
    if not which:
        return array_of(())
    # One join of all pieces: hundreds of megabytes, for a city, are copied no oftener than must be.
    pieces = [""] * (3 * len(which))
    pieces[0::3] = [before[one] for one in which]
    pieces[1::3] = map(text_of, ids)
    pieces[2::3] = [after[one] for one in which]
    pieces[0], pieces[-1] = f"[{pieces[0]}", f"{pieces[-1][:-1]}]"
    return "".join(pieces)


def _around_id(result: dict[str, object]) -> tuple[str, str]:
    """Return what stands before and after the identifier in the canonical form of a result."""
    # Within a text a quotation mark is escaped, so that this is found where the field is and nowhere else.
    before, mark, after = canonical({**result, "id": ""}).decode().partition('"id":""')
    return before + mark[:-2], after


def shaped(outcome: dict[str, object], service: Service) -> dict[str, object]:
    """Return the outcome in the service's output schema; a rule that says anything else is a fault, and nothing leaves.

    Dates leave as days only where the schema says so, as months elsewhere.
    """
    unknown = outcome.keys() - {field.name for field in service.output}
    missing = {field.name for field in service.output if not field.optional} - outcome.keys()
    if unknown or missing:
        # What the rule says off its schema is not printed: it could be anything that the rule has read.
        raise ValueError(
            f"couldn't answer {service.name}: {len(unknown)} fields are off its schema, missing are {sorted(missing)}"
        )
    return {field.name: _value(field, outcome[field.name]) for field in service.output if field.name in outcome}


def _value(field: Field, value: object) -> object:
    if value is None and field.optional:
        return None
    if field.is_date or field.is_month:
        # A moment is a date, too, and would tell the time of day.
        if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat() if field.is_date else value.isoformat()[:7]
        raise ValueError(f"couldn't answer: {field.name} is no date")
    values = list(value) if field.many and isinstance(value, list | tuple) else [value]
    texts = [_text(one) for one in values]
    if not set(texts) <= set(field.values):
        raise ValueError(f"couldn't answer: {field.name} has a value off its enumeration")
    if len(set(texts)) < len(texts):
        raise ValueError(f"couldn't answer: {field.name} says a value twice")
    return texts if field.many else texts[0]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | Decimal):
        return str(value)
    raise ValueError("couldn't answer: a value of no known kind")


def _consent_of(
    request: DecisionRequest, service: Service, grant: Grant, at: datetime
) -> tuple[Consent | None, tuple[Reason, ...]]:
    """Return the consent where the service needs one, and every reason why it does not cover this use."""
    if not service.needs_consent:
        return None, ()
    if request.consent is None:
        return None, (Reason("consent-missing"),)
    consent = consents.open(request.consent, at)
    if isinstance(consent, Refusal):
        return None, consent.reasons
    items = decide.reads_of(service, shelf.find)
    reasons = consents.check(
        consent,
        recipient=grant.organisation,
        service=service.name,
        purpose=grant.purpose,
        subject=request.subject,
        items=items,
        at=at,
        warning_needed=consents.items_to_warn_of(items, shelf.find),
    )
    return consent, reasons


def _use(consent: Consent | None, asked: Asked, house: House) -> release.AlsoSpends | None:
    """Return the use of the consent. One that was used up or withdrawn a moment ago looks like any other refusal."""
    if consent is None:
        return None

    def use(tx: Recording) -> bool:
        return consents.use(tx, consent, asked.by, asked.id)

    return release.AlsoSpends(use, lambda: _not_answered(asked, (Reason("consent-used-up"),), house))


def _datasets(permit: EvidencePermit) -> dict[str, Dataset]:
    found = {name: shelf.find(name) for name in permit.snapshots}
    return {name: dataset for name, dataset in found.items() if dataset is not None}


def _silent(datasets: dict[str, Dataset], day: date) -> frozenset[str]:
    """Return the datasets whose published snapshot is too old for an absence in it to say "no"."""
    published = {name: legal_day(at) for name, at in shelf.published_on(datasets).items()}
    return coverage.silent(datasets.values(), published, day)


def _not_answered(asked: Asked, reasons: tuple[Reason, ...], house: House) -> Refusal:
    """Log the true reasons sealed, at one length, and tell the caller nothing."""
    sealed = sealed_reasons.seal(reasons, asked.id, house)
    return release.note_refusal(asked, refuse("not-answered"), house, sealed_reason=sealed)


def _asked(request: DecisionRequest, service: Service, house: House) -> Asked:
    question = [request.id, request.agreement, service.name, service.pack, request.subject.identifier, request.consent]
    return Asked(request.id, Door.DECISIONS, request.agreement, request.by, _digest_of(canonical(question), house))


def _asked_batch(request: BatchDecisionRequest, service: Service, ids: Sequence[str], house: House) -> Asked:
    head = [text_of(part) for part in (request.id, request.agreement, service.name, service.pack)]
    question = array_of([*head, array_of(map(text_of, ids))]).encode()
    return Asked(
        request.id, Door.DECISIONS, request.agreement, request.by, _digest_of(question, house), charge=len(ids)
    )


def _digest_of(question: bytes, house: House) -> str:
    """Return a keyed digest: all else being known from the log, an id number could be guessed from a plain one."""
    return house.vault.question_digest(question)


def _commitment(asked: Asked, read: object, outcome: object, house: House) -> str:
    """Commit to what was read and answered. Under the request's id: else equal evidence would show as equal commitments."""
    return house.vault.commitment(canonical([asked.id, read, outcome]))


def _sealing(
    permit: EvidencePermit, datasets: dict[str, Dataset], grant: Grant, service: Service, commitment: str
) -> Sealing:
    return Sealing(
        purpose=grant.purpose,
        contract=grant.contract_digest,
        statement_digest=digest({"service": service.name, "pack": service.pack}),
        snapshot=dict(permit.snapshots),
        rules=[{"rule": "service-pack", "figures": {"pack": service.pack}}],
        withheld=[],
        commitment=commitment,
        service=service.name,
        permitted=permit.expires - decide.PERMIT_LIFE,
        read={name: dataset.digest for name, dataset in datasets.items()},
    )
