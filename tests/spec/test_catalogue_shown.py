# SPDX-License-Identifier: Apache-2.0
"""What `catalogue show` says of a dataset: each item with its name, its column's header, and the values it may have."""

import json
from pathlib import Path

import pytest

from lib.pier import Pier
from lib.town import done
from zhanqiao.desk.stewardship import describe

CONTRACT = Path(__file__).parents[1] / "lib" / "contracts" / "pension_enrolment.odcs.yaml"
BANDS = ["[,0)", "[0,120)", "[120,240)", "[240,480)", "[480,720)", "[720,)"]
DISTRICTS = ["市南区", "市北区", "李沧区", "崂山区"]


@pytest.fixture
def described(pier: Pier) -> Pier:
    """With the dataset `insured`, which has an item of each kind."""
    text = CONTRACT.read_text(encoding="utf-8")
    text = text.replace("name: pension_enrolment", "name: insured").replace("370200-hrss-001", "370200-hrss-901")
    done(describe(pier.house, text.encode(), "bureau-officer"))
    return pier


def test_bands_are_listed_apart_from_domains(described: Pier) -> None:
    shown = json.loads(described.command("catalogue", "show", "insured", "--json").stdout)
    values = {item["name"]: (item["domain"], item["bands"]) for item in shown["items"]}
    assert values["insured_months"] == ([], BANDS)
    assert values["district"] == (DISTRICTS, [])
    assert values["birth_year"] == ([], [])


@pytest.mark.parametrize(
    ("lang", "name"), [("zh", "所属区市（表头 参保区市）"), ("en", "所属区市 (header 参保区市)")], ids=["zh", "en"]
)
def test_a_table_names_items_and_headers_and_values(described: Pier, lang: str, name: str) -> None:
    shown = described.command("catalogue", "show", "insured", "--lang", lang, COLUMNS="200").stdout.splitlines()
    lines = {line.split()[0]: line for line in shown if line.strip()}
    assert name in lines["district"]
    assert "、".join(DISTRICTS) in lines["district"]
    assert "、".join(BANDS) in lines["insured_months"]
    # A column whose header is the name says it once.
    assert lines["full_name"].split()[1] == "姓名"
    assert "表头" not in lines["full_name"]
    assert "header" not in lines["full_name"]
