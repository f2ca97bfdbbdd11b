# SPDX-License-Identifier: Apache-2.0
"""Look-ups in the register: ids in, frozen values out. Nothing here writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zhanqiao.identity.models import KeyRow, OrganisationRow, PersonRow
from zhanqiao.identity.people import Organisation, OrganisationKind, Person, Role, check_acts
from zhanqiao.ledger.rows import believed
from zhanqiao.terms.refusals import Reason


def find_organisation(organisation: str) -> Organisation | None:
    """Return the organisation of that id, or None."""
    row = OrganisationRow.objects.filter(pk=organisation).first()
    return None if row is None else _organisation(row)


def organisations(kind: OrganisationKind | None = None) -> tuple[Organisation, ...]:
    """Return all organisations (of one kind), by id."""
    rows = OrganisationRow.objects.order_by("id")
    return tuple(_organisation(row) for row in (rows if kind is None else rows.filter(kind=kind.value)))


def find_person(person: str) -> Person | None:
    """Return the person of that id with its roles and the key in use, or None."""
    row = PersonRow.objects.select_related("organisation").filter(pk=person).first()
    return None if row is None else _person(row)


def people(organisation: str | None = None) -> tuple[Person, ...]:
    """Return all people (of one organisation), by id."""
    rows = PersonRow.objects.select_related("organisation").order_by("id")
    return tuple(_person(row) for row in (rows if organisation is None else rows.filter(organisation_id=organisation)))


def holder_of(public: bytes) -> str | None:
    """Return who uses this key now; a replaced key has no holder."""
    row = KeyRow.objects.filter(public=public, until=None).first()
    return None if row is None else str(row.person_id)


def key_in_use(key_id: str) -> tuple[str, bytes] | None:
    """Return who uses the key of that id now, and its public half; None for one that is unknown or replaced."""
    row = KeyRow.objects.filter(pk=key_id, until=None).first()
    return None if row is None else (str(row.person_id), bytes(row.public))


def keys_of(holders: Mapping[str, str]) -> dict[str, bytes]:
    """Return the public keys, by key id, that people have or had: for checking what they signed.

    holders     key id -> the person who must be its holder
    """
    rows = KeyRow.objects.filter(pk__in=list(holders)).values_list("id", "person_id", "public")
    return {key: bytes(public) for key, person, public in rows if holders[key] == person}


@dataclass(frozen=True)
class Directory:
    """How a rule looks somebody up. What stands now is `NOW`; an audit has what stood at a place of the log."""

    person: Callable[[str], Person | None]
    organisation: Callable[[str], Organisation | None]


NOW = Directory(find_person, find_organisation)


def check_actor(
    by: str,
    role: Role,
    organisation: str | None = None,
    kind: OrganisationKind | None = None,
    *,
    directory: Directory = NOW,
) -> tuple[Reason, ...]:
    """Give every reason why `by` cannot act in `role` (for one organisation, or in one kind of organisation)."""
    person = directory.person(by)
    if person is None:
        return (Reason("person-unknown", {"person": by}),)
    reasons = check_acts(person, role, organisation)
    if kind is not None and person.organisation.kind is not kind:
        reasons = (*reasons, Reason("not-of-organisation", {"person": by, "organisation": kind.value}))
    return reasons


def check_steward(by: str, department: str, *, directory: Directory = NOW) -> tuple[Reason, ...]:
    """Give every reason why `by` cannot describe or deliver a department's data: its stewards do, or the authority's."""
    person = directory.person(by)
    if person is not None and person.organisation.kind is OrganisationKind.AUTHORITY:
        return check_acts(person, Role.STEWARD)
    return check_actor(by, Role.STEWARD, department, directory=directory)


def _organisation(row: OrganisationRow) -> Organisation:
    with believed(f"organisation {row.id}"):
        return Organisation(row.id, OrganisationKind(row.kind), row.name, row.code, row.admission)


def _person(row: PersonRow) -> Person:
    with believed(f"person {row.id}"):
        roles = frozenset(Role(held.role) for held in row.roles.all())
        key = bytes(row.keys.get(until=None).public)
        return Person(row.id, _organisation(row.organisation), row.name, roles, key, row.active)
