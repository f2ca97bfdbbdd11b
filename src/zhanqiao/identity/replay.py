# SPDX-License-Identifier: Apache-2.0
"""The register as the log tells it: organisations, people, their keys and roles, and the keys that sign consents.

Left out is what the log does not learn: names of people, the digest of a natural person, an organisation's credit code.
"""

from collections.abc import Iterator

from zhanqiao.identity.admission import Admission, Step
from zhanqiao.identity.consent_keys import binding_of
from zhanqiao.identity.models import ConsentKeyRow, KeyRow, OrganisationRow, PersonRow, RoleRow
from zhanqiao.identity.people import OrganisationKind
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.ledger.entries import LoggedEvent
from zhanqiao.ledger.replay import Comparison, Facts


class RegisterReplay:
    """Replays `identity.*`."""

    def __init__(self) -> None:
        self._organisations: dict[str, tuple[str, str | None, str | None]] = {}  # kind, admission, assessed by
        self._people: dict[str, tuple[str, bool]] = {}  # organisation, active
        self._roles: dict[str, frozenset[str]] = {}
        self._keys: dict[str, tuple[str, bool]] = {}  # key id -> person, in use
        self._consent_keys: dict[str, tuple[str, bool]] = {}  # issuer -> binding, in use

    def take(self, event: LoggedEvent, facts: Facts) -> None:
        """Do once more what the event says."""
        said = {name: str(value) for name, value in facts.items()}
        match event.kind:
            case "identity.organisation-registered":
                applies = said["kind"] == OrganisationKind.RESIDENT
                self._organisations[said["organisation"]] = (
                    said["kind"],
                    Admission.APPLICANT.value if applies else None,
                    None,
                )
            case "identity.admission":
                self._admit(event.by, said)
            case "identity.person-registered":
                self._people[said["person"]] = (said["organisation"], True)
                self._roles[said["person"]] = frozenset()
                self._keys[said["key"]] = (said["person"], True)
            case "identity.person-dismissed":
                self._people[said["person"]] = (self._people[said["person"]][0], False)
            case "identity.role-given":
                self._roles[said["person"]] |= {said["role"]}
            case "identity.role-taken":
                self._roles[said["person"]] -= {said["role"]}
            case "identity.key-replaced":
                self._replace_key(said["person"], said["key"])
            case "identity.consent-key-registered":
                self._consent_keys[said["issuer"]] = (said["binding"], True)
            case "identity.consent-key-revoked":
                self._consent_keys[said["issuer"]] = (self._consent_keys[said["issuer"]][0], False)

    def _admit(self, by: str, said: dict[str, str]) -> None:
        kind, _, assessor = self._organisations[said["organisation"]]
        match said["step"]:
            case Step.ASSESS:
                assessor = by
            case Step.RETURN:
                assessor = None
        self._organisations[said["organisation"]] = (kind, said["state"], assessor)

    def _replace_key(self, person: str, key: str) -> None:
        former = [one for one, (holder, _) in self._keys.items() if holder == person]
        self._keys |= dict.fromkeys(former, (person, False))
        self._keys[key] = (person, True)
        self._roles[person] = frozenset()

    def comparisons(self) -> Iterator[Comparison]:
        """Set the outcome beside the rows."""
        organisations = OrganisationRow.objects.values_list("id", "kind", "admission", "assessed_by")
        yield Comparison("organisation", self._organisations, {row[0]: row[1:] for row in organisations})
        people = PersonRow.objects.values_list("id", "organisation_id", "active")
        yield Comparison("person", self._people, {row[0]: row[1:] for row in people})
        yield Comparison("the roles of", {who: sorted(held) for who, held in self._roles.items()}, _held_roles())
        yield Comparison("key", self._keys, _held_keys())
        consent_keys = {row.issuer: (binding_of(row), row.revoked is None) for row in ConsentKeyRow.objects.all()}
        yield Comparison("consent key", self._consent_keys, consent_keys)


def _held_roles() -> dict[str, list[str]]:
    held: dict[str, list[str]] = {who: [] for who in PersonRow.objects.values_list("id", flat=True)}
    for person, role in RoleRow.objects.order_by("role").values_list("person_id", "role"):
        held[person].append(role)
    return held


def _held_keys() -> dict[str, tuple[str, bool]]:
    """Return the keys by the name that their bytes have, whatever the row calls them."""
    return {key_id_of(bytes(row.public)): (row.person_id, row.until is None) for row in KeyRow.objects.all()}
