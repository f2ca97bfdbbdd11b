# SPDX-License-Identifier: Apache-2.0
"""One published cube in memory, ready to be asked: a locked-down DuckDB connection that holds its atoms and nothing else.

Other tasks get a connection each, and then it is gone, for it sees rows. This one stays open, as opening takes longer
than any answer, and may: what it holds was published, it reaches no file, spills nothing, runs only texts that we print,
and each text's plan is checked before it runs the first time. Nothing can be left behind for the next question.
"""

from collections import OrderedDict
from threading import Lock

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from zhanqiao.policy.ir import Statement
from zhanqiao.terms.datasets import CubeSpec, Dataset
from zhanqiao.vault.connection import in_memory
from zhanqiao.vault.engines import RolledUp
from zhanqiao.vault.plan_check import check_plan
from zhanqiao.vault.printer import CUBE_TABLE, FUNCTIONS, KEPT, print_answer

# Texts whose plan was seen; literals are parameters, so there are few of them.
_KNOWN_TEXTS = 256


class DuckDbCube:
    """Answers statements from the atoms of one cube, from any thread."""

    def __init__(self, dataset: Dataset, spec: CubeSpec, atoms: pa.Table) -> None:
        self._dataset = dataset
        self._spec = spec
        self._connection = in_memory({CUBE_TABLE: atoms})
        self._checked: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def answer(self, statement: Statement) -> RolledUp:
        """Return the roll-up of published atoms that a statement asks for, in any order."""
        printed = print_answer(statement, self._dataset, self._spec)
        with self._connection.cursor() as cursor:
            self._check(cursor, printed.sql, printed.columns)
            answer = cursor.execute(printed.sql, list(printed.parameters)).to_arrow_table()
        return rolled_up(answer, statement)

    def _check(self, cursor: duckdb.DuckDBPyConnection, sql: str, columns: frozenset[str]) -> None:
        with self._lock:
            if sql in self._checked:
                self._checked.move_to_end(sql)
                return
        check_plan(cursor, sql, ("memory", "main", CUBE_TABLE), columns, FUNCTIONS)
        with self._lock:
            self._checked[sql] = None
            if len(self._checked) > _KNOWN_TEXTS:
                self._checked.popitem(last=False)


def rolled_up(answer: pa.Table, statement: Statement) -> RolledUp:
    """Return what a printed statement was answered with, less the lines that its filter leaves out."""
    if statement.where is not None:
        kept = answer[KEPT]
        return RolledUp(answer.filter(kept).drop_columns([KEPT]), kept.null_count)
    # Without dimensions SQL gives one line even for no atoms at all.
    return RolledUp(answer.filter(pc.is_valid(answer["rows"])))
