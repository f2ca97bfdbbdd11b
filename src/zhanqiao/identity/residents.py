# SPDX-License-Identifier: Apache-2.0
"""Admission of residents as acts of the authority: assess, admit by a second person, return, leave; and what was handed in."""

from collections.abc import Mapping
from dataclasses import dataclass

from zhanqiao.identity.admission import TRANSITIONS, Admission, Step, check_evidence, check_second, check_step
from zhanqiao.identity.attempts import note_refusal
from zhanqiao.identity.bindings import evidence_digest
from zhanqiao.identity.directory import NOW, Directory, check_actor, find_organisation
from zhanqiao.identity.models import EvidenceRow, OrganisationRow
from zhanqiao.identity.people import Organisation, OrganisationKind, Role
from zhanqiao.ledger.book import Book, Recording
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal


@dataclass(frozen=True)
class Application:
    """An organisation on its way in, or in. `evidence` maps a criterion's code to a document's reference."""

    organisation: Organisation
    evidence: Mapping[str, str]


def assess(book: Book, organisation: str, evidence: Mapping[str, str], by: str) -> Organisation | Refusal:
    """First stage (初审): each published criterion is evidenced. `evidence` maps its code to a document's reference."""
    with book.recording() as tx:
        reasons = [*check_admission(organisation, Step.ASSESS, by), *check_evidence(evidence)]
        if reasons:
            return note_refusal(tx, "identity.assess", by, organisation, reasons)
        EvidenceRow.objects.filter(organisation_id=organisation).delete()
        rows = [
            EvidenceRow.objects.create(organisation_id=organisation, criterion=criterion, reference=reference)
            for criterion, reference in sorted(evidence.items())
        ]
        return _move(tx, organisation, Step.ASSESS, by, {"evidence": evidence_digest(rows)}, assessed_by=by)


def admit(book: Book, organisation: str, by: str) -> Organisation | Refusal:
    """Second stage (复审), by another person than the first."""
    with book.recording() as tx:
        assessed_by = OrganisationRow.objects.filter(pk=organisation).values_list("assessed_by", flat=True).first()
        reasons = [*check_admission(organisation, Step.ADMIT, by), *check_second(by, assessed_by)]
        if reasons:
            return note_refusal(tx, "identity.admit", by, organisation, reasons)
        return _move(tx, organisation, Step.ADMIT, by)


def hand_back(book: Book, organisation: str, by: str) -> Organisation | Refusal:
    """Return an assessed applicant to the first stage."""
    with book.recording() as tx:
        reasons = check_admission(organisation, Step.RETURN, by)
        if reasons:
            return note_refusal(tx, "identity.return", by, organisation, reasons)
        return _move(tx, organisation, Step.RETURN, by, assessed_by=None)


def leave(book: Book, organisation: str, by: str) -> Organisation | Refusal:
    """End a residency or an application; from then on its agreements give no grant. By the authority or itself."""
    with book.recording() as tx:
        reasons = check_admission(organisation, Step.LEAVE, by)
        if reasons:
            return note_refusal(tx, "identity.leave", by, organisation, reasons)
        return _move(tx, organisation, Step.LEAVE, by)


def show(organisation: str) -> Application | Refusal:
    """Return where an application stands and what was handed in: the second person reads it before deciding."""
    found = _find_applicant(organisation)
    if isinstance(found, Reason):
        return Refusal((found,))
    rows = EvidenceRow.objects.filter(organisation_id=organisation).order_by("criterion")
    return Application(found, {row.criterion: row.reference for row in rows})


def check_admission(organisation: str, step: Step, by: str, directory: Directory = NOW) -> tuple[Reason, ...]:
    """Give every reason why `by` cannot take an organisation this step, as far as one person can be at fault."""
    allowed = _check_leaver(organisation, by, directory) if step is Step.LEAVE else _check_assessor(by, directory)
    return (*allowed, *check_organisation_step(organisation, step, directory))


def check_organisation_step(organisation: str, step: Step, directory: Directory = NOW) -> tuple[Reason, ...]:
    """Give every reason why `step` is not possible for the organisation now."""
    found = _find_applicant(organisation, directory)
    if isinstance(found, Reason):
        return (found,)
    assert found.admission is not None, "an applicant has a state"
    return check_step(organisation, Admission(found.admission), step)


def _find_applicant(organisation: str, directory: Directory = NOW) -> Organisation | Reason:
    found = directory.organisation(organisation)
    if found is None:
        return Reason("organisation-unknown", {"organisation": organisation})
    if found.admission is None:
        return Reason("admission-not-resident-kind", {"organisation": organisation, "kind": found.kind.value})
    return found


def _check_assessor(by: str, directory: Directory) -> tuple[Reason, ...]:
    return check_actor(by, Role.ASSESSOR, kind=OrganisationKind.AUTHORITY, directory=directory)


def _check_leaver(organisation: str, by: str, directory: Directory) -> tuple[Reason, ...]:
    person = directory.person(by)
    if person is not None and person.organisation.id == organisation:
        return check_actor(by, Role.OFFICER, organisation, directory=directory)
    return _check_assessor(by, directory)


def _move(
    tx: Recording,
    organisation: str,
    step: Step,
    by: str,
    facts: dict[str, object] | None = None,
    **columns: str | None,
) -> Organisation:
    before = find_organisation(organisation)
    assert before is not None, "checked above"
    assert before.admission is not None, "checked above"
    after = TRANSITIONS[Admission(before.admission), step]
    OrganisationRow.objects.filter(pk=organisation).update(admission=after.value, **columns)
    said = {"organisation": organisation, "step": step, "state": after, **(facts or {})}
    tx.add(Event("identity.admission", by, facts=said))
    found = find_organisation(organisation)
    assert found is not None, "just written"
    return found
