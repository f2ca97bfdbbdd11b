# SPDX-License-Identifier: Apache-2.0
"""What a column can hold. SQLite takes anything anywhere, and two readers may then see two rows.

A text that is no time, for example, is "not NULL" where SQL looks and nothing where Python does. So the audit first asks
of every column of every floor whether it holds what its table was made for. Doors do not look for it (`ledger.rows`).
"""

from typing import Any, NoReturn

from django.apps import apps
from django.db import connection, models
from django.utils.dateparse import parse_datetime

from zhanqiao.ledger.entries import LedgerDamaged

# By what Django calls the kind of a field: how SQLite keeps it, and what it is then.
_STORED = {
    "AutoField": ("integer", "number"),
    "BigAutoField": ("integer", "number"),
    "BigIntegerField": ("integer", "number"),
    "BinaryField": ("blob", "bytes"),
    "BooleanField": ("integer", "yes or no"),
    "CharField": ("text", "text"),
    "DateTimeField": ("text", "time"),
    "JSONField": ("text", "text"),
    "TextField": ("text", "text"),
}
_ENTRIES = "ledger.Entry"


def check_columns() -> None:
    """Raise LedgerDamaged at the first column that holds another kind of value than it can.

    Those of the entries are read as SQL gives them, and judged where they are read.
    """
    for model in apps.get_models():
        if model._meta.label != _ENTRIES:  # noqa: SLF001  as below
            _check_table(model)


def _check_table(model: type[models.Model]) -> None:
    table, fields = model._meta.db_table, model._meta.concrete_fields  # noqa: SLF001  Django's public name for it
    key = next(_name(one) for one in fields if one.primary_key)
    judged = [_sound(one) for one in fields]
    # The names are those of our own models.
    query = f"SELECT quote({key}), {', '.join(judged)} FROM {table} WHERE NOT ({' AND '.join(judged)}) LIMIT 1"  # noqa: S608
    for row, *sound in _rows(query):
        _say(table, row, fields[sound.index(0)])
    for one in (one for one in fields if isinstance(one, models.DateTimeField)):
        # As text: what Django makes of it is what is in question.
        for row, value in _rows(f"SELECT quote({key}), CAST({_name(one)} AS TEXT) FROM {table}"):  # noqa: S608
            if value is not None and not _is_time(value):
                _say(table, row, one)


def _say(table: str, row: str, one: "models.Field[Any, Any]") -> NoReturn:
    raise LedgerDamaged(f"couldn't audit: {table}, row {row[:80]}: column {one.column} holds no {_stored(one)[1]}")


def _sound(one: "models.Field[Any, Any]") -> str:
    """Return the condition under which a column holds what it can, as far as SQL tells."""
    kinds = f"'{_stored(one)[0]}', 'null'" if one.null else f"'{_stored(one)[0]}'"
    kind = f"typeof({_name(one)}) IN ({kinds})"
    return f"({kind} AND {_name(one)} IN (0, 1))" if isinstance(one, models.BooleanField) else f"({kind})"


def _stored(one: "models.Field[Any, Any]") -> tuple[str, str]:
    return _STORED[(one.target_field if isinstance(one, models.ForeignKey) else one).get_internal_type()]


def _rows(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def _name(one: "models.Field[Any, Any]") -> str:
    return f'"{one.column}"'


def _is_time(value: str) -> bool:
    try:
        return parse_datetime(value) is not None
    except ValueError:
        return False
