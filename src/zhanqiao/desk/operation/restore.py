# SPDX-License-Identifier: Apache-2.0
"""Restore: a deployment from a backup and the keys, in an empty folder; proven before anybody works in it.

    (1) every file to its place, and all of them exactly what the backup's last member lists
    (2) the keys, and last the settings, without which the folder is no deployment
    (3) proof: keys are the published ones, the whole log is audited, whatever the state names is there
    (4) the newest checkpoint that anybody holds is not beyond the backup: a log that went on from an older state would
        tell a second history under the same key

What was refused leaves nothing behind, and the backup and keys as they were.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from zhanqiao.desk import damage
from zhanqiao.desk.audit import audit
from zhanqiao.desk.configuration import SETTINGS_FILE
from zhanqiao.desk.deployment import is_free, missing_folders, open_house, take_back
from zhanqiao.desk.operation.archive import BackupMalformed, Manifest, Member, Unpacking
from zhanqiao.desk.operation.backup import HOST
from zhanqiao.desk.operation.parts import missing_parts
from zhanqiao.ledger import certificate, durable, regular_file
from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.vault.faults import KeyFault, VaultFault
from zhanqiao.vault.house import House

KEYS = "keys"
# A key file holds a few hundred bytes, the keyring some thousand.
_MOST_KEY = 1 << 20


@dataclass(frozen=True)
class Restored:
    """What was restored.

    entries  of the log, all of them audited
    """

    house: House
    manifest: Manifest
    entries: int


def restore(
    file: Path, home: Path, keys: Path, newest: bytes | None, clock: Callable[[], datetime] | None = None
) -> Restored | Refusal:
    """Restore a deployment into `home`, which must be empty.

    keys    a copy of the deployment's keys folder
    newest  the newest checkpoint that somebody holds, signed; None when whoever restores says that there is none
    """
    if not is_free(home):
        return refuse("home-not-empty", home=str(home))
    added = missing_folders(home)
    try:
        outcome = _restored(file, home, keys, newest, clock)
    except BaseException as fault:
        take_back(home, added)
        refusal = damage.named(fault) if isinstance(fault, Exception) else None
        if refusal is None:
            raise
        return refusal
    if isinstance(outcome, Refusal):
        take_back(home, added)
    return outcome


def _restored(
    file: Path, home: Path, keys: Path, newest: bytes | None, clock: Callable[[], datetime] | None
) -> Restored | Refusal:
    try:
        durable.make_folder(home)
        home.chmod(0o700)
    except OSError as cause:
        return refuse("file-not-written", file=str(home), cause=cause.strerror or "-")
    try:
        manifest, settings = _unpack(file, home)
    except BackupMalformed as cause:
        return refuse("backup-malformed", file=file.name, cause=str(cause))
    except durable.DiskFull:
        raise
    except OSError as cause:
        return refuse("file-unusable", file=file.name, cause=cause.strerror or "-")
    refusal = _copy_keys(keys, home / KEYS)
    if refusal is not None:
        return refusal
    durable.write_whole(home / SETTINGS_FILE, settings)
    house = open_house(home, clock)
    return house if isinstance(house, Refusal) else _proven(house, manifest, file.name, newest)


def _proven(house: House, manifest: Manifest, file: str, newest: bytes | None) -> Restored | Refusal:
    try:
        entries = audit(house)
        if newest is not None and (refusal := _behind(house, newest)) is not None:
            return refusal
        missing = missing_parts(house)
    except (LedgerDamaged, VaultFault, KeyFault) as flaw:
        return refuse("backup-malformed", file=file, cause=str(flaw))
    if missing:
        return refuse("backup-malformed", file=file, cause=f"{missing[0]} is missing")
    facts: dict[str, object] = {"entries": entries, "root": house.book.checkpoint().root.hex()}
    with house.book.recording(Event("platform.restored", HOST, facts=facts)):
        pass
    house.book.publish()
    return Restored(house, manifest, entries)


def _behind(house: House, newest: bytes) -> Refusal | None:
    """Refuse when a checkpoint shows more than the log now has, or another history."""
    held = house.book.publish().size
    try:
        # Each certificate ends with the checkpoint that its proof leads to.
        newest = certificate.parse(newest).note if newest.startswith(certificate.HEADER.encode()) else newest
        shown = house.book.confirm(newest)
    except ValueError as cause:
        return refuse("checkpoint-not-ours", cause=str(cause))
    return refuse("backup-behind", held=str(held), shown=str(shown.size)) if shown.size > held else None


def _unpack(file: Path, home: Path) -> tuple[Manifest, bytes]:
    """Write every file but the settings; returns these, and what the backup says of itself."""
    settings = b""
    folders = {home}
    with regular_file.opened(file) as descriptor, os.fdopen(os.dup(descriptor), "rb") as source:
        unpacking = Unpacking(source)
        for member in unpacking.members():
            if member.name == SETTINGS_FILE:
                settings = b"".join(member.pieces)
                continue
            path = home / member.name
            durable.make_folder(path.parent)
            folders.add(path.parent)
            _write(path, member)
    for folder in folders:
        durable.sync_folder(folder)
    assert unpacking.manifest is not None, "read to its end"
    return unpacking.manifest, settings


def _write(path: Path, member: Member) -> None:
    mode = (
        durable.PUBLIC if member.name.startswith(("public/", "ledger/tile/", "ledger/checkpoint")) else durable.PRIVATE
    )
    with durable.created(path, mode=mode) as file:
        for piece in member.pieces:
            file.write(piece)


def _copy_keys(keys: Path, place: Path) -> Refusal | None:
    try:
        for path in _key_files(keys):
            durable.write_whole(place / path.relative_to(keys), regular_file.read_bounded(path, _MOST_KEY))
    except durable.DiskFull:
        raise
    except OSError as cause:
        return refuse("keys-unreadable", cause=cause.strerror or "-")
    return None


def _key_files(keys: Path) -> Iterator[Path]:
    if not keys.is_dir():
        raise NotADirectoryError(0, f"{keys} is no folder")
    yield from (path for path in sorted(keys.rglob("*")) if path.is_file())
