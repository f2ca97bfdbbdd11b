# SPDX-License-Identifier: Apache-2.0
"""Evidence about one subject: figures from its rows, as a service declared them. Exact, and never a row.

A row counts if it meets every `where` (compared as text) and, with a window, if its date lies in the last n months:
after the same day n months before the moment, up to and including the moment. Without rows: EXISTS is False, COUNT 0,
SUM, NEWEST and LATEST_DATE None. Where several rows share the newest date, the greatest value stands.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, assert_never

from zhanqiao.terms.services import Evidence, Operation, Value
from zhanqiao.vault.decimals import total
from zhanqiao.vault.faults import VaultFault

Row = dict[str, Any]


def items_read(evidence: Evidence) -> tuple[str, ...]:
    """Return the items that one piece of evidence looks at, each once."""
    named = [evidence.item, evidence.date_item, *(item for item, _ in evidence.where)]
    return tuple(dict.fromkeys(item for item in named if item is not None))


def figure(evidence: Evidence, rows: Sequence[Row], at: date) -> Value:
    """Return what the rows of one subject say."""
    counting = [row for row in rows if _counts(evidence, row, at)]
    match evidence.operation:
        case Operation.EXISTS:
            return bool(counting)
        case Operation.COUNT:
            return len(counting)
        case Operation.SUM:
            values = [Decimal(row[_item(evidence)]) for row in counting if row[_item(evidence)] is not None]
            return total(values) if values else None
        case Operation.NEWEST:
            return _newest(evidence, counting)
        case Operation.LATEST_DATE:
            return max((row[_date_item(evidence)] for row in counting if row[_date_item(evidence)]), default=None)
        case _:
            assert_never(evidence.operation)


def months_before(day: date, months: int) -> date:
    """Return the same day so many months earlier, or the last day of that month if it is shorter."""
    month = day.year * 12 + day.month - 1 - months
    year, month = divmod(month, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


def as_text(value: object) -> str | None:
    """Return a stored value as `where` writes it."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _counts(evidence: Evidence, row: Row, at: date) -> bool:
    if any(as_text(row[item]) not in values for item, values in evidence.where):
        return False
    if evidence.window_months is None:
        return True
    day = row[_date_item(evidence)]
    return day is not None and months_before(at, evidence.window_months) < day <= at


def _newest(evidence: Evidence, rows: list[Row]) -> Value:
    item, date_item = _item(evidence), _date_item(evidence)
    dated = [(row[date_item], row[item]) for row in rows if row[date_item] is not None and row[item] is not None]
    value: Value = max(dated)[1] if dated else None
    return value


def _item(evidence: Evidence) -> str:
    if evidence.item is None:
        raise VaultFault(f"couldn't read evidence {evidence.name}: it names no item")
    return evidence.item


def _date_item(evidence: Evidence) -> str:
    if evidence.date_item is None:
        raise VaultFault(f"couldn't read evidence {evidence.name}: it names no date item")
    return evidence.date_item
