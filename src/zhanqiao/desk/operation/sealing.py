# SPDX-License-Identifier: Apache-2.0
"""Sealing (密钥封存): the acts on a deployment's keys, each an event. The form of the seal is `desk.sealed_keys`'.

keys.split          a system administrator made shares for custodians; former shares open nothing from then on
platform.unsealed   at the machine, with the shares of these custodians
platform.sealed     at the machine
"""

import os
from collections.abc import Sequence
from pathlib import Path

from zhanqiao.desk import sealed_keys
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.backup import HOST
from zhanqiao.identity.attempts import note_refusal
from zhanqiao.identity.directory import check_actor, find_person
from zhanqiao.identity.people import Role
from zhanqiao.ledger import durable
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal, refuse
from zhanqiao.vault.house import House

SPLIT = "keys.split"
SHARE_SUFFIX = ".share"


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
    if Path(os.path.realpath(folder)).is_relative_to(house.home.resolve()):
        return refuse("shares-inside", folder=str(folder))
    made = sealed_keys.split(house.home, threshold, custodians)
    if isinstance(made, Refusal):
        return made
    files = {custodian: folder / f"{custodian}{SHARE_SUFFIX}" for custodian in custodians}
    try:
        for custodian, file in files.items():
            durable.write_new(file, f"{made.written[custodian]}\n".encode())
    except FileExistsError as cause:
        return refuse("file-exists", file=str(cause.filename2 or cause.filename))
    except durable.DiskFull:
        raise
    except OSError as cause:
        return refuse("file-not-written", file=str(folder), cause=cause.strerror or "-")
    # On the record before it is done: a crash between leaves the former keys as they were.
    facts: dict[str, object] = {"set": made.seal.set, "threshold": threshold, "custodians": list(custodians)}
    with house.book.recording() as tx:
        # Asked where it is logged as well: the role may have been taken since, and the audit would say so.
        if fallen := check_actor(by, Role.SYSTEM_ADMIN):
            return note_refusal(tx, SPLIT, by, "keys", fallen)
        tx.add(Event(SPLIT, by, facts=facts))
    house.book.publish()
    return sealed_keys.put_in_force(house.home, made) or files


def unseal(home: Path, written: Sequence[str]) -> tuple[str, ...] | Refusal:
    """Open the keys into memory with custodians' shares, and log whose; what cannot be logged is sealed again."""
    custodians = sealed_keys.unseal(home, written)
    if isinstance(custodians, Refusal):
        return custodians
    try:
        house = open_house(home)
        if isinstance(house, Refusal):
            sealed_keys.seal_again(home)
            return house
        with house.book.recording(Event("platform.unsealed", HOST, facts={"custodians": list(custodians)})):
            pass
        house.book.publish()
    except BaseException:
        sealed_keys.seal_again(home)
        raise
    return custodians


def seal(house: House) -> Refusal | None:
    """Log that the keys are sealed, and take them out of memory; None when done."""
    if not sealed_keys.is_sealed(house.home / sealed_keys.KEYS):
        return refuse("keys-not-sealed", home=str(house.home))
    with house.book.recording(Event("platform.sealed", HOST)):
        pass
    house.book.publish()
    sealed_keys.seal_again(house.home)
    return None


def _not_in_service(custodians: Sequence[str]) -> list[Reason]:
    found = {custodian: find_person(custodian) for custodian in custodians}
    return [
        Reason("person-unknown", {"person": custodian})
        for custodian, person in found.items()
        if person is None or not person.active
    ]
