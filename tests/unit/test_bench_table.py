# SPDX-License-Identifier: Apache-2.0
"""The table of figures says what it was given: values, goals, whether they hold. No time is judged here."""

import json

import pytest

from lib.benches import imported


@pytest.fixture
def table(monkeypatch):
    yield from imported("table", monkeypatch)


@pytest.fixture
def figures(table):
    return [
        table.Figure("load", "whole load / plain", 1.86, "x cpu", 3, table.at_most(1.25), "681,018 rows"),
        table.Figure("load", "share of the checks", 24.6, "% of cpu", 1),
        table.Figure("ledger", "events by 100", 27_346.4, "events/s", 5, table.at_least(20_000), "写入账本"),
    ]


@pytest.mark.parametrize(("value", "most", "least"), [(1.2, True, False), (1.25, True, True), (1.3, False, True)])
def test_a_goal_holds_up_to_its_limit(table, value, most, least):
    assert table.at_most(1.25).holds(value) is most
    assert table.at_least(1.25).holds(value) is least


def test_a_figure_without_goal_is_neither_held_nor_not(figures):
    assert [figure.held for figure in figures] == [False, None, True]


def test_the_table_shows_each_figure_under_its_group_with_its_note(table, figures):
    lines = table.as_text(figures).splitlines()
    assert lines[1:3] == ["", "load"]
    assert lines[3].split() == ["whole", "load", "/", "plain", "1.86", "x", "cpu", "<=", "1.25", "NOT", "HELD"]
    assert lines[4].strip() == "681,018 rows"
    assert lines[5].split() == ["share", "of", "the", "checks", "24.6", "%", "of", "cpu"]
    assert lines[6:8] == ["", "ledger"]
    assert lines[8].endswith(">= 20,000  held")
    assert lines[9].strip() == "写入账本"


def test_columns_stand_under_one_another_with_chinese_names_too(table):
    chinese = table.Figure("g", "立方体答复", 2.0, "ms", 1)
    latin = table.Figure("g", "cube answer", 3.0, "ms", 1)
    first, second = table.as_text([chinese, latin]).splitlines()[3:5]
    # Five wide letters take ten columns: one more space than eleven narrow ones, five letters fewer.
    assert first == "立方体答复   2 ms"
    assert second == "cube answer  3 ms"


def test_a_program_reads_what_a_person_reads(table, figures, tmp_path):
    path = tmp_path / "latest.json"
    table.write(path, figures, {"cores": 2}, 12.34)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["version"] == 1
    assert content["machine"] == {"cores": 2}
    assert content["seconds"] == 12.3
    assert content["figures"][0] == {
        "group": "load",
        "name": "whole load / plain",
        "value": 1.86,
        "unit": "x cpu",
        "runs": 3,
        "goal": {"at_most": 1.25},
        "held": False,
        "note": "681,018 rows",
    }
    assert [(one["goal"], one["held"]) for one in content["figures"][1:]] == [
        (None, None),
        ({"at_least": 20_000}, True),
    ]


def test_a_former_table_is_replaced_whole(table, figures, tmp_path):
    path = tmp_path / "latest.json"
    table.write(path, figures, {}, 1)
    table.write(path, figures[:1], {}, 1)
    assert len(json.loads(path.read_text(encoding="utf-8"))["figures"]) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["latest.json"]


def test_the_machine_is_described_but_not_named(table):
    import platform

    from bench import machine

    facts = machine.facts()
    assert {"processor", "cores", "memory_gib", "versions"} <= facts.keys()
    name = platform.node()
    assert not name or name not in json.dumps(facts)
