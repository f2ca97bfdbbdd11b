# SPDX-License-Identifier: Apache-2.0
"""A statistic from a published cube, beside the raw query that it replaces: the same rows in a plain DuckDB file.

The raw query runs warm, on an open connection, and protects nobody; it is the peer that is hardest to meet. Beside it
stands what the thresholds want to know, distinct persons for each cell, which a raw query would have to count each time.
"""

import statistics
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from bench.measure import Spent, cpu_of, in_turn, ratio, spent, wall_of
from bench.table import Figure, at_most
from bench.town import describe, done, found, plain_database, publish, rows, seal
from zhanqiao.agreements import grants
from zhanqiao.catalogue import shelf
from zhanqiao.desk import personas
from zhanqiao.doors import statistics as door
from zhanqiao.identity import residents
from zhanqiao.identity.admission import CRITERIA
from zhanqiao.ledger.book import new_request_id
from zhanqiao.policy import decide, guard
from zhanqiao.policy.ir import Statement
from zhanqiao.policy.permits import AnswerPermit
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.requests import StatisticsRequest
from zhanqiao.vault.house import House
from zhanqiao.vault.second_parser import tree_of

ROWS = 10_000_000
RUNS = 11
DATASET, TABLE = "pension_enrolment", "enrolment"

_AGREEMENT = """
name: 性能测量统计使用合约
abstract: 以统计门测量立方体答复的耗时
resident: pier-bus
issuer: bigdata-bureau
purpose: line-planning
doors: [statistics]
datasets:
  pension_enrolment: {items: [district, birth_year, status, contribution_base]}
term: {from: __FROM__, until: __UNTIL__}
limits: {count: 10000}
policy:
  permission: [{action: use}]
  prohibition: [{action: sell}]
"""
_QUESTIONS = {
    "by district": "SELECT district, count(*) AS n, avg(contribution_base) AS base FROM {} GROUP BY district",
    "by district and birth year": (
        "SELECT district, birth_year, count(*) AS n, avg(contribution_base) AS base FROM {} GROUP BY district, birth_year"
    ),
}
_COUNTING = "SELECT district, count(*) AS n, avg(contribution_base) AS base, count(DISTINCT person_id) FROM {} GROUP BY district"


def measure(folder: Path) -> list[Figure]:
    """Publish ten million people's enrolments, ask two questions, here and there."""
    house = found(folder / "home")
    refusal = personas.settle(house)
    assert refusal is None, "personas settle in a new deployment"
    dataset = describe(house, DATASET)
    with plain_database(folder / "plain.duckdb") as plain:
        _fill(house, dataset, plain)
        agreement = _agreement(house)
        figures = []
        for name, question in _QUESTIONS.items():
            figures += _asked(house, dataset, agreement, plain, name, question)
        figures.append(_protected(house, dataset, agreement, plain))
    return figures


def _fill(house: House, dataset: Dataset, plain: duckdb.DuckDBPyConnection) -> None:
    columns = _columns(dataset, np.random.default_rng(1))
    plain.register("arriving", pa.Table.from_batches(rows(dataset, columns, ROWS)))
    plain.execute(f"CREATE TABLE {TABLE} AS SELECT * FROM arriving")
    plain.execute("CHECKPOINT")
    plain.unregister("arriving")
    publish(house, dataset, f"{DATASET}-bench", rows(dataset, columns, ROWS), dataset.cubes)


def _columns(dataset: Dataset, dice: np.random.Generator) -> dict[str, pa.Array]:
    columns: dict[str, pa.Array] = {
        "person_id": pa.array(dice.permutation(ROWS).astype(np.int32)),
        "birth_year": pa.array(dice.integers(1945, 2006, ROWS)),
        "enrolled_year": pa.array(dice.integers(1990, 2026, ROWS)),
        "paid_months": pa.array(dice.integers(0, 480, ROWS)),
        "contribution_base": _amounts(dice.integers(300_000, 3_000_000, ROWS)),
    }
    for name in ("sex", "district", "status"):
        item = dataset.item(name)
        assert item is not None, "the contract has it"
        columns[name] = pa.array(item.domain).take(pa.array(dice.integers(0, len(item.domain), ROWS)))
    return columns


def _amounts(fen: np.ndarray) -> pa.Array:
    words = np.zeros((len(fen), 2), np.int64)
    words[:, 0] = fen
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(fen), [None, pa.py_buffer(words)])


def _agreement(house: House) -> str:
    evidence = {criterion.code: f"bench/{criterion.code}" for criterion in CRITERIA}
    done(residents.assess(house.book, "pier-bus", evidence, "wang-assessor"))
    done(residents.admit(house.book, "pier-bus", "zhao-assessor"))
    return seal(house, _AGREEMENT, "bus-signatory")


def _asked(
    house: House, dataset: Dataset, agreement: str, plain: duckdb.DuckDBPyConnection, name: str, question: str
) -> list[Figure]:
    permit = _permit(house, agreement, question.format(DATASET))
    raw = question.format(TABLE) + " ORDER BY ALL"
    _check_same(house.vault.run(permit, dataset).table, plain.execute(raw).fetchall())
    vault, theirs, whole = in_turn(
        RUNS,
        lambda: house.vault.run(permit, dataset),
        lambda: plain.execute(raw).fetchall(),
        lambda: done(_through_the_door(house, agreement, question)),
    )
    on = f"{ROWS:,} rows; raw {_ms(theirs)}"
    return [
        Figure(
            "cube",
            f"cube answer {name} / raw query",
            ratio(vault, theirs),
            "x cpu",
            RUNS,
            at_most(0.1),
            f"vault {_ms(vault)}; {on}",
        ),
        Figure(
            "cube", f"whole door {name} / raw query", ratio(whole, theirs), "x cpu", RUNS, None, f"door {_ms(whole)}"
        ),
    ]


def _protected(house: House, dataset: Dataset, agreement: str, plain: duckdb.DuckDBPyConnection) -> Figure:
    permit = _permit(house, agreement, _QUESTIONS["by district"].format(DATASET))
    runs = 3
    counting = [spent(lambda: plain.execute(_COUNTING.format(TABLE)).fetchall()) for _ in range(runs)]
    vault = [spent(lambda: house.vault.run(permit, dataset)) for _ in range(runs)]
    return Figure(
        "cube",
        "cube answer by district / raw query with distinct persons",
        statistics.median(one.cpu for one in vault) / cpu_of(counting),
        "x cpu",
        runs,
        note=f"raw {_ms(counting)}: what a threshold on distinct persons costs without a cube",
    )


def _permit(house: House, agreement: str, text: str) -> AnswerPermit:
    at = house.clock()
    grant = grants.find_grant(agreement, at)
    statement = guard.read(text, tree_of, shelf.find, grant)
    assert isinstance(statement, Statement), "the bench asks what a cube covers"
    request = StatisticsRequest(new_request_id(house.dice), agreement, "bus-analyst", text)
    return done(decide.decide_statistics(request, grant, statement, shelf.find, shelf.snapshot_of, at))


def _through_the_door(house: House, agreement: str, question: str) -> object:
    request = StatisticsRequest(new_request_id(house.dice), agreement, "bus-analyst", question.format(DATASET))
    return door.answer(request, house=house)


def _check_same(answer: pa.Table, raw: list[tuple[object, ...]]) -> None:
    """Speed counts only for the same answer: counts, and averages to the cent."""
    ours = [
        (*(row[name] for name in answer.schema.names if name in {"district", "birth_year"}), row["rows"],
         Decimal(row["sum_contribution_base"]) / row["n_contribution_base"])
        for row in answer.to_pylist()
    ]  # fmt: skip
    assert {row[:-1] for row in ours} == {row[:-1] for row in raw}, "cube and raw query count differently"
    theirs = {row[:-1]: float(row[-1]) for row in raw}  # type: ignore[arg-type]
    assert all(abs(float(row[-1]) - theirs[row[:-1]]) < 0.01 for row in ours), "cube and raw query add differently"


def _ms(runs: list[Spent]) -> str:
    return f"{cpu_of(runs) * 1e3:.1f} ms cpu, {wall_of(runs) * 1e3:.1f} ms wall"
