# SPDX-License-Identifier: Apache-2.0
"""The city's contracts: all of them read, and the open catalogue is the published one (56 categories, 398 items)."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from zhanqiao import scenarios
from zhanqiao.catalogue import contracts
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.refusals import Refusal

FILES = sorted((Path(scenarios.__file__).parent / "city" / "contracts").glob("*.odcs.yaml"))
OPEN_DOMAINS = {"工商注册", "税务", "人力资源和社会保障", "住房公积金", "不动产", "公共信用"}
OPEN_CATEGORIES, OPEN_ITEMS = 56, 398
DEPARTMENTS = {
    "hrss", "tax", "market", "housing_fund", "natural_resources", "credit", "health", "transport", "civil_affairs",
    "education", "court", "police",
}  # fmt: skip


@pytest.fixture(scope="module")
def read() -> dict[str, Dataset | Refusal]:
    return {file.name: contracts.read(file.read_bytes()) for file in FILES}


@pytest.fixture(scope="module")
def datasets(read: dict[str, Dataset | Refusal]) -> dict[str, Dataset]:
    return {file: result for file, result in read.items() if isinstance(result, Dataset)}


def test_every_contract_reads(read: dict[str, Dataset | Refusal]) -> None:
    problems = [
        f"{file}: {reason.code}: {reason.message('en')} {reason.remedy('en')}"
        for file, result in read.items()
        if isinstance(result, Refusal)
        for reason in result.reasons
    ]
    assert not problems, "\n" + "\n".join(problems)


def test_a_file_is_called_as_its_dataset(datasets: dict[str, Dataset]) -> None:
    wrong = {file: dataset.name for file, dataset in datasets.items() if file != f"{dataset.name}.odcs.yaml"}
    assert not wrong


def test_catalogue_codes_and_titles_are_unique(datasets: dict[str, Dataset]) -> None:
    twice: dict[str, list[str]] = defaultdict(list)
    for file, dataset in datasets.items():
        for key in (f"code {dataset.code}", f"title {dataset.zh}", f"category {dataset.category}"):
            twice[key].append(file)
    assert not {key: files for key, files in twice.items() if len(files) > 1}


def test_departments_are_the_citys(datasets: dict[str, Dataset]) -> None:
    assert not {file: one.department for file, one in datasets.items() if one.department not in DEPARTMENTS}


def test_the_open_catalogue_lies_in_the_six_domains(datasets: dict[str, Dataset]) -> None:
    opened = {file: dataset for file, dataset in datasets.items() if dataset.open}
    outside = {file: dataset.domain for file, dataset in opened.items() if dataset.domain not in OPEN_DOMAINS}
    assert not outside, "open, but outside of the six domains"
    assert {dataset.domain for dataset in opened.values()} == OPEN_DOMAINS


def test_the_open_catalogue_has_its_published_size(datasets: dict[str, Dataset]) -> None:
    opened = [dataset for dataset in datasets.values() if dataset.open]
    categories = Counter(dataset.domain for dataset in opened)
    items: Counter[str] = Counter()
    for dataset in opened:
        items[dataset.domain] += len(dataset.items)
    shown = ", ".join(f"{domain} {categories[domain]}/{items[domain]}" for domain in sorted(OPEN_DOMAINS))
    found = (len({dataset.category for dataset in opened}), sum(items.values()))
    assert found == (OPEN_CATEGORIES, OPEN_ITEMS), f"categories/items by domain: {shown}"
