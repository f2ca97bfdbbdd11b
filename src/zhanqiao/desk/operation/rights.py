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
from zhanqiao.desk import schema, shares
from zhanqiao.desk.personas import key_file
from zhanqiao.desk.sealed_keys import FILES as PLAIN_KEYS
from zhanqiao.desk.sealed_keys import KEYRING, KEYS, OF_PEOPLE, SEALED, SPLIT, Seal, is_sealed, keys_of, memory_of
from zhanqiao.desk.serving.plan import Plan, plan
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

AUDITED, DIFFER = "rights.audited", "rights.differ"
_OTHERS, _OTHERS_WRITE = 0o077, 0o022
_ACCESS_LISTS = ("system.posix_acl_access", "system.posix_acl_default")
# What everybody may read, once the folder lets them in: hashes, checkpoints, public keys.
_PUBLIC = ("public", "ledger/tile", "ledger/checkpoint")
# The socket's folder is the gateway's to enter; `_socket` looks at it.
_RUN = "run"
# Where the platform writes files, whole or unfinished.
_WRITTEN = re.compile(
    r"""(
        zhanqiao\.toml | state\.sqlite3(-wal|-shm|-journal)? | \.(settings|keys)\.lock | \.backed-up
        | public/(log\.vkey | trust\.txt)
        | ledger/(checkpoint | cosigned | quorum | lock | tile/.+ | certificates/\d{12}\.cert)
        | vault/\.lock | vault/scratch/.+
        | vault/segments/[^/]+/[^/]+\.duckdb(\.wal)? | vault/states/[^/]+/[^/]+/[^/]+\.sealed
        | vault/(subjects|identities)/[a-z]+/([\d-]+\.(book|sealed) | \.lock)
        | quarantine/[^/]+/[^/]+/\d+\.sealed
        | landing/\.[^/]+\.lock
        | answers/[^/]+\.(cert|answer\.json)
        | run/[^/]+
    )(\.(\d+-\d+\.)?part(\.wal)?)?""",
    re.VERBOSE,
)
# Where nothing lies but what is sealed; unfinished files and the engine's spill are gone when whoever writes them ends.
_SEALED_ALL = re.compile(r"(vault/(segments|states|subjects|identities)|quarantine)/.+(?<!\.lock)(?<!\.wal)(?<!\.part)")
_MOST_KEY_FILE, _MOST_SHARES = 65_536, 4_096


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


def audit_rights(house: House, by: str) -> RightsReport | Refusal:
    """Make every check, if `by` is an audit administrator, and log that it was made and what differs."""
    if reasons := check_actor(by, Role.AUDIT_ADMIN):
        with house.book.recording() as tx:
            return note_refusal(tx, "rights.audit", by, "platform", reasons)
    found = [Difference(name, reason) for name, check in _CHECKS.items() for reason in check(house)]
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


def _files(house: House) -> Iterator[Reason]:
    """Every file is its owner's alone, under one name; what is public may be read, never written, by others."""
    home, owner = house.home, house.home.stat().st_uid
    for path in [home, *sorted(home.rglob("*"))]:
        name = "." if path == home else path.relative_to(home).as_posix()
        try:
            found, listed = path.lstat(), os.listxattr(path, follow_symlinks=False)
        except FileNotFoundError:
            continue  # work goes on meanwhile
        if name.partition("/")[0] != _RUN:
            yield from open_beside_owner(name, found, owner)
        if any(one in listed for one in _ACCESS_LISTS):
            yield Reason("right-listed", {"path": name})
    memory = memory_of(home)
    for path in [memory, *memory.rglob("*")] if memory.exists() else []:
        yield from open_beside_owner(str(path), path.lstat(), owner)


def _strays(house: House) -> Iterator[Reason]:
    """Every file lies where the platform writes one of its kind: no copy of rows, and no key, lies elsewhere."""
    for path in sorted(house.home.rglob("*")):
        name = path.relative_to(house.home).as_posix()
        # Keys are judged by `_keys`; what is no file, by `_files`.
        if path.is_file() and not name.startswith(f"{KEYS}/") and _WRITTEN.fullmatch(name) is None:
            yield Reason("file-stray", {"path": name})


def _contents(house: House) -> Iterator[Reason]:
    """Where rows may lie they are sealed, whatever a file's name; and no key and no share of one lies but where it must."""
    secret = _secrets(house)
    for path in sorted(house.home.rglob("*")):
        name = path.relative_to(house.home).as_posix()
        if not path.is_file() or path.is_symlink() or name.startswith(f"{KEYS}/"):
            continue
        try:
            if (code := _given_away(path, name, secret)) is not None:
                yield Reason(code, {"path": name})
        except FileNotFoundError:
            continue  # work goes on meanwhile
        except OSError as cause:
            yield Reason("right-unread", {"path": name, "cause": cause.strerror or "-"})


def _given_away(path: Path, name: str, secret: list[bytes]) -> str | None:
    size = path.stat().st_size
    if size and _SEALED_ALL.fullmatch(name):
        return None if begins_sealed(path) else "right-unsealed"
    if size <= _MOST_KEY_FILE and _gives_away(read_bounded(path, _MOST_KEY_FILE), secret):
        return "key-copied"
    return None


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
        yield Reason("rights-too-wide", {"path": name, "mode": f"{mode:o}"})


def _above(house: House) -> Iterator[Reason]:
    """Nobody else can put another folder where this deployment's is: neither in its place, nor in that of a link to it."""
    trusted = {0, house.home.stat().st_uid}
    for name in dict.fromkeys(_leading_to(house.home.absolute())):
        found = name.lstat()
        # In a sticky folder only who made a name can give it to something else. A link's own mode says nothing.
        shared = found.st_mode & _OTHERS_WRITE and not found.st_mode & stat.S_ISVTX and not stat.S_ISLNK(found.st_mode)
        if shared or found.st_uid not in trusted:
            yield Reason("right-above", {"path": str(name)})


def _leading_to(path: Path, *, itself: bool = False) -> Iterator[Path]:
    """Yield every folder and link on the way to a path, links followed one by one; the path only where it is a link."""
    for name in (path, *path.parents):
        if itself or name != path or name.is_symlink():
            yield name
        if name.is_symlink():
            # Where it leads, and what is above that; of the way's end the folder itself is `_files`' to judge.
            yield from _leading_to(name.parent / name.readlink(), itself=itself or name != path)


def _socket(house: House) -> Iterator[Reason]:
    """The vault worker's socket is its owner's and, by the folder's group, the gateway's."""
    planned = plan(house.home)
    if isinstance(planned, Refusal):
        yield from planned.reasons
    elif planned.socket.exists():
        yield from _socket_of(planned)


def _socket_of(planned: Plan) -> Iterator[Reason]:
    folder = planned.socket.parent
    found = folder.stat()
    if found.st_uid != planned.owner.uid:
        yield Reason("owner-differs", {"path": str(folder), "owner": str(found.st_uid)})
    # Without a gateway of its own the folder's group lets nobody in.
    allowed = 0o010 if planned.apart and found.st_gid == planned.gateway.gid else 0
    if (mode := stat.S_IMODE(found.st_mode)) & _OTHERS & ~allowed:
        yield Reason("rights-too-wide", {"path": str(folder), "mode": f"{mode:o}"})


def _database(_house: House) -> Iterator[Reason]:
    """Nothing is defined in the state that writes or shows rows beside the platform: SQLite has no other roles."""
    if (differing := schema.difference()) is not None:
        yield Reason("state-damaged", {"cause": differing})


def _engine(house: House) -> Iterator[Reason]:
    """The engine refuses, to a connection that sees rows, whatever is no query of its own tables; tried, not asked."""
    for act in house.vault.allowed():
        yield Reason("right-engine", {"act": act})
    # Of any name and in any folder: a database of the engine is sealed, or nobody's.
    for path in sorted(house.home.rglob("*")):
        if path.is_file() and lies_open(path):
            yield Reason("right-unsealed", {"path": path.relative_to(house.home).as_posix()})


def _keys(house: House) -> Iterator[Reason]:
    """The folder of keys holds the platform's own, and of people those who are in service, each under a passphrase."""
    folder = house.home / KEYS
    sealed = is_sealed(folder)
    own = {SEALED, KEYRING} if (folder / SEALED).exists() else {KEYRING}
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        name = path.relative_to(folder).as_posix()
        if path.parent == folder / OF_PEOPLE:
            if (code := _oddity(path, house)) is not None:
                yield Reason(code, {"path": f"keys/{name}"})
        elif name in PLAIN_KEYS and sealed:
            yield Reason("key-left-open", {"path": f"keys/{name}"})
        elif name not in own and name not in PLAIN_KEYS:
            yield Reason("key-stray", {"path": f"keys/{name}"})
    if (folder / SEALED).exists():
        lying, logged = Seal.read(folder).set, _set_in_force(house)
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


def _roles(_house: House) -> Iterator[Reason]:
    """Nobody holds roles together that exclude one another, or one that there is not where he works."""
    for person in directory.people():
        for held, role in combinations(sorted(person.roles), 2):
            if frozenset({held, role}) in INCOMPATIBLE:
                yield Reason("roles-incompatible", {"person": person.id, "held": held.value, "role": role.value})
        for role in sorted(person.roles):
            if (kind := person.organisation.kind) not in HELD_IN[role]:
                kinds = ", ".join(sorted(HELD_IN[role]))
                yield Reason("role-not-here", {"role": role.value, "kind": kind.value, "kinds": kinds})


_CHECKS: dict[str, Callable[[House], Iterator[Reason]]] = {
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
