# SPDX-License-Identifier: Apache-2.0
"""The production profile is served with all walls, or not at all: each that is missing is named."""

import shutil
import subprocess
from pathlib import Path

import pytest

from lib.pier import Pier, citizen_id
from lib.served import said_anew
from lib.town import codes, done
from zhanqiao.desk import sealed_keys
from zhanqiao.desk.configuration import PRODUCTION, Serving
from zhanqiao.desk.operation.doctor import examine
from zhanqiao.desk.operation.sealing import split_keys
from zhanqiao.desk.serving import walls
from zhanqiao.desk.serving.plan import plan
from zhanqiao.identity import register
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.identity.people import Role
from zhanqiao.identity.register import NewPerson

APART = Serving(gateway_user="nobody")
OF_THE_KEYS, OF_THE_USERS, OF_THE_PEOPLE = "wall-keys-unsealed", "wall-one-user", "wall-one-administrator"


@pytest.fixture(autouse=True)
def no_swap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine that does not swap, whatever this one does."""
    swaps = tmp_path / "swaps"
    swaps.write_text("Filename Type Size Used Priority\n", encoding="ascii")
    monkeypatch.setattr(walls, "_SWAPS", swaps)
    return swaps


def second_administrators(pier: Pier) -> None:
    for number, (person, organisation, role) in enumerate(
        (("second-system", "runner", Role.SYSTEM_ADMIN), ("second-security", "bureau", Role.SECURITY_ADMIN))
    ):
        new = NewPerson(
            person, organisation, "二", citizen_id(900 + number), public_bytes(make_key()), frozenset[Role]()
        )
        done(register.register_person(pier.house.book, new, "sysadmin"))
        done(register.give_role(pier.house.book, person, role, "secadmin"))


def missing(pier: Pier) -> set[str]:
    refusal = walls.missing(done(plan(pier.home)))
    return set() if refusal is None else set(codes(refusal))


def test_each_wall_is_asked_for_until_all_stand(pier: Pier, tmp_path: Path, no_swap: Path) -> None:
    assert missing(pier) == set(), "other profiles are served without"
    said_anew(pier, profile=PRODUCTION)
    assert missing(pier) == {OF_THE_KEYS, OF_THE_USERS, OF_THE_PEOPLE}
    said_anew(pier, serving=APART)
    assert missing(pier) == {OF_THE_KEYS, OF_THE_PEOPLE}
    second_administrators(pier)
    assert missing(pier) == {OF_THE_KEYS}
    done(split_keys(pier.house, 2, ("sysadmin", "secadmin"), tmp_path / "shares", "sysadmin"))
    try:
        assert missing(pier) == set()
        with no_swap.open("a") as swaps:
            swaps.write("/dev/sda2 partition 1 0 -2\n")
        assert missing(pier) == {"wall-swap"}
    finally:
        shutil.rmtree(sealed_keys.memory_of(pier.home))


def test_the_worker_does_not_start_and_says_why(pier: Pier) -> None:
    said_anew(pier, profile=PRODUCTION)
    command = done(plan(pier.home)).worker_command()
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert ran.returncode == 3
    assert ran.stdout == ""
    assert {OF_THE_KEYS, OF_THE_USERS, OF_THE_PEOPLE} <= {line.split(":")[0] for line in ran.stderr.splitlines()}


def test_what_the_processes_say_is_in_the_language_of_the_locale(pier: Pier) -> None:
    said_anew(pier, profile=PRODUCTION)
    for locale, sentence in (("zh_CN.UTF-8", "密钥以明文存于磁盘"), ("en_US.UTF-8", "The keys lie open on a disk")):
        ran = pier.command("serve", LANG=locale, LC_ALL=locale)
        assert f"{OF_THE_KEYS}: {sentence}" in ran.stderr
    assert "--lang zh" in pier.command("serve", "--units", LANG="zh_CN.UTF-8", LC_ALL="zh_CN.UTF-8").stdout


def test_what_is_a_wall_elsewhere_is_wrong_in_production(pier: Pier) -> None:
    assert not [one for one in done(examine(pier.home)) if one.wrong]
    said_anew(pier, profile=PRODUCTION)
    wrong = {one.reason.code for one in done(examine(pier.home)) if one.wrong and one.reason is not None}
    assert wrong == {OF_THE_KEYS, OF_THE_USERS, OF_THE_PEOPLE}


def test_nobody_acts_by_name(pier: Pier) -> None:
    said_anew(pier, profile=PRODUCTION)
    ran = pier.command("people", "dismiss", "bank-analyst", "--as", "sysadmin", "--json")
    assert ran.returncode != 0
    assert "as-outside-demo" in ran.stdout
