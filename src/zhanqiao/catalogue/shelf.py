# SPDX-License-Identifier: Apache-2.0
"""The shelf: which datasets are described, under which contract, and which snapshot of each is published.

Contracts are kept whole and read again from their text, so that what is decided is always what the department wrote.
The same contract twice changes nothing; another one must carry a higher version. A snapshot belongs to the contract
under which it was loaded: from the moment a new contract is in force, nothing is published until the dataset is loaded
anew, because masks and bounds of the former contract protected the former snapshot.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from zhanqiao.catalogue import contracts
from zhanqiao.catalogue.models import ContractRow, SnapshotRow, StandingRow
from zhanqiao.ledger.book import Book, Recording
from zhanqiao.terms.canonical import digest
from zhanqiao.terms.datasets import Dataset, Delivery
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal, refuse

# Years and days make good version numbers: 2026.1.0, 1.0.1125.
_VERSION_STEP = 9_999


class ShelfDamaged(Exception):  # noqa: N818  the name says what is so, not that it was raised
    """A kept contract is not what its digest says, or no longer reads."""


class ContractMoved(Exception):  # noqa: N818
    """The contract changed while a batch was loaded under the former one; load it again."""


class _Overtaken(Exception):  # noqa: N818
    """Somebody else changed the shelf between looking and writing."""


@dataclass(frozen=True)
class Snapshot:
    """One published state of a dataset. Segments are named in the order in which they were delivered.

    files  digests of the files of its delivery, in order; none where an older version published it
    """

    id: str
    dataset: str
    contract_digest: str
    rows: int
    segments: tuple[str, ...]
    batch_digest: str
    published: datetime
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tally:
    """How much of the catalogue is open: categories, items, and records published in them."""

    categories: int
    items: int
    records: int


@dataclass(frozen=True)
class Counts:
    """The open catalogue in figures, whole and by domain."""

    total: Tally
    domains: dict[str, Tally]


# --- describing -------------------------------------------------------------------------------------


def add(book: Book, contract: str | bytes, by: str, *, withdraw: bool = False) -> Dataset | Refusal:
    """Describe a dataset, or put a new version of its contract in force.

    withdraw  also where that takes published rows out of use, until they are delivered under the new contract
    """
    # (1) Read it: what cannot be read is not described.
    dataset = contracts.read(contract) if isinstance(contract, bytes) else contracts.parse(contract)
    if isinstance(dataset, Refusal):
        return dataset
    text = contracts.text_of(contract)
    while True:
        # (2) The same contract again is no change and no event.
        found, published = _found_by(dataset), snapshot_of(dataset.name)
        if found.former is not None and found.former.digest == dataset.digest:
            return dataset
        # (3) Another one has to come after what stands.
        if (refusal := check_successor(dataset, found)) is not None:
            return refusal
        # (4) And what is published is not taken out of use by somebody who only mends a word.
        if published is not None and not withdraw:
            facts = {"dataset": dataset.name, "rows": f"{published.rows:,}", "version": dataset.version}
            return refuse("contract-withdraws", **facts)
        # (5) Keep it and put it in force, unless somebody came first: then look again.
        try:
            with book.recording(_described(dataset, found, by)) as tx:
                # Inside an IMMEDIATE transaction what we see stays so.
                if (_found_by(dataset), snapshot_of(dataset.name)) != (found, published):
                    raise _Overtaken
                _keep(tx, dataset, text, by)
        except _Overtaken:
            continue
        return dataset


@dataclass(frozen=True)
class Found:
    """What a contract finds: the dataset that stands under its name, and who holds its catalogue code."""

    former: Dataset | None
    code_holder: str | None


def _found_by(dataset: Dataset) -> Found:
    holder = StandingRow.objects.filter(code=dataset.code).values_list("dataset", flat=True).first()
    return Found(find(dataset.name), holder)


def _subjects_of(dataset: Dataset) -> tuple[str, ...]:
    return tuple(sorted(key.subject for key in dataset.subject_keys if key.subject is not None))


def check_successor(dataset: Dataset, found: Found) -> Refusal | None:
    """Say why a contract cannot be put in force over what it finds; None when it can."""
    if found.code_holder not in {None, dataset.name}:
        facts = {"code": dataset.code, "dataset": str(found.code_holder)}
        return Refusal((Reason("dataset-code-taken", facts),))
    former = found.former
    if former is not None and former.department != dataset.department:
        # A steward of one department would take the data of another, under agreements that were sealed before.
        facts = {"dataset": dataset.name, "department": former.department, "named": dataset.department}
        return refuse("contract-department-changed", **facts)
    if former is not None and (dropped := Counter(_subjects_of(former)) - Counter(_subjects_of(dataset))):
        # Groups are protected by counting the subjects of each key: without it one steward would let single people out,
        # under agreements that were sealed when they were counted.
        return refuse("contract-key-dropped", dataset=dataset.name, kinds=", ".join(sorted(dropped)))
    facts = {"dataset": dataset.name, "current": former.version if former else "-", "version": dataset.version}
    before, after = _order(former.version if former else "0.0.0"), _order(dataset.version)
    if former is not None and after <= before:
        return refuse("contract-version-not-higher", **facts)
    # The first part that grows decides. A typing error that took the highest number would end the dataset for good.
    if next((new - old for old, new in zip(before, after, strict=True) if new != old), 0) > _VERSION_STEP:
        return refuse("contract-version-too-far", **facts, most=str(_VERSION_STEP))
    return None


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _described(dataset: Dataset, found: Found, by: str) -> Event:
    facts: dict[str, object] = {
        "dataset": dataset.name,
        "code": dataset.code,
        "department": dataset.department,
        "version": dataset.version,
        "contract": dataset.digest,
        "replaces": None if found.former is None else found.former.digest,
        "items": len(dataset.items),
        "sharing": dataset.sharing,
        "opening": dataset.opening,
    }
    return Event("catalogue.described", by, facts=facts)


def _keep(tx: Recording, dataset: Dataset, text: str, by: str) -> None:
    ContractRow.objects.create(
        digest=dataset.digest, dataset=dataset.name, version=dataset.version, text=text, by=by, described=tx.at
    )
    # Nothing is published under a new contract until the dataset is loaded under it.
    values = {"code": dataset.code, "contract_id": dataset.digest, "snapshot": None}
    StandingRow.objects.update_or_create(dataset=dataset.name, defaults=values)


# --- reading ----------------------------------------------------------------------------------------


def find(name: str) -> Dataset | None:
    """Return the dataset of that name under its contract in force, or None."""
    digest = StandingRow.objects.filter(pk=name).values_list("contract_id", flat=True).first()
    return None if digest is None else read_kept(digest)


def among(names: Collection[str]) -> dict[str, Dataset]:
    """Return those of the named datasets that are described, under their contracts in force."""
    rows = StandingRow.objects.filter(dataset__in=names).values_list("dataset", "contract_id")
    return {name: read_kept(digest) for name, digest in rows}


def all() -> tuple[Dataset, ...]:  # noqa: A001  read as shelf.all()
    """Return every described dataset in the order of catalogue codes."""
    digests = StandingRow.objects.order_by("code").values_list("contract_id", flat=True)
    return tuple(read_kept(digest) for digest in digests)


def open_names() -> tuple[str, ...]:
    """Return the names of the open catalogue: what anybody may see."""
    return tuple(dataset.name for dataset in all() if dataset.open)


def contract_of(digest: str) -> str | None:
    """Return the whole text of a contract that is or was in force, or None."""
    return ContractRow.objects.filter(pk=digest).values_list("text", flat=True).first()


@lru_cache(maxsize=4_096)
def read_kept(digest: str) -> Dataset:
    """Return a dataset under a contract that is or was in force. The digest names the text, so that what was read once stays true."""
    dataset = contracts.parse(contract_of(digest) or "", kept=True)
    if isinstance(dataset, Refusal):
        raise ShelfDamaged(f"couldn't read the contract {digest}: {dataset.reasons[0].message('en')}")
    if dataset.digest != digest:
        raise ShelfDamaged(f"couldn't read the contract {digest}: its text has the digest {dataset.digest}")
    return dataset


# --- snapshots --------------------------------------------------------------------------------------


def publish(tx: Recording, snapshot: Snapshot) -> None:
    """Make a snapshot the published one, in the transaction of the event that says so.

    Raises ContractMoved when it was loaded under a contract that is no longer in force; nothing is written then.
    """
    assert isinstance(tx, Recording), "a publication is recorded"
    SnapshotRow.objects.create(
        id=snapshot.id,
        dataset=snapshot.dataset,
        contract_id=snapshot.contract_digest,
        rows=snapshot.rows,
        segments=list(snapshot.segments),
        batch_digest=snapshot.batch_digest,
        files=list(snapshot.files),
        published=snapshot.published,
    )
    standing = StandingRow.objects.filter(pk=snapshot.dataset, contract_id=snapshot.contract_digest)
    if standing.update(snapshot_id=snapshot.id) != 1:
        raise ContractMoved(f"couldn't publish {snapshot.dataset}: its contract changed since the batch was read")


def contracts_of(snapshots: Mapping[str, str]) -> dict[str, str]:
    """Return under which contract each dataset's snapshot was loaded; nothing of one that is not here, or not of it."""
    rows = SnapshotRow.objects.filter(id__in=snapshots.values()).values_list("id", "dataset", "contract_id")
    return {dataset: contract for name, dataset, contract in rows if snapshots.get(dataset) == name}


def segments_digest(segments: Sequence[str]) -> str:
    """Digest what the log says of a snapshot's segments: which they are, and in which order."""
    return digest(list(segments))


def snapshot_of(name: str) -> Snapshot | None:
    """Return the published snapshot of a dataset, or None while nothing is loaded under its contract in force."""
    row = StandingRow.objects.filter(pk=name).select_related("snapshot").first()
    return None if row is None or row.snapshot is None else _snapshot(row.snapshot)


def snapshot_id_of(name: str) -> str | None:
    """Return the id of the published snapshot, or None."""
    return StandingRow.objects.filter(pk=name).values_list("snapshot_id", flat=True).first()


def published_on(names: Collection[str]) -> dict[str, datetime]:
    """Return when the published snapshots of some datasets were published; who has none is left out."""
    rows = StandingRow.objects.filter(dataset__in=names).exclude(snapshot=None)
    return dict(rows.values_list("dataset", "snapshot__published"))


def snapshots() -> tuple[Snapshot, ...]:
    """Return every snapshot that was ever published, the oldest first."""
    return tuple(_snapshot(row) for row in SnapshotRow.objects.order_by("published", "id"))


def known_batch(dataset: Dataset | str, digest: str) -> Snapshot | None:
    """Return the snapshot that holds a batch already, so that loading it again changes nothing.

    An appended batch is known as long as the published snapshot builds on it. Of full deliveries only the published
    one counts: an older one that is delivered again is a correction back, and is loaded.
    """
    found = find(dataset) if isinstance(dataset, str) else dataset
    if found is None or (current := snapshot_of(found.name)) is None:
        return None
    if current.batch_digest == digest:
        return current
    if found.delivery is Delivery.FULL:
        return None
    return next(_below(current, batch_digest=digest), None)


def known_files(dataset: Dataset) -> dict[str, Snapshot]:
    """Return, by their digests, the files whose rows are published and stay so when others are appended."""
    current = snapshot_of(dataset.name)
    if current is None or dataset.delivery is Delivery.FULL:
        return {}
    # A delivery of one file is named by it.
    return {file: held for held in _below(current) for file in (*held.files, held.batch_digest)}


def batch_digest(files: Sequence[str]) -> str:
    """Return the name of a delivery: the digest of its one file, or of the list of its files' digests."""
    return files[0] if len(files) == 1 else digest(list(files))


def _below(current: Snapshot, **wanted: str) -> Iterator[Snapshot]:
    """Yield the snapshots that a published one builds on, and itself, the oldest first; `wanted` of their rows only."""
    rows = SnapshotRow.objects.filter(dataset=current.dataset, contract_id=current.contract_digest, **wanted)
    standing = set(current.segments)
    return (held for held in map(_snapshot, rows.order_by("published")) if standing.issuperset(held.segments))


def _snapshot(row: SnapshotRow) -> Snapshot:
    return Snapshot(
        id=row.id,
        dataset=row.dataset,
        contract_digest=row.contract_id,
        rows=row.rows,
        segments=tuple(row.segments),
        batch_digest=row.batch_digest,
        published=row.published,
        files=tuple(row.files),
    )


# --- figures ----------------------------------------------------------------------------------------


def counts() -> Counts:
    """Return the open catalogue in figures."""
    opened = [dataset for dataset in all() if dataset.open]
    rows = dict(StandingRow.objects.exclude(snapshot=None).values_list("dataset", "snapshot__rows"))
    domains = sorted({dataset.domain for dataset in opened})
    by_domain = {domain: _tally((one for one in opened if one.domain == domain), rows) for domain in domains}
    return Counts(_tally(opened, rows), by_domain)


def _tally(datasets: Iterable[Dataset], rows: dict[str, int]) -> Tally:
    found = tuple(datasets)
    return Tally(
        categories=len({dataset.category for dataset in found}),
        items=sum(len(dataset.items) for dataset in found),
        records=sum(rows.get(dataset.name, 0) for dataset in found),
    )
