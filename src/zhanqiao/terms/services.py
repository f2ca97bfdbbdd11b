# SPDX-License-Identifier: Apache-2.0
"""Decision services as declarations: what goes in, what is read, which rule decides, what may come out.

A scenario publishes a `Service` by entry point; the decisions door runs it. The rule is a pure function from evidence
to an outcome, and the door lets nothing out that the output schema does not name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from zhanqiao.terms.subjects import SubjectKind


class Operation(StrEnum):
    """How the rows of one subject become one piece of evidence. All exact; NULLs are left out."""

    EXISTS = "exists"  # bool: any row
    COUNT = "count"  # int: rows
    SUM = "sum"  # Decimal: sum of an item
    NEWEST = "newest"  # value of an item in the newest row by the date item
    LATEST_DATE = "latest_date"  # date: greatest value of the date item


@dataclass(frozen=True)
class Evidence:
    """One named piece of evidence about one subject, read from one dataset.

    item            what SUM and NEWEST read
    date_item       the date that `window_months` and NEWEST and LATEST_DATE look at
    window_months   only rows of the last n months before the moment of the request, None for all
    where           item -> the values a row must have to count
    """

    name: str
    dataset: str
    operation: Operation
    item: str | None = None
    date_item: str | None = None
    window_months: int | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Trace:
    """A source of life signs for a state-based service: the newest date per person of a dataset with `latest`."""

    dataset: str
    evidence_class: str
    negative: bool = False


Value = bool | int | str | Decimal | date | None


@dataclass(frozen=True)
class Field:
    """One field of the output schema: an enumeration, a date cut to a month, or a band; nothing else may leave."""

    name: str
    zh: str
    values: tuple[str, ...] = ()  # the enumeration; empty for a date
    names: tuple[tuple[str, str], ...] = ()  # value -> what it is called in Chinese, where it does not speak for itself
    is_date: bool = False
    is_month: bool = False
    many: bool = False  # a list of values of the enumeration
    optional: bool = False

    @classmethod
    def named(
        cls, name: str, zh: str, names: Mapping[str, str], *, many: bool = False, optional: bool = False
    ) -> "Field":
        """Return an enumeration whose values have names."""
        return cls(name, zh, tuple(names), many=many, optional=optional, names=tuple(names.items()))


@dataclass(frozen=True)
class Service:
    """A published decision service.

    subject         kind of subject that a caller names
    needs_consent   whether a signed consent bound to recipient, purpose and items must come with each call
    evidence        what is read about the subject (empty for a state-based service)
    traces          the maintained state that is read instead, in order of preference
    roster          dataset whose subjects may be asked about on duty, without consent; None = consent or nothing
    roster_where    rows of the roster that count
    newest_signs    whether the rule looks at the newest sign of life and the newest negative one alone: the first declared
                    of equals, no sign of life from the future, and beside a negative one only whether it is the later.
                    Then a long list is decided once for all subjects that are alike in that, else one by one
    pack            version of the rule pack (periods, thresholds, lists)
    decide          pure rule: (evidence by name, moment) -> outcome by field name
    """

    name: str
    zh: str
    en: str
    subject: SubjectKind
    purposes: tuple[str, ...]
    needs_consent: bool
    output: tuple[Field, ...]
    pack: str
    decide: Callable[[dict[str, Value], date], dict[str, object]]
    evidence: tuple[Evidence, ...] = ()
    traces: tuple[Trace, ...] = ()
    roster: str | None = None
    roster_where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    newest_signs: bool = False
    negative_outcome_next_step: str = ""
