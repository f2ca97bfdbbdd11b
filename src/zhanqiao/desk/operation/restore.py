# SPDX-License-Identifier: Apache-2.0
"""Restore: a deployment from a backup and the keys, in an empty folder; proven before anybody works in it.

    (1) the keys, and every file but the settings, to its place; all files exactly what the backup lists, and the list
        signed under those keys. Nothing in them was looked at before
    (2) proof, under settings that only this process has: keys are the published ones, the state's file is sound, the
        whole log is audited, whatever the state names is there, and everything that is sealed opens
    (3) the newest checkpoint that anybody holds is not beyond the backup: a log that went on from an older state would
        tell a second history under the same key
    (4) the log says that it was restored, and then the settings get their name, without which the folder is no
        deployment: nobody else opens it before, and what a crash leaves is nobody's
    (5) the world is told, from a deployment that stays

What was refused leaves nothing behind, and the backup and keys as they were. What was broken off is found by the settings
without a name, with which it began.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from zhanqiao.desk import damage, sealed_keys
from zhanqiao.desk.audit import audit
from zhanqiao.desk.backed_up import RESTORED
from zhanqiao.desk.configuration import SETTINGS_FILE, Deployment, parse_settings
from zhanqiao.desk.deployment import Claim, claimed, open_as, taken
from zhanqiao.desk.operation.archive import (
    BackupForeign,
    BackupMalformed,
    Manifest,
    Member,
    Unpacking,
    begins_as_backup,
)
from zhanqiao.desk.operation.backup import HOST
from zhanqiao.desk.operation.parts import missing_parts, prove_parts
from zhanqiao.ledger import certificate, durable, regular_file
from zhanqiao.ledger.entries import LedgerDamaged, LedgerOlder
from zhanqiao.ledger.keys import envelope_key
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.vault.faults import KeyFault, VaultFault
from zhanqiao.vault.house import House

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
    file: Path,
    home: Path,
    keys: Path,
    newest: bytes | None,
    clock: Callable[[], datetime] | None = None,
    shares: Sequence[str] = (),
) -> Restored | Refusal:
    """Restore a deployment into `home`, which must be empty.

    keys    a copy of the deployment's keys folder
    shares  what opens it, as custodians write it, where it is sealed
    newest  the newest checkpoint that somebody holds, signed; None when whoever restores says that there is none
    """
    if (refusal := foreseen(file, home, keys)) is not None:
        return refusal
    claim = claimed(home)
    if isinstance(claim, Refusal):
        return claim
    try:
        outcome = _restored(file, claim, keys, newest, clock, shares)
    except BaseException as fault:
        # What has become a deployment stays: witnesses would remember a log that is gone.
        if not (home / SETTINGS_FILE).exists():
            _take_back(claim)
        refusal = damage.named(fault) if isinstance(fault, Exception) else None
        if refusal is None:
            raise
        return refusal
    if isinstance(outcome, Refusal):
        _take_back(claim)
    return outcome


def foreseen(file: Path, home: Path, keys: Path) -> Refusal | None:
    """Say what can be seen to fail before anybody is asked for a share."""
    if not (keys / sealed_keys.SEALED).exists() and not sealed_keys.lying_open(keys):
        return refuse("keys-not-there", folder=str(keys))
    try:
        if not begins_as_backup(file):
            return refuse("backup-malformed", file=file.name, cause="it is no archive")
    except OSError as cause:
        return refuse("file-unusable", file=file.name, cause=cause.strerror or "-")
    return taken(home)


def _take_back(claim: Claim) -> None:
    """Remove what was made on the disk and in memory."""
    try:
        sealed_keys.seal_again(claim.home)
    finally:
        claim.take_back()


def _restored(
    file: Path,
    claim: Claim,
    keys: Path,
    newest: bytes | None,
    clock: Callable[[], datetime] | None,
    shares: Sequence[str],
) -> Restored | Refusal:
    home = claim.home
    taken_over = _copy_keys(keys, home, shares)
    if isinstance(taken_over, Refusal):
        return taken_over
    key, custodians = taken_over
    try:
        manifest, settings = _unpack(file, home, key)
    except BackupMalformed as cause:
        return refuse("backup-malformed", file=file.name, cause=str(cause))
    except BackupForeign as cause:
        return refuse("backup-foreign", file=file.name, cause=str(cause))
    except durable.DiskFull:
        raise
    except OSError as cause:
        return refuse("file-unusable", file=file.name, cause=cause.strerror or "-")
    deployment = parse_settings(settings)
    if isinstance(deployment, Refusal):
        return deployment
    house = open_as(home, deployment, clock, unlogged=True)
    outcome = house if isinstance(house, Refusal) else _proven(house, deployment, manifest, file.name, newest)
    if isinstance(outcome, Restored):
        _log_restored(outcome, custodians)
    if isinstance(outcome, Restored):
        claim.finish(settings)
        outcome.house.book.publish()
    return outcome


def _proven(
    house: House, settings: Deployment, manifest: Manifest, file: str, newest: bytes | None
) -> Restored | Refusal:
    try:
        entries = audit(house, settings)
        if newest is not None and (refusal := _behind(house, newest)) is not None:
            return refusal
        missing = missing_parts(house)
        if not missing:
            prove_parts(house)
    except (LedgerDamaged, VaultFault, KeyFault) as flaw:
        return refuse("backup-malformed", file=file, cause=str(flaw))
    except LedgerOlder as older:
        return refuse("ledger-older", cause=str(older))
    if missing:
        return refuse("backup-malformed", file=file, cause=f"{missing[0]} is missing")
    return Restored(house, manifest, entries)


def _log_restored(restored: Restored, custodians: Sequence[str]) -> None:
    """Say it in the log, and whose shares opened the keys, where they were sealed."""
    book = restored.house.book
    facts: dict[str, object] = {"entries": restored.entries, "root": book.checkpoint().root.hex()}
    if custodians:
        facts["custodians"] = list(custodians)
    with book.recording(Event(RESTORED, HOST, facts=facts)):
        pass
    sealed_keys.told(restored.house.home)


def _behind(house: House, newest: bytes) -> Refusal | None:
    """Refuse when a checkpoint shows more than the log now has, or another history."""
    # Nobody is asked to cosign what is not proven yet.
    with house.book.still() as reached:
        held = reached.size
    try:
        # Each certificate ends with the checkpoint that its proof leads to.
        newest = certificate.parse(newest).note if newest.startswith(certificate.HEADER.encode()) else newest
        shown = house.book.confirm(newest)
    except ValueError as cause:
        return refuse("checkpoint-not-ours", cause=str(cause))
    return refuse("backup-behind", held=str(held), shown=str(shown.size)) if shown.size > held else None


def _unpack(file: Path, home: Path, key: Ed25519PublicKey) -> tuple[Manifest, bytes]:
    """Write every file but the settings; returns these, and what the backup, which `key` signed, says of itself."""
    settings = b""
    folders = {home}
    with regular_file.opened(file) as descriptor, os.fdopen(os.dup(descriptor), "rb") as source:
        unpacking = Unpacking(source, key)
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


def _copy_keys(keys: Path, home: Path, shares: Sequence[str]) -> tuple[Ed25519PublicKey, tuple[str, ...]] | Refusal:
    """Take the keys over; return the public half of the one that signs backups, and whose shares opened them, if any."""
    custodians: tuple[str, ...] = ()
    place = home / sealed_keys.KEYS
    try:
        for path in _key_files(keys):
            content = regular_file.read_bounded(path, _MOST_KEY)
            # A person's key is in PEM; what else lies among them is none.
            if path.parent != keys / sealed_keys.OF_PEOPLE or content.startswith(b"-----BEGIN "):
                durable.write_whole(place / path.relative_to(keys), content)
        if sealed_keys.is_sealed(place):
            # In memory may lie what a deployment left that was here before.
            sealed_keys.seal_again(home)
            opened = sealed_keys.unseal(home, shares)
            if isinstance(opened, Refusal):
                return opened
            custodians = opened
        if isinstance(lying := sealed_keys.keys_of(home, unlogged=True), Refusal):
            return lying
        return envelope_key(lying / "ledger").public_key(), custodians
    except durable.DiskFull:
        raise
    except OSError as cause:
        return refuse("keys-unreadable", cause=cause.strerror or "-")
    except (ValueError, TypeError) as cause:
        return refuse("keys-unreadable", cause=str(cause))


def _key_files(keys: Path) -> Iterator[Path]:
    """Yield what is a deployment's in a keys folder: whatever else lies there is not taken into the new one."""
    if not keys.is_dir():
        raise NotADirectoryError(0, f"{keys} is no folder")
    for name in (*sealed_keys.FILES, sealed_keys.KEYRING, sealed_keys.SEALED):
        if os.path.lexists(keys / name):
            yield keys / name
    yield from sorted((keys / sealed_keys.OF_PEOPLE).glob("*.pem"))
