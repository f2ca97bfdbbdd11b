# SPDX-License-Identifier: Apache-2.0
"""A dataset that has no code here: described, loaded, agreed, asked and verified by the command line alone.

Two public files as a city publishes them: inspections of restaurants (about enterprises, protected by the thresholds)
and the street trees of a district (about nobody, open without condition). Their contracts stand below; nothing else does.
"""

import json
import subprocess
from collections import Counter
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from lib.pier import command_line, credit_code, write_csv

INSPECTIONS = """\
apiVersion: v3.1.0
kind: DataContract
id: "370200-market-777"
name: 餐饮单位监督检查结果
version: 1.0.0
status: active
domain: 食品安全
description: {purpose: 公众了解餐饮单位的检查情况。}
schema:
  - name: restaurant_inspection
    businessName: 餐饮单位监督检查结果
    description: Inspections of restaurants
    customProperties:
      - {property: department, value: market}
      - {property: subjectKinds, value: [enterprise]}
      - {property: sharing, value: unconditional}
      - {property: opening, value: conditional}
      - {property: openingCondition, value: 签订授权协议}
      - {property: updateCycle, value: month}
      - {property: formatCode, value: 2}
      - {property: cubes, value: [{name: by_street_grade, dims: [street, grade], measures: [score]}]}
    properties:
      - name: uscc
        businessName: 统一社会信用代码
        logicalType: string
        required: true
        customProperties:
          - {property: subject, value: enterprise}
          - {property: mask, value: token}
          - {property: grade, value: 1}
          - {property: capabilities, value: [join]}
      - name: street
        businessName: 街道
        logicalType: string
        required: true
        customProperties:
          - {property: mask, value: keep}
          - {property: capabilities, value: [filter, group]}
          - {property: domain, value: [中山路街道, 八大关街道, 香港中路街道]}
          - {property: grade, value: 1}
      - name: grade
        businessName: 量化等级
        logicalType: string
        required: true
        customProperties:
          - {property: mask, value: keep}
          - {property: capabilities, value: [filter, group]}
          - {property: domain, value: [A, B, C]}
          - {property: grade, value: 1}
      - name: score
        businessName: 得分
        logicalType: number
        logicalTypeOptions: {minimum: 0, maximum: 100, multipleOf: 0.1}
        customProperties:
          - {property: mask, value: keep}
          - {property: capabilities, value: [aggregate]}
          - {property: grade, value: 1}
      - name: inspector_note
        businessName: 检查备注
        logicalType: string
        customProperties:
          - {property: grade, value: 2}
"""
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
      - {property: department, value: natural_resources}
      - {property: subjectKinds, value: []}
      - {property: sharing, value: unconditional}
      - {property: opening, value: unconditional}
      - {property: updateCycle, value: year}
      - {property: formatCode, value: 2}
      - {property: cubes, value: [{name: by_species, dims: [species], measures: [height]}]}
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
      - name: height
        businessName: 树高（米）
        logicalType: number
        logicalTypeOptions: {minimum: 0, maximum: 60, multipleOf: 0.1}
        customProperties:
          - {property: mask, value: keep}
          - {property: capabilities, value: [aggregate]}
          - {property: grade, value: 1}
"""
DRAFT = """\
name: 公开数据使用合约
abstract: 海湾银行以统计门使用公开数据
resident: bay-bank
issuer: bigdata-bureau
purpose: market-research
doors: [statistics]
datasets:
  {dataset}: {{items: [{items}]}}
term: {{from: 2026-01-01, until: 2030-12-31}}
limits: {{count: 10}}
policy:
  permission: [{{action: use}}]
"""
STREETS = {"中山路街道": {"A": 9, "B": 6}, "八大关街道": {"A": 7, "C": 2}, "香港中路街道": {"B": 12, "C": 5}}


class Shell:
    """A person at a terminal, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str, status: int = 0) -> dict:
        """Type a command and read what it prints as data."""
        ran = subprocess.run(
            command_line(*words, "--home", "pier", "--json"),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == status, ran.stdout + ran.stderr
        return json.loads(ran.stdout)

    def file(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return name


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> Shell:
    """A new deployment, in which a bank was admitted; by commands alone."""
    shell = Shell(tmp_path_factory.mktemp("terminal"))
    shell.run("init", "--profile", "demo", "--city", "青岛")
    criteria = _criteria(shell)
    evidence = [word for code in criteria for word in ("--evidence", f"{code}=material/{code}")]
    shell.run("resident", "assess", "bay-bank", *evidence, "--as", "wang-assessor")
    admitted = shell.run("resident", "admit", "bay-bank", "--as", "zhao-assessor")
    assert admitted["admission"] == "resident"
    return shell


def _criteria(shell: Shell) -> list[str]:
    ran = subprocess.run(
        command_line("resident", "criteria", "--json"), capture_output=True, text=True, timeout=60, check=True
    )
    return [criterion["code"] for criterion in json.loads(ran.stdout)]


def _agreed(shell: Shell, dataset: str, items: str) -> str:
    """Draft, and seal for both sides."""
    draft = shell.file(f"{dataset}.draft.yaml", DRAFT.format(dataset=dataset, items=items))
    agreement = shell.run("agreement", "draft", draft, "--as", "bay-signatory")["agreement"]
    for who in ("bay-signatory", "li-officer"):
        shell.run("agreement", "seal", agreement, "--as", who)
    return agreement


def _list_of_what_came_before(shell: Shell) -> None:
    """A delivery that is recognised is not examined again: no empty list says that nothing was wrong."""
    load = ("intake", "load", "restaurant_inspection", "inspections.csv", "--as", "market-steward", "--faults")
    assert shell.run(*load, "before.csv")["status"] == "recognised"
    assert not (shell.folder / "before.csv").exists()
    wrong = ("intake", "load", "restaurant_inspection", shell.file("wrong.csv", "a,b\n1,2\n"), "--as")
    for by, status in (("market-steward", 3), ("hrss-officer", 3)):
        shell.run(*wrong, by, "--faults", "refused.csv", status=status)
        assert not (shell.folder / "refused.csv").exists(), "so that it can be repeated as it was typed"


def _told_again(shell: Shell, report: dict, told: list[str]) -> None:
    """What the report told can be had again by the department's stewards, by nobody else, and the log says who asked."""
    faults = ("intake", "faults", "restaurant_inspection", "--as")
    assert shell.run(*faults, "market-steward") == report["found"]
    again = shell.run(*faults, "market-steward", "--snapshot", report["snapshot"], "--faults", "again.csv")
    assert again == report["found"]
    assert (shell.folder / "again.csv").read_text("utf-8-sig").splitlines()[1:] == told
    for wrong, code, status in (
        (("hrss-officer", "--faults", "none.csv"), "not-of-organisation", 3),
        (("market-steward", "--snapshot", "of-another"), "snapshot-not-published", 4),
    ):
        assert shell.run(*faults, *wrong, status=status)["reasons"][0]["code"] == code
    assert not (shell.folder / "none.csv").exists()
    log = shell.run("ledger", "show", "--kind", "quarantine.read")
    assert [event["by"] for event in log] == ["market-steward"] * 2
    assert len(shell.run("ledger", "show", "--kind", "quarantine.refused")) == 1
    assert shell.run("ledger", "audit")["status"] == "clean"


def _inspections(shell: Shell) -> list[tuple[str, str, str, str, str]]:
    rows = [
        (street, grade) for street, grades in STREETS.items() for grade, count in grades.items() for _ in range(count)
    ]
    return [
        (credit_code(7_000 + n), street, grade, f"{60 + n * 7 % 40}.{n % 10}", f"备注{n}")
        for n, (street, grade) in enumerate(rows)
    ]


def test_a_public_file_about_enterprises(shell: Shell) -> None:
    described = shell.run(
        "catalogue", "add", shell.file("inspections.odcs.yaml", INSPECTIONS), "--as", "market-steward"
    )
    assert (described["status"], described["dataset"]) == ("described", "restaurant_inspection")

    rows = _inspections(shell)
    bad = [("91370200MA0000000!", "中山路街道", "A", "90.0", ""), (credit_code(8_000), "中山路街道", "Z", "90.0", "")]
    header = ["统一社会信用代码", "街道", "量化等级", "得分", "检查备注"]
    write_csv(shell.folder / "inspections.csv", header, [*rows, *bad], encoding="gb18030")
    load = ("intake", "load", "restaurant_inspection", "inspections.csv", "--as", "market-steward", "--faults")
    kept = shell.folder / shell.file("kept.csv", "kept")
    assert shell.run(*load, kept.name, status=2)["reasons"][0]["code"] == "file-exists"
    assert kept.read_text() == "kept"
    inside = shell.run(*load, "pier/faults.csv", status=2)
    assert inside["reasons"][0]["code"] == "file-inside"
    report = shell.run(*load, "faults.csv")
    assert (report["rows"], report["published"], report["quarantined"]) == (43, 41, 2)
    told = (shell.folder / "faults.csv").read_text("utf-8-sig").splitlines()[1:]
    assert [line.split(",")[:4] for line in told] == [
        ["1", "43", "统一社会信用代码", "identifier"],
        ["1", "44", "量化等级", "domain"],
    ]
    _told_again(shell, report, told)
    _list_of_what_came_before(shell)

    agreement = _agreed(shell, "restaurant_inspection", "uscc, street, grade, score")
    statement = (
        "SELECT street, count(*) AS restaurants, avg(score) AS average FROM restaurant_inspection GROUP BY street"
    )
    answer = shell.run("ask", statement, "--agreement", agreement, "--as", "bay-analyst")
    # Two restaurants of grade C join the seven of grade A: in the street's figure they are counted all the same.
    assert answer["rows"] == [
        [street, sum(STREETS[street].values()), _average([row[3] for row in rows if row[1] == street])]
        for street in sorted(STREETS)
    ]
    finest = statement.replace("street,", "street, grade,", 1).replace("BY street", "BY street, grade")
    by_grade = shell.run("ask", finest, "--agreement", agreement, "--as", "bay-analyst")
    assert [row[:3] for row in by_grade["rows"]] == [
        ["中山路街道", "A", 9],
        ["中山路街道", "B", 6],
        ["八大关街道", "其余", 9],
        ["香港中路街道", "B", 12],
        ["香港中路街道", "C", 5],
    ]
    assert by_grade["withheld"] == [{"rule": "too-small-or-dominated", "groups": 1}]
    _verifies(shell, answer["certificate"])


def test_a_public_file_about_nobody(shell: Shell) -> None:
    shell.run("catalogue", "add", shell.file("trees.odcs.yaml", TREES), "--as", "natural_resources-steward")
    trees = [("法桐", "12.5"), ("法桐", "9.0"), ("雪松", "17.3"), ("银杏", "8.1"), ("银杏", "8.2"), ("银杏", "8.0")]
    write_csv(shell.folder / "trees.csv", ["树种", "树高（米）"], trees, encoding="utf-8-sig")
    own = shell.run("intake", "load", "street_tre", "trees.csv", "--as", "natural_resources-steward", status=4)
    foreign = shell.run("intake", "load", "street_tre", "trees.csv", "--as", "market-steward", status=4)
    shown = shell.run("catalogue", "show", "street_tre", status=4)
    meant = ["street_tree" in refused["reasons"][0]["remedy"] for refused in (own, foreign, shown)]
    assert meant == [True, False, True]
    report = shell.run("intake", "load", "street_tree", "trees.csv", "--as", "natural_resources-steward")
    assert report["published"] == 6
    again = shell.run("intake", "load", "street_tree", "trees.csv", "--as", "natural_resources-steward")
    assert again["status"] == "recognised"

    agreement = _agreed(shell, "street_tree", "species, height")
    statement = "SELECT species, count(*) AS trees, sum(height) AS metres FROM street_tree GROUP BY species"
    answer = shell.run("ask", statement, "--agreement", agreement, "--as", "bay-analyst")
    counts = Counter(species for species, _ in trees)
    metres = {one: sum(Decimal(height) for species, height in trees if species == one) for one in counts}
    assert answer["rows"] == [[one, counts[one], str(metres[one])] for one in sorted(counts)]
    assert answer["withheld"] == []
    _verifies(shell, answer["certificate"])


def test_what_is_missing_on_the_way_is_said(shell: Shell) -> None:
    """Nothing described, nobody's data, a broken contract with every line: statuses as the command line promises."""
    some = shell.file("some.csv", "树种,树高（米）\n")
    missing = shell.run("intake", "load", "no_such_dataset", some, "--as", "li-officer", status=4)
    assert [reason["code"] for reason in missing["reasons"]] == ["unknown-dataset"]
    missing = shell.run("intake", "drop", "no_such_dataset", "--as", "li-officer", status=4)
    assert [reason["code"] for reason in missing["reasons"]] == ["unknown-dataset"]
    misspelt = shell.file("misspelt.odcs.yaml", TREES.replace("natural_resources", "natural_resorces"))
    unknown = shell.run("catalogue", "add", misspelt, "--as", "natural_resources-steward", status=4)
    assert [reason["code"] for reason in unknown["reasons"]] == ["organisation-unknown"]
    stranger = shell.run("catalogue", "add", shell.file("foreign.odcs.yaml", TREES), "--as", "market-steward", status=3)
    assert [reason["code"] for reason in stranger["reasons"]] == ["not-of-organisation"]
    broken = TREES.replace("logicalType: string", "logicalType: tree").replace("value: keep", "value: kept")
    refused = shell.run("catalogue", "add", shell.file("broken.odcs.yaml", broken), "--as", "li-officer", status=3)
    assert len(refused["reasons"]) >= 3
    assert all(reason["remedy"] for reason in refused["reasons"])


def _average(scores: list[str]) -> str:
    total = sum(map(Decimal, scores), Decimal())
    return str((total / len(scores)).quantize(Decimal("0.001"), ROUND_HALF_EVEN))


def _verifies(shell: Shell, certificate: str) -> None:
    """Offline, with the log's trust file; and not any more when a byte of the answer is another."""
    (verdict,) = shell.run("verify", certificate)  # type: ignore[misc]
    assert verdict["valid"]
    answer = shell.folder / certificate.replace(".cert", ".answer.json")
    answer.write_bytes(answer.read_bytes().replace(b'"released"', b'"releasec"'))
    (verdict,) = shell.run("verify", certificate, status=1)  # type: ignore[misc]
    assert not verdict["valid"]
