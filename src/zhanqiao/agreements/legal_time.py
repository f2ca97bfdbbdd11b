# SPDX-License-Identifier: Apache-2.0
"""Dates of contracts. A bare date is a whole day in China's legal time; a term runs from an instant up to an instant."""

import re
from datetime import UTC, date, datetime, timedelta

from zhanqiao.terms.legal_time import LEGAL_TIME, legal_day

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def first_instant(text: str) -> datetime | None:
    """Return when `text` begins: the start of a day, or the instant itself; None when it is neither."""
    return _read(text, days=0)


def after_instant(text: str) -> datetime | None:
    """Return the first instant after `text`: the start of the next day, or the next second."""
    return _read(text, days=1)


def years_later(begins: datetime, years: int) -> datetime:
    """Return the same instant `years` later; from a leap day, the first of March."""
    local = begins.astimezone(LEGAL_TIME)
    try:
        return local.replace(year=local.year + years).astimezone(UTC)
    except ValueError:
        return local.replace(year=local.year + years, month=3, day=1).astimezone(UTC)


def last_day(ends: datetime) -> str:
    """Return the last day that lies wholly before `ends`, as it is written in a draft."""
    return (legal_day(ends) - timedelta(days=1)).isoformat()


def _read(text: str, days: int) -> datetime | None:
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text) + timedelta(days=days)
            return datetime(day.year, day.month, day.day, tzinfo=LEGAL_TIME).astimezone(UTC)
        instant = datetime.fromisoformat(text)
        # Whole seconds only: that is how far the contract's byte form goes.
        if instant.tzinfo is None or instant.microsecond:
            return None
        return instant.astimezone(UTC) + timedelta(seconds=days)
    except (ValueError, OverflowError):
        return None
