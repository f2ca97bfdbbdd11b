# SPDX-License-Identifier: Apache-2.0
"""Segments: the rows of one load, one immutable encrypted DuckDB file each.

    <folder>/<dataset>/<snapshot>-<random>.duckdb

A name is never used twice, so that nothing is ever written over; readers attach read-only and never wait for a writer.
Each file has a key of its own, derived from the segments key and its name: a file put in another's place does not open.
What a load that failed left is known to no snapshot, and a sweep removes it.
"""

import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from zhanqiao.ledger import durable
from zhanqiao.ledger.regular_file import opened, read_up_to
from zhanqiao.terms.datasets import Dataset, Generaliser, Item, LogicalType
from zhanqiao.vault import crypt, files
from zhanqiao.vault.connection import DEFAULT_LIMITS, Attachment, Limits, locked_down, quoted, shortage
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.keys import Keyring

TABLE = "segment"
SUFFIX = ".duckdb"
# How each database of the engine begins, behind a checksum, sealed or not.
_MAGIC_AT, _MAGIC = 8, b"DUCK"
# To open a connection takes longer than to read most segments, and each attached one takes memory.
_PROVEN_TOGETHER = 16


def brought_by(segment: str) -> tuple[str, str]:
    """Return the dataset of a segment, and the snapshot that it came with."""
    dataset, _, name = segment.partition("/")
    return dataset, name.rpartition("-")[0]


def stored_items(dataset: Dataset) -> tuple[Item, ...]:
    """Return the items that have a column, in the contract's order."""
    return tuple(item for item in dataset.items if item.stored)


def arrow_type(item: Item) -> pa.DataType:
    """Return the type in which an item's values are stored."""
    if item.subject is not None:
        return pa.int32()
    if item.generaliser is not None:
        return pa.int64() if item.generaliser is Generaliser.YEAR else pa.string()
    match item.type:
        case LogicalType.STRING:
            return pa.string()
        case LogicalType.INTEGER:
            return pa.int64()
        case LogicalType.NUMBER:
            return pa.decimal128(18, item.scale)
        case LogicalType.DATE:
            return pa.date32()
        case LogicalType.BOOLEAN:
            return pa.bool_()


def stored_schema(dataset: Dataset) -> pa.Schema:
    """Return the columns that `Vault.load` takes: one per stored item, subject keys as subject numbers."""
    return pa.schema([pa.field(item.name, arrow_type(item), not item.required) for item in stored_items(dataset)])


def sql_type(item: Item) -> str:
    """Return the same type as DuckDB writes it."""
    kind = arrow_type(item)
    if pa.types.is_decimal(kind):
        return f"DECIMAL(18, {item.scale})"
    return {
        pa.int32(): "INTEGER",
        pa.int64(): "BIGINT",
        pa.string(): "VARCHAR",
        pa.date32(): "DATE",
        pa.bool_(): "BOOLEAN",
    }[kind]


@dataclass(frozen=True)
class SegmentStore:
    """Where segments lie. A segment's name is `<dataset>/<snapshot>-<random>`."""

    folder: Path
    scratch: Path
    keyring: Keyring
    limits: Limits = DEFAULT_LIMITS

    def write(self, dataset: Dataset, snapshot: str, batches: Iterable[pa.RecordBatch]) -> str:
        """Write one segment and give it its place; returns its name.

        A crash before the rename leaves a `.part` file; after it, a segment that no snapshot names. `sweep` takes both.
        """
        name = f"{files.checked_name(dataset.name)}/{files.checked_name(snapshot)}-{secrets.token_hex(8)}"
        path = self._path(name)
        durable.make_folder(path.parent)
        part = path.with_name(path.name + durable.PART)
        arriving, written = _Arriving(batches, dataset), False
        try:
            self._fill(name, part, dataset, arriving)
            written = True
        except (duckdb.Error, pa.ArrowException) as fault:
            # The engine's words may hold a value. What failed on the sender's side is the sender's own exception.
            if arriving.fault is not None:
                raise arriving.fault from None
            wrong = VaultFault(f"couldn't write a segment of {dataset.name}: {type(fault).__name__}")
            raise shortage(fault) or wrong from None
        finally:
            if not written:
                # The engine's own log of a file that it could not finish lies beside it.
                for left in path.parent.glob(f"{part.name}*"):
                    left.unlink()
        durable.publish_file(part, path)
        return name

    def attachments(self, names: Iterable[str]) -> list[Attachment]:
        """Return what a connection needs to read these segments, as `s0`, `s1`, ..."""
        return [
            Attachment(f"s{place}", self._path(name), self._key(name), f"segment {name}")
            for place, name in enumerate(names)
        ]

    def names(self) -> list[str]:
        """Return every segment that lies here, known to a snapshot or not; what is no file is none."""
        found = (path for path in self.folder.glob(f"*/*{SUFFIX}") if path.is_file())
        return sorted(f"{path.parent.name}/{path.name.removesuffix(SUFFIX)}" for path in found)

    def prove(self) -> None:
        """Read all of each segment once, and tell nothing of it; a fault names the first that does not open."""
        names = self.names()
        for start in range(0, len(names), _PROVEN_TOGETHER):
            some = names[start : start + _PROVEN_TOGETHER]
            with self.reading(some) as connection:
                for place, name in enumerate(some):
                    # Of a row as a whole, so that no column is left out because its figures are known beforehand.
                    sql = f'SELECT system.main.bit_xor(system.main.hash(s)) FROM "s{place}"."main".{quoted(TABLE)} AS s'  # noqa: S608
                    try:
                        connection.execute(sql).fetchall()
                    except duckdb.Error as fault:
                        raise shortage(fault) or VaultFault(f"couldn't open segment {name}: damaged") from None

    def drop(self, dataset: str, snapshot: str, kept: Collection[str] = ()) -> list[str]:
        """Remove the segments that a snapshot brought, but for those kept; return which."""
        gone = [name for name in self.names() if brought_by(name) == (dataset, snapshot) and name not in kept]
        for name in gone:
            self._path(name).unlink(missing_ok=True)
        return gone

    @contextmanager
    def reading(self, names: Sequence[str]) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a connection that sees these segments, as `s0`, `s1`, ..., and nothing else."""
        if not names:
            raise VaultFault("couldn't read a snapshot: it has no segments")
        try:
            attachments = self.attachments(names)
            with locked_down(self.scratch, attachments, self.limits) as connection, _ended_by_hand(connection):
                yield connection
        except duckdb.Error as fault:
            # The engine's words may hold a value.
            wrong = VaultFault(f"couldn't compute over a snapshot: {type(fault).__name__}")
            raise shortage(fault) or wrong from None

    def _fill(self, name: str, part: Path, dataset: Dataset, arriving: "_Arriving") -> None:
        schema = arriving.schema
        columns = ", ".join(
            f"{quoted(item.name)} {sql_type(item)}{' NOT NULL' if item.required else ''}"
            for item in stored_items(dataset)
        )
        target = f'"new"."main".{quoted(TABLE)}'
        attachment = Attachment("new", part, self._key(name), f"segment {name}", writable=True)
        with locked_down(self.scratch, [attachment], self.limits) as connection, _ended_by_hand(connection):
            connection.execute(f"CREATE TABLE {target} ({columns})")
            connection.register("arriving", pa.RecordBatchReader.from_batches(schema, arriving))
            connection.execute(f'INSERT INTO {target} SELECT * FROM "arriving"')  # noqa: S608  a fixed name
            connection.unregister("arriving")
            connection.execute('CHECKPOINT "new"')
            connection.execute('DETACH "new"')

    def _path(self, name: str) -> Path:
        dataset, _, segment = name.partition("/")
        return self.folder / files.checked_name(dataset) / (files.checked_name(segment) + SUFFIX)

    def _key(self, name: str) -> bytes:
        return self.keyring.derived("segments", name)


@contextmanager
def _ended_by_hand(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Raise Ctrl-C as what it is: met while the engine works, it comes as a fault of the engine's."""
    try:
        yield
    except RuntimeError as fault:
        if isinstance(fault.__cause__, KeyboardInterrupt):
            # Its threads compute on, and to close the connection would wait for them.
            connection.interrupt()
            raise KeyboardInterrupt from None
        raise


def begins_sealed(path: Path) -> bool:
    """Whether a file begins as all that lies in the vault does: as a seal of ours, or as a database of the engine."""
    with opened(path) as descriptor:
        head = read_up_to(descriptor, _MAGIC_AT + len(_MAGIC))
    return crypt.begins_sealed(head) or head[_MAGIC_AT:] == _MAGIC


def lies_open(path: Path) -> bool:
    """Whether a file, whatever its name, is a database that opens without a key."""
    try:
        with opened(path) as descriptor:
            if read_up_to(descriptor, _MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] != _MAGIC:
                return False
        duckdb.connect(str(path), read_only=True).close()
    except (OSError, duckdb.Error):
        return False
    return True


class OverSegments:
    """What every engine over a `SegmentStore` keeps in the same way, so that each reads what the other wrote."""

    def __init__(self, store: SegmentStore) -> None:
        self._store = store

    def scan_schema(self, dataset: Dataset) -> pa.Schema:
        return stored_schema(dataset)

    def load(self, dataset: Dataset, snapshot: str, batches: Iterable[pa.RecordBatch]) -> str:
        return self._store.write(dataset, snapshot, batches)

    def names(self) -> list[str]:
        return self._store.names()

    def expect_ready(self) -> None:
        with locked_down(self._store.scratch):
            pass

    def prove(self) -> None:
        self._store.prove()

    def drop(self, dataset: str, snapshot: str, kept: Collection[str] = ()) -> list[str]:
        return self._store.drop(dataset, snapshot, kept)


class _Arriving:
    """Batches on their way into the engine, which would swallow an exception of theirs: it is kept here."""

    def __init__(self, batches: Iterable[pa.RecordBatch], dataset: Dataset) -> None:
        self._batches = batches
        self._keys = [item.name for item in stored_items(dataset) if item.subject is not None]
        self.schema = stored_schema(dataset)
        self.fault: Exception | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                yield self._shaped(batch)
        except Exception as fault:
            self.fault = fault
            raise

    def _shaped(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Put a batch into exactly the stored columns."""
        if set(batch.schema.names) != set(self.schema.names):
            raise VaultFault("couldn't load a batch: its columns are not the contract's stored items")
        try:
            columns = [batch.column(name).cast(self.schema.field(name).type) for name in self.schema.names]
        except pa.ArrowException:
            raise VaultFault("couldn't load a batch: a column is not of its stored type") from None
        shaped = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        if any((pc.min(shaped.column(key)).as_py() or 0) < 0 for key in self._keys):
            raise VaultFault("couldn't load a batch: a row carries no subject's number")
        return shaped
