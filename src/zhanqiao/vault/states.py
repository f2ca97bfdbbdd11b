# SPDX-License-Identifier: Apache-2.0
"""What is derived from a snapshot and kept inside: cubes and newest dates, sealed, immutable, bound to their snapshot.

    <folder>/<dataset>/<snapshot>/cube-<name>.sealed      the atoms of a cube
                                  newest-<item>.sealed    the newest date of every subject number
                                  newer-<item>.sealed     or what changed in them since an earlier snapshot, which it names

The seal names dataset, snapshot and label, so that nothing derived from one snapshot can stand in for another. A file
is written whole or not at all; a build that is repeated after a crash finds it done.

Changes stand on a snapshot with every number, never on other changes: two files are read, and no chain of them. When
changes reach a share of what they stand on, the whole array is written anew. So a day's delivery costs what it brings,
and a read little more than the array.
"""

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from zhanqiao.ledger import durable
from zhanqiao.terms.datasets import Dataset
from zhanqiao.vault import crypt, files, traces
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.keys import Keyring
from zhanqiao.vault.traces import NO_CHANGES, Changes, State

_SUFFIX = ".sealed"
_WHOLE, _CHANGES = "newest", "newer"
_ONTO = b"onto"
# A change is a number and a day. At a quarter, a read takes a tenth longer, and a city writes an array every other week.
_CHANGE_BYTES, _SHARE = 6, 4


@dataclass(frozen=True)
class Newer:
    """Changes of newest dates since a snapshot that holds them all."""

    onto: str
    changes: Changes


@dataclass(frozen=True)
class StateStore:
    """Where derived things lie."""

    folder: Path
    keyring: Keyring

    def write_cube(self, dataset: str, snapshot: str, cube: str, atoms: pa.Table) -> None:
        """Keep the atoms of a cube."""
        self._write(dataset, snapshot, f"cube-{cube}", _bytes_of(atoms))

    def cube(self, dataset: str, snapshot: str, cube: str) -> pa.Table:
        """Return the atoms of a cube; none was built for this snapshot = fault."""
        return pa.ipc.open_stream(self._read(dataset, snapshot, f"cube-{cube}")).read_all()

    def write_newest(self, dataset: str, snapshot: str, item: str, newest: State | Newer) -> None:
        """Keep the newest dates of a snapshot: of every subject number, or what changed since an earlier snapshot."""
        if isinstance(newest, Newer):
            label, other = f"{_CHANGES}-{item}", f"{_WHOLE}-{item}"
            schema = pa.schema([("number", pa.int32()), ("day", pa.uint16())], {_ONTO: newest.onto})
            content = _bytes_of(pa.table([newest.changes.numbers, newest.changes.days], schema=schema))
        else:
            label, other = f"{_WHOLE}-{item}", f"{_CHANGES}-{item}"
            content = newest.astype("<u2", copy=False).tobytes()
        if self._has(dataset, snapshot, other):
            state = self._laid(dataset, item, newest) if isinstance(newest, Newer) else newest
            if not np.array_equal(state, self.newest(dataset, snapshot, item)):
                raise VaultFault(f"couldn't keep {label} of {dataset}: another one was built for this snapshot")
            return
        self._write(dataset, snapshot, label, content)

    def newest(self, dataset: str, snapshot: str, item: str) -> State:
        """Return the newest date of every subject number."""
        if not self._has(dataset, snapshot, f"{_CHANGES}-{item}"):
            return self._whole(dataset, snapshot, item)
        return self._laid(dataset, item, self.newer(dataset, snapshot, item))

    def newer(self, dataset: str, snapshot: str, item: str) -> Newer:
        """Return which whole snapshot the newest dates of a snapshot stand on, and what changed since; perhaps nothing."""
        label = f"{_CHANGES}-{item}"
        if not self._has(dataset, snapshot, label):
            return self._checked(dataset, item, Newer(snapshot, NO_CHANGES))
        table = pa.ipc.open_stream(self._read(dataset, snapshot, label)).read_all()
        changes = Changes(table["number"].to_numpy(), table["day"].to_numpy())
        return self._checked(dataset, item, Newer(table.schema.metadata[_ONTO].decode(), changes))

    def room(self, dataset: str, newer: Newer, item: str) -> int:
        """Return of how many subjects there may be changes before the whole is written anew."""
        whole = self._path(dataset, newer.onto, f"{_WHOLE}-{item}").stat().st_size
        return whole // (_CHANGE_BYTES * _SHARE)

    def missing(self, dataset: Dataset, snapshot: str) -> list[str]:
        """Return what should have been derived from a snapshot and is not here; a fault when changes stand on nothing."""
        wanted = {f"cube-{cube.name}": self._has(dataset.name, snapshot, f"cube-{cube.name}") for cube in dataset.cubes}
        if dataset.latest is not None:
            labels = (f"{kind}-{dataset.latest}" for kind in (_WHOLE, _CHANGES))
            there = any(self._has(dataset.name, snapshot, label) for label in labels)
            wanted[f"newest-{dataset.latest}"] = there
            if there:
                self.newer(dataset.name, snapshot, dataset.latest)
        return [f"states/{dataset.name}/{snapshot}/{label}" for label, there in wanted.items() if not there]

    def prove(self) -> None:
        """Open everything that lies here, and find what changes stand on; a fault names the first that does not open."""
        for dataset, snapshot in self.snapshots():
            for path in sorted((self.folder / dataset / snapshot).glob(f"*{_SUFFIX}")):
                label = path.name.removesuffix(_SUFFIX)
                kind, _, item = label.partition("-")
                if kind == _CHANGES:
                    self.newer(dataset, snapshot, item)
                else:
                    self._read(dataset, snapshot, label)

    def snapshots(self) -> list[tuple[str, str]]:
        """Return dataset and snapshot of everything that lies here."""
        return sorted((path.parent.name, path.name) for path in self.folder.glob("*/*") if path.is_dir())

    def remove(self, dataset: str, snapshot: str) -> None:
        """Remove what was derived from a snapshot."""
        shutil.rmtree(self._path(dataset, snapshot, "any").parent)

    def stands_on(self, dataset: str, snapshot: str) -> set[str]:
        """Return the snapshots on which the newest dates of a snapshot stand as changes."""
        folder = self._path(dataset, snapshot, "any").parent
        changed = [path.name.removeprefix(f"{_CHANGES}-") for path in folder.glob(f"{_CHANGES}-*{_SUFFIX}")]
        return {self.newer(dataset, snapshot, name.removesuffix(_SUFFIX)).onto for name in changed}

    def _whole(self, dataset: str, snapshot: str, item: str) -> State:
        state: State = np.frombuffer(self._read(dataset, snapshot, f"{_WHOLE}-{item}"), "<u2")
        return state

    def _laid(self, dataset: str, item: str, newer: Newer) -> State:
        return traces.merged(self._whole(dataset, newer.onto, item), [(newer.changes.numbers, newer.changes.days)])

    def _checked(self, dataset: str, item: str, newer: Newer) -> Newer:
        if not self._has(dataset, newer.onto, f"{_WHOLE}-{item}"):
            raise VaultFault(f"couldn't read newest {item} of {dataset}: {newer.onto}, on which it stands, has none")
        return newer

    def _has(self, dataset: str, snapshot: str, label: str) -> bool:
        return self._path(dataset, snapshot, label).exists()

    def _write(self, dataset: str, snapshot: str, label: str, content: bytes) -> None:
        path, aad = self._path(dataset, snapshot, label), _aad(dataset, snapshot, label)
        if path.exists():
            if self._read(dataset, snapshot, label) != content:
                raise VaultFault(f"couldn't keep {label} of {dataset}: another one was built for this snapshot")
            return
        durable.write_whole(path, crypt.seal(self.keyring.key("states"), content, aad))

    def _read(self, dataset: str, snapshot: str, label: str) -> bytes:
        path = self._path(dataset, snapshot, label)
        if not path.exists():
            raise VaultFault(f"couldn't read {label} of {dataset}: it was not built for this snapshot")
        aad, what = _aad(dataset, snapshot, label), f"{label} of {dataset}"
        return crypt.open_sealed(self.keyring.key("states"), files.read(path, what), aad, what)

    def _path(self, dataset: str, snapshot: str, label: str) -> Path:
        parts = [files.checked_name(part) for part in (dataset, snapshot, label)]
        return self.folder / parts[0] / parts[1] / (parts[2] + _SUFFIX)


def _bytes_of(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _aad(dataset: str, snapshot: str, label: str) -> bytes:
    return f"state {dataset} {snapshot} {label}".encode()
