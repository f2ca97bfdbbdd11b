# SPDX-License-Identifier: Apache-2.0
"""What the vault asks of an engine. DuckDB is one, the slow plain-Python judge is another; they give equal bits.

An engine computes exact commutative-monoid aggregates only: counts, sums of scaled decimals, greatest values, distinct
units. It never sorts for us, never divides, and never runs a text that somebody sent.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhanqiao.policy.ir import Statement
from zhanqiao.terms.datasets import CubeSpec, Dataset
from zhanqiao.terms.services import Value
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.subjects import Numbers

Days = npt.NDArray[np.int64]
Where = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Read:
    """Some items of one dataset, as some segments hold it."""

    dataset: Dataset
    segments: tuple[str, ...]
    items: tuple[str, ...]


@dataclass(frozen=True)
class RolledUp:
    """Published atoms, added up as a statement asks.

    table      the dims asked, `rows`, and `sum_<m>`, `n_<m>` for each measure asked; NULL in a dim is the remainder
    undecided  groups that the filter leaves out because they are in the remainder of a dim that it asks about
    """

    table: pa.Table
    undecided: int = 0


class OpenCube(Protocol):
    """A published cube that is ready to be asked. It sees published atoms only, never a row."""

    def answer(self, statement: Statement) -> RolledUp:
        """Return the roll-up of published atoms that a statement asks for, in any order."""
        ...


class Engine(Protocol):
    """One way to keep segments and to compute over them."""

    def scan_schema(self, dataset: Dataset) -> pa.Schema:
        """Return the columns of a dataset's segments."""
        ...

    def load(self, dataset: Dataset, snapshot: str, batches: Iterable[pa.RecordBatch]) -> str:
        """Keep rows as one immutable segment, durable when this returns; return its name."""
        ...

    def names(self) -> list[str]:
        """Return every segment that is kept."""
        ...

    def expect_ready(self) -> None:
        """Start what computes, without rows, and let it end; a fault says why it does not start."""
        ...

    def prove(self) -> None:
        """Open every segment that is kept, whole; a fault names the first that does not open."""
        ...

    def drop(self, dataset: str, snapshot: str, kept: Collection[str] = ()) -> list[str]:
        """Forget the segments that a snapshot brought; return which.

        kept  segments that stay whoever brought them, because snapshots that stay are made of them
        """
        ...

    def cube(self, dataset: Dataset, spec: CubeSpec, segments: Sequence[str]) -> pa.Table:
        """Return the protected atoms of a cube (`cubes.cube_schema`, `cubes.exact_of`), sorted by dimensions."""
        ...

    def opened(self, dataset: Dataset, spec: CubeSpec, atoms: pa.Table) -> OpenCube:
        """Return a published cube that is ready to be asked, many times and from any thread."""
        ...

    def rows_of(self, reads: Sequence[Read], kind: SubjectKind, number: int) -> list[list[dict[str, Value]]]:
        """Return the rows of one subject, one list for each read, in any order."""
        ...

    def roster(self, dataset: Dataset, segments: Sequence[str], kind: SubjectKind, where: Where) -> Numbers:
        """Return the distinct subjects of the rows that count, ascending."""
        ...

    def dates(
        self, dataset: Dataset, segments: Sequence[str], kind: SubjectKind, item: str
    ) -> Iterable[tuple[Numbers, Days]]:
        """Return subject numbers and dates (days since 1970) of every row that has both, in blocks."""
        ...
