# SPDX-License-Identifier: Apache-2.0
"""The examination (体检): whether a deployment can be relied on, and which walls it lacks. Changes nothing.

A finding is a reason of the refusal table, so that it has a sentence and a remedy. Two kinds:

    wrong    something that loses data, opens it to others, or stops work        the command ends with 3
    wall     what separates less than it could; the profile allows it, and it is named. Production allows few of them

Whether each entry and each row is what was signed is `ledger audit`'s to say, which reads all of them.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from zhanqiao.desk import damage, schema, state
from zhanqiao.desk.backed_up import newest_backup
from zhanqiao.desk.configuration import PRODUCTION, SETTINGS_FILE, Serving, read_settings, utc_now
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.parts import missing_parts, prove_parts
from zhanqiao.desk.operation.rights import open_beside_owner
from zhanqiao.desk.paths import FLEETING, file_system_of
from zhanqiao.desk.presence import absent
from zhanqiao.desk.sealed_keys import KEYS, memory_of
from zhanqiao.desk.serving import socket_folder, tls, walls
from zhanqiao.desk.serving.plan import Plan, plan, unrunnable
from zhanqiao.identity.keys import DEMO
from zhanqiao.terms.refusals import Reason, Refusal
from zhanqiao.vault.house import House

T = TypeVar("T")
# name -> whether the profile allows what is found, and the check
Checks = dict[str, tuple[bool, Callable[[T], Iterable[Reason]]]]

_MOST_DAYS_WITHOUT_BACKUP = 7
_LEAST_FREE_BYTES, _LEAST_FREE_PERCENT = 1 << 30, 5
# Where locks or syncs are a promise of somebody else's.
_FOREIGN = ("nfs", "cifs", "smb", "fuse", "9p", "ceph")


@dataclass(frozen=True)
class Finding:
    """One check and what it found.

    reason  None when all is well
    wall    the profile allows it
    """

    check: str
    reason: Reason | None = None
    wall: bool = False

    @property
    def wrong(self) -> bool:
        return self.reason is not None and not self.wall


def examine(home: Path, *, deep: bool = False) -> list[Finding] | Refusal:
    """Make every check, in a fixed order; when the deployment does not open, why, and what can be seen from outside.

    deep  open every sealed file, too: that takes as long as it takes a restore
    Where there is no deployment nothing is examined: what is said of it would be said of somebody else's folder.
    """
    if (refusal := absent(home)) is not None:
        return refusal
    required = _required(home)
    findings = [*_run(_to_be_made(home), home, required)]
    house = open_house(home)
    if isinstance(house, Refusal):
        return [*(Finding("opens", reason) for reason in house.reasons), *findings]
    return [Finding("opens"), *findings, *_run(_INSIDE | (_DEEP if deep else {}), house, required)]


def _to_be_made(home: Path) -> Checks[Path]:
    """Return the checks from outside, but for those of what cannot be read: nothing is called well that was not looked at."""
    unread = set(_BY_SETTINGS) if isinstance(read_settings(home / SETTINGS_FILE), Refusal) else set()
    if not (home / KEYS).is_dir():
        unread.add("keys")
    return {name: check for name, check in _OUTSIDE.items() if name not in unread}


def _required(home: Path) -> frozenset[str]:
    """What the profile does not allow: in production some walls, and what `serve` refuses."""
    settings = read_settings(home / SETTINGS_FILE)
    # A demo whose settings say nothing of serving is mostly shown, and never served.
    if isinstance(settings, Refusal) or (settings.profile == DEMO and settings.serving == Serving()):
        return frozenset()
    required = walls.REQUIRED if settings.profile == PRODUCTION else frozenset[str]()
    with suppress(OSError):
        # What cannot be looked at is told by the check itself.
        required |= {reason.code for reason in _unservable(plan(home))}
    return required


def _run(checks: Checks[T], subject: T, required: frozenset[str]) -> Iterator[Finding]:
    for name, (wall, check) in checks.items():
        try:
            reasons = list(check(subject))
        except Exception as fault:
            if (refusal := damage.named(fault)) is None:
                raise
            yield from (Finding(name, reason) for reason in refusal.reasons)
            continue
        yield from (Finding(name, reason, wall and reason.code not in required) for reason in reasons)
        if not reasons:
            yield Finding(name)


# --- from outside -----------------------------------------------------------------------------------


def _rights(home: Path) -> Iterator[Reason]:
    """The folder and all of its keys are their owner's alone, and the owner is who works here."""
    memory = memory_of(home)
    held = [
        path for folder in (home / KEYS, memory) if folder.is_dir() for path in (folder, *sorted(folder.rglob("*")))
    ]
    for path in [home, *held]:
        yield from open_beside_owner(_shown(path, home), path.lstat(), os.geteuid())


def _room(home: Path) -> Iterator[Reason]:
    room = shutil.disk_usage(home)
    if not room.total:
        return  # it tells no size, as some in a network do
    if room.free < _LEAST_FREE_BYTES or room.free * 100 < room.total * _LEAST_FREE_PERCENT:
        yield Reason("room-low", {"free": f"{room.free >> 20:,}", "percent": str(room.free * 100 // room.total)})


def _disk(home: Path) -> Iterator[Reason]:
    kind = file_system_of(home)
    if kind in FLEETING:
        yield Reason("disk-fleeting", {"kind": kind})
    elif kind.startswith(_FOREIGN):
        yield Reason("disk-foreign", {"kind": kind})


def _one_user(home: Path) -> Iterable[Reason]:
    planned = plan(home)
    return (*_unservable(planned), *(() if isinstance(planned, Refusal) else walls.processes(planned)))


def _unservable(planned: Plan | Refusal) -> Iterable[Reason]:
    """What `serve` refuses, but for certificate and key, of which `_certificate` tells."""
    if isinstance(planned, Refusal):
        return planned.reasons
    return (*socket_folder.unfit(planned), *unrunnable(planned))


def _certificate(home: Path) -> Iterable[Reason]:
    """Whether the gateway could show its certificate now, and for some time; what `_one_user` tells is not said again."""
    planned = plan(home)
    if isinstance(planned, Refusal):
        return ()
    return (*tls.look(planned, utc_now()), *tls.ends_soon(planned, utc_now()))


def _keys_apart(home: Path) -> Iterable[Reason]:
    return walls.keys(home, _profile(home))


def _memory(_home: Path) -> Iterable[Reason]:
    return walls.memory()


# --- from inside ------------------------------------------------------------------------------------


def _state(house: House) -> Iterator[Reason]:
    """SQLite's own check, the journal mode on which a crash counts, and that nothing is defined that we did not make."""
    if (said := state.contradiction()) is not None:
        yield Reason("state-damaged", {"cause": said})
        return
    with state.reading(house.home) as connection:
        [(mode,)] = connection.execute("PRAGMA journal_mode").fetchall()
    if mode != "wal":
        yield Reason("state-damaged", {"cause": f"its journal is {mode}, not wal"})
    if (differing := schema.difference()) is not None:
        yield Reason("state-damaged", {"cause": differing})
    elif (used_up := schema.used_up()) is not None:
        yield Reason("state-damaged", {"cause": used_up})


def _ledger(house: House) -> Iterable[Reason]:
    house.book.check()
    return ()


def _clock(house: House) -> Iterator[Reason]:
    newest = house.book.newest()
    if newest is not None and house.clock() < newest.time:
        seconds = (newest.time - house.clock()).total_seconds()
        yield Reason("clock-behind-log", {"seconds": f"{seconds:.0f}"})


def _vault(house: House) -> Iterator[Reason]:
    house.vault.expect_ready()
    for name in missing_parts(house):
        yield Reason("part-missing", {"part": name})


def _parts(house: House) -> Iterable[Reason]:
    prove_parts(house)
    return ()


def _witnesses(house: House) -> Iterator[Reason]:
    """Whether enough of them cosigned lately; nobody is asked here, but before the next answer."""
    if not house.book.witnesses.in_touch():
        witnesses = house.book.witnesses
        seconds = str(witnesses.patience.seconds)
        yield Reason("wall-witnesses-unheard", {"quorum": str(witnesses.needed), "seconds": seconds})


def _administrators(_house: House) -> Iterable[Reason]:
    return walls.administrators()


def _custodians(house: House) -> Iterable[Reason]:
    return walls.custodians(house.home)


def _backed_up(house: House) -> Iterator[Reason]:
    newest = newest_backup(house)
    if newest is None:
        yield Reason("backup-never")
    elif house.clock() - newest > timedelta(days=_MOST_DAYS_WITHOUT_BACKUP):
        yield Reason("backup-old", {"day": newest.date().isoformat()})


_OUTSIDE: Checks[Path] = {
    "rights": (False, _rights),
    "room": (False, _room),
    "disk": (False, _disk),
    "memory": (True, _memory),
    "keys": (True, _keys_apart),
    "processes": (True, _one_user),
    "certificate": (False, _certificate),
}
_BY_SETTINGS = ("keys", "processes", "certificate")
_INSIDE: Checks[House] = {
    "state": (False, _state),
    "ledger": (False, _ledger),
    "clock": (False, _clock),
    "vault": (False, _vault),
    "witnesses": (True, _witnesses),
    "administrators": (True, _administrators),
    "custodians": (True, _custodians),
    "backup": (True, _backed_up),
}
_DEEP: Checks[House] = {"parts": (False, _parts)}
CHECKS = ("opens", *_OUTSIDE, *_INSIDE, *_DEEP)


def _profile(home: Path) -> str:
    settings = read_settings(home / SETTINGS_FILE)
    return "" if isinstance(settings, Refusal) else settings.profile


def _shown(path: Path, home: Path) -> str:
    if path == home:
        return "."
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)
