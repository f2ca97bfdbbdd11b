# SPDX-License-Identifier: Apache-2.0
"""The register as the log tells it: organisations, people, their keys and roles, and the keys that sign consents.

What names somebody is not in the log: it is compared by its binding.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from zhanqiao.identity.admission import Admission, Step
from zhanqiao.identity.bindings import (
    consent_key_binding,
    evidence_digest,
    organisation_binding,
    person_binding,
)
from zhanqiao.identity.models import ConsentKeyRow, EvidenceRow, KeyRow, OrganisationRow, PersonRow, RoleRow
from zhanqiao.identity.people import OrganisationKind
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.ledger.entries import LoggedEvent
from zhanqiao.ledger.replay import Comparison, Facts, places, second


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
    revoked: str | None


class RegisterReplay:
    """Replays `identity.*`."""

    def __init__(self) -> None:
        self._organisations: dict[str, _Organisation] = {}
        self._evidence: dict[str, str] = {}
        self._people: dict[str, _Person] = {}
        self._roles: dict[tuple[str, str], None] = {}  # person and role, in the order in which they were given
        self._keys: dict[str, _Key] = {}
        self._consent_keys: dict[str, _ConsentKey] = {}

    def take(self, event: LoggedEvent, facts: Facts) -> None:
        """Do once more what the event says."""
        said = {name: str(value) for name, value in facts.items()}
        at = second(event.time)
        match event.kind:
            case "identity.organisation-registered":
                applies = said["kind"] == OrganisationKind.RESIDENT
                admission = Admission.APPLICANT.value if applies else None
                row = _Organisation(said["kind"], admission, None, said["binding"])
                self._organisations[said["organisation"]] = row
            case "identity.admission":
                self._admit(event.by, said)
            case "identity.person-registered":
                self._people[said["person"]] = _Person(said["organisation"], active=True, binding=said["binding"])
                self._keys[said["key"]] = _Key(said["person"], at, None)
            case "identity.person-dismissed":
                self._people[said["person"]] = replace(self._people[said["person"]], active=False)
            case "identity.role-given":
                self._roles[said["person"], said["role"]] = None
            case "identity.role-taken":
                del self._roles[said["person"], said["role"]]
            case "identity.key-replaced":
                self._replace_key(said["person"], said["key"], at)
            case "identity.consent-key-registered":
                self._consent_keys[said["issuer"]] = _ConsentKey(said["binding"], None)
            case "identity.consent-key-revoked":
                self._consent_keys[said["issuer"]] = replace(self._consent_keys[said["issuer"]], revoked=at)

    def _admit(self, by: str, said: dict[str, str]) -> None:
        name = said["organisation"]
        row = self._organisations[name]
        match said["step"]:
            case Step.ASSESS:
                row = replace(row, assessed_by=by)
                self._evidence[name] = said["evidence"]
            case Step.RETURN:
                row = replace(row, assessed_by=None)
        self._organisations[name] = replace(row, admission=said["state"])

    def _replace_key(self, person: str, key: str, at: str | None) -> None:
        for name, held in self._keys.items():
            if held.person == person and held.until is None:
                self._keys[name] = replace(held, until=at)
        self._keys[key] = _Key(person, at, None)
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


def _held_evidence() -> dict[str, str]:
    rows: dict[str, list[EvidenceRow]] = {}
    for row in EvidenceRow.objects.order_by("id"):
        rows.setdefault(row.organisation_id, []).append(row)
    return {organisation: evidence_digest(of_one) for organisation, of_one in rows.items()}
