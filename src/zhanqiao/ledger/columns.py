# SPDX-License-Identifier: Apache-2.0
"""What a column can hold. SQLite takes anything anywhere, and two readers may then see two rows.

A text that is no time, for example, is "not NULL" where SQL looks and nothing where Python does. So the audit first asks
of every column whether it holds what its table was made for. Doors do not look for it: what they cannot read is
`RowDamaged`, a sentence and no fault.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist
from django.db import connection, models
from django.utils.dateparse import parse_datetime

from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.ledger.models import Entry

# By what Django calls the kind of a field.
_STORED = {
    "AutoField": "integer",
    "BigAutoField": "integer",
    "BigIntegerField": "integer",
    "BinaryField": "blob",
    "BooleanField": "integer",
    "CharField": "text",
    "DateTimeField": "text",
    "JSONField": "text",
    "TextField": "text",
}


class RowDamaged(Exception):  # noqa: N818  the name says what is so
    """A row holds what it cannot hold."""


@contextmanager
def believed(row: str) -> Iterator[None]:
    """Read a row inside; raises RowDamaged, by that name, when it cannot be what somebody wrote."""
    try:
        yield
    except (TypeError, ValueError, ObjectDoesNotExist, MultipleObjectsReturned) as cause:
        raise RowDamaged(f"{row} cannot be read: {cause}") from cause


def check_columns() -> None:
    """Raise LedgerDamaged at the first column that holds another kind of value than it can.

    Those of the entries are read as SQL gives them, and judged where they are read.
    """
    for model in apps.get_models():
        if model is not Entry:
            _check_table(model)


def _check_table(model: type[models.Model]) -> None:
    table, fields = model._meta.db_table, model._meta.concrete_fields  # noqa: SLF001  Django's public name for it
    key = next(one for one in fields if one.primary_key)
    shown = ", ".join([f"quote({_name(key)})", *(f"typeof({_name(one)})" for one in fields)])
    wrong = " OR ".join(f"typeof({_name(one)}) NOT IN ({_kinds(one)})" for one in fields)
    # The names are those of our own models.
    for row, *held in _rows(f"SELECT {shown} FROM {table} WHERE {wrong} LIMIT 1"):  # noqa: S608
        column, kind = next(
            (one.column, kind) for one, kind in zip(fields, held, strict=True) if f"'{kind}'" not in _kinds(one)
        )
        raise LedgerDamaged(f"couldn't audit: {table}, row {row[:80]}: column {column} cannot hold {kind}")
    for one in (one for one in fields if isinstance(one, models.DateTimeField)):
        # As text: what Django makes of it is what is in question.
        for row, value in _rows(f"SELECT quote({_name(key)}), CAST({_name(one)} AS TEXT) FROM {table}"):  # noqa: S608
            if value is not None and not _is_time(value):
                raise LedgerDamaged(f"couldn't audit: {table}, row {row[:80]}: column {one.column} holds no time")


def _rows(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def _kinds(one: "models.Field[Any, Any]") -> str:
    kind = _STORED[(one.target_field if isinstance(one, models.ForeignKey) else one).get_internal_type()]
    return f"'{kind}', 'null'" if one.null else f"'{kind}'"


def _name(one: "models.Field[Any, Any]") -> str:
    return f'"{one.column}"'


def _is_time(value: str) -> bool:
    try:
        return parse_datetime(value) is not None
    except ValueError:
        return False
