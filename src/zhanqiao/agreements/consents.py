# SPDX-License-Identifier: Apache-2.0
"""Consents of subjects: read, checked against one use, counted, withdrawn.

    open      form, issuer, signature, time                         -> Consent, or why not
    check     recipient, service, purpose, subject, items, state    -> all reasons at once
    use       one conditional UPDATE inside the charging transaction: (issuer, nonce) never counts beyond `uses`
    withdraw  acts at the next call; what was answered before stays answered

A use is bound to exactly what the subject signed: another recipient, service, purpose or subject is another consent. It
is bound as well to the one key that verified the signature, as it was registered: the log says which, for the audit.
State keeps issuer, nonce and counts; it never learns whose consent it is.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db.models import F

from zhanqiao.agreements import consent_token
from zhanqiao.agreements.consent_token import Consent
from zhanqiao.agreements.models import ConsentRow
from zhanqiao.catalogue.credit_law import CATEGORIES, CreditClass
from zhanqiao.identity.attempts import note_refusal
from zhanqiao.identity.consent_keys import SALT_BYTES, ConsentKey, find_consent_key, subject_digest
from zhanqiao.identity.directory import NOW, Directory
from zhanqiao.identity.people import OrganisationKind, Role
from zhanqiao.ledger.book import Book, Recording
from zhanqiao.ledger.rows import believed
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal
from zhanqiao.terms.subjects import Subject

__all__ = ["Consent", "can_use", "check", "items_to_warn_of", "open", "sign", "use", "uses_left", "withdraw"]

MAX_DAYS = 366
# A token and the white space around it.
MAX_FILE_BYTES = 2 * consent_token.MAX_TOKEN


def open(token: str, at: datetime) -> Consent | Refusal:  # noqa: A001  consents.open reads well, and no file is opened here
    """Read a consent token at the border: its form, a registered key, the signature, and the time."""
    looked_up: dict[str, ConsentKey] = {}

    def public_of(issuer: str) -> bytes | None:
        if (key := find_consent_key(issuer)) is None:
            return None
        looked_up[issuer] = key
        return key.public

    found = consent_token.read(token, public_of)
    if isinstance(found, Refusal):
        return found
    reasons = check_term(found.begins, found.ends, at)
    return Refusal(tuple(reasons)) if reasons else replace(found, binding=looked_up[found.issuer].binding)


def check(
    consent: Consent,
    *,
    recipient: str,
    service: str,
    purpose: str,
    subject: Subject,
    items: Mapping[str, frozenset[str]],
    at: datetime,
    warning_needed: frozenset[str] = frozenset(),
) -> tuple[Reason, ...]:
    """Give every reason why the consent does not cover this very use.

    items           dataset -> item names that will be read; none where only the presence of rows is
    warning_needed  those of them that the credit law ties to a warning of adverse effects: `items_to_warn_of`
    """
    reasons = check_term(consent.begins, consent.ends, at)
    if consent.recipient != recipient:
        reasons.append(Reason("consent-other-recipient"))
    if consent.service != service:
        reasons.append(Reason("consent-other-service"))
    if consent.purpose != purpose:
        reasons.append(Reason("consent-other-purpose"))
    key = _key_of(consent)
    if key is not None and key.organisation == recipient:
        reasons.append(Reason("consent-by-recipient", {"recipient": recipient}))
    if not _is_of(consent, subject):
        reasons.append(Reason("consent-other-subject"))
    if lacking := _not_covered(consent, items):
        reasons.append(Reason("consent-items-missing", {"items": ", ".join(lacking)}))
    if warning_needed and not consent.warned:
        reasons.append(Reason("consent-warning-missing", {"items": ", ".join(sorted(warning_needed))}))
    return (*reasons, *_check_state(consent))


def can_use(consent: Consent, at: datetime) -> bool:
    """Whether a use is left, now: neither expired, nor withdrawn, nor used up."""
    return not check_term(consent.begins, consent.ends, at) and not _check_state(consent)


def uses_left(consent: Consent) -> int:
    """Return how often the consent can still be used, going by what was counted; none once it is withdrawn."""
    used, withdrawn = _counted(consent)
    return 0 if withdrawn else max(0, consent.uses - used)


def items_to_warn_of(
    items: Mapping[str, frozenset[str]], dataset_of: Callable[[str], Dataset | None]
) -> frozenset[str]:
    """Return the items that the credit law lets be used only after a warning of adverse effects, as dataset.item."""
    return frozenset(
        f"{name}.{item.name}"
        for name, names in items.items()
        if (dataset := dataset_of(name)) is not None
        for item in dataset.items
        if item.name in names and CATEGORIES.get(item.category or "") is CreditClass.CONSENT_ONLY
    )


def use(tx: Recording, consent: Consent, by: str, request: str) -> bool:
    """Count one use in the open transaction; False when none is left, or it was withdrawn, revoked or has expired.

    The first use makes the row, every use takes the same conditional UPDATE: however many race, `uses` win.
    """
    if not consent.begins <= tx.at < consent.ends or _key_of(consent) is None:
        return False
    _ensure_row(consent.issuer, consent.nonce)
    left = ConsentRow.objects.filter(issuer=consent.issuer, nonce=consent.nonce, withdrawn=None, used__lt=consent.uses)
    if left.update(used=F("used") + 1) != 1:
        return False
    facts: dict[str, object] = {
        "issuer": consent.issuer,
        "binding": consent.binding,
        "nonce": consent.nonce,
        "uses": consent.uses,
        "begins": consent.begins,
        "ends": consent.ends,
    }
    tx.add(Event("consent.used", by, request, facts))
    return True


def withdraw(book: Book, consent: Consent, by: str) -> Refusal | None:
    """Withdraw a consent; None when done. By its issuer, or by an officer of the authority for a subject who asks.

    Withdrawing twice is harmless, and so is withdrawing what was never used.
    """
    with book.recording() as tx:
        key = _key_of(consent)
        reasons = check_withdrawer(consent.issuer, None if key is None else key.organisation, by)
        if reasons:
            return note_refusal(tx, "consent.withdraw", by, consent.nonce, reasons)
        _ensure_row(consent.issuer, consent.nonce)
        ConsentRow.objects.filter(issuer=consent.issuer, nonce=consent.nonce, withdrawn=None).update(withdrawn=tx.at)
        facts: dict[str, object] = {"issuer": consent.issuer, "binding": consent.binding, "nonce": consent.nonce}
        tx.add(Event("consent.withdrawn", by, facts=facts))
    return None


def sign(
    key: Ed25519PrivateKey,
    issuer: str,
    subject: Subject,
    *,
    recipient: str,
    service: str,
    purpose: str,
    items: Mapping[str, frozenset[str]],
    begins: datetime,
    ends: datetime,
    salt: bytes,
    nonce: bytes,
    uses: int = 1,
    warned: bool = False,
) -> str:
    """Make and sign a token, as a subject's app or a consent authority does. Salt and nonce: 16 random bytes each."""
    assert len(salt) == SALT_BYTES, "a salt has 16 bytes"
    assert len(nonce) == 16, "a nonce has 16 bytes"
    consent = Consent(
        issuer=issuer,
        nonce=nonce.hex(),
        recipient=recipient,
        service=service,
        purpose=purpose,
        subject_kind=subject.kind,
        salt=salt,
        subject_digest=subject_digest(subject, salt),
        items=dict(items),
        begins=begins,
        ends=ends,
        uses=uses,
        warned=warned,
    )
    return consent_token.write(consent, key)


def _not_covered(consent: Consent, items: Mapping[str, frozenset[str]]) -> list[str]:
    """Return what is read beyond the consent. Counting rows reads no item, but that there are rows says something."""
    return sorted(
        {
            f"{dataset}.{name}"
            for dataset, names in items.items()
            for name in names - consent.items.get(dataset, frozenset())
        }
        | (items.keys() - consent.items.keys())
    )


def _key_of(consent: Consent) -> ConsentKey | None:
    """Return the key that verified a consent, if it may sign still and is registered as it was then."""
    key = find_consent_key(consent.issuer)
    return key if key is not None and key.binding == consent.binding else None


def check_term(begins: datetime, ends: datetime, at: datetime) -> list[Reason]:
    """Give every reason why a consent of this term is none at a moment."""
    reasons = []
    if at < begins:
        reasons.append(Reason("consent-not-yet", {"begins": begins.isoformat()}))
    if at >= ends:
        reasons.append(Reason("consent-expired", {"ends": ends.isoformat()}))
    if ends - begins > timedelta(days=MAX_DAYS):
        reasons.append(Reason("consent-too-long", {"days": str(MAX_DAYS)}))
    return reasons


def _is_of(consent: Consent, subject: Subject) -> bool:
    """Whether the consent is the subject's; signed with a subject's own key, the key must be that subject's too."""
    if consent.subject_kind is not subject.kind:
        return False
    key = _key_of(consent)
    if key is None:
        return False
    own = True
    if key.salt is not None and key.digest is not None:
        registered = subject_digest(subject, bytes.fromhex(key.salt))
        own = key.subject_kind is subject.kind and hmac.compare_digest(registered, key.digest)
    return hmac.compare_digest(subject_digest(subject, consent.salt), consent.subject_digest) and own


def _check_state(consent: Consent) -> list[Reason]:
    used, withdrawn = _counted(consent)
    return check_left(consent.uses, used, withdrawn=withdrawn)


def _counted(consent: Consent) -> tuple[int, bool]:
    """Return how often a consent was used, and whether it was withdrawn."""
    with believed(f"consent {consent.reference}"):
        row = ConsentRow.objects.filter(issuer=consent.issuer, nonce=consent.nonce).first()
        return (0, False) if row is None else (int(row.used), row.withdrawn is not None)


def check_left(uses: int, used: int, *, withdrawn: bool) -> list[Reason]:
    """Give every reason why no use is left of a consent."""
    reasons = []
    if withdrawn:
        reasons.append(Reason("consent-withdrawn"))
    if used >= uses:
        reasons.append(Reason("consent-used-up"))
    return reasons


def check_withdrawer(issuer: str, home: str | None, by: str, directory: Directory = NOW) -> list[Reason]:
    """Give every reason why `by` cannot withdraw what an issuer signed, whose key is that of the organisation `home`."""
    if by == issuer:
        return []
    person = directory.person(by)
    if person is None:
        return [Reason("person-unknown", {"person": by})]
    entitled = person.organisation.kind is OrganisationKind.AUTHORITY or person.organisation.id == home
    if entitled and person.holds(Role.OFFICER):
        return []
    return [Reason("role-missing", {"person": by, "role": Role.OFFICER.value})]


def _ensure_row(issuer: str, nonce: str) -> None:
    ConsentRow.objects.bulk_create([ConsentRow(issuer=issuer, nonce=nonce)], ignore_conflicts=True)
