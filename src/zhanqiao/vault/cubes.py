# SPDX-License-Identifier: Apache-2.0
"""Cubes: one partition of a table into atoms that may be published, and are then answered from without limit.

How atoms are protected (dimensions stand in hierarchy order; NULL in a dimension means the remainder 其余):

    1. A row without a value in a dimension belongs to the remainder below its last dimension before that one.
    2. An atom that is not safe (`safety`) gives up its last dimension: it joins the remainder of its prefix.
    3. Level by level, from the finest: a remainder that is not safe itself swallows the first atom, in public order,
       that was published under the same prefix, one after the other until it is safe; when there is none left it is
       lifted a level. Units are counted anew in each union, never added.
    4. What is not safe at the top is the whole table: then the cube is empty.

Public order is the order of the values themselves, so which atom is swallowed tells nothing about the rows. The result
is a partition: every row is in exactly one atom, or in none if the table as a whole is not safe.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.datasets import CubeSpec, Dataset, Item, Opening
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.decimals import as_decimal, unscaled
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.safety import RULE_PACK, Contributions, UnitFigures, is_safe, rule_figures
from zhanqiao.vault.segments import arrow_type

Dims = tuple[object, ...]
# Whole numbers: int64 where they fit, Python's own (object) where they do not.
Integers = npt.NDArray[np.int64] | npt.NDArray[np.object_]

_SAFE_SUM = 2.0**62


@dataclass(frozen=True)
class Units:
    """What each unit of one subject key contributes to one group of rows: distinct units, one row of figures each.

    sums    (units, measures): sum of absolute values
    valued  (units, measures): whether the unit has a value at all
    """

    numbers: npt.NDArray[np.int32]
    sums: Integers
    valued: npt.NDArray[np.bool_]

    def joined(self, other: "Units") -> "Units":
        """Return the contributions to the union; a unit that is in both is one unit."""
        numbers = np.concatenate([self.numbers, other.numbers])
        order = np.argsort(numbers, kind="stable")
        numbers = numbers[order]
        starts = np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]])) if len(numbers) else order
        sums = _roomy(np.concatenate([self.sums, other.sums]))[order]
        valued = np.concatenate([self.valued, other.valued])[order]
        if not len(numbers):
            return Units(numbers, sums, valued)
        return Units(numbers[starts], np.add.reduceat(sums, starts), np.logical_or.reduceat(valued, starts))

    def figures(self, kind: SubjectKind) -> UnitFigures:
        """Return what the rule pack looks at."""
        sums, measures = _roomy(self.sums), []
        for place in range(sums.shape[1]):
            column = sums[:, place]
            first, second = (*_largest(column), 0, 0)[:2]
            valued = int(self.valued[:, place].sum())
            measures.append(Contributions(int(column.sum()) if len(column) else 0, first, second, valued))
        return UnitFigures(kind, len(self.numbers), tuple(measures))


@dataclass(frozen=True)
class Leaf:
    """One cell of the finest partition, as the engine counted it.

    sums, valued    per measure: sum of the values (in units of the last digit), rows with a value
    figures         per subject key
    """

    dims: Dims
    rows: int
    sums: tuple[int, ...]
    valued: tuple[int, ...]
    figures: tuple[UnitFigures, ...]


@dataclass
class _Group:
    """Leaves that are one atom now. `units` is there once more than one leaf had to be counted together."""

    leaves: list[Leaf]
    figures: tuple[UnitFigures, ...]
    units: tuple[Units, ...] | None = field(default=None)


# Contributions of several leaves, per leaf one `Units` per subject key.
UnitsOf = Callable[[Sequence[Leaf]], list[tuple[Units, ...]]]


# Where a cube's table carries the digest of its unprotected finest partition.
_EXACT, _RULES = b"exact", b"rules"


def cube_schema(dataset: Dataset, spec: CubeSpec) -> pa.Schema:
    """Return the columns of a cube: dims, rows, persons, enterprises, and sum_<m>, n_<m> for each measure."""
    dims = [pa.field(name, arrow_type(item_of(dataset, name))) for name in spec.dims]
    counts = [pa.field(name, pa.int64()) for name in ("rows", "persons", "enterprises")]
    measures = []
    for name in spec.measures:
        measures.append(pa.field(f"sum_{name}", pa.decimal128(38, item_of(dataset, name).scale)))
        measures.append(pa.field(f"n_{name}", pa.int64()))
    return pa.schema([*dims, *counts, *measures])


def item_of(dataset: Dataset, name: str) -> Item:
    """Return an item that a permit names; one that is not stored is a fault."""
    item = dataset.item(name)
    if item is None or not item.stored:
        raise VaultFault(f"couldn't read {dataset.name}.{name}: no such stored item")
    return item


def key_item(dataset: Dataset, kind: SubjectKind) -> Item:
    """Return the key by which a table knows subjects of a kind."""
    key = dataset.key_of(kind)
    if key is None or not key.stored:
        raise VaultFault(f"couldn't read {dataset.name}: it has no key for a {kind.value}")
    return key


def subject_keys(dataset: Dataset) -> tuple[Item, ...]:
    """Return every subject key of a table; each is protected. One without may be tabled only if it is open to all."""
    keys = dataset.subject_keys
    if not keys and dataset.opening is not Opening.UNCONDITIONAL:
        raise VaultFault(f"couldn't build a cube of {dataset.name}: it has no subject key and is not open to all")
    return keys


def check_named(dataset: Dataset, key: Item, *, named: bool) -> None:
    """Stop at rows that name nobody: they would stand in atoms without any protection. The contract requires the key."""
    if not named:
        raise VaultFault(f"couldn't build a cube of {dataset.name}: rows lack their {key.name}")


def public_order(dims: Dims) -> tuple[tuple[bool, object], ...]:
    """Sort key: by value, the remainder last."""
    return tuple((value is None, "" if value is None else value) for value in dims)


def in_public_order(table: pa.Table, dims: Sequence[str]) -> pa.Table:
    """Return lines in the order of `public_order`."""
    if not dims:
        return table
    # Arrow sorts text by its bytes, which is the order of code points, too; it has no order for booleans.
    keys = [table[dim].cast(pa.int8()) if pa.types.is_boolean(table[dim].type) else table[dim] for dim in dims]
    names = [str(place) for place in range(len(dims))]
    order = pc.sort_indices(pa.table(keys, names=names), [(name, "ascending") for name in names])
    return table.take(order)


def protect(dataset: Dataset, spec: CubeSpec, leaves: Iterable[Leaf], units_of: UnitsOf) -> pa.Table:
    """Return the atoms of a cube from its leaves."""
    kinds = tuple(key.subject for key in subject_keys(dataset) if key.subject is not None)
    counted = tuple(leaves)
    atoms = _Partition(kinds, len(spec.dims), units_of).publish(counted, dataset, spec)
    return with_exact(atoms, ((leaf.dims, leaf.rows, leaf.sums, leaf.valued) for leaf in counted))


def with_exact(atoms: pa.Table, cells: Iterable[tuple[Dims, int, Sequence[int], Sequence[int]]]) -> pa.Table:
    """Return the atoms with the digest of the unprotected partition that they were made of, in its schema's metadata.

    cells  dims, rows, and for each measure the sum (in units of its last digit) and the rows with a value
    """
    lines = sorted(cells, key=lambda cell: public_order(cell[0]))
    texts = (
        canonical([list(dims), rows, [str(one) for one in sums], list(valued)]) for dims, rows, sums, valued in lines
    )
    digest = hashlib.sha256(b"\n".join(texts)).hexdigest()
    return atoms.replace_schema_metadata({_EXACT: digest.encode()})


def exact_of(atoms: pa.Table) -> str:
    """Return that digest (hexadecimal). It is committed to under a key, and never told: cells could be guessed."""
    return str((atoms.schema.metadata or {})[_EXACT].decode())


@dataclass(frozen=True)
class Rules:
    """The rules under which a cube was protected: the pack's name, and each rule with its figures."""

    pack: str
    figures: list[dict[str, object]]


def ruled(atoms: pa.Table) -> pa.Table:
    """Return the atoms with the rules of today in their schema's metadata, under which they were just protected."""
    rules = canonical({"pack": RULE_PACK, "figures": rule_figures()})
    return atoms.replace_schema_metadata({**(atoms.schema.metadata or {}), _RULES: rules})


def rules_of(atoms: pa.Table) -> Rules:
    """Return the rules that published atoms were protected under, whatever the rules are today."""
    return Rules(**json.loads((atoms.schema.metadata or {})[_RULES]))


class _Partition:
    """The work of protecting one cube. A group's key is its prefix of dimensions; the rest of them is the remainder."""

    def __init__(self, kinds: tuple[SubjectKind, ...], depth: int, units_of: UnitsOf) -> None:
        self._kinds = kinds
        self._depth = depth
        self._units_of = units_of
        self._published: dict[Dims, _Group] = {}
        self._remainders: list[dict[Dims, _Group]] = [{} for _ in range(depth)]

    def publish(self, leaves: Iterable[Leaf], dataset: Dataset, spec: CubeSpec) -> pa.Table:
        self._place(leaves)
        for level in reversed(range(self._depth)):
            self._settle(level)
        rows = [
            self._row(prefix + (None,) * (self._depth - len(prefix)), group)
            for prefix, group in self._published.items()
        ]
        rows.sort(key=lambda row: public_order(row[: self._depth]))
        return _table(rows, dataset, spec)

    def _place(self, leaves: Iterable[Leaf]) -> None:
        """Publish what is safe as it is; the rest goes to the remainder that it belongs to."""
        waiting: dict[Dims, list[_Group]] = {}
        for leaf in leaves:
            prefix = leaf.dims[: leaf.dims.index(None)] if None in leaf.dims else leaf.dims
            group = _Group([leaf], leaf.figures)
            if len(prefix) == self._depth and is_safe(leaf.figures):
                self._published[prefix] = group
            elif self._depth:
                waiting.setdefault(prefix[: self._depth - 1], []).append(group)
        self._join(waiting)

    def _settle(self, level: int) -> None:
        """Make every remainder of one level safe, or lift it. Each round joins one atom to each that is not."""
        unsafe = self._unsafe(level)
        while unsafe:
            candidates = self._candidates(unsafe)
            self._join({prefix: [self._published.pop(taken)] for prefix, taken in candidates.items()})
            lifted = [prefix for prefix in unsafe if prefix not in candidates]
            groups = [(prefix, self._remainders[level].pop(prefix)) for prefix in lifted]
            if level:
                waiting: dict[Dims, list[_Group]] = {}
                for prefix, group in groups:
                    waiting.setdefault(prefix[:-1], []).append(group)
                self._join(waiting)
            unsafe = self._unsafe(level)
        self._published |= self._remainders[level]

    def _unsafe(self, level: int) -> list[Dims]:
        remainders = self._remainders[level]
        return sorted((p for p, group in remainders.items() if not is_safe(group.figures)), key=public_order)

    def _candidates(self, prefixes: list[Dims]) -> dict[Dims, Dims]:
        """Return for each prefix the first atom, in public order, that is published under it."""
        wanted, first = set(prefixes), dict[Dims, Dims]()
        size = len(prefixes[0])
        for atom in self._published:
            prefix = atom[:size]
            if prefix in wanted and (prefix not in first or self._order(atom) < self._order(first[prefix])):
                first[prefix] = atom
        return first

    def _order(self, prefix: Dims) -> tuple[tuple[bool, object], ...]:
        return public_order(prefix + (None,) * (self._depth - len(prefix)))

    def _join(self, waiting: dict[Dims, list[_Group]]) -> None:
        """Join groups to the remainder of their prefix, counting units anew."""
        joins = {}
        for prefix, groups in waiting.items():
            before = self._remainders[len(prefix)].get(prefix)
            joins[prefix] = [*([before] if before is not None else []), *groups]
        self._count([group for groups in joins.values() if len(groups) > 1 for group in groups])
        for prefix, groups in joins.items():
            self._remainders[len(prefix)][prefix] = self._union(groups)

    def _count(self, groups: list[_Group]) -> None:
        """Fetch the units of groups that have only figures so far, all in one question to the engine."""
        single = [group for group in groups if group.units is None]
        if single:
            for group, units in zip(single, self._units_of([group.leaves[0] for group in single]), strict=True):
                group.units = units

    def _union(self, groups: list[_Group]) -> _Group:
        if len(groups) == 1:
            return groups[0]
        units = groups[0].units
        for group in groups[1:]:
            assert units is not None and group.units is not None, "counted before"  # noqa: PT018
            units = tuple(one.joined(other) for one, other in zip(units, group.units, strict=True))
        assert units is not None, "counted before"
        figures = tuple(one.figures(kind) for one, kind in zip(units, self._kinds, strict=True))
        return _Group([leaf for group in groups for leaf in group.leaves], figures, units)

    def _row(self, dims: Dims, group: _Group) -> tuple[object, ...]:
        leaves = group.leaves
        units = dict.fromkeys(SubjectKind, 0)
        for figures in reversed(group.figures):
            units[figures.kind] = figures.units
        measures: list[object] = []
        for place in range(len(leaves[0].sums)):
            valued = sum(leaf.valued[place] for leaf in leaves)
            measures += [sum(leaf.sums[place] for leaf in leaves) if valued else None, valued]
        rows = sum(leaf.rows for leaf in leaves)
        return (*dims, rows, units[SubjectKind.PERSON], units[SubjectKind.ENTERPRISE], *measures)


def _table(rows: list[tuple[object, ...]], dataset: Dataset, spec: CubeSpec) -> pa.Table:
    schema = cube_schema(dataset, spec)
    columns = []
    for place, column in enumerate(schema):
        values = [row[place] for row in rows]
        if pa.types.is_decimal(column.type):
            values = [as_decimal(value, column.type.scale) for value in values]
        columns.append(pa.array(values, column.type))
    return pa.table(columns, schema=schema)


def units_by_leaf(table: pa.Table, measures: int, leaves: int) -> list[Units]:
    """Return each leaf's units from lines of (leaf, unit, sum_<place>, valued_<place>) in any order."""
    leaf, numbers = table["leaf"].to_numpy(), table["unit"].to_numpy()
    order = np.lexsort((numbers, leaf))
    sums: list[Integers] = [unscaled(table[f"sum_{place}"]) for place in range(measures)]
    valued = [table[f"valued_{place}"].to_numpy() for place in range(measures)]
    all_sums = _side_by_side(sums, len(order))[order]
    all_valued = np.stack(valued, axis=1)[order] if measures else np.empty((len(order), 0), np.bool_)
    ends = np.searchsorted(leaf[order], np.arange(leaves + 1))
    numbers = numbers[order]
    return [
        Units(numbers[start:end], all_sums[start:end], all_valued[start:end]) for start, end in pairwise(ends.tolist())
    ]


def _side_by_side(columns: list[Integers], rows: int) -> Integers:
    """Return columns of whole numbers as one array of (rows, columns)."""
    kind = object if any(column.dtype == object for column in columns) else np.int64
    table: Integers = np.empty((rows, len(columns)), kind)
    for place, column in enumerate(columns):
        table[:, place] = column
    return table


def _largest(column: Integers) -> list[int]:
    """Return the two largest, the largest first."""
    if column.dtype == object or len(column) <= 2:
        return sorted(column.tolist(), reverse=True)[:2]
    return sorted(np.partition(column, -2)[-2:].tolist(), reverse=True)


def _roomy(sums: Integers) -> Integers:
    """Return the same numbers in a type in which no sum of them overflows."""
    if sums.dtype == object or not sums.size or float(np.abs(sums).max()) * len(sums) < _SAFE_SUM:
        return sums
    return sums.astype(object)
