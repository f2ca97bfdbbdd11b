# SPDX-License-Identifier: Apache-2.0
"""Organisations and people as everybody above sees them: frozen values, and the table of who may hold which role.

Three administrators (三员): system runs, security sets rules, audit watches. One natural person holds one of the three
and nothing beside it. What cannot be held together stands in `INCOMPATIBLE`, pair by pair; what is not in the table can.
An organisation has one kind, so operator and regulator are two organisations by construction.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from zhanqiao.terms.refusals import Reason


class OrganisationKind(StrEnum):
    DEPARTMENT = "department"  # 数源部门, 需求部门
    AUTHORITY = "authority"  # 数据主管部门
    OPERATOR = "operator"  # 运营机构
    REGULATOR = "regulator"  # 监管方
    RESIDENT = "resident"  # 入驻单位


# Who rules, who runs and who watches are different legal entities, which only their credit codes show.
CODED = frozenset({OrganisationKind.AUTHORITY, OrganisationKind.OPERATOR, OrganisationKind.REGULATOR})


class Role(StrEnum):
    SYSTEM_ADMIN = "sysadmin"  # runs the platform, makes accounts
    SECURITY_ADMIN = "secadmin"  # gives and takes roles, registers consent keys
    AUDIT_ADMIN = "auditadmin"  # watches both, changes nothing
    OFFICER = "officer"  # drafts, suspends and terminates for an organisation
    SIGNATORY = "signatory"  # seals contracts for an organisation
    ASSESSOR = "assessor"  # admits residents
    STEWARD = "steward"  # describes and delivers a department's data
    ANALYST = "analyst"  # asks at the doors
    OUTPUT_CHECKER = "output_checker"  # decides what artifacts leave
    AUDITOR = "auditor"  # reads the ledger from outside


ADMINISTRATORS = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
# Without both, nobody could ever be added: no account without the one, no role without the other.
ADDERS = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN)

_K = OrganisationKind
HELD_IN: dict[Role, frozenset[OrganisationKind]] = {
    Role.SYSTEM_ADMIN: frozenset({_K.OPERATOR}),
    Role.SECURITY_ADMIN: frozenset({_K.OPERATOR, _K.AUTHORITY}),
    Role.AUDIT_ADMIN: frozenset({_K.AUTHORITY, _K.REGULATOR}),
    Role.OFFICER: frozenset({_K.DEPARTMENT, _K.AUTHORITY, _K.RESIDENT}),
    Role.SIGNATORY: frozenset({_K.DEPARTMENT, _K.AUTHORITY, _K.RESIDENT}),
    Role.ASSESSOR: frozenset({_K.AUTHORITY}),
    Role.STEWARD: frozenset({_K.DEPARTMENT, _K.AUTHORITY}),
    Role.ANALYST: frozenset({_K.DEPARTMENT, _K.AUTHORITY, _K.RESIDENT}),
    Role.OUTPUT_CHECKER: frozenset({_K.AUTHORITY, _K.OPERATOR}),
    Role.AUDITOR: frozenset({_K.REGULATOR, _K.AUTHORITY}),
}

# Every pair that one person never holds, with the reason it is here.
INCOMPATIBLE: dict[frozenset[Role], str] = {
    **{frozenset(pair): "三员分离: one natural person, one administrator" for pair in combinations(ADMINISTRATORS, 2)},
    **{
        frozenset({administrator, other}): "an administrator neither uses nor grants what is administered"
        for administrator in ADMINISTRATORS
        for other in Role
        if other not in ADMINISTRATORS
    },
    frozenset({Role.OUTPUT_CHECKER, Role.ANALYST}): "who makes an output does not check it",
    frozenset({Role.OUTPUT_CHECKER, Role.SIGNATORY}): "who grants the use does not check its output",
    frozenset({Role.ASSESSOR, Role.SIGNATORY}): "who admits a resident does not contract with it",
    frozenset({Role.AUDITOR, Role.OFFICER}): "who acts does not audit",
    frozenset({Role.AUDITOR, Role.SIGNATORY}): "who acts does not audit",
    frozenset({Role.AUDITOR, Role.ASSESSOR}): "who acts does not audit",
    frozenset({Role.AUDITOR, Role.STEWARD}): "who acts does not audit",
    frozenset({Role.AUDITOR, Role.OUTPUT_CHECKER}): "who acts does not audit",
}


@dataclass(frozen=True)
class Organisation:
    """A registered organisation.

    code        unified social credit code; one legal entity is one organisation
    admission   where a resident stands in its admission, None for every other kind
    """

    id: str
    kind: OrganisationKind
    name: str
    code: str | None = None
    admission: str | None = None


@dataclass(frozen=True)
class Person:
    """A registered person: one account of one natural person in one organisation.

    key     the public Ed25519 key that checks this person's signatures, 32 bytes
    """

    id: str
    organisation: Organisation
    name: str
    roles: frozenset[Role]
    key: bytes
    active: bool = True

    def holds(self, role: Role) -> bool:
        return self.active and role in self.roles


def check_role(person: Person, role: Role) -> tuple[Reason, ...]:
    """Give every reason why `person` cannot be given `role`."""
    reasons = []
    if role in person.roles:
        reasons.append(Reason("role-held", {"person": person.id, "role": role.value}))
    if (kind := person.organisation.kind) not in HELD_IN[role]:
        kinds = ", ".join(sorted(HELD_IN[role]))
        reasons.append(Reason("role-not-here", {"role": role.value, "kind": kind.value, "kinds": kinds}))
    reasons += [
        Reason("roles-incompatible", {"person": person.id, "held": held.value, "role": role.value})
        for held in sorted(person.roles)
        if frozenset({held, role}) in INCOMPATIBLE
    ]
    return tuple(reasons)


def check_kept(
    person: Person,
    lost: Collection[Role],
    everybody: Callable[[], Iterable[Person]],
    kept: Collection[Role] = ADDERS,
) -> tuple[Reason, ...]:
    """Give a reason for each role to be kept that `person` would lose, and nobody else in office holds.

    everybody  asked only when one of them would be lost: an audit comes here for each role that ever was taken
    kept       by an audit those of `ADDERS` alone: former versions let the last audit administrator go
    """
    would_go = [role for role in ADMINISTRATORS if role in kept and role in lost and person.holds(role)]
    if not would_go:
        return ()
    others = [other for other in everybody() if other.id != person.id]
    return tuple(
        Reason("administrator-last" if role in ADDERS else "overseer-last", {"person": person.id, "role": role.value})
        for role in would_go
        if not any(other.holds(role) for other in others)
    )


def check_dismissed(person: Person) -> tuple[Reason, ...]:
    """Say why a person cannot be reinstated."""
    return (Reason("person-active", {"person": person.id}),) if person.active else ()


def check_acts(person: Person, role: Role, organisation: str | None = None) -> tuple[Reason, ...]:
    """Give every reason why `person` cannot act in `role` (for `organisation`, where one is named)."""
    reasons = []
    if not person.active:
        reasons.append(Reason("person-inactive", {"person": person.id}))
    if role not in person.roles:
        reasons.append(Reason("role-missing", {"person": person.id, "role": role.value}))
    if organisation is not None and person.organisation.id != organisation:
        reasons.append(Reason("not-of-organisation", {"person": person.id, "organisation": organisation}))
    return tuple(reasons)
