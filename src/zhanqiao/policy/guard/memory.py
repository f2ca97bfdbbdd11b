# SPDX-License-Identifier: Apache-2.0
"""Memory of statements read before: the same text under the same grant and contract means the same.

Only accepted statements are kept, each with all that its reading depended on: the items granted and the dataset as the
contract described it. Term, revocation and balance are no part of a reading; `decide` looks at them every time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from zhanqiao.policy.guard.read import read
from zhanqiao.policy.ir import Statement
from zhanqiao.terms.agreements import Grant
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.refusals import Refusal


@dataclass(frozen=True)
class _Read:
    statement: Statement
    granted: frozenset[str]
    dataset: Dataset


class Memory:
    """Reads like `guard.read`, at most `limit` statements from memory; the oldest is forgotten first."""

    def __init__(self, limit: int = 4_096) -> None:
        self._limit = limit
        self._kept: dict[tuple[str, str], _Read] = {}  # (agreement, text) -> what it meant
        self._lock = Lock()  # guards writing `_kept`

    def read(
        self,
        text: str,
        tree_b: Callable[[str], str],
        dataset_of: Callable[[str], Dataset | None],
        grant: Grant | None,
    ) -> Statement | Refusal:
        """Return what `guard.read` returns."""
        if grant is None:
            return read(text, tree_b, dataset_of, grant)
        key = (grant.agreement, text)
        kept = self._kept.get(key)
        if kept is not None and _still_stands(kept, dataset_of, grant):
            return kept.statement
        statement = read(text, tree_b, dataset_of, grant)
        if isinstance(statement, Statement):
            self._keep(key, statement, dataset_of, grant)
        return statement

    def _keep(
        self, key: tuple[str, str], statement: Statement, dataset_of: Callable[[str], Dataset | None], grant: Grant
    ) -> None:
        dataset = dataset_of(statement.dataset)
        if dataset is None:
            return
        with self._lock:
            self._kept.pop(key, None)
            while len(self._kept) >= self._limit:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = _Read(statement, grant.items[statement.dataset], dataset)


def _still_stands(kept: _Read, dataset_of: Callable[[str], Dataset | None], grant: Grant) -> bool:
    name = kept.statement.dataset
    return grant.items.get(name) == kept.granted and dataset_of(name) == kept.dataset
