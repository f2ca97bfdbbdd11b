# SPDX-License-Identifier: Apache-2.0
"""A deployment is a folder. `found` makes one, `open_house` opens one; both say which part is wrong and stop."""

import os
import pwd
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import DatabaseError, connections

from zhanqiao.desk import damage, state
from zhanqiao.desk.configuration import (
    SETTINGS_FILE,
    SPARK,
    UNFINISHED,
    Deployment,
    parse_settings,
    read_settings,
    settings_text,
    utc_now,
)
from zhanqiao.desk.presence import absent, remains
from zhanqiao.desk.sealed_keys import KEYS, keys_of
from zhanqiao.ledger import durable
from zhanqiao.ledger.regular_file import read_whole
from zhanqiao.ledger.witnesses import Patience, Seat, Witnesses, send_over_http
from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.vault import spark_walls
from zhanqiao.vault.house import House

if TYPE_CHECKING:
    from zhanqiao.ledger.keys import LogKeys


@dataclass(frozen=True)
class Claim:
    """A folder that one process fills, and nobody else: it made the settings without a name in it. No other takes it back.

    added  folders that were made for it, the innermost first
    """

    home: Path
    added: tuple[Path, ...]

    def finish(self, settings: bytes) -> None:
        """Give the settings their name, without which the folder is no deployment."""
        with durable.needing_room():
            (self.home / UNFINISHED).write_bytes(settings)
        durable.publish_file(self.home / UNFINISHED, self.home / SETTINGS_FILE)

    def take_back(self) -> None:
        """Remove what was made, the claim last: until then nobody else begins here.

        Settings that have their name go before all else: what is half removed is no deployment.
        """
        connections.close_all()
        (self.home / SETTINGS_FILE).unlink(missing_ok=True)
        for path in sorted(self.home.iterdir(), key=lambda path: path.name == UNFINISHED):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        _remove_added(self.added)


def found(
    home: Path,
    deployment: Deployment,
    clock: Callable[[], datetime] | None = None,
    settle: Callable[[House], Refusal | None] | None = None,
) -> House | Refusal:
    """Make a new deployment: keys, empty state, empty log, and whom `settle` registers. An existing one is never touched.

    What is refused, on a full disk as well, leaves nothing, so that it can be repeated. The settings get their name last:
    without it the folder is no deployment, so a crash before leaves something that `found` refuses to take over and a
    person removes.
    """
    if isinstance(read := parse_settings(settings_text(deployment)), Refusal):
        return read
    claim = taken(home) or claimed(home)
    if isinstance(claim, Refusal):
        return claim
    try:
        house = _build(home, deployment, clock)
        refusal = house if isinstance(house, Refusal) else settle(house) if settle is not None else None
        if refusal is None:
            claim.finish(settings_text(deployment))
    except (durable.DiskFull, DatabaseError) as cause:
        if isinstance(cause, DatabaseError) and not state.is_full(cause):
            raise
        refusal = refuse("disk-full")
    except OSError as cause:
        refusal = refuse("file-not-written", file=str(home), cause=cause.strerror or "-")
    if refusal is None:
        return house
    claim.take_back()
    return refusal


def taken(home: Path) -> Refusal | None:
    """Say why no deployment may be made there; None for a folder that is empty, or not there yet."""
    # By whatever links: where it would really lie.
    for above in Path(os.path.realpath(home)).parents:
        if (above / SETTINGS_FILE).exists():
            return refuse("home-inside", home=str(home), other=str(above))
    if home.exists() and (refusal := of_another_user(home)) is not None:
        return refusal
    if not (home / SETTINGS_FILE).is_file() and (refusal := remains(home)) is not None:
        return refusal
    if not os.path.lexists(home) or (home.is_dir() and not any(home.iterdir())):
        return None
    return refuse("home-not-empty", home=str(home))


def claimed(home: Path) -> Claim | Refusal:
    """Claim a folder that nothing speaks against: make it, if need be, and in it the settings without a name.

    One process alone can make these. It looks once more then: another may have begun, and ended, since `taken` looked.
    """
    claim, ours = Claim(home, tuple(_missing_folders(home))), False
    try:
        durable.make_folder(home)
        home.chmod(0o700)
        with durable.created(home / UNFINISHED):
            ours = [path.name for path in home.iterdir()] == [UNFINISHED]
            if not ours:
                (home / UNFINISHED).unlink()
        durable.sync_folder(home)
    except FileExistsError:
        return refuse("home-unfinished", home=str(home))
    except OSError as cause:
        claim.take_back() if ours else _remove_added(claim.added)
        full = isinstance(cause, durable.DiskFull)
        return refuse("disk-full") if full else refuse("file-not-written", file=str(home), cause=cause.strerror or "-")
    return claim if ours else refuse("home-not-empty", home=str(home))


def of_another_user(home: Path) -> Refusal | None:
    """Refuse to work in a deployment of somebody else: what root writes there its owner could not read."""
    owner = home.stat().st_uid
    if owner == os.geteuid():
        return None
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    return refuse("home-of-another", home=str(home), owner=name)


def _missing_folders(home: Path) -> list[Path]:
    """Return the folders that have to be made for `home`, the innermost first."""
    return [folder for folder in (home, *home.parents) if not folder.exists()]


def _remove_added(added: Sequence[Path]) -> None:
    """Remove folders that were made; one in which somebody else has begun meanwhile stays, and those above it."""
    with suppress(OSError):
        for folder in added:
            folder.rmdir()


def _build(home: Path, deployment: Deployment, clock: Callable[[], datetime] | None) -> House | Refusal:
    """Write every part but the settings into a claimed folder, and open it."""
    if not state.has_room(home):
        raise durable.full()
    state.use(home)
    from django.core.management import call_command

    from zhanqiao.ledger import book as ledger_book
    from zhanqiao.ledger import keys as ledger_keys
    from zhanqiao.vault.keys import Keyring

    # SQLite makes its files as open as the first of them is.
    state.file_of(home).touch(mode=durable.PRIVATE)
    keys = ledger_keys.create_keys(home / KEYS / "ledger", deployment.origin)
    with ledger_book.founding():
        call_command("migrate", verbosity=0)
        ledger_book.Book(home / "ledger", keys, clock or deployment.clock).found()
    publish_keys(home / "public", keys, deployment.witnesses)
    Keyring.create(home / KEYS / "vault")
    (home / "vault").mkdir(mode=0o700)
    return open_as(home, deployment, clock)


def open_house(
    home: Path, clock: Callable[[], datetime] | None = None, *, upgrading: bool = False, unlogged: bool = False
) -> House | Refusal:
    """Open a deployment for work, by its own clock when none is given.

    upgrading  take a state whose tables are an older version's, to change them
    unlogged   take keys of which the log does not say yet who opened them, to write that
    """
    if (refusal := absent(home)) is not None:
        return refusal
    deployment = read_settings(home / SETTINGS_FILE)
    if isinstance(deployment, Refusal):
        return deployment
    return open_as(home, deployment, clock, upgrading=upgrading, unlogged=unlogged)


def open_as(
    home: Path,
    deployment: Deployment,
    clock: Callable[[], datetime] | None = None,
    *,
    upgrading: bool = False,
    unlogged: bool = False,
) -> House | Refusal:
    """Open a folder under settings that are at hand, whatever it holds itself; as `open_house`."""
    if (refusal := of_another_user(home)) is not None:
        return refusal
    if deployment.clock_behind_seconds and deployment.profile != "demo":
        return refuse("clock-outside-demo", profile=deployment.profile)
    if deployment.engine == SPARK and (missing := spark_walls.lacking()) is not None:
        return refuse("engine-missing", engine=deployment.engine, missing=missing)
    clock = clock or deployment.clock
    # SQLite would make an empty one.
    if not state.file_of(home).is_file():
        return refuse("state-damaged", cause=f"{state.file_of(home).name} is missing")
    if not state.has_room(home):
        return refuse("disk-full")
    state.use(home)
    from zhanqiao.ledger.book import Book
    from zhanqiao.ledger.keys import open_keys
    from zhanqiao.vault.faults import KeyFault
    from zhanqiao.vault.keys import Keyring
    from zhanqiao.vault.vault import Vault, engine_of

    opened = keys_of(home, unlogged=unlogged)
    if isinstance(opened, Refusal):
        return opened
    try:
        keys = open_keys(opened / "ledger", deployment.origin)
        keyring = Keyring.open(home / KEYS / "vault", opened / "vault")
    except (OSError, ValueError, TypeError, KeyFault) as fault:
        return refuse("keys-unreadable", cause=str(fault))
    if (refusal := _unpublished(home / "public", keys)) is not None:
        return refusal
    # Asked last: to ask opens the state, and what is another's is not touched.
    if (refusal := _of_another_version(upgrading=upgrading)) is not None:
        return refusal
    return House(
        home=home,
        profile=deployment.profile,
        clock=clock,
        dice=secrets.token_bytes,
        # By the system's clock: what strangers sign is dated by theirs, and a demo's clock may lag.
        book=Book(
            home / "ledger",
            keys,
            clock,
            Witnesses(
                home / "ledger",
                keys.log.verifier,
                deployment.witnesses,
                utc_now,
                send_over_http,
                Patience(deployment.quorum, deployment.quorum_seconds),
            ),
        ),
        vault=Vault(home / "vault", keyring, clock, engine=engine_of(deployment.engine, home / "vault", keyring)),
    )


def _of_another_version(*, upgrading: bool) -> Refusal | None:
    """Say why the state's tables are not those of this version."""
    try:
        gap = state.schema_gap()
    except DatabaseError as cause:
        return damage.without_state(cause)
    if gap is None:
        return None
    if gap.unknown:
        return refuse("state-newer", migrations=", ".join(gap.unknown))
    if state.is_empty():
        # It was emptied, and an upgrade would make an empty deployment of it.
        return refuse("state-damaged", cause="it holds no table of ours")
    # Late: nobody else needs the machinery of migrations to open a deployment.
    from zhanqiao.desk import schema

    if (contradiction := schema.contradiction(gap.done)) is not None:
        return refuse("state-relabelled", migrations=", ".join(gap.lacking), cause=contradiction)
    return None if upgrading else refuse("state-older", migrations=", ".join(gap.lacking))


def publish_keys(folder: Path, keys: "LogKeys", witnesses: tuple[Seat, ...]) -> None:
    """Write what the world needs to check our certificates: the log's key, and a trust file to start from."""
    trust = trust_naming(keys, witnesses)
    durable.write_whole(folder / "log.vkey", f"{keys.log.vkey}\n".encode(), mode=durable.PUBLIC)
    durable.write_whole(folder / "trust.txt", trust, mode=durable.PUBLIC)


def trust_naming(keys: "LogKeys", witnesses: tuple[Seat, ...]) -> bytes:
    """Return the trust file; raises `Unsound` for one that nobody could read, which would close the deployment."""
    from zhanqiao.ledger.trust import Trust, trust_text

    named = [(seat.name, seat.verifier, seat.url) for seat in witnesses]
    trust = trust_text(keys.log.verifier, keys.envelope.public_key(), witnesses=named).encode()
    Trust.parse(trust)
    return trust


def _unpublished(folder: Path, keys: "LogKeys") -> Refusal | None:
    """Say why the log's name or its keys are not the published ones; None when they are."""
    from zhanqiao.ledger.keys import differing_key
    from zhanqiao.ledger.trust import Trust

    try:
        trust = Trust.parse(read_whole(folder / "trust.txt"), published=True)
    except (OSError, ValueError) as fault:
        return refuse("keys-differ", cause=f"public/trust.txt cannot be used: {fault}")
    log = keys.log.verifier
    if published := next((one.name for one in trust.logs if one.public == log.public and one != log), None):
        return refuse("origin-differs", origin=log.name, published=published)
    if (differing := differing_key(keys, trust)) is not None:
        return refuse("keys-differ", cause=f"public/trust.txt does not hold the key in keys/ledger/{differing}")
    try:
        named = read_whole(folder / "log.vkey").decode().strip()
    except (OSError, ValueError) as fault:
        return refuse("keys-differ", cause=f"public/log.vkey cannot be used: {fault}")
    if named != keys.log.vkey:
        return refuse("keys-differ", cause="public/log.vkey does not name the log's key")
    return None
