# SPDX-License-Identifier: Apache-2.0
"""What is derived from a snapshot and kept inside: cubes and newest dates, sealed, immutable, bound to their snapshot.

    <folder>/<dataset>/<snapshot>/<label>.sealed

The seal names dataset, snapshot and label, so that nothing derived from one snapshot can stand in for another. A file
is written whole or not at all; a build that is repeated after a crash finds it done.
"""

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from zhanqiao.ledger import durable
from zhanqiao.vault import crypt, files
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.keys import Keyring
from zhanqiao.vault.traces import State

_SUFFIX = ".sealed"


@dataclass(frozen=True)
class StateStore:
    """Where derived things lie."""

    folder: Path
    keyring: Keyring

    def write_cube(self, dataset: str, snapshot: str, cube: str, atoms: pa.Table) -> None:
        """Keep the atoms of a cube."""
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, atoms.schema) as writer:
            writer.write_table(atoms)
        self._write(dataset, snapshot, f"cube-{cube}", sink.getvalue())

    def cube(self, dataset: str, snapshot: str, cube: str) -> pa.Table:
        """Return the atoms of a cube; none was built for this snapshot = fault."""
        return pa.ipc.open_stream(self._read(dataset, snapshot, f"cube-{cube}")).read_all()

    def write_newest(self, dataset: str, snapshot: str, item: str, state: State) -> None:
        """Keep the newest date per subject number."""
        self._write(dataset, snapshot, f"newest-{item}", state.astype("<u2").tobytes())

    def newest(self, dataset: str, snapshot: str, item: str) -> State:
        """Return the newest date per subject number."""
        state: State = np.frombuffer(self._read(dataset, snapshot, f"newest-{item}"), "<u2")
        return state

    def snapshots(self) -> list[tuple[str, str]]:
        """Return dataset and snapshot of everything that lies here."""
        return sorted((path.parent.name, path.name) for path in self.folder.glob("*/*") if path.is_dir())

    def remove(self, dataset: str, snapshot: str) -> None:
        """Remove what was derived from a snapshot that the catalogue does not know."""
        shutil.rmtree(self._path(dataset, snapshot, "any").parent)

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
        aad = _aad(dataset, snapshot, label)
        return crypt.open_sealed(self.keyring.key("states"), path.read_bytes(), aad, f"{label} of {dataset}")

    def _path(self, dataset: str, snapshot: str, label: str) -> Path:
        parts = [files.checked_name(part) for part in (dataset, snapshot, label)]
        return self.folder / parts[0] / parts[1] / (parts[2] + _SUFFIX)


def _aad(dataset: str, snapshot: str, label: str) -> bytes:
    return f"state {dataset} {snapshot} {label}".encode()
