# SPDX-License-Identifier: Apache-2.0
"""What `zhanqiao demo` begins, and what it removes: a former demo, and nothing that somebody else put where it would go."""

import os
import subprocess
from pathlib import Path

import pytest

from lib.pier import command_line


@pytest.mark.parametrize("folder", ["here", "here-city"])
def test_a_folder_that_no_demo_made_is_not_removed(tmp_path: Path, folder: str) -> None:
    kept = tmp_path / folder / "thesis.txt"
    kept.parent.mkdir()
    kept.write_text("years of work", encoding="utf-8")
    ran = subprocess.run(
        command_line("demo", "--home", str(tmp_path / "here"), "--people", "5000", "--lang", "en"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert "choose another folder" in ran.stdout
    assert kept.read_text(encoding="utf-8") == "years of work"
    assert {path.name for path in tmp_path.iterdir()} == {folder}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--people", "5000", "--scale", "article"), "give one of them"),
        (("--people", "4999"), "greater than or equal to 5000"),
        (("--people", "15000001"), "less than or equal to 15000000"),
        (("--scale", "arctic"), "arctic"),
    ],
)
def test_a_size_that_is_none_begins_nothing(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    line = command_line("demo", "--home", str(tmp_path / "here"), *words)
    ran = subprocess.run(
        line, capture_output=True, text=True, timeout=120, check=False, env=os.environ | {"COLUMNS": "200"}
    )
    assert ran.returncode == 2
    assert said in ran.stderr
    assert not list(tmp_path.iterdir())
