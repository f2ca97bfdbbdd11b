# SPDX-License-Identifier: Apache-2.0
"""Datasets and items as the catalogue describes them: one frozen value per data contract.

A contract is an ODCS 3 file; `catalogue.contracts` parses it into these. Nothing else describes a dataset, and no
code is written for a new one.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from zhanqiao.terms.subjects import SubjectKind


class LogicalType(StrEnum):
    """What an item holds. NUMBER is an exact decimal with `scale` digits after the point, never a float."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"


class Capability(StrEnum):
    """What a statement may do with an item. An item without capabilities gives none."""

    JOIN = "join"
    FILTER = "filter"
    COMPARE = "compare"
    GROUP = "group"
    AGGREGATE = "aggregate"


class Mask(StrEnum):
    """What intake does with an item's values before they are stored. What declares no mask is dropped."""

    TOKEN = "token"  # noqa: S105  subject identifier -> keyed token -> subject number
    IDENTITY = "identity"  # direct identifier -> the separate identity store
    GENERALISE = "generalise"  # quasi-identifier -> its generaliser
    KEEP = "keep"
    DROP = "drop"


class Generaliser(StrEnum):
    """The declared coarsenings. Each gives a value that is stored in place of the original."""

    YEAR = "year"  # date -> integer year
    MONTH = "month"  # date -> text YYYY-MM
    QUARTER = "quarter"  # date -> text YYYYQn
    REGION = "region"  # administrative code or text -> its first six characters
    BAND = "band"  # number -> text label of the half-open grid step that holds it, "[lo,hi)"


class Level(StrEnum):
    """How far an item is from what may be released (forbidden is furthest)."""

    FORBIDDEN = "forbidden"
    KEY = "key"
    QUASI = "quasi"
    MEASURE = "measure"
    DIM = "dim"


class Sharing(StrEnum):
    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    WITHHELD = "withheld"


class Opening(StrEnum):
    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    CLOSED = "closed"


class UpdateCycle(StrEnum):
    """Codes 1 to 6 of the national metadata standard, in this order (domain.md 4)."""

    REAL_TIME = "real_time"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Delivery(StrEnum):
    """Whether a delivery replaces what was published before, or adds to it."""

    FULL = "full"
    APPEND = "append"


@dataclass(frozen=True)
class Bounds:
    """Closed range that every value of a measure lies in; loading quarantines what does not."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True)
class Item:
    """One information item (信息项): a column of the delivered file and what may become of it.

    name        ASCII snake_case, used in statements and in the store
    zh          Chinese name
    header      the column's header in the delivered file (ODCS physicalName; the Chinese name by default)
    scale       digits after the point of a NUMBER, 0 otherwise
    subject     the kind of subject that this column identifies, or None
    grid        steps of a band or of a range (ascending), empty when none
    domain      the public values, empty when none is declared
    pattern     regular expression that a text must match as a whole, or None
    """

    name: str
    zh: str
    header: str
    type: LogicalType
    required: bool = False
    unique: bool = False
    scale: int = 0
    max_length: int | None = None
    pattern: str | None = None
    subject: SubjectKind | None = None
    identifier: bool = False
    mask: Mask = Mask.DROP
    grade: int = 5  # unknown grade = highest (domain.md 8)
    category: str | None = None
    capabilities: frozenset[Capability] = frozenset()
    bounds: Bounds | None = None
    generaliser: Generaliser | None = None
    grid: tuple[Decimal, ...] = ()
    domain: tuple[str, ...] = ()
    description: str = ""

    @property
    def level(self) -> Level:
        """The item's level from the contract alone."""
        if self.subject is not None:
            return Level.KEY
        if self.identifier or not self.capabilities:
            return Level.FORBIDDEN
        if self.generaliser is not None:
            return Level.QUASI
        if Capability.AGGREGATE in self.capabilities:
            return Level.MEASURE
        return Level.DIM

    @property
    def bands(self) -> tuple[str, ...]:
        """The labels of a band in order: below the first step, each step, from the last one on; none of other items."""
        if self.generaliser is not Generaliser.BAND:
            return ()
        texts = [format(step, "f") for step in self.grid]
        return (f"[,{texts[0]})", *(f"[{low},{high})" for low, high in pairwise(texts)), f"[{texts[-1]},)")

    @property
    def free_text(self) -> bool:
        """Whether any text is stored as it stands: kept, and neither of public values nor of a declared form."""
        declared = bool(self.domain) or self.pattern is not None or self.subject is not None
        return self.type is LogicalType.STRING and self.mask is Mask.KEEP and not declared

    @property
    def stored(self) -> bool:
        """Whether the analytic table has a column for this item (subject keys are stored as subject numbers)."""
        return self.mask in {Mask.TOKEN, Mask.GENERALISE, Mask.KEEP}


@dataclass(frozen=True)
class CubeSpec:
    """A published partition: built at publication, then answers every question over its dimensions exactly.

    dims are in hierarchy order: an unsafe atom first gives up its last dimension to the remainder.
    """

    name: str
    dims: tuple[str, ...]
    measures: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """One dataset of the catalogue. `version` and `digest` name the exact contract that was in force.

    latest      item (DATE) of which the newest value per person is kept as maintained state, or None
    """

    name: str
    zh: str
    en: str
    code: str
    category: str
    department: str
    version: str
    digest: str
    items: tuple[Item, ...]
    subject_kinds: tuple[SubjectKind, ...]
    sharing: Sharing
    opening: Opening
    update_cycle: UpdateCycle
    delivery: Delivery = Delivery.FULL
    cubes: tuple[CubeSpec, ...] = ()
    latest: str | None = None
    domain: str = ""
    abstract: str = ""
    format_code: int = 2
    sharing_condition: str = ""
    opening_condition: str = ""

    def item(self, name: str) -> Item | None:
        """Return the item of that name, or None."""
        return next((item for item in self.items if item.name == name), None)

    def key_of(self, kind: SubjectKind) -> Item | None:
        """Return the first item that identifies a subject of `kind`, or None."""
        return next((item for item in self.items if item.subject is kind), None)

    @property
    def subject_keys(self) -> tuple["Item", ...]:
        """The stored items that identify subjects; whatever leaves counts the distinct subjects of each."""
        return tuple(item for item in self.items if item.subject is not None and item.stored)

    @property
    def in_no_cube(self) -> tuple[Item, ...]:
        """The items that say what a statement may do with them, and lie in no cube: no statement is answered from them."""
        published = {name for cube in self.cubes for name in (*cube.dims, *cube.measures)}
        return tuple(
            item for item in self.items if item.capabilities and item.subject is None and item.name not in published
        )

    @property
    def open(self) -> bool:
        """Whether the dataset stands in the open catalogue."""
        return self.opening is not Opening.CLOSED
