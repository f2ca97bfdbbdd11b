# SPDX-License-Identifier: Apache-2.0
"""The shelf as the log tells it: which contract is in force for each dataset, and which snapshot is published."""

from collections.abc import Iterator

from zhanqiao.catalogue.models import HighWaterRow, SnapshotRow, StandingRow
from zhanqiao.catalogue.shelf import segments_digest
from zhanqiao.ledger.entries import LoggedEvent
from zhanqiao.ledger.replay import Comparison, Facts


class ShelfReplay:
    """Replays `catalogue.described` and `intake.published`."""

    def __init__(self) -> None:
        self._standing: dict[str, tuple[str, str, str | None]] = {}  # code, contract, snapshot
        self._snapshots: dict[str, tuple[str, str, str, str]] = {}  # dataset, contract, batch, segments
        self._marks: dict[str, int] = {}

    def take(self, event: LoggedEvent, facts: Facts) -> None:
        """Do once more what the event says."""
        match event.kind:
            case "catalogue.described":
                self._standing[str(facts["dataset"])] = (str(facts["code"]), str(facts["contract"]), None)
            case "intake.published":
                dataset, contract, snapshot, batch, segments = (
                    str(facts[name]) for name in ("dataset", "contract", "snapshot", "batch", "segments")
                )
                self._snapshots[snapshot] = (dataset, contract, batch, segments)
                self._standing[dataset] = (*self._standing[dataset][:2], snapshot)
                self._raise_marks(facts["held"])

    def _raise_marks(self, held: object) -> None:
        assert isinstance(held, dict), "a publication says what the vault held"
        self._marks |= {name: max(count, self._marks.get(name, 0)) for name, count in held.items()}

    def comparisons(self) -> Iterator[Comparison]:
        """Set the outcome beside the rows."""
        standing = StandingRow.objects.values_list("dataset", "code", "contract_id", "snapshot_id")
        yield Comparison("dataset", self._standing, {row[0]: row[1:] for row in standing})
        yield Comparison("high-water mark", self._marks, dict(HighWaterRow.objects.values_list("name", "count")))
        snapshots = SnapshotRow.objects.values_list("id", "dataset", "contract_id", "batch_digest", "segments")
        held = {row[0]: (*row[1:4], segments_digest(row[4])) for row in snapshots}
        yield Comparison("snapshot", self._snapshots, held)
