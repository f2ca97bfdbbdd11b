# SPDX-License-Identifier: Apache-2.0
"""Masked batches between check and publication: in memory while they fit, beyond that in a sealed file.

Nothing may be stored before the whole delivery has been checked, and a delivery can be larger than memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from zhanqiao.intake.landing import SealedFile
from zhanqiao.intake.masks import Masked

IN_MEMORY_BYTES = 512 << 20
_STORED, _IDENTITY, _NUMBER = "s:", "i:", "n"


@dataclass
class Spool:
    """An ordered store of masked batches."""

    overflow: SealedFile
    in_memory_bytes: int = IN_MEMORY_BYTES
    rows: int = 0
    _batches: list[Masked | int] = field(default_factory=list)  # a place in the overflow, where it is a number
    _schema: pa.Schema | None = None
    _held: int = 0

    def __len__(self) -> int:
        return len(self._batches)

    def append(self, masked: Masked) -> None:
        """Keep one more batch."""
        self.rows += len(masked)
        size = sum(column.nbytes for column in (*masked.stored.values(), *masked.identities.values()))
        if self._held + size <= self.in_memory_bytes:
            self._held += size
            self._batches.append(masked)
            return
        batch = _packed(masked)
        self._schema = batch.schema
        self._batches.append(self.overflow.append(memoryview(batch.serialize()).cast("B")))

    def __iter__(self) -> Iterator[Masked]:
        for batch in self._batches:
            yield batch if isinstance(batch, Masked) else self._opened(batch)

    def _opened(self, place: int) -> Masked:
        return _unpacked(pa.ipc.read_record_batch(pa.py_buffer(self.overflow.chunk(place)), self._schema))


def _packed(masked: Masked) -> pa.RecordBatch:
    columns = {_STORED + name: column for name, column in masked.stored.items()}
    columns |= {_IDENTITY + name: column for name, column in masked.identities.items()}
    columns[_NUMBER] = pa.array(masked.numbers)
    return pa.RecordBatch.from_pydict(columns)


def _unpacked(batch: pa.RecordBatch) -> Masked:
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    numbers = columns.pop(_NUMBER).to_numpy()
    stored = {name[2:]: column for name, column in columns.items() if name.startswith(_STORED)}
    identities = {name[2:]: column for name, column in columns.items() if name.startswith(_IDENTITY)}
    return Masked(stored, identities, np.asarray(numbers, np.int32))
