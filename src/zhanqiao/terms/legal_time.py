# SPDX-License-Identifier: Apache-2.0
"""China's legal time: what day it is for contracts, and for everything that is judged as of a day."""

from datetime import date, datetime, timedelta, timezone

LEGAL_TIME = timezone(timedelta(hours=8))


def legal_day(at: datetime) -> date:
    """Return the day that a moment lies in. The first eight hours of it are the day before in UTC."""
    return at.astimezone(LEGAL_TIME).date()
