# SPDX-License-Identifier: Apache-2.0
"""The bundle's installer, with nothing to install: what it takes from who runs it, and what it leaves him."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lib.served import until

INSTALLER = Path(__file__).parents[2] / "tools" / "offline" / "install"
# Makes the folder as venv does; else starts as it is told, does nothing, and so runs what would be run unasked.
PYTHON = f"""\
#!/bin/sh
if test "$3" = venv; then
    mkdir -p "$4/bin"
    cp "$0" "$4/bin/python"
    printf '#!{sys.executable}\\n' | tee "$4/bin/pip" > "$4/bin/zhanqiao"
    chmod +x "$4/bin/pip" "$4/bin/zhanqiao"
    test -z "$VENV_WAITS" || {{ touch "$VENV_WAITS"; exec sleep 60; }}
    exit "${{VENV_ENDS:-0}}"
fi
exec {sys.executable} "$1" -c ""
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle without wheels, and a Python beside it."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    shutil.copy(INSTALLER, folder)
    (folder / "requirements.txt").touch()
    subprocess.run("sha256sum install requirements.txt > SHA256SUMS", shell=True, cwd=folder, check=True)
    python = tmp_path / "python"
    python.write_text(PYTHON, encoding="utf-8")
    python.chmod(0o755)
    return folder


def install(bundle: Path, folder: Path, **environment: str) -> int:
    words = [str(bundle / "install"), str(folder), str(bundle.parent / "python")]
    return subprocess.run(words, env={**os.environ, **environment}, capture_output=True, check=False).returncode


def test_no_settings_of_who_installs_run_anything(bundle: Path, tmp_path: Path) -> None:
    evil, ran = tmp_path / "evil", tmp_path / "ran"
    evil.mkdir()
    (evil / "sitecustomize.py").write_text(f"open({str(ran)!r}, 'w')\n", encoding="utf-8")
    assert install(bundle, tmp_path / "far" / "place", PYTHONPATH=str(evil)) == 0
    assert (tmp_path / "far" / "place" / "bin").is_dir()
    assert not ran.exists()


@pytest.mark.parametrize("named", ["place", "place/"])
def test_a_link_that_leads_nowhere_stays(bundle: Path, tmp_path: Path, named: str) -> None:
    (tmp_path / "place").symlink_to(tmp_path / "gone")
    words = [str(bundle / "install"), f"{tmp_path}/{named}", str(tmp_path / "python")]
    done = subprocess.run(words, env={**os.environ, "VENV_ENDS": "1"}, capture_output=True, check=False)
    assert done.returncode != 0
    assert (tmp_path / "place").is_symlink()
    assert not (tmp_path / "gone").exists()


def _heed() -> None:
    """Let signals through: whoever runs these tests in the background may have them ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_broken_off_is_taken_away(bundle: Path, tmp_path: Path, number: signal.Signals) -> None:
    words = [str(bundle / "install"), str(tmp_path / "place"), str(tmp_path / "python")]
    waits = {**os.environ, "VENV_WAITS": str(tmp_path / "begun")}
    # As the terminal does, to all that run in it.
    with subprocess.Popen(words, env=waits, start_new_session=True, preexec_fn=_heed) as installing:  # noqa: PLW1509  no thread runs here
        until((tmp_path / "begun").exists)
        os.killpg(installing.pid, number)
    assert installing.returncode == 130
    assert not (tmp_path / "place").exists()


def test_what_could_not_be_installed_is_taken_away(bundle: Path, tmp_path: Path) -> None:
    assert install(bundle, tmp_path / "place", VENV_ENDS="1") != 0
    assert not (tmp_path / "place").exists()
