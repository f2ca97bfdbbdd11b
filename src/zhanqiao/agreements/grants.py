# SPDX-License-Identifier: Apache-2.0
"""Grants: what an agreement allows at one moment, computed at that moment and never stored.

    (1) the stored contract is read and its digest is what the row says
    (2) both parties' seals stand and verify, with keys of the register, over exactly that digest
    (3) the date lies within the term, nobody has suspended or terminated it
    (4) a resident that takes part is admitted, and answers are left
    (5) items that their department holds back, or has put into a class that may not go there since, are left out

Because of (2), whoever rewrites an agreement in the database closes it: he would need a private key of both parties. Who
rewrites the register with it, so that keys of his own are theirs, is found by the audit, which replays the log.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from django.db.models import Exists, F, OuterRef, Q

from zhanqiao.agreements.contract import Contract, Granted, read_contract
from zhanqiao.agreements.draft_checks import is_closed_to, is_forbidden, narrowed
from zhanqiao.agreements.models import AgreementRow, HoldRow, SealRow
from zhanqiao.agreements.seals import Seal, holds, seal_statement
from zhanqiao.agreements.states import state_at
from zhanqiao.catalogue import shelf
from zhanqiao.identity import directory
from zhanqiao.identity.admission import Admission
from zhanqiao.identity.directory import Directory, keys_of
from zhanqiao.identity.people import OrganisationKind, Role, check_acts
from zhanqiao.ledger.book import Recording
from zhanqiao.ledger.rows import believed
from zhanqiao.terms.agreements import AgreementState, Grant
from zhanqiao.terms.canonical import digest_bytes
from zhanqiao.terms.datasets import Dataset, Item, Sharing
from zhanqiao.terms.refusals import Reason, Refusal

_NOTHING_OPENS_YET = {AgreementState.INITIATED, AgreementState.NEGOTIATING}


@dataclass(frozen=True)
class Standing:
    """One agreement as it stands: what people did, the contract, the seals, the holds, the meter."""

    kept: AgreementState
    filed: bool
    digest: str
    contract: Contract | None  # None when the stored bytes are not what the digest says
    seals: tuple[Seal, ...]
    held_by: tuple[str, ...]  # organisations that suspended the whole
    held_items_by: tuple[str, ...]  # departments that hold their own datasets back
    begins: datetime
    ends: datetime
    spent: int

    @property
    def parties(self) -> tuple[str, ...]:
        return () if self.contract is None else (self.contract.issuer, self.contract.resident)

    def state(self, at: datetime) -> AgreementState:
        return state_at(self.kept, self.begins, self.ends, at)


@dataclass(frozen=True)
class World:
    """What a grant stands on besides its agreement. What stands now is `NOW`; an audit has what stood at a place of the log.

    publics     key id -> the person who must be its holder; gives the public keys
    described   the named datasets under their contracts in force
    """

    directory: Directory
    publics: Callable[[Mapping[str, str]], dict[str, bytes]]
    described: Callable[[Collection[str]], dict[str, Dataset]]


NOW = World(directory.NOW, keys_of, shelf.among)


def find_grant(agreement: str, at: datetime, *, charged: int = 0) -> Grant | None:
    """Return what the agreement allows at `at`, or None when that is nothing.

    charged  answers that were charged to the very request which asks: they are still its own
    """
    found = _look(agreement, at, charged)
    return found if isinstance(found, Grant) else None


def why_no_grant(agreement: str, at: datetime, *, charged: int = 0) -> Refusal:
    """Give every reason why the agreement allows nothing at `at`."""
    found = _look(agreement, at, charged)
    # It may have been resumed between two looks.
    return found if isinstance(found, Refusal) else Refusal((Reason("agreement-changed", {"agreement": agreement}),))


def check_caller(agreement: str, by: str) -> tuple[Reason, ...]:
    """Give every reason why `by` cannot ask under this agreement, whatever its state.

    To anybody who does not act for its resident, an agreement that exists and one that does not look alike.
    """
    resident = AgreementRow.objects.filter(pk=agreement).values_list("resident", flat=True).first()
    return check_analyst(agreement, by, resident)


def check_analyst(
    agreement: str, by: str, resident: str | None, directory: Directory = directory.NOW
) -> tuple[Reason, ...]:
    """Give every reason why `by` cannot ask for this resident."""
    person = directory.person(by)
    if person is None:
        return (Reason("person-unknown", {"person": by}),)
    if person.organisation.id != resident:
        return (Reason("agreement-unknown", {"agreement": agreement}),)
    return check_acts(person, Role.ANALYST)


def spend(tx: Recording, agreement: str, count: int = 1) -> bool:
    """Charge `count` answers in one UPDATE; False when the agreement gives none now, or not that many."""
    charged = (
        AgreementRow.objects.filter(pk=agreement, kept=AgreementState.SIGNED.value, begins__lte=tx.at, ends__gt=tx.at)
        .filter(Q(limit=None) | Q(spent__lte=F("limit") - count))
        .update(spent=F("spent") + count)
    )
    return charged == 1


def narrow(grant: Grant, dataset: Dataset) -> Dataset:
    """Return the dataset with the capabilities that the contract of a grant leaves of it; without items once it is another."""
    standing = stands(grant.agreement)
    if standing is None or standing.contract is None or standing.digest != grant.contract_digest:
        return replace(dataset, items=())
    return narrowed(dataset, standing.contract)


def stands(agreement: str) -> Standing | None:
    """Read an agreement as it stands, or None when there is no such agreement."""
    held = Exists(HoldRow.objects.filter(agreement=OuterRef("pk")))
    with believed(f"agreement {agreement}"):
        row = AgreementRow.objects.annotate(held=held).filter(pk=agreement).first()
        return None if row is None else _standing_of(row, held=row.held)


def _standing_of(row: AgreementRow, *, held: bool) -> Standing:
    content = bytes(row.contract)
    contract = _contract(content)
    # The columns are copies, for the charging UPDATE and to look up by; a copy that says more than the sealed text is an alteration.
    copied = contract is not None and (
        (contract.id, contract.issuer, contract.resident, contract.begins, contract.ends, contract.count)
        == (row.id, row.issuer, row.resident, row.begins, row.ends, row.limit)
    )
    holders = sorted(HoldRow.objects.filter(agreement=row.id).values_list("organisation", "whole")) if held else []
    seals = SealRow.objects.filter(agreement=row.id).values_list("organisation", "person", "key", "signature", "at")
    return Standing(
        kept=AgreementState(row.kept),
        filed=row.filed,
        digest=row.digest,
        contract=contract if copied and digest_bytes(content) == row.digest else None,
        seals=tuple(
            Seal(organisation, person, key, bytes(signature), at)
            for organisation, person, key, signature, at in seals.order_by("id")
        ),
        held_by=tuple(organisation for organisation, whole in holders if whole),
        held_items_by=tuple(organisation for organisation, whole in holders if not whole),
        begins=row.begins,
        ends=row.ends,
        spent=row.spent,
    )


def missing_seals(standing: Standing, agreement: str, world: World = NOW) -> tuple[str, ...]:
    """Return the parties whose seal does not stand, or does not verify over the stored contract."""
    publics = world.publics({seal.key: seal.person for seal in standing.seals})
    sealed = {
        seal.organisation
        for seal in standing.seals
        if (public := publics.get(seal.key)) is not None
        and holds(seal_statement(agreement, standing.digest, seal.organisation, seal.person), seal.signature, public)
    }
    return tuple(party for party in standing.parties if party not in sealed)


def _look(agreement: str, at: datetime, charged: int) -> Grant | Refusal:
    standing = stands(agreement)
    if standing is None:
        return Refusal((Reason("agreement-unknown", {"agreement": agreement}),))
    return grant_of(agreement, replace(standing, spent=standing.spent - charged), at)


def grant_of(agreement: str, standing: Standing, at: datetime, world: World = NOW) -> Grant | Refusal:
    """Return what an agreement that stands so allows at `at`, or every reason why that is nothing."""
    contract = standing.contract
    if contract is None:
        return Refusal((Reason("agreement-altered", {"agreement": agreement}),))
    reasons = _check_standing(standing, contract, at, world)
    items, reads = _left_of(contract, standing, world)
    # What would be left without the holds: the rest is nobody's to resume. Most agreements are held by nobody.
    unheld = replace(standing, held_items_by=())
    free_items, free_reads = _left_of(contract, unheld, world) if standing.held_items_by else (items, reads)
    if (contract.granted or contract.reads) and not (items or reads) and not standing.held_items_by:
        reasons.append(Reason("agreement-reclassified", {"agreement": agreement}))
    elif (contract.granted or contract.reads) and not (items or reads):
        facts = {"agreement": agreement, "by": ", ".join(standing.held_items_by)}
        reasons.append(Reason("agreement-suspended", facts))
    if reasons:
        return Refusal(tuple(reasons))
    return Grant(
        agreement=agreement,
        organisation=contract.resident,
        purpose=contract.purpose,
        doors=frozenset(contract.doors),
        items=items,
        services=frozenset(contract.services),
        reads=reads,
        items_held_by=_held(contract.granted, free_items.keys() - items.keys()),
        reads_held_by=_held(contract.reads, free_reads.keys() - reads.keys()),
        valid_from=contract.begins,
        valid_until=contract.ends,
        remaining=None if contract.count is None else contract.count - standing.spent,
        contract_digest=standing.digest,
    )


def _held(parts: tuple[Granted, ...], datasets: Collection[str]) -> dict[str, str]:
    return {part.dataset: part.department for part in parts if part.dataset in datasets}


def _left_of(
    contract: Contract, standing: Standing, world: World
) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """Return what statements may touch and what services may read: dataset -> items that are still theirs to use.

    The class of a dataset, and the category of an item, are those of today: a department that closes its data closes it
    to agreements that were sealed before as well.
    """
    described = world.described({part.dataset for part in (*contract.granted, *contract.reads)})
    recipient = world.directory.organisation(contract.resident)
    kind = OrganisationKind.RESIDENT if recipient is None else recipient.kind

    def left(parts: tuple[Granted, ...], *, tables: bool) -> dict[str, frozenset[str]]:
        found = {}
        for part in parts:
            dataset = described.get(part.dataset)
            if dataset is None or dataset.sharing is Sharing.WITHHELD or part.department in standing.held_items_by:
                continue
            if tables and is_closed_to(kind, dataset):
                continue
            found[part.dataset] = frozenset(name for name in part.items if _may_use(dataset.item(name), kind))
        return found

    return left(contract.granted, tables=True), left(contract.reads, tables=False)


def _may_use(item: Item | None, recipient: OrganisationKind) -> bool:
    """Whether an item may be used today; one that went from the contract is nobody's business here."""
    return item is None or recipient is not OrganisationKind.RESIDENT or not is_forbidden(item)


def _check_standing(standing: Standing, contract: Contract, at: datetime, world: World) -> list[Reason]:
    named = {"agreement": contract.id}
    missing = missing_seals(standing, contract.id, world)
    reasons = [Reason("agreement-not-sealed", {**named, "missing": party}) for party in missing]
    if len({seal.person for seal in standing.seals}) < len(standing.seals):
        reasons.append(Reason("agreement-altered", named))
    reasons += check_charge(standing, contract, 1, at)
    if standing.kept in _NOTHING_OPENS_YET and not reasons:
        reasons.append(Reason("agreement-altered", named))
    return [*reasons, *check_recipient(contract.resident, world.directory)]


def check_charge(standing: Standing, contract: Contract, count: int, at: datetime) -> list[Reason]:
    """Give every reason why `count` answers cannot be charged to an agreement that both have sealed."""
    named = {"agreement": contract.id}
    reasons = []
    if standing.kept is AgreementState.TERMINATED:
        reasons.append(Reason("agreement-terminated", named))
    if standing.kept is AgreementState.SUSPENDED or standing.held_by:
        reasons.append(Reason("agreement-suspended", {**named, "by": ", ".join(standing.held_by)}))
    if at < contract.begins:
        reasons.append(Reason("agreement-not-started", {**named, "begins": contract.begins.isoformat()}))
    if at >= contract.ends:
        reasons.append(Reason("agreement-ended", {**named, "ends": contract.ends.isoformat()}))
    if contract.count is not None and standing.spent + count > contract.count:
        reasons.append(Reason("count-exhausted", named))
    return reasons


def check_recipient(organisation: str, directory: Directory = directory.NOW) -> tuple[Reason, ...]:
    """Give the reason why an organisation gets no answers under any agreement, if it does not."""
    found = directory.organisation(organisation)
    if found is None:
        return (Reason("organisation-unknown", {"organisation": organisation}),)
    if found.admission == Admission.EXIT:
        return (Reason("resident-left", {"organisation": organisation}),)
    if found.kind is OrganisationKind.RESIDENT and found.admission != Admission.RESIDENT:
        facts = {"organisation": organisation, "state": found.admission or ""}
        return (Reason("resident-not-admitted", facts),)
    return ()


@lru_cache(maxsize=1_024)
def _contract(content: bytes) -> Contract | None:
    try:
        return read_contract(content)
    except ValueError:
        return None
