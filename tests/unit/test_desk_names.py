# SPDX-License-Identifier: Apache-2.0
"""Chinese names of codes: none is missing, and the glossary says the same."""

from pathlib import Path

import pytest

from zhanqiao.desk.cli import names
from zhanqiao.desk.scenarios import all_services
from zhanqiao.identity.admission import Admission
from zhanqiao.identity.people import OrganisationKind, Role
from zhanqiao.terms.refusals import Reason

GLOSSARY = (Path(__file__).parents[2] / "GLOSSARY.md").read_text(encoding="utf-8")


def test_every_kind_role_and_state_has_its_name() -> None:
    assert set(names.KINDS) == set(OrganisationKind)
    assert set(names.ROLES) == set(Role)
    assert set(names.ADMISSIONS) == set(Admission)


@pytest.mark.parametrize("name", [*names.KINDS.values(), *(names.ROLES[role] for role in Role if "admin" not in role)])
def test_the_glossary_has_the_name(name: str) -> None:
    assert f"| {name} |" in GLOSSARY


@pytest.mark.parametrize("field", ["outcome", "precheck", "evidence_class", "reasons", "next_step"])
def test_every_outcome_of_a_service_has_its_name(field: str) -> None:
    declared = [one for service in all_services() for one in service.output if one.name == field]
    assert declared
    for one in declared:
        assert [code for code, _ in one.names] == list(one.values)
        assert all(zh for _, zh in one.names)


def test_a_code_without_a_name_stands_alone() -> None:
    assert names.with_name("zh", "operator", names.KINDS) == "operator（运营机构）"
    assert names.with_name("zh", "harbour", names.KINDS) == "harbour"
    assert names.with_name("en", "operator", names.KINDS) == "operator"


def test_a_remedy_names_the_kinds_of_organisations_in_words_alone() -> None:
    reason = Reason("role-not-here", {"role": "secadmin", "kind": "resident", "kinds": "authority, operator"})
    told = names.remedy_of(reason, "zh")
    assert told == "请从以下类型机构的人员中选择：authority（数据主管部门）、operator（运营机构）。"
    assert reason.as_data("zh")["remedy"] == "请从以下类型机构的人员中选择：authority, operator。"
    assert names.remedy_of(reason, "en") == reason.remedy("en")
