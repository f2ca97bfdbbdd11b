# SPDX-License-Identifier: Apache-2.0
"""Newest signs of life of all pensioners: from maintained state, beside the best SQL over the traces themselves.

The peer is plain DuckDB on subject numbers, no identifier and no encryption: the roster semi-joined first, then the
newest date; the better of two forms counts. Both sides give one newest date for each pensioner, and they are compared.
Traces are made up at a whole city's scale, as many of each source as its departments would send, evenly over people.

A day's maintenance is what `intake` does with a day of an appended delivery once its rows are stored: the day's rows are
read back, their newest dates join the changes that stand beside each source's array, and the changes are sealed and
written; then a new process opens arrays and changes, lays them together and reads the roster. The array itself is
written anew when its changes have grown to a quarter of it, every other week for the largest source: not in these days.
The door does more than both, so it has no goal here: a rule and a result for each pensioner, one sealed and signed
answer.
"""

import statistics
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from bench.measure import Spent, cpu_of, in_turn, spent, wall_of
from bench.table import Figure, at_least
from bench.town import days, describe, done, found, load_permit, plain_database, publish, rows, seal, show, store
from zhanqiao import agreements
from zhanqiao.catalogue import shelf
from zhanqiao.desk import deployment, personas
from zhanqiao.desk.scenarios import find_service
from zhanqiao.doors import decisions
from zhanqiao.ledger.book import new_request_id
from zhanqiao.policy import decide
from zhanqiao.policy.permits import EvidencePermit
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.requests import BatchDecisionRequest
from zhanqiao.terms.services import Service
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.house import House

PEOPLE, PENSIONERS = 12_160_000, 2_000_000
ASKED = 20_000  # through the door, whose cost is the same for each pensioner
RUNS = 3
# Rows of each source in a year, for so many people: what the synthetic city's departments send, scaled up.
TRACES = {
    "medical_settlement": 23_200_000,
    "rail_air_trip": 15_700_000,
    "health_check": 3_600_000,
    "vaccination": 3_300_000,
    "pension_certification": 1_100_000,
    "senior_allowance": 290_000,
    "death_register": 230_000,
    "cremation_record": 220_000,
    "serving_sentence": 7_000,
}
_YEAR = 365

_PARTS = " UNION ALL ".join(f"SELECT person_id, day FROM {name} {{}}" for name in TRACES)
_SEMI_JOINS = _PARTS.replace("{}", "SEMI JOIN roster USING (person_id)")
_NEWEST = "CREATE OR REPLACE TEMP TABLE newest AS SELECT person_id, max(day) AS day FROM ({}){} GROUP BY person_id"
_FORMS = (
    _NEWEST.format(_SEMI_JOINS, ""),
    _NEWEST.format(_PARTS.replace(" {}", ""), " SEMI JOIN roster USING (person_id)"),
)


@dataclass
class _City:
    house: House
    service: Service
    agreement: str
    datasets: dict[str, Dataset]
    segments: dict[str, str]


def measure(folder: Path) -> list[Figure]:
    """Fill nine sources and a roster, then ask for the newest sign of every pensioner."""
    with plain_database(folder / "plain.duckdb") as plain:
        city = _fill(folder / "home", plain)
        forms = in_turn(RUNS, *(lambda sql=sql: plain.execute(sql) for sql in _FORMS))
        best = min(forms, key=cpu_of)
        _check_same(city, plain)
    state = [spent(lambda: _newest(city.house, _permit(city))) for _ in range(RUNS)]
    merged, opened = [], []
    for day in _days(city):
        merged.append(spent(lambda day=day: _merge(city, day)))
        opened.append(spent(lambda: _open_anew(city)))
    kept = statistics.median(one.cpu + other.cpu for one, other in zip(merged, opened, strict=True))
    door = [spent(lambda: _through_the_door(city)) for _ in range(RUNS)]
    sql, total = cpu_of(best), sum(TRACES.values())
    size = f"{PENSIONERS:,} pensioners of {PEOPLE:,}, {total:,} traces in {len(TRACES)} sources"
    return [
        Figure(
            "certification",
            "best SQL / state alone",
            sql / cpu_of(state),
            "x cpu",
            RUNS,
            at_least(20),
            f"{size}; state {_took(state)}; SQL {_took(best)}, the better of two forms",
        ),
        Figure(
            "certification",
            "best SQL / state with a day's maintenance",
            sql / kept,
            "x cpu",
            RUNS,
            at_least(5),
            f"{total // _YEAR:,} new traces joined and sealed {_took(merged)}; opened and read anew {_took(opened)}",
        ),
        Figure(
            "certification",
            "whole batch door, for each pensioner",
            cpu_of(door) / ASKED * 1e6,
            "us cpu",
            RUNS,
            note=f"{ASKED:,} asked: ids to numbers, rule, a result each, one sealed and signed answer; "
            f"the SQL, which gives a date and no answer, {sql / PENSIONERS * 1e6:.2f} us",
        ),
    ]


def _fill(home: Path, plain: duckdb.DuckDBPyConnection) -> _City:
    house = found(home)
    refusal = personas.settle(house)
    assert refusal is None, "personas settle in a new deployment"
    service = find_service("silent-certification")
    assert service is not None, "the pension scenario is installed"
    assert {trace.dataset for trace in service.traces} == set(TRACES), "the sources of the service"
    dice = np.random.default_rng(1)
    datasets, segments = {}, {}
    for name, count in TRACES.items():
        dataset = datasets[name] = describe(house, name)
        assert dataset.latest is not None, "a trace keeps its newest date"
        people = pa.array(dice.integers(0, PEOPLE, count, dtype=np.int32))
        seen = days(dice, count, _YEAR)
        _plainly(plain, name, {"person_id": people, "day": seen})
        columns = {"person_id": people, dataset.latest: seen}
        publish(house, dataset, f"{name}-day0", rows(dataset, columns, count), [dataset.latest])
        snapshot = shelf.snapshot_of(name)
        assert snapshot is not None, "published"
        segments[name] = snapshot.segments[0]
    assert service.roster is not None, "certified on duty"
    datasets[service.roster] = describe(house, service.roster)
    _fill_roster(house, service, datasets[service.roster], plain, dice)
    text = _agreement_text()
    return _City(house, service, seal(house, text, "hrss-signatory"), datasets, segments)


def _agreement_text() -> str:
    return (files("zhanqiao.desk") / "drafts" / "hrss-pension.yaml").read_text(encoding="utf-8")


def _fill_roster(
    house: House, service: Service, dataset: Dataset, plain: duckdb.DuckDBPyConnection, dice: np.random.Generator
) -> None:
    """Put pensioners on the roster; the first ones have identifiers that the door can be asked about."""
    snapshot = f"{dataset.name}-day0"
    house.vault.number(load_permit(house, dataset, snapshot), dataset, SubjectKind.PERSON, _ids())
    others = dice.permutation(np.arange(ASKED, PEOPLE, dtype=np.int32))[: PENSIONERS - ASKED]
    people = pa.array(dice.permutation(np.concatenate([np.arange(ASKED, dtype=np.int32), others])))
    [(item, states)] = service.roster_where
    columns = {"person_id": people, item: pa.repeat(pa.scalar(states[0]), PENSIONERS)}
    _plainly(plain, "roster", {"person_id": people})
    publish(house, dataset, snapshot, rows(dataset, columns, PENSIONERS), [])


def _ids() -> pa.Array:
    """Identifiers in their shape only: the vault numbers what intake has checked."""
    return pa.array([f"370202195{number:08d}X" for number in range(ASKED)])


def _plainly(plain: duckdb.DuckDBPyConnection, name: str, columns: dict[str, pa.Array]) -> None:
    plain.register("arriving", pa.table(columns))
    plain.execute(f"CREATE TABLE {name} AS SELECT * FROM arriving")
    plain.unregister("arriving")
    plain.execute("CHECKPOINT")


def _permit(city: _City) -> EvidencePermit:
    at = city.house.clock()
    grant = agreements.find_grant(city.agreement, at)
    return done(
        decide.decide_evidence("bench", city.agreement, grant, city.service, shelf.find, shelf.snapshot_id_of, at)
    )


def _newest(house: House, permit: EvidencePermit) -> tuple[np.ndarray, np.ndarray]:
    """Return every pensioner, and the newest day of any source."""
    datasets = {name: shelf.find(name) for name in permit.snapshots}
    numbers, newest = [], []
    for block in house.vault.roster(permit, {name: one for name, one in datasets.items() if one is not None}):
        numbers.append(block.numbers)
        newest.append(np.maximum.reduce(list(block.days.values())))
    return np.concatenate(numbers), np.concatenate(newest)


def _check_same(city: _City, plain: duckdb.DuckDBPyConnection) -> None:
    """Speed counts only for the same answer."""
    numbers, newest = _newest(city.house, _permit(city))
    theirs = plain.execute("SELECT person_id, day - DATE '1970-01-01' AS day FROM newest ORDER BY 1").fetchnumpy()
    seen = newest > 0
    assert len(numbers) == PENSIONERS, "the whole roster"
    assert (numbers[seen] == theirs["person_id"]).all(), "state and SQL know other pensioners"
    assert (newest[seen] == theirs["day"]).all(), "state and SQL differ on a newest date"


def _days(city: _City) -> range:
    """Store the rows of as many days as there are runs: storing is the same work on both sides."""
    dice = np.random.default_rng(2)
    for day in range(1, RUNS + 1):
        for name, count in TRACES.items():
            dataset = city.datasets[name]
            assert dataset.latest is not None, "a trace keeps its newest date"
            new = max(count // _YEAR, 1)
            columns = {
                "person_id": pa.array(dice.integers(0, PEOPLE, new, dtype=np.int32)),
                dataset.latest: days(dice, new, 1),
            }
            city.segments[f"{name}-day{day}"] = store(
                city.house, dataset, f"{name}-day{day}", rows(dataset, columns, new)
            )
    return range(1, RUNS + 1)


def _merge(city: _City, day: int) -> None:
    """Join one day to the changes of every source, and publish it."""
    house = city.house
    for name in TRACES:
        dataset, snapshot = city.datasets[name], f"{name}-day{day}"
        assert dataset.latest is not None, "a trace keeps its newest date"
        permit = done(decide.decide_build(f"load-{snapshot}", dataset, snapshot, dataset.latest, house.clock()))
        house.vault.build(permit, dataset, (city.segments[snapshot],), onto=f"{name}-day{day - 1}")
        show(house, dataset, snapshot, (city.segments[name], city.segments[snapshot]))


def _open_anew(city: _City) -> None:
    """Read as a new process does: states and roster come from the disk."""
    city.house = done(deployment.open_house(city.house.home))
    numbers, _ = _newest(city.house, _permit(city))
    assert len(numbers) == PENSIONERS, "the whole roster"


def _through_the_door(city: _City) -> None:
    request = BatchDecisionRequest(new_request_id(city.house.dice), city.agreement, "hrss-officer", city.service.name)
    release = done(decisions.answer_batch(request, city.service, _ids().to_pylist(), house=city.house))
    results = release.answer["results"]
    assert isinstance(results, list), "a batch answers with results"
    assert statistics.mode(result["status"] for result in results) == "answered", "they are on the roster"


def _took(runs: list[Spent]) -> str:
    return f"{cpu_of(runs):.3f} cpu-s, {wall_of(runs):.3f} s"
