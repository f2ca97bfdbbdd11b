# SPDX-License-Identifier: Apache-2.0
"""Permits that policy did not make, or not so: by constructor, copy, replacement, pickle, change. The vault runs none."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from types import MappingProxyType

import pytest

from lib.vault_cases import (
    BY_PERSON,
    CUBE,
    NOW,
    TRACED,
    answer_permit,
    build_permit,
    evidence_permit,
    keyring,
    load_permit,
    nothing_recorded,
    statement,
)
from zhanqiao.policy.permits import MARK, AnswerPermit, Permit, is_made_here
from zhanqiao.terms.subjects import Subject, SubjectKind
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.vault import Vault

MADE: dict[str, Callable[[], Permit]] = {
    "answer": lambda: answer_permit(statement()),
    "build": lambda: build_permit(BY_PERSON, CUBE),
    "evidence": evidence_permit,
    "load": lambda: load_permit(BY_PERSON),
}


def fields(permit: Permit) -> dict[str, object]:
    return {field.name: getattr(permit, field.name) for field in dataclasses.fields(permit)}


def put_together(permit: Permit) -> Permit:
    forged = object.__new__(type(permit))
    for name, value in fields(permit).items():
        object.__setattr__(forged, name, value)
    return forged


def changed(permit: Permit) -> Permit:
    object.__setattr__(permit, "request", "another")
    return permit


def changed_within(permit: Permit) -> Permit:
    """Change what a permit holds, where it holds something of its own, and not the permit itself."""
    if not isinstance(permit, AnswerPermit):
        return changed(permit)
    object.__setattr__(permit.statement, "dataset", "elsewhere")
    return permit


def likeness(permit: Permit) -> Permit:
    kind = type("Likeness", (type(permit),), {})
    return kind(**fields(permit), mark=MARK)


@pytest.mark.parametrize("forge", [put_together, changed, changed_within, likeness, copy.copy])
@pytest.mark.parametrize("kind", MADE)
def test_a_forged_permit_is_run_nowhere(tmp_path, kind, forge):
    vault = Vault(tmp_path / "vault", keyring(tmp_path), lambda: NOW, recorded=nothing_recorded)
    permit = forge(MADE[kind]())
    person = Subject(SubjectKind.PERSON, "370202194910010018")
    for use in (
        lambda: vault.run(permit, BY_PERSON),
        lambda: vault.load(permit, BY_PERSON, []),
        lambda: vault.number(permit, BY_PERSON, SubjectKind.PERSON, ["370202194910010018"]),
        lambda: vault.keep_identities(permit, BY_PERSON, SubjectKind.PERSON, [], None),
        lambda: vault.standing(permit, BY_PERSON, SubjectKind.PERSON, [], []),
        lambda: vault.build(permit, BY_PERSON, []),
        lambda: vault.evidence(permit, {BY_PERSON.name: BY_PERSON}, person, NOW.date()),
        lambda: vault.roster_evidence(permit, {}, SubjectKind.PERSON, [], NOW.date()),
    ):
        with pytest.raises(VaultFault, match="only permits that policy made"):
            use()
    assert not (tmp_path / "vault").exists()


@pytest.mark.parametrize("other", [None, object(), {}, "permit"])
def test_what_is_no_permit_is_run_nowhere(tmp_path, other):
    with pytest.raises(VaultFault, match="only permits that policy made"):
        Vault(tmp_path / "vault", keyring(tmp_path), lambda: NOW, recorded=nothing_recorded).run(other, BY_PERSON)


@pytest.mark.parametrize("kind", MADE)
def test_a_permit_makes_no_other(kind):
    """Who holds one has everything but the mark."""
    permit = MADE[kind]()
    assert is_made_here(permit)
    assert not hasattr(permit, "mark")
    for mark in (object(), None, type(MARK)()):
        with pytest.raises(TypeError, match="only policy makes permits"):
            type(permit)(**fields(permit), mark=mark)
    with pytest.raises((ValueError, TypeError)):
        dataclasses.replace(permit, request="another")
    with pytest.raises(dataclasses.FrozenInstanceError):
        permit.request = "another"
    assert is_made_here(permit)


def test_a_pickled_permit_is_none():
    assert not is_made_here(pickle.loads(pickle.dumps(load_permit(BY_PERSON))))
    with pytest.raises(TypeError, match="mappingproxy"):
        pickle.dumps(evidence_permit())


def test_the_snapshots_of_a_permit_cannot_be_changed():
    given = {"employment": "s1"}
    permit = evidence_permit(**given)
    assert isinstance(permit.snapshots, MappingProxyType)
    with pytest.raises(TypeError):
        permit.snapshots["employment"] = "s2"
    object.__setattr__(permit, "snapshots", {"employment": "s2"})
    assert not is_made_here(permit)


def test_a_permit_that_nobody_holds_leaves_its_place_to_nobody():
    """A forgery may come to lie where a permit lay."""
    for _ in range(200):
        permit = load_permit(BY_PERSON)
        forged = copy.copy(permit)
        del permit
        assert not is_made_here(forged)
        assert not is_made_here(copy.copy(forged))


def test_a_delivery_is_numbered_under_its_own_permit_only(tmp_path):
    vault = Vault(tmp_path / "vault", keyring(tmp_path), lambda: NOW, recorded=nothing_recorded)
    permit = load_permit(TRACED)
    for use in (
        lambda: vault.number(permit, BY_PERSON, SubjectKind.PERSON, ["370202194910010018"]),
        lambda: vault.keep_identities(permit, BY_PERSON, SubjectKind.PERSON, [], None),
        lambda: vault.standing(permit, BY_PERSON, SubjectKind.PERSON, [], []),
    ):
        with pytest.raises(VaultFault, match="another dataset"):
            use()
    with pytest.raises(VaultFault, match="another dataset's"):
        vault.standing(permit, TRACED, SubjectKind.PERSON, [], ["employment/s1-0"])
    with pytest.raises(VaultFault, match="it has no key for"):
        vault.number(permit, TRACED, SubjectKind.ENTERPRISE, ["x"])
