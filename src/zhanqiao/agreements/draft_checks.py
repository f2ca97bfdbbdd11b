# SPDX-License-Identifier: Apache-2.0
"""What a draft may promise, judged against register, catalogue, services and the calendar. Pure: the world is handed in.

Whose data: a department grants its own datasets, the authority any. Which class: what is withheld from sharing goes to
nobody; what is closed to society goes to departments only. Which items: kept in the analytic store, never of a category
that the credit law forbids; through the statistics door alone, only items with a capability.

What a named service reads is written into the contract as it is declared at that moment, so that both parties seal it
and its departments can hold it back. It is judged likewise, but for the class: a closed dataset may decide about a
subject who consented, or for a duty; its items reach nobody. The credit law's categories bind residents; a department
that certifies pensions by the date of a treatment does its duty.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from zhanqiao.agreements.contract import Contract, Granted
from zhanqiao.agreements.drafting import Draft, DraftDataset
from zhanqiao.agreements.legal_time import last_day, years_later
from zhanqiao.agreements.usage import check_rules, default_rules, narrowing
from zhanqiao.catalogue.credit_law import CATEGORIES, CreditClass
from zhanqiao.catalogue.plain_yaml import Scalar
from zhanqiao.identity.admission import Admission
from zhanqiao.identity.people import Organisation, OrganisationKind
from zhanqiao.policy.decide import reads_of
from zhanqiao.terms.agreements import Door
from zhanqiao.terms.datasets import Capability, Dataset, Item, Level, Opening, Sharing
from zhanqiao.terms.refusals import Reason, meant
from zhanqiao.terms.services import Service

MAX_YEARS = 5
ISSUERS = frozenset({OrganisationKind.AUTHORITY, OrganisationKind.DEPARTMENT})
RECIPIENTS = frozenset({OrganisationKind.RESIDENT, OrganisationKind.DEPARTMENT})


@dataclass(frozen=True)
class World:
    """What drafts are judged against.

    services        all that are published
    open_datasets   the names that anybody may see
    """

    organisation_of: Callable[[str], Organisation | None]
    dataset_of: Callable[[str], Dataset | None]
    open_datasets: Callable[[], Collection[str]]
    services: Collection[Service]
    at: datetime

    def service(self, name: str) -> Service | None:
        return next((service for service in self.services if service.name == name), None)


def check_draft(draft: Draft, world: World) -> tuple[Reason, ...]:
    """Give every reason why this draft cannot become a contract."""
    return (
        *_check_parties(draft, world),
        *_check_doors(draft, world),
        *(reason for named in draft.datasets for reason in _check_dataset(named, draft, world)),
        *(reason for word in draft.services for reason in _check_reads(word, draft, world)),
        *_check_term(draft, world),
        *check_rules(
            draft.rules,
            [door for door, _ in draft.doors],
            draft.purpose.text if draft.purpose else None,
            draft.resident.text if draft.resident else None,
        ),
    )


def settle(draft: Draft, world: World, number: str, drafter: str) -> Contract:
    """Make the contract of a draft that was read and checked without a reason."""
    assert draft.name, "checked"
    assert draft.resident, "checked"
    assert draft.issuer, "checked"
    assert draft.purpose, "checked"
    assert draft.term, "checked"
    doors = tuple(sorted(door for door, _ in draft.doors))
    taken = narrowing(draft.rules)
    return Contract(
        id=number,
        name=draft.name.text,
        abstract=draft.abstract.text if draft.abstract else "",
        issuer=draft.issuer.text,
        resident=draft.resident.text,
        purpose=draft.purpose.text,
        doors=doors,
        granted=tuple(_granted(named, world) for named in sorted(draft.datasets, key=lambda each: each.name.text)),
        services=tuple(sorted(word.text for word in draft.services)),
        reads=_reads(draft, world),
        begins=max(filter(None, (draft.term.begins, taken.begins))),
        ends=min(filter(None, (draft.term.ends, taken.ends))),
        count=min((count for count in (draft.count, taken.count) if count is not None), default=None),
        rules=tuple(rule.settled() for rule in draft.rules) or default_rules(doors),
        issued=world.at.replace(microsecond=0),
        drafter=drafter,
    )


def narrowed(dataset: Dataset, contract: Contract) -> Dataset:
    """Return the dataset with no more capabilities than the contract gives, whatever the catalogue says now."""
    limits = {
        item: caps for part in contract.granted if part.dataset == dataset.name for item, caps in part.capabilities
    }
    return replace(dataset, items=tuple(_narrow(item, limits.get(item.name)) for item in dataset.items))


def _check_parties(draft: Draft, world: World) -> list[Reason]:
    reasons = _check_party(draft.issuer, "issuer", ISSUERS, world)
    reasons += _check_party(draft.resident, "resident", RECIPIENTS, world)
    if draft.issuer and draft.resident and draft.issuer.text == draft.resident.text:
        facts = {"line": str(draft.resident.line), "organisation": draft.resident.text}
        reasons.append(Reason("draft-one-party", facts))
    return reasons


def _check_party(word: Scalar | None, party: str, kinds: frozenset[OrganisationKind], world: World) -> list[Reason]:
    if word is None:
        return []
    facts = {"line": str(word.line), "organisation": word.text[:64], "party": party}
    found = world.organisation_of(word.text)
    if found is None:
        return [Reason("draft-organisation-unknown", facts)]
    if found.kind not in kinds:
        named = {"kind": found.kind.value, "kinds": ", ".join(sorted(kinds))}
        return [Reason("draft-party-wrong", {**facts, **named})]
    if found.kind is OrganisationKind.RESIDENT and found.admission != Admission.RESIDENT:
        return [Reason("draft-resident-not-admitted", {**facts, "state": found.admission or ""})]
    return []


def _check_doors(draft: Draft, world: World) -> list[Reason]:
    reasons = [
        Reason("draft-service-unknown", {"line": str(word.line), "service": word.text[:64]})
        for word in draft.services
        if world.service(word.text) is None
    ]
    at_door = next((line for door, line in draft.doors if door is Door.DECISIONS), None)
    if draft.services and draft.doors and at_door is None:
        reasons.append(
            _doors_contradict(
                draft.services[0].line, "services are named, the door decisions is not", "列出了服务,但没有决策通道"
            )
        )
    if at_door is not None and not draft.services:
        reasons.append(
            _doors_contradict(at_door, "the door decisions is named, no service is", "列出了决策通道,但没有服务")
        )
    return reasons


def _doors_contradict(line: int, en: str, zh: str) -> Reason:
    return Reason("draft-doors-contradict", {"line": str(line), "problem_en": en, "problem_zh": zh})


def _check_dataset(named: DraftDataset, draft: Draft, world: World) -> list[Reason]:
    name, line = named.name.text, str(named.name.line)
    dataset = world.dataset_of(name)
    if dataset is None:
        return [_dataset_unknown(name, line, world)]
    recipient = world.organisation_of(draft.resident.text) if draft.resident else None
    reasons = _check_source(dataset, line, draft, world)
    if recipient and is_closed_to(recipient.kind, dataset):
        reasons.append(Reason("draft-dataset-closed", {"line": line, "dataset": name}))
    only_statistics = {door for door, _ in draft.doors} <= {Door.STATISTICS, Door.OPENDATA}
    for word in named.items:
        reasons += _check_item(word, dataset, only_statistics=only_statistics)
    for word, given in named.capabilities:
        reasons += _check_capabilities(word, given, named, dataset)
    return reasons


def _check_source(dataset: Dataset, line: str, draft: Draft, world: World) -> list[Reason]:
    """Whose data: a department grants its own only; what is withheld from sharing goes to nobody."""
    reasons = []
    issuer = world.organisation_of(draft.issuer.text) if draft.issuer else None
    if dataset.sharing is Sharing.WITHHELD:
        reasons.append(Reason("draft-dataset-withheld", {"line": line, "dataset": dataset.name}))
    if issuer and issuer.kind is OrganisationKind.DEPARTMENT and dataset.department != issuer.id:
        facts = {"line": line, "dataset": dataset.name, "department": dataset.department, "issuer": issuer.id}
        reasons.append(Reason("draft-dataset-foreign", facts))
    return reasons


def _check_reads(word: Scalar, draft: Draft, world: World) -> list[Reason]:
    """Judge what a service reads, at the line that names the service."""
    service = world.service(word.text)
    if service is None:
        return []  # said of the doors
    reasons: list[Reason] = []
    line, recipient = str(word.line), world.organisation_of(draft.resident.text) if draft.resident else None
    for name, items in reads_of(service, world.dataset_of).items():
        dataset = world.dataset_of(name)
        if dataset is None:
            reasons.append(_dataset_unknown(name, line, world))
            continue
        reasons += _check_source(dataset, line, draft, world)
        if recipient and recipient.kind is OrganisationKind.RESIDENT:
            reasons += [reason for item in sorted(items) for reason in _check_category(dataset, item, line)]
    return reasons


def _dataset_unknown(name: str, line: str, world: World) -> Reason:
    facts = {"line": line, "dataset": name[:64], **meant(name[:64], world.open_datasets())}
    return Reason("draft-dataset-unknown", facts)


def is_closed_to(recipient: OrganisationKind, dataset: Dataset) -> bool:
    """Whether tables from a dataset may not go to such an organisation: closed data goes to departments only."""
    return dataset.opening is Opening.CLOSED and recipient is OrganisationKind.RESIDENT


def is_forbidden(item: Item) -> bool:
    """Whether the credit law lets nobody use an item for credit."""
    return item.category is not None and CATEGORIES.get(item.category) is CreditClass.FORBIDDEN


def _check_category(dataset: Dataset, name: str, line: str) -> list[Reason]:
    item = dataset.item(name)
    if item is None or not is_forbidden(item):
        return []
    facts = {"line": line, "dataset": dataset.name, "item": name, "category": str(item.category)}
    return [Reason("draft-item-forbidden", facts)]


def _check_item(word: Scalar, dataset: Dataset, *, only_statistics: bool) -> list[Reason]:
    facts = {"line": str(word.line), "dataset": dataset.name, "item": word.text[:64]}
    item = dataset.item(word.text)
    if item is None:
        # Of a closed dataset no name is suggested; else one that a contract could hold.
        names = [each.name for each in dataset.items if dataset.open and each.stored and not each.identifier]
        return [Reason("draft-item-unknown", {**facts, **meant(facts["item"], names)})]
    reasons = _check_category(dataset, word.text, str(word.line))
    if item.identifier or not item.stored:
        reasons.append(Reason("draft-item-not-kept", facts))
    elif only_statistics and not item.capabilities:
        reasons.append(Reason("draft-item-gives-nothing", facts))
    return reasons


def _check_capabilities(word: Scalar, given: tuple[Scalar, ...], named: DraftDataset, dataset: Dataset) -> list[Reason]:
    facts = {"line": str(word.line), "dataset": dataset.name, "item": word.text[:64]}
    item = dataset.item(word.text)
    if item is None or word.text not in {each.text for each in named.items}:
        own = [each.text for each in named.items if dataset.item(each.text) is not None]
        return [Reason("draft-item-unknown", {**facts, **meant(facts["item"], own)})]
    known = ", ".join(sorted(item.capabilities)) or "-"
    wider = [each for each in given if each.text not in item.capabilities]
    if wider:
        return [
            Reason(
                "draft-capability-wider",
                {**facts, "line": str(each.line), "capability": each.text[:64], "known": known},
            )
            for each in wider
        ]
    if _widens(item, frozenset(Capability(each.text) for each in given)):
        return [Reason("draft-capability-level", facts)]
    return []


def _check_term(draft: Draft, world: World) -> list[Reason]:
    if draft.term is None:
        return []
    line = str(draft.term.line)
    taken = narrowing(draft.rules)
    begins = max(filter(None, (draft.term.begins, taken.begins)))
    ends = min(filter(None, (draft.term.ends, taken.ends)))
    if ends <= begins:
        return [Reason("draft-term-backwards", {"line": line})]
    reasons = []
    if ends <= world.at:
        reasons.append(Reason("draft-term-over", {"line": line}))
    latest = years_later(begins, MAX_YEARS)
    if ends > latest:
        facts = {"line": line, "years": str(MAX_YEARS), "last": last_day(latest)}
        reasons.append(Reason("draft-term-too-long", facts))
    return reasons


def _granted(named: DraftDataset, world: World) -> Granted:
    dataset = world.dataset_of(named.name.text)
    assert dataset is not None, "checked"
    return Granted(
        dataset.name,
        dataset.department,
        tuple(sorted(word.text for word in named.items)),
        tuple(
            sorted(
                (word.text, tuple(sorted(Capability(each.text) for each in given)))
                for word, given in named.capabilities
            )
        ),
    )


def _reads(draft: Draft, world: World) -> tuple[Granted, ...]:
    """Return what all named services read together."""
    read: dict[str, frozenset[str]] = {}
    for word in draft.services:
        service = world.service(word.text)
        assert service is not None, "checked"
        for name, items in reads_of(service, world.dataset_of).items():
            read[name] = read.get(name, frozenset()) | items
    granted = []
    for name, items in sorted(read.items()):
        dataset = world.dataset_of(name)
        assert dataset is not None, "checked"
        granted.append(Granted(name, dataset.department, tuple(sorted(items))))
    return tuple(granted)


def _widens(item: Item, given: frozenset[Capability]) -> bool:
    """Whether fewer capabilities would protect the item less: a measure without aggregate is judged as a dimension."""
    return item.level is Level.MEASURE and bool(given) and Capability.AGGREGATE not in given


def _narrow(item: Item, limit: tuple[Capability, ...] | None) -> Item:
    if limit is None:
        return item
    given = item.capabilities & frozenset(limit)
    # The catalogue may have changed since the draft was checked.
    return replace(item, capabilities=frozenset() if _widens(item, given) else given)
