# SPDX-License-Identifier: Apache-2.0
"""The disk runs full wherever something is written: it is called full and not damaged, and when there is room it works.
One that takes no writes at all is not called damaged either.

On a real file system that is too small. Where no such thing can be made (no user namespaces), nothing is shown.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connections

from lib import full_disk
from lib.pier import WAGES, citizen_id, write_wages

STATEMENT = "SELECT district, count(*) AS n FROM pension_enrolment GROUP BY district"
FULL = os.environ.get("EXPLORE") == "full"
_ALONE = ["unshare", "--user", "--map-root-user", "--mount"]


def slowly(*free_kb: int) -> list[object]:
    """Leave these to `make test-slow`: each takes two commands on a disk of its own."""
    return [pytest.param(free, marks=pytest.mark.slow) for free in free_kb]


pytestmark = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run([*_ALONE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True).returncode
    != 0,
    reason="no file system of our own can be mounted here",
)


def on_a_disk_with(
    free_kb: int, home: Path, tmp_path: Path, *words: str, given: str = "", **environment: str
) -> list[dict[str, object]]:
    """Run a command twice: on a disk with that much room, and when there is enough."""
    disk = tmp_path / "disk"
    disk.mkdir(exist_ok=True)
    command = [*_ALONE, sys.executable, str(Path(full_disk.__file__)), str(home), str(disk), str(free_kb), *words]
    environment = os.environ | environment | {"GIVEN": given}
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    runs: list[dict[str, object]] = json.loads(ended.stdout)
    return runs


@pytest.mark.parametrize("free_kb", [0, *slowly(64, 300), 600])
def test_a_load_on_a_full_disk(pier, tmp_path, free_kb):
    rows = [
        WAGES[0]._replace(id=citizen_id(number, WAGES[0].born), name=f"参保人{number:09d}") for number in range(999)
    ]
    file = write_wages(tmp_path / "delivery.csv", rows)
    words = ("intake", "load", "pension_enrolment", str(file), "--as", "hrss-officer", "--lang", "en")
    full, enough = on_a_disk_with(free_kb, pier.home, tmp_path, *words)
    assert (full["status"], full["left"]) == (1, [])
    assert "disk-full" in str(full["said"])
    assert (enough["status"], enough["left"]) == (0, [])
    assert "999 rows read, 999 published" in str(enough["said"]), "the first had published nothing"


def test_a_load_is_not_begun_where_its_list_of_faults_could_not_be_written(pier, tmp_path):
    file = write_wages(tmp_path / "delivery.csv")
    (disk := tmp_path / "disk").mkdir()
    words = [str(Path(sys.executable).with_name("zhanqiao")), "intake", "load", "pension_enrolment", str(file)]
    words += ["--as", "hrss-officer", "--json", "--home", str(pier.home), "--faults", str(disk / "list.csv")]
    closed = 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"'
    ended = subprocess.run(
        [*_ALONE, "sh", "-c", closed, str(disk), *words], check=False, capture_output=True, text=True
    )
    assert [one["code"] for one in json.loads(ended.stdout)["reasons"]] == ["file-not-written"]
    assert not pier.events("intake.refused")


def test_a_deployment_on_a_disk_that_is_closed_is_not_called_damaged(pier):
    """Who reads that the state cannot be used may put a backup in the place of what is whole."""
    words = [str(Path(sys.executable).with_name("zhanqiao")), "ledger", "audit", "--json", "--home", str(pier.home)]
    closed = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    connections.close_all()
    ended = subprocess.run(
        [*_ALONE, "sh", "-c", closed, str(pier.home), *words], check=False, capture_output=True, text=True
    )
    assert [one["code"] for one in json.loads(ended.stdout)["reasons"]] == ["disk-read-only"], ended.stderr


@pytest.mark.parametrize(("sound", "told"), [(len(WAGES), "published"), (0, "intake-too-many-bad-rows")])
def test_what_became_of_a_load_is_told_where_there_is_no_room_for_its_list_of_faults(pier, tmp_path, sound, told):
    file = write_wages(tmp_path / "delivery.csv", [*WAGES[:sound], WAGES[0]._replace(id="1")])
    (disk := tmp_path / "disk").mkdir()
    words = [str(Path(sys.executable).with_name("zhanqiao")), "intake", "load", "pension_enrolment", str(file)]
    words += ["--as", "hrss-officer", "--lang", "en", "--home", str(pier.home), "--faults", str(disk / "list.csv")]
    full = 'mount -t tmpfs -o size=4k tmpfs "$0" && head -c 4096 /dev/zero > "$0/ballast" && exec "$@"'
    ended = subprocess.run([*_ALONE, "sh", "-c", full, str(disk), *words], check=False, capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr
    assert told in ended.stdout
    assert "the disk is full" in ended.stderr


@pytest.mark.parametrize("free_kb", [*slowly(0, 2), 64])
def test_a_question_on_a_disk_on_which_nothing_is_opened(pier, tmp_path, free_kb):
    full, enough = _asked_on_a_disk_with(free_kb, pier, tmp_path)
    assert full["status"] == 1
    assert "disk-full" in str(full["said"])
    assert enough["status"] == 0


def test_a_question_that_the_disk_has_no_room_for_is_repeated_under_its_number(pier, tmp_path):
    full, enough = _asked_on_a_disk_with(135, pier, tmp_path)
    assert full["status"] == 1
    assert "disk-full" in str(full["said"])
    assert f"--request {'a' * 32}" in str(full["said"])
    assert enough["status"] == 0


def _asked_on_a_disk_with(free_kb, pier, tmp_path):
    words = ("ask", STATEMENT, "--agreement", pier.agreements["few"], "--as", "bank-analyst", "--lang", "en")
    return on_a_disk_with(free_kb, pier.home, tmp_path, *words, "--request", "a" * 32)


@pytest.mark.parametrize("profile", ["demo", "laptop"])
@pytest.mark.parametrize("free_kb", [*slowly(0, 60), 150, *slowly(330), 520])
def test_a_founding_on_a_full_disk(tmp_path, free_kb, profile):
    """Nothing is left of it, so that it can be repeated as it stands. With 520 kB all is written, and does not open."""
    (tmp_path / "empty").mkdir()
    full, enough = on_a_disk_with(
        free_kb, tmp_path / "empty", tmp_path, "init", "--profile", profile, "--origin", "a/log", "--lang", "en"
    )
    assert (full["status"], full["holds"]) == (1, ["home"])
    assert "disk-full" in str(full["said"])
    assert enough["status"] == 0, enough["said"]
    assert "home/zhanqiao.toml" in enough["holds"]


@pytest.mark.parametrize("free_kb", [*slowly(0), 3])
def test_nothing_is_called_damaged_that_only_has_no_room(pier, tmp_path, free_kb):
    full, enough = on_a_disk_with(free_kb, pier.home, tmp_path, "ledger", "audit", "--lang", "en")
    assert full["status"] == 1
    assert "disk-full" in str(full["said"])
    assert enough["status"] == 0


# --- at any percent of what a command takes ---------------------------------------------------------


def _load(pier, folder: Path) -> tuple[str, ...]:
    born = WAGES[0].born
    rows = [WAGES[0]._replace(id=citizen_id(number, born), name=f"参保人{number:09d}") for number in range(999)]
    file = write_wages(folder / "delivery.csv", rows)
    return ("intake", "load", "pension_enrolment", str(file), "--as", "hrss-officer")


def _ask(pier, folder: Path) -> tuple[str, ...]:
    agreement = ("--agreement", pier.agreements["statistics"], "--as", "bank-analyst")
    return ("ask", STATEMENT, *agreement, "--request", "b" * 32)


def _seal(pier, folder: Path) -> tuple[str, ...]:
    return ("agreement", "suspend", pier.agreements["few"], "--as", "bureau-officer")


@pytest.mark.slow
@pytest.mark.timeout(7_200 if FULL else 300)
@pytest.mark.parametrize("command", [_ask, _load, _seal] if FULL else [_load])
def test_a_disk_that_is_full_at_any_percent(pier, tmp_path, command):
    """All or nothing, told in a sentence; the same command then does it, once, and the audit is clean."""
    words = (*command(pier, tmp_path), "--lang", "en")
    takes = _room_of(pier, tmp_path, words)
    stopped = 0
    percents = range(101) if FULL else (30, 90)
    for percent in percents:
        full, enough, audited = on_a_disk_with(takes * percent // 100, pier.home, tmp_path, *words, AUDITED="yes")
        if full["status"] != 0:
            stopped += 1
            assert (full["status"], full["left"]) == (1, []), (percent, full["said"])
            # Where the file of an answer finds no room the answer is out: it is given again under its number.
            named = "disk-full" in str(full["said"]) or f"answer-not-written  The answer to request {'b' * 32}" in str(
                full["said"]
            )
            assert named, (percent, full["said"])
            assert "Traceback" not in str(full["said"])
        again = enough["status"] == 0 or "hold-standing" in str(enough["said"])
        assert again, (percent, enough["said"])
        assert audited["status"] == 0, (percent, audited["said"])
    print(f"{words[0]} {words[1][:8]}: stopped at {stopped} of {len(percents)} sizes of {takes:,} kB")
    assert stopped >= len(percents) // 2


def _room_of(pier, tmp_path: Path, words: tuple[str, ...]) -> int:
    """Return how many kB the command takes, nearly: with so many it ends well."""
    low, high = 0, 64
    while on_a_disk_with(high, pier.home, tmp_path, *words)[0]["status"] != 0:
        low, high = high, high * 2
    while high - low > max(8, high // 50):
        middle = (low + high) // 2
        ended = on_a_disk_with(middle, pier.home, tmp_path, *words)[0]["status"] == 0
        low, high = (low, middle) if ended else (middle, high)
    return high
