# SPDX-License-Identifier: Apache-2.0
"""The engine for those who have Spark: the same statements over Spark Connect, with the same bits as every other engine.

At rest there is what DuckDB keeps, encrypted: no format is encrypted for both. For each job a room (`spark_walls`) is
opened, with a server of its own; the columns that the job reads are decrypted here and handed over as Arrow, and when the
job is done the room ends with all that it held. Nothing is written in clear text. Answers come from published atoms
alone; the cubes that are open share one room, each in a session of its own.

What makes the bits equal (the servers wrap a sum that overflows, and say nothing):

    sums    of DECIMAL(18, s) or DECIMAL(19, 0), which have ten digits more than one value: 10^10 rows, and no more, fit
    atoms   are handed over only if all of them together, without their signs, fit into DECIMAL(38, s)
    text    is compared byte by byte, never cast, cut or folded; nothing is divided, rounded or sorted there
    names   are lower case in our contracts; the servers make no difference between cases
"""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from zhanqiao.policy.ir import Statement
from zhanqiao.terms.datasets import CubeSpec, Dataset, Item
from zhanqiao.terms.services import Value
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault import cubes, decimals, spark_session
from zhanqiao.vault.connection import quoted
from zhanqiao.vault.cubes import Leaf, Units, item_of, key_item, subject_keys
from zhanqiao.vault.decimals import as_integer
from zhanqiao.vault.engines import Days, OpenCube, Read, RolledUp, Where
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.open_cube import rolled_up
from zhanqiao.vault.printer import CUBE_TABLE, KEPT, Dialect, measures_of, print_answer
from zhanqiao.vault.safety import Contributions, UnitFigures
from zhanqiao.vault.segments import TABLE, OverSegments, SegmentStore, arrow_type, sql_type
from zhanqiao.vault.spark_session import Room, Rooms, Session
from zhanqiao.vault.subjects import Numbers

_PIECE_ROWS = 1 << 18
# DECIMAL(18, s) and DECIMAL(19, 0) are summed in types of ten digits more.
_MOST_ROWS = 10**10
_MOST_SUM, _MOST_COUNT = 10**38, 1 << 63


def _marked(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _sql_type(item: Item) -> str:
    kind = sql_type(item)
    return {"INTEGER": "INT", "VARCHAR": "STRING"}.get(kind, kind)


def _tested(column: str, test: str) -> str:
    # Sail folds `x IN (1) AND x IN (2)` to false, though for NULL it is NULL; through CASE its optimizer does not look.
    return f"(CASE WHEN {column} IS NOT NULL THEN ({column} {test}) END)"


SPARK = Dialect(_marked, "", _marked(CUBE_TABLE), _sql_type, _tested)


class SparkEngine(OverSegments):
    """Keeps segments in a `SegmentStore`, and computes in rooms."""

    def __init__(self, store: SegmentStore, rooms: Rooms | None = None) -> None:
        super().__init__(store)
        self._rooms = rooms or (lambda: spark_session.walled(store.limits))
        self._asked = _AskedRoom(self._rooms)

    def expect_ready(self) -> None:
        super().expect_ready()
        with self._rooms() as room:
            room.session()

    def cube(self, dataset: Dataset, spec: CubeSpec, segments: Sequence[str]) -> pa.Table:
        dims, measures = ([item_of(dataset, name) for name in names] for names in (spec.dims, spec.measures))
        keys = subject_keys(dataset)
        with self._job() as job:
            source = job.source(segments, list(dict.fromkeys([*dims, *keys, *measures])))
            work = _CubeWork(job, dataset, source, dims, keys, measures)
            return cubes.protect(dataset, spec, work.leaves(), work.units_of)

    def opened(self, dataset: Dataset, spec: CubeSpec, atoms: pa.Table) -> OpenCube:
        return SparkCube(self._asked, dataset, spec, atoms)

    def rows_of(self, reads: Sequence[Read], kind: SubjectKind, number: int) -> list[list[dict[str, Value]]]:
        found = []
        with self._job() as job:
            for read in reads:
                key = key_item(read.dataset, kind)
                items = list(dict.fromkeys([key, *(item_of(read.dataset, name) for name in read.items)]))
                table = job.select(
                    items, job.source(read.segments, items), f"({_named(key)} = CAST(? AS INT))", [number]
                )
                rows: list[dict[str, Value]] = table.select(list(read.items)).to_pylist()
                found.append(rows if read.items else [{}] * table.num_rows)
        return found

    def roster(self, dataset: Dataset, segments: Sequence[str], kind: SubjectKind, where: Where) -> Numbers:
        key = key_item(dataset, kind)
        items = [item_of(dataset, name) for name, _ in where]
        conditions, parameters = [f"({_named(key)} IS NOT NULL)"], []
        for item, (_, texts) in zip(items, where, strict=True):
            values = [value for value in (_stored(item, text) for text in texts) if value is not None]
            marks = ", ".join(f"CAST(? AS {_sql_type(item)})" for _ in values)
            conditions.append(f"({_named(item)} IN ({marks}))" if values else "(FALSE)")
            parameters += values
        with self._job() as job:
            source = job.source(segments, list(dict.fromkeys([key, *items])))
            table = job.select([key], source, " AND ".join(conditions), parameters)
        numbers: Numbers = np.unique(table[key.name].to_numpy())
        return numbers

    def dates(
        self, dataset: Dataset, segments: Sequence[str], kind: SubjectKind, item: str
    ) -> Iterator[tuple[Numbers, Days]]:
        items = [key_item(dataset, kind), item_of(dataset, item)]
        both = " AND ".join(f"({_named(one)} IS NOT NULL)" for one in items)
        with self._job() as job:
            table = job.select(items, job.source(segments, items), both, [])
        yield table[0].to_numpy(), table[1].cast(pa.int32()).to_numpy().astype(np.int64)

    @contextmanager
    def _job(self) -> Iterator["_Job"]:
        with self._rooms() as room:
            session = room.session()
            try:
                yield _Job(session, self._store)
            finally:
                session.end()


class _Job:
    """Rows of some segments in one session, and what is selected from them."""

    def __init__(self, session: Session, store: SegmentStore) -> None:
        self.session = session
        self._store = store
        self._tables = 0
        self._rows = 0

    def source(self, segments: Sequence[str], items: Sequence[Item]) -> str:
        """Hand over these columns of some segments, and return them as a table in parentheses."""
        schema = pa.schema([pa.field(item.name, arrow_type(item)) for item in items])
        columns = ", ".join(quoted(item.name) for item in items)
        names = []
        with self._store.reading(segments) as connection:
            for place, _ in enumerate(segments):
                sql = f'SELECT {columns} FROM "s{place}"."main".{quoted(TABLE)}'  # noqa: S608
                pieces = connection.execute(sql).to_arrow_reader(_PIECE_ROWS)
                names += [self.put(pa.Table.from_batches([piece]).cast(schema)) for piece in pieces]
        # A server that has no table does not know the columns of none.
        names = names or [self.put(schema.empty_table())]
        if self._rows > _MOST_ROWS:
            raise VaultFault("couldn't compute with spark: more rows than sums have room for")
        columns = ", ".join(_named(item) for item in items)
        return f"({' UNION ALL '.join(f'SELECT {columns} FROM {name}' for name in names)})"  # noqa: S608

    def put(self, rows: pa.Table) -> str:
        """Hand a table over and return its name."""
        name = f"t{self._tables}"
        self._tables += 1
        self._rows += rows.num_rows
        self.session.put(name, rows)
        return _marked(name)

    def select(self, items: Sequence[Item], source: str, where: str, parameters: Sequence[object]) -> pa.Table:
        """Return some columns of the rows that a condition holds for."""
        sql = f"SELECT {', '.join(map(_named, items))} FROM {source} AS `r` WHERE {where}"  # noqa: S608
        return self.session.ask(sql, pa.schema([pa.field(one.name, arrow_type(one)) for one in items]), parameters)


class _CubeWork:
    """Counts leaves and contributions of one cube in one session."""

    def __init__(
        self, job: _Job, dataset: Dataset, source: str, dims: list[Item], keys: tuple[Item, ...], measures: list[Item]
    ) -> None:
        self._job = job
        self._dataset = dataset
        self._source = source
        self._dims = dims
        self._keys = keys
        self._measures = measures

    def leaves(self) -> list[Leaf]:
        """Return every cell of the finest partition with its figures."""
        figures = [self._figures(key) for key in self._keys]
        columns = {"rows": ("count(*)", pa.int64())}
        for place, measure in enumerate(self._measures):
            columns[f"sum_{place}"] = (f"sum({_exact(measure)})", pa.decimal128(38, measure.scale))
            columns[f"valued_{place}"] = (f"count({_named(measure)})", pa.int64())
        leaves = []
        for row in self._grouped(self._source, columns):
            dims = self._dims_of(row)
            sums = tuple(self._integer(row[f"sum_{place}"], m) for place, m in enumerate(self._measures))
            valued = tuple(row[f"valued_{place}"] for place in range(len(self._measures)))
            leaves.append(Leaf(dims, row["rows"], sums, valued, tuple(one[dims] for one in figures)))
        return leaves

    def units_of(self, leaves: Sequence[Leaf]) -> list[tuple[Units, ...]]:
        """Return what each unit contributes to each of some leaves."""
        columns = [
            pa.array([leaf.dims[place] for leaf in leaves], arrow_type(dim)) for place, dim in enumerate(self._dims)
        ]
        names = [f"dim_{place}" for place in range(len(self._dims))]
        wanted = self._job.put(pa.table([*columns, pa.array(range(len(leaves)), pa.int32())], names=[*names, "leaf"]))
        found_units = [self._units_of_key(key, wanted, len(leaves)) for key in self._keys]
        return list(zip(*found_units, strict=True)) if found_units else [() for _ in leaves]

    def _units_of_key(self, key: Item, wanted: str, count: int) -> list[Units]:
        same = [f"(`r`.{_named(dim)} <=> `w`.`dim_{place}`)" for place, dim in enumerate(self._dims)]
        sums, schema = self._contributed("`r`.")
        sql = (
            f"SELECT `w`.`leaf`, `r`.{_named(key)} AS `unit`{sums} FROM {self._source} AS `r` "  # noqa: S608
            f"JOIN {wanted} AS `w` ON {' AND '.join(same) or 'TRUE'} GROUP BY `w`.`leaf`, `r`.{_named(key)}"
        )
        schema = pa.schema([pa.field("leaf", pa.int32()), pa.field("unit", pa.int32()), *schema])
        return cubes.units_by_leaf(self._job.session.ask(sql, schema), len(self._measures), count)

    def _contributed(self, of: str = "") -> tuple[str, list[pa.Field]]:
        """Return what a unit contributes to each measure, as columns of a statement, and their types."""
        sql, fields = "", []
        for place, measure in enumerate(self._measures):
            kind = f"DECIMAL({_digits(measure) + 10}, {measure.scale})"
            total = f"coalesce(sum(abs({_exact(measure, of)})), CAST(0 AS {kind}))"
            sql += f", CAST({total} AS {kind}) AS `sum_{place}`"
            sql += f", (count({of}{_named(measure)}) > 0) AS `valued_{place}`"
            fields += [
                pa.field(f"sum_{place}", pa.decimal128(_digits(measure) + 10, measure.scale)),
                pa.field(f"valued_{place}", pa.bool_()),
            ]
        return sql, fields

    def _figures(self, key: Item) -> dict[tuple[object, ...], UnitFigures]:
        """Return what the units of one key contribute, by leaf.

        The second largest contribution is the largest again where two units have it, else the largest that is smaller:
        a server has no aggregate of the two largest that every other server has, too.
        """
        dims = [_named(dim) for dim in self._dims]
        unit = [*dims, f"{_named(key)} AS `unit`"]
        group = ", ".join([*dims, _named(key)])
        units = f"(SELECT {', '.join(unit)}{self._contributed()[0]} FROM {self._source} AS `r` GROUP BY {group})"  # noqa: S608
        columns = {"units": ("count(*)", pa.int64()), "named": ("count(`unit`)", pa.int64())}
        for place, measure in enumerate(self._measures):
            total = pa.decimal128(38, measure.scale)
            columns[f"total_{place}"] = (f"sum(`sum_{place}`)", total)
            columns[f"first_{place}"] = (f"max(`sum_{place}`)", total)
            columns[f"valued_{place}"] = (f"count(CASE WHEN `valued_{place}` THEN 1 END)", pa.int64())
        rows = self._grouped(units, columns)
        cubes.check_named(self._dataset, key, named=all(row["units"] == row["named"] for row in rows))
        seconds = self._seconds(units, rows) if self._measures else {}
        assert key.subject is not None, "a subject key"
        return {
            dims: UnitFigures(key.subject, row["units"], self._contributions(row, seconds.get(dims, {})))
            for dims, row in ((self._dims_of(row), row) for row in rows)
        }

    def _seconds(self, units: str, rows: list[dict[str, Any]]) -> dict[tuple[object, ...], dict[str, Any]]:
        """Return the largest contribution below the first of each leaf, and how many units have the first."""
        fields = [pa.field(f"dim_{place}", arrow_type(dim)) for place, dim in enumerate(self._dims)]
        fields += [pa.field(f"first_{at}", pa.decimal128(38, one.scale)) for at, one in enumerate(self._measures)]
        firsts = self._job.put(pa.Table.from_pylist(rows, pa.schema(fields)))
        same = [f"(`u`.{_named(dim)} <=> `f`.`dim_{place}`)" for place, dim in enumerate(self._dims)]
        chosen = [f"`u`.{_named(dim)}" for dim in self._dims]
        chosen += [f"`u`.`sum_{at}`, `f`.`first_{at}`" for at, _ in enumerate(self._measures)]
        joined = (
            f"(SELECT {', '.join(chosen)} FROM {units} AS `u` "  # noqa: S608
            f"JOIN {firsts} AS `f` ON {' AND '.join(same) or 'TRUE'})"
        )
        columns = {"rows": ("count(*)", pa.int64())}
        for at, measure in enumerate(self._measures):
            below = f"max(CASE WHEN (`sum_{at}` < `first_{at}`) THEN `sum_{at}` END)"
            columns[f"below_{at}"] = (below, pa.decimal128(38, measure.scale))
            columns[f"ties_{at}"] = (f"count(CASE WHEN (`sum_{at}` = `first_{at}`) THEN 1 END)", pa.int64())
        return {self._dims_of(row): row for row in self._grouped(joined, columns)}

    def _contributions(self, row: dict[str, Any], seconds: dict[str, Any]) -> tuple[Contributions, ...]:
        contributions = []
        for at, measure in enumerate(self._measures):
            total, first = (self._integer(row[f"{one}_{at}"], measure) for one in ("total", "first"))
            second = first if seconds[f"ties_{at}"] > 1 else self._integer(seconds[f"below_{at}"], measure)
            contributions.append(Contributions(total, first, second, row[f"valued_{at}"]))
        return tuple(contributions)

    def _grouped(self, source: str, columns: dict[str, tuple[str, pa.DataType]]) -> list[dict[str, Any]]:
        """Return figures by leaf; each is cast, so that its type does not depend on the server."""
        chosen = [f"{_named(dim)} AS `dim_{place}`" for place, dim in enumerate(self._dims)]
        chosen += [f"CAST({sql} AS {_type_name(kind)}) AS `{name}`" for name, (sql, kind) in columns.items()]
        group = ", ".join(_named(dim) for dim in self._dims)
        sql = f"SELECT {', '.join(chosen)} FROM {source} AS `g`{f' GROUP BY {group}' if group else ''}"  # noqa: S608
        fields = [pa.field(f"dim_{place}", arrow_type(dim)) for place, dim in enumerate(self._dims)]
        fields += [pa.field(name, kind) for name, (_, kind) in columns.items()]
        rows: list[dict[str, Any]] = self._job.session.ask(sql, pa.schema(fields)).to_pylist()
        # Without dimensions there is one line even for no rows at all.
        return [row for row in rows if row.get("rows", row.get("units"))]

    def _dims_of(self, row: dict[str, Any]) -> tuple[object, ...]:
        return tuple(row[f"dim_{place}"] for place in range(len(self._dims)))

    @staticmethod
    def _integer(value: Any, measure: Item) -> int:
        return 0 if value is None else as_integer(value, measure.scale)


class SparkCube:
    """Answers statements from the atoms of one cube, from any thread, in a session of its own."""

    def __init__(self, asked: "_AskedRoom", dataset: Dataset, spec: CubeSpec, atoms: pa.Table) -> None:
        self._asked = asked
        self._dataset = dataset
        self._spec = spec
        # Of persons and enterprises no statement asks.
        columns = [name for name in atoms.schema.names if name not in {"persons", "enterprises"}]
        self._atoms = pa.Table.from_arrays([atoms[name] for name in columns], columns)
        _check_sums(self._atoms, spec)
        self._session: Session | None = None
        self._lock = Lock()

    def answer(self, statement: Statement) -> RolledUp:
        printed = print_answer(statement, self._dataset, self._spec, SPARK)
        names = [*statement.dims, *([KEPT] if statement.where is not None else []), "rows"]
        for measure in measures_of(statement, self._spec):
            names += [f"sum_{measure}", f"n_{measure}"]
        fields = [pa.field(one, pa.bool_() if one == KEPT else self._atoms.schema.field(one).type) for one in names]
        return rolled_up(self._ready().ask(printed.sql, pa.schema(fields), printed.parameters), statement)

    def _ready(self) -> Session:
        """Return a session that holds the atoms; a room that broke off is followed by another."""
        with self._lock:
            room = self._asked.room()
            if self._session is None or self._session.room is not room:
                self._session = room.session()
                self._session.put(CUBE_TABLE, self._atoms)
                weakref.finalize(self, room.forget, self._session.name)
            return self._session


class _AskedRoom:
    """The room in which open cubes are asked; it sees published atoms only, so it may stay open between questions."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._lock = Lock()
        self._open = ExitStack()
        self._room: Room | None = None
        weakref.finalize(self, self._open.close)

    def room(self) -> Room:
        """Return the room, opened when it is first wanted and when the one before broke off."""
        with self._lock:
            if self._room is None or self._room.closed:
                self._open.close()
                self._room = self._open.enter_context(self._rooms())
            return self._room


def _check_sums(atoms: pa.Table, spec: CubeSpec) -> None:
    """Stop at atoms of which a sum might have no room: the server would wrap it and say nothing."""
    for field in atoms.schema:
        if field.name in spec.dims:
            continue
        column = atoms[field.name].drop_null()
        is_decimal = pa.types.is_decimal(field.type)
        values = decimals.unscaled(column) if is_decimal else column.to_numpy()
        if sum(abs(int(one)) for one in values) >= (_MOST_SUM if is_decimal else _MOST_COUNT):
            raise VaultFault(f"couldn't open a cube with spark: {field.name} has no room for its sum")


def _named(item: Item) -> str:
    return _marked(item.name)


def _digits(measure: Item) -> int:
    return 18 if pa.types.is_decimal(arrow_type(measure)) else 19


def _exact(measure: Item, of: str = "") -> str:
    """Return a measure's value as a decimal: sums of BIGINT wrap."""
    name = f"{of}{_named(measure)}"
    return name if pa.types.is_decimal(arrow_type(measure)) else f"CAST({name} AS DECIMAL(19, 0))"


def _type_name(kind: pa.DataType) -> str:
    return f"DECIMAL({kind.precision}, {kind.scale})" if pa.types.is_decimal(kind) else "BIGINT"


def _stored(item: Item, text: str) -> object:
    """Return the value whose text that is, as a parameter of the item's type; None when no stored value has that text."""
    kind = arrow_type(item)
    try:
        if pa.types.is_boolean(kind):
            return {"true": True, "false": False}.get(text)
        if pa.types.is_date(kind):
            day = date.fromisoformat(text)
            return day if day.isoformat() == text else None
        if pa.types.is_integer(kind):
            number = pa.scalar(int(text), kind).as_py()
            return number if str(number) == text else None
        if pa.types.is_decimal(kind):
            stored = pa.scalar(text).cast(kind).as_py()
            return text if format(stored, "f") == text else None
    except (ValueError, pa.ArrowException):
        return None
    return text
