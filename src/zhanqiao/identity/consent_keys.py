# SPDX-License-Identifier: Apache-2.0
"""Keys that sign consents: a subject's own, bound to that subject, or a consent authority's, which answers for many.

A subject's key is registered by an officer of the authority who has seen the subject; a consent authority's by a
security administrator. Revoking a key ends every consent it signed, at the next call.
"""

import hmac
from dataclasses import dataclass

from zhanqiao.identity.attempts import note_refusal
from zhanqiao.identity.bindings import consent_key_binding
from zhanqiao.identity.directory import NOW, Directory, check_actor, find_person
from zhanqiao.identity.models import ConsentKeyRow
from zhanqiao.identity.people import OrganisationKind, Role
from zhanqiao.ledger.book import Book, Recording
from zhanqiao.ledger.public_key import read_public_key
from zhanqiao.ledger.rows import believed
from zhanqiao.terms.events import Event, as_named
from zhanqiao.terms.refusals import Reason, Refusal
from zhanqiao.terms.subjects import Subject, SubjectKind

_ANSWERS_FOR_SUBJECTS = {OrganisationKind.AUTHORITY, OrganisationKind.DEPARTMENT}
SALT_BYTES = 16


@dataclass(frozen=True)
class ConsentKey:
    """A registered key. `organisation` for a consent authority; kind, salt and digest for a subject's own key.

    binding     what the log says of all of it
    """

    issuer: str
    public: bytes
    organisation: str | None
    subject_kind: SubjectKind | None
    salt: str | None
    digest: str | None
    binding: str


def subject_digest(subject: Subject, salt: bytes) -> str:
    """Digest who a subject is under a salt, so that equal subjects cannot be matched across salts."""
    named = f"{subject.kind.value}\n{subject.identifier}".encode()
    return hmac.digest(salt, named, "sha256").hex()


def find_consent_key(issuer: str) -> ConsentKey | None:
    """Return a key that may sign consents now, or None when it is unknown or revoked."""
    return _key(ConsentKeyRow.objects.filter(pk=issuer, revoked=None).first())


def issuer_with(public: bytes) -> ConsentKey | None:
    """Return as what this key may sign consents now, or None."""
    return _key(ConsentKeyRow.objects.filter(public=public, revoked=None).first())


def register_consent_authority(
    book: Book, issuer: str, organisation: str, public: bytes, by: str
) -> ConsentKey | Refusal:
    """Let an organisation of the state sign consents that it has taken from subjects."""
    with book.recording() as tx:
        reasons = [*check_registrar(by, organisation), *_check_free(tx, issuer, public)]
        if reasons:
            return note_refusal(tx, "identity.register-consent-key", by, issuer, reasons)
        row = ConsentKeyRow.objects.create(issuer=issuer, public=public, organisation_id=organisation)
        facts: dict[str, object] = {"issuer": issuer, "organisation": organisation, "binding": consent_key_binding(row)}
        tx.add(Event("identity.consent-key-registered", by, facts=facts))
        return _known(issuer)


def register_subject_key(
    book: Book, issuer: str, subject: Subject, public: bytes, by: str, *, salt: bytes
) -> ConsentKey | Refusal:
    """Let a subject sign its own consents. The log learns that a key was registered, not whose."""
    with book.recording() as tx:
        reasons = [*check_registrar(by, None), *_check_free(tx, issuer, public)]
        if reasons:
            return note_refusal(tx, "identity.register-consent-key", by, issuer, reasons)
        row = ConsentKeyRow.objects.create(
            issuer=issuer,
            public=public,
            subject_kind=subject.kind.value,
            salt=salt.hex(),
            digest=subject_digest(subject, salt),
        )
        facts: dict[str, object] = {"issuer": issuer, "binding": consent_key_binding(row)}
        tx.add(Event("identity.consent-key-registered", by, facts=facts))
        return _known(issuer)


def revoke_consent_key(book: Book, issuer: str, by: str) -> Refusal | None:
    """End a key and with it every consent it signed; None when done."""
    with book.recording() as tx:
        reasons = list(check_actor(by, Role.SECURITY_ADMIN))
        if find_consent_key(issuer) is None:
            reasons.append(Reason("consent-issuer-unknown", {"issuer": issuer}))
        if reasons:
            return note_refusal(tx, "identity.revoke-consent-key", by, issuer, reasons)
        ConsentKeyRow.objects.filter(pk=issuer).update(revoked=tx.at)
        tx.add(Event("identity.consent-key-revoked", by, facts={"issuer": issuer}))
    return None


def check_registrar(by: str, organisation: str | None, directory: Directory = NOW) -> tuple[Reason, ...]:
    """Give every reason why `by` cannot register a key of this consent authority, or of a subject where none is named."""
    if organisation is None:
        return check_actor(by, Role.OFFICER, kind=OrganisationKind.AUTHORITY, directory=directory)
    reasons = check_actor(by, Role.SECURITY_ADMIN, directory=directory)
    found = directory.organisation(organisation)
    if found is None:
        return (*reasons, Reason("organisation-unknown", {"organisation": organisation}))
    if found.kind not in _ANSWERS_FOR_SUBJECTS:
        kinds = ", ".join(sorted(_ANSWERS_FOR_SUBJECTS))
        said = {"role": "consent authority", "kind": found.kind.value, "kinds": kinds}
        return (*reasons, Reason("role-not-here", said))
    return reasons


def _check_free(tx: Recording, issuer: str, public: bytes) -> list[Reason]:
    # The log names issuers, for ever: a citizen's id is no name.
    reasons = [] if as_named(issuer) == issuer else [Reason("id-malformed", {"id": issuer[:64]})]
    # Nor a person's id: an issuer withdraws what it signed in its own name, and nobody else may pass for it.
    if ConsentKeyRow.objects.filter(pk=issuer).exists() or find_person(issuer) is not None:
        reasons.append(Reason("id-taken", {"id": issuer}))
    if ConsentKeyRow.objects.filter(public=public).exists():
        reasons.append(Reason("key-taken"))
    if tx.owns(public):
        reasons.append(Reason("key-of-the-log"))
    try:
        read_public_key(public)
    except ValueError:
        reasons.append(Reason("key-malformed"))
    return reasons


def _key(row: ConsentKeyRow | None) -> ConsentKey | None:
    if row is None:
        return None
    with believed(f"consent key {row.issuer}"):
        kind = None if row.subject_kind is None else SubjectKind(row.subject_kind)
        public = bytes(row.public)
        return ConsentKey(row.issuer, public, row.organisation_id, kind, row.salt, row.digest, consent_key_binding(row))


def _known(issuer: str) -> ConsentKey:
    found = find_consent_key(issuer)
    assert found is not None, "just written"
    return found
