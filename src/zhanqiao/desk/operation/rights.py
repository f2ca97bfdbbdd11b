# SPDX-License-Identifier: Apache-2.0
"""Rights monitored (数据库授权监控): what files, database, engine, keys and roles really allow, beside what was agreed.

Agreements and roles say who may have answers, of what, through which door (`granted`). Nobody may do anything else, so
each check looks for what opens something all the same. What it finds is a difference: a reason of the refusal table, and
an alarm of the log (`rights.differ`), which tells checks and codes and repeats no name of a file.
"""

import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from zhanqiao.agreements import grants, lifecycle
from zhanqiao.agreements.lifecycle import Agreement
from zhanqiao.desk import schema, shares, state
from zhanqiao.desk.operation.lying import Known, Lying, walked
from zhanqiao.desk.paths import ACCESS_LISTS, attributes, held_by_others
from zhanqiao.desk.personas import key_file
from zhanqiao.desk.sealed_keys import FILES as PLAIN_KEYS
from zhanqiao.desk.sealed_keys import KEYRING, KEYS, OF_PEOPLE, SEALED, SPLIT, Seal, is_sealed, keys_of, memory_of
from zhanqiao.desk.serving.away import is_mark, mark_of
from zhanqiao.desk.serving.plan import Plan, plan
from zhanqiao.desk.serving.socket_folder import trusted
from zhanqiao.identity import directory
from zhanqiao.identity.attempts import note_refusal
from zhanqiao.identity.directory import check_actor, find_person
from zhanqiao.identity.keys import DEMO, is_locked, public_bytes, read_key_file
from zhanqiao.identity.people import HELD_IN, INCOMPATIBLE, Role
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.ledger.replay import facts_of
from zhanqiao.terms.agreements import Door
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal
from zhanqiao.vault.house import House
from zhanqiao.vault.segments import begins_sealed, lies_open

_TOO_WIDE = "rights-too-wide"
AUDITED, DIFFER = "rights.audited", "rights.differ"
_OTHERS, _OTHERS_WRITE = 0o077, 0o022
# What everybody may read, once the folder lets them in: hashes, checkpoints, public keys.
_PUBLIC = ("public", "ledger/tile", "ledger/checkpoint")
# Where nothing lies but what is sealed; what is unfinished there is told by nobody's writing it.
_SEALED_ALL = re.compile(r"(vault/(segments|states|subjects|identities)|quarantine)/.+(?<!\.lock)(?<!\.wal)(?<!\.part)")
_MOST_SHARES = 4_096


@dataclass(frozen=True)
class Right:
    """What one person may have through one door under one agreement."""

    person: str
    agreement: str
    door: Door
    datasets: tuple[str, ...]
    services: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """What is allowed and was not agreed, and which check found it."""

    check: str
    reason: Reason


@dataclass(frozen=True)
class RightsReport:
    """What may be had by agreement, and what else can."""

    granted: tuple[Right, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class _Look:
    """What every check starts from: the deployment, what lies in it, walked once, and where its socket is.

    unread  what could not be looked into
    """

    house: House
    planned: Plan | Refusal
    lying: tuple[Lying, ...]
    unread: tuple[Reason, ...]

    def is_socket(self, one: Lying) -> bool:
        """Whether it is the vault worker's socket, or the mark beside it; whom these let in, their folder says."""
        if isinstance(self.planned, Refusal):
            return False
        path, socket = self.planned.home / one.name, self.planned.socket
        if stat.S_ISSOCK(one.found.st_mode):
            return path == socket
        return path == mark_of(socket) and is_mark(path)

    def files(self) -> Iterator[Lying]:
        """Return what lies there but for folders, keys (`_keys` judges them) and the socket."""
        return (
            one
            for one in self.lying
            if not one.folder and not one.name.startswith(f"{KEYS}/") and not self.is_socket(one)
        )


def _looked(house: House) -> _Look:
    found = list(walked(house.home))
    lying = tuple(one for one in found if isinstance(one, Lying))
    return _Look(house, plan(house.home), lying, tuple(one for one in found if isinstance(one, Reason)))


def audit_rights(house: House, by: str) -> RightsReport | Refusal:
    """Make every check, if `by` is an audit administrator, and log that it was made and what differs."""
    if reasons := check_actor(by, Role.AUDIT_ADMIN):
        with house.book.recording() as tx:
            return note_refusal(tx, "rights.audit", by, "platform", reasons)
    look = _looked(house)
    found = [Difference(name, reason) for name, check in _CHECKS.items() for reason in check(look)]
    report = RightsReport(tuple(granted(house)), tuple(found))
    counts = sorted(Counter((one.check, one.reason.code) for one in found).items())
    facts: dict[str, object] = {"rights": len(report.granted)}
    if counts:
        facts["differences"] = [{"check": check, "code": code, "count": count} for (check, code), count in counts]
    with house.book.recording(Event(DIFFER if counts else AUDITED, by, facts=facts)):
        pass
    house.book.publish()
    return report


def granted(house: House) -> Iterator[Right]:
    """Return what people may have now: analysts of each organisation that has an agreement in force."""
    at = house.clock()
    for agreement in lifecycle.listing(at):
        grant = grants.find_grant(agreement.id, at) if isinstance(agreement, Agreement) else None
        if grant is None:
            continue
        analysts = [one for one in directory.people(grant.organisation) if one.holds(Role.ANALYST)]
        for door in sorted(grant.doors):
            services = tuple(sorted(grant.services)) if door is Door.DECISIONS else ()
            for person in analysts:
                yield Right(person.id, grant.agreement, door, tuple(sorted(grant.covers(door))), services)


# --- what opens something all the same ---------------------------------------------------------------


def _files(look: _Look) -> Iterator[Reason]:
    """Every file is its owner's alone, under one name; what is public may be read, never written, by others."""
    yield from look.unread
    home = look.house.home
    owner, memory = home.stat().st_uid, memory_of(home)
    for one in [*look.lying, *(walked(memory, str(memory)) if memory.exists() else ())]:
        if isinstance(one, Reason):
            yield one
            continue
        open_to_others = open_beside_owner(one.name, one.found, owner)
        yield from (reason for reason in open_to_others if reason.code != _TOO_WIDE or not look.is_socket(one))
        if one.listed:
            yield Reason("right-listed", {"path": one.name})
        if one.noted:
            yield Reason("attribute-stray", {"path": one.name})


def _strays(look: _Look) -> Iterator[Reason]:
    """Every file lies where the platform writes one of its kind, and somebody writes what is unfinished."""
    known, begun = Known(look.house), []
    for one in look.files():
        if not known.has(one.name):
            yield Reason("file-stray", {"path": one.name})
        elif one.begun:
            begun.append(one)
    for one in known.left(begun):
        yield Reason("file-unfinished", {"path": one.name})


def _contents(look: _Look) -> Iterator[Reason]:
    """Where rows may lie they are sealed; no key and no share of one lies but where it must; small files are of their kind."""
    secret, known = _secrets(look.house), Known(look.house)
    for one in look.files():
        try:
            if one.regular and not one.is_state and (code := _oddly_filled(one, secret, known)) is not None:
                yield Reason(code, {"path": one.name})
        except FileNotFoundError:
            continue  # work goes on meanwhile
        except OSError as cause:
            yield Reason("right-unread", {"path": one.name, "cause": cause.strerror or "-"})


def _oddly_filled(one: Lying, secret: list[bytes], known: Known) -> str | None:
    """Return what is odd about what a file holds, by its code."""
    size = one.path.stat().st_size
    if size and _SEALED_ALL.fullmatch(one.name):
        return None if begins_sealed(one.path) else "right-unsealed"
    if size > one.most:
        # Names of locks and certificates are small files' names.
        return None if known.may_be_long(one.name) else "file-stray"
    content = read_bounded(one.path, one.most)
    if _gives_away(content, secret):
        return "key-copied"
    whole = known.has(one.name) and not one.begun
    return "file-stray" if whole and not known.is_of_its_kind(one.name, content) else None


def _secrets(house: House) -> list[bytes]:
    """Return what is secret of each key, a line that nothing else has."""
    keys = keys_of(house.home)
    assert isinstance(keys, Path), "the deployment is open"
    return [max((keys / name).read_bytes().split(), key=len) for name in PLAIN_KEYS]


def _gives_away(content: bytes, secret: list[bytes]) -> bool:
    lines = content.decode("ascii", "replace").splitlines() if len(content) <= _MOST_SHARES else ()
    return any(one in content for one in secret) or any(map(shares.is_one, lines))


def open_beside_owner(name: str, found: os.stat_result, owner: int) -> Iterator[Reason]:
    """Say who else than its owner could read or write a file of a deployment, by its name there and its `lstat`."""
    if found.st_uid != owner:
        yield Reason("owner-differs", {"path": name, "owner": str(found.st_uid)})
    if stat.S_ISLNK(found.st_mode) or (not stat.S_ISDIR(found.st_mode) and found.st_nlink > 1):
        yield Reason("right-linked", {"path": name})
    public = any(name == one or name.startswith(f"{one}/") for one in _PUBLIC)
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISLNK(found.st_mode) and mode & (_OTHERS_WRITE if public else _OTHERS):
        yield Reason(_TOO_WIDE, {"path": name, "mode": f"{mode:o}"})


def _above(look: _Look) -> Iterator[Reason]:
    """Nobody else can put another folder where this deployment's is: neither in its place, nor in that of a link to it."""
    home = look.house.home.absolute()
    for path in held_by_others(home, {0, home.stat().st_uid}):
        yield Reason("right-above", {"path": str(path)})


def _socket(look: _Look) -> Iterator[Reason]:
    """The vault worker's socket is its owner's and, by the folder's group, the gateway's; nothing lies beside it."""
    planned = look.planned
    # What is not served lets nobody in.
    if isinstance(planned, Refusal):
        return
    folder = planned.socket.parent
    try:
        # In the deployment itself it is a folder as any other.
        if folder.exists() and not folder.is_relative_to(planned.home):
            yield from _socket_of(planned)
            yield from _beside_socket(planned.socket)
    except OSError as cause:
        yield Reason("right-unread", {"path": str(folder), "cause": cause.strerror or "-"})


def _socket_of(planned: Plan) -> Iterator[Reason]:
    folder = planned.socket.parent
    for path in held_by_others(folder, trusted(planned)):
        yield Reason("right-above", {"path": str(path)})
    found = folder.stat()
    if found.st_uid != planned.owner.uid:
        yield Reason("owner-differs", {"path": str(folder), "owner": str(found.st_uid)})
    # Without a gateway of its own the folder's group lets nobody in.
    allowed = 0o010 if planned.apart and found.st_gid == planned.gateway.gid else 0
    if (mode := stat.S_IMODE(found.st_mode)) & _OTHERS & ~allowed:
        yield Reason(_TOO_WIDE, {"path": str(folder), "mode": f"{mode:o}"})


def _beside_socket(socket: Path) -> Iterator[Reason]:
    # The mode of what has an access list shows that list as its group's right.
    if attributes(socket.parent, follow_symlinks=False) & ACCESS_LISTS:
        yield Reason("right-listed", {"path": str(socket.parent)})
    for path in sorted(socket.parent.iterdir()):
        if path == mark_of(socket) and is_mark(path):
            continue
        if path != socket or not path.is_socket():
            yield Reason("file-stray", {"path": str(path)})
        elif attributes(path, follow_symlinks=False) & ACCESS_LISTS:
            yield Reason("right-listed", {"path": str(path)})


def _database(_look: _Look) -> Iterator[Reason]:
    """Nothing is defined in the state that writes or shows rows beside the platform: SQLite has no other roles."""
    if (differing := schema.difference()) is not None:
        yield Reason("state-damaged", {"cause": differing})
    if state.is_longer_than_its_pages():
        yield Reason("file-longer", {"path": state.FILE})


def _engine(look: _Look) -> Iterator[Reason]:
    """The engine refuses, to a connection that sees rows, whatever is no query of its own tables; tried, not asked."""
    for act in look.house.vault.allowed():
        yield Reason("right-engine", {"act": act})
    # Of any name and in any folder: a database of the engine is sealed, or nobody's.
    for one in look.lying:
        if one.regular and not one.is_state and lies_open(one.path):
            yield Reason("right-unsealed", {"path": one.name})


def _keys(look: _Look) -> Iterator[Reason]:
    """The folder of keys holds the platform's own, and of people those who are in service, each under a passphrase."""
    folder = look.house.home / KEYS
    sealed = is_sealed(folder)
    own = {SEALED, KEYRING} if (folder / SEALED).exists() else {KEYRING}
    for one in look.lying:
        if one.folder or not one.name.startswith(f"{KEYS}/"):
            continue
        name = one.path.relative_to(folder).as_posix()
        if one.path.parent == folder / OF_PEOPLE:
            if (code := _oddity(one.path, look.house)) is not None:
                yield Reason(code, {"path": one.name})
        elif name in PLAIN_KEYS and sealed:
            yield Reason("key-left-open", {"path": one.name})
        elif name not in own and name not in PLAIN_KEYS:
            yield Reason("key-stray", {"path": one.name})
    if (folder / SEALED).exists():
        lying, logged = Seal.read(folder).set, _set_in_force(look.house)
        if lying != logged:
            yield Reason("seal-of-another-set", {"set": lying, "logged": logged or "-"})


def _set_in_force(house: House) -> str:
    """Return the set of shares that the log says to be in force; empty where it says none."""
    failed = {facts_of(event)["set"] for event in house.book.events(kind=f"{SPLIT}-failed")}
    sets = [str(facts_of(event)["set"]) for event in house.book.events(kind=SPLIT)]
    return next((one for one in reversed(sets) if one not in failed), "")


def _oddity(path: Path, house: House) -> str | None:
    """Return what is odd about a file among people's keys, by its code; whose a locked key is tells its passphrase alone."""
    person = find_person(path.stem)
    if person is None or not person.active or path != key_file(house.home, person.id):
        return "key-stray"
    if not is_locked(path):
        if house.profile != DEMO:
            return "key-lies-open"
        key = read_key_file(path, passphrase=None, profile=house.profile)
        if isinstance(key, Refusal) or public_bytes(key) != person.key:
            return "key-stray"
    return None


def _roles(_look: _Look) -> Iterator[Reason]:
    """Nobody holds roles together that exclude one another, or one that there is not where he works."""
    for person in directory.people():
        for held, role in combinations(sorted(person.roles), 2):
            if frozenset({held, role}) in INCOMPATIBLE:
                yield Reason("roles-incompatible", {"person": person.id, "held": held.value, "role": role.value})
        for role in sorted(person.roles):
            if (kind := person.organisation.kind) not in HELD_IN[role]:
                kinds = ", ".join(sorted(HELD_IN[role]))
                yield Reason("role-not-here", {"role": role.value, "kind": kind.value, "kinds": kinds})


_CHECKS: dict[str, Callable[[_Look], Iterator[Reason]]] = {
    "files": _files,
    "strays": _strays,
    "contents": _contents,
    "above": _above,
    "socket": _socket,
    "database": _database,
    "engine": _engine,
    "keys": _keys,
    "roles": _roles,
}
CHECKS = tuple(_CHECKS)
