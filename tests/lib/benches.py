# SPDX-License-Identifier: Apache-2.0
"""Modules of `bench`, which stands beside the product and is no part of it: on the path for one test."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def imported(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Give a module of `bench`, and forget the package afterwards."""
    monkeypatch.syspath_prepend(str(ROOT))
    yield import_module(f"bench.{name}")
    for one in [one for one in sys.modules if one == "bench" or one.startswith("bench.")]:
        del sys.modules[one]
