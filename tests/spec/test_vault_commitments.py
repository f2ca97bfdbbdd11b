# SPDX-License-Identifier: Apache-2.0
"""An answer commits to the exact result before protection, so that an auditor can build it again elsewhere."""

import pytest

from lib.vault_cases import (
    BY_PERSON,
    answer_permit,
    batch,
    build_permit,
    keyring,
    load_permit,
    nothing_recorded,
    row,
    statement,
)
from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.datasets import CubeSpec
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault import cubes, safety
from zhanqiao.vault.cubes import exact_of
from zhanqiao.vault.reference import ReferenceEngine
from zhanqiao.vault.vault import Vault

SPEC = CubeSpec("by_district_year", ("district", "birth_year"), ("wage", "months"))
BIG = [row(unit, district="A", birth_year=1950, months=unit) for unit in range(20)]


def small(*years: int) -> list[dict[str, object]]:
    return [row(100 + place, district="A", birth_year=year, months=1) for place, year in enumerate(years)]


@pytest.fixture
def answered(tmp_path, clock):
    """Return a function that publishes rows as a snapshot and asks by district and year."""
    described = BY_PERSON
    published: dict[str, tuple[str, ...]] = {}
    vault = Vault(
        tmp_path / "vault",
        keyring(tmp_path),
        clock,
        published=lambda _, snapshot: published[snapshot],
        recorded=nothing_recorded,
    )

    def answer(snapshot: str, rows: list[dict[str, object]]):
        segment = vault.load(load_permit(described, snapshot), described, [batch(described, rows)])
        published[snapshot] = (segment,)
        vault.build(build_permit(described, SPEC, snapshot), described, (segment,))
        asked = answer_permit(statement(["district", "birth_year"], None, "months"), snapshot, SPEC)
        return vault.run(asked, described)

    answer.vault = vault
    return answer


def test_another_engine_comes_to_the_same_commitment(answered):
    rows = BIG + small(*[1960] * 6, *[1961] * 6)
    told = answered("s1", rows)
    judge = ReferenceEngine()
    atoms = judge.cube(BY_PERSON, SPEC, [judge.load(BY_PERSON, "s1", [batch(BY_PERSON, rows)])])
    made_of = canonical([BY_PERSON.name, "s1", SPEC.name, exact_of(atoms)])
    assert told.commitment == answered.vault.commitment(made_of)


def test_the_commitment_sees_what_protection_hides(answered):
    """Two cities with one table: who lied about the hidden cells cannot show the other's commitment."""
    one, other = answered("s1", BIG + small(*[1960] * 6, *[1961] * 6)), answered("s2", BIG + small(*[1960] * 12))
    assert one.table.to_pylist()[0] == other.table.to_pylist()[0]
    assert one.commitment != other.commitment


def test_the_commitment_is_of_the_snapshot(answered):
    assert answered("s1", BIG).commitment != answered("s2", BIG).commitment


def test_an_answer_states_the_rules_its_cube_was_built_under_and_not_those_of_today(answered, monkeypatch):
    """A certificate that quoted the code of today would say of an old cube what nobody looked at when it was built."""
    with monkeypatch.context() as at_publication:
        at_publication.setitem(safety.THRESHOLD, SubjectKind.PERSON, 7)
        at_publication.setattr(cubes, "RULE_PACK", "older-1")
        old = answered("s1", BIG + small(*[1960] * 6))
    answered.vault._cubes.clear()  # read from disk, as a new process does
    again = answered.vault.run(
        answer_permit(statement(["district", "birth_year"], None, "months"), "s1", SPEC), BY_PERSON
    )
    for told in (old, again):
        assert told.rules.pack == "older-1"
        assert told.rules.figures[0] == {"rule": "threshold", "figures": {"persons": 7, "enterprises": 5}}
    new = answered("s2", BIG)
    assert new.rules == cubes.Rules(safety.RULE_PACK, safety.rule_figures())
