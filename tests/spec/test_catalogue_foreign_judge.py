# SPDX-License-Identifier: Apache-2.0
"""Our contracts are ODCS contracts: the standard's own model and schema names take them, and read what we read."""

import json
from importlib import resources
from pathlib import Path

import pytest
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from zhanqiao.catalogue import contracts, items
from zhanqiao.catalogue.plain_yaml import Listing, Mapping, Node, Scalar, compose
from zhanqiao.terms.datasets import Dataset

EXAMPLE = Path(__file__).parents[1] / "lib" / "contracts" / "pension_enrolment.odcs.yaml"
CITY = Path(contracts.__file__).parents[1] / "scenarios" / "city" / "contracts"
FILES = [EXAMPLE, *sorted(CITY.glob("*.odcs.yaml"))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_standard_reads_what_we_read(file: Path) -> None:
    ours = contracts.read(file.read_bytes())
    assert isinstance(ours, Dataset)
    theirs = OpenDataContractStandard.from_string(file.read_text(encoding="utf-8"))
    assert theirs.kind == "DataContract"
    assert (theirs.id, theirs.version, theirs.domain) == (ours.code, ours.version, ours.domain)
    assert theirs.schema_ is not None
    (schema,) = theirs.schema_
    assert (schema.name, schema.businessName) == (ours.name, ours.zh)
    columns = [(column.name, column.businessName, column.logicalType) for column in schema.properties or ()]
    assert columns == [(item.name, item.zh, item.type.value) for item in ours.items]


def test_every_key_that_we_know_is_one_of_the_standard() -> None:
    published = json.loads(_published_schema())["$defs"]
    base = set(published["SchemaElement"]["properties"])
    columns = base | set(published["SchemaBaseProperty"]["properties"])
    known = items.ITEM_KEYS.read | items.ITEM_KEYS.descriptive | set(items.ITEM_KEYS.elsewhere)
    assert known <= columns | {"quality", "relationships", "properties", "items", "map"}
    assert columns <= known


def test_every_key_of_the_standard_is_read_or_has_an_answer() -> None:
    published = json.loads(_published_schema())
    top = contracts._TOP
    assert set(published["properties"]) == top.read | top.descriptive | set(top.elsewhere)
    schema = contracts._SCHEMA
    objects = set(published["$defs"]["SchemaElement"]["properties"]) | set(
        published["$defs"]["SchemaObject"]["properties"]
    )
    assert objects == schema.read | schema.descriptive | set(schema.elsewhere)


def test_both_yaml_parsers_build_the_same_tree() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    fast, _ = compose(text)
    pure, _ = compose(text, yaml.SafeLoader)
    assert fast is not None
    assert pure is not None
    assert _plain(fast) == _plain(pure)


def _plain(node: Node) -> object:
    match node:
        case Scalar():
            return (node.line, node.text, node.kind, node.quoted)
        case Listing():
            return (node.line, [_plain(entry) for entry in node.entries])
        case Mapping():
            return (node.line, {key: _plain(entry) for key, entry in node.entries.items()}, node.key_lines)


def _published_schema() -> str:
    return (resources.files("open_data_contract_standard") / "schema.json").read_text(encoding="utf-8")
