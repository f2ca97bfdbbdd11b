# SPDX-License-Identifier: Apache-2.0
"""Seats: who witnesses the log. The log says it, and so do the settings and the trust file that is published.

Whoever changes them reads, logs and writes under one lock, so that two changes at once are two changes. The settings
come last: a crash before leaves the former witnesses there, the audit says so, and who repeats the change completes it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from zhanqiao.desk.configuration import (
    MOST_SETTINGS,
    SETTINGS_FILE,
    Deployment,
    read_settings,
    settings_text,
    write_settings,
)
from zhanqiao.desk.deployment import publish_keys, trust_naming
from zhanqiao.desk.sealed_keys import keys_of
from zhanqiao.identity.attempts import note_refusal
from zhanqiao.identity.directory import check_actor
from zhanqiao.identity.people import Role
from zhanqiao.ledger import durable
from zhanqiao.ledger.entries import LedgerDamaged, TrustStrange
from zhanqiao.ledger.keys import LogKeys, open_keys
from zhanqiao.ledger.problems import Unsound
from zhanqiao.ledger.regular_file import read_whole
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.witnesses import Seat
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.vault.house import House

ADDED, REMOVED = "ledger.witness-added", "ledger.witness-removed"
# For who is named from now on: deployments that know longer ones, or more, still open.
_MOST_NAME, _MOST_URL = 255, 2_000
# A note has 16 signatures at the most that every reader takes, one of them the log's own.
_MOST_WITNESSES = 15
Change = Callable[[Deployment, LogKeys], Deployment | Refusal]


@dataclass(frozen=True)
class NamedWitnesses:
    """Who is a witness: by the settings, name -> address and key; by the trust file, name -> key."""

    settings: dict[str, str]
    trust: dict[str, str]


def unheard(house: House, seat: Seat, by: str) -> Refusal | None:
    """Show the log to who is to be its witness: without one that does cosign, nothing would leave from then on.

    Who may not name witnesses, or names one that cannot be one, has nobody called; `add_witness` tells him so.
    """
    if check_actor(by, Role.SYSTEM_ADMIN) or _unfit(seat, house.book.witnesses.seats):
        return None
    heard = house.book.introduce(seat)
    if heard.trouble is None:
        return None
    return refuse("witness-unheard", name=seat.name, cause=f"{heard.trouble} ({heard.cause})")


def add_witness(house: House, seat: Seat, by: str) -> Refusal | None:
    """Let a witness cosign the log from now on; None when done."""

    def add(former: Deployment, keys: LogKeys) -> Deployment | Refusal:
        wanted = replace(former, witnesses=(*former.witnesses, seat))
        return _unfit(seat, former.witnesses) or _unreadable(wanted, keys) or wanted

    facts: dict[str, object] = {"name": seat.name, "url": seat.url, "vkey": seat.verifier.vkey}
    return _change(house, "ledger.witness-add", Event(ADDED, by, facts=facts), add)


def remove_witness(house: House, name: str, by: str) -> Refusal | None:
    """Ask a witness no more; None when done."""

    def remove(former: Deployment, _: LogKeys) -> Deployment | Refusal:
        kept = tuple(seat for seat in former.witnesses if seat.name != name)
        return refuse("witness-unknown", name=name) if kept == former.witnesses else replace(former, witnesses=kept)

    return _change(house, "ledger.witness-remove", Event(REMOVED, by, facts={"name": name}), remove)


def witnesses_named(house: House, settings: Deployment | None = None) -> NamedWitnesses:
    """Return who is named as a witness, while nobody changes it.

    Raises LedgerDamaged where the settings do not tell, TrustStrange where the trust file names keys of strangers.

    settings  as `audit`
    """
    said = read_settings(house.home / SETTINGS_FILE) if settings is None else settings
    if isinstance(said, Refusal):
        raise LedgerDamaged(f"couldn't audit: {said.reasons[0].message('en')}")
    trust = Trust.parse(read_whole(house.home / "public" / "trust.txt"), published=True)
    # In a backup nobody could correct it.
    if settings is None and (strange := house.book.strange_keys(trust)):
        raise TrustStrange(f"public/trust.txt names {strange[0]}")
    return NamedWitnesses(
        {seat.name: f"{seat.url} {seat.verifier.vkey}" for seat in said.witnesses},
        {name: verifier.vkey for name, verifier in trust.witnesses.items()},
    )


def settings_lock(house: House) -> AbstractContextManager[None]:
    """Let nobody change the witnesses inside; who is changing them is waited for."""
    return durable.only_writer(house.home / ".settings.lock")


def _unfit(seat: Seat, others: tuple[Seat, ...]) -> Refusal | None:
    """Say why somebody cannot be named a witness beside these."""
    for what, said, most in (
        ("name", seat.name, _MOST_NAME),
        ("address", seat.url, _MOST_URL),
        ("key's name", seat.verifier.name, _MOST_URL),
    ):
        if len(said) > most:
            return refuse("witness-malformed", cause=f"its {what} is longer than {most} letters")
    if any(seat.rivals(other) for other in others):
        return refuse("witness-taken", name=seat.name)
    if len(others) >= _MOST_WITNESSES:
        return refuse("witnesses-full", name=seat.name, cause=f"{len(others)} >= {_MOST_WITNESSES}")
    return None


def _unreadable(wanted: Deployment, keys: LogKeys) -> Refusal | None:
    """Say why settings or trust file could not be read any more, which would close the deployment."""
    name = wanted.witnesses[-1].name
    if (length := len(settings_text(wanted))) > MOST_SETTINGS:
        return refuse("witnesses-full", name=name, cause=f"{SETTINGS_FILE}: {length} > {MOST_SETTINGS}")
    try:
        trust_naming(keys, wanted.witnesses)
    except Unsound as flaw:
        return refuse("witness-malformed", cause=str(flaw))
    return None


def _change(house: House, act: str, event: Event, change: Change) -> Refusal | None:
    path = house.home / SETTINGS_FILE
    with settings_lock(house):
        former, opened = read_settings(path), keys_of(house.home)
        if isinstance(former, Refusal):
            return former
        if isinstance(opened, Refusal):
            return opened
        keys = open_keys(opened / "ledger", former.origin)
        # Before it is logged: what the log says and the settings do not is missed by the audit.
        wanted = change(former, keys)
        with house.book.recording() as tx:
            reasons = check_actor(event.by, Role.SYSTEM_ADMIN)
            if isinstance(wanted, Refusal):
                reasons = (*reasons, *wanted.reasons)
            if reasons or isinstance(wanted, Refusal):
                return note_refusal(tx, act, event.by, str(event.facts["name"]), reasons)
            tx.add(event)
        if set(former.witnesses) - set(wanted.witnesses):
            house.book.witnesses.forget()
        publish_keys(house.home / "public", keys, wanted.witnesses)
        write_settings(path, wanted)
    return None
