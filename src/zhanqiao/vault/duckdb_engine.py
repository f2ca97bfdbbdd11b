# SPDX-License-Identifier: Apache-2.0
"""The default engine: encrypted DuckDB segments, one locked-down connection for each task, statements printed here.

Aggregates are counts, sums of decimals, greatest values and distinct units; everything after them is ours.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from zhanqiao.terms.datasets import CubeSpec, Dataset, Item
from zhanqiao.terms.services import Value
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault import cubes
from zhanqiao.vault.connection import quoted
from zhanqiao.vault.cubes import Leaf, Units, item_of, key_item, subject_keys
from zhanqiao.vault.decimals import as_integer
from zhanqiao.vault.engines import Days, OpenCube, Read, Where
from zhanqiao.vault.open_cube import DuckDbCube
from zhanqiao.vault.safety import Contributions, UnitFigures
from zhanqiao.vault.segments import TABLE, OverSegments, arrow_type
from zhanqiao.vault.subjects import Numbers

_BATCH_ROWS = 1 << 18


class DuckDbEngine(OverSegments):
    """Computes over segments of a `SegmentStore`."""

    def cube(self, dataset: Dataset, spec: CubeSpec, segments: Sequence[str]) -> pa.Table:
        with self._store.reading(segments) as connection:
            work = _CubeWork(connection, dataset, spec, len(segments))
            return cubes.protect(dataset, spec, work.leaves(), work.units_of)

    def opened(self, dataset: Dataset, spec: CubeSpec, atoms: pa.Table) -> OpenCube:
        return DuckDbCube(dataset, spec, atoms)

    def rows_of(self, reads: Sequence[Read], kind: SubjectKind, number: int) -> list[list[dict[str, Value]]]:
        found = []
        start = 0
        # One connection for all of them: opening it takes longer than most of the questions.
        with self._store.reading([name for read in reads for name in read.segments]) as connection:
            for read in reads:
                key = key_item(read.dataset, kind)
                items = [item_of(read.dataset, name) for name in read.items]
                source = _source(range(start, start + len(read.segments)), [key, *items])
                start += len(read.segments)
                columns = ", ".join(quoted(item.name) for item in [key, *items])
                sql = f"SELECT {columns} FROM {source} WHERE ({quoted(key.name)} = CAST(? AS INTEGER))"  # noqa: S608
                table = connection.execute(sql, [number]).to_arrow_table()
                rows: list[dict[str, Value]] = table.select(list(read.items)).to_pylist()
                found.append(rows if items else [{}] * table.num_rows)
        return found

    def roster(self, dataset: Dataset, segments: Sequence[str], kind: SubjectKind, where: Where) -> Numbers:
        key = key_item(dataset, kind)
        items = [item_of(dataset, name) for name, _ in where]
        conditions = [f"({quoted(key.name)} IS NOT NULL)"]
        parameters: list[str] = []
        for item, (_, values) in zip(items, where, strict=True):
            marks = ", ".join("CAST(? AS VARCHAR)" for _ in values)
            conditions.append(f"(CAST({quoted(item.name)} AS VARCHAR) IN ({marks}))" if values else "(FALSE)")
            parameters += values
        sql = (
            f'SELECT {quoted(key.name)} AS "unit" FROM {_source(range(len(segments)), [key, *items])} '  # noqa: S608
            f"WHERE {' AND '.join(conditions)}"
        )
        with self._store.reading(segments) as connection:
            numbers: Numbers = np.sort(connection.execute(sql, parameters).to_arrow_table()["unit"].to_numpy())
        # Sorted already, so that neither the engine's DISTINCT nor numpy's hash table is wanted.
        return numbers[np.append(numbers[1:] != numbers[:-1], True)] if len(numbers) else numbers

    def dates(
        self, dataset: Dataset, segments: Sequence[str], kind: SubjectKind, item: str
    ) -> Iterator[tuple[Numbers, Days]]:
        key, date_item = key_item(dataset, kind), item_of(dataset, item)
        unit, day = quoted(key.name), quoted(date_item.name)
        sql = (
            f"SELECT {unit}, {day} FROM {_source(range(len(segments)), [key, date_item])} "  # noqa: S608  printed from the catalogue
            f"WHERE ({unit} IS NOT NULL) AND ({day} IS NOT NULL)"
        )
        with self._store.reading(segments) as connection:
            for batch in connection.execute(sql).to_arrow_reader(_BATCH_ROWS):
                days = batch.column(1).cast(pa.int32()).to_numpy().astype(np.int64)
                yield batch.column(0).to_numpy(), days


class _CubeWork:
    """Counts leaves and contributions of one cube in one connection.

    Leaves are numbered once they are known, and each unit's rows are grouped by that number: by the dimensions themselves, most
    of them texts, it takes two and a half times as long.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, dataset: Dataset, spec: CubeSpec, segments: int) -> None:
        self._connection = connection
        self._dataset = dataset
        self._keys = subject_keys(dataset)
        self._dims = [item_of(dataset, name) for name in spec.dims]
        self._measures = [item_of(dataset, name) for name in spec.measures]
        self._source = _source(range(segments), [*self._dims, *self._keys, *self._measures])
        self._numbers: dict[tuple[object, ...], int] = {}

    def leaves(self) -> list[Leaf]:
        """Return every cell of the finest partition with its figures."""
        cells = self._cells()
        self._numbers = {self._dims_of(row): number for number, row in enumerate(cells)}
        self._connection.register("cells", self._numbered())
        figures = [self._figures(place, key) for place, key in enumerate(self._keys)]
        self._connection.unregister("cells")
        leaves = []
        for number, row in enumerate(cells):
            sums = tuple(self._integer(row[f"sum_{place}"], m) for place, m in enumerate(self._measures))
            valued = tuple(row[f"valued_{place}"] for place in range(len(self._measures)))
            units = tuple(one[number] for one in figures)
            leaves.append(Leaf(self._dims_of(row), row["rows"], sums, valued, units))
        return leaves

    def _cells(self) -> list[dict[str, Any]]:
        columns = ['system.main.count_star() AS "rows"']
        for place, measure in enumerate(self._measures):
            name = quoted(measure.name)
            columns.append(f'CAST(system.main.sum({name}) AS DECIMAL(38, {measure.scale})) AS "sum_{place}"')
            columns.append(f'system.main.count({name}) AS "valued_{place}"')
        dims = [f'{quoted(dim.name)} AS "dim_{place}"' for place, dim in enumerate(self._dims)]
        group = ", ".join(quoted(dim.name) for dim in self._dims)
        sql = f"SELECT {', '.join([*dims, *columns])} FROM {self._source} AS r{f' GROUP BY {group}' if group else ''}"  # noqa: S608
        rows: list[dict[str, Any]] = self._connection.execute(sql).to_arrow_table().to_pylist()
        # Without dimensions there is one line even for no rows at all.
        return [row for row in rows if row["rows"]]

    def units_of(self, leaves: Sequence[Leaf]) -> list[tuple[Units, ...]]:
        """Return what each unit contributes to each of some leaves."""
        wanted = [self._numbers[leaf.dims] for leaf in leaves]
        table = pa.table([pa.array(wanted, pa.int32()), pa.array(range(len(leaves)), pa.int32())], ["cell", "leaf"])
        self._connection.register("wanted", table)
        found_units = [self._units_of_key(place, len(leaves)) for place in range(len(self._keys))]
        self._connection.unregister("wanted")
        return list(zip(*found_units, strict=True)) if found_units else [() for _ in leaves]

    def _numbered(self) -> pa.Table:
        """Return every cell by its dimensions, with its number."""
        columns = {
            f"dim_{place}": pa.array([dims[place] for dims in self._numbers], arrow_type(dim))
            for place, dim in enumerate(self._dims)
        }
        return pa.table({**columns, "cell": pa.array(self._numbers.values(), pa.int32())})

    def _units_of_key(self, key: int, count: int) -> list[Units]:
        columns = [f'u."{kind}_{place}"' for kind in ("sum", "valued") for place in range(len(self._measures))]
        sql = (
            f"SELECT {', '.join(['w.leaf', 'u.unit', *columns])} FROM {self._table(key)} AS u "  # noqa: S608
            f'JOIN "wanted" AS w ON (u.cell = w.cell)'
        )
        table = self._connection.execute(sql).to_arrow_table()
        return cubes.units_by_leaf(table, len(self._measures), count)

    def _figures(self, place: int, key: Item) -> dict[int, UnitFigures]:
        """Sum up each unit's contributions in each leaf once; they are asked for again when leaves are joined."""
        sums = [
            f"coalesce(CAST(system.main.sum({_magnitude(m)}) AS DECIMAL(38, {m.scale})), 0) "
            f'AS "sum_{at}", (system.main.count(r.{quoted(m.name)}) > 0) AS "valued_{at}"'
            for at, m in enumerate(self._measures)
        ]
        # Of the rows, whatever the numbered cells call theirs: an item may have the same name.
        unit = f"r.{quoted(key.name)}"
        same = " AND ".join(
            f'(r.{quoted(dim.name)} IS NOT DISTINCT FROM c."dim_{at}")' for at, dim in enumerate(self._dims)
        )
        self._connection.execute(
            f"CREATE TEMP TABLE {self._table(place)} AS SELECT {', '.join(['c.cell', f'{unit} AS unit', *sums])} "  # noqa: S608
            f'FROM {self._source} AS r JOIN "cells" AS c ON {same or "TRUE"} GROUP BY c.cell, {unit}'
        )
        nobody = self._connection.execute(f"SELECT 1 FROM {self._table(place)} WHERE (unit IS NULL) LIMIT 1")  # noqa: S608
        cubes.check_named(self._dataset, key, named=nobody.fetchone() is None)
        columns = ['system.main.count_star() AS "units"']
        for at, measure in enumerate(self._measures):
            columns += [
                f'CAST(system.main.sum("sum_{at}") AS DECIMAL(38, {measure.scale})) AS "total_{at}"',
                f'system.main.max("sum_{at}", 2) AS "top_{at}"',
                f'system.main.count_if("valued_{at}") AS "valued_{at}"',
            ]
        sql = f"SELECT cell, {', '.join(columns)} FROM {self._table(place)} GROUP BY cell"  # noqa: S608
        rows: list[dict[str, Any]] = self._connection.execute(sql).to_arrow_table().to_pylist()
        return {row["cell"]: UnitFigures(_kind(key), row["units"], self._contributions(row)) for row in rows}

    def _contributions(self, row: dict[str, Any]) -> tuple[Contributions, ...]:
        contributions = []
        for place, measure in enumerate(self._measures):
            first, second = (*(self._integer(one, measure) for one in row[f"top_{place}"]), 0, 0)[:2]
            total = self._integer(row[f"total_{place}"], measure)
            contributions.append(Contributions(total, first, second, int(row[f"valued_{place}"])))
        return tuple(contributions)

    def _dims_of(self, row: dict[str, Any]) -> tuple[object, ...]:
        return tuple(row[f"dim_{place}"] for place in range(len(self._dims)))

    @staticmethod
    def _integer(value: Decimal | None, measure: Item) -> int:
        return 0 if value is None else as_integer(value, measure.scale)

    @staticmethod
    def _table(key: int) -> str:
        return f'"temp"."main"."units_{key}"'


def _kind(key: Item) -> SubjectKind:
    assert key.subject is not None, "a subject key"
    return key.subject


def _magnitude(measure: Item) -> str:
    """Return a measure's value without its sign, of which the least BIGINT has none in its own type."""
    name = f"r.{quoted(measure.name)}"
    return f"system.main.abs({f'CAST({name} AS HUGEINT)' if pa.types.is_integer(arrow_type(measure)) else name})"


def _source(places: Iterable[int], items: Iterable[Item]) -> str:
    """Return the rows of some attached segments, with some columns, as a table in parentheses."""
    columns = ", ".join(dict.fromkeys(quoted(item.name) for item in items))
    parts = (f'SELECT {columns} FROM "s{place}"."main".{quoted(TABLE)}' for place in places)  # noqa: S608
    return f"({' UNION ALL '.join(parts)})"
