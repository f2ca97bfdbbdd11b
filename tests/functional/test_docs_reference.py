# SPDX-License-Identifier: Apache-2.0
"""What is not documented is not finished: keys, codes, files and tests that the pages must name, and do."""

import ast
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


def _figures() -> dict[str, tuple[str, str]]:
    """Read from the source which figures are measured: a pattern of the name, and what is measured in and against."""
    found = {}
    for path in sorted((ROOT / "bench").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        goals = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Figure"):
                continue
            _, name, _, unit, *rest = node.args
            # What was left out is no figure.
            if "left out" in ast.unparse(name):
                continue
            parts = name.values if isinstance(name, ast.JoinedStr) else [name]
            pattern = "".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in parts)
            told = rest[1] if len(rest) > 1 else None
            goal = goals[told.id] if isinstance(told, ast.Name) else told
            limit = ""
            if isinstance(goal, ast.Call):
                sign = {"at_most": "<=", "at_least": ">="}[ast.unparse(goal.func)]
                limit = f"{sign} {ast.literal_eval(goal.args[0]):,}"
            found[pattern] = (limit, ast.literal_eval(unit))
    return found


@pytest.mark.parametrize(("pattern", "told"), _figures().items())
def test_every_figure_of_the_bench_is_listed_with_its_goal(pattern: str, told: tuple[str, str]) -> None:
    text = (ROOT / "docs/reference/figures.md").read_text(encoding="utf-8")
    limit, unit = told
    rows = re.findall(rf"^\| {pattern} \| (.*?) ?\|.*$", text, re.MULTILINE)
    assert rows
    assert set(rows) == {f"{limit} {unit}" if limit else ""}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)#\s]+)\)", text):
        if not link.startswith("https://"):
            assert (path.parent / link).exists(), link


def test_the_glossary_names_what_the_code_has() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    words = set(re.findall(r"\w+", code)) | {path.stem for path in (ROOT / "src").rglob("*")}
    rows = re.findall(
        r"^\| (.+?) \| (.+?) \|.*\| (.+?) \|$", (ROOT / "GLOSSARY.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    terms = [english for english, _, _ in rows[1:]]
    assert terms == sorted(terms, key=str.lower), "a term is found by its letters"
    assert len(set(terms)) == len({chinese for _, chinese, _ in rows[1:]}) == len(terms), "one word for each idea"
    for name in re.findall(r"`(.+?)`", " ".join(where for _, _, where in rows)):
        assert set(re.findall(r"\w+", name)) <= words, name


def test_the_threat_table_names_tests_that_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[^`]+)`", text)
    assert named
    for pattern in named:
        assert list(ROOT.glob(pattern.rstrip("/"))), pattern
