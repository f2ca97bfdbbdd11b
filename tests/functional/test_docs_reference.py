# SPDX-License-Identifier: Apache-2.0
"""What is not documented is not finished: keys, codes, files and tests that the pages must name, and do."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from zhanqiao.catalogue import contracts, items
from zhanqiao.catalogue.credit_law import CATEGORIES
from zhanqiao.terms.datasets import Capability, Delivery, Generaliser, LogicalType, Mask, Opening, Sharing, UpdateCycle
from zhanqiao.terms.subjects import SubjectKind

ROOT = Path(__file__).parents[2]
CONTRACTS = (ROOT / "docs/reference/contracts.md").read_text(encoding="utf-8")
CODES: tuple[type[StrEnum], ...] = (
    Capability,
    Delivery,
    Generaliser,
    LogicalType,
    Mask,
    Opening,
    Sharing,
    SubjectKind,
    UpdateCycle,
)
PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if "_build" not in path.parts)


@pytest.mark.parametrize("key", [*contracts.CUSTOM, *items.CUSTOM, *items.ITEM_KEYS.read - {"customProperties"}])
def test_every_key_of_a_contract_is_explained(key: str) -> None:
    assert f"`{key}`" in CONTRACTS


@pytest.mark.parametrize("code", [*(str(code) for codes in CODES for code in codes), *CATEGORIES])
def test_every_value_of_a_contract_is_explained(code: str) -> None:
    assert f"`{code}`" in CONTRACTS


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)#\s]+)\)", text):
        if not link.startswith("https://"):
            assert (path.parent / link).exists(), link


def test_the_threat_table_names_tests_that_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[^`]+)`", text)
    assert named
    for pattern in named:
        assert list(ROOT.glob(pattern.rstrip("/"))), pattern
