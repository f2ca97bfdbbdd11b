# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a real deployment in a temporary folder. No mocks, no wrapping transaction: what commits, commits."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhanqiao.desk.settings")
os.environ.setdefault("ZHANQIAO_HOME", "/nonexistent/zhanqiao-tests")

import django

django.setup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("first") is None)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep tests together that need what is made once for their module: spread over processes, each would make it."""
    if isinstance(item, pytest.Function):
        fixtures = item._fixtureinfo.name2fixturedefs
        if any(fixtures[name][-1].scope == "module" for name in item.fixturenames if name in fixtures):
            item.add_marker(pytest.mark.xdist_group(item.path.name))


@pytest.fixture(scope="session", autouse=True)
def no_keys_left_open(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of a test's deployment outlives the tests."""
    yield
    from lib.open_keys import forget_open_keys

    forget_open_keys(tmp_path_factory.getbasetemp())


TODAY = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self, now: datetime = TODAY) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **step: float) -> None:
        self.now += timedelta(**step)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A founded deployment without data, made once and copied for each test."""
    from django.db import connections

    from zhanqiao.desk.configuration import Deployment
    from zhanqiao.desk.deployment import found
    from zhanqiao.vault.house import House

    home = tmp_path_factory.mktemp("founded") / "home"
    house = found(home, Deployment(city="青岛", profile="demo", origin="zhanqiao.test/qingdao"))
    assert isinstance(house, House), house
    connections.close_all()
    return home


@pytest.fixture
def house(empty_home: Path, tmp_path: Path, clock: Clock) -> Iterator[object]:
    """An open deployment of its own for this test."""
    from django.db import connections

    from zhanqiao.desk.deployment import open_house
    from zhanqiao.vault.house import House

    home = tmp_path / "home"
    shutil.copytree(empty_home, home)
    opened = open_house(home, clock)
    assert isinstance(opened, House), opened
    yield opened
    connections.close_all()


@pytest.fixture
def book(house: object) -> object:
    return house.book


@pytest.fixture(scope="session")
def settled_pier(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A deployment with data and agreements, made once for all test processes."""
    from lib.pier import settle

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    return settle(folder / "settled-pier", Clock())


@pytest.fixture
def pier(settled_pier: object, tmp_path: Path, clock: Clock) -> Iterator[object]:
    """An open copy of the settled deployment for this test."""
    from lib.pier import opened

    yield from opened(settled_pier, tmp_path, clock)
