# SPDX-License-Identifier: Apache-2.0
"""The second parser: DuckDB's own, in an empty connection that can reach nothing. It parses; it never runs a text.

The guard wants two readings of every statement. This one is made here because the policy is pure, and handed to it as
data. The text arrives with its quotes lifted out, as a parameter, so that it is never part of what the engine executes.
"""

from threading import local

import duckdb

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": "64MB",
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "lock_configuration": "true",
}
_per_thread = local()


def tree_of(text: str) -> str:
    """Return DuckDB's parse tree of a lexed text as JSON; a text that does not parse gives an error tree."""
    connection = getattr(_per_thread, "connection", None)
    if connection is None:
        connection = _per_thread.connection = duckdb.connect(":memory:", config=_CONFIG)
    try:
        row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchone()
    except duckdb.Error:
        # The parser itself gave up (depth, length): for the guard that is one more text that does not parse.
        return '{"error":true}'
    assert row is not None, "one expression gives one row"
    return str(row[0])
