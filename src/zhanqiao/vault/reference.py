# SPDX-License-Identifier: Apache-2.0
"""The judge: the same engine in plain Python, slow and obvious. Rows are dictionaries, cells are lists of rows.

It shares no computation with the other engine: thresholds, dominance, protection and roll-up are written down a second
time, from the words of `safety` and `cubes`. Tests and small deployments without an engine use it.
"""

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from zhanqiao.policy.ir import And, Average, Compare, Not, Operator, Or, Predicate, Statement, Sum, Within
from zhanqiao.terms.datasets import CubeSpec, Dataset
from zhanqiao.terms.services import Value
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.cubes import check_named, cube_schema, item_of, public_order, subject_keys, with_exact
from zhanqiao.vault.engines import Days, OpenCube, Read, RolledUp, Where
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.segments import stored_schema
from zhanqiao.vault.subjects import Numbers

Row = dict[str, Any]
_ENOUGH = {SubjectKind.PERSON: 10, SubjectKind.ENTERPRISE: 5}


class ReferenceEngine:
    """Keeps segments in memory."""

    def __init__(self) -> None:
        self._segments: dict[str, list[Row]] = {}

    def scan_schema(self, dataset: Dataset) -> pa.Schema:
        return stored_schema(dataset)

    def load(self, dataset: Dataset, snapshot: str, batches: Iterable[pa.RecordBatch]) -> str:
        schema = stored_schema(dataset)
        rows: list[Row] = []
        for batch in batches:
            if set(batch.schema.names) != set(schema.names):
                raise VaultFault("couldn't load a batch: its columns are not the contract's stored items")
            rows += pa.table(
                {name: batch.column(name).cast(schema.field(name).type) for name in schema.names}
            ).to_pylist()
        if any((row[key.name] or 0) < 0 for row in rows for key in dataset.items if key.subject and key.stored):
            raise VaultFault("couldn't load a batch: a row carries no subject's number")
        name = f"{dataset.name}/{snapshot}-{secrets.token_hex(8)}"
        self._segments[name] = rows
        return name

    def names(self) -> list[str]:
        return sorted(self._segments)

    def expect_ready(self) -> None:
        """Nothing is started here."""

    def prove(self) -> None:
        """Nothing is sealed here."""

    def drop(self, dataset: str, snapshot: str, kept: Collection[str] = ()) -> list[str]:
        gone = [
            name for name in self.names() if name.rpartition("-")[0] == f"{dataset}/{snapshot}" and name not in kept
        ]
        for name in gone:
            del self._segments[name]
        return gone

    def cube(self, dataset: Dataset, spec: CubeSpec, segments: Sequence[str]) -> pa.Table:
        rows = self._rows(segments)
        for key in subject_keys(dataset):
            check_named(dataset, key, named=all(row[key.name] is not None for row in rows))
        atoms = _protected(rows, dataset, spec)
        published = [_atom_row(prefix, cell, dataset, spec) for prefix, cell in atoms.items()]
        published.sort(key=lambda row: public_order(tuple(row[dim] for dim in spec.dims)))
        return with_exact(pa.Table.from_pylist(published, cube_schema(dataset, spec)), _finest(rows, dataset, spec))

    def opened(self, dataset: Dataset, spec: CubeSpec, atoms: pa.Table) -> OpenCube:
        return ReferenceCube(dataset, spec, atoms)

    def rows_of(self, reads: Sequence[Read], kind: SubjectKind, number: int) -> list[list[dict[str, Value]]]:
        found = []
        for read in reads:
            key = _key(read.dataset, kind)
            rows = [row for row in self._rows(read.segments) if row[key] == number]
            found.append([{name: row[name] for name in read.items} for row in rows])
        return found

    def roster(self, dataset: Dataset, segments: Sequence[str], kind: SubjectKind, where: Where) -> Numbers:
        key = _key(dataset, kind)
        counting = (row for row in self._rows(segments) if all(_text(row[item]) in values for item, values in where))
        return np.array(sorted({row[key] for row in counting if row[key] is not None}), np.int32)

    def dates(
        self, dataset: Dataset, segments: Sequence[str], kind: SubjectKind, item: str
    ) -> Iterator[tuple[Numbers, Days]]:
        key = _key(dataset, kind)
        for row in self._rows(segments):
            if row[key] is not None and row[item] is not None:
                day = (row[item] - date(1970, 1, 1)).days
                yield np.array([row[key]], np.int32), np.array([day], np.int64)

    def _rows(self, segments: Sequence[str]) -> list[Row]:
        if not segments or any(name not in self._segments for name in segments):
            raise VaultFault("couldn't read a snapshot: a segment is missing, or there is none")
        return [row for name in segments for row in self._segments[name]]


@dataclass(frozen=True)
class ReferenceCube:
    """The atoms of one cube, asked in plain Python."""

    _dataset: Dataset
    _spec: CubeSpec
    _atoms: pa.Table

    def answer(self, statement: Statement) -> RolledUp:
        if not {*statement.dims} <= {*self._spec.dims}:
            raise VaultFault(f"couldn't answer: the cube {self._spec.name} has not all dimensions asked")
        asked = [output.term.item for output in statement.outputs if isinstance(output.term, Sum | Average)]
        figures = ["rows"]
        for measure in dict.fromkeys(asked):
            figures += [f"sum_{measure}", f"n_{measure}"]
        groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        undecided: set[tuple[Any, ...]] = set()
        for atom in self._atoms.to_pylist():
            truth = True if statement.where is None else _truth(statement.where, atom, self._dataset)
            dims = tuple(atom[dim] for dim in statement.dims)
            if truth is None:
                undecided.add(dims)
            elif truth:
                groups[dims].append(atom)
        rows = [
            dict(zip(statement.dims, dims, strict=True))
            | {name: _sum([atom[name] for atom in atoms]) for name in figures}
            for dims, atoms in groups.items()
        ]
        schema = pa.schema([self._atoms.schema.field(name) for name in [*statement.dims, *figures]])
        return RolledUp(pa.Table.from_pylist(rows, schema), len(undecided))


def _key(dataset: Dataset, kind: SubjectKind) -> str:
    key = dataset.key_of(kind)
    if key is None or not key.stored:
        raise VaultFault(f"couldn't read {dataset.name}: it has no key for a {kind.value}")
    return key.name


def _protected(rows: list[Row], dataset: Dataset, spec: CubeSpec) -> dict[tuple[Any, ...], list[Row]]:
    """Return published cells: dims that stand, as a prefix -> rows. The rest of the dims is the remainder."""
    depth = len(spec.dims)
    cells: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        standing: list[Any] = []
        for dim in spec.dims:
            if row[dim] is None:
                break
            standing.append(row[dim])
        cells[tuple(standing)].append(row)
    published: dict[tuple[Any, ...], list[Row]] = {}
    for level in range(depth, -1, -1):
        for prefix in sorted((p for p in cells if len(p) == level), key=public_order):
            cell = cells.pop(prefix)
            while not _safe(cell, dataset, spec):
                below = [p for p in published if level < depth and p[:level] == prefix]
                if not below:
                    break
                first = min(below, key=lambda p: public_order(p + (None,) * (depth - len(p))))
                cell = cell + published.pop(first)
            if _safe(cell, dataset, spec):
                published[prefix] = cell
            elif level:
                cells[prefix[:-1]].extend(cell)
    return published


def _safe(cell: list[Row], dataset: Dataset, spec: CubeSpec) -> bool:
    for key in subject_keys(dataset):
        assert key.subject is not None, "a subject key"
        enough = _ENOUGH[key.subject]
        if len({row[key.name] for row in cell}) < enough:
            return False
        for measure in spec.measures:
            shares: dict[int, Fraction] = defaultdict(Fraction)
            for row in cell:
                if row[measure] is not None:
                    shares[row[key.name]] += abs(Fraction(row[measure]))
            if 0 < len(shares) < enough:
                return False
            largest = [*sorted(shares.values(), reverse=True)[:2], Fraction(0), Fraction(0)]
            total = sum(shares.values())
            if total - largest[0] - largest[1] < Fraction(15, 100) * largest[0]:
                return False
            if largest[0] + largest[1] > Fraction(90, 100) * total:
                return False
    return True


def _atom_row(prefix: tuple[Any, ...], cell: list[Row], dataset: Dataset, spec: CubeSpec) -> Row:
    dims = dict(zip(spec.dims, prefix + (None,) * (len(spec.dims) - len(prefix)), strict=True))
    row: Row = dims | {
        "rows": len(cell),
        "persons": _distinct(cell, dataset, SubjectKind.PERSON),
        "enterprises": _distinct(cell, dataset, SubjectKind.ENTERPRISE),
    }
    for measure in spec.measures:
        values = [one[measure] for one in cell if one[measure] is not None]
        row[f"sum_{measure}"] = _exact_sum(values, item_of(dataset, measure).scale) if values else None
        row[f"n_{measure}"] = len(values)
    return row


def _finest(rows: list[Row], dataset: Dataset, spec: CubeSpec) -> Iterator[tuple[Any, int, list[int], list[int]]]:
    """Yield the cells as they are before anything is protected."""
    cells: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        cells[tuple(row[dim] for dim in spec.dims)].append(row)
    for dims, cell in cells.items():
        values = [[row[name] for row in cell if row[name] is not None] for name in spec.measures]
        scales = [10 ** item_of(dataset, name).scale for name in spec.measures]
        sums = [int(sum(map(Fraction, some)) * scale) for some, scale in zip(values, scales, strict=True)]
        yield dims, len(cell), sums, [len(some) for some in values]


def _distinct(cell: list[Row], dataset: Dataset, kind: SubjectKind) -> int:
    key = dataset.key_of(kind)
    if key is None or not key.stored:
        return 0
    return len({row[key.name] for row in cell})


def _exact_sum(values: list[Any], scale: int) -> Decimal:
    whole = sum(int(Fraction(value) * 10**scale) for value in values)
    sign = "-" if whole < 0 else ""
    digits = str(abs(whole)).rjust(scale + 1, "0")
    return Decimal(f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else f"{sign}{digits}")


def _sum(values: list[Any]) -> Any:
    known = [value for value in values if value is not None]
    if not known:
        return None
    if isinstance(known[0], Decimal):
        exponent = known[0].as_tuple().exponent
        assert isinstance(exponent, int), "a finite decimal"
        return _exact_sum(known, -exponent)
    return sum(known)


def _truth(predicate: Predicate, atom: Row, dataset: Dataset) -> bool | None:
    """SQL's three values: what is compared with the remainder is neither true nor false."""
    match predicate:
        case Compare(item, operator, value):
            stored = atom[item]
            return None if stored is None else _compare(stored, operator, _literal(stored, value))
        case Within(item, values):
            stored = atom[item]
            return None if stored is None else any(stored == _literal(stored, value) for value in values)
        case Not(inner):
            truth = _truth(inner, atom, dataset)
            return None if truth is None else not truth
        case And(parts):
            truths = [_truth(part, atom, dataset) for part in parts]
            return False if False in truths else None if None in truths else True
        case Or(parts):
            truths = [_truth(part, atom, dataset) for part in parts]
            return True if True in truths else None if None in truths else False


def _literal(stored: Any, value: Any) -> Any:
    return date.fromisoformat(value) if isinstance(stored, date) else value


def _compare(stored: Any, operator: Operator, value: Any) -> bool:
    match operator:
        case Operator.EQ:
            return bool(stored == value)
        case Operator.NE:
            return bool(stored != value)
        case Operator.LT:
            return bool(stored < value)
        case Operator.LE:
            return bool(stored <= value)
        case Operator.GT:
            return bool(stored > value)
        case Operator.GE:
            return bool(stored >= value)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)
