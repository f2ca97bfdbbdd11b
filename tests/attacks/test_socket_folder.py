# SPDX-License-Identifier: Apache-2.0
"""Root starts the processes of somebody who writes the settings: nothing of root's becomes his by where his socket is to lie."""

import os
import re
import subprocess
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
def test_in_the_one_place_of_ours_the_gateways_group_is_let_in(pier: Pier, held: Path, monkeypatch) -> None:
    monkeypatch.setattr(socket_folder, "RUN", held.parent)
    made = planned(pier, held.parent / "zhanqiao-2" / "vault.sock")
    for _ in range(2):
        assert unfit(made) == []
        socket_folder.make(made)
        assert whose(held.parent / "zhanqiao-2") == (OWNER.uid, GATEWAY.gid, 0o710)


@needs_root
@pytest.mark.parametrize("gateway", [OWNER, GATEWAY], ids=["alike", "apart"])
def test_root_makes_no_folder_anywhere_else(pier: Pier, held: Path, gateway: User) -> None:
    """A new package beside a program, a new folder of units: who owns it would be root soon."""
    for folder in (held.parent / "csv", held.parent / "unit.service.d" / "more"):
        made = planned(pier, folder / "vault.sock", gateway=gateway)
        assert unfit(made) == ["socket-folder-missing"]
        with pytest.raises(PermissionError):
            socket_folder.make(made)
        assert not folder.exists()
        worker = units(made)["zhanqiao-worker.service"]
        assert "ExecStartPre=+" not in worker
    assert "ExecStartPre=+" in units(planned(pier, Path("/run/zhanqiao/vault.sock")))["zhanqiao-worker.service"]
    existing = planned(pier, held / "vault.sock", gateway=gateway)
    assert unfit(existing) == []
    socket_folder.make(existing)
    assert whose(held) == (OWNER.uid, gateway.gid, 0o710 if gateway is GATEWAY else 0o700)


def test_a_folder_of_everybodys_is_not_on_the_way(pier: Pier, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all").chmod(0o777)
    own = plan(pier.home)
    assert not isinstance(own, Refusal)
    made = replace(own, socket=tmp_path / "all" / "own" / "vault.sock")
    assert unfit(made) == ["socket-above"]
    (tmp_path / "all").chmod(0o1777)
    assert unfit(made) == ["socket-above"], "whoever makes the folder first"
    (tmp_path / "all" / "own").mkdir(mode=0o700)
    assert unfit(made) == []


def test_links_that_lead_to_themselves_end(pier: Pier, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    own = plan(pier.home)
    assert not isinstance(own, Refusal)
    made = replace(own, socket=tmp_path / "loop" / "vault.sock")
    unfit(made)
    with pytest.raises(OSError, match=r"symbolic|directory|exists"):
        socket_folder.make(made)


@pytest.mark.parametrize("name", ["my city%h", "a\n[Service]\nExecStartPre=+/bin/sh", 'a"b\\c$d', "é\x7f"])
def test_a_name_writes_no_line_of_a_unit(pier: Pier, name: str) -> None:
    home, folder = Path("/srv") / name, Path("/run") / name
    plain = units(planned(pier, Path("/run/plain/vault.sock")))
    made = replace(planned(pier, folder / "vault.sock"), home=home)
    odd = units(made)
    for unit, text in odd.items():
        assert [line.partition("=")[0] for line in text.splitlines()] == [
            line.partition("=")[0] for line in plain[unit].splitlines()
        ]
    worker, backup = odd["zhanqiao-worker.service"], odd["zhanqiao-backup.service"]
    assert read_as_systemd(worker, "ExecStart") == made.worker_command()
    assert read_as_systemd(worker, "ReadWritePaths") == [str(home), str(folder)]
    assert read_as_systemd(worker, "ExecStartPre")[-1] == str(folder)
    *_, script = read_as_systemd(backup, "ExecStart")
    told = script.replace("exec ", "printf '%s\\n\\n' ", 1)
    said = subprocess.run(["sh", "-c", f"BACKUPS=b; {told}"], capture_output=True, check=True)
    assert said.stdout.split(b"\n\n")[1:4] == [b"backup", b"--home", os.fsencode(home)]


def read_as_systemd(unit: str, setting: str) -> list[str]:
    """Read the words of a setting, by systemd.syntax(7) and its rules for command lines."""
    line = next(line for line in unit.splitlines() if line.startswith(f"{setting}=")).partition("=")[2]
    words = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line):
        word = (
            re.sub(rb"\\x(..)|\\(.)", lambda m: bytes.fromhex(m[1].decode()) if m[1] else m[2], quoted.encode())
            or bare.encode()
        )
        word = word.replace(b"%%", b"%")
        words.append(os.fsdecode(word.replace(b"$$", b"$") if setting.startswith("Exec") else word))
    return words


def test_settings_with_a_control_character_open_nothing(pier: Pier) -> None:
    path = pier.home / "zhanqiao.toml"
    sound = path.read_text(encoding="utf-8")
    for line in ('socket = "/run/a\\n[Service]/vault.sock"', 'gateway_user = "a\\u0000b"', 'listen = "127.0.0.1:1\\t"'):
        path.write_text(f"{sound}\n[serve]\n{line}\n", encoding="utf-8")
        refused = plan(pier.home)
        assert isinstance(refused, Refusal)
        assert [reason.code for reason in refused.reasons] == ["settings-wrong"]
