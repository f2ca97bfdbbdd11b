# SPDX-License-Identifier: Apache-2.0
"""Rows as a door reads them: what cannot be what somebody wrote is damage, a sentence and no fault.

SQLite takes anything in any column. Whether each of them holds what it can is the audit's to ask, of all tables at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist


class RowDamaged(Exception):  # noqa: N818  the name says what is so
    """A row holds what it cannot hold."""


@contextmanager
def believed(row: str) -> Iterator[None]:
    """Read a row inside; raises RowDamaged, by that name, when it cannot be what somebody wrote."""
    try:
        yield
    except (TypeError, ValueError, ObjectDoesNotExist, MultipleObjectsReturned) as cause:
        raise RowDamaged(f"{row} cannot be read: {cause}") from cause
