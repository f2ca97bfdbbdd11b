# SPDX-License-Identifier: Apache-2.0
"""Print the SQL of a statement over its cube: the only text that answers anybody, and nobody wrote it but this module.

All names are quoted, every operation stands in parentheses, literals travel as typed parameters. Each engine has a
dialect: how it quotes, calls its types, and names a function so that no other can take its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import assert_never

import pyarrow as pa

from zhanqiao.policy.ir import And, Average, Compare, Literal, Not, Or, Predicate, Statement, Sum, Within
from zhanqiao.terms.datasets import CubeSpec, Dataset, Item
from zhanqiao.vault.connection import quoted
from zhanqiao.vault.cubes import item_of
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.segments import arrow_type, sql_type

CUBE_TABLE = "cube"
KEPT = "kept"
FUNCTIONS = frozenset({"sum"})


@dataclass(frozen=True)
class Dialect:
    """How one engine's SQL is written.

    home       the prefix of a built-in function, where it has one
    cube       the published atoms, as a table
    sql_type   the type of an item's values
    tested     a test of a column, so that it is NULL where the column is, whatever stands beside it
    """

    quoted: Callable[[str], str]
    home: str
    cube: str
    sql_type: Callable[[Item], str]
    tested: Callable[[str, str], str]


DUCKDB = Dialect(
    quoted, "system.main.", f'"memory"."main".{quoted(CUBE_TABLE)}', sql_type, lambda column, test: f"({column} {test})"
)


@dataclass(frozen=True)
class Printed:
    """A statement as SQL: its text, its parameters in order, and the columns of the cube that it may read."""

    sql: str
    parameters: tuple[object, ...]
    columns: frozenset[str]


def measures_of(statement: Statement, spec: CubeSpec) -> tuple[str, ...]:
    """Return the measures that a statement asks for, each once, in order."""
    asked = [output.term.item for output in statement.outputs if isinstance(output.term, Sum | Average)]
    if beyond := set(asked) - set(spec.measures):
        raise VaultFault(f"couldn't answer: the cube {spec.name} has no measure {', '.join(sorted(beyond))}")
    return tuple(dict.fromkeys(asked))


def print_answer(statement: Statement, dataset: Dataset, spec: CubeSpec, dialect: Dialect = DUCKDB) -> Printed:
    """Return the SQL that rolls up the published atoms: dims, rows, and sum_<m>, n_<m> for each measure asked.

    With a filter there is one more column, `kept`, by which lines are grouped, too: whether the filter holds. It is NULL
    where the filter asks about a remainder, of which it is neither true nor false.
    """
    writer = _Writer(dataset, spec, dialect)
    named = dialect.quoted
    dims = [writer.column(name) for name in statement.dims]
    figures = [("rows", "BIGINT")]
    for name in measures_of(statement, spec):
        figures += [(f"sum_{name}", f"DECIMAL(38, {item_of(dataset, name).scale})"), (f"n_{name}", "BIGINT")]
    groups = [f"{column} AS {named(name)}" for name, column in zip(statement.dims, dims, strict=True)]
    if statement.where is not None:
        groups.append(f"{writer.predicate(statement.where)} AS {named(KEPT)}")
    select = ", ".join(
        [
            *groups,
            *(f"CAST({dialect.home}sum({writer.figure(name)}) AS {kind}) AS {named(name)}" for name, kind in figures),
        ]
    )
    # By place: a filter written twice would carry its parameters twice.
    group = f" GROUP BY {', '.join(str(place) for place in range(1, len(groups) + 1))}" if groups else ""
    sql = f"SELECT {select} FROM {dialect.cube} AS {named('c')}{group}"  # noqa: S608  printed, not sent
    return Printed(sql, tuple(writer.parameters), frozenset(writer.columns))


def stored_literal(item: Item, value: Literal) -> object:
    """Return a literal as the item is stored: dates arrive as ISO text, everything else as what it is."""
    kind = arrow_type(item)
    if pa.types.is_date(kind) and isinstance(value, str):
        return date.fromisoformat(value)
    wanted: type = bool if pa.types.is_boolean(kind) else int if pa.types.is_integer(kind) else str
    if type(value) is not wanted:
        raise VaultFault(f"couldn't answer: a literal for {item.name} is not of its stored type")
    return value


class _Writer:
    """Collects parameters and columns while the text grows from left to right."""

    def __init__(self, dataset: Dataset, spec: CubeSpec, dialect: Dialect) -> None:
        self._dataset = dataset
        self._spec = spec
        self._dialect = dialect
        self.parameters: list[object] = []
        self.columns: set[str] = set()

    def column(self, name: str) -> str:
        if name not in self._spec.dims:
            raise VaultFault(f"couldn't answer: the cube {self._spec.name} has no dimension {name}")
        return self.figure(name)

    def figure(self, name: str) -> str:
        self.columns.add(name)
        return f"{self._dialect.quoted('c')}.{self._dialect.quoted(name)}"

    def predicate(self, predicate: Predicate) -> str:
        match predicate:
            case Compare(item, operator, value):
                return self._test(item, f"{operator.value} {self._literal(item, value)}")
            case Within(item, values):
                return self._test(item, f"IN ({', '.join(self._literal(item, value) for value in values)})")
            case Not(inner):
                return f"(NOT {self.predicate(inner)})"
            case And(parts):
                return f"({' AND '.join(self.predicate(part) for part in parts)})"
            case Or(parts):
                return f"({' OR '.join(self.predicate(part) for part in parts)})"
            case _:
                assert_never(predicate)

    def _test(self, item: str, test: str) -> str:
        return self._dialect.tested(self.column(item), test)

    def _literal(self, item: str, value: Literal) -> str:
        described = item_of(self._dataset, item)
        self.parameters.append(stored_literal(described, value))
        return f"CAST(? AS {self._dialect.sql_type(described)})"
