# SPDX-License-Identifier: Apache-2.0
"""A backup that somebody altered, swapped or made up restores nothing, and leaves nothing behind."""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connections

from lib.pier import opened, released
from lib.town import codes, done
from zhanqiao.desk.configuration import utc_now
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.archive import MANIFEST
from zhanqiao.desk.operation.backup import back_up
from zhanqiao.desk.operation.restore import restore
from zhanqiao.terms.refusals import Refusal

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


def packed(file: Path, files: Files) -> Path:
    """Write an archive; whoever alters one can make its manifest agree."""
    manifest = json.loads(files.pop(MANIFEST))
    manifest["files"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    }
    with tarfile.open(file, "w") as tar:
        for name, content in {**files, MANIFEST: json.dumps(manifest).encode()}.items():
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
    assert refused(restore(backup, home, keys, None), home) == ["backup-malformed"]


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


def _flipped(prefix: str) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        name = next(name for name in sorted(files) if name.startswith(prefix))
        return {**files, name: flip(files[name])}

    return change


def _newest_entries_flipped(files: Files) -> Files:
    size = int(files["ledger/checkpoint"].split(b"\n")[1])
    name = next(name for name in files if name.startswith("ledger/tile/entries") and name.endswith(f".p/{size % 256}"))
    return {**files, name: flip(files[name])}


ALTERED: dict[str, tuple[Callable[[Files], Files], str]] = {
    "a segment is missing": (_without("vault/segments/pension_enrolment"), "backup-malformed"),
    "a cube is missing": (_without("vault/states/pension_enrolment"), "backup-malformed"),
    "the subject book is missing": (_without("vault/subjects/person"), "backup-malformed"),
    "an identity file is missing": (_without("vault/identities/person"), "backup-malformed"),
    "a tile was changed": (_newest_entries_flipped, "backup-malformed"),
    "the checkpoint is missing": (_without("ledger/checkpoint"), "backup-malformed"),
    "the trust file is another one": (_flipped("public/trust.txt"), "keys-differ"),
    "the state is missing": (_without("state.sqlite3"), "state-damaged"),
    "the settings are missing": (_without("zhanqiao.toml"), "settings-wrong"),
}


@pytest.mark.parametrize("case", ALTERED)
def test_a_backup_whose_manifest_agrees_is_checked_all_the_same(backup, keys, tmp_path, case):
    change, code = ALTERED[case]
    home = tmp_path / "again"
    altered = packed(tmp_path / "altered.tar", change(unpacked(backup)))
    assert refused(restore(altered, home, keys, None), home) == [code]


def test_the_control_packs_a_backup_that_restores(backup, keys, tmp_path):
    done(restore(packed(tmp_path / "same.tar", unpacked(backup)), tmp_path / "again", keys, None))


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
    altered = packed(tmp_path / "altered.tar", {**unpacked(backup), name: b"out"})
    assert refused(restore(altered, home, keys, None), home) == ["backup-malformed"]
    assert not list(tmp_path.rglob("out"))


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


@pytest.mark.parametrize("twice", ["state.sqlite3", "public/trust.txt", MANIFEST])
def test_no_file_stands_twice(backup, keys, tmp_path, twice):
    altered = tmp_path / "altered.tar"
    with tarfile.open(altered, "w") as tar:
        for name, content in [*unpacked(backup).items(), (twice, b"another")]:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    home = tmp_path / "again"
    assert refused(restore(altered, home, keys, None), home) == ["backup-malformed"]


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{}", b"[]", b"null", b"\xff", b'{"version": 2}', b"[" * 100_000, b'{"version": 1, "files": []}'],
)
def test_a_manifest_that_is_none_is_named(backup, keys, tmp_path, manifest):
    altered = tmp_path / "altered.tar"
    with tarfile.open(altered, "w") as tar:
        for name, content in {**unpacked(backup), MANIFEST: manifest}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    home = tmp_path / "again"
    assert refused(restore(altered, home, keys, None), home) == ["backup-malformed"]


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x1f\x8b\x08" + bytes(100), bytes(10_240)])
def test_what_is_no_archive_is_named(keys, tmp_path, content):
    (tmp_path / "b.tar").write_bytes(content)
    home = tmp_path / "again"
    assert refused(restore(tmp_path / "b.tar", home, keys, None), home) == ["backup-malformed"]


def test_keys_of_another_deployment_open_nothing(backup, empty_home, keys, tmp_path):
    home = tmp_path / "again"
    assert refused(restore(backup, home, empty_home / "keys", None), home) == ["keys-differ"]
    mixed = tmp_path / "mixed"
    shutil.copytree(keys, mixed)
    shutil.rmtree(mixed / "vault")
    shutil.copytree(empty_home / "keys" / "vault", mixed / "vault")
    assert refused(restore(backup, home, mixed, None), home) == ["backup-malformed"]


def test_keys_are_wanted_whole(backup, keys, tmp_path):
    home, cut = tmp_path / "again", tmp_path / "keys"
    shutil.copytree(keys, cut)
    (cut / "vault" / "kek.key").unlink()
    assert refused(restore(backup, home, cut, None), home) == ["keys-unreadable"]
    assert refused(restore(backup, home, tmp_path / "nowhere", None), home) == ["keys-unreadable"]


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
