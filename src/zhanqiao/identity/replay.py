# SPDX-License-Identifier: Apache-2.0
"""The register as the log tells it: organisations, people, their keys and roles, and the keys that sign consents.

What names somebody is not in the log: it is compared by its binding.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from zhanqiao.identity.admission import Admission, Step, check_second
from zhanqiao.identity.bindings import (
    consent_key_binding,
    evidence_digest,
    organisation_binding,
    person_binding,
)
from zhanqiao.identity.consent_keys import check_registrar
from zhanqiao.identity.directory import Directory, check_actor
from zhanqiao.identity.keys import DEMO
from zhanqiao.identity.models import ConsentKeyRow, EvidenceRow, KeyRow, OrganisationRow, PersonRow, RoleRow
from zhanqiao.identity.people import (
    Organisation,
    OrganisationKind,
    Person,
    Role,
    check_dismissed,
    check_kept,
    check_role,
)
from zhanqiao.identity.residents import check_admission
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.ledger.entries import LedgerDamaged, LedgerOlder, LoggedEvent, proving_key
from zhanqiao.ledger.replay import Comparison, Facts, places, second
from zhanqiao.terms.refusals import Reason

# One transaction, on an empty register, in nobody's role.
_FOUNDING = {"identity.organisation-registered", "identity.person-registered", "identity.role-given"}
_BY_HOST = "platform."


@dataclass(frozen=True)
class _Organisation:
    kind: str
    admission: str | None
    assessed_by: str | None
    binding: str


@dataclass(frozen=True)
class _Person:
    organisation: str
    active: bool
    binding: str


@dataclass(frozen=True)
class _Key:
    person: str
    since: str | None
    until: str | None


@dataclass(frozen=True)
class _ConsentKey:
    binding: str
    revoked: str | None = None


class RegisterReplay:
    """Replays `identity.*`, and judges of every act whether a key that was the actor's there proved it.

    directory   the register at the place that was replayed up to
    profile     what the deployment was founded for; None as long as nobody is registered
    """

    def __init__(self) -> None:
        self.directory = Directory(self._person, self._organisation)
        self.profile: str | None = None
        self._seen: dict[str, Person | None] = {}  # since the register last changed
        self._founded_by: tuple[str, str | None] | None = None  # whose transaction it is, and when
        self._is_founded = False
        self._organisations: dict[str, _Organisation] = {}
        self._evidence: dict[str, str] = {}
        self._people: dict[str, _Person] = {}
        self._roles: dict[tuple[str, str], None] = {}  # person and role, in the order in which they were given
        self._held: set[tuple[str, str]] = set()  # the same, also of those that were taken since
        self._keys: dict[str, _Key] = {}
        self._in_use: dict[str, str] = {}  # person -> key
        self._consent_keys: dict[str, _ConsentKey] = {}
        self._answers_for: dict[str, str] = {}  # consent keys that are an organisation's
        # A key's name is its bytes' digest, so that a row which says other bytes is no row of that key.
        self._publics = {
            key_id_of(public): public for public in map(bytes, KeyRow.objects.values_list("public", flat=True))
        }

    # --- what stood -----------------------------------------------------------------------------------

    def _organisation(self, name: str) -> Organisation | None:
        row = self._organisations.get(name)
        return None if row is None else Organisation(name, OrganisationKind(row.kind), name, admission=row.admission)

    def _person(self, name: str) -> Person | None:
        if name not in self._seen:
            self._seen[name] = self._look_up(name)
        return self._seen[name]

    def _look_up(self, name: str) -> Person | None:
        row = self._people.get(name)
        organisation = None if row is None else self._organisation(row.organisation)
        if row is None or organisation is None:
            return None
        roles = frozenset(Role(role) for person, role in self._roles if person == name)
        return Person(name, organisation, name, roles, self._publics[self.key_of(name)], row.active)

    def key_of(self, person: str) -> str:
        """Return which key a registered person used."""
        return self._in_use[person]

    def publics_of(self, holders: Mapping[str, str]) -> dict[str, bytes]:
        """Return the public keys, by key id, that people had: key id -> the person who must be its holder."""
        return {
            key: self._publics[key]
            for key, person in holders.items()
            if key in self._keys and self._keys[key].person == person
        }

    def is_consent_key(self, issuer: str) -> bool:
        """Whether a key could sign consents."""
        return issuer in self._consent_keys and self._consent_keys[issuer].revoked is None

    def has_held(self, person: str, role: Role) -> bool:
        """Whether a person ever was given a role."""
        return (person, role.value) in self._held

    def consent_binding(self, issuer: str) -> str | None:
        """Return what was registered as a key that signs consents, revoked or not."""
        return self._consent_keys[issuer].binding if issuer in self._consent_keys else None

    def answers_for(self, issuer: str) -> str | None:
        """Return of which organisation a key that could sign consents was."""
        return self._answers_for.get(issuer) if self.is_consent_key(issuer) else None

    # --- judging --------------------------------------------------------------------------------------

    def _judge(self, event: LoggedEvent, said: Mapping[str, str]) -> Sequence[Reason]:
        match event.kind:
            case "identity.organisation-registered":
                return [
                    *self._check_by(event, Role.SYSTEM_ADMIN),
                    *_taken(said["organisation"], self._organisations),
                ]
            case "identity.person-registered":
                return [
                    *self._check_by(event, Role.SYSTEM_ADMIN),
                    *_taken(said["person"], self._people),
                    *_known("organisation", said, self._organisations),
                    *self._check_key(said["key"]),
                ]
            case "identity.person-dismissed":
                reasons = [*self._check_by(event, Role.SYSTEM_ADMIN), *_known("person", said, self._people)]
                return [*reasons, *self._check_kept(said["person"], set(Role))]
            case "identity.person-reinstated":
                person = self._person(said["person"])
                dismissed = _known("person", said, self._people) if person is None else check_dismissed(person)
                return [*self._check_by(event, Role.SYSTEM_ADMIN), *dismissed]
            case "identity.key-replaced":
                reasons = [*self._check_by(event, Role.SYSTEM_ADMIN), *_known("person", said, self._people)]
                return [*reasons, *self._check_key(said["key"]), *self._check_kept(said["person"], set(Role))]
            case "identity.role-given" | "identity.role-taken":
                return [*self._check_by(event, Role.SECURITY_ADMIN), *self._check_role(event.kind, said)]
            case "identity.admission":
                return self._check_admission(event.by, said)
            case "identity.consent-key-registered":
                return [
                    *check_registrar(event.by, said.get("organisation"), self.directory),
                    *_taken(said["issuer"], self._consent_keys),
                    *_taken(said["issuer"], self._people),
                ]
            case "identity.consent-key-revoked":
                unknown = (
                    []
                    if self.is_consent_key(said["issuer"])
                    else [Reason("consent-issuer-unknown", {"issuer": said["issuer"]})]
                )
                return [*self._check_by(event, Role.SECURITY_ADMIN), *unknown]
            case _:
                return ()

    def _check_proof(self, event: LoggedEvent) -> list[Reason]:
        """Judge the key of an act; that of a release stands behind its envelope. The host acts without one."""
        if not self._is_founded or event.is_envelope or event.kind.startswith(_BY_HOST):
            return []
        named, key = self._key_that_proves(event.by), proving_key(event)
        if named is None or key == named or (self.profile == DEMO and not key):
            return []
        return [Reason("act-unproven", {"person": event.by})]

    def _key_that_proves(self, by: str) -> str | None:
        """Name the key that proves somebody as a leaf does; None for whom nobody registered."""
        if by in self._people:
            return self.key_of(by)
        return self.consent_binding(by) if self.is_consent_key(by) else None

    def _check_by(self, event: LoggedEvent, role: Role) -> tuple[Reason, ...]:
        return check_actor(event.by, role, directory=self.directory) if self._is_founded else ()

    def _check_key(self, key: str) -> list[Reason]:
        return [Reason("key-taken")] if key in self._keys else []

    def _check_role(self, kind: str, said: Mapping[str, str]) -> Sequence[Reason]:
        person = self._person(said["person"])
        if person is None:
            return _known("person", said, self._people)
        if kind == "identity.role-given":
            return check_role(person, Role(said["role"]))
        if said["role"] not in person.roles:
            return [Reason("role-missing", {"person": said["person"], "role": said["role"]})]
        return self._check_kept(person.id, {Role(said["role"])})

    def _check_kept(self, name: str, lost: set[Role]) -> Sequence[Reason]:
        person = self._person(name)
        return () if person is None else check_kept(person, lost, lambda: filter(None, map(self._person, self._people)))

    def _check_admission(self, by: str, said: Mapping[str, str]) -> Sequence[Reason]:
        step, organisation = Step(said["step"]), said["organisation"]
        reasons = check_admission(organisation, step, by, self.directory)
        if step is Step.ADMIT and not reasons:
            return check_second(by, self._organisations[organisation].assessed_by)
        return reasons

    def _look_for_founding(self, event: LoggedEvent) -> None:
        acts = (event.by, second(event.time))
        if event.kind in _FOUNDING and self._founded_by in {None, acts}:
            self._founded_by = acts
        elif self._founded_by is not None:
            self._is_founded = True

    # --- replaying ------------------------------------------------------------------------------------

    def take(self, event: LoggedEvent, facts: Facts) -> Sequence[Reason]:
        """Judge what the event says, then do it once more."""
        if not self._is_founded:
            self._look_for_founding(event)
        said = {name: str(value) for name, value in facts.items()}
        if reasons := [*self._check_proof(event), *self._judge(event, said)]:
            return reasons
        if event.kind.startswith("identity."):
            self._seen.clear()
            self._do(event, said)
        return ()

    def _do(self, event: LoggedEvent, said: Mapping[str, str]) -> None:
        at = second(event.time)
        match event.kind:
            case "identity.organisation-registered":
                applies = said["kind"] == OrganisationKind.RESIDENT
                admission = Admission.APPLICANT.value if applies else None
                row = _Organisation(said["kind"], admission, None, said["binding"])
                self._organisations[said["organisation"]] = row
                self.profile = self.profile or _founded_for(said)
            case "identity.admission":
                self._admit(event.by, said)
            case "identity.person-registered":
                self._people[said["person"]] = _Person(said["organisation"], active=True, binding=said["binding"])
                self._take_key(said["key"], said["person"], at)
            case "identity.person-dismissed":
                self._people[said["person"]] = replace(self._people[said["person"]], active=False)
            case "identity.person-reinstated":
                self._people[said["person"]] = replace(self._people[said["person"]], active=True)
                self._take_roles(said["person"])
            case "identity.role-given":
                self._roles[said["person"], said["role"]] = None
                self._held.add((said["person"], said["role"]))
            case "identity.role-taken":
                del self._roles[said["person"], said["role"]]
            case "identity.key-replaced":
                self._replace_key(said["person"], said["key"], at)
            case "identity.consent-key-registered":
                self._consent_keys[said["issuer"]] = _ConsentKey(said["binding"])
                if "organisation" in said:
                    self._answers_for[said["issuer"]] = said["organisation"]
            case "identity.consent-key-revoked":
                self._consent_keys[said["issuer"]] = replace(self._consent_keys[said["issuer"]], revoked=at)

    def _admit(self, by: str, said: Mapping[str, str]) -> None:
        name = said["organisation"]
        row = self._organisations[name]
        match said["step"]:
            case Step.ASSESS:
                row = replace(row, assessed_by=by)
                self._evidence[name] = said["evidence"]
            case Step.RETURN:
                row = replace(row, assessed_by=None)
        self._organisations[name] = replace(row, admission=said["state"])

    def _take_key(self, key: str, person: str, at: str | None) -> None:
        if key not in self._publics:
            # Without its bytes no seal can be judged.
            raise LedgerDamaged(f"couldn't audit: key {key} is in the log and not in the state")
        self._keys[key] = _Key(person, at, None)
        self._in_use[person] = key

    def _replace_key(self, person: str, key: str, at: str | None) -> None:
        former = self._in_use[person]
        self._keys[former] = replace(self._keys[former], until=at)
        self._take_key(key, person, at)
        self._take_roles(person)

    def _take_roles(self, person: str) -> None:
        self._roles = {held: None for held in self._roles if held[0] != person}

    def comparisons(self) -> Iterator[Comparison]:
        """Set the outcome beside the rows."""
        organisations = {
            row.id: _Organisation(row.kind, row.admission, row.assessed_by, organisation_binding(row))
            for row in OrganisationRow.objects.all()
        }
        yield Comparison("organisation", self._organisations, organisations)
        yield Comparison("the evidence of", self._evidence, _held_evidence())
        people = {
            row.id: _Person(row.organisation_id, row.active, person_binding(row)) for row in PersonRow.objects.all()
        }
        yield Comparison("person", self._people, people)
        yield from self._role_comparisons()
        keys = {row.id: row for row in KeyRow.objects.all()}
        held_keys = {name: _Key(row.person_id, second(row.since), second(row.until)) for name, row in keys.items()}
        yield Comparison("key", self._keys, held_keys)
        named = {name: key_id_of(bytes(row.public)) for name, row in keys.items()}
        yield Comparison("the bytes of key", {name: name for name in self._keys}, named)
        consent_keys = {
            row.issuer: _ConsentKey(consent_key_binding(row), second(row.revoked))
            for row in ConsentKeyRow.objects.all()
        }
        yield Comparison("consent key", self._consent_keys, consent_keys)

    def _role_comparisons(self) -> Iterator[Comparison]:
        rows = list(RoleRow.objects.order_by("id").values_list("person_id", "role"))
        held: dict[str, list[str]] = {}
        for person, role in rows:
            held.setdefault(person, []).append(role)
        said: dict[str, list[str]] = {}
        for person, role in self._roles:
            said.setdefault(person, []).append(role)
        everybody = {person: list[str]() for person in self._people}
        yield Comparison("the roles of", everybody | said, everybody | held)
        yield Comparison(
            "the place of role",
            places(f"{role} of {person}" for person, role in self._roles),
            places(f"{role} of {person}" for person, role in rows),
        )


def _founded_for(said: Mapping[str, str]) -> str:
    """Return for what the first organisation was registered. Who did not log it logged no keys either."""
    if "profile" not in said:
        raise LedgerOlder(f"the founding with {said['organisation']} names no profile")
    return said["profile"]


def _taken(name: str, among: Mapping[str, object]) -> list[Reason]:
    return [Reason("id-taken", {"id": name})] if name in among else []


def _known(what: str, said: Mapping[str, str], among: Mapping[str, object]) -> list[Reason]:
    return [] if said[what] in among else [Reason(f"{what}-unknown", {what: said[what]})]


def _held_evidence() -> dict[str, str]:
    rows: dict[str, list[EvidenceRow]] = {}
    for row in EvidenceRow.objects.order_by("id"):
        rows.setdefault(row.organisation_id, []).append(row)
    return {organisation: evidence_digest(of_one) for organisation, of_one in rows.items()}
