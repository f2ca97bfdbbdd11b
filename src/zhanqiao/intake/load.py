# SPDX-License-Identifier: Apache-2.0
"""The route of a delivery: collect -> check -> mask -> publish.

A delivery is published whole or not at all. Until the last step, one transaction, readers see the former snapshot; what
a crash or a refusal leaves before it is known to nobody, tells nothing and is swept or written over.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.catalogue import high_water, shelf
from zhanqiao.catalogue.shelf import ContractMoved, Snapshot
from zhanqiao.intake import quarantine
from zhanqiao.intake.collect import Delivery, collect
from zhanqiao.intake.examination import Examined, examine
from zhanqiao.intake.landing import FOLDER as LANDING
from zhanqiao.intake.landing import Workspace
from zhanqiao.intake.masks import Masked, identity_kind, numbered
from zhanqiao.intake.published import published_values
from zhanqiao.intake.report import LoadReport, Tally, items_of
from zhanqiao.intake.sweep import sweep
from zhanqiao.ledger import durable
from zhanqiao.policy.decide import decide_build, decide_load
from zhanqiao.policy.permits import LoadPermit
from zhanqiao.terms.datasets import CubeSpec, Dataset, Mask
from zhanqiao.terms.datasets import Delivery as DeliveryKind
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal, refuse
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.house import House
from zhanqiao.vault.subjects import UNKNOWN

MAX_BAD_PERCENT = 20
# A delivery of less than half of the one before may be a part of it; of few rows nobody is asked.
_FEW, _SHRUNK = 100, 2
# Rows whose subjects are numbered at once: one durable write of the subject book for each group with new subjects.
_GROUP_ROWS = 1_000_000

Numbers = dict[str, NDArray[np.int32]]


class _NotHisAnyMore(Exception):  # noqa: N818  rolls the publication back and carries the reasons out of it
    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__()
        self.reasons = reasons


def load(
    house: House,
    dataset_name: str,
    files: Sequence[Path],
    by: str,
    *,
    max_bad_percent: int = MAX_BAD_PERCENT,
    against: Callable[[], Sequence[Reason]] = tuple,
    tally: Tally | None = None,
    fewer: bool = False,
) -> LoadReport | Refusal:
    """Load one delivery of one or several files into a dataset; or say why nothing was changed.

    tally    is told what is wrong with which row, whether the delivery is published or refused
    fewer    also where it would replace a delivery of more than twice as many rows
    against     gives what stands against `by` delivering this; asked when it is published, a long time after it began
    """
    dataset = shelf.find(dataset_name)
    if dataset is None:
        return refuse("load-dataset-unknown", dataset=dataset_name)
    landing = house.home / LANDING
    # One load of a dataset at a time: an appended segment stands on those before it.
    with (
        durable.only_writer(landing / f".{dataset.name}.lock"),
        house.vault.inside(),
        Workspace(landing, house.dice) as workspace,
    ):
        found = Tally() if tally is None else tally
        outcome = _load(house, dataset, files, by, workspace, max_bad_percent, against, found, fewer=fewer)
    if isinstance(outcome, Refusal):
        _note(house, dataset, outcome, by)
    # What an earlier load left when it died. Whoever is at work now sweeps when they end.
    sweep(house, by, wait=False)
    house.book.publish()
    return outcome


def _load(
    house: House,
    dataset: Dataset,
    paths: Sequence[Path],
    by: str,
    workspace: Workspace,
    max_bad_percent: int,
    against: Callable[[], Sequence[Reason]],
    tally: Tally,
    *,
    fewer: bool,
) -> LoadReport | Refusal:
    started = time.monotonic()
    # (1) Collect: take the files over, byte for byte. A crash leaves nothing: the copy has no name and no kept key.
    delivery = collect(paths, workspace)
    if isinstance(delivery, Refusal):
        return delivery
    # (2) A delivery that is published already is recognised, and nothing is loaded twice.
    former = shelf.snapshot_of(dataset.name)
    known = shelf.known_batch(dataset, delivery.digest)
    if known is not None:
        return _recognised(dataset, delivery, known, former, started)
    if reasons := tuple(_doubled(dataset, delivery)):
        return Refusal(reasons)
    snapshot = f"{dataset.name}-{house.clock():%Y%m%d}-{house.dice(6).hex()}"
    request = f"load-{snapshot}"
    permit = decide_load(request, dataset, dataset.digest, delivery.digest, snapshot, house.clock())
    if isinstance(permit, Refusal):
        return permit
    # (3) Check every row against the contract, and mask it; nothing is stored before the whole delivery was seen.
    before = former if dataset.delivery is DeliveryKind.APPEND else None
    seen = published_values(house, permit, dataset, before)
    examined = examine(dataset, delivery, workspace, seen, tally, max_bad_percent=max_bad_percent)
    if isinstance(examined, Refusal):
        return examined
    if not fewer and (refusal := _shrinks(dataset, former, examined.rows - examined.bad)) is not None:
        return refusal
    # (4) Number the subjects and put direct identifiers apart. A crash leaves numbers that no row carries and names
    #     that no row needs; the same delivery finds both again.
    numbers = _number_subjects(house, permit, dataset, examined)
    # (5) Put bad rows into quarantine. A crash leaves sealed rows under a snapshot that nobody published, for a sweep.
    kept = quarantine.keep(house, dataset.name, snapshot, examined.waiting.parts())
    # (6) Write the segment and what is derived from it. A crash leaves files that no snapshot names, for a sweep.
    segment = house.vault.load(permit, dataset, _stored(dataset, examined.batches(), numbers))
    refusal = _build(house, dataset, request, snapshot, segment, before)
    if refusal is not None:
        return refusal
    # (7) Publish: event and snapshot in one transaction. A crash before its commit has changed nothing, one after
    #     it has lost nothing.
    report = _report(dataset, delivery, examined, snapshot, former, started)
    return _publish(house, dataset, request, report, delivery, segment, before, by, kept, against)


def _doubled(dataset: Dataset, delivery: Delivery) -> Iterator[Reason]:
    """Name each file whose rows would count twice: it came with this delivery already, or with one that stays."""
    known, here = shelf.known_files(dataset), dict[str, str]()
    for file in delivery.files:
        if file.digest in here:
            yield Reason("intake-file-twice", {"file": file.name, "other": here[file.digest]})
        elif (held := known.get(file.digest)) is not None:
            facts = {"file": file.name, "snapshot": held.id, "day": held.published.date().isoformat()}
            yield Reason("intake-file-known", {**facts, "dataset": dataset.name})
        here.setdefault(file.digest, file.name)


def _shrinks(dataset: Dataset, former: Snapshot | None, rows: int) -> Refusal | None:
    """Refuse what looks like a part of a delivery where the whole of it is replaced."""
    if former is None or dataset.delivery is DeliveryKind.APPEND:
        return None
    if former.rows < _FEW or rows * _SHRUNK >= former.rows:
        return None
    return refuse("intake-shrinks", dataset=dataset.name, rows=f"{rows:,}", former=f"{former.rows:,}")


def _publish(
    house: House,
    dataset: Dataset,
    request: str,
    report: LoadReport,
    delivery: Delivery,
    segment: str,
    before: Snapshot | None,
    by: str,
    kept: dict[str, int],
    against: Callable[[], Sequence[Reason]],
) -> LoadReport | Refusal:
    segments = (*(before.segments if before else ()), segment)
    held = house.vault.held() | kept
    rows = report.total
    facts = {
        **_facts(dataset, report),
        "total": rows,
        "files": len(delivery.files),
        "segments": shelf.segments_digest(segments),
        "held": held,
    }
    try:
        with house.book.recording(Event("intake.published", by, request, facts)) as tx:
            if reasons := against():
                raise _NotHisAnyMore(tuple(reasons))
            high_water.rise(tx, held)
            files = tuple(file.digest for file in delivery.files)
            name = (report.snapshot, dataset.name, dataset.digest)
            shelf.publish(tx, Snapshot(*name, rows, segments, report.digest, tx.at, files))
    except ContractMoved:
        return refuse("load-contract-changed", dataset=dataset.name)
    except _NotHisAnyMore as fallen:
        return Refusal(fallen.reasons)
    return report


def _number_subjects(house: House, permit: LoadPermit, dataset: Dataset, examined: Examined) -> Numbers:
    """Return the subject numbers of every key column, over all good rows; keep direct identifiers on the way."""
    keys = [item for item in dataset.items if item.mask is Mask.TOKEN and item.subject is not None]
    found: dict[str, list[NDArray[np.int32]]] = {item.name: [] for item in keys}
    whose = identity_kind(dataset)
    for group in _groups(examined.batches()):
        for item in keys:
            assert item.subject is not None, "chosen so"
            ids = pa.chunked_array([masked.stored[item.name] for masked in group])
            found[item.name].append(_numbers_of(house, permit, dataset, item.subject, ids))
        if whose is not None:
            kind, key = whose
            table = pa.Table.from_batches([pa.RecordBatch.from_pydict(masked.identities) for masked in group])
            house.vault.keep_identities(permit, dataset, kind, found[key.name][-1], table)
    return {name: np.concatenate(parts) for name, parts in found.items() if parts}


def _numbers_of(
    house: House, permit: LoadPermit, dataset: Dataset, kind: SubjectKind, ids: pa.ChunkedArray
) -> NDArray[np.int32]:
    """Return the subject number of each row, asking once for each subject: most deliveries name one in many rows."""
    encoded = ids.combine_chunks().dictionary_encode()
    of_each = house.vault.number(permit, dataset, kind, encoded.dictionary)
    places = encoded.indices.fill_null(len(of_each)).to_numpy()
    numbers: NDArray[np.int32] = np.append(of_each, np.int32(UNKNOWN))[places]
    return numbers


def _groups(batches: Iterable[Masked]) -> Iterator[list[Masked]]:
    group: list[Masked] = []
    for masked in batches:
        group.append(masked)
        if sum(map(len, group)) >= _GROUP_ROWS:
            yield group
            group = []
    if group:
        yield group


def _stored(dataset: Dataset, batches: Iterable[Masked], numbers: Numbers) -> Iterator[pa.RecordBatch]:
    """Yield what the vault stores: subject numbers where identifiers were."""
    start = 0
    for masked in batches:
        rows = slice(start, start + len(masked))
        yield numbered(dataset, masked, {name: column[rows] for name, column in numbers.items()})
        start += len(masked)


def _build(
    house: House, dataset: Dataset, request: str, snapshot: str, segment: str, before: Snapshot | None
) -> Refusal | None:
    """Build every declared cube, and the newest date per person, of a snapshot that nobody sees yet."""
    builds: list[CubeSpec | str] = [*dataset.cubes, *([dataset.latest] if dataset.latest else [])]
    for build in builds:
        permit = decide_build(request, dataset, snapshot, build, house.clock())
        if isinstance(permit, Refusal):
            return permit
        if before is not None and isinstance(build, str):
            # The newest of an appended delivery and of what was known before: maximum is all it takes.
            house.vault.build(permit, dataset, (segment,), onto=before.id)
        else:
            house.vault.build(permit, dataset, (*(before.segments if before else ()), segment))
    return None


def _report(
    dataset: Dataset,
    delivery: Delivery,
    examined: Examined,
    snapshot: str,
    former: Snapshot | None,
    started: float,
) -> LoadReport:
    published, stood = examined.rows - examined.bad, former.rows if former else None
    appends = dataset.delivery is DeliveryKind.APPEND
    return LoadReport(
        dataset=dataset.name,
        zh=dataset.zh,
        snapshot=snapshot,
        digest=delivery.digest,
        rows=examined.rows,
        published=published,
        quarantined=examined.bad,
        found=examined.tally.counts(),
        files=tuple(examined.files),
        items=items_of(dataset),
        seconds=time.monotonic() - started,
        replaced=None if appends else stood,
        total=published + (stood or 0 if appends else 0),
        blank=examined.blank,
        appends=appends,
    )


def _recognised(
    dataset: Dataset, delivery: Delivery, known: Snapshot, current: Snapshot | None, started: float
) -> LoadReport:
    return LoadReport(
        dataset=dataset.name,
        zh=dataset.zh,
        snapshot=known.id,
        digest=delivery.digest,
        rows=0,
        published=0,
        quarantined=0,
        found=(),
        files=(),
        items=items_of(dataset),
        seconds=time.monotonic() - started,
        replaced=None,
        total=current.rows if current else 0,
        recognised=True,
    )


def _facts(dataset: Dataset, report: LoadReport) -> dict[str, object]:
    by_code: dict[str, int] = {}
    for count in report.found:
        by_code[count.code] = by_code.get(count.code, 0) + count.rows
    return {
        "dataset": dataset.name,
        "contract": dataset.digest,
        "batch": report.digest,
        "snapshot": report.snapshot,
        "rows": report.rows,
        "published": report.published,
        "quarantined": report.quarantined,
        "found": by_code,
    }


def _note(house: House, dataset: Dataset, refusal: Refusal, by: str) -> None:
    """Log that a delivery was refused: codes only. Nothing else changes."""
    facts: dict[str, object] = {"dataset": dataset.name, "codes": [reason.code for reason in refusal.reasons]}
    with house.book.recording(Event("intake.refused", by, "", facts)):
        pass
