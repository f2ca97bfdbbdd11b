# SPDX-License-Identifier: Apache-2.0
"""kill -9 over a witness, the real program, at every step that makes something last.

Whatever it answered is remembered; what it remembered and did not answer is answered to whoever asks again; and at no
step does another tree get a signature beside the one that was remembered.
"""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lib.witnessed_logs import LOG, ORIGIN, LiarsLog
from zhanqiao.ledger.cosignature import read_cosignature
from zhanqiao.ledger.cosigning import Witness
from zhanqiao.ledger.witness import main

DYING = Path(__file__).parents[1] / "lib" / "dying"
TREE = LiarsLog.of(40)
FORK = TREE.forked(20)


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    paths = os.pathsep.join(filter(None, [str(DYING), os.environ.get("PYTHONPATH")]))
    program = subprocess.Popen(
        [sys.executable, "-m", "zhanqiao.ledger.witness", "run", str(folder), "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )
    try:
        yield program, int(program.stdout.readline().rpartition(":")[2])
    finally:
        if program.poll() is None:
            program.send_signal(signal.SIGINT)
        program.communicate(timeout=10)


def ask(port: int, tree: LiarsLog, old: int, size: int) -> tuple[int, bytes] | None:
    """Return status and body, None when the witness died over the request."""
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        caller.request("POST", "/add-checkpoint", tree.submission(old, size).body())
        answer = caller.getresponse()
        return answer.status, answer.read()
    except (http.client.HTTPException, ConnectionError):
        return None
    finally:
        caller.close()


def made(folder: Path, clock: object) -> Path:
    assert main(["init", str(folder), "--name", "witness.test/w1", "--log", LOG.vkey], clock) == 0
    return folder


@pytest.fixture
def steps(tmp_path, clock) -> list[str]:
    """Return the steps of one request, from a run without an accident."""
    told = tmp_path / "steps"
    with running(made(tmp_path / "control", clock), COUNT_STEPS=str(told)) as (_, port):
        assert ask(port, TREE, 0, 30)[0] == 200
    return told.read_text(encoding="ascii").split("\n")


def test_a_witness_that_is_killed_at_any_step_signs_one_history(tmp_path, clock, steps):
    assert len(steps) == 6, "file, name and folder, before and after each"
    remembered = 0
    for at in range(1, len(steps) + 1):
        folder = made(tmp_path / str(at), clock)
        with running(folder, DIE_AT=str(at)) as (program, port):
            assert ask(port, TREE, 0, 30) is None, "nothing is answered before it is remembered"
            assert program.wait(10) == -signal.SIGKILL
        witness = Witness(folder, clock)
        size = witness.memory(ORIGIN).checkpoint.size
        assert size in (0, 30)
        remembered += size == 30
        with running(folder) as (_, port):
            if size == 30:
                # The lost answer: told the size, the log asks from there. The other tree is refused.
                assert ask(port, TREE, 0, 30) == (409, b"30\n")
                assert ask(port, FORK, 30, 30)[0] == 409
                assert ask(port, FORK, 30, 40)[0] == 422
            status, content = ask(port, TREE, size, 30)
            assert status == 200
            assert read_cosignature(TREE.checkpoint(30).text(), content, witness.verifier)
            assert ask(port, FORK, 30, 40)[0] == 422
    assert 0 < remembered < len(steps)


def test_a_kill_at_any_moment_of_init_leaves_a_witness_or_none(tmp_path, clock):
    """And what it leaves is never a witness that forgot."""
    paths = os.pathsep.join(filter(None, [str(DYING), os.environ.get("PYTHONPATH")]))

    def init(folder: Path, at: int) -> int:
        call = [sys.executable, "-m", "zhanqiao.ledger.witness", "init", str(folder), "--name", "w", "--log", LOG.vkey]
        environment = {**os.environ, "PYTHONPATH": paths, "DIE_AT": str(at)}
        return subprocess.run(call, env=environment, capture_output=True, check=False).returncode

    for at in range(1, 60, 3):
        folder = tmp_path / str(at)
        ended = init(folder, at)
        if (folder / "witness.conf").exists():
            assert main(["init", str(folder), "--name", "w", "--log", LOG.vkey], clock) in (0, 1)
            assert Witness(folder, clock).memory(ORIGIN).checkpoint.size == 0
        if ended == 0:
            return
        assert ended == -signal.SIGKILL
    pytest.fail("init has more steps than this test thinks")
