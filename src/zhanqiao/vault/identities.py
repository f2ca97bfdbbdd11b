# SPDX-License-Identifier: Apache-2.0
"""The identity store: direct identifiers (name, telephone, address), apart from the data and under a key of its own.

    <folder>/<kind>/<sequence>.sealed      one Arrow table each: subject number + identifier items as text

What a person is called is needed when the law says so, and never by a statistic: nothing in the engines can reach this
store. Later files win; a file is written whole or not at all. Their sequence has no gaps, and is never shorter than the
platform state recorded: what is missing is a fault that names it, and nothing is written in its place.
"""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa

from zhanqiao.ledger import durable
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault import crypt, files
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.held import Recorded
from zhanqiao.vault.keys import Keyring
from zhanqiao.vault.subjects import Numbers

_NUMBER = "subject_number"
_SUFFIX = ".sealed"


class IdentityStore:
    """Direct identifiers by kind and subject number."""

    def __init__(self, folder: Path, keyring: Keyring, recorded: Recorded) -> None:
        self._folder = folder
        self._recorded = recorded
        self._key = keyring.key("identities")

    def put(self, kind: SubjectKind, numbers: Numbers, table: pa.Table | pa.RecordBatch) -> None:
        """Keep the identifiers of these subjects, durable when this returns. Rows of unknown subjects are left out."""
        if len(numbers) != table.num_rows:
            raise VaultFault("couldn't keep identities: numbers and rows differ in count")
        columns = {name: table.column(name).cast(pa.string()) for name in table.schema.names}
        kept = pa.table({_NUMBER: pa.array(numbers, pa.int32()), **columns})
        kept = kept.filter(pa.array(np.asarray(numbers) >= 0))
        folder = self._folder / kind.value
        with durable.only_writer(folder / ".lock"):
            name = _name(self.count(kind))
            durable.write_whole(folder / name, crypt.seal(self._key, _bytes_of(kept), _aad(kind, name)))

    def count(self, kind: SubjectKind) -> int:
        """Return how many files of a kind there are; one that is missing is a fault."""
        # Asked before the disk is: a file is on disk before the publication that records it.
        recorded = self._recorded(held_of(kind))
        there = {path.name for path in (self._folder / kind.value).glob(f"*{_SUFFIX}")}
        for place in range(max(recorded, len(there))):
            if _name(place) not in there:
                raise VaultFault(
                    f"couldn't use the identity store of {kind.value}: {_name(place)} is missing; "
                    f"put the newest copy of vault/{held_of(kind)} back"
                )
        return len(there)

    def prove(self, kind: SubjectKind) -> None:
        """Open every file of a kind; a fault names the first that is missing or does not open."""
        for place in range(self.count(kind)):
            name = _name(place)
            what = f"{held_of(kind)}/{name}"
            sealed = files.read(self._folder / kind.value / name, what)
            crypt.open_sealed(self._key, sealed, _aad(kind, name), what)


def held_of(kind: SubjectKind) -> str:
    """Return the name of a kind's identities in the vault, under which their files are counted."""
    return f"identities/{kind.value}"


def _name(place: int) -> str:
    return f"{place:08d}{_SUFFIX}"


def _aad(kind: SubjectKind, name: str) -> bytes:
    return f"identities {kind.value} {name}".encode()


def _bytes_of(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
