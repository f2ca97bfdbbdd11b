# SPDX-License-Identifier: Apache-2.0
"""The last look before SQL runs: the engine's own plan may hold only what the permit allows.

A closed list: one table, the columns named, `system.main` aggregates from a list, comparisons, AND, OR, NOT, IN, casts,
constants and parameters. Any other node, function, table or expression is a fault, also one that is not known today.
"""

import json
from typing import Any

import duckdb

from zhanqiao.vault.faults import VaultFault

_OPERATORS = frozenset({"LOGICAL_PROJECTION", "LOGICAL_AGGREGATE_AND_GROUP_BY", "LOGICAL_FILTER"})
_EXPRESSIONS = {
    "BOUND_REF": frozenset({"BOUND_REF"}),
    "BOUND_CONJUNCTION": frozenset({"CONJUNCTION_AND", "CONJUNCTION_OR"}),
    "BOUND_COMPARISON": frozenset(
        {
            "COMPARE_EQUAL",
            "COMPARE_NOTEQUAL",
            "COMPARE_LESSTHAN",
            "COMPARE_LESSTHANOREQUALTO",
            "COMPARE_GREATERTHAN",
            "COMPARE_GREATERTHANOREQUALTO",
        }
    ),
    "BOUND_OPERATOR": frozenset({"OPERATOR_NOT", "COMPARE_IN", "COMPARE_NOT_IN"}),
    "BOUND_CAST": frozenset({"OPERATOR_CAST"}),
    "BOUND_CONSTANT": frozenset({"VALUE_CONSTANT"}),
    "BOUND_PARAMETER": frozenset({"VALUE_PARAMETER"}),
    "BOUND_AGGREGATE": frozenset({"BOUND_AGGREGATE"}),
}
# A built-in of the type it was bound to (a sum of decimals) stands in the plan without a home; a macro never does.
_BUILT_IN = frozenset({("system", "main"), ("", "")})


def check_plan(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    table: tuple[str, str, str],
    columns: frozenset[str],
    functions: frozenset[str],
) -> None:
    """Raise VaultFault unless the plan of `sql` reads only these columns of this table, through these functions."""
    row = connection.execute("SELECT system.main.json_serialize_plan(CAST(? AS VARCHAR))", [sql]).fetchone()
    plan: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if plan["error"] or len(plan["plans"]) != 1:
        raise VaultFault("couldn't check a plan: the printed statement has none")
    try:
        _Check(table, columns, functions).operator(plan["plans"][0])
    except (KeyError, IndexError, TypeError):
        raise VaultFault("couldn't run a plan: it has a form that is not known") from None


class _Check:
    """Walks one plan."""

    def __init__(self, table: tuple[str, str, str], columns: frozenset[str], functions: frozenset[str]) -> None:
        self._table = table
        self._columns = columns
        self._functions = functions

    def operator(self, node: dict[str, Any]) -> None:
        if node["type"] == "LOGICAL_GET":
            self._scan(node)
        elif node["type"] not in _OPERATORS:
            raise VaultFault(f"couldn't run a plan: {node['type']} is not permitted")
        for child in node["children"]:
            self.operator(child)
        for key, value in node.items():
            if key != "children":
                self._expressions(value)

    def _scan(self, node: dict[str, Any]) -> None:
        data = node["function_data"]
        if node["name"] != "seq_scan" or (data["catalog"], data["schema"], data["table"]) != self._table:
            raise VaultFault("couldn't run a plan: it reads another table")
        used = {node["names"][column["index"]] for column in node["column_indexes"]}
        if node["table_filters"]["filters"] or not used <= self._columns:
            raise VaultFault("couldn't run a plan: it reads a column that is not permitted")

    def _expressions(self, value: Any) -> None:
        if isinstance(value, list):
            for inner in value:
                self._expressions(inner)
        elif isinstance(value, dict):
            if "expression_class" in value:
                self._expression(value)
            for inner in value.values():
                self._expressions(inner)

    def _expression(self, node: dict[str, Any]) -> None:
        if node["type"] not in _EXPRESSIONS.get(node["expression_class"], ()):
            raise VaultFault(f"couldn't run a plan: {node['expression_class']} {node['type']} is not permitted")
        if node["expression_class"] == "BOUND_AGGREGATE":
            qualified = (node["catalog_name"], node["schema_name"])
            if qualified not in _BUILT_IN or node["name"] not in self._functions:
                raise VaultFault(f"couldn't run a plan: function {node['name']} is not permitted")
