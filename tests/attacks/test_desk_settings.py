# SPDX-License-Identifier: Apache-2.0
"""Settings that nobody meant open nothing: a misspelt key or an unknown profile would run as something else."""

from pathlib import Path

import pytest

from lib.pier import Pier
from lib.town import codes
from zhanqiao.desk.configuration import SETTINGS_FILE, Deployment
from zhanqiao.desk.deployment import found, open_house
from zhanqiao.ledger import durable
from zhanqiao.terms.refusals import Refusal

WRONG = {
    "unknown key": ('origin = "o"', 'origin = "o"\nprofil = "production"', "profil"),
    "unknown key of serve": ("clock_behind_seconds = 0", "[serve]\nport = 1", "port"),
    "serve no table": ("[deployment]", "serve = 1\n[deployment]", "serve"),
    "second table": ('origin = "o"', 'origin = "o"\n[deployments]\n', "deployments"),
    "unknown profile": ('profile = "demo"', 'profile = "Demo"', "profile"),
    "unknown engine": ('origin = "o"', 'origin = "o"\nengine = "Spark"', "engine"),
    "profile no text": ('profile = "demo"', "profile = 1", "profile"),
    "no origin": ('origin = "o"', "", "origin"),
    "no city": ('city = "青岛"', "", "city"),
    "clock no number": ("clock_behind_seconds = 0", "clock_behind_seconds = true", "clock_behind_seconds"),
    "clock a text": ("clock_behind_seconds = 0", 'clock_behind_seconds = "0"', "clock_behind_seconds"),
    "quorum below none": ("clock_behind_seconds = 0", "quorum = -1", "quorum"),
    "quorum a text": ("clock_behind_seconds = 0", 'quorum = "2"', "quorum"),
    "patience below none": ("clock_behind_seconds = 0", "quorum_seconds = -1", "quorum_seconds"),
    # Python reads them, and makes no text of them: doctor and the units would end with a fault.
    "quorum beyond TOML": ("clock_behind_seconds = 0", f"quorum = 0x{'f' * 8_000}", "quorum"),
    "patience beyond TOML": ("clock_behind_seconds = 0", f"quorum_seconds = {1 << 63}", "quorum_seconds"),
    "clock beyond TOML": (
        "clock_behind_seconds = 0",
        f"clock_behind_seconds = 0x{'f' * 8_000}",
        "clock_behind_seconds",
    ),
    "clock ahead": ("clock_behind_seconds = 0", "clock_behind_seconds = -1", "clock_behind_seconds"),
    "no table": ("[deployment]\n", "", "deployment"),
    "no table at all": ("[deployment]", "[[deployment]]", "deployment"),
}
RIGHT = '[deployment]\ncity = "青岛"\nprofile = "demo"\norigin = "o"\nclock_behind_seconds = 0\n'


@pytest.mark.parametrize(("old", "new", "key"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_named(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert old in RIGHT
    (tmp_path / SETTINGS_FILE).write_text(RIGHT.replace(old, new), encoding="utf-8")
    refusal = open_house(tmp_path)
    assert isinstance(refusal, Refusal)
    assert [(reason.code, reason.facts["key"]) for reason in refusal.reasons] == [("settings-wrong", key)]
    assert refusal.exit_status == 1
    assert [path.name for path in tmp_path.iterdir()] == [SETTINGS_FILE], "nothing was opened"


def test_all_wrong_settings_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / SETTINGS_FILE).write_text('[deployment]\nprofile = "x"\ncolour = 1\n', encoding="utf-8")
    refusal = open_house(tmp_path)
    assert isinstance(refusal, Refusal)
    assert [reason.facts["key"] for reason in refusal.reasons] == ["colour", "city", "profile", "origin"]


def test_the_right_settings_fail_for_another_reason(tmp_path: Path) -> None:
    (tmp_path / SETTINGS_FILE).write_text(RIGHT, encoding="utf-8")
    assert codes(open_house(tmp_path)) == ["state-damaged"]


def test_whoever_waits_for_ever_says_so_by_the_greatest_number(tmp_path: Path) -> None:
    said = RIGHT.replace("clock_behind_seconds = 0", f"quorum_seconds = {(1 << 63) - 1}")
    (tmp_path / SETTINGS_FILE).write_text(said, encoding="utf-8")
    assert codes(open_house(tmp_path)) == ["state-damaged"]


def test_a_place_that_takes_no_deployment_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    (nowhere := tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    new = Deployment("青岛", "laptop", "o")
    assert codes(found(Path("/proc/zhanqiao"), new)) == ["file-not-written"]
    assert codes(found(file / "zhanqiao", new)) == ["file-not-written"]
    assert codes(found(file, new)) == ["home-not-empty"]
    assert codes(found(nowhere, new)) == ["home-not-empty"]


def test_a_folder_may_lie_a_thousand_folders_deep(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["n"] * 1_000)
    durable.make_folder(deep)
    assert deep.is_dir()
    # What removes the tests' folders calls itself.
    for folder in [deep, *deep.parents]:
        if folder == tmp_path:
            break
        folder.rmdir()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (RIGHT.encode("gb18030"), "file-not-utf8"),
        (RIGHT.encode("utf-16"), "file-not-utf8"),
        (b"[deployment", "settings-unreadable"),
        (b"\0", "settings-unreadable"),
        (b"x" * 100_000, "settings-unreadable"),
        (b"x = " + b"[" * 20_000, "settings-unreadable"),
    ],
    ids=["GB18030", "UTF-16", "no TOML", "NUL", "long", "deep"],
)
def test_settings_that_cannot_be_read_are_told(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / SETTINGS_FILE).write_bytes(content)
    assert codes(open_house(tmp_path)) == [code]


def test_the_command_line_says_which_key(pier: Pier) -> None:
    path = pier.home / SETTINGS_FILE
    path.write_text(path.read_text(encoding="utf-8") + 'colour = "red"\n', encoding="utf-8")
    done = pier.command("catalogue", "show", "--lang", "en")
    assert done.returncode == 1
    assert "settings-wrong" in done.stdout
    assert "colour" in done.stdout
    assert done.stderr == ""
