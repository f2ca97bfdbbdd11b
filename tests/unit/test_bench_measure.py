# SPDX-License-Identifier: Apache-2.0
"""What children took is counted while they live and after, and once."""

import subprocess
import sys
from pathlib import Path

import pytest

from lib.benches import imported

WORKED = 0.1
WORKS = f"import sys, time\nwhile time.process_time() < {WORKED}: pass\nprint(flush=True); sys.stdin.read()"


@pytest.fixture
def measure(monkeypatch):
    yield from imported("measure", monkeypatch)


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", WORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        yield child
        child.kill()


def work(child):
    child.stdout.readline()


def end(child):
    child.kill()
    child.wait()


def test_a_child_counts_while_it_lives(measure, child):
    assert measure.spent(lambda: work(child)).children_cpu >= WORKED / 2


def test_a_child_that_ends_counts_once(measure, child):
    work(child)
    living = measure._children()
    end(child)
    assert living - 0.01 <= measure._children() < living + WORKED


def test_a_child_that_ends_between_the_two_looks_is_not_lost(measure, child, monkeypatch):
    class Ending(type(Path())):
        """A file that is read too late."""

        def read_text(self):
            if self == Path(f"/proc/{child.pid}/stat"):
                end(child)
            return super().read_text()

    work(child)
    before = measure._children()
    monkeypatch.setattr(measure, "Path", Ending)
    assert measure._children() >= before - 0.01
