# SPDX-License-Identifier: Apache-2.0
"""Reader B: from DuckDB's own parse tree (JSON of `json_serialize_sql`) to the statement as written.

The tree is data: it was made outside, by the parser of the engine itself, and is trusted for nothing but its shape.
Every node is read by a closed list of fields; a field that is neither listed nor empty refuses the statement. Reader A
explains refusals to people, this one only agrees or names the part where it does not.
"""

import json
from typing import Any

from zhanqiao.policy.guard.lexer import DEPTH_LIMIT, Lexed
from zhanqiao.policy.guard.parsed import (
    WHOLE_LIMIT,
    CountDistinct,
    Parsed,
    ParsedOutput,
    ParsedTerm,
    between,
    flipped,
    negated,
)
from zhanqiao.policy.ir import And, Average, Compare, Count, Dim, Literal, Operator, Or, Predicate, Sum, Within

_OPERATORS = {
    "COMPARE_EQUAL": Operator.EQ,
    "COMPARE_NOTEQUAL": Operator.NE,
    "COMPARE_LESSTHAN": Operator.LT,
    "COMPARE_LESSTHANOREQUALTO": Operator.LE,
    "COMPARE_GREATERTHAN": Operator.GT,
    "COMPARE_GREATERTHANOREQUALTO": Operator.GE,
}
_NOWHERE = {"query_location"}  # where in the text a node stands: says nothing about its meaning
_WHOLE_TYPES = {"INTEGER", "BIGINT"}


class _Unread(Exception):  # noqa: N818  leaves the reader at the first part that it does not know
    pass


def read(tree: str, lexed: Lexed) -> Parsed | str:
    """Return the statement as written, or the name of the first part that is not read."""
    try:
        return _Reader(lexed).document(json.loads(tree))
    except _Unread as unread:
        return str(unread)
    except (ValueError, RecursionError):
        return "tree"


class _Reader:
    """Reads one tree; holds the only qualifier that may stand before an item."""

    def __init__(self, lexed: Lexed) -> None:
        self._lexed = lexed
        self._qualifier = ""

    def document(self, root: object) -> Parsed:
        whole = _fields(root, "document", "error", "statements", may_be_set=("statements",))
        statements = whole["statements"]
        if not isinstance(statements, list) or len(statements) != 1:
            raise _Unread("statement count")
        statement = _fields(statements[0], "statement", "node", may_be_set=("node",))
        return self._select(statement["node"])

    def _select(self, value: object) -> Parsed:
        node = _node(value, "select_list", "from_table", "where_clause", "group_expressions", "group_sets", "cte_map",
                     "aggregate_handling", type="SELECT_NODE")  # fmt: skip
        if node.get("cte_map") not in ({"map": []}, None):
            raise _Unread("WITH")
        if node.get("aggregate_handling") != "STANDARD_HANDLING":
            raise _Unread("GROUP BY ALL")
        dataset = self._dataset(node.get("from_table"))
        outputs = tuple(self._output(part) for part in _list(node.get("select_list")))
        where = node.get("where_clause")
        predicate = None if where is None else self._predicate(where, 0)
        group = tuple(self._column(part) for part in _list(node.get("group_expressions")))
        if _list(node.get("group_sets")) != ([list(range(len(group)))] if group else []):
            raise _Unread("GROUPING SETS")
        return Parsed(dataset, outputs, tuple(dict.fromkeys(group)), predicate)

    def _dataset(self, value: object) -> str:
        node = _node(value, "alias", "table_name", type="BASE_TABLE")
        dataset = self._name(node.get("table_name"))
        self._qualifier = self._name(node["alias"]) if node.get("alias") else dataset
        return dataset

    def _output(self, value: object) -> ParsedOutput:
        if not isinstance(value, dict):
            raise _Unread("output")
        alias = value.get("alias") or None
        if alias is not None and (not isinstance(alias, str) or alias in self._lexed.texts):
            raise _Unread("alias")
        bare = {name: inner for name, inner in value.items() if name != "alias"}
        return ParsedOutput(None if alias is None else self._lexed.alias(alias), self._term(bare))

    def _term(self, value: dict[str, Any]) -> ParsedTerm:
        if value.get("type") == "COLUMN_REF":
            return Dim(self._column(value))
        node = _node(value, "function_name", "children", "distinct", "order_bys", type="FUNCTION")
        if node.get("order_bys") != {"type": "ORDER_MODIFIER", "orders": []}:
            raise _Unread("ORDER BY in an aggregate")
        items = [self._column(child) for child in _list(node.get("children"))]
        match node.get("function_name"), items, node.get("distinct"):
            case "count_star", [], False:
                return Count()
            case "count", [item], True:
                return CountDistinct(item)
            case "sum", [item], False:
                return Sum(item)
            case "avg", [item], False:
                return Average(item)
        raise _Unread("function")

    def _predicate(self, value: object, depth: int) -> Predicate:
        if depth > DEPTH_LIMIT:
            raise _Unread("depth")
        match _type(value):
            case "CONJUNCTION_AND":
                return And(self._parts(value, And, depth))
            case "CONJUNCTION_OR":
                return Or(self._parts(value, Or, depth))
            case "OPERATOR_NOT":
                return negated(self._negated(value, depth))
            case "COMPARE_IN":
                return self._within(value)
            case "COMPARE_NOT_IN":
                return negated(self._within(value))
            case "COMPARE_BETWEEN":
                node = _node(value, "input", "lower", "upper")
                return between(self._column(node["input"]), self._value(node["lower"]), self._value(node["upper"]))
            case kind if kind in _OPERATORS:
                return self._comparison(value, _OPERATORS[kind])
            case kind:
                raise _Unread(kind)

    def _parts(self, value: object, kind: type[And] | type[Or], depth: int) -> tuple[Predicate, ...]:
        parts: list[Predicate] = []
        for child in _list(_node(value, "children").get("children")):
            part = self._predicate(child, depth + 1)
            parts.extend(part.parts if isinstance(part, kind) else [part])
        return tuple(parts)

    def _negated(self, value: object, depth: int) -> Predicate:
        children = _list(_node(value, "children").get("children"))
        if len(children) != 1:
            raise _Unread("NOT")
        return self._predicate(children[0], depth + 1)

    def _within(self, value: object) -> Within:
        children = _list(_node(value, "children").get("children"))
        if len(children) < 2:
            raise _Unread("IN")
        return Within(self._column(children[0]), tuple(self._value(child) for child in children[1:]))

    def _comparison(self, value: object, operator: Operator) -> Compare:
        node = _node(value, "left", "right")
        left, right = node.get("left"), node.get("right")
        if _type(left) != "COLUMN_REF":
            left, right, operator = right, left, flipped(operator)
        return Compare(self._column(left), operator, self._value(right))

    def _column(self, value: object) -> str:
        match _list(_node(value, "column_names", type="COLUMN_REF").get("column_names")):
            case [str(item)]:
                return self._name(item)
            case [str(qualifier), str(item)] if self._name(qualifier) == self._qualifier:
                return self._name(item)
        raise _Unread("column")

    def _value(self, value: object) -> Literal:
        constant = _node(value, "value", type="VALUE_CONSTANT").get("value")
        inner = _fields(constant, "value", "type", "is_null", "value", may_be_set=("type", "value"))
        kind = _fields(inner["type"], "type", "id", may_be_set=("id",))["id"]
        match kind, inner["value"]:
            case "VARCHAR", str(token) if token in self._lexed.texts:
                return self._lexed.texts[token]
            case str(whole), int(number) if whole in _WHOLE_TYPES and abs(number) < WHOLE_LIMIT:
                return number
        raise _Unread("value")

    def _name(self, value: object) -> str:
        if not isinstance(value, str) or value in self._lexed.texts:
            raise _Unread("name")
        return self._lexed.name(value)


def _fields(value: object, what: str, *known: str, may_be_set: tuple[str, ...]) -> dict[str, Any]:
    """Return an object all of whose set fields are listed, and that has every known one."""
    if not isinstance(value, dict) or not set(known) <= value.keys():
        raise _Unread(what)
    for name, inner in value.items():
        if name not in may_be_set and name not in _NOWHERE and not _is_empty(inner):
            raise _Unread(f"{what} {name}")
    return value


def _node(value: object, *may_be_set: str, type: str | None = None) -> dict[str, Any]:  # noqa: A002  its name in the tree
    """Return a tree node whose set fields are all listed; with `type`, of that type only."""
    kind = _type(value)
    if type is not None and kind != type:
        raise _Unread(kind)
    return _fields(value, kind, may_be_set=(*may_be_set, "class", "type"))


def _type(value: object) -> str:
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        return str(value["type"])
    raise _Unread("node")


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Unread("list")
    return value


def _is_empty(value: object) -> bool:
    return value is None or value is False or value in ("", [], {})
