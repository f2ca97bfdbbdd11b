# SPDX-License-Identifier: Apache-2.0
"""Reader A: from sqlglot's tree of a lexed text to the statement as written.

A closed list of nodes is read, each with a closed list of arguments; everything else is refused by name where we have
one, and as unknown where we have none. Nothing of sqlglot's rewriting is used: only its parser.
"""

from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

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
from zhanqiao.terms.refusals import Reason, meant

_DIALECT = "duckdb"
# What a statement of ours begins with.
_ASKING = ("select", "with")

_OPERATORS: dict[type[exp.Expr], Operator] = {
    exp.EQ: Operator.EQ,
    exp.NEQ: Operator.NE,
    exp.LT: Operator.LT,
    exp.LTE: Operator.LE,
    exp.GT: Operator.GT,
    exp.GTE: Operator.GE,
}

# Arguments of SELECT and GROUP BY that we know by name and do not read.
_CLAUSES = {
    "with_": "form-cte",
    "joins": "form-join",
    "laterals": "form-subquery",
    "having": "form-having",
    "order": "form-order",
    "sort": "form-order",
    "cluster": "form-order",
    "distribute": "form-order",
    "limit": "form-limit",
    "offset": "form-limit",
    "distinct": "form-distinct",
    "qualify": "form-window",
    "windows": "form-window",
    "sample": "form-sample",
    "pivots": "form-pivot",
    "rollup": "form-rollup",
    "cube": "form-rollup",
    "grouping_sets": "form-rollup",
    "all": "form-group-all",
}

# Nodes that we know by name and do not read; the first class that fits gives the code, so the special ones come first.
_REFUSED: tuple[tuple[tuple[type[exp.Expr], ...], str], ...] = (
    ((exp.Window,), "form-window"),
    ((exp.Filter,), "form-filter"),
    ((exp.SetOperation,), "form-set-operation"),
    ((exp.Subquery, exp.Select, exp.Exists, exp.Lateral), "form-subquery"),
    ((exp.Cast, exp.TryCast), "form-cast"),
    ((exp.Case, exp.If), "form-case"),
    ((exp.Like, exp.ILike, exp.SimilarTo, exp.RegexpLike, exp.RegexpILike, exp.Glob), "form-like"),
    ((exp.Is, exp.Null, exp.NullSafeEQ, exp.NullSafeNEQ), "form-null"),
    ((exp.Star, exp.Columns), "form-star"),
    ((exp.Order,), "form-order"),
    ((exp.TableSample,), "form-sample"),
    ((exp.Pivot,), "form-pivot"),
    ((exp.Parameter, exp.Placeholder, exp.SessionParameter), "form-parameter"),
    ((exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Pow, exp.DPipe), "form-arithmetic"),
    ((exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseLeftShift, exp.BitwiseNot), "form-arithmetic"),
)
_OFFERED: dict[type[exp.Expr], type[Sum] | type[Average]] = {exp.Sum: Sum, exp.Avg: Average}
_CHAINS: dict[type[exp.Expr], type[And] | type[Or]] = {exp.And: And, exp.Or: Or}
_NAME_SHOWN = 64


@dataclass(frozen=True)
class Reading:
    """What reader A found: the statement, or reasons.

    parsed  what could be read: the whole statement where there are no reasons, else what is left of it (for advice)
    named   every item named anywhere, even in parts that are not read
    """

    parsed: Parsed | None
    reasons: tuple[Reason, ...]
    dataset: str | None = None
    named: frozenset[str] = frozenset()


def read(lexed: Lexed) -> Reading:
    """Return the statement as written, or every reason why it is none of ours."""
    first = lexed.text.split(None, 1)[0].lower()
    first = first if first.isidentifier() else first[:1]
    if first not in {*_ASKING, "("}:
        # sqlglot keeps what it cannot parse as a command, and logs it: neither shall happen.
        return Reading(None, (Reason("form-not-select", {"word": first, **meant(first, _ASKING)}),))
    try:
        trees = sqlglot.parse(lexed.text, dialect=_DIALECT)
    except ParseError as error:
        return Reading(None, (_not_parsed(error, lexed),))
    except (SqlglotError, RecursionError, ValueError):
        return Reading(None, (Reason("text-not-parsed", {"near": "?", "line": "?"}),))
    if len(trees) != 1 or trees[0] is None:
        return Reading(None, (Reason("text-not-parsed", {"near": "?", "line": "1"}),))
    return _Reader(lexed).statement(trees[0])


def _not_parsed(error: ParseError, lexed: Lexed) -> Reason:
    found = error.errors[0] if error.errors else {}
    near = str(found.get("highlight") or "?").strip("'\"")
    return Reason("text-not-parsed", {"near": lexed.texts.get(near, lexed.alias(near)), "line": str(found.get("line"))})


class _Reader:
    """Reads one tree and gathers every reason on the way."""

    def __init__(self, lexed: Lexed) -> None:
        self._lexed = lexed
        self._reasons: list[Reason] = []
        self._qualifiers: frozenset[str] = frozenset()

    def statement(self, tree: exp.Expr) -> Reading:
        named = self._named(tree)
        if type(tree) is not exp.Select:
            self._refuse_tree(tree)
            return Reading(None, tuple(self._reasons), self._first_table(tree), named)
        self._only(tree, "expressions", "from_", "where", "group")
        dataset = self._dataset(tree.args.get("from_"))
        outputs = [self._output(column) for column in tree.expressions]
        where = tree.args.get("where")
        predicate = self._predicate(where.this, 0) if where is not None else None
        group = self._group(tree.args.get("group"))
        if not outputs:
            self._refuse("text-not-parsed", near="SELECT", line="1")
        parsed = None
        if dataset is not None:
            parsed = Parsed(dataset, tuple(output for output in outputs if output is not None), group, predicate)
        return Reading(parsed, tuple(self._reasons), dataset or self._first_table(tree), named)

    def _named(self, tree: exp.Expr) -> frozenset[str]:
        """Return every item named anywhere. Where only the answer is sorted or cut, an alias is a column of the answer."""
        columns = [column for column in tree.find_all(exp.Column) if self._is_name(column.this)]
        written = [node.args["alias"] for node in tree.args.get("expressions") or [] if type(node) is exp.Alias]
        aliases = {self._name(alias).lower() for alias in written if self._is_name(alias)}
        return frozenset(
            name
            for column in columns
            if (name := self._name(column.this)).lower() not in aliases or not _is_after(column, tree)
        )

    # --- FROM ---

    def _dataset(self, source: exp.Expr | None) -> str | None:
        if source is None:
            self._refuse("form-no-dataset")
            return None
        self._only(source, "this")
        table = source.this
        if type(table) is not exp.Table or not self._is_name(table.this):
            self._refuse("form-subquery" if isinstance(table, exp.Subquery) else "form-table-function")
            return None
        if table.args.get("db") is not None or table.args.get("catalog") is not None:
            self._refuse("form-schema", dataset=self._name(table.this))
        self._only(table, "this", "alias", "db", "catalog")
        dataset = self._name(table.this)
        alias = table.args.get("alias")
        if alias is not None:
            self._only(alias, "this")
        named = self._name(alias.this) if alias is not None and alias.this is not None else dataset
        self._qualifiers = frozenset({named})
        return dataset

    def _first_table(self, tree: exp.Expr) -> str | None:
        """Return the dataset that the statement is about if it names exactly one, however deep."""
        names = {self._name(table.this) for table in tree.find_all(exp.Table) if self._is_name(table.this)}
        return names.pop() if len(names) == 1 else None

    # --- SELECT and GROUP BY ---

    def _output(self, node: exp.Expr) -> ParsedOutput | None:
        alias = None
        if type(node) is exp.Alias:
            self._only(node, "this", "alias")
            alias = self._alias(node.args["alias"])
            node = node.this
        term = self._term(node)
        return None if term is None else ParsedOutput(alias, term)

    def _alias(self, node: exp.Expr) -> str | None:
        if not self._is_name(node):
            self._refuse("form-unknown", node="alias")
            return None
        return self._lexed.alias(node.this)

    def _term(self, node: exp.Expr) -> ParsedTerm | None:
        if type(node) is exp.Column:
            item = self._column(node)
            return None if item is None else Dim(item)
        if type(node) is exp.Count:
            return self._count(node)
        if type(node) in _OFFERED:
            self._only(node, "this")
            if isinstance(node.this, exp.Distinct):
                self._refuse("form-distinct-aggregate", name=node.key)
                return None
            item = self._column(node.this)
            return None if item is None else _OFFERED[type(node)](item)
        if self._is_value(node):
            self._refuse("form-constant")
        else:
            self._refuse_tree(node)
        return None

    def _count(self, node: exp.Expr) -> ParsedTerm | None:
        self._only(node, "this", "big_int")
        inner = node.this
        if type(inner) is exp.Star:
            self._only(inner)
            return Count()
        if type(inner) is exp.Distinct and len(inner.expressions) == 1:
            self._only(inner, "expressions")
            item = self._column(inner.expressions[0])
            return None if item is None else CountDistinct(item)
        if isinstance(inner, exp.Expr) and type(inner) not in {exp.Column, exp.Distinct}:
            self._refuse_tree(inner)
        self._refuse("form-count-item")
        return None

    def _group(self, node: exp.Expr | None) -> tuple[str, ...]:
        if node is None:
            return ()
        self._only(node, "expressions")
        items = []
        for part in node.expressions:
            if type(part) in {exp.Rollup, exp.Cube, exp.GroupingSets}:
                self._refuse("form-rollup")
            elif type(part) is not exp.Column:
                self._refuse("form-ordinal")
            elif (item := self._column(part)) is not None:
                items.append(item)
        return tuple(dict.fromkeys(items))

    # --- WHERE ---

    def _predicate(self, node: exp.Expr, depth: int) -> Predicate | None:
        if depth > DEPTH_LIMIT:
            self._refuse("text-too-deep", limit=str(DEPTH_LIMIT))
            return None
        if type(node) is exp.Paren:
            self._only(node, "this")
            return self._predicate(node.this, depth + 1)
        if type(node) is exp.Not:
            self._only(node, "this")
            inner = self._predicate(node.this, depth + 1)
            return None if inner is None else negated(inner)
        if type(node) in _CHAINS:
            return self._junction(node, depth)
        if type(node) in _OPERATORS:
            return self._comparison(node)
        if type(node) is exp.Between:
            return self._between(node)
        if type(node) is exp.In:
            return self._within(node)
        if type(node) in {exp.Column, exp.Boolean, exp.Literal}:
            self._refuse("form-condition", condition=self._written(node))
            return None
        self._refuse_tree(node)
        return None

    def _junction(self, node: exp.Expr, depth: int) -> Predicate | None:
        """AND and OR chains are as deep in the tree as they are long in the text: take them apart without recursion."""
        kind, chain = type(node), _CHAINS[type(node)]
        parts: list[Predicate] = []
        waiting = [node]
        while waiting:
            part = waiting.pop()
            if type(part) is kind:
                self._only(part, "this", "expression")
                waiting += [part.expression, part.this]
                continue
            read = self._predicate(part, depth + 1)
            if read is not None:
                parts.extend(read.parts if isinstance(read, chain) else [read])
        return chain(tuple(parts)) if parts else None

    def _comparison(self, node: exp.Expr) -> Predicate | None:
        self._only(node, "this", "expression")
        operator, left, right = _OPERATORS[type(node)], node.this, node.expression
        if type(left) is exp.Column and type(right) is exp.Column:
            if not self._refuse_quoted(right):
                self._refuse("form-columns-compared", items=f"{self._written(left)}, {self._written(right)}")
            return None
        if type(left) is not exp.Column and type(right) is exp.Column:
            left, right, operator = right, left, flipped(operator)
        if type(left) is not exp.Column and self._is_value(left):
            self._refuse("form-condition", condition=self._written(left))
            return None
        item, value = self._column(left), self._value(right)
        return None if item is None or value is None else Compare(item, operator, value)

    def _between(self, node: exp.Expr) -> Predicate | None:
        self._only(node, "this", "low", "high")
        item, low, high = self._column(node.this), self._value(node.args["low"]), self._value(node.args["high"])
        return None if item is None or low is None or high is None else between(item, low, high)

    def _within(self, node: exp.Expr) -> Predicate | None:
        if node.args.get("query") is not None:
            self._refuse_tree(node.args["query"])
            return None
        self._only(node, "this", "expressions")
        item, values = self._column(node.this), [self._value(value) for value in node.expressions]
        whole = [value for value in values if value is not None]
        if item is None or not whole or len(whole) < len(values):
            return None
        return Within(item, tuple(whole))

    # --- leaves ---

    def _column(self, node: exp.Expr) -> str | None:
        if type(node) is not exp.Column or not self._is_name(node.this):
            self._refuse_tree(node)
            return None
        self._only(node, "this", "table")
        self._only(node.this, "this", "quoted")
        item = self._name(node.this)
        qualifier = node.args.get("table")
        if qualifier is not None and self._name(qualifier) not in self._qualifiers:
            self._refuse("form-qualifier", qualifier=self._name(qualifier), item=item)
            return None
        return item

    def _is_value(self, node: exp.Expr) -> bool:
        inner = node.this if type(node) is exp.Neg else node
        return type(inner) in {exp.Literal, exp.Boolean}

    def _value(self, node: exp.Expr) -> Literal | None:
        """Return a literal: quoted text, or a whole number with at most one sign."""
        negative = type(node) is exp.Neg
        literal = node.this if negative else node
        if type(literal) is exp.Literal:
            if literal.is_string and not negative and literal.this in self._lexed.texts:
                return self._lexed.texts[literal.this]
            if not literal.is_string and literal.this.isascii() and literal.this.isdigit():
                # Counted before it is made a number: Python refuses to read one of some thousand digits.
                digits = literal.this.lstrip("0") or "0"
                if len(digits) < len(str(WHOLE_LIMIT)):
                    return -int(digits) if negative else int(digits)
        if type(literal) in {exp.Literal, exp.Boolean}:
            self._refuse("form-literal", literal=("-" if negative else "") + self._written(literal))
        elif type(literal) is exp.Column:
            if not self._refuse_quoted(literal):
                self._refuse("form-columns-compared", items=self._written(literal))
        else:
            self._refuse_tree(node)
        return None

    def _is_name(self, node: object) -> bool:
        """Whether a node is an identifier; where a name belongs, sqlglot takes a quoted text for one, too."""
        return type(node) is exp.Identifier and node.this not in self._lexed.texts

    def _name(self, node: exp.Expr) -> str:
        return self._lexed.name(str(node.this))

    def _refuse_quoted(self, column: exp.Column) -> bool:
        """Refuse a name in double quotes where a value is wanted: many write texts so. False for other columns."""
        quoted = isinstance(column.this, exp.Identifier) and column.this.this in self._lexed.names
        if quoted:
            self._refuse("text-in-double-quotes", value=self._written(column))
        return quoted

    def _written(self, node: exp.Expr) -> str:
        """Return a leaf as its writer would know it."""
        if isinstance(node, exp.Column):
            return self._name(node.this) if isinstance(node.this, exp.Identifier) else "*"
        if isinstance(node, exp.Neg):
            return "-" + self._written(node.this)
        text = str(node.this).lower() if isinstance(node, exp.Boolean) else str(node.this)
        return self._lexed.texts.get(text, text)

    # --- refusing ---

    def _only(self, node: exp.Expr, *known: str) -> None:
        """Refuse every argument of a node that is set and not in the closed list."""
        for name, value in node.args.items():
            if name in known or value is None or value is False or value == []:
                continue
            code = _CLAUSES.get(name) if isinstance(node, exp.Select | exp.Group | exp.Table) else None
            if code is None:
                self._refuse("form-unknown", node=f"{node.key} {name}".replace("_", ""))
            else:
                self._refuse(code)
            self._refuse_below(value)

    def _refuse_below(self, value: object) -> None:
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, exp.Expr):
                for inner in part.walk():
                    if inner is not part:
                        self._refuse_node(inner)

    def _refuse_tree(self, node: exp.Expr) -> None:
        """Refuse a node that is not read, and say what else inside it would not be."""
        for inner in node.walk():
            self._refuse_node(inner)
        if all(_code_of(inner) is None for inner in node.walk()):
            self._refuse("form-unknown", node=node.key)

    def _refuse_node(self, node: exp.Expr) -> None:
        code = _code_of(node)
        if code in {"form-function", "form-aggregate"}:
            name = node.name if isinstance(node, exp.Anonymous) else node.key
            self._refuse(code, name=self._lexed.name(str(name))[:_NAME_SHOWN])
        elif code is not None:
            self._refuse(code)

    def _refuse(self, code: str, **facts: str) -> None:
        reason = Reason(code, facts)
        if reason not in self._reasons:
            self._reasons.append(reason)


def _is_after(column: exp.Expr, tree: exp.Expr) -> bool:
    """Whether a bare name stands in a clause of the statement that works on its answer."""
    clause = column.find_ancestor(exp.Order, exp.Having, exp.Qualify)
    return clause is not None and clause.parent is tree and column.args.get("table") is None


def _code_of(node: exp.Expr) -> str | None:
    """Return the refusal code of a node, None for the ones that only carry others."""
    if isinstance(node, exp.Star) and isinstance(node.parent, exp.Count):
        return None
    if isinstance(node, exp.Select) and isinstance(node.parent, exp.SetOperation | exp.CTE | None):
        return None
    for classes, code in _REFUSED:
        if isinstance(node, classes):
            return code
    if isinstance(node, exp.Count | exp.Sum | exp.Avg | exp.And | exp.Or):
        return None
    if isinstance(node, exp.AggFunc):
        return "form-aggregate"
    if isinstance(node, exp.Func):
        return "form-function"
    return None
