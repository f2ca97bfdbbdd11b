# SPDX-License-Identifier: Apache-2.0
"""A permit for one subject's evidence, used for another's; one without a consent, used to learn something.

Whoever got hold of the call to the vault has a good permit, made by policy. It opens what it was made for.
"""

import pytest

from lib.pier import CITIZEN_CREDIT, WAGES, Pier
from zhanqiao.agreements import consents, grants
from zhanqiao.catalogue import shelf
from zhanqiao.desk.scenarios import find_service
from zhanqiao.policy import decide
from zhanqiao.policy.permits import EvidencePermit
from zhanqiao.terms.legal_time import legal_day
from zhanqiao.terms.services import Service, Value
from zhanqiao.terms.subjects import Subject, SubjectKind
from zhanqiao.vault.faults import VaultFault

ONE, ANOTHER = (Subject(SubjectKind.PERSON, row.id) for row in (WAGES[60], WAGES[61]))


def permit(
    pier: Pier, service: Service, about: Subject | None, token: str | None = None, agreement: str = "credit"
) -> EvidencePermit:
    at, number = pier.house.clock(), pier.agreements[agreement]
    consent = None if token is None else consents.open(token, at)
    decided = decide.decide_evidence(
        pier.number(),
        number,
        grants.find_grant(number, at),
        service,
        shelf.find,
        shelf.snapshot_id_of,
        at,
        subject=None if about is None else pier.house.vault.subject_digest(about),
        consent=consent.reference if isinstance(consent, consents.Consent) else None,
    )
    assert isinstance(decided, EvidencePermit)
    return decided


def read(pier: Pier, permit: EvidencePermit, about: Subject) -> dict[str, Value] | None:
    datasets = {name: shelf.find(name) for name in permit.snapshots}
    return pier.house.vault.evidence(permit, datasets, about, legal_day(pier.house.clock()))  # type: ignore[arg-type]


def test_a_permit_about_one_subject_reads_no_other(pier: Pier) -> None:
    held = permit(pier, CITIZEN_CREDIT, ONE, pier.consent(CITIZEN_CREDIT, ONE.identifier))
    assert read(pier, held, ONE) is not None, "the control"
    for other in (ANOTHER, Subject(SubjectKind.PERSON, ONE.identifier + " "), Subject(SubjectKind.PERSON, "")):
        with pytest.raises(VaultFault, match="about another subject"):
            read(pier, held, other)
    with pytest.raises(VaultFault, match="another kind of subject"):
        read(pier, held, Subject(SubjectKind.ENTERPRISE, ONE.identifier))


def test_a_permit_about_one_pensioner_reads_no_list_and_that_for_the_list_no_single_one(pier: Pier) -> None:
    service = find_service("silent-certification")
    assert service is not None
    ids = pier.pensioners()[:2]
    one = Subject(SubjectKind.PERSON, ids[0])
    about_one, about_all = (
        permit(pier, service, one, agreement="pension"),
        permit(pier, service, None, agreement="pension"),
    )
    datasets = {name: shelf.find(name) for name in about_all.snapshots}
    day = legal_day(pier.house.clock())
    assert read(pier, about_one, one) is not None, "the control"
    assert pier.house.vault.roster_evidence(about_all, datasets, SubjectKind.PERSON, ids, day).answerable.all()
    with pytest.raises(VaultFault, match="not for a roster"):
        pier.house.vault.roster_evidence(about_one, datasets, SubjectKind.PERSON, ids, day)
    with pytest.raises(VaultFault, match="about another subject"):
        read(pier, about_all, one)


def test_without_the_consent_the_vault_works_and_says_nothing(pier: Pier) -> None:
    """The rows are read, so that it takes as long; whoever holds the permit does not see them."""
    held = permit(pier, CITIZEN_CREDIT, ONE)
    engine, looked_at = pier.house.vault._engine, []
    rows_of = engine.rows_of

    def seen(reads: object, kind: object, number: int) -> object:
        rows = rows_of(reads, kind, number)
        looked_at.append(len(rows[0]))
        return rows

    engine.rows_of = seen
    assert read(pier, held, ONE) is None
    assert looked_at == [1]
    with pytest.raises(VaultFault, match="not for a roster"):
        unlisted = permit(pier, CITIZEN_CREDIT, None)
        pier.house.vault.roster_evidence(
            unlisted,
            {CITIZEN_CREDIT.evidence[0].dataset: shelf.find("pension_enrolment")},
            SubjectKind.PERSON,
            [ONE.identifier],
            legal_day(pier.house.clock()),
        )


def test_what_a_permit_says_names_nobody(pier: Pier) -> None:
    held = permit(pier, CITIZEN_CREDIT, ONE, pier.consent(CITIZEN_CREDIT, ONE.identifier))
    assert ONE.identifier not in repr(held)
    assert held.subject is not None
    assert held.subject.startswith("hmac-sha256:"), "keyed: an identifier cannot be guessed from it"
    assert held.subject != permit(pier, CITIZEN_CREDIT, ANOTHER).subject
