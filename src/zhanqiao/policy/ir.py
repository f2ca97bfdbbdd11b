# SPDX-License-Identifier: Apache-2.0
"""The closed, typed form of a statement. What has no node here cannot be asked.

A statement reads one dataset, keeps the rows of a predicate over dimensions, groups by dimensions and asks for exact
aggregates. Averages are not an engine's business: they are Post, computed from a released sum and a released count.
(First form: issue C adds joins, measure filters and further Post nodes.)
"""

from dataclasses import dataclass
from enum import StrEnum

from zhanqiao.terms.subjects import SubjectKind

Literal = str | int | bool


class Operator(StrEnum):
    EQ = "="
    NE = "<>"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


@dataclass(frozen=True)
class Compare:
    """`item operator literal`; the literal has the item's stored type exactly, no casts."""

    item: str
    operator: Operator
    value: Literal


@dataclass(frozen=True)
class Within:
    """`item IN (values)`; values sorted and distinct."""

    item: str
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Not:
    inner: "Predicate"


@dataclass(frozen=True)
class And:
    parts: tuple["Predicate", ...]


@dataclass(frozen=True)
class Or:
    parts: tuple["Predicate", ...]


Predicate = Compare | Within | Not | And | Or


@dataclass(frozen=True)
class Dim:
    """A grouping dimension in the output."""

    item: str


@dataclass(frozen=True)
class Count:
    """Number of rows."""


@dataclass(frozen=True)
class CountUnits:
    """Number of distinct subjects of a kind."""

    kind: SubjectKind


@dataclass(frozen=True)
class Sum:
    item: str


@dataclass(frozen=True)
class Average:
    """Post: sum / rows with a value, half-even at the item's scale + 2 digits."""

    item: str


Term = Dim | Count | CountUnits | Sum | Average


@dataclass(frozen=True)
class Output:
    """One output column: its name and what it holds."""

    alias: str
    term: Term


@dataclass(frozen=True)
class Statement:
    """One statement in canonical order: outputs as asked; predicate None keeps every row; dims in the order asked."""

    dataset: str
    outputs: tuple[Output, ...]
    dims: tuple[str, ...] = ()
    where: Predicate | None = None
