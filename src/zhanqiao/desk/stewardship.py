# SPDX-License-Identifier: Apache-2.0
"""What is done to data, for commands, demo and console alike: stewards describe and deliver it, the operator sweeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from zhanqiao import intake
from zhanqiao.catalogue import contracts, shelf
from zhanqiao.identity.attempts import note_refusal
from zhanqiao.identity.directory import check_actor, check_steward, find_organisation
from zhanqiao.identity.people import Role
from zhanqiao.intake import LoadReport, Tally
from zhanqiao.terms.datasets import Dataset, Item
from zhanqiao.terms.refusals import Reason, Refusal, meant, refuse
from zhanqiao.vault.house import House
from zhanqiao.vault.segments import brought_by


def describe(house: House, contract: bytes, by: str, *, withdraw: bool = False) -> Dataset | Refusal:
    """Put a contract in force, if `by` is a steward of the department that it names.

    withdraw  also where that takes published rows out of use, until they are delivered under the new contract
    """
    dataset = contracts.read(contract)
    if isinstance(dataset, Refusal):
        return dataset
    if reasons := check_steward(by, dataset.department):
        if find_organisation(dataset.department) is None:
            # Nobody could belong to it: it is misspelt, or not registered yet.
            others = (one for one in reasons if one.code != "not-of-organisation")
            reasons = (*others, Reason("organisation-unknown", {"organisation": dataset.department}))
        return _refused(house, "catalogue.describe", by, dataset.name, reasons)
    return shelf.add(house.book, contract, by, withdraw=withdraw)


def deliver(
    house: House, dataset: str, files: Sequence[Path], by: str, tally: Tally | None = None, *, fewer: bool = False
) -> LoadReport | Refusal:
    """Load a delivery, if `by` is a steward of the department that the dataset belongs to.

    tally   is told of every fault
    fewer   also where it would replace a delivery of more than twice as many rows
    """
    found = _described(dataset, by)
    if isinstance(found, Refusal):
        return found
    if reasons := check_steward(by, found.department):
        return _refused(house, "intake.load", by, dataset, reasons)
    against = partial(check_steward, by, found.department)
    return intake.load(house, dataset, files, by, against=against, tally=tally, fewer=fewer)


@dataclass(frozen=True)
class ToldAgain:
    """What was wrong with the quarantined rows of one load. `loads`: all that what is published was brought by."""

    snapshot: str
    tally: Tally
    items: dict[str, Item]
    loads: tuple[str, ...]


def faults(house: House, dataset: str, by: str, snapshot: str = "") -> ToldAgain | Refusal:
    """Tell a steward again what was wrong with the quarantined rows of a published delivery, the newest where none is named."""
    found = _described(dataset, by)
    if isinstance(found, Refusal):
        return found
    if reasons := check_steward(by, found.department):
        return _refused(house, intake.QUARANTINE_READ, by, dataset, reasons)
    # Nothing is dropped between the two looks.
    with house.vault.inside():
        return _faults(house, found, by, snapshot)


def _faults(house: House, found: Dataset, by: str, snapshot: str) -> ToldAgain | Refusal:
    dataset = found.name
    if (published := shelf.snapshot_of(dataset)) is None:
        return refuse("nothing-published", dataset=dataset)
    # Each delivery that was appended has bad rows of its own; those of one that is superseded may be dropped by now.
    brought = tuple(brought_by(segment)[1] for segment in published.segments)
    if snapshot and snapshot not in brought:
        return refuse("snapshot-not-published", dataset=dataset, snapshot=snapshot, published=", ".join(brought))
    chosen = snapshot or brought[-1]
    tally = intake.tell(house, dataset, chosen, by, partial(check_steward, by, found.department))
    if isinstance(tally, Refusal):
        return tally
    return ToldAgain(chosen, tally, intake.items_of(shelf.read_kept(published.contract_digest)), brought)


def sweep(house: House, by: str) -> dict[str, int] | Refusal:
    """Remove what dead loads left, once nobody is at work, if `by` runs the platform; return how much went of what."""
    if reasons := check_actor(by, Role.SYSTEM_ADMIN):
        return _refused(house, "intake.sweep", by, "vault", reasons)
    removed = intake.sweep(house, by, wait=True)
    assert removed is not None, "it waits"
    house.book.publish()
    return removed


def drop(house: House, dataset: str, by: str) -> tuple[str, ...] | Refusal:
    """Drop the superseded snapshots of a dataset, once nobody is at work, if `by` runs the platform."""
    if shelf.find(dataset) is None:
        return refuse("unknown-dataset", dataset=dataset, **meant(dataset, [one.name for one in shelf.all()]))
    if reasons := check_actor(by, Role.SYSTEM_ADMIN):
        return _refused(house, "intake.drop", by, dataset, reasons)
    dropped = intake.drop_superseded(house, dataset, by, against=lambda: check_actor(by, Role.SYSTEM_ADMIN))
    house.book.publish()
    return dropped


def _described(dataset: str, by: str) -> Dataset | Refusal:
    """Return the dataset, or refuse with the name of one that `by` may have meant."""
    if (found := shelf.find(dataset)) is not None:
        return found
    own = (one.name for one in shelf.all() if not check_steward(by, one.department))
    return refuse("unknown-dataset", dataset=dataset, **meant(dataset, own))


def _refused(house: House, act: str, by: str, about: str, reasons: Sequence[Reason]) -> Refusal:
    """Log that somebody tried what is not his to do."""
    with house.book.recording() as tx:
        return note_refusal(tx, act, by, about, reasons)
