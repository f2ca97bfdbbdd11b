# SPDX-License-Identifier: Apache-2.0
"""A backup that somebody altered, swapped or made up restores nothing, and leaves nothing behind."""

import fcntl
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from django.db import connections

from lib.pier import opened, released
from lib.town import codes, done
from zhanqiao.desk.configuration import utc_now
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.archive import (
    MANIFEST,
    SIGNATURE,
    SIGNED_TYPE,
    BackupForeign,
    Packing,
    Unpacking,
    signed_over,
)
from zhanqiao.desk.operation.backup import back_up
from zhanqiao.desk.operation.parts import prove_parts
from zhanqiao.desk.operation.restore import Restored, restore
from zhanqiao.ledger.dsse import key_id_of, sign_envelope
from zhanqiao.ledger.keys import envelope_key
from zhanqiao.terms.refusals import Refusal
from zhanqiao.vault.faults import KeyFault, VaultFault
from zhanqiao.vault.keys import Keyring
from zhanqiao.vault.states import Newer, StateStore
from zhanqiao.vault.traces import Changes

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def kept(settled_pier, tmp_path_factory) -> tuple[Path, Path]:
    """One backup, and the keys that belong to it; each test alters a copy."""
    folder = tmp_path_factory.mktemp("kept")
    for pier in opened(settled_pier, folder, utc_now):
        released(pier.ask("SELECT count(*) AS n FROM pension_enrolment"))
        done(back_up(pier.house, folder / "b.tar"))
        shutil.copytree(pier.home / "keys", folder / "keys")
    return folder / "b.tar", folder / "keys"


@pytest.fixture
def backup(kept, tmp_path) -> Iterator[Path]:
    yield Path(shutil.copy(kept[0], tmp_path / "b.tar"))
    connections.close_all()


@pytest.fixture
def keys(kept) -> Path:
    return kept[1]


def unpacked(file: Path) -> Files:
    with tarfile.open(file) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]


def packed(file: Path, files: Files, keys: Path | None = None) -> Path:
    """Write an archive; whoever alters one can make its list agree, and with the keys sign it."""
    former, manifest = files.pop(SIGNATURE), json.loads(files.pop(MANIFEST))
    manifest["files"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    }
    said = json.dumps(manifest).encode()
    return written(file, {**files, MANIFEST: said, SIGNATURE: former if keys is None else signed(said, keys)})


def signed(manifest: bytes, keys: Path, kind: str = SIGNED_TYPE) -> bytes:
    key = envelope_key(keys / "ledger")
    return sign_envelope(kind, signed_over(manifest), key_id_of(key.public_key()), key)


def written(file: Path, files: Files, *more: tuple[str, bytes]) -> Path:
    with tarfile.open(file, "w") as tar:
        for name, content in [*files.items(), *more]:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file


def refused(outcome: object, home: Path) -> list[str]:
    assert isinstance(outcome, Refusal), outcome
    assert not home.exists() or list(home.iterdir()) == []
    return codes(outcome)


def flip(content: bytes) -> bytes:
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("at", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_a_changed_byte_is_found(backup, keys, tmp_path, at):
    content = bytearray(backup.read_bytes())
    # The archive's padding carries nothing.
    place = max(512, int(at * len(content)))
    while content[place] == 0:
        place -= 1
    content[place] ^= 1
    backup.write_bytes(content)
    home = tmp_path / "again"
    # In the list itself it is the signature that does not hold.
    code = "backup-foreign" if place > content.rindex(b'"version"') else "backup-malformed"
    assert refused(restore(backup, home, keys, None), home) == [code]


@pytest.mark.parametrize("at", [0, 100, 0.3, 0.9])
def test_a_backup_that_was_cut_off_is_found(backup, keys, tmp_path, at):
    size = backup.stat().st_size
    with backup.open("r+b") as file:
        file.truncate(int(at * size) if isinstance(at, float) else at)
    home = tmp_path / "again"
    assert refused(restore(backup, home, keys, None), home) == ["backup-malformed"]


def _without(prefix: str) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        gone = next(name for name in sorted(files) if name.startswith(prefix))
        return {name: content for name, content in files.items() if name != gone}

    return change


def _flipped(part: str) -> Callable[[Files], Files]:
    """Flip a bit in the last of these files: one may be looked at and the others not."""

    def change(files: Files) -> Files:
        name = max(name for name in files if part in name)
        return {**files, name: flip(files[name])}

    return change


def _said(name: str, former: bytes, new: bytes) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        assert former in files[name]
        return {**files, name: files[name].replace(former, new)}

    return change


def _state(files: Files) -> sqlite3.Connection:
    state, content = sqlite3.connect(":memory:"), bytearray(files["state.sqlite3"])
    # A write-ahead log is nothing for a state in memory.
    content[18:20] = b"\1\1"
    state.deserialize(bytes(content))
    return state


def _with_trigger(files: Files) -> Files:
    state = _state(files)
    state.execute("CREATE TRIGGER undo AFTER INSERT ON ledger_entry BEGIN DELETE FROM agreements_hold; END")
    content = bytearray(state.serialize())
    content[18:20] = b"\2\2"
    return {**files, "state.sqlite3": bytes(content)}


def _with_damaged_index(files: Files) -> Files:
    """Put one index's first page in another's place: the rows, of which the audit reads, stay as they are."""
    indexes = "SELECT rootpage FROM sqlite_master WHERE type = 'index' AND tbl_name = 'ledger_entry'"
    (here,), (there,), *_ = _state(files).execute(indexes).fetchall()
    content = bytearray(files["state.sqlite3"])
    content[(here - 1) * 4096 : here * 4096] = content[(there - 1) * 4096 : there * 4096]
    return {**files, "state.sqlite3": bytes(content)}


def _newest_entries_flipped(files: Files) -> Files:
    size = int(files["ledger/checkpoint"].split(b"\n")[1])
    name = next(name for name in files if name.startswith("ledger/tile/entries") and name.endswith(f".p/{size % 256}"))
    return {**files, name: flip(files[name])}


# What somebody did before the backup was made, or with the keys: found by what lies there itself.
ALTERED: dict[str, tuple[Callable[[Files], Files], str]] = {
    "a segment is missing": (_without("vault/segments/pension_enrolment"), "backup-malformed"),
    "a cube is missing": (_without("vault/states/pension_enrolment"), "backup-malformed"),
    "the subject book is missing": (_without("vault/subjects/person"), "backup-malformed"),
    "an identity file is missing": (_without("vault/identities/person"), "backup-malformed"),
    "bad rows are missing": (_without("quarantine/"), "backup-malformed"),
    "a segment was damaged": (_flipped("vault/segments/"), "backup-malformed"),
    "a tile was changed": (_newest_entries_flipped, "backup-malformed"),
    "the checkpoint is missing": (_without("ledger/checkpoint"), "backup-malformed"),
    "the trust file is another one": (_flipped("public/trust.txt"), "keys-differ"),
    "the state is missing": (_without("state.sqlite3"), "state-damaged"),
    "an index of the state was damaged": (_with_damaged_index, "backup-malformed"),
    "a trigger was made": (_with_trigger, "backup-malformed"),
    "the settings are missing": (_without("zhanqiao.toml"), "settings-wrong"),
}


# What nothing but the signature tells from what was backed up.
MADE_UP: dict[str, Callable[[Files], Files]] = {
    "nothing": lambda files: files,
    "no witness is waited for": _said("zhanqiao.toml", b"quorum = 2", b"quorum = 0"),
    "it listens elsewhere": lambda files: {
        **files,
        "zhanqiao.toml": files["zhanqiao.toml"] + b'\n[serve]\nlisten = "192.0.2.1:8443"\n',
    },
    "another trust file": _said("public/trust.txt", b"log ", b"# Ask nobody.\nlog "),
}


@pytest.mark.parametrize("case", ALTERED)
def test_a_backup_whose_list_agrees_and_is_signed_is_checked_all_the_same(backup, keys, tmp_path, case):
    change, code = ALTERED[case]
    home = tmp_path / "again"
    altered = packed(tmp_path / "altered.tar", change(unpacked(backup)), keys)
    assert refused(restore(altered, home, keys, None), home) == [code]


def test_the_control_packs_a_backup_that_restores(backup, keys, tmp_path):
    done(restore(packed(tmp_path / "same.tar", unpacked(backup), keys), tmp_path / "again", keys, None))


@pytest.mark.parametrize("case", [*MADE_UP, "a segment was damaged", "bad rows are missing"])
def test_nobody_without_the_keys_alters_a_backup(backup, keys, tmp_path, case):
    """However well the list agrees with what lies there."""
    change = MADE_UP.get(case) or ALTERED[case][0]
    home = tmp_path / "again"
    altered = packed(tmp_path / "altered.tar", {**change(unpacked(backup)), "public/more": b"one more"})
    assert refused(restore(altered, home, keys, None), home) == ["backup-foreign"]


SEALED = (
    "vault/segments",
    "vault/states/*/*/cube-*",
    "vault/states/*/*/newest-*",
    "vault/subjects",
    "vault/identities",
)


@pytest.mark.parametrize("part", [*SEALED, "quarantine"])
def test_a_part_that_does_not_open_is_named(pier, part):
    """Every sealed file is opened whole, so that what was damaged before a backup is found when it is restored."""
    prove_parts(pier.house)
    places = pier.home.glob(part) if "*" in part else (pier.home / part).rglob("*.*")
    path = max(place for place in places if place.is_file() and place.name != ".lock")
    sound = path.read_bytes()
    for at in (len(sound) // 9, len(sound) - 1):
        path.unlink()  # other tests have links to it
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        with pytest.raises((VaultFault, KeyFault), match="couldn't open"):
            prove_parts(pier.reopened().house)


def test_changes_of_newest_dates_need_what_they_stand_on(tmp_path):
    keyring = Keyring.create(tmp_path / "keys")
    states, whole = StateStore(tmp_path / "states", keyring), np.array([3, 0, 5], np.uint16)
    states.write_newest("trips", "s1", "day", whole)
    changes = Changes(np.array([1], np.int32), np.array([9], np.uint16))
    states.write_newest("trips", "s2", "day", Newer("s1", changes))
    states.prove()
    states.remove("trips", "s1")
    with pytest.raises(VaultFault, match="s1, on which it stands, has none"):
        states.prove()


def test_a_signature_of_somebody_else_or_over_something_else_is_none(backup, keys, empty_home, tmp_path):
    files, key = unpacked(backup), envelope_key(keys / "ledger").public_key()
    former = files.pop(SIGNATURE)
    signatures = {
        "none": {},
        "empty": {SIGNATURE: b""},
        "no envelope": {SIGNATURE: b"{}"},
        "another log's": {SIGNATURE: signed(files[MANIFEST], empty_home / "keys")},
        "over another list": {SIGNATURE: signed(b"{}", keys)},
        "for another use": {SIGNATURE: signed(files[MANIFEST], keys, "application/vnd.in-toto+json")},
        "a bit off": {SIGNATURE: flip(former)},
    }

    def read(last: Files) -> None:
        with written(tmp_path / "some.tar", {**files, **last}).open("rb") as source:
            for member in Unpacking(source, key).members():
                deque(member.pieces, maxlen=0)

    read({SIGNATURE: former})
    for said, last in signatures.items():
        with pytest.raises(BackupForeign):
            pytest.fail(f"{said}: {read(last)}")


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "/etc/out",
        "vault/../../out",
        "vault/./x",
        "vault//x",
        "keys/vault/kek.key",
        "vault/.lock",
        "elsewhere/x",
    ],
)
def test_nothing_is_written_elsewhere(backup, keys, tmp_path, name):
    home = tmp_path / "deep" / "again"
    home.parent.mkdir()
    altered = packed(tmp_path / "altered.tar", {**unpacked(backup), name: b"out"}, keys)
    assert refused(restore(altered, home, keys, None), home) == ["backup-malformed"]
    assert not list(tmp_path.rglob("out"))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("vault/" + "a" * 256, ""),
        ("vault/" + "/".join("a" * 1900), ""),
        ("vault/a", "vault/a/b"),
        ("vault/a/b", "vault/a"),
    ],
    ids=["a long part", "many parts", "a file as folder", "a folder as file"],
)
def test_no_name_is_taken_that_no_folder_holds(backup, keys, tmp_path, first, then):
    home = tmp_path / "again"
    altered = written(tmp_path / "altered.tar", {name: b"x" for name in (first, then) if name})
    assert refused(restore(altered, home, keys, None), home) == ["backup-malformed"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("vault/.snapshot/hourly.0", "vault/.snapshot"),
        ("vault/segments/.snapshot/deep/er", "vault/segments/.snapshot"),
        ("quarantine/.DS_Store", "quarantine/.DS_Store"),
        ("vault/notes.txt", "vault/notes.txt"),
        ("vault/segments/pension_enrolment/rows.csv", "vault/segments/pension_enrolment/rows.csv"),
        ("ledger/tile/x/rows.csv", "ledger/tile/x/rows.csv"),
        ("public/trust.bak", "public/trust.bak"),
        ("quarantine/od\nd", "quarantine/od\nd"),
        ("public/\udcff", "public/\udcff"),
        ("ledger/\udcff/x", "ledger/\udcff"),
        ("public/" + "/".join("a" * 20), "public/" + "/".join("a" * 16)),
    ],
)
def test_what_could_not_be_restored_is_not_backed_up_and_is_told(pier, tmp_path, name, told):
    """The rest is: a night without a backup would be worse than a file that is nobody's."""
    (pier.home / name).parent.mkdir(parents=True, exist_ok=True)
    (pier.home / name).write_bytes(b"x")
    made = done(back_up(pier.house, tmp_path / "b.tar"))
    assert made.left_out == (told,)
    home = tmp_path / "again"
    done(restore(tmp_path / "b.tar", home, pier.home / "keys", None))
    assert not (home / name).exists()


def test_what_is_left_out_is_told_in_words(pier, tmp_path):
    assert done(back_up(pier.house, tmp_path / "a.tar")).left_out == ()
    (pier.home / "quarantine" / "od\nd").write_bytes(b"x")
    said = pier.command("backup", str(tmp_path / "b.tar"), "--lang", "en")
    assert (said.returncode, "Left out quarantine/od?d" in said.stdout) == (0, True), said.stdout


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE])
def test_no_memory_is_asked_for_that_a_file_only_claims(keys, tmp_path, kind):
    """A file of 3 GiB that takes no room on a disk: a header that goes on, or settings."""
    entry = tarfile.TarInfo("zhanqiao.toml")
    entry.type, entry.size = kind, 3 << 30
    with (tmp_path / "b.tar").open("wb") as file:
        file.write(entry.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(512 + entry.size + 1024)
    home = tmp_path / "again"
    tracemalloc.start()
    try:
        assert refused(restore(tmp_path / "b.tar", home, keys, None), home) == ["backup-malformed"]
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_of_two_backups_to_one_name_one_stands_and_is_whole(pier, tmp_path):
    file, statuses = tmp_path / "b.tar", []

    def clock() -> datetime:
        # It asks for the time when all is packed.
        statuses.append(pier.command("backup", str(file)).returncode)
        return utc_now()

    assert codes(back_up(replace(pier.house, clock=clock), file)) == ["file-exists"]
    assert statuses == [0]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["b.tar"]
    done(restore(file, tmp_path / "again", pier.home / "keys", None))


def test_no_copy_of_the_state_bears_a_name_that_others_know_or_could_make(pier, tmp_path, monkeypatch):
    """Neither beside the backup, where others may write, nor for a second backup to take for its own."""
    theirs = tmp_path / "b.tar.state.sqlite3.part"
    theirs.write_bytes(b"somebody else's")
    seen: set[str] = set()
    names: dict[str, int] = {}
    add = Packing.add

    def look(self: Packing, name: str, file: IO[bytes]) -> None:
        seen.update(str(path) for path in (*tmp_path.glob("*"), *pier.home.glob("*")) if "state" in path.name)
        names[name] = os.fstat(file.fileno()).st_nlink
        add(self, name, file)

    monkeypatch.setattr(Packing, "add", look)
    with theirs.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done(back_up(pier.house, tmp_path / "b.tar"))
    assert theirs.read_bytes() == b"somebody else's"
    assert names["state.sqlite3"] == 0
    assert seen - {str(theirs)} <= {str(pier.home / f"state.sqlite3{more}") for more in ("", "-wal", "-shm")}


def test_what_killed_backups_left_is_taken_away_and_nothing_else(pier, tmp_path):
    done(back_up(pier.house, tmp_path / "a.tar"))
    begun = (tmp_path / "a.tar").read_bytes()[:20_480]
    dead = {"b.tar.123-456.part": begun, "c.tar.9-9.part": b"", "d.tar.state.sqlite3.part": b"SQLite format 3\0"}
    alive = {"b.tar.124-456.part": begun}
    others = {"film.mp4.part": begun, "film.12-3.part": b"no archive", "state.sqlite3": b"", "b.tar": begun}
    for name, content in (dead | alive | others).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "e.tar.1-1.part").symlink_to(tmp_path / "a.tar")
    with (tmp_path / "b.tar.124-456.part").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done(back_up(pier.house, tmp_path / "f.tar"))
    kept = {"a.tar", "f.tar", "e.tar.1-1.part", *alive, *others}
    assert {path.name for path in tmp_path.iterdir() if not path.is_dir()} == kept


def _moved(path: Path, there: Path) -> None:
    path.rename(there)
    path.symlink_to(there)


def _key(path: Path, there: Path) -> None:
    path.symlink_to(path.parents[1] / "keys" / "vault" / "kek.key")


@pytest.mark.parametrize(
    ("name", "put"),
    [
        ("vault/segments", _moved),
        ("ledger/tile", _moved),
        ("public/log.vkey", _moved),
        ("public/trust.txt", lambda path, _: (path.unlink(), _key(path, path))),
        ("public/trust.txt", lambda path, there: (path.unlink(), path.symlink_to(there))),
        ("ledger/checkpoint", lambda path, _: (path.unlink(), os.mkfifo(path))),
        ("vault/more", lambda path, there: (there.mkdir(), path.symlink_to(there))),
    ],
    ids=["a folder", "tiles", "a file", "a key", "nowhere", "a pipe", "another folder"],
)
def test_no_backup_is_made_where_a_link_or_a_pipe_stands_for_a_file(pier, tmp_path, name, put):
    """Followed, a link brings a key into the backup; not followed, what it leads to is missing on the day it is needed."""
    put(pier.home / name, tmp_path / "there")
    before = pier.house.book.size
    refusal = back_up(pier.house, tmp_path / "b.tar")
    assert [(reason.code, reason.facts) for reason in refusal.reasons] == [("part-no-file", {"path": name})]
    assert (pier.house.book.size, [*tmp_path.glob("b.tar*")]) == (before, [])


def test_a_link_that_stands_for_nothing_of_ours_is_left_out_and_told(pier, tmp_path):
    """As a file is that is nobody's: a night without a backup would be worse."""
    _key(pier.home / "public" / "more", tmp_path)
    (pier.home / "vault" / "nowhere").symlink_to(tmp_path / "there")
    os.mkfifo(pier.home / "quarantine" / "pipe")
    made = done(back_up(pier.house, tmp_path / "b.tar"))
    assert made.left_out == ("public/more", "quarantine/pipe", "vault/nowhere")
    secret = (pier.home / "keys" / "vault" / "kek.key").read_bytes()
    assert secret not in (tmp_path / "b.tar").read_bytes()


def test_a_link_that_came_while_a_backup_was_made_ends_it(pier, tmp_path, monkeypatch):
    add = Packing.add

    def come(self: Packing, name: str, file: IO[bytes]) -> None:
        if name == "state.sqlite3":
            (pier.home / "public" / "trust.txt").unlink()
            _key(pier.home / "public" / "trust.txt", tmp_path)
        add(self, name, file)

    monkeypatch.setattr(Packing, "add", come)
    assert codes(back_up(pier.house, tmp_path / "b.tar")) == ["backup-not-written"]
    assert not [*tmp_path.glob("b.tar*")]


@pytest.mark.parametrize("top", ["quarantine", "vault"])
def test_a_folder_of_the_deployment_itself_may_lie_elsewhere(pier, tmp_path, top):
    _moved(pier.home / top, tmp_path / top)
    assert done(back_up(pier.reopened().house, tmp_path / "b.tar")).left_out == ()
    done(restore(tmp_path / "b.tar", tmp_path / "again", pier.home / "keys", None))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
@pytest.mark.parametrize("count", [10, 3_000])
def test_headers_that_extend_headers_come_to_an_end(keys, tmp_path, kind, count):
    entry, content = tarfile.TarInfo("zhanqiao.toml"), b"10 path=a\n" if kind in b"xg" else b"a\0"
    entry.type, entry.size = kind, len(content)
    (tmp_path / "b.tar").write_bytes((entry.tobuf(tarfile.USTAR_FORMAT) + content.ljust(512, b"\0")) * count)
    home = tmp_path / "again"
    outcome = restore(tmp_path / "b.tar", home, keys, None)
    assert refused(outcome, home) == ["backup-malformed"]
    assert "extend each other" in str(outcome)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_no_link_pipe_or_device_is_made(backup, keys, tmp_path, kind):
    files = unpacked(backup)
    altered = tmp_path / "altered.tar"
    with tarfile.open(altered, "w") as tar:
        entry = tarfile.TarInfo("vault/segments/x/y.duckdb")
        entry.type, entry.linkname = kind, str(tmp_path / "b.tar")
        tar.addfile(entry)
        for name, content in files.items():
            plain = tarfile.TarInfo(name)
            plain.size = len(content)
            tar.addfile(plain, io.BytesIO(content))
    home = tmp_path / "again"
    assert refused(restore(altered, home, keys, None), home) == ["backup-malformed"]


@pytest.mark.parametrize("twice", ["state.sqlite3", "public/trust.txt", MANIFEST, SIGNATURE])
def test_no_file_stands_twice(backup, keys, tmp_path, twice):
    altered = written(tmp_path / "altered.tar", unpacked(backup), (twice, b"another"))
    home = tmp_path / "again"
    assert refused(restore(altered, home, keys, None), home) == ["backup-malformed"]


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{}", b"[]", b"null", b"\xff", b'{"version": 3}', b"[" * 100_000, b'{"version": 2, "files": []}'],
)
def test_a_manifest_that_is_none_is_named(backup, keys, tmp_path, manifest):
    files = {**unpacked(backup), MANIFEST: manifest, SIGNATURE: signed(manifest, keys)}
    altered = written(tmp_path / "altered.tar", files)
    home = tmp_path / "again"
    assert refused(restore(altered, home, keys, None), home) == ["backup-malformed"]


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x1f\x8b\x08" + bytes(100), bytes(10_240)])
def test_what_is_no_archive_is_named(keys, tmp_path, content):
    (tmp_path / "b.tar").write_bytes(content)
    home = tmp_path / "again"
    assert refused(restore(tmp_path / "b.tar", home, keys, None), home) == ["backup-malformed"]


def test_keys_of_another_deployment_open_nothing(backup, empty_home, keys, tmp_path):
    home = tmp_path / "again"
    assert refused(restore(backup, home, empty_home / "keys", None), home) == ["backup-foreign"]
    for foreign, code in (("vault", "backup-malformed"), ("ledger/log.pem", "keys-differ")):
        mixed = tmp_path / foreign.replace("/", "-")
        shutil.copytree(keys, mixed)
        other = empty_home / "keys" / foreign
        shutil.rmtree(mixed / foreign) if other.is_dir() else (mixed / foreign).unlink()
        shutil.copytree(other, mixed / foreign) if other.is_dir() else shutil.copy(other, mixed / foreign)
        assert refused(restore(backup, home, mixed, None), home) == [code]


def test_keys_are_wanted_whole(backup, keys, tmp_path):
    home, cut = tmp_path / "again", tmp_path / "keys"
    shutil.copytree(keys, cut)
    (cut / "vault" / "kek.key").unlink()
    assert refused(restore(backup, home, cut, None), home) == ["keys-unreadable"]
    assert refused(restore(backup, home, tmp_path / "nowhere", None), home) == ["keys-not-there"]


def test_what_else_lies_among_the_keys_is_not_taken_over(backup, keys, tmp_path):
    home, more = tmp_path / "again", tmp_path / "keys"
    shutil.copytree(keys, more)
    (more / "notes.txt").write_text("where the shares are")
    (more / "vault" / "kek.key.old").write_bytes(b"x" * 32)
    (more / "elsewhere").symlink_to("/etc")
    shutil.copy(more / "vault" / "kek.key", more / "people" / "copy.pem")
    assert isinstance(restore(backup, home, more, None), Restored)
    assert {path.name for path in (home / "keys").iterdir()} == {path.name for path in keys.iterdir()}
    assert {path.name for path in (home / "keys" / "vault").iterdir()} == {"kek.key", "keyring.json"}
    assert not (home / "keys" / "people" / "copy.pem").exists()


def test_a_folder_that_is_in_use_is_not_restored_into(backup, pier):
    before = {path: path.stat().st_mtime_ns for path in pier.home.rglob("*")}
    assert codes(restore(backup, pier.home, pier.home / "keys", None)) == ["home-not-empty"]
    assert {path: path.stat().st_mtime_ns for path in pier.home.rglob("*")} == before


def test_a_checkpoint_of_another_history_is_found(pier, tmp_path):
    """Under the same key: somebody went on from an older copy, and a checkpoint of that got out."""
    fork = tmp_path / "fork"
    shutil.copytree(pier.home, fork)
    connections.close_all()
    twin = type(pier)(done(open_house(fork)), pier.settled)
    released(twin.ask("SELECT count(*) AS n FROM firm_turnover"))
    newest = (fork / "ledger" / "checkpoint").read_bytes()
    again = pier.reopened()
    released(again.ask("SELECT count(*) AS n FROM pension_enrolment"))
    done(back_up(again.house, tmp_path / "later.tar"))
    home = tmp_path / "again"
    assert refused(restore(tmp_path / "later.tar", home, pier.home / "keys", newest), home) == ["backup-malformed"]


def test_what_is_no_checkpoint_is_named(backup, keys, tmp_path):
    home = tmp_path / "again"
    assert refused(restore(backup, home, keys, b"nothing"), home) == ["checkpoint-not-ours"]
