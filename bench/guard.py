# SPDX-License-Identifier: Apache-2.0
"""The guard: from a caller's text to a typed statement. No data, no deployment."""

import statistics
from collections.abc import Callable
from pathlib import Path

from bench.measure import spent
from bench.table import Figure, at_most
from zhanqiao.policy import guard
from zhanqiao.policy.ir import Statement
from zhanqiao.scenarios.city.delivery import city_contracts
from zhanqiao.terms.agreements import Door, Grant
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.refusals import Refusal
from zhanqiao.vault.second_parser import tree_of

_STATEMENTS, _AGAIN = 200, 20
Read = Callable[[str, Callable[[str], str], Callable[[str], Dataset | None], Grant | None], Statement | Refusal]


def measure(folder: Path) -> list[Figure]:  # noqa: ARG001  every figure is measured in a folder, this one needs none
    """Read 200 different statements, then each of them again."""
    datasets = city_contracts()
    dataset = datasets["pension_enrolment"]
    grant = Grant(
        agreement="bench",
        organisation="bay-bank",
        purpose="credit-precheck",
        doors=frozenset({Door.STATISTICS}),
        items={dataset.name: frozenset(item.name for item in dataset.items)},
    )

    def read(text: str, how: Read) -> None:
        statement = how(text, tree_of, datasets.get, grant)
        assert isinstance(statement, Statement), f"{text} was refused"

    memory = guard.Memory()
    texts = [_text(number) for number in range(_STATEMENTS)]
    read(_text(_STATEMENTS), guard.read)  # whatever is loaded once
    new = [spent(lambda text=text: read(text, guard.read)).cpu for text in texts]
    for text in texts:
        read(text, memory.read)
    seen = [spent(lambda text=text: [read(text, memory.read) for _ in range(_AGAIN)]).cpu / _AGAIN for text in texts]
    what = "count and average with two conditions, grouped; two parsers"
    return [
        Figure("guard", "new statement", statistics.median(new) * 1e3, "ms cpu", len(new), at_most(5), what),
        Figure(
            "guard",
            "statement seen before",
            statistics.median(seen) * 1e3,
            "ms cpu",
            len(seen),
            at_most(0.2),
            "from `guard.Memory`",
        ),
    ]


def _text(number: int) -> str:
    return (
        "SELECT district, count(*) AS insured, avg(contribution_base) AS base FROM pension_enrolment "
        f"WHERE birth_year >= {1940 + number % 60} AND birth_year < {2000 + number // 60} GROUP BY district"
    )
