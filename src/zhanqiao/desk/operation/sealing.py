# SPDX-License-Identifier: Apache-2.0
"""Sealing (密钥封存): the acts on a deployment's keys, each an event. The form of the seal is `desk.sealed_keys`'.

keys.split          a system administrator made shares for custodians; former shares open these files no more
keys.split-failed   and they were not put in force: the former ones are
platform.unsealed   at the machine, with the shares of these custodians
platform.sealed     at the machine
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from django.db import DatabaseError

from zhanqiao.desk import damage, sealed_keys
from zhanqiao.desk.configuration import SETTINGS_FILE
from zhanqiao.desk.deployment import of_another_user, open_house
from zhanqiao.desk.operation.backup import HOST
from zhanqiao.desk.paths import lies_inside
from zhanqiao.identity.attempts import note_refusal
from zhanqiao.identity.directory import check_actor, find_person
from zhanqiao.identity.people import Role
from zhanqiao.ledger import durable
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal, refuse
from zhanqiao.vault.house import House

SPLIT = sealed_keys.SPLIT
SHARE_SUFFIX = ".share"
T = TypeVar("T")


def split_keys(
    house: House, threshold: int, custodians: Sequence[str], folder: Path, by: str
) -> dict[str, Path] | Refusal:
    """Seal the keys under a new secret, and write a share for each custodian into a file of `folder`; return the files.

    custodians  people in service, each of them once; any `threshold` of them open the deployment
    """
    reasons = (*check_actor(by, Role.SYSTEM_ADMIN), *_not_in_service(custodians))
    if reasons:
        with house.book.recording() as tx:
            return note_refusal(tx, SPLIT, by, "keys", reasons)
    # Where the deployment lies the shares would be sealed with nothing.
    if lies_inside(folder, house.home):
        return refuse("shares-inside", folder=str(folder))
    # One after another: what the log says last is in force.
    with sealed_keys.turn(house.home):
        made = sealed_keys.split(house.home, threshold, custodians)
        if isinstance(made, Refusal):
            return made
        files = {custodian: folder / f"{custodian}{SHARE_SUFFIX}" for custodian in custodians}
        try:
            refusal = _write_shares(made, files) or _record(house, made, by) or _put_in_force(house, made)
        except BaseException:
            _remove_shares(house, made, files)
            raise
        if refusal is not None:
            _remove_shares(house, made, files)
            return refusal
    house.book.publish()
    return files


def unseal(home: Path, written: Sequence[str]) -> tuple[str, ...] | Refusal:
    """Open the keys into memory with custodians' shares, and log whose; what cannot be logged is sealed again."""

    def logged(custodians: tuple[str, ...]) -> tuple[str, ...] | Refusal:
        house = open_house(home, unlogged=True)
        if isinstance(house, Refusal):
            return house
        return log_opened(house, custodians) or custodians

    return opening(home, written, logged)


def opening(home: Path, written: Sequence[str], act: Callable[[tuple[str, ...]], T | Refusal]) -> T | Refusal:
    """Open the keys with custodians' shares and act, told whose they are; refused or failed, the keys are sealed again."""
    # Of a folder that is not there nobody can ask whose it is.
    if (home / sealed_keys.KEYS).is_dir() and (refusal := of_another_user(home)) is not None:
        return refusal
    custodians = sealed_keys.unseal(home, written)
    if isinstance(custodians, Refusal):
        return custodians
    try:
        outcome = act(custodians)
    except BaseException:
        sealed_keys.seal_again(home)
        raise
    if isinstance(outcome, Refusal):
        sealed_keys.seal_again(home)
    return outcome


def log_opened(house: House, custodians: Sequence[str]) -> Refusal | None:
    """Say in the log whose shares opened the keys; refused where somebody has sealed them meanwhile."""
    with sealed_keys.turn(house.home):
        if isinstance(keys := sealed_keys.keys_of(house.home, unlogged=True), Refusal):
            return keys
        with house.book.recording(Event("platform.unsealed", HOST, facts={"custodians": list(custodians)})):
            pass
        sealed_keys.told(house.home)
    house.book.publish()
    return None


def seal(home: Path) -> Refusal | None:
    """Take the keys out of memory, whatever else is wrong, and log it where that can be; None when both were done.

    Logged once it is so, with the keys that this process still holds: the log never says sealed of what lies open.
    """
    keys = home / sealed_keys.KEYS
    if not (home / SETTINGS_FILE).exists() and not keys.is_dir():
        return _forget_gone(home)
    if not sealed_keys.is_sealed(keys):
        # Perhaps their last copy.
        away = sealed_keys.memory_of(home).exists()
        return refuse("keys-away", home=str(home)) if away else refuse("keys-not-sealed", home=str(home))
    if (refusal := of_another_user(home)) is not None:
        return refusal
    try:
        house = open_house(home)
    except BaseException:
        sealed_keys.seal_again(home)
        raise
    # One turn for both: nobody opens them in between, of whom the log would say so first.
    with sealed_keys.turn(home):
        try:
            lay_there = sealed_keys.take_out(home)
        except OSError as cause:
            return refuse("keys-in-memory-still", cause=str(cause))
        if not lay_there:
            return refuse("keys-sealed-already")
        unlogged = house if isinstance(house, Refusal) else _log_sealed(house)
    return None if unlogged is None else Refusal((Reason("sealed-unlogged"), *unlogged.reasons))


def _log_sealed(house: House) -> Refusal | None:
    try:
        with house.book.recording(Event("platform.sealed", HOST)):
            pass
        house.book.publish()
    except Exception as fault:
        if (refusal := damage.named(fault)) is None:
            raise
        return refusal
    return None


def _forget_gone(home: Path) -> Refusal | None:
    """Of a deployment that was removed while its keys were open they lie in memory still."""
    try:
        return None if sealed_keys.forget(home) else refuse("no-deployment", home=str(home))
    except OSError as cause:
        return refuse("keys-in-memory-still", cause=str(cause))


def _write_shares(made: sealed_keys.Split, files: dict[str, Path]) -> Refusal | None:
    """Write each share into a new file."""
    if there := next((file for file in files.values() if os.path.lexists(file)), None):
        return refuse("file-exists", file=str(there))
    try:
        for custodian, file in files.items():
            durable.write_new(file, _share_of(made, custodian))
    except FileExistsError as cause:
        return refuse("file-exists", file=str(cause.filename2 or cause.filename))
    except durable.DiskFull:
        raise
    except OSError as cause:
        folder = next(iter(files.values())).parent
        return refuse("file-not-written", file=str(folder), cause=cause.strerror or "-")
    return None


def _share_of(made: sealed_keys.Split, custodian: str) -> bytes:
    return f"{made.written[custodian]}\n".encode()


def _remove_shares(house: House, made: sealed_keys.Split, files: dict[str, Path]) -> None:
    """Remove shares that open nothing; what they do open, if the seal got its name all the same, they must go on opening."""
    if sealed_keys.is_in_force(house.home, made.seal):
        return
    for custodian, file in files.items():
        # Somebody else's of the same name stays.
        if file.is_file() and file.read_bytes() == _share_of(made, custodian):
            file.unlink()


def _record(house: House, made: sealed_keys.Split, by: str) -> Refusal | None:
    """Log it before it is done: a crash between leaves the former keys as they were, and more in the log than was done."""
    seal = made.seal
    facts: dict[str, object] = {"set": seal.set, "threshold": seal.threshold, "custodians": list(seal.custodians)}
    with house.book.recording() as tx:
        # Asked where it is logged as well: the role may have been taken since, and the audit would say so.
        if fallen := check_actor(by, Role.SYSTEM_ADMIN):
            return note_refusal(tx, SPLIT, by, "keys", fallen)
        tx.add(Event(SPLIT, by, facts=facts))
    return None


def _put_in_force(house: House, made: sealed_keys.Split) -> Refusal | None:
    refusal: Refusal | None = None
    try:
        refusal = sealed_keys.put_in_force(house.home, made)
    finally:
        if not sealed_keys.is_in_force(house.home, made.seal):
            # On a full disk it may be that this cannot be said either; why it failed is what matters then.
            with suppress(OSError, DatabaseError), house.book.recording(_failed(made)):
                pass
    return refusal


def _failed(made: sealed_keys.Split) -> Event:
    return Event(f"{SPLIT}-failed", HOST, facts={"set": made.seal.set})


def _not_in_service(custodians: Sequence[str]) -> list[Reason]:
    found = {custodian: find_person(custodian) for custodian in custodians}
    return [
        Reason("person-unknown" if person is None else "person-inactive", {"person": custodian})
        for custodian, person in found.items()
        if person is None or not person.active
    ]
