# SPDX-License-Identifier: Apache-2.0
"""The register of organisations and people, and who may change it.

    found             once, on an empty register: the first organisations and people, with their roles
    afterwards        a system administrator makes accounts, a security administrator gives and takes roles

An account without roles can do nothing, and nobody is both administrators: so each power takes two people. Replacing a
key takes every role away, and so does reinstating a dismissed person, for the same reason: one administrator alone, who
put a key of his own in another's place or brought an accomplice back, would gain nothing.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from stdnum.cn import uscc

from zhanqiao.identity.admission import Admission
from zhanqiao.identity.attempts import note_refusal
from zhanqiao.identity.bindings import organisation_binding, person_binding
from zhanqiao.identity.directory import check_actor, find_organisation, find_person, people
from zhanqiao.identity.models import ConsentKeyRow, KeyRow, OrganisationRow, PersonRow, RoleRow
from zhanqiao.identity.natural_person import name_of
from zhanqiao.identity.people import (
    ADDERS,
    ADMINISTRATORS,
    CODED,
    Organisation,
    OrganisationKind,
    Person,
    Role,
    check_dismissed,
    check_kept,
    check_role,
)
from zhanqiao.ledger.book import Book, Recording
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.ledger.public_key import read_public_key
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal

FOUNDER = "init"
_ID = re.compile(r"[a-z][a-z0-9_-]{1,63}")


@dataclass(frozen=True)
class NewOrganisation:
    id: str
    kind: OrganisationKind
    name: str
    code: str | None = None


@dataclass(frozen=True)
class NewPerson:
    """An account to be made.

    natural     what names the natural person (`natural_person`): a citizen id, or another name. Only a slow digest is kept
    key         public Ed25519 key, 32 bytes
    roles       at founding only; afterwards a security administrator gives them
    """

    id: str
    organisation: str
    name: str
    natural: str
    key: bytes
    roles: frozenset[Role] = frozenset()


def found(
    book: Book,
    organisations: Sequence[NewOrganisation],
    people: Sequence[NewPerson],
    by: str = FOUNDER,
    *,
    profile: str,
    dice: Callable[[int], bytes] = secrets.token_bytes,
) -> Refusal | None:
    """Fill an empty register, all or nothing; None when done. Every problem is named at once.

    profile  what the deployment is for. The log says it from here on: it tells whether acts have to be proven by keys
    """
    with book.recording() as tx:
        reasons: list[Reason] = []
        if PersonRow.objects.exists() or OrganisationRow.objects.exists():
            return note_refusal(tx, "identity.found", by, "register", [Reason("register-founded")])
        naturals = [_slow_digest(person.natural) for person in people]
        reasons += _check_founding(organisations, people, naturals)
        if any(tx.owns(person.key) for person in people):
            reasons.append(Reason("key-of-the-log"))
        if reasons:
            return note_refusal(tx, "identity.found", by, "register", reasons)
        for organisation in organisations:
            _write_organisation(tx, organisation, by, {"profile": profile})
        for person, natural in zip(people, naturals, strict=True):
            _write_person(tx, person, natural, by, dice)
            for role in sorted(person.roles):
                _write_role(tx, person.id, role, by)
    return None


def register_organisation(book: Book, new: NewOrganisation, by: str) -> Organisation | Refusal:
    """Register an organisation; a resident starts as an applicant."""
    with book.recording() as tx:
        reasons = [*check_actor(by, Role.SYSTEM_ADMIN), *_check_new_organisation(new)]
        if reasons:
            return note_refusal(tx, "identity.register-organisation", by, new.id, reasons)
        _write_organisation(tx, new, by, {})
        return _known_organisation(new.id)


def register_person(
    book: Book, new: NewPerson, by: str, *, dice: Callable[[int], bytes] = secrets.token_bytes
) -> Person | Refusal:
    """Make an account. It holds no role yet: roles here would take the security administrator, whom `by` is not."""
    with book.recording() as tx:
        reasons = [*check_actor(by, Role.SYSTEM_ADMIN), *(check_actor(by, Role.SECURITY_ADMIN) if new.roles else ())]
        if reasons:
            # Who may not register is not told whether a natural person has an account.
            return note_refusal(tx, "identity.register-person", by, new.id, reasons)
        natural = _slow_digest(new.natural)
        reasons = _check_new_person(new, natural)
        if tx.owns(new.key):
            reasons.append(Reason("key-of-the-log"))
        if find_organisation(new.organisation) is None:
            reasons.append(Reason("organisation-unknown", {"organisation": new.organisation}))
        if reasons:
            return note_refusal(tx, "identity.register-person", by, new.id, reasons)
        _write_person(tx, new, natural, by, dice)
        return _known_person(new.id)


def give_role(book: Book, person: str, role: Role, by: str) -> Person | Refusal:
    """Give a role, unless what the person is or holds stands against it."""
    with book.recording() as tx:
        reasons = [*check_actor(by, Role.SECURITY_ADMIN), *_check_known(person)]
        if (found := find_person(person)) is not None:
            reasons += check_role(found, role)
        if reasons:
            return note_refusal(tx, "identity.give-role", by, person, reasons)
        _write_role(tx, person, role, by)
        return _known_person(person)


def take_role(book: Book, person: str, role: Role, by: str) -> Person | Refusal:
    """Take a role away."""
    with book.recording() as tx:
        reasons = [*check_actor(by, Role.SECURITY_ADMIN), *_check_known(person)]
        if (found := find_person(person)) is not None and role not in found.roles:
            reasons.append(Reason("role-missing", {"person": person, "role": role.value}))
        reasons += _check_kept(found, {role})
        if reasons:
            return note_refusal(tx, "identity.take-role", by, person, reasons)
        RoleRow.objects.filter(person_id=person, role=role.value).delete()
        tx.add(Event("identity.role-taken", by, facts={"person": person, "role": role}))
        return _known_person(person)


def dismiss(book: Book, person: str, by: str) -> Person | Refusal:
    """Let a person act no more. The account stays, because what it signed stays."""
    with book.recording() as tx:
        reasons = [*check_actor(by, Role.SYSTEM_ADMIN), *_check_known(person)]
        reasons += _check_kept(find_person(person), set(Role))
        if reasons:
            return note_refusal(tx, "identity.dismiss", by, person, reasons)
        PersonRow.objects.filter(pk=person).update(active=False)
        tx.add(Event("identity.person-dismissed", by, facts={"person": person}))
        return _known_person(person)


def reinstate(book: Book, person: str, by: str) -> Person | Refusal:
    """Let a dismissed person act again, without a role; a security administrator gives them again.

    Nobody has two accounts: without this, one dismissed by mistake would keep its natural person out for good.
    """
    with book.recording() as tx:
        reasons = [*check_actor(by, Role.SYSTEM_ADMIN), *_check_known(person)]
        if (found := find_person(person)) is not None:
            reasons += check_dismissed(found)
        if reasons:
            return note_refusal(tx, "identity.reinstate", by, person, reasons)
        PersonRow.objects.filter(pk=person).update(active=True)
        RoleRow.objects.filter(person_id=person).delete()
        tx.add(Event("identity.person-reinstated", by, facts={"person": person}))
        return _known_person(person)


def replace_key(book: Book, person: str, key: bytes, by: str) -> Person | Refusal:
    """Register another key for a person and take every role; a security administrator gives them again."""
    with book.recording() as tx:
        reasons = [*check_actor(by, Role.SYSTEM_ADMIN), *_check_known(person), *_check_key(key)]
        reasons += _check_kept(find_person(person), set(Role))
        if tx.owns(key):
            reasons.append(Reason("key-of-the-log"))
        if reasons:
            return note_refusal(tx, "identity.replace-key", by, person, reasons)
        KeyRow.objects.filter(person_id=person, until=None).update(until=tx.at)
        KeyRow.objects.create(id=key_id_of(key), person_id=person, public=key, since=tx.at)
        RoleRow.objects.filter(person_id=person).delete()
        tx.add(Event("identity.key-replaced", by, facts={"person": person, "key": key_id_of(key)}))
        return _known_person(person)


# --- checks -----------------------------------------------------------------------------------------


def _check_founding(
    organisations: Sequence[NewOrganisation], people: Sequence[NewPerson], naturals: Sequence[str]
) -> list[Reason]:
    reasons: list[Reason] = []
    for new in organisations:
        reasons += _check_new_organisation(new)
    for person, natural in zip(people, naturals, strict=True):
        reasons += _check_new_person(person, natural)
    reasons += _check_distinct("id-taken", "id", [new.id for new in organisations])
    reasons += _check_distinct("credit-code-taken", "code", [new.code for new in organisations if new.code])
    reasons += _check_distinct("id-taken", "id", [new.id for new in people])
    reasons += [
        Reason("natural-person-taken", {"person": new.id})
        for at, new in enumerate(people)
        if naturals[at] and naturals[at] in naturals[:at]
    ]
    if len({new.key for new in people}) < len(people):
        reasons.append(Reason("key-taken"))
    given = {role for new in people for role in new.roles}
    reasons += [Reason("founding-incomplete", {"role": role.value}) for role in ADDERS if role not in given]
    homes = {organisation.id: organisation for organisation in organisations}
    for account in people:
        if (home := homes.get(account.organisation)) is None:
            reasons.append(Reason("organisation-unknown", {"organisation": account.organisation}))
            continue
        # Role by role, as if each were given after the other: the table judges pairs.
        holder = Person(account.id, Organisation(home.id, home.kind, home.name), account.name, frozenset(), account.key)
        for role in sorted(account.roles):
            reasons += check_role(holder, role)
            holder = replace(holder, roles=holder.roles | {role})
    return reasons


def _check_distinct(code: str, fact: str, values: Sequence[str]) -> list[Reason]:
    return [Reason(code, {fact: value}) for at, value in enumerate(values) if value in values[:at]]


def _check_new_organisation(new: NewOrganisation) -> list[Reason]:
    reasons = _check_id(new.id, taken=OrganisationRow.objects.filter(pk=new.id).exists())
    if new.code is None:
        if new.kind in CODED:
            reasons.append(Reason("credit-code-missing", {"organisation": new.id, "kind": new.kind.value}))
    else:
        if not uscc.is_valid(new.code) or uscc.compact(new.code) != new.code:
            reasons.append(Reason("credit-code-invalid", {"code": new.code}))
        if OrganisationRow.objects.filter(code=new.code).exists():
            reasons.append(Reason("credit-code-taken", {"code": new.code}))
    return reasons


def _check_new_person(new: NewPerson, natural: str) -> list[Reason]:
    taken = PersonRow.objects.filter(pk=new.id).exists() or ConsentKeyRow.objects.filter(pk=new.id).exists()
    # In the log nobody else may pass for who founded the register.
    reasons = _check_id(new.id, taken=taken or new.id == FOUNDER)
    if not natural:
        reasons.append(Reason("natural-person-unclear", {"person": new.id}))
    if PersonRow.objects.filter(natural=natural).exists():
        reasons.append(Reason("natural-person-taken", {"person": new.id}))
    return [*reasons, *_check_key(new.key)]


def _check_id(wanted: str, *, taken: bool) -> list[Reason]:
    if _ID.fullmatch(wanted) is None:
        return [Reason("id-malformed", {"id": wanted[:64]})]
    return [Reason("id-taken", {"id": wanted})] if taken else []


def _check_key(key: bytes) -> list[Reason]:
    try:
        read_public_key(key)
    except ValueError:
        return [Reason("key-malformed")]
    return [Reason("key-taken")] if KeyRow.objects.filter(pk=key_id_of(key)).exists() else []


def _check_kept(person: Person | None, lost: Collection[Role]) -> tuple[Reason, ...]:
    return () if person is None else check_kept(person, lost, people, ADMINISTRATORS)


def _check_known(person: str) -> list[Reason]:
    return [] if find_person(person) is not None else [Reason("person-unknown", {"person": person})]


# --- rows -------------------------------------------------------------------------------------------


def _write_organisation(tx: Recording, new: NewOrganisation, by: str, also: dict[str, object]) -> None:
    admission = Admission.APPLICANT.value if new.kind is OrganisationKind.RESIDENT else None
    row = OrganisationRow.objects.create(
        id=new.id, kind=new.kind.value, name=new.name, code=new.code, admission=admission
    )
    facts: dict[str, object] = {"organisation": new.id, "kind": new.kind, "binding": organisation_binding(row)}
    tx.add(Event("identity.organisation-registered", by, facts={**facts, **also}))


def _write_person(tx: Recording, new: NewPerson, natural: str, by: str, dice: Callable[[int], bytes]) -> None:
    row = PersonRow.objects.create(
        id=new.id, organisation_id=new.organisation, name=new.name, natural=natural, salt=dice(16).hex()
    )
    KeyRow.objects.create(id=key_id_of(new.key), person_id=new.id, public=new.key, since=tx.at)
    facts: dict[str, object] = {
        "person": new.id,
        "organisation": new.organisation,
        "key": key_id_of(new.key),
        "binding": person_binding(row),
    }
    tx.add(Event("identity.person-registered", by, facts=facts))


def _write_role(tx: Recording, person: str, role: Role, by: str) -> None:
    RoleRow.objects.create(person_id=person, role=role.value)
    tx.add(Event("identity.role-given", by, facts={"person": person, "role": role}))


def _slow_digest(natural: str) -> str:
    """Digest the name of a natural person, slow to try citizen ids against; empty where it names nobody."""
    name = name_of(natural)
    if name is None:
        return ""
    return hashlib.scrypt(name.encode(), salt=b"zhanqiao natural person", n=4_096, r=8, p=1, dklen=32).hex()


def _known_organisation(organisation: str) -> Organisation:
    found = find_organisation(organisation)
    assert found is not None, "just written"
    return found


def _known_person(person: str) -> Person:
    found = find_person(person)
    assert found is not None, "just written"
    return found
