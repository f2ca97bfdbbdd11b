# SPDX-License-Identifier: Apache-2.0
"""What departments send: the same bytes from the same seed, in their encodings, with counted dirt and the truth apart."""

import csv
import hashlib
import json
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from stdnum.cn import ric, uscc

from lib.whole_city import TODAY, contracts
from zhanqiao.scenarios.city import Manifest, scenario, shards, write_city
from zhanqiao.scenarios.city.city import build_city
from zhanqiao.scenarios.city.delivery import OFFICES, Delivered
from zhanqiao.scenarios.city.dirt import KINDS, LEAST, MOST
from zhanqiao.scenarios.city.lives import EMPLOYEE_PENSIONER
from zhanqiao.scenarios.city.shards import Shard
from zhanqiao.terms.subjects import SubjectKind

PEOPLE, SEED = 6_000, 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("city")


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    assert scenario.write is not None
    written = scenario.write(folder, PEOPLE, SEED, TODAY)
    assert isinstance(written, Manifest)
    return written


def rows_of(folder: Path, delivered: Delivered) -> list[list[str]]:
    rows: list[list[str]] = []
    for name in delivered.files:
        lines = list(csv.reader((folder / name).read_bytes().decode(delivered.encoding).splitlines()))
        assert lines[0] == [item.header for item in contracts()[delivered.dataset].items]
        rows += lines[1:]
    return rows


def truth_of(folder: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "truth" / f"{name}.csv").read_text("utf-8").splitlines()))


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            total.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return total.hexdigest()


def test_same_seed_same_bytes_another_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 8), ("same", 8), ("other", 9)):
        write_city(tmp_path / name, 1_000, seed, TODAY)
    assert digest(tmp_path / "one") == digest(tmp_path / "same") != digest(tmp_path / "other")


def test_every_contract_is_delivered_once(manifest: Manifest) -> None:
    names = [delivered.dataset for delivered in manifest.datasets]
    assert sorted(names) == sorted(contracts())
    assert all(contracts()[delivered.dataset].department == delivered.department for delivered in manifest.datasets)


def test_the_manifest_counts_what_is_there(folder: Path, manifest: Manifest) -> None:
    for delivered in manifest.datasets:
        assert len(rows_of(folder, delivered)) == delivered.rows, delivered.dataset
    kept = json.loads((folder / "deliveries" / "manifest.json").read_text("utf-8"))
    assert kept == json.loads(manifest.json())
    assert sum(entry["rows"] for entry in kept["datasets"]) == manifest.rows


def test_a_share_of_departments_writes_gb18030(folder: Path, manifest: Manifest) -> None:
    encodings = Counter(office.encoding for office in OFFICES)
    assert 0 < encodings["gb18030"] < len(OFFICES) / 2
    for delivered in manifest.datasets:
        content = (folder / delivered.files[0]).read_bytes()
        if delivered.encoding == "gb18030":
            with pytest.raises(UnicodeDecodeError):
                content.decode("utf-8")
        else:
            assert content.startswith(b"\xef\xbb\xbf") == (delivered.encoding == "utf-8-sig")


def test_dirt_is_within_its_share_and_of_every_kind(manifest: Manifest) -> None:
    dirty = Counter[str]()
    for delivered in manifest.datasets:
        planted = sum(delivered.dirty.values())
        clean = delivered.rows - planted
        assert round(clean * LEAST) <= planted <= round(clean * MOST), delivered.dataset
        dirty.update(delivered.dirty)
    assert set(dirty) == set(KINDS)
    assert LEAST <= dirty.total() / manifest.rows <= MOST


def _flaw(row: list[str], dataset: str) -> str | None:
    """What a plain reader finds wrong with a row: the kind of dirt, or None."""
    items = contracts()[dataset].items
    if len(row) != len(items):
        return "torn"
    for value, item in zip(row, items, strict=True):
        if item.subject is not None:
            if not value:
                return "missing_key"
            if len(value) != 18 or not value[:17].isalnum() or not value.isascii():
                return "shifted_columns"
            checks = ric.calc_check_digit(value) if item.subject is SubjectKind.PERSON else uscc.calc_check_digit(value)
            if checks != value[-1]:
                return "bad_check_digit"
    for value, item in zip(row, items, strict=True):
        if item.domain and value and value not in item.domain:
            return "outside_domain"
        if item.bounds is not None and value and not item.bounds.low <= float(value) <= item.bounds.high:
            return "outside_bounds"
        if item.type.value == "date" and value:
            digits = value.replace("-", "").replace("/", "")
            try:
                date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
            except ValueError:
                return "impossible_date"
    return None


@pytest.mark.parametrize(
    "dataset", ["pension_roster", "fund_account", "medical_settlement", "transit_card", "tax_payment"]
)
def test_planted_dirt_is_all_that_is_wrong(folder: Path, manifest: Manifest, dataset: str) -> None:
    delivered = manifest.of(dataset)
    rows = rows_of(folder, delivered)
    found = Counter(flaw for row in rows if (flaw := _flaw(row, dataset)) is not None)
    key = next((place for place, item in enumerate(contracts()[dataset].items) if item.unique), None)
    if key is not None:
        sound = [row[key] for row in rows if _flaw(row, dataset) is None]
        found["duplicate"] = len(sound) - len(set(sound))
    assert +found == +Counter(delivered.dirty)


def test_days_are_written_as_each_department_writes_them(folder: Path, manifest: Manifest) -> None:
    for dataset in ("pension_roster", "fund_account", "real_estate_ownership"):
        delivered = manifest.of(dataset)
        office = next(office for office in OFFICES if office.name == delivered.department)
        text = (folder / delivered.files[0]).read_bytes().decode(delivered.encoding)
        assert office.day("2015-06-") in text or office.day("2016-06-") in text or office.day("2010-06-") in text


def test_a_large_dataset_comes_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhanqiao.scenarios.city.delivery.PART_ROWS", 500)
    written = write_city(tmp_path, 1_000, 2, TODAY).of("medical_settlement")
    assert len(written.files) == -(-written.rows // 500) > 1
    assert len(rows_of(tmp_path, written)) == written.rows


def test_the_truth_stands_apart_and_is_true(folder: Path, manifest: Manifest) -> None:
    assert all(name.startswith("deliveries/") for delivered in manifest.datasets for name in delivered.files)
    city = build_city(PEOPLE, Shard(SEED), TODAY)
    truth = truth_of(folder, "pensioners")
    rows = np.flatnonzero(city.lives.insurance >= EMPLOYEE_PENSIONER)
    assert [row["citizen_id"] for row in truth] == city.people.citizen_id[rows].tolist()
    assert [row["alive"] == "true" for row in truth] == city.people.alive[rows].tolist()
    assert all((row["died_on"] == "") == (row["alive"] == "true") for row in truth)
    enterprises = truth_of(folder, "enterprises")
    assert [row["will_default"] == "true" for row in enterprises] == city.enterprises.will_default.tolist()


def test_the_truth_names_traces_that_exist(folder: Path, manifest: Manifest) -> None:
    truth = {row["citizen_id"]: row for row in truth_of(folder, "pensioners")}
    sources = {name for name, dataset in contracts().items() if dataset.latest is not None}
    assert sources <= set(next(iter(truth.values())))
    newest: dict[str, str] = {}
    for row in rows_of(folder, manifest.of("medical_settlement")):
        if _flaw(row, "medical_settlement") is None and row[0] in truth:
            newest[row[0]] = max(newest.get(row[0], ""), row[5])
    assert newest == {person: row["medical_settlement"] for person, row in truth.items() if row["medical_settlement"]}


def test_no_dead_pensioner_has_a_sign_of_life_after_death(folder: Path, manifest: Manifest) -> None:
    negative = {"death_register", "cremation_record", "serving_sentence"}
    positive = {name for name, dataset in contracts().items() if dataset.latest is not None} - negative
    dead = [row for row in truth_of(folder, "pensioners") if row["alive"] == "false"]
    assert dead
    assert all(row[source] <= row["died_on"] for row in dead for source in positive)
    assert all(row["death_register"] or row["cremation_record"] for row in dead)


def test_a_hamlet_can_be_delivered(tmp_path: Path) -> None:
    assert write_city(tmp_path, 40, 1, date(2024, 2, 29)).rows


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("sharded")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shards, "MOST_PEOPLE", 1_500)
        return folder, write_city(folder, 4_000, SEED, TODAY)


def test_a_city_of_shards_is_of_the_same_bytes_too(sharded, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(shards, "MOST_PEOPLE", 1_500)
    write_city(tmp_path, 4_000, SEED, TODAY)
    assert digest(tmp_path) == digest(sharded[0])


def test_shards_are_as_equal_as_can_be() -> None:
    sizes = [people for _, people in shards.shards_of(1_208_000, SEED)]
    assert sum(sizes) == 1_208_000
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= shards.MOST_PEOPLE


def test_a_city_of_shards_is_delivered_whole(sharded) -> None:
    folder, manifest = sharded
    assert sorted(delivered.dataset for delivered in manifest.datasets) == sorted(contracts())
    for delivered in manifest.datasets:
        assert len(rows_of(folder, delivered)) == delivered.rows
        assert delivered.files[0].endswith(".1.1.csv")


def test_no_shard_gives_what_another_gave(sharded) -> None:
    """Beyond the planted dirt, which copies rows; two shards that dealt alike would have a third of all in common."""
    folder, manifest = sharded
    given = {(dataset.name, item.header) for dataset in contracts().values() for item in dataset.items if item.unique}
    given |= {("transit_card", "卡号"), ("professional_title", "证书编号"), ("degree_certificate", "证书编号")}
    given |= {("enterprise_registration", "企业名称"), ("enterprise_real_estate", "不动产单元号")}
    for name, header in sorted(given):
        delivered = manifest.of(name)
        place = [item.header for item in contracts()[name].items].index(header)
        values = [row[place] for row in rows_of(folder, delivered) if len(row) > place and row[place]]
        assert len(values) - len(set(values)) <= sum(delivered.dirty.values()), (name, header)
    for name, key in (("pensioners", "citizen_id"), ("enterprises", "uscc")):
        ids = [row[key] for row in truth_of(folder, name)]
        assert len(set(ids)) == len(ids)
    assert len(truth_of(folder, "enterprises")) == 3 * (4_000 // 3 // 12)


def test_a_certificate_of_ownership_is_of_one_home(sharded) -> None:
    """A couple stands twice under one number, in one place: where another shard had it too, it would lie in two."""
    folder, manifest = sharded
    headers = [item.header for item in contracts()["real_estate_ownership"].items]
    number, lies = headers.index("不动产权证号"), headers.index("坐落")
    places: dict[str, set[str]] = {}
    for row in rows_of(folder, manifest.of("real_estate_ownership")):
        if len(row) == len(headers) and row[number].startswith("鲁("):
            places.setdefault(row[number].partition(")")[2], set()).add(row[lies])
    assert all(len(some) == 1 for some in places.values())
