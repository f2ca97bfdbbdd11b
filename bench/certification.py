# SPDX-License-Identifier: Apache-2.0
"""All pensioners certified by the steps of the batch door, beside the best SQL for their newest signs of life.

The peer is plain DuckDB on subject numbers, no identifier and no encryption: the roster semi-joined first, then the
newest date; the better of two forms counts. It gives a date for each pensioner and decides nothing. The newest dates that
the door decides on are compared with it. Traces are made up at a whole city's scale, as many of each source as its
departments would send, evenly over people.

The door's own functions are measured, on a list in no order that names every pensioner by identifier:

- *from the list*: identifiers to numbers, the roster, the newest dates, every pensioner decided;
- *state alone*: the same less the look-up of identifiers, which the peer has not to do. It is measured by itself, in the
  same turn, and subtracted;
- *whole door*: what a caller waits for: also the digest of the question, the charge, the answer's bytes, sealed, signed,
  kept and read back.

A day's maintenance is what `intake` does with a day of an appended delivery once its rows are stored: the day's rows are
read back, their newest dates join the changes that stand beside each source's array, and the changes are sealed and
written; then a new process opens arrays and changes, lays them together and decides. What it takes to open the subject
book, which every use of a vault does once, is shown by itself. The array is written anew when its changes have grown to
a quarter of it, every other week for the largest source: not in these days.
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
from zhanqiao.agreements import grants
from zhanqiao.catalogue import shelf
from zhanqiao.desk import deployment, personas
from zhanqiao.desk.scenarios import find_service
from zhanqiao.doors import decisions
from zhanqiao.ledger.book import new_request_id
from zhanqiao.policy import decide
from zhanqiao.policy.permits import EvidencePermit
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.legal_time import legal_day
from zhanqiao.terms.requests import BatchDecisionRequest
from zhanqiao.terms.services import Service
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.house import House
from zhanqiao.vault.traces import RosterEvidence

PEOPLE, PENSIONERS = 12_160_000, 2_000_000
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
    listed: pa.Array  # the pensioners' identifiers, in no order


def measure(folder: Path) -> list[Figure]:
    """Fill nine sources and a roster, then ask for the newest sign of every pensioner."""
    with plain_database(folder / "plain.duckdb") as plain:
        city = _fill(folder / "home", plain)
        forms = in_turn(RUNS, *(lambda sql=sql: plain.execute(sql) for sql in _FORMS))
        best = min(forms, key=cpu_of)
        _check_same(city, plain)
    _look_up(city)
    listed, looked = in_turn(RUNS, lambda: _decided(city), lambda: _look_up(city))
    merged, opened, book, anew, again = [], [], [], [], []
    for day in _days(city):
        merged.append(spent(lambda day=day: _merge(city, day)))
        opened.append(spent(lambda: _open_anew(city)))
        book.append(spent(lambda: _look_up(city)))
        anew.append(spent(lambda: _decided(city)))
        again.append(spent(lambda: _look_up(city)))
    state = statistics.median(one.cpu - other.cpu for one, other in zip(listed, looked, strict=True))
    kept = statistics.median(
        merge.cpu + open_.cpu + decided.cpu - found.cpu
        for merge, open_, decided, found in zip(merged, opened, anew, again, strict=True)
    )
    ids = city.listed.to_pylist()
    door = [spent(lambda: _through_the_door(city, ids)) for _ in range(RUNS)]
    sql, total = cpu_of(best), sum(TRACES.values())
    size = f"{PENSIONERS:,} pensioners of {PEOPLE:,}, {total:,} traces in {len(TRACES)} sources"
    return [
        Figure(
            "certification",
            "best SQL / state alone, decided",
            sql / state,
            "x cpu",
            RUNS,
            at_least(20),
            f"{size}; state {state:.3f} cpu-s; SQL {_took(best)}, the better of two forms",
        ),
        Figure(
            "certification",
            "best SQL / a day's maintenance and all decided",
            sql / kept,
            "x cpu",
            RUNS,
            at_least(5),
            f"{total // _YEAR:,} new traces joined and sealed {_took(merged)}; opened {_took(opened)}; "
            f"read anew and decided {_took(anew)}, of which identifiers {_took(again)} do not count; "
            f"opening the book of {PEOPLE:,} subjects, once {_took(book)}",
        ),
        Figure(
            "certification",
            "best SQL / list of identifiers decided",
            sql / cpu_of(listed),
            "x cpu",
            RUNS,
            note=f"{_took(listed)}, of which identifiers {_took(looked)}",
        ),
        Figure(
            "certification",
            "whole batch door, for each pensioner",
            cpu_of(door) / PENSIONERS * 1e6,
            "us cpu",
            RUNS,
            note=f"{PENSIONERS:,} asked in one batch, {_took(door)}; "
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
    listed = _fill_roster(house, service, datasets[service.roster], plain, dice)
    text = _agreement_text()
    return _City(house, service, seal(house, text, "hrss-signatory"), datasets, segments, listed)


def _agreement_text() -> str:
    return (files("zhanqiao.desk") / "drafts" / "hrss-pension.yaml").read_text(encoding="utf-8")


def _fill_roster(
    house: House, service: Service, dataset: Dataset, plain: duckdb.DuckDBPyConnection, dice: np.random.Generator
) -> pa.Array:
    """Number everybody, put some on the roster, and return their identifiers."""
    snapshot = f"{dataset.name}-day0"
    everybody = _ids()
    numbers = house.vault.number(load_permit(house, dataset, snapshot), dataset, SubjectKind.PERSON, everybody)
    chosen = dice.permutation(PEOPLE)[:PENSIONERS]
    people = pa.array(numbers[chosen])
    [(item, states)] = service.roster_where
    columns = {"person_id": people, item: pa.repeat(pa.scalar(states[0]), PENSIONERS)}
    _plainly(plain, "roster", {"person_id": people})
    publish(house, dataset, snapshot, rows(dataset, columns, PENSIONERS), [])
    return everybody.take(pa.array(chosen))


def _ids() -> pa.Array:
    """Identifiers in their shape only: the vault numbers what intake has checked."""
    digits = np.arange(PEOPLE, dtype=np.int64)[:, None] // 10 ** np.arange(7, -1, -1) % 10
    spelt = np.empty((PEOPLE, 18), np.uint8)
    spelt[:, :9] = np.frombuffer(b"370202195", np.uint8)
    spelt[:, 9:17] = digits + ord("0")
    spelt[:, 17] = ord("X")
    offsets = np.arange(0, PEOPLE * 18 + 1, 18, dtype=np.int32)
    return pa.StringArray.from_buffers(PEOPLE, pa.py_buffer(offsets), pa.py_buffer(spelt))


def _plainly(plain: duckdb.DuckDBPyConnection, name: str, columns: dict[str, pa.Array]) -> None:
    plain.register("arriving", pa.table(columns))
    plain.execute(f"CREATE TABLE {name} AS SELECT * FROM arriving")
    plain.unregister("arriving")
    plain.execute("CHECKPOINT")


def _permit(city: _City) -> EvidencePermit:
    at = city.house.clock()
    grant = grants.find_grant(city.agreement, at)
    return done(
        decide.decide_evidence("bench", city.agreement, grant, city.service, shelf.find, shelf.snapshot_id_of, at)
    )


def _read(city: _City) -> RosterEvidence:
    permit = _permit(city)
    found = {name: shelf.find(name) for name in permit.snapshots}
    datasets = {name: one for name, one in found.items() if one is not None}
    return city.house.vault.roster_evidence(
        permit, datasets, city.service.subject, city.listed, legal_day(city.house.clock())
    )


def _decided(city: _City) -> None:
    decided = decisions.decide_list(_read(city), city.service, legal_day(city.house.clock()))
    assert (decided.which >= 0).all(), "everybody of the list is on the roster"


def _look_up(city: _City) -> np.ndarray:
    """Return the pensioners' numbers, in the order of the list."""
    assert city.service.roster is not None, "certified on duty"
    dataset = city.datasets[city.service.roster]
    permit = load_permit(city.house, dataset, f"{dataset.name}-day0")
    return city.house.vault.number(permit, dataset, SubjectKind.PERSON, city.listed)


def _check_same(city: _City, plain: duckdb.DuckDBPyConnection) -> None:
    """Speed counts only for the same answer."""
    numbers, read = _look_up(city), _read(city)
    newest = np.maximum.reduce(list(read.days.values()))
    assert read.answerable.all(), "the whole roster"
    assert len(read) == PENSIONERS, "the whole roster"
    order = np.argsort(numbers)
    numbers, newest = numbers[order], newest[order]
    theirs = plain.execute("SELECT person_id, day - DATE '1970-01-01' AS day FROM newest ORDER BY 1").fetchnumpy()
    seen = newest > 0
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
    """Read as a new process does: nothing is in memory any more."""
    city.house = done(deployment.open_house(city.house.home))


def _through_the_door(city: _City, ids: list[str]) -> None:
    request = BatchDecisionRequest(new_request_id(city.house.dice), city.agreement, "hrss-officer", city.service.name)
    release = done(decisions.answer_batch(request, city.service, ids, house=city.house))
    assert release.answer_file.count(b'"status":"answered"') == PENSIONERS, "they are on the roster"


def _took(runs: list[Spent]) -> str:
    return f"{cpu_of(runs):.3f} cpu-s, {wall_of(runs):.3f} s"
