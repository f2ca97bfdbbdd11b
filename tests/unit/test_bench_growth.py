# SPDX-License-Identifier: Apache-2.0
"""What growth is measured with: stages are told apart by their headings, memory is a whole family's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_TELLS = "import time\nfor n in range(1, 11):\n print(f'{n}. a stage ---', flush=True)\n print('1. no heading', flush=True)\n time.sleep(0.02)"
_HOLDS = "import sys\nkept = bytearray(b'x' * (64 << 20))\nprint('there', flush=True)\nsys.stdin.read()"


@pytest.fixture
def growth(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from bench import growth

    yield growth
    for name in [name for name in sys.modules if name == "bench" or name.startswith("bench.")]:
        del sys.modules[name]


def test_stages_are_told_apart_by_their_headings(growth):
    with subprocess.Popen([sys.executable, "-c", _TELLS], stdout=subprocess.PIPE, text=True) as story:
        stages = growth._stages(story)
    assert set(stages) == {"build", "load", "certify"}
    assert all(seconds >= 0.02 for seconds in stages.values())


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
