# SPDX-License-Identifier: Apache-2.0
"""Whatever is open beside what was agreed is found by `audit rights`, and the log has the alarm. Nothing is repeated there."""

import base64
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from django.db import connection

from lib.pier import Pier, cold_command_line
from lib.served import said_anew
from lib.town import codes
from zhanqiao.desk.answers import write_release
from zhanqiao.desk.audit import audit
from zhanqiao.desk.configuration import Serving
from zhanqiao.desk.operation.backup import Backup, back_up
from zhanqiao.desk.operation.doctor import examine
from zhanqiao.desk.operation.rights import DIFFER, RightsReport, audit_rights
from zhanqiao.desk.serving.away import leave_mark, mark_of
from zhanqiao.desk.shares import Share
from zhanqiao.identity.keys import make_key, write_key_file
from zhanqiao.ledger.book import founding
from zhanqiao.ledger.certificate import answer_path, certificate_path
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


def test_nobody_but_sqlite_opens_the_state(apart: Pier, tmp_path: Path) -> None:
    """Who closes a file drops all locks that his process has on it, SQLite's as well: another process then takes the
    write-ahead log away under it, and with it what was committed.
    """
    opened: list[str] = []
    watching = True

    def watch(event: str, given: tuple[object, ...]) -> None:
        if watching and event == "open" and str(given[0]).endswith(("state.sqlite3", "-wal", "-shm")):
            opened.append(str(given[0]))

    sys.addaudithook(watch)  # for good: it is told when nobody listens any more
    try:
        assert differing(apart) == set()
        assert isinstance(examine(apart.home, deep=True), list)
        assert isinstance(back_up(apart.reopened().house, tmp_path / "b.tar"), Backup)
        audit(apart.reopened().house)
    finally:
        watching = False
    assert opened == []


def test_a_state_that_shrinks_is_no_longer_than_its_pages(apart: Pier) -> None:
    with founding(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE big AS SELECT randomblob(1000000) AS content")
        cursor.execute("DROP TABLE big")
        cursor.execute("VACUUM")
    assert differing(apart) == set()


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
    _list_in(pier.home / "state.sqlite3", 4)


def _noted(pier: Pier) -> None:
    """An attribute holds some thousand bytes, under no name that lies in a folder."""
    _write_on(pier.home / "zhanqiao.toml", "user.note", (pier.home / "keys" / "vault" / "kek.key").read_bytes())


def _rows_behind_the_state(pier: Pier) -> None:
    with (pier.home / "state.sqlite3").open("ab") as file:
        file.write("市南区,王伟\n".encode())


def _list_in(path: Path, rights: int) -> None:
    entries = [(_USER_OBJ, 7, ~0), (_USER, rights, 65_534), (_GROUP_OBJ, 0, ~0), (_MASK, rights, ~0), (_OTHER, 0, ~0)]
    content = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, may, who & 0xFFFFFFFF) for tag, may, who in entries
    )
    _write_on(path, _ACCESS_LIST, content)


def _write_on(path: Path, attribute: str, content: bytes) -> None:
    try:
        os.setxattr(path, attribute, content)
    except OSError:
        pytest.skip("LEFT OUT: no such attributes on this disk")


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


def _open_in_run(pier: Pier) -> None:
    """Where the socket would lie, and not the socket."""
    _holding("run/rows.csv", "市南区,王伟\n")(pier)
    (pier.home / "run").chmod(0o777)
    (pier.home / "run" / "rows.csv").chmod(0o666)


def _second_name_of_run(pier: Pier) -> None:
    _holding("run/rows.csv", "市南区,王伟\n")(pier)
    os.link(pier.home / "run" / "rows.csv", pier.home.parent / "rows.csv")


def _beside_the_socket(pier: Pier, mode: int = 0o700) -> Path:
    folder = pier.home.parent / "run"
    folder.mkdir(mode=mode)
    said_anew(pier, serving=Serving(socket=str(folder / "vault.sock")))
    return folder


def _rows_beside_the_socket(pier: Pier) -> None:
    (_beside_the_socket(pier) / "rows.csv").write_text("市南区,王伟\n", encoding="utf-8")


def _rows_as_the_socket(pier: Pier) -> None:
    (_beside_the_socket(pier) / "vault.sock").write_text("市南区,王伟\n", encoding="utf-8")


def _socket_listed(pier: Pier) -> None:
    """What `setfacl -m u:65534:--x` writes, where the mode shows what the gateway's group may have."""
    _list_in(_beside_the_socket(pier), 1)


def _answer_of(pier: Pier) -> Path:
    released = pier.ask("SELECT count(*) AS n FROM pension_enrolment")
    certificate = write_release(released, pier.home / "answers")  # type: ignore[arg-type]
    assert isinstance(certificate, Path)
    return answer_path(certificate)


def _other_rows_in_an_answer(pier: Pier) -> None:
    path = _answer_of(pier)
    path.write_bytes(path.read_bytes().replace(b'"salt"', b'"rows":["A","B"],"salt"'))


def _more_behind_a_certificate(pier: Pier) -> None:
    path = certificate_path(_answer_of(pier))
    path.write_bytes(path.read_bytes() + b"more\n")


def _key_far_behind(name: str) -> Callable[[Pier], None]:
    """Behind more zeros than a key file is long."""

    def put(pier: Pier) -> None:
        _holding(name, "")(pier)
        (pier.home / name).write_bytes(bytes(70_000) + (pier.home / "keys" / "vault" / "kek.key").read_bytes())

    return put


def _key_in_base64(pier: Pier) -> None:
    _holding(
        "public/trust.txt.part", base64.b64encode((pier.home / "keys" / "vault" / "kek.key").read_bytes()).decode()
    )(pier)


def _beside_a_segment(suffix: str) -> Callable[[Pier], None]:
    def put(pier: Pier) -> None:
        path = next(pier.home.rglob("*.duckdb"))
        _holding(f"{path.relative_to(pier.home)}{suffix}", "市南区,王伟\n")(pier)

    return put


ONE = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_open_in_run, "files rights-too-wide"),
        (_open_in_run, "strays file-stray"),
        (_second_name_of_run, "files right-linked"),
        (_rows_beside_the_socket, "socket file-stray"),
        (_rows_as_the_socket, "socket file-stray"),
        (_socket_listed, "socket right-listed"),
        (_holding("vault/scratch/rows.csv", "市南区,王伟\n"), "strays file-stray"),
        (_holding("vault/scratch/rows.csv.part", "市南区,王伟\n"), "strays file-stray"),
        (_holding("vault/scratch/spill-x/rows.csv", "市南区,王伟\n"), "strays file-unfinished"),
        (_beside_a_segment(".wal"), "strays file-stray"),
        (_beside_a_segment(".part"), "strays file-unfinished"),
        (_beside_a_segment(".part.wal"), "strays file-unfinished"),
        (_holding("ledger/tile/x/rows.csv", "市南区,王伟\n"), "strays file-stray"),
        (_holding("ledger/tile/entries/999", "市南区,王伟\n"), "strays file-stray"),
        (_holding("ledger/certificates/000000000001.cert", "市南区,王伟\n"), "contents file-stray"),
        (_holding("ledger/lock", "市南区,王伟\n"), "contents file-stray"),
        (_holding("landing/.rows.lock", "市南区,王伟\n"), "contents file-stray"),
        (_holding("landing/.rows.lock", "市南区,王伟\n" * 9_999), "contents file-stray"),
        (_holding(".backed-up", "市南区,王伟\n"), "contents file-stray"),
        (_holding(f"answers/{ONE}.answer.json", '{"answer":["市南区,王伟"]}'), "contents file-stray"),
        (_holding("answers/rows.answer.json", '{"answer":["市南区,王伟"]}'), "strays file-stray"),
        (_other_rows_in_an_answer, "contents file-stray"),
        (_more_behind_a_certificate, "contents file-stray"),
        (_key_far_behind(f"answers/{ONE}.cert"), "contents key-copied"),
        (_key_far_behind("answers/a.cert"), "strays file-stray"),
        (_key_in_base64, "strays file-unfinished"),
        (_widen(".", 0o755), "files rights-too-wide"),
        (_widen("state.sqlite3", 0o640), "files rights-too-wide"),
        (_widen("vault/segments", 0o711), "files rights-too-wide"),
        (_widen("public/trust.txt", 0o666), "files rights-too-wide"),
        (_second_name, "files right-linked"),
        (_pointed_elsewhere, "files right-linked"),
        (_listed, "files right-listed"),
        (_noted, "files attribute-stray"),
        (_rows_behind_the_state, "database file-longer"),
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


def test_a_folder_that_is_closed_is_no_folder_in_which_nothing_lies(apart: Pier) -> None:
    (apart.home / "vault" / "segments" / "closed").mkdir(mode=0)
    words = cold_command_line("audit", "rights", "--as", "auditadmin", "--lang", "en", "--home", str(apart.home))
    if os.geteuid() == 0:
        # Root looks into every folder, unless it gives that up.
        if shutil.which("setpriv") is None:
            pytest.skip("LEFT OUT: no setpriv on this machine")
        words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", *words]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert said.returncode == 3, said.stderr
    assert "right-unread  What vault/segments/closed holds could not be seen: Permission denied" in said.stdout


def test_a_way_that_is_too_long_to_be_looked_at_is_told(apart: Pier) -> None:
    here = os.open(apart.home / "landing", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, 0o700, dir_fd=here)
        inner = os.open("x" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert differing(apart) == {"files right-unread"}


def test_what_is_being_written_is_no_stray(apart: Pier) -> None:
    """Its writer holds it, or is inside of the vault; the control is the same file a moment later."""
    segment = next(apart.home.rglob("*.duckdb"))
    _holding(f"{segment.relative_to(apart.home)}.part", "")(apart)
    with apart.house.vault.inside():
        assert differing(apart) == set()
    assert differing(apart) == {"strays file-unfinished"}
    segment.with_name(f"{segment.name}.part").unlink()
    _holding("public/trust.txt.part", "")(apart)
    with (apart.home / "public" / "trust.txt.part").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert differing(apart) == set()
    assert differing(apart) == {"strays file-unfinished"}


def test_answers_of_the_log_and_a_socket_are_no_strays(apart: Pier) -> None:
    _answer_of(apart)
    (apart.home / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(apart.home / "run" / "vault.sock"))
        (apart.home / "run" / "vault.sock").chmod(0o600)
        assert differing(apart) == set()
        # As a worker leaves it that finds the keys sealed, and no more than that.
        leave_mark(apart.home / "run" / "vault.sock", sealed=True)
        assert differing(apart) == set()
        mark_of(apart.home / "run" / "vault.sock").write_text("rows")
        assert differing(apart) == {"strays file-stray", "files rights-too-wide"}
        leave_mark(apart.home / "run" / "vault.sock", sealed=False)
        os.link(apart.home / "run" / "vault.sock", apart.home / "run" / "other.sock")
        assert differing(apart) == {"strays file-stray", "files right-linked"}


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
