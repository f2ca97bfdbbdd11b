# SPDX-License-Identifier: Apache-2.0
"""Whatever is open beside what was agreed is found by `audit rights`, and the log has the alarm. Nothing is repeated there."""

import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from django.db import connection

from lib.pier import Pier
from lib.served import said_anew
from lib.town import codes
from zhanqiao.desk.audit import audit
from zhanqiao.desk.configuration import Serving
from zhanqiao.desk.operation.rights import DIFFER, RightsReport, audit_rights
from zhanqiao.desk.shares import Share
from zhanqiao.identity.keys import make_key, write_key_file
from zhanqiao.ledger.book import founding
from zhanqiao.vault import connection as engine

_ACCESS_LIST = "system.posix_acl_access"
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20


@pytest.fixture
def apart(pier: Pier) -> Pier:
    """A deployment whose files have one name each: copies that tests make of it share segments."""
    for path in pier.home.rglob("*.duckdb"):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        path.chmod(0o600)
    return pier


def differing(pier: Pier) -> set[str]:
    report = audit_rights(pier.house, "auditadmin")
    assert isinstance(report, RightsReport), report
    return {f"{one.check} {one.reason.code}" for one in report.differences}


def test_nothing_differs_where_nothing_was_changed(apart: Pier) -> None:
    report = audit_rights(apart.house, "auditadmin")
    assert isinstance(report, RightsReport), report
    assert report.differences == ()
    assert {(one.person, one.door.value) for one in report.granted} >= {
        ("bank-analyst", "statistics"),
        ("bank-analyst", "decisions"),
    }
    assert len(apart.events("rights.audited")) == 1
    audit(apart.house)


def _widen(name: str, mode: int) -> Callable[[Pier], None]:
    return lambda pier: (pier.home / name).chmod(mode)


def _second_name(pier: Pier) -> None:
    os.link(pier.home / "keys" / "vault" / "kek.key", pier.home.parent / "copy.key")


def _pointed_elsewhere(pier: Pier) -> None:
    moved = pier.home / "quarantine"
    moved.rename(pier.home.parent / "elsewhere")
    moved.symlink_to(pier.home.parent / "elsewhere")


def _listed(pier: Pier) -> None:
    """What `setfacl -m u:65534:r` writes; the mode shows it as a group's right."""
    entries = [(_USER_OBJ, 6, ~0), (_USER, 4, 65_534), (_GROUP_OBJ, 0, ~0), (_MASK, 4, ~0), (_OTHER, 0, ~0)]
    content = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, rights, who & 0xFFFFFFFF) for tag, rights, who in entries
    )
    try:
        os.setxattr(pier.home / "state.sqlite3", _ACCESS_LIST, content)
    except OSError:
        pytest.skip("LEFT OUT: no access lists on this disk")


def _trigger(_pier: Pier) -> None:
    with founding(), connection.cursor() as cursor:
        cursor.execute("CREATE VIEW seen AS SELECT * FROM identity_person")


def _stray_key(pier: Pier) -> None:
    assert (
        write_key_file(pier.home / "keys" / "people" / "nobody.pem", make_key(), passphrase=None, profile="demo")
        is None
    )


def _foreign_file_of_keys(pier: Pier) -> None:
    (pier.home / "keys" / "vault" / "kek.key.bak").write_bytes(b"AES-256 copy")
    (pier.home / "keys" / "vault" / "kek.key.bak").chmod(0o600)


def _people_of(pier: Pier) -> Path:
    folder = pier.home / "keys" / "people"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def _key_that_is_not_hers(pier: Pier) -> None:
    path = _people_of(pier) / "bank-analyst.pem"
    path.unlink(missing_ok=True)
    assert write_key_file(path, make_key(), passphrase=None, profile="demo") is None


def _copy_beside(pier: Pier) -> None:
    """Of the very key in use, so that it is the name that is judged."""
    copy = _people_of(pier) / "bank-analyst.key"
    copy.write_bytes((_people_of(pier) / "bank-analyst.pem").read_bytes())
    copy.chmod(0o600)


def _stray(name: str) -> Callable[[Pier], None]:
    """A copy of rows or of a key, however it is written: what tells is that it lies where the platform writes none."""

    def put(pier: Pier) -> None:
        path = pier.home / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((pier.home / "keys" / "vault" / "kek.key").read_bytes())
        path.chmod(0o600)

    return put


def _holding(name: str, text: str) -> Callable[[Pier], None]:
    def put(pier: Pier) -> None:
        path = pier.home / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)

    return put


def _plain_copy_elsewhere(pier: Pier) -> None:
    path = pier.home / "ledger" / "notes.txt"
    with duckdb.connect(str(path)) as plain:
        plain.execute("CREATE TABLE rows AS SELECT 1 AS district")
    path.chmod(0o600)


def _key_of_the_dismissed(pier: Pier) -> None:
    assert pier.command("people", "dismiss", "bank-analyst", "--as", "sysadmin").returncode == 0
    folder = pier.home / "keys" / "people"
    folder.mkdir(exist_ok=True)
    (folder / "bank-analyst.pem").touch(mode=0o600)


def _both_roles(_pier: Pier) -> None:
    with founding(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO identity_role (person_id, role) VALUES ('sysadmin', 'secadmin')")


def _role_elsewhere(_pier: Pier) -> None:
    with founding(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO identity_role (person_id, role) VALUES ('bank-analyst', 'assessor')")


def _plain_segment(pier: Pier) -> None:
    path = next(pier.home.rglob("*.duckdb"))
    path.unlink()
    with duckdb.connect(str(path)) as plain:
        plain.execute("CREATE TABLE segment AS SELECT 1 AS district")
    path.chmod(0o600)


def _open_socket(pier: Pier) -> None:
    folder = pier.home.parent / "run"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "vault.sock").touch()
    said_anew(pier, serving=Serving(socket=str(folder / "vault.sock")))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_widen(".", 0o755), "files rights-too-wide"),
        (_widen("state.sqlite3", 0o640), "files rights-too-wide"),
        (_widen("vault/segments", 0o711), "files rights-too-wide"),
        (_widen("public/trust.txt", 0o666), "files rights-too-wide"),
        (_second_name, "files right-linked"),
        (_pointed_elsewhere, "files right-linked"),
        (_listed, "files right-listed"),
        (_trigger, "database state-damaged"),
        (_stray_key, "keys key-stray"),
        (_foreign_file_of_keys, "keys key-stray"),
        (_key_of_the_dismissed, "keys key-stray"),
        (_key_that_is_not_hers, "keys key-stray"),
        (_copy_beside, "keys key-stray"),
        (_plain_copy_elsewhere, "engine right-unsealed"),
        (_stray("landing/rows.csv"), "strays file-stray"),
        # Under a name that the platform would write.
        (_stray("run/k"), "contents key-copied"),
        (_stray("answers/x.answer.json"), "contents key-copied"),
        (_stray("vault/scratch/k"), "contents key-copied"),
        (_holding("vault/scratch/chen.share", Share("1a2b", 3, bytes(16)).written()), "contents key-copied"),
        (_holding("quarantine/a/b/1.sealed", "市南区,王伟\n"), "contents right-unsealed"),
        (_holding("vault/segments/departments/zz.duckdb", "市南区,王伟\n"), "contents right-unsealed"),
        (_holding("quarantine/party_members/b/1.sealed", "市南区,王伟\n"), "contents right-unsealed"),
        (_holding("vault/segments/zz/zz.duckdb", "市南区,王伟\n"), "contents right-unsealed"),
        (_stray("vault/segments/pension_enrolment/rows.parquet"), "strays file-stray"),
        (_stray("public/kek.key"), "strays file-stray"),
        (_stray("answers/log.pem"), "strays file-stray"),
        (_stray("notes.txt"), "strays file-stray"),
        (_both_roles, "roles roles-incompatible"),
        (_role_elsewhere, "roles role-not-here"),
        (_plain_segment, "engine right-unsealed"),
        (_open_socket, "socket rights-too-wide"),
    ],
)
def test_what_is_open_all_the_same_is_found_and_is_an_alarm(apart: Pier, change, found) -> None:
    change(apart)
    assert differing(apart) >= {found}
    [alarm] = apart.events(DIFFER)
    check, code = found.split()
    said = json.dumps(alarm)
    assert {"check": check, "code": code} in [
        {"check": one["check"], "code": one["code"]} for one in alarm["facts"]["differences"]
    ]
    assert not any(name in said for name in ("kek.key", "nobody", ".duckdb", str(apart.home)))


def test_somebody_could_put_another_folder_in_its_place(apart: Pier) -> None:
    apart.home.parent.chmod(0o777)
    assert differing(apart) == {"above right-above"}


def test_somebody_could_put_another_link_in_its_place(apart: Pier, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The folder itself lies where nobody else writes, and yet everybody decides where its name leads."""
    shared = tmp_path_factory.mktemp("shared")
    shared.chmod(0o777)
    (shared / "way").symlink_to(apart.home.parent)
    by_way = replace(apart.house, home=shared / "way" / apart.home.name)
    assert differing(replace(apart, house=by_way)) == {"above right-above"}


def test_somebody_could_put_another_folder_where_a_link_leads(apart: Pier, tmp_path: Path) -> None:
    """The link lies where nobody else writes; the folder that it leads to is everybody's."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (tmp_path / "way").symlink_to(shared)
    (shared / "home").symlink_to(apart.home)
    by_way = replace(apart.house, home=tmp_path / "way" / "home")
    assert differing(replace(apart, house=by_way)) == {"above right-above", "files right-linked"}


@pytest.mark.skipif(os.geteuid() != 0, reason="LEFT OUT: only root can give a file away")
def test_a_file_of_somebody_else_is_found(apart: Pier) -> None:
    os.chown(apart.home / "zhanqiao.toml", 65_534, 65_534)
    assert differing(apart) == {"files owner-differs"}


@pytest.mark.parametrize(
    ("lock", "act"),
    [
        ("SET enable_external_access = false", "read a file"),
        ("SET enable_external_access = false", "write a file"),
        ("SET enable_external_access = false", "reach the network"),
        ("SET lock_configuration = true", "change its settings"),
    ],
)
def test_an_engine_that_lacks_a_lock_is_found(apart: Pier, monkeypatch, tmp_path: Path, lock: str, act: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(engine, "_LOCKS", tuple(one for one in engine._LOCKS if one != lock))
    assert act in apart.house.vault.allowed()
    assert differing(apart) == {"engine right-engine"}


def test_only_an_audit_administrator_audits_rights_and_who_tried_is_logged(apart: Pier) -> None:
    for person in ("bank-analyst", "sysadmin", "secadmin", "auditor", "nobody"):
        refused = audit_rights(apart.house, person)
        assert set(codes(refused)) <= {"role-missing", "person-unknown"}
    assert len(apart.events("rights.refused")) == 5
    assert not apart.events("rights.audited")
    audit(apart.house)


def test_the_command_says_what_differs_and_ends_with_3(apart: Pier) -> None:
    sound = apart.command("audit", "rights", "--as", "auditadmin", "--json")
    assert (sound.returncode, json.loads(sound.stdout)["status"]) == (0, "as agreed"), sound.stdout
    (apart.home / "state.sqlite3").chmod(0o604)
    found = apart.command("audit", "rights", "--as", "auditadmin", "--lang", "en")
    assert found.returncode == 3
    assert "state.sqlite3" in found.stdout
    assert "alarm" in found.stdout
    assert apart.command("ledger", "audit").returncode == 0
