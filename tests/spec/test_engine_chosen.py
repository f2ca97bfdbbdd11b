# SPDX-License-Identifier: Apache-2.0
"""Which engine a deployment computes with is a setting, and changes nothing that anybody gets to see."""

import os
import shutil

import pytest

from lib import spark_rooms
from lib.pier import Pier
from lib.town import codes, done
from lib.vault_cases import (
    BY_PERSON,
    CUBE,
    NOW,
    answer_permit,
    batch,
    build_permit,
    keyring,
    load_permit,
    nothing_recorded,
    row,
    statement,
)
from zhanqiao.desk import damage
from zhanqiao.desk.configuration import SETTINGS_FILE
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.doctor import examine
from zhanqiao.vault import spark_walls
from zhanqiao.vault.duckdb_engine import DuckDbEngine
from zhanqiao.vault.faults import RoomNotMade
from zhanqiao.vault.house import House
from zhanqiao.vault.spark_engine import SparkEngine
from zhanqiao.vault.vault import Vault, engine_of


def _choose(pier: Pier, engine: str) -> None:
    path = pier.home / SETTINGS_FILE
    text = path.read_text(encoding="utf-8")
    assert 'engine = "duckdb"' in text, "founded with the default"
    path.write_text(text.replace('engine = "duckdb"', f'engine = "{engine}"'), encoding="utf-8")


def test_duckdb_is_chosen_by_default(pier):
    house = open_house(pier.home)
    assert isinstance(house, House)
    assert isinstance(house.vault._engine, DuckDbEngine)


@spark_rooms.WANTED
def test_spark_is_chosen_by_a_setting(pier):
    _choose(pier, "spark")
    house = open_house(pier.home)
    assert isinstance(house, House)
    assert isinstance(house.vault._engine, SparkEngine)


def test_an_engine_that_is_not_there_is_named(pier, monkeypatch):
    """Nothing is opened, and nothing else is computed with instead."""
    _choose(pier, "spark")
    monkeypatch.setattr(spark_walls, "PACKAGES", ("json", "pysail_of_another_name.below"))
    refusal = open_house(pier.home)
    assert codes(refusal) == ["engine-missing"]
    assert refusal.reasons[0].facts["missing"] == "pysail_of_another_name.below"


def test_walls_that_cannot_go_up_are_named(pier, monkeypatch):
    _choose(pier, "spark")
    monkeypatch.setattr(spark_walls, "PACKAGES", ())
    monkeypatch.setenv("PATH", "/nowhere")
    assert shutil.which("bwrap") is None
    refusal = open_house(pier.home)
    assert codes(refusal) == ["engine-missing"]
    assert refusal.reasons[0].facts["missing"] == "bubblewrap"


@spark_rooms.WANTED
def test_a_room_that_cannot_be_made_is_no_damage_of_the_vault(pier, monkeypatch, tmp_path):
    _choose(pier, "spark")
    house = open_house(pier.home)
    assert isinstance(house, House)
    house.vault.expect_ready()
    _without_namespaces(monkeypatch, tmp_path)
    with pytest.raises(RoomNotMade) as fault:
        house.vault.expect_ready()
    refusal = damage.named(fault.value)
    assert refusal is not None
    assert codes(refusal) == ["room-not-made"]
    assert "EOFError" not in refusal.reasons[0].facts["cause"], "in the words of what stopped it"
    found = [one.reason.code for one in done(examine(pier.home)) if one.check == "vault" and one.reason is not None]
    assert found == ["room-not-made"]


def _without_namespaces(monkeypatch, folder):
    """Let bubblewrap be one that may not make any, as under a unit that forbids it."""
    program = folder / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: no permission to make a new namespace' >&2\nexit 1\n", encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@spark_rooms.WANTED
def test_answers_and_commitments_are_the_same_whichever_engine_ran(tmp_path):
    """Each engine builds from rows that the other stored; the auditor's commitment and every byte of the answer agree."""
    rows = [row(n, district="甲" if n < 15 else "乙", birth_year=1950, wage=n, months=n % 13) for n in range(30)]
    answers = []
    for place, engines in enumerate((("duckdb", "spark"), ("spark", "duckdb"))):
        folder = tmp_path / str(place)
        vaults = [
            Vault(
                folder,
                keyring(tmp_path),
                lambda: NOW,
                engine=engine_of(engine, folder, keyring(tmp_path)),
                recorded=nothing_recorded,
            )
            for engine in engines
        ]
        segment = vaults[0].load(load_permit(BY_PERSON), BY_PERSON, [batch(BY_PERSON, rows)])
        vaults[1].build(build_permit(BY_PERSON, CUBE), BY_PERSON, [segment])
        answers += [vault.run(answer_permit(statement(["district"], None, "wage")), BY_PERSON) for vault in vaults]
    first, *others = answers
    assert first.table.num_rows == 2
    for other in others:
        assert other.table.equals(first.table)
        assert (other.undecided, other.commitment, other.rules) == (first.undecided, first.commitment, first.rules)
