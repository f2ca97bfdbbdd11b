# SPDX-License-Identifier: Apache-2.0
"""The shelf as the log tells it: every contract, the one in force for each dataset, every snapshot, the published one.

And by which of them each answer was read.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from zhanqiao.catalogue import shelf
from zhanqiao.catalogue.models import ContractRow, HighWaterRow, SnapshotRow, StandingRow
from zhanqiao.ledger.entries import CERTIFIED, RELEASED, LedgerDamaged, LoggedEvent
from zhanqiao.ledger.replay import Comparison, Facts, second
from zhanqiao.terms.canonical import digest_bytes
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.refusals import Reason

# A publication is dated when it begins to wait for the state, for which nobody waits longer than half as long.
_WAIT = timedelta(minutes=1)


@dataclass(frozen=True)
class _Contract:
    dataset: str
    version: str
    by: str
    described: str | None


@dataclass(frozen=True)
class _Standing:
    code: str
    contract: str
    snapshot: str | None


@dataclass(frozen=True)
class _Snapshot:
    dataset: str
    contract: str
    batch: str
    segments: str
    rows: object
    published: str | None
    files: object


class ShelfReplay:
    """Replays `catalogue.described` and `intake.published`, and judges what every release was read from."""

    def __init__(self) -> None:
        self._contracts: dict[str, _Contract] = {}  # by digest
        self._standing: dict[str, _Standing] = {}
        self._snapshots: dict[str, _Snapshot] = {}
        self._marks: dict[str, int] = {}
        self._replaced: dict[str, datetime] = {}  # snapshots that were published before the one that is
        self._certified: Mapping[str, str] = {}  # the snapshots of the envelope that a release stands behind

    def described(self, names: Collection[str]) -> dict[str, Dataset]:
        """Return those of the named datasets that were described, under their contracts in force then."""
        return {name: _read(self._standing[name].contract) for name in names if name in self._standing}

    def take(self, event: LoggedEvent, facts: Facts) -> Sequence[Reason]:
        """Judge what the event says, then do it once more."""
        if event.kind.endswith(CERTIFIED):
            # Its release is the next entry: `ledger.audit` has seen to that.
            self._certified = _texts(facts["snapshot"])
            return ()
        if event.kind.endswith(RELEASED):
            return [*self._judge_read(facts), *self._judge_snapshots(datetime.fromisoformat(str(facts["permitted"])))]
        said = _texts(facts)
        if reasons := self._judge(event.kind, said):
            return reasons
        self._do(event, facts, said)
        return ()

    def _judge_read(self, facts: Facts) -> Sequence[Reason]:
        """Judge under which descriptions the answer was read: they say what is a figure, and what a subject."""
        read = _texts(facts["read"])
        names = sorted(read.keys() | self._certified.keys())
        return [
            Reason("dataset-changed", {"dataset": name}) for name in names if not self._stands(name, read.get(name))
        ]

    def _stands(self, dataset: str, contract: str | None) -> bool:
        standing, row = self._standing.get(dataset), self._snapshots.get(self._certified.get(dataset, ""))
        return standing is not None and row is not None and {standing.contract, row.contract} == {contract}

    def _judge_snapshots(self, permitted: datetime) -> Sequence[Reason]:
        """Judge which snapshots answered: each the published one of its dataset when the permit was made."""

        def stood(dataset: str, snapshot: str) -> bool:
            row, replaced = self._snapshots.get(snapshot), self._replaced.get(snapshot)
            return row is not None and row.dataset == dataset and (replaced is None or permitted - replaced <= _WAIT)

        strange = [dataset for dataset, snapshot in self._certified.items() if not stood(dataset, snapshot)]
        return [Reason("snapshot-superseded", {"dataset": dataset}) for dataset in strange]

    def _judge(self, kind: str, said: Mapping[str, str]) -> Sequence[Reason]:
        match kind:
            case "catalogue.described":
                dataset = _read(said["contract"])
                refusal = shelf.check_successor(dataset, self._found_by(dataset))
                return () if refusal is None else refusal.reasons
            case "intake.published":
                row = self._standing.get(said["dataset"])
                stood = row is not None and row.contract == said["contract"]
                return [] if stood else [Reason("load-contract-changed", {"dataset": said["dataset"]})]
            case _:
                return ()

    def _found_by(self, dataset: Dataset) -> shelf.Found:
        holder = next((name for name, one in self._standing.items() if one.code == dataset.code), None)
        return shelf.Found(self.described([dataset.name]).get(dataset.name), holder)

    def _do(self, event: LoggedEvent, facts: Facts, said: Mapping[str, str]) -> None:
        at = second(event.time)
        match event.kind:
            case "catalogue.described":
                dataset, contract = said["dataset"], said["contract"]
                self._contracts[contract] = _Contract(dataset, said["version"], event.by, at)
                self._replace(dataset, None, event.time)
                self._standing[dataset] = _Standing(said["code"], contract, None)
            case "intake.published":
                dataset, snapshot = said["dataset"], said["snapshot"]
                self._snapshots[snapshot] = _Snapshot(
                    dataset,
                    said["contract"],
                    said["batch"],
                    said["segments"],
                    facts["total"],
                    at,
                    facts.get("files", 0),
                )
                self._replace(dataset, snapshot, event.time)
                self._raise_marks(facts["held"])

    def _replace(self, dataset: str, snapshot: str | None, at: datetime) -> None:
        if (standing := self._standing.get(dataset)) is None:
            return
        if standing.snapshot is not None:
            self._replaced[standing.snapshot] = at
        self._standing[dataset] = replace(standing, snapshot=snapshot)

    def _raise_marks(self, held: object) -> None:
        assert isinstance(held, dict), "a publication says what the vault held"
        self._marks |= {name: max(count, self._marks.get(name, 0)) for name, count in held.items()}

    def comparisons(self) -> Iterator[Comparison]:
        """Set the outcome beside the rows."""
        rows = {row.digest: row for row in ContractRow.objects.all()}
        contracts = {
            name: _Contract(row.dataset, row.version, row.by, second(row.described)) for name, row in rows.items()
        }
        yield Comparison("contract", self._contracts, contracts)
        texts = {name: digest_bytes(row.text.encode()) for name, row in rows.items()}
        yield Comparison("the text of contract", {name: name for name in self._contracts}, texts)
        standing = StandingRow.objects.values_list("dataset", "code", "contract_id", "snapshot_id")
        yield Comparison("dataset", self._standing, {row[0]: _Standing(*row[1:]) for row in standing})
        yield Comparison("high-water mark", self._marks, dict(HighWaterRow.objects.values_list("name", "count")))
        snapshots = {row.id: _held(row) for row in SnapshotRow.objects.all()}
        yield Comparison("snapshot", self._snapshots, snapshots)


def _texts(facts: object) -> dict[str, str]:
    assert isinstance(facts, Mapping), "what was logged is whole"
    return {str(name): str(value) for name, value in facts.items()}


def _read(digest: str) -> Dataset:
    try:
        return shelf.read_kept(digest)
    except shelf.ShelfDamaged as cause:
        raise LedgerDamaged(f"couldn't audit: {cause}") from cause


def _held(row: SnapshotRow) -> _Snapshot:
    segments = shelf.segments_digest(row.segments)
    # The log names a delivery by its files; a row of an older version does not list them.
    batch = shelf.batch_digest(row.files) if row.files else row.batch_digest
    batch = batch if batch == row.batch_digest else f"{row.batch_digest} with the files of {batch}"
    published = second(row.published)
    return _Snapshot(row.dataset, row.contract_id, batch, segments, row.rows, published, len(row.files))
