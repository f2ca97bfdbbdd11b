# SPDX-License-Identifier: Apache-2.0
"""A sweep against whoever is at work: what is being read, numbered, written or about to be published stays."""

import threading
from itertools import chain

import pytest

from lib.vault_cases import (
    BY_PERSON,
    NOW,
    TRACED,
    answer_permit,
    batch,
    build_permit,
    dataset,
    evidence_permit,
    keyring,
    load_permit,
    nothing_recorded,
    row,
    statement,
    swept,
)
from zhanqiao.terms.services import Trace
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.vault import Vault

ROSTER = dataset("uscc", name="pension_roster")
DATASETS = {ROSTER.name: ROSTER, TRACED.name: TRACED}


@pytest.fixture
def vault(tmp_path):
    shelf: dict[tuple[str, str], tuple[str, ...]] = {}

    def published(name, snapshot):
        opened.looked()
        return shelf[name, snapshot]

    opened = Vault(
        tmp_path / "vault",
        keyring(tmp_path),
        lambda: NOW,
        published=published,
        recorded=nothing_recorded,
    )
    opened.shelf, opened.looked = shelf, lambda: None
    return opened


def elsewhere(tmp_path):
    """The same vault in another process: no memory in common, only the folder."""
    return Vault(tmp_path / "vault", keyring(tmp_path), lambda: NOW, recorded=nothing_recorded)


def known(vault):
    return {snapshot for _, snapshot in vault.shelf} | set(chain.from_iterable(vault.shelf.values()))


def load(vault, described, rows, snapshot="s1"):
    segment = vault.load(load_permit(described, snapshot), described, [batch(described, rows)])
    for build in (*described.cubes, *([described.latest] if described.latest else [])):
        vault.build(build_permit(described, build, snapshot), described, [segment])
    return segment


def is_busy(vault):
    with vault.alone(wait=False) as alone:
        return alone is None


def test_a_batch_that_is_being_read_keeps_its_scratch_and_its_snapshots(vault, tmp_path):
    number = vault._subjects.numbers(SubjectKind.PERSON, ["370202194910010018"], allocate=True).tolist()[0]
    for described in (ROSTER, TRACED):
        vault.shelf[described.name, "s1"] = (load(vault, described, [row(number, settled_on=NOW.date())]),)
    permit = evidence_permit(
        traces=[Trace(TRACED.name, "medical")], roster=ROSTER.name, **dict.fromkeys(DATASETS, "s1")
    )
    busy = []
    vault.looked = lambda: busy.append(is_busy(elsewhere(tmp_path)))
    read = vault.roster_evidence(permit, DATASETS, SubjectKind.PERSON, ["370202194910010018"] * 2, NOW.date())
    assert busy == [True], "the roster's segments are looked up inside"
    assert read.answerable.tolist() == [True, True]
    assert not is_busy(elsewhere(tmp_path))


def test_a_segment_in_writing_is_not_swept(vault, tmp_path):
    started, go_on = threading.Event(), threading.Event()

    def slowly():
        yield batch(BY_PERSON, [row(1)])
        started.set()
        assert go_on.wait(30)
        yield batch(BY_PERSON, [row(2)])

    names = []
    loading = threading.Thread(
        target=lambda: names.append(vault.load(load_permit(BY_PERSON), BY_PERSON, slowly())), daemon=True
    )
    loading.start()
    try:
        assert started.wait(30)
        assert is_busy(elsewhere(tmp_path))
        assert list((tmp_path / "vault").rglob("*.part*")), "it is in writing"
    finally:
        go_on.set()
        loading.join(30)
    assert swept(elsewhere(tmp_path), set(names)) == []


def test_a_sweep_that_waits_asks_what_is_known_when_it_is_alone(vault, tmp_path):
    """Between load and publication a segment is nobody's: who asked before would take it."""
    gone, waiting = [], threading.Event()
    other = elsewhere(tmp_path)

    def sweep():
        waiting.set()
        with other.alone(wait=True) as alone:
            gone.extend(alone.sweep(known(vault)))

    with vault.inside():
        segment = load(vault, BY_PERSON, [row(number, district="A", birth_year=1950) for number in range(12)])
        sweeping = threading.Thread(target=sweep, daemon=True)
        sweeping.start()
        assert waiting.wait(30)
        sweeping.join(0.2)
        assert sweeping.is_alive(), "it waits"
        vault.shelf[BY_PERSON.name, "s1"] = (segment,)
    sweeping.join(30)
    assert gone == []
    assert vault.run(answer_permit(statement()), BY_PERSON).table.num_rows == 1


def test_a_sweep_takes_what_is_no_folder_of_spill_either(vault, tmp_path):
    load(vault, BY_PERSON, [row(1)])
    scratch = tmp_path / "vault" / "scratch"
    (scratch / "rows.csv").write_text("x")
    (scratch / "link").symlink_to(tmp_path)
    (scratch / "spill-x.part").mkdir()
    (scratch / "spill-x.part" / "block").write_text("x")
    with elsewhere(tmp_path).alone(wait=True) as alone:
        alone.sweep(set(known(vault)))
    assert list(scratch.iterdir()) == []
    assert tmp_path.exists()


def test_a_sweep_that_asked_before_takes_what_was_published_since(vault, tmp_path):
    """The attack on which the order above rests: with an old answer of the catalogue, published data goes."""
    before = known(vault)
    segment = load(vault, BY_PERSON, [row(1)])
    vault.shelf[BY_PERSON.name, "s1"] = (segment,)
    assert f"segments/{segment}" in swept(elsewhere(tmp_path), before)
