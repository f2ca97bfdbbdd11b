# SPDX-License-Identifier: Apache-2.0
"""The examination (体检): whether a deployment can be relied on, and which walls it lacks. Changes nothing.

A finding is a reason of the refusal table, so that it has a sentence and a remedy. Two kinds:

    wrong    something that loses data, opens it to others, or stops work        the command ends with 3
    wall     what separates less than it could; the profile allows it, and it is named

Whether each entry and each row is what was signed is `ledger audit`'s to say, which reads all of them.
"""

import os
import resource
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from zhanqiao.desk import damage, schema, state
from zhanqiao.desk.configuration import SETTINGS_FILE
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.backup import BACKUP_BEGUN
from zhanqiao.desk.operation.parts import missing_parts
from zhanqiao.desk.operation.rights import open_beside_owner
from zhanqiao.desk.serving.plan import plan
from zhanqiao.identity.directory import people
from zhanqiao.identity.people import ADDERS
from zhanqiao.terms.refusals import Reason, Refusal, refuse
from zhanqiao.vault.connection import locked_down
from zhanqiao.vault.house import House

T = TypeVar("T")
# name -> whether the profile allows what is found, and the check
Checks = dict[str, tuple[bool, Callable[[T], Iterable[Reason]]]]

_MOST_DAYS_WITHOUT_BACKUP = 7
_LEAST_FREE_BYTES, _LEAST_FREE_PERCENT = 1 << 30, 5
# Where nothing outlives the machine, and where locks or syncs are a promise of somebody else's.
_FLEETING, _FOREIGN = {"tmpfs", "ramfs"}, ("nfs", "cifs", "smb", "fuse", "9p", "ceph")
_MOUNTS, _SWAPS = Path("/proc/self/mountinfo"), Path("/proc/swaps")
_SWAP_HEADER = 1


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


def examine(home: Path) -> list[Finding] | Refusal:
    """Make every check, in a fixed order; when the deployment does not open, why, and what can be seen from outside.

    Where there is no deployment nothing is examined: what is said of it would be said of somebody else's folder.
    """
    if not (home / SETTINGS_FILE).is_file():
        return refuse("no-deployment", home=str(home))
    findings = [*_run(_OUTSIDE, home)]
    house = open_house(home)
    if isinstance(house, Refusal):
        return [*(Finding("opens", reason) for reason in house.reasons), *findings]
    return [Finding("opens"), *findings, *_run(_INSIDE, house)]


def _run(checks: Checks[T], subject: T) -> Iterator[Finding]:
    for name, (wall, check) in checks.items():
        try:
            reasons = list(check(subject))
        except Exception as fault:
            if (refusal := damage.named(fault)) is None:
                raise
            yield from (Finding(name, reason) for reason in refusal.reasons)
            continue
        yield from (Finding(name, reason, wall) for reason in reasons)
        if not reasons:
            yield Finding(name)


# --- from outside -----------------------------------------------------------------------------------


def _rights(home: Path) -> Iterator[Reason]:
    """The folder and each key file are their owner's alone, and the owner is who works here."""
    for path in [home, *(path for path in sorted((home / "keys").rglob("*")) if path.is_file())]:
        yield from open_beside_owner(_shown(path, home), path.lstat(), os.geteuid())


def _room(home: Path) -> Iterator[Reason]:
    room = shutil.disk_usage(home)
    if not room.total:
        return  # it tells no size, as some in a network do
    if room.free < _LEAST_FREE_BYTES or room.free * 100 < room.total * _LEAST_FREE_PERCENT:
        yield Reason("room-low", {"free": f"{room.free >> 20:,}", "percent": str(room.free * 100 // room.total)})


def _disk(home: Path) -> Iterator[Reason]:
    kind = _file_system(home)
    if kind in _FLEETING:
        yield Reason("disk-fleeting", {"kind": kind})
    elif kind.startswith(_FOREIGN):
        yield Reason("disk-foreign", {"kind": kind})


def _one_user(home: Path) -> Iterator[Reason]:
    """Whether what faces the network runs as another user than what holds the keys."""
    planned = plan(home)
    if isinstance(planned, Refusal) or not planned.apart:
        yield Reason("wall-one-user", {"user": str(os.geteuid())})


def _keys_apart(home: Path) -> Iterator[Reason]:
    keys, vault = home / "keys" / "vault", home / "vault"
    if keys.exists() and vault.exists() and keys.stat().st_dev == vault.stat().st_dev:
        yield Reason("wall-keys-beside-data")


def _memory(_home: Path) -> Iterator[Reason]:
    if _SWAPS.exists() and len(_SWAPS.read_text().splitlines()) > _SWAP_HEADER:
        yield Reason("wall-swap")
    if resource.getrlimit(resource.RLIMIT_CORE)[0] != 0:
        yield Reason("wall-core-dumps")


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
    with locked_down(house.home / "vault" / "scratch"):
        pass
    for name in missing_parts(house):
        yield Reason("part-missing", {"part": name})


def _witnesses(house: House) -> Iterator[Reason]:
    """Whether enough of them cosigned lately; nobody is asked here, but before the next answer."""
    if not house.book.witnesses.in_touch():
        patience = house.book.witnesses.patience
        yield Reason("wall-witnesses-unheard", {"quorum": str(patience.quorum), "seconds": str(patience.seconds)})


def _administrators(_house: House) -> Iterator[Reason]:
    """Whether someone could still make accounts, or give roles, after one key was lost."""
    for role in ADDERS:
        held = [person.id for person in people() if person.holds(role)]
        if len(held) == 1:
            yield Reason("wall-one-administrator", {"person": held[0], "role": role.value})


def _backed_up(house: House) -> Iterator[Reason]:
    newest = house.book.newest(BACKUP_BEGUN)
    if newest is None:
        yield Reason("backup-never")
    elif house.clock() - newest.time > timedelta(days=_MOST_DAYS_WITHOUT_BACKUP):
        yield Reason("backup-old", {"day": newest.time.date().isoformat()})


_OUTSIDE: Checks[Path] = {
    "rights": (False, _rights),
    "room": (False, _room),
    "disk": (False, _disk),
    "memory": (True, _memory),
    "keys": (True, _keys_apart),
    "processes": (True, _one_user),
}
_INSIDE: Checks[House] = {
    "state": (False, _state),
    "ledger": (False, _ledger),
    "clock": (False, _clock),
    "vault": (False, _vault),
    "witnesses": (True, _witnesses),
    "administrators": (True, _administrators),
    "backup": (True, _backed_up),
}
CHECKS = ("opens", *_OUTSIDE, *_INSIDE)


def _file_system(path: Path) -> str:
    """Return the kind of file system that a path lies on, by the longest mount point above it."""
    best, kind = "", ""
    for line in _MOUNTS.read_text().splitlines():
        before, _, behind = line.partition(" - ")
        point = before.split(" ")[4].encode().decode("unicode_escape")
        if path.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, behind.split(" ")[0]
    return kind


def _shown(path: Path, home: Path) -> str:
    return "." if path == home else path.relative_to(home).as_posix()
