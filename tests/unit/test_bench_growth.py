# SPDX-License-Identifier: Apache-2.0
"""What growth is measured with: stages are told apart by their headings, memory is a whole family's."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from lib.benches import ROOT, imported
from zhanqiao.desk.cli.demo import Scale

_HOLDS = "import sys\nkept = bytearray(b'x' * (64 << 20))\nprint('there', flush=True)\nsys.stdin.read()"


@pytest.fixture
def growth(monkeypatch):
    yield from imported("growth", monkeypatch)


def test_the_article_is_as_large_as_the_demo_tells_it(growth):
    assert Scale.ARTICLE.people == growth.ARTICLE_PEOPLE


def test_it_starts_by_itself():
    line = [sys.executable, "-m", "bench.growth", "--help"]
    assert subprocess.run(line, cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_stages_are_told_apart_by_their_headings(growth, monkeypatch):
    """By headings in their order: what only looks like one counts for nothing."""
    clock = iter(range(0, 1_000, 10))
    monkeypatch.setattr(growth.time, "monotonic", lambda: next(clock))
    story = SimpleNamespace(stdout=[line for n in range(1, 11) for line in (f"{n}. a stage ---\n", "1. no heading\n")])
    assert growth._stages(story) == {"build": 10, "load": 10, "certify": 10}


def test_memory_is_that_of_children_too(growth):
    before = sum(map(growth._held, growth._family(os.getpid())))
    with subprocess.Popen([sys.executable, "-c", _HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in set(growth._family(os.getpid()))
        assert sum(map(growth._held, growth._family(os.getpid()))) >= before + (60 << 20)
        assert child.stdin is not None
        child.stdin.close()
    assert growth._held(child.pid) == 0
    assert set(growth._family(child.pid)) == {child.pid}
