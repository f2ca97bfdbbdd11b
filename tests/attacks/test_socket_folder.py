# SPDX-License-Identifier: Apache-2.0
"""Root starts the processes of somebody who writes the settings: nothing of root's becomes his by where his socket is to lie."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lib.pier import Pier
from lib.served import said_anew
from zhanqiao.desk.configuration import Serving
from zhanqiao.desk.serving import socket_folder
from zhanqiao.desk.serving.plan import Plan, plan
from zhanqiao.desk.serving.units import units
from zhanqiao.desk.serving.users import User
from zhanqiao.terms.refusals import Refusal

OWNER, GATEWAY = User("somebody", 65_533, 65_533), User("gate", 65_532, 65_532)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="LEFT OUT: only root can start another user's processes")


def planned(pier: Pier, socket: Path, *, owner: User = OWNER, gateway: User = GATEWAY) -> Plan:
    said_anew(pier, serving=Serving())
    made = plan(pier.home)
    assert not isinstance(made, Refusal), made
    return replace(made, socket=socket, owner=owner, gateway=gateway)


def unfit(made: Plan) -> list[str]:
    return [reason.code for reason in socket_folder.unfit(made)]


def whose(folder: Path) -> tuple[int, int, int]:
    found = folder.stat()
    return found.st_uid, found.st_gid, found.st_mode & 0o7777


@pytest.fixture
def held() -> Iterator[Path]:
    """A folder that the deployment's owner holds, in one that root does and everybody enters."""
    with tempfile.TemporaryDirectory(dir="/tmp") as open_to_all:
        Path(open_to_all).chmod(0o755)
        folder = Path(open_to_all, "held")
        folder.mkdir()
        os.chown(folder, OWNER.uid, OWNER.gid)
        yield folder


@needs_root
def test_a_folder_of_roots_is_not_given_away(pier: Pier, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    before = whose(folder)
    for gateway in (OWNER, GATEWAY):
        made = planned(pier, folder / "vault.sock", gateway=gateway)
        assert unfit(made) == ["socket-folder-of-another"]
        with pytest.raises(PermissionError):
            socket_folder.make(made)
        assert whose(folder) == before


@needs_root
def test_a_link_of_the_owners_leads_root_nowhere(pier: Pier, held: Path) -> None:
    roots = held.parent / "roots"
    roots.mkdir(mode=0o755)
    (held / "run").symlink_to(roots)
    before = whose(roots)
    for socket in (held / "run" / "vault.sock", held / "run" / "new" / "vault.sock"):
        with pytest.raises(OSError, match=r"denied|directory|another"):
            socket_folder.make(planned(pier, socket, gateway=OWNER))
    assert whose(roots) == before
    assert list(roots.iterdir()) == []


@needs_root
def test_where_the_owner_holds_what_is_above_the_gateway_is_not_let_in(pier: Pier, held: Path) -> None:
    apart = planned(pier, held / "own" / "vault.sock")
    assert unfit(apart) == ["socket-above"]
    alike = planned(pier, held / "own" / "vault.sock", gateway=OWNER)
    assert unfit(alike) == []
    socket_folder.make(alike)
    assert whose(held / "own") == (OWNER.uid, OWNER.gid, 0o700)
    assert os.geteuid() == 0


@needs_root
def test_below_roots_folders_the_gateways_group_is_let_in(pier: Pier, tmp_path: Path) -> None:
    made = planned(pier, tmp_path / "zhanqiao" / "vault.sock")
    for _ in range(2):
        assert unfit(made) == []
        socket_folder.make(made)
        assert whose(tmp_path / "zhanqiao") == (OWNER.uid, GATEWAY.gid, 0o710)


def test_a_folder_of_everybodys_is_not_on_the_way(pier: Pier, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all").chmod(0o777)
    own = plan(pier.home)
    assert not isinstance(own, Refusal)
    made = replace(own, socket=tmp_path / "all" / "own" / "vault.sock")
    assert unfit(made) == ["socket-above"]
    (tmp_path / "all").chmod(0o1777)
    assert unfit(made) == []


@pytest.mark.parametrize("name", ["my city%h", "a\n[Service]\nExecStartPre=+/bin/sh", 'a"b\\c$d', "é\x7f"])
def test_a_name_writes_no_line_of_a_unit(pier: Pier, name: str) -> None:
    made = planned(pier, Path("/run") / name / "vault.sock")
    plain = units(planned(pier, Path("/run/plain/vault.sock")))
    odd = units(replace(made, home=Path("/srv") / name))
    for unit, text in odd.items():
        assert [line.partition("=")[0] for line in text.splitlines()] == [
            line.partition("=")[0] for line in plain[unit].splitlines()
        ]
        assert not any("%" in line.replace("%%", "") for line in text.splitlines() if "BACKUPS" not in line)


def test_settings_with_a_control_character_open_nothing(pier: Pier) -> None:
    path = pier.home / "zhanqiao.toml"
    sound = path.read_text(encoding="utf-8")
    for line in ('socket = "/run/a\\n[Service]/vault.sock"', 'gateway_user = "a\\u0000b"', 'listen = "127.0.0.1:1\\t"'):
        path.write_text(f"{sound}\n[serve]\n{line}\n", encoding="utf-8")
        refused = plan(pier.home)
        assert isinstance(refused, Refusal)
        assert [reason.code for reason in refused.reasons] == ["settings-wrong"]
