# SPDX-License-Identifier: Apache-2.0
"""A writer is killed between the bytes and the name. What it leaves is swept; what a live one holds never is."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lib.pier import Pier
from zhanqiao.ledger import durable

# Writes, and waits for a line before what was written is made to last.
_WRITER = """
import os, sys
from pathlib import Path
from zhanqiao.ledger import durable

lasting = os.fsync

def waiting(descriptor):
    os.fsync = lasting
    print("written", flush=True)
    sys.stdin.readline()
    lasting(descriptor)

os.fsync = waiting
getattr(durable, sys.argv[1])(Path(sys.argv[2]), b"content")
"""
# how it is written -> where, in a deployment
FILES = {"write_new": "answers/of-somebody.cert", "write_whole": "ledger/certificates/000000000007.cert"}


@contextmanager
def writing(how: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has written the bytes and waits with the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    call = [sys.executable, "-c", _WRITER, how, str(path)]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        yield writer


def parts(home: Path) -> list[str]:
    return sorted(path.relative_to(home).as_posix() for path in home.rglob(f"*{durable.PART}"))


def swept(pier: Pier) -> str:
    done = pier.command("intake", "sweep", "--as", "sysadmin", "--lang", "en")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("how", FILES)
def test_what_a_killed_writer_left_is_swept_and_told(pier: Pier, how: str) -> None:
    path = pier.home / FILES[how]
    with writing(how, path) as writer:
        writer.send_signal(signal.SIGKILL)
    (left,) = parts(pier.home)
    assert left.startswith(FILES[how])
    place = FILES[how].partition("/")[0]
    assert swept(pier) == f"{place}: 1\n"
    assert parts(pier.home) == []
    assert not path.exists()
    assert pier.events("intake.swept")[-1]["facts"] == {"removed": {place: 1}}
    assert swept(pier) == "Nothing to remove.\n"
    assert pier.command("ledger", "audit").returncode == 0


@pytest.mark.parametrize("how", FILES)
def test_what_a_live_writer_holds_is_not_swept(pier: Pier, how: str) -> None:
    path = pier.home / FILES[how]
    with writing(how, path) as writer:
        held = parts(pier.home)
        assert len(held) == 1
        assert swept(pier) == "Nothing to remove.\n"
        assert parts(pier.home) == held
        assert writer.stdin is not None
        writer.stdin.write("go on\n")
        writer.stdin.close()
        assert writer.wait(timeout=60) == 0
    assert path.read_bytes() == b"content"
    assert parts(pier.home) == []


def test_a_sweep_takes_unfinished_files_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "tile").mkdir()
    (tmp_path / "tile" / "000.part").write_bytes(b"x")
    (tmp_path / "tile" / "000").write_bytes(b"x")
    (tmp_path / "folder.part").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"x")
    (tmp_path / "link.part").symlink_to(tmp_path / "elsewhere")
    assert durable.sweep_parts(tmp_path) == [tmp_path / "tile" / "000.part"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["000", "elsewhere", "folder.part", "link.part", "tile"]
    assert durable.sweep_parts(tmp_path / "nowhere") == []
