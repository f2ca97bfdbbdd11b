# SPDX-License-Identifier: Apache-2.0
"""The two engines on the same statements over the same rows, in one run: Sail in its room, and DuckDB.

Both read the same encrypted segment, decrypted by the same store; the room's start, the rows' way into it and all that its
processes take count. Both build the same cube, bit by bit, before a speed is taken.
"""

import statistics
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.measure import Spent, in_turn, ratio, spread, wall_of
from bench.table import Figure
from bench.town import describe, found, rows
from zhanqiao.policy.ir import Count, Dim, Output, Statement, Sum
from zhanqiao.terms.datasets import CubeSpec, Dataset
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault import spark_session, spark_walls
from zhanqiao.vault.connection import DEFAULT_LIMITS
from zhanqiao.vault.cubes import exact_of
from zhanqiao.vault.duckdb_engine import DuckDbEngine
from zhanqiao.vault.keys import Keyring
from zhanqiao.vault.segments import SegmentStore
from zhanqiao.vault.spark_engine import SparkEngine

ROWS = 1_000_000
RUNS = 3
DATASET = "pension_enrolment"
CUBE = CubeSpec("engines", ("district", "birth_year"), ("contribution_base",))
ASKED = Statement(
    DATASET, (Output("d", Dim("district")), Output("n", Count()), Output("s", Sum("contribution_base"))), ("district",)
)


def measure(folder: Path) -> list[Figure]:
    """Build one cube, ask it, and read a roster, on both engines in turn; nothing where the extra is not there."""
    if (missing := spark_walls.lacking()) is not None:
        return [Figure("engines", f"left out: {missing} is not installed", 0, "", 0)]
    dataset = describe(found(folder / "home"), DATASET)
    store = SegmentStore(folder / "segments", folder / "scratch", Keyring.create(folder / "keys"), DEFAULT_LIMITS)
    duckdb, spark = DuckDbEngine(store), SparkEngine(store)
    segment = [duckdb.load(dataset, "bench", rows(dataset, _columns(dataset), ROWS))]
    ours, theirs = (one.cube(dataset, CUBE, segment) for one in (spark, duckdb))
    assert ours.equals(theirs), "both engines build the same cube"
    assert exact_of(ours) == exact_of(theirs), "both engines build the same cube"
    cubes = [one.opened(dataset, CUBE, ours) for one in (spark, duckdb)]
    assert len({str(sorted(one.answer(ASKED).table.to_pylist(), key=str)) for one in cubes}) == 1, "the same answer"
    built = in_turn(RUNS, *(lambda one=one: one.cube(dataset, CUBE, segment) for one in (spark, duckdb)))
    listed = in_turn(
        RUNS, *(lambda one=one: one.roster(dataset, segment, SubjectKind.PERSON, ()) for one in (spark, duckdb))
    )
    # What an open room takes counts when it ends: an answer is measured by the clock.
    asked = in_turn(20, *(lambda one=one: one.answer(ASKED) for one in cubes))
    empty = in_turn(RUNS, _open_a_room)[0]
    return [
        Figure(
            "engines",
            "cube built, Sail / DuckDB",
            ratio(*built),
            "x cpu",
            RUNS,
            note=f"{ROWS:,} rows, {CUBE.dims} by {CUBE.measures}; {_both(built)}",
        ),
        Figure(
            "engines",
            "roster, Sail / DuckDB",
            ratio(*listed),
            "x cpu",
            RUNS,
            note=f"{ROWS:,} rows, of each the subject; {_both(listed)}",
        ),
        Figure(
            "engines",
            "answer from a published cube, Sail / DuckDB",
            statistics.median(one.wall / other.wall for one, other in zip(*asked, strict=True)),
            "x wall",
            20,
            note=f"{wall_of(asked[0]) * 1e3:.1f} ms against {wall_of(asked[1]) * 1e3:.1f} ms, both open",
        ),
        Figure("engines", "a room opened, asked nothing and closed", wall_of(empty), "s wall", RUNS, note=_took(empty)),
    ]


def _both(took: list[list[Spent]]) -> str:
    sail, duckdb = took
    return f"{spread(sail, duckdb)}; Sail {_took(sail)}; DuckDB {_took(duckdb)}"


def _took(runs: list[Spent]) -> str:
    return f"{statistics.median(one.cpu for one in runs):.2f} cpu-s, {wall_of(runs):.2f} s wall"


def _open_a_room() -> None:
    with spark_session.walled() as room:
        room.session()


def _columns(dataset: Dataset) -> dict[str, pa.Array]:
    dice = np.random.default_rng(1)
    fen = np.zeros((ROWS, 2), np.int64)
    fen[:, 0] = dice.integers(300_000, 3_000_000, ROWS)
    item = dataset.item("district")
    assert item is not None, "the contract has it"
    return {
        "person_id": pa.array(dice.permutation(ROWS).astype(np.int32)),
        "birth_year": pa.array(dice.integers(1945, 2006, ROWS)),
        "district": pa.array(item.domain).take(pa.array(dice.integers(0, len(item.domain), ROWS))),
        "contribution_base": pa.Array.from_buffers(pa.decimal128(18, 2), ROWS, [None, pa.py_buffer(fen)]),
    }
