# SPDX-License-Identifier: Apache-2.0
"""The schema: tables, indexes and whatever else a state's file defines, beside what the migrations make.

A trigger writes rows of its own as an act is logged, a view shows rows that nobody wrote, and an index that is gone lets
in what was to be there once. None of them is a row, so that no replay meets them. The migrations are run once more, on an
empty state in memory, and what stands in `sqlite_master` has to be the same, word for word.
"""

from collections.abc import Iterable, Mapping
from functools import cache

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

# `trigger undo` -> the table that it is about, and its words
Schema = Mapping[str, tuple[str, str | None]]

_STATE = "default"
# SQLite numbers rows to 2^63 - 1 and then takes no more. A thousand rows a microsecond do not come here in a century.
_MOST_ROWS = 1 << 62


def difference() -> str | None:
    """Say what the state in use defines otherwise than this version's migrations; None when nothing."""
    held, made = _defined(connections[_STATE]), _made()
    if (odd := _odd(held, made)) is not None:
        return odd
    other = next((name for name in sorted(made) if held[name] != made[name]), None)
    return None if other is None else f"{other} is not the one that this version makes"


def contradiction(done: Iterable[str]) -> str | None:
    """Say why the state in use cannot be one to which only those migrations (`app.name`) were done; None when it can."""
    try:
        MigrationLoader(None).check_consistent_history(connections[_STATE])
    except InconsistentMigrationHistory as cause:
        return str(cause)
    return _odd(_defined(connections[_STATE]), _made(frozenset(done)))


def used_up() -> str | None:
    """Say which table takes no further row, so that nothing can be suspended or recorded any more; None when all do.

    To be asked of a state whose schema is ours.
    """
    with connections[_STATE].cursor() as cursor:
        cursor.execute("SELECT tbl_name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'")
        for (table,) in cursor.fetchall():
            # The next number follows the higher of the two.
            cursor.execute(
                "SELECT max(seq), count(*) FILTER (WHERE typeof(seq) <> 'integer') FROM sqlite_sequence WHERE name = %s",
                [table],
            )
            given, odd = cursor.fetchone()
            cursor.execute(f'SELECT max(rowid) FROM "{table}"')  # noqa: S608
            (held,) = cursor.fetchone()
            if odd or max(given or 0, held or 0) > _MOST_ROWS:
                return f"the numbers of {table} are used up"
    return None


def _odd(held: Schema, made: Schema) -> str | None:
    for name in sorted(held.keys() ^ made.keys()):
        return f"{name[:80]} is there, and no migration made it" if name in held else f"{name} is missing"
    return None


def _defined(database: BaseDatabaseWrapper) -> Schema:
    with database.cursor() as cursor:
        cursor.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
        return {f"{kind} {name}": (table, words) for kind, name, table, words in cursor.fetchall()}


@cache
def _made(done: frozenset[str] | None = None) -> Schema:
    """Return what the migrations make, all of them or some."""
    empty = DatabaseWrapper({**connections[_STATE].settings_dict, "NAME": ":memory:", "OPTIONS": {}}, _STATE)
    # Migrations find their database by name: it is another one for this thread, and this moment.
    former, connections[_STATE] = connections[_STATE], empty
    try:
        executor = MigrationExecutor(empty)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        executor.migrate(None, [step for step in plan if done is None or f"{step[0].app_label}.{step[0].name}" in done])
        return _defined(empty)
    finally:
        connections[_STATE] = former
        empty.close()
