# SPDX-License-Identifier: Apache-2.0
"""A laptop deployment from nothing: keys, the first register, a resident, a sealed contract, by command line alone.

There are no personas here: everybody acts with a key file that a passphrase opens, and the register knows its public half.
"""

import pytest

from lib.terminal import Shell, founded, register_text

TREES = """\
apiVersion: v3.1.0
kind: DataContract
id: "370202-garden-001"
name: 行道树
version: 1.0.0
status: active
domain: 园林绿化
description: {purpose: 公众了解街道绿化。}
schema:
  - name: street_tree
    businessName: 行道树
    description: Street trees
    customProperties:
      - {property: department, value: bureau}
      - {property: subjectKinds, value: []}
      - {property: sharing, value: unconditional}
      - {property: opening, value: unconditional}
      - {property: updateCycle, value: year}
      - {property: cubes, value: [{name: by_species, dims: [species], measures: []}]}
    properties:
      - name: species
        businessName: 树种
        logicalType: string
        required: true
        customProperties:
          - {property: mask, value: keep}
          - {property: capabilities, value: [filter, group]}
          - {property: domain, value: [法桐, 雪松, 银杏]}
          - {property: grade, value: 1}
"""
DRAFT = """\
name: 行道树统计使用合约
resident: ocean-bank
issuer: bureau
purpose: street-trees
doors: [statistics]
datasets:
  street_tree: {items: [species]}
term: {from: 2026-01-01, until: 2030-12-31}
limits: {count: 3}
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return founded(tmp_path_factory.mktemp("laptop"))


@pytest.fixture(scope="module")
def resident(shell: Shell) -> Shell:
    """The same with an admitted resident, `ocean-bank`, and its two people."""
    shell.run("people", "organisation", "ocean-bank", "--kind", "resident", "--name", "远洋银行", by="sys")
    for number, (person, roles) in enumerate({"sails": ["officer", "signatory"], "counts": ["analyst"]}.items()):
        public = shell.make_key(person)
        added = shell.run(
            *("people", "add", person, "--organisation", "ocean-bank", "--name", person, "--public", public),
            by="sys",
            given={"id": f"card {number}"},
        )
        assert added["roles"] == []
        for role in roles:
            shell.run("people", "role", person, role, by="sec")
    evidence = [word for code in ("R1", "R2", "R3", "R4", "R5", "R6") for word in ("--evidence", f"{code}=doc")]
    shell.run("resident", "assess", "ocean-bank", *evidence, by="first")
    assert shell.refused("resident", "admit", "ocean-bank", by="first") == ["second-person-needed"]
    handed_in = shell.run("resident", "show", "ocean-bank")
    assert (handed_in["admission"], set(handed_in["evidence"].values())) == ("assessed", {"doc"})
    assert shell.run("resident", "admit", "ocean-bank", by="second")["admission"] == "resident"
    return shell


def test_from_an_empty_register_to_an_answer_and_the_suspension_that_ends_it(resident: Shell):
    """Nobody is named without proof, and every step is in the ledger."""
    resident.run("catalogue", "add", resident.file("trees.odcs.yaml", TREES), by="officer")
    resident.run("intake", "load", "street_tree", resident.file("trees.csv", "树种\n法桐\n雪松\n法桐\n"), by="officer")
    drafted = resident.run("agreement", "draft", resident.file("draft.yaml", DRAFT), by="sails")["agreement"]
    resident.run("agreement", "seal", drafted, by="sails")
    assert resident.run("agreement", "seal", drafted, by="officer")["state_en"] == "performing"
    question = "SELECT species, count(*) AS trees FROM street_tree GROUP BY species"
    answer = resident.run("ask", "--agreement", drafted, question, by="counts")
    assert answer["rows"] == [["法桐", 2], ["雪松", 1]]
    resident.run("agreement", "suspend", drafted, by="officer")
    assert resident.refused("ask", "--agreement", drafted, question, by="counts") == ["agreement-suspended"]
    events = resident.run("ledger", "show", "--most", "500")
    assert {event["by"] for event in events if "key" not in event["leaf"]} == {"init"}, "the founding alone"
    assert resident.run("ledger", "audit")["status"] == "clean"
    kinds = [event["kind"] for event in events]
    assert {
        "identity.organisation-registered",
        "identity.person-registered",
        "identity.role-given",
        "identity.admission",
        "agreement.sealed",
        "agreement.suspended",
    } <= set(kinds)


def test_a_register_is_founded_once_and_all_or_nothing(shell: Shell):
    assert shell.refused("people", "found", "register.yaml") == ["register-founded"]
    wrong = register_text(shell).replace("kind: operator", "kind: pirate").replace("name: sec,", "")
    assert shell.refused("people", "found", shell.file("wrong.yaml", wrong + "\nextra: 1")) == [
        "draft-key-unknown",
        "draft-value-wrong",
        "draft-key-missing",
    ]
    # Of a list of people that is no register nothing is repeated.
    rows = shell.file("rows.yaml", "name: 甲\n370202196001010018: 2\n370202196001010018: 2\n")
    assert shell.refused("people", "found", rows) == ["draft-not-described"]


def test_whoever_makes_accounts_gives_no_roles_and_nobody_is_two_administrators(shell: Shell):
    assert shell.refused("people", "role", "officer", "analyst", by="sys") == ["role-missing"]
    assert shell.refused("people", "role", "sec", "auditadmin", by="sec") == ["roles-incompatible"]
    public = shell.make_key("late")
    words = ("people", "add", "late", "--organisation", "bureau", "--name", "x", "--public", public)
    assert shell.refused(*words, by="sec", given={"id": "card of late"}) == ["role-missing"]
    assert shell.refused(*words, by="sys", given={"id": "card of sec"}) == ["natural-person-taken"]
    events = shell.run("ledger", "show", "--kind", "identity.refused", "--most", "500")
    assert {"identity.give-role", "identity.register-person"} <= {event["leaf"]["facts"]["act"] for event in events}


def test_names_that_are_not_registered_end_with_four_and_half_a_command_with_two(shell: Shell):
    assert shell.refused("people", "role", "nobody", "analyst", by="sec", status=4) == ["person-unknown"]
    assert shell.refused("people", "dismiss", "nobody", by="sys", status=4) == ["person-unknown"]
    assert shell.refused("resident", "leave", "nowhere", by="first", status=4) == ["organisation-unknown"]
    assert shell.refused("resident", "show", "nowhere", status=4) == ["organisation-unknown"]
    shell.run("people", "role", "officer", "captain", by="sec", status=2)
    shell.run("people", "add", "late", by="sys", status=2)
    public = "0" * 63
    words = ("people", "add", "x1", "--organisation", "bureau", "--name", "x", "--public", public)
    assert shell.refused(*words, by="sys", given={"id": "y"}) == ["key-malformed"]


def test_whoever_left_acts_no_more(resident: Shell):
    public = resident.make_key("gone")
    words = ("people", "add", "gone", "--organisation", "ocean-bank", "--name", "x", "--public", public)
    resident.run(*words, by="sys", given={"id": "card of gone"})
    resident.run("people", "role", "gone", "officer", by="sec")
    assert resident.run("people", "dismiss", "gone", by="sys")["active"] is False
    draft = resident.file("draft.yaml", DRAFT)
    assert "person-inactive" in resident.refused("agreement", "draft", draft, by="gone")
    marked = {one["id"]: one["active"] for one in resident.run("people", "show")["people"]}
    assert [name for name, active in marked.items() if not active] == ["gone"]
    assert "officer, dismissed" in resident.printed("people", "show", "--lang", "en")
    back = resident.run("people", "reinstate", "gone", by="sys")
    assert (back["active"], back["roles"]) == (True, [])
