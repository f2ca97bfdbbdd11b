# SPDX-License-Identifier: Apache-2.0
"""Quarantine (隔离): bad rows as they were delivered, with the reasons, sealed.

    <home>/quarantine/<dataset>/<snapshot>/<part>.sealed     JSON lines under the quarantine key of the vault

The department corrects its rows from the report, which has no values; who has to see a row opens it here. Parts belong
to one place: moved elsewhere they do not open. How many there are is recorded with the publication, so that a part which
is missing is found when somebody reads them.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zhanqiao.catalogue import high_water
from zhanqiao.identity.attempts import note_refusal
from zhanqiao.intake.landing import SealedFile
from zhanqiao.intake.report import Tally
from zhanqiao.ledger import durable
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal
from zhanqiao.vault import files
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.house import House
from zhanqiao.vault.keys import Sealed

FOLDER = "quarantine"
READ = "quarantine.read"
_PART_BYTES = 4 << 20
_as_line = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode  # made once: a delivery has many bad rows


@dataclass(frozen=True)
class BadRow:
    """One quarantined row.

    file    which of the delivery's files, from 1
    row     its number there, as a spreadsheet shows it
    faults  (item, code); item "" when the row as a whole is meant
    values  header -> text as delivered, or None for a row that could not be parted into fields
    raw     the text of such a row, else None
    """

    file: int
    row: int
    faults: tuple[tuple[str, str], ...]
    values: dict[str, str] | None
    raw: str | None = None


@dataclass
class Waiting:
    """Bad rows of a delivery that is still being checked, sealed in a nameless file."""

    waiting: SealedFile
    _lines: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, row: BadRow) -> None:
        """Put one row aside."""
        line = _as_line(vars(row)).encode("utf-8", "surrogatepass")
        self._lines.append(line)
        self._size += len(line)
        if self._size >= _PART_BYTES:
            self._flush()

    def parts(self) -> Iterator[bytes]:
        """Return what was put aside, in parts of JSON lines."""
        self._flush()
        return self.waiting.chunks()

    def _flush(self) -> None:
        if self._lines:
            self.waiting.append(b"\n".join(self._lines))
            self._lines, self._size = [], 0


def keep(house: House, dataset: str, snapshot: str, parts: Iterable[bytes]) -> dict[str, int]:
    """Seal the bad rows of one load, durable when this returns. Keeping them again under the same name is harmless.

    Returns how many parts there are, for the publication to record.
    """
    folder, kept = _folder(house, dataset, snapshot), 0
    for kept, part in enumerate(parts, start=1):
        name = _name(kept - 1)
        durable.write_whole(folder / name, house.vault.seal(Sealed.BAD_ROWS, part, _aad(dataset, snapshot, name)))
    return {_held_of(dataset, snapshot): kept} if kept else {}


def read(house: House, dataset: str, snapshot: str) -> Iterator[BadRow]:
    """Open the bad rows of one load, in no particular order."""
    for plain in _opened(house, dataset, snapshot):
        for line in plain.split(b"\n"):
            row = json.loads(line)
            yield BadRow(**{**row, "faults": tuple((item, code) for item, code in row["faults"])})


def tell(
    house: House, dataset: str, snapshot: str, by: str, against: Callable[[], Sequence[Reason]] = tuple
) -> Tally | Refusal:
    """Return what is wrong with the bad rows of one load; the log says first who wanted to know.

    against  gives what stands against `by` knowing it; asked where it is logged
    """
    with house.book.recording() as tx:
        if reasons := tuple(against()):
            return note_refusal(tx, READ, by, dataset, reasons)
        tx.add(Event(READ, by, facts={"dataset": dataset, "snapshot": snapshot}))
    found: dict[tuple[str, str], dict[int, list[int]]] = {}
    for row in read(house, dataset, snapshot):
        for fault in row.faults:
            found.setdefault(fault, {}).setdefault(row.file, []).append(row.row)
    tally = Tally()
    for (item, code), rows in found.items():
        for file in sorted(rows):
            tally.add(item, code, file, np.sort(np.array(rows[file], np.int32)))
    return tally


def missing(house: House, kept: Iterable[tuple[str, str]]) -> list[str]:
    """Return the parts of those loads (dataset, snapshot) that are not there, by their names in the deployment."""
    return [
        f"{FOLDER}/{dataset}/{snapshot}/{_name(number)}"
        for dataset, snapshot in sorted(kept)
        for number in range(high_water.mark_of(_held_of(dataset, snapshot)))
        if not (_folder(house, dataset, snapshot) / _name(number)).is_file()
    ]


def prove(house: House, kept: Iterable[tuple[str, str]]) -> None:
    """Open every part that lies here, and find all of those loads (dataset, snapshot); a fault names the first that fails."""
    lying = [(folder.parent.name, folder.name) for folder in (house.home / FOLDER).glob("*/*")]
    for dataset, snapshot in sorted({*lying, *kept}):
        for _ in _opened(house, dataset, snapshot):
            pass


def _opened(house: House, dataset: str, snapshot: str) -> Iterator[bytes]:
    folder = _folder(house, dataset, snapshot)
    there = len(list(folder.glob("*.sealed")))
    for number in range(max(there, high_water.mark_of(_held_of(dataset, snapshot)))):
        path = folder / _name(number)
        if not path.exists():
            raise VaultFault(f"couldn't read the quarantine of {snapshot}: {path.name} is missing")
        sealed = files.read(path, f"the quarantine of {snapshot}")
        yield house.vault.open(Sealed.BAD_ROWS, sealed, _aad(dataset, snapshot, path.name))


def forget(house: House, dataset: str, snapshot: str) -> None:
    """Remove the bad rows of a load whose snapshot is dropped; only while the vault is held alone."""
    folder = _folder(house, dataset, snapshot)
    if folder.exists():
        shutil.rmtree(folder)


def sweep(house: House, known: set[str]) -> list[str]:
    """Remove the bad rows of loads that published nothing, and unfinished files; only while the vault is held alone."""
    root = house.home / FOLDER
    gone = [folder for folder in sorted(root.glob("*/*")) if folder.name not in known]
    for folder in gone:
        shutil.rmtree(folder)
    parts = sorted(root.rglob(f"*{durable.PART}"))
    for part in parts:
        part.unlink()
    return [str(path.relative_to(house.home)) for path in (*gone, *parts)]


def _folder(house: House, dataset: str, snapshot: str) -> Path:
    return house.home / FOLDER / files.checked_name(dataset) / files.checked_name(snapshot)


def _name(number: int) -> str:
    return f"{number:06d}.sealed"


def _held_of(dataset: str, snapshot: str) -> str:
    return f"{FOLDER}/{dataset}/{snapshot}"


def _aad(dataset: str, snapshot: str, name: str) -> bytes:
    return f"quarantine {dataset}/{snapshot}/{name}".encode()
