# SPDX-License-Identifier: Apache-2.0
"""A deployment is examined, backed up, restored and upgraded by command."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.core.management import call_command

from lib.pier import WAGES, citizen_id, cold_command_line, command_line, released, write_wages
from lib.served import said_anew
from lib.town import codes, done
from zhanqiao.catalogue import contracts, shelf
from zhanqiao.desk import paths, state
from zhanqiao.desk.audit import audit
from zhanqiao.desk.backed_up import newest_backup
from zhanqiao.desk.configuration import Serving
from zhanqiao.desk.deployment import open_house, taken
from zhanqiao.desk.operation import backup as backup_module
from zhanqiao.desk.operation.backup import back_up
from zhanqiao.desk.operation.doctor import Finding, examine
from zhanqiao.desk.operation.restore import restore
from zhanqiao.desk.operation.upgrade import upgrade
from zhanqiao.desk.paths import no_home
from zhanqiao.desk.serving.plan import plan
from zhanqiao.identity import register
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.identity.people import Role
from zhanqiao.identity.register import NewPerson
from zhanqiao.ledger.book import founding
from zhanqiao.terms.events import Event

BY_DISTRICT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"


# What the machine that runs the tests may lack, whatever the deployment is.
OF_THE_MACHINE = {"room-low", "disk-fleeting", "disk-foreign"}


ABOUT_NOBODY = """\
apiVersion: v3.1.0
kind: DataContract
id: "370202-hrss-777"
name: 就业服务网点
version: 1.0.0
status: active
domain: 人社
description: {purpose: 网点分布统计。}
schema:
  - name: service_point
    businessName: 就业服务网点
    description: Service points
    customProperties:
      - {property: department, value: hrss}
      - {property: subjectKinds, value: []}
      - {property: sharing, value: unconditional}
      - {property: opening, value: closed}
      - {property: updateCycle, value: year}
      - {property: cubes, value: [{name: by_kind, dims: [kind], measures: []}]}
    properties:
      - name: kind
        businessName: 类别
        logicalType: string
        required: true
        customProperties:
          - {property: mask, value: keep}
          - {property: grade, value: 1}
          - {property: domain, value: [街道, 社区]}
          - {property: capabilities, value: [filter, group]}
"""


def wrong(findings: list[Finding]) -> set[str]:
    return {one.reason.code for one in findings if one.wrong and one.reason is not None} - OF_THE_MACHINE


# --- backup and restore -----------------------------------------------------------------------------


def test_no_load_takes_parts_away_while_a_backup_looks_for_them(pier, tmp_path, monkeypatch):
    def looked_for(house):
        with house.vault.alone(wait=False) as alone:
            assert alone is None, "nobody sweeps meanwhile"
        return []

    monkeypatch.setattr(backup_module, "missing_parts", looked_for)
    done(back_up(pier.house, tmp_path / "b.tar"))


def test_a_backup_stands_that_could_not_be_noted(pier, tmp_path):
    (in_its_way := pier.home / ".backed-up").mkdir()
    made = done(back_up(pier.house, tmp_path / "b.tar"))
    assert (made.noted, made.file.exists(), newest_backup(pier.house)) == (False, True, None)
    in_its_way.rmdir()
    assert done(back_up(pier.house, tmp_path / "next.tar")).noted


def test_a_restored_deployment_gives_what_the_first_one_gave(pier, tmp_path, clock):
    """The same request id brings the same bytes without a charge, and a new question the same figures."""
    asked = pier.number()
    first = released(pier.ask(BY_DISTRICT, request=asked))
    done(back_up(pier.house, tmp_path / "b.tar"))
    newest = (pier.home / "ledger" / "checkpoint").read_bytes()
    spent = pier.spent()

    house = done(restore(tmp_path / "b.tar", tmp_path / "again", pier.home / "keys", newest, clock)).house

    twin = type(pier)(house, pier.settled)
    again = released(twin.ask(BY_DISTRICT, request=asked))
    assert (again.answer_file, again.certificate) == (first.answer_file, first.certificate)
    assert twin.spent() == spent
    assert released(twin.ask(BY_DISTRICT)).answer["rows"] == first.answer["rows"]
    assert len(twin.events("platform.restored")) == 1
    audit(house)


def test_what_could_not_be_restored_is_not_backed_up(pier, tmp_path):
    """It is told on the day of the loss, by the examination too, and not on the day when the backup is needed."""
    rows = [WAGES[0]._replace(district="青岛市"), *WAGES[1:]]
    bad = write_wages(tmp_path / "bad.csv", rows)
    assert pier.command("intake", "load", "pension_enrolment", str(bad), "--as", "hrss-officer").returncode == 0
    sealed = next((pier.home / "quarantine" / "pension_enrolment").rglob("*.sealed"))
    segment = next((pier.home / "vault" / "segments" / "firm_turnover").glob("*.duckdb"))
    for path in (sealed, segment):
        path.rename(tmp_path / "aside")
        refused = back_up(pier.house, tmp_path / "b.tar")
        assert codes(refused) == ["part-missing"]
        assert path.name.split(".")[0] in refused.reasons[0].facts["part"]
        assert "part-missing" in wrong(examine(pier.home))
        os.mkfifo(path)
        assert codes(back_up(pier.house, tmp_path / "b.tar")) == ["part-missing", "part-no-file"]
        path.unlink()
        (tmp_path / "aside").rename(path)
    assert not (tmp_path / "b.tar").exists()
    done(back_up(pier.house, tmp_path / "b.tar"))


def test_a_backup_that_was_not_written_is_none(pier, tmp_path):
    def told() -> set[str]:
        return {one.reason.code for one in examine(pier.home) if one.reason and one.check == "backup"}

    (tmp_path / "file").touch()
    for nowhere in (tmp_path / "file" / "b.tar", tmp_path / "not mounted" / "b.tar"):
        assert codes(back_up(pier.house, nowhere)) == ["file-not-written"]
    assert not (tmp_path / "not mounted").exists()
    assert not pier.events("platform.backup-begun")
    assert codes(back_up(pier.house, tmp_path / ("b" * 255))) == ["backup-not-written"]
    assert told() == {"backup-never"}
    done(back_up(pier.house, tmp_path / "b.tar"))
    assert told() == set()
    restored = done(restore(tmp_path / "b.tar", tmp_path / "again", pier.home / "keys", None))
    assert not [one for one in examine(restored.house.home) if one.check == "backup" and one.reason]
    pier.reopened()


def test_what_the_settings_are_wrong_in_is_told_once(pier):
    with (pier.home / "zhanqiao.toml").open("a") as settings:
        settings.write("\nunknown = 1\n")
    findings = examine(pier.home)
    assert [one.check for one in findings if one.reason and one.reason.code == "settings-wrong"] == ["opens"]


@pytest.mark.parametrize("said", ["2026-11-02", "2026-11-02T00:00:00", "9999-12-31T00:00:00+00:00", "rubbish"])
def test_a_note_that_no_backup_wrote_is_none(pier, tmp_path, said):
    restored = done(
        restore(done(back_up(pier.house, tmp_path / "b.tar")).file, tmp_path / "again", pier.home / "keys", None)
    )
    for house in (pier.reopened().house, restored.house):
        (house.home / ".backed-up").write_text(said)
    assert newest_backup(pier.reopened().house) is None
    found = {one.reason.code for one in examine(pier.home) if one.reason and one.check == "backup"}
    assert found == {"backup-never"}
    again = done(open_house(tmp_path / "again", pier.house.clock))
    assert newest_backup(again) is not None, "the log says that it was restored"
    pier.reopened()


def test_a_deployment_of_nobodys_is_called_so(house):
    assert "wall-nobody" in {one.reason.code for one in examine(house.home) if one.reason}


def test_a_backup_says_whether_it_lies_on_the_deployments_disk(pier, tmp_path):
    assert not done(back_up(pier.house, tmp_path / "b.tar")).apart
    told = pier.command("backup", str(tmp_path / "c.tar"), "--lang", "en").stdout
    assert "It lies on the deployment's own disk" in told
    with TemporaryDirectory(dir="/dev/shm") as memory:
        assert done(back_up(pier.house, Path(memory, "b.tar"))).apart


def test_a_backup_holds_no_key(pier, tmp_path):
    done(back_up(pier.house, tmp_path / "b.tar"))
    content = (tmp_path / "b.tar").read_bytes()
    keys = [path for path in (pier.home / "keys").rglob("*") if path.is_file()]
    assert len(keys) > 3
    for path in keys:
        secret = max(path.read_bytes().split(b"\n"), key=len)
        assert secret not in content, path.name
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert not [name for name in tar.getnames() if name.startswith("keys")]


def test_backups_that_are_taken_while_others_write_are_whole(pier, tmp_path, clock):
    """Deliveries with new subjects are loaded all the while; each backup is of one moment."""
    born = date(1948, 1, 1)
    rows = [WAGES[0]._replace(id=citizen_id(n, born), name=f"新{n}", born=born) for n in range(60)]
    files = [write_wages(tmp_path / f"{n}.csv", (*WAGES, *rows[: 10 * n])) for n in range(1, 4)]
    words = [
        cold_command_line("intake", "load", "pension_enrolment", str(file), "--as", "hrss-officer") for file in files
    ]
    program = (
        f"import subprocess\nfor one in {words!r}: subprocess.run([*one, '--home', {str(pier.home)!r}], check=True)"
    )
    loading = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL)
    taken = []
    while loading.poll() is None or not taken:
        taken.append(tmp_path / f"{len(taken)}.tar")
        done(back_up(pier.house, taken[-1]))
        time.sleep(0.2)
    assert loading.returncode == 0

    seen = set()
    some = sorted({place * (len(taken) - 1) // 2 for place in range(3)})
    for number, file in [(place, taken[place]) for place in some]:
        house = done(restore(file, tmp_path / f"r{number}", pier.home / "keys", None, clock)).house
        snapshot = shelf.snapshot_of("pension_enrolment")
        seen.add(snapshot.rows)
        twin = type(pier)(house, pier.settled)
        rows_now = released(twin.ask(BY_DISTRICT)).answer["rows"]
        assert sum(row[1] for row in rows_now) == snapshot.rows
    print(f"{len(taken)} backups, of {len(seen)} states")
    assert len(taken) >= 3


def test_a_backup_that_is_behind_what_was_shown_is_not_gone_on_with(pier, tmp_path, clock):
    """A log that went on from an older state would tell a second history under the same key."""
    done(back_up(pier.house, tmp_path / "b.tar"))
    released(pier.ask(BY_DISTRICT))
    newest = (pier.home / "ledger" / "checkpoint").read_bytes()
    outcome = restore(tmp_path / "b.tar", tmp_path / "again", pier.home / "keys", newest, clock)
    assert codes(outcome) == ["backup-behind"]
    assert not (tmp_path / "again").exists()


def test_what_is_restored_by_command_says_whether_a_newer_checkpoint_exists(pier, tmp_path):
    file, again = tmp_path / "b.tar", tmp_path / "again"
    made = pier.command("backup", str(file), "--json")
    assert made.returncode == 0, made.stdout
    assert json.loads(made.stdout)["status"] == "backed up"
    assert pier.command("backup", str(file)).returncode == 2, "never replaced"
    words = command_line("restore", str(file), "--keys", str(pier.home / "keys"), "--home", str(again), "--json")
    unsaid = subprocess.run(words, capture_output=True, check=False)
    assert (unsaid.returncode, json.loads(unsaid.stdout)["reasons"][0]["code"]) == (2, "checkpoint-not-said")
    ran = subprocess.run([*words, "--no-checkpoint"], capture_output=True, check=False)
    assert (ran.returncode, json.loads(ran.stdout)["status"]) == (0, "restored"), ran.stdout
    assert subprocess.run(words, capture_output=True, check=False).returncode == 2


# --- examination ------------------------------------------------------------------------------------


def test_a_sound_deployment_has_no_finding_but_walls(pier):
    findings = examine(pier.home)
    assert wrong(findings) == set()
    walls = {one.reason.code for one in findings if one.wall and one.reason is not None}
    assert {"wall-one-user", "backup-never"} <= walls


def test_what_serve_would_refuse_stops_work(pier, tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "file").touch()
    for serving, code in (
        (Serving(listen=":::::"), "listen-malformed"),
        (Serving(listen="127.0.0.1:٨٤٤٣"), "listen-malformed"),
        (Serving(gateway_user="nobody-of-that-name"), "user-unknown"),
        (Serving(socket=str(tmp_path / "shared" / "vault.sock")), "socket-folder-shared"),
    ):
        said_anew(pier, serving=serving)
        assert wrong(examine(pier.home)) == {code}


def test_a_demo_that_nobody_serves_is_sound(pier):
    """Where others may write above it, `serve` refuses; who only shows it need not move it."""
    above = pier.home.parent
    above.chmod(0o777)
    try:
        assert wrong(examine(pier.home)) == set()
        said_anew(pier, profile="laptop")
        assert wrong(examine(pier.home)) == {"socket-above"}
    finally:
        above.chmod(0o700)


def test_keys_that_others_can_read_are_found(pier):
    (pier.home / "keys" / "vault" / "kek.key").chmod(0o640)
    assert wrong(examine(pier.home)) == {"rights-too-wide"}
    ran = pier.command("doctor", "--lang", "en")
    assert ran.returncode == 3
    assert "keys/vault/kek.key" in ran.stdout


def test_a_published_part_that_is_missing_is_found(pier):
    segment = next((pier.home / "vault" / "segments" / "pension_enrolment").glob("*.duckdb"))
    segment.unlink()
    cube = next((pier.home / "vault" / "states" / "firm_turnover").rglob("cube-*.sealed"))
    cube.unlink()
    found = [one.reason for one in examine(pier.home) if one.check == "vault" and one.reason is not None]
    assert [reason.code for reason in found] == ["part-missing", "part-missing"]
    assert {reason.facts["part"].split("/")[0] for reason in found} == {"segments", "states"}


def test_an_administrator_who_is_the_only_one_is_a_wall_that_is_missing(pier):
    """The last of them cannot be dismissed, but a key can be lost, and then nobody may register another."""

    def alone() -> set[str]:
        reasons = [one.reason for one in examine(pier.home) if one.check == "administrators" and one.wall]
        return {reason.facts["role"] for reason in reasons if reason is not None}

    assert alone() == {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN}
    second = NewPerson("second", "runner", "二", "certificate of second", public_bytes(make_key()), frozenset())
    done(register.register_person(pier.house.book, second, "sysadmin"))
    done(register.give_role(pier.house.book, "second", Role.SYSTEM_ADMIN, "secadmin"))
    assert alone() == {Role.SECURITY_ADMIN}


def test_where_there_is_no_deployment_nothing_else_is_examined(tmp_path):
    """A remedy for the rights of somebody else's folder would harm it."""
    tmp_path.chmod(0o777)
    assert codes(examine(tmp_path)) == ["no-deployment"]


def test_a_deployment_that_lost_its_settings_is_told_apart_from_none(pier, tmp_path):
    """Whoever is told to found one would be led to remove what lies there."""
    (pier.home / "zhanqiao.toml").rename(tmp_path / "settings")
    lost = [examine(pier.home), open_house(pier.home), plan(pier.home), taken(pier.home)]
    assert [codes(one) for one in lost] == [["settings-missing"]] * 4
    (tmp_path / "settings").rename(pier.home / "zhanqiao.toml")
    assert open_house(pier.home)
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "zhanqiao.toml.part").touch()
    assert codes(examine(tmp_path / "begun")) == codes(open_house(tmp_path / "begun")) == ["home-unfinished"]


def test_a_folder_that_is_closed_to_us_is_named(tmp_path, monkeypatch):
    folder = tmp_path / "city"
    folder.mkdir()
    assert no_home(folder) is None
    # Nothing is closed to root, who may run this.
    monkeypatch.setattr(paths.os, "access", lambda path, _wanted: path != folder)
    assert codes(no_home(folder)) == ["home-closed"]

    def closed_above(_path: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "is_dir", closed_above)
    assert codes(no_home(folder / "below")) == ["home-closed"]


def test_a_clock_behind_the_log_is_found(pier, clock):
    clock.forward(days=36_500)
    with pier.house.book.recording(Event("test.happened", "host")):
        pass
    assert wrong(examine(pier.home)) == {"clock-behind-log"}


def test_a_damaged_ledger_and_a_damaged_state_are_told_apart(pier):
    (pier.home / "ledger" / "checkpoint").write_bytes(b"nothing")
    assert wrong(examine(pier.home)) == {"ledger-damaged"}
    content = bytearray((pier.home / "state.sqlite3").read_bytes())
    content[4096 * 3 : 4096 * 12] = b"\xff" * (4096 * 9)
    (pier.home / "state.sqlite3").write_bytes(content)
    assert "state-damaged" in wrong(examine(pier.home))


def test_a_deployment_that_does_not_open_is_examined_from_outside(pier):
    shutil.rmtree(pier.home / "keys" / "ledger")
    pier.home.chmod(0o755)
    assert wrong(examine(pier.home)) == {"keys-unreadable", "rights-too-wide"}
    assert codes(examine(pier.home / "nowhere")) == ["no-deployment"]


def test_nothing_is_called_well_that_could_not_be_looked_at(pier, tmp_path):
    def well() -> set[str]:
        return {one.check for one in examine(pier.home) if one.reason is None}

    (pier.home / "keys").rename(tmp_path / "keys")
    assert "keys" not in well()
    (tmp_path / "keys").rename(pier.home / "keys")
    (pier.home / "zhanqiao.toml").write_text("")
    assert not {"keys", "processes", "certificate"} & well()
    assert "rights" in well()


@pytest.mark.parametrize("part", ["vault/segments/*/*.duckdb", "vault/identities/*/*.sealed"])
def test_what_was_damaged_in_a_sealed_file_is_found_by_opening_it(pier, part):
    file = max(pier.home.glob(part), key=lambda path: path.stat().st_size)
    assert wrong(examine(pier.home, deep=True)) == set()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.unlink()  # copies that tests make share it
    file.write_bytes(content)
    file.chmod(0o600)
    assert wrong(examine(pier.home)) == set()
    assert wrong(examine(pier.home, deep=True)) == {"vault-damaged"}


def test_an_old_backup_is_found(pier, tmp_path, clock):
    clock.forward(days=-30)
    done(back_up(pier.house, tmp_path / "b.tar"))
    assert {one.reason.code for one in examine(pier.home) if one.reason and one.check == "backup"} == {"backup-old"}


def test_a_contract_that_an_older_version_took_is_read_and_replaced(pier, monkeypatch):
    """A rule that came later binds new contracts: what stands opens nothing less than before."""
    with monkeypatch.context() as older:
        older.setattr(contracts, "parse", partial(contracts.parse, kept=True))
        taken = done(shelf.add(pier.house.book, ABOUT_NOBODY, "hrss-officer"))
    shelf.read_kept.cache_clear()
    assert shelf.find(taken.name) == taken
    audit(pier.house)
    assert codes(shelf.add(pier.house.book, mended(ABOUT_NOBODY), "hrss-officer")) == ["contract-cube-about-nobody"]
    mended_contract = mended(ABOUT_NOBODY.replace("opening, value: closed", "opening, value: unconditional"))
    assert done(shelf.add(pier.house.book, mended_contract, "hrss-officer")).version == "1.0.1"
    audit(pier.house)


def mended(contract: str) -> str:
    return contract.replace("version: 1.0.0", "version: 1.0.1")


# --- upgrade ----------------------------------------------------------------------------------------


@pytest.fixture
def older(house) -> Path:
    """A deployment as an older version left it."""
    with founding():
        call_command("migrate", "catalogue", "0001", verbosity=0)
    return house.home


def test_a_state_of_an_older_version_is_upgraded_and_opened_by_nobody_before(older, clock):
    assert codes(open_house(older, clock)) == ["state-older"]
    assert done(upgrade(older)) == ("catalogue.0002_high_water", "catalogue.0003_files_of_a_delivery")
    house = done(open_house(older, clock))
    assert [event.kind for event in house.book.events()] == ["platform.upgraded"]
    audit(house)
    assert done(upgrade(older)) == ()


def test_a_state_of_a_newer_version_is_not_touched(house, clock):
    with founding():
        state.MigrationRecorder(state.connections["default"]).record_applied("ledger", "0002_from_the_future")
    assert codes(open_house(house.home, clock)) == ["state-newer"]
    assert codes(upgrade(house.home)) == ["state-newer"]
