# SPDX-License-Identifier: Apache-2.0
"""A deployment is a folder. `found` makes one, `open_house` opens one; both say which part is wrong and stop."""

import json
import secrets
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, connections

from zhanqiao.desk import state
from zhanqiao.ledger import durable
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.ledger.witnesses import Patience, Seat, Witnesses, send_over_http
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal, refuse
from zhanqiao.vault.house import House

if TYPE_CHECKING:
    from zhanqiao.ledger.keys import LogKeys

SETTINGS_FILE = "zhanqiao.toml"
# It holds a few lines.
_MOST_SETTINGS = 65_536
# No production yet: a deployment with walls missing would look like one that has them.
PROFILES = ("demo", "laptop")


@dataclass(frozen=True)
class Deployment:
    """What `zhanqiao.toml` says.

    clock_behind_seconds    how far the demo's clock lags, so that a tour of a chosen day prints the same again
    quorum                  how many of the witnesses, or all where there are fewer, must cosign; 0: nothing waits for them
    quorum_seconds          how long releases go on when they did not
    witnesses               who cosigns the log's checkpoints: the tables `[[witness]]` with name, url and vkey
    """

    city: str
    profile: str
    origin: str
    clock_behind_seconds: int = 0
    quorum: int = Patience.quorum
    quorum_seconds: int = Patience.seconds
    witnesses: tuple[Seat, ...] = ()

    def clock(self) -> datetime:
        """The deployment's clock."""
        return utc_now() - timedelta(seconds=self.clock_behind_seconds)


_NUMBERS = ("clock_behind_seconds", "quorum", "quorum_seconds")
_KINDS: dict[str, type] = {**dict.fromkeys(("city", "profile", "origin"), str), **dict.fromkeys(_NUMBERS, int)}
_WITNESS = "witness"
_WITNESS_KINDS = {"name": str, "url": str, "vkey": str}


def utc_now() -> datetime:
    """The system's clock; everything below the desk takes it as an argument."""
    return datetime.now(UTC)


def seconds_since(day: date) -> int:
    """Return how far a clock must lag that shows the morning of that day now."""
    return int((utc_now() - datetime.combine(day, time(1), UTC)).total_seconds())


def found(
    home: Path,
    deployment: Deployment,
    clock: Callable[[], datetime] | None = None,
    settle: Callable[[House], Refusal | None] | None = None,
) -> House | Refusal:
    """Make a new deployment: keys, empty state, empty log, and whom `settle` registers. An existing one is never touched.

    What is refused, on a full disk as well, leaves nothing, so that it can be repeated. The settings file is written
    last: without it the folder is no deployment, so a crash before leaves something that `found` refuses to take over
    and a person removes.
    """
    if not is_free(home):
        return refuse("home-not-empty", home=str(home))
    added = missing_folders(home)
    try:
        with durable.needing_room():
            home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)
        house = _build(home, deployment, clock)
        refusal = settle(house) if settle is not None else None
    except (durable.DiskFull, DatabaseError) as cause:
        if isinstance(cause, DatabaseError) and not state.is_full(cause):
            raise
        refusal = refuse("disk-full")
    except OSError as cause:
        refusal = refuse("file-not-written", file=str(home), cause=cause.strerror or "-")
    if refusal is None:
        return house
    take_back(home, added)
    return refusal


def is_free(home: Path) -> bool:
    """Whether a deployment may be made there: in a folder that is empty, or not there yet."""
    return not home.exists() or (home.is_dir() and not any(home.iterdir()))


def missing_folders(home: Path) -> list[Path]:
    """Return the folders that have to be made for `home`, the innermost first."""
    return [folder for folder in (home, *home.parents) if not folder.exists()]


def take_back(home: Path, added: list[Path]) -> None:
    """Remove what was made in `home`, which was empty, and the folders that were added for it, the innermost first.

    The settings go before all else: what is half removed is no deployment.
    """
    connections.close_all()
    if home.is_dir():
        (home / SETTINGS_FILE).unlink(missing_ok=True)
        for path in home.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder in added:
        if folder.exists():
            folder.rmdir()


def _build(home: Path, deployment: Deployment, clock: Callable[[], datetime] | None) -> House:
    """Write every part into an empty folder; the settings, which make it a deployment, last."""
    state.use(home)
    from django.core.management import call_command

    from zhanqiao.ledger import book as ledger_book
    from zhanqiao.ledger import keys as ledger_keys
    from zhanqiao.vault.keys import Keyring

    keys = ledger_keys.create_keys(home / "keys" / "ledger", deployment.origin)
    with ledger_book.founding():
        call_command("migrate", verbosity=0)
        ledger_book.Book(home / "ledger", keys, clock or deployment.clock).found()
    _publish_keys(home / "public", keys, deployment.witnesses)
    Keyring.create(home / "keys" / "vault")
    _write_settings(home / SETTINGS_FILE, deployment)
    house = open_house(home, clock)
    assert isinstance(house, House)
    return house


def open_house(home: Path, clock: Callable[[], datetime] | None = None, *, upgrading: bool = False) -> House | Refusal:
    """Open a deployment for work, by its own clock when none is given.

    upgrading  take a state whose tables are an older version's, to change them
    """
    path = home / SETTINGS_FILE
    if not path.exists():
        return refuse("no-deployment", home=str(home))
    deployment = read_settings(path)
    if isinstance(deployment, Refusal):
        return deployment
    if deployment.clock_behind_seconds and deployment.profile != "demo":
        return refuse("clock-outside-demo", profile=deployment.profile)
    clock = clock or deployment.clock
    # SQLite would make an empty one.
    if not state.file_of(home).is_file():
        return refuse("state-damaged", cause=f"{state.file_of(home).name} is missing")
    state.use(home)
    from zhanqiao.ledger.book import Book
    from zhanqiao.ledger.keys import open_keys
    from zhanqiao.vault.faults import KeyFault
    from zhanqiao.vault.keys import Keyring
    from zhanqiao.vault.vault import Vault

    try:
        keys = open_keys(home / "keys" / "ledger", deployment.origin)
        keyring = Keyring.open(home / "keys" / "vault")
    except (OSError, ValueError, TypeError, KeyFault) as fault:
        return refuse("keys-unreadable", cause=str(fault))
    if (differing := _unpublished(home / "public" / "trust.txt", keys)) is not None:
        return refuse("keys-differ", cause=differing)
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
        vault=Vault(home / "vault", keyring, clock),
    )


def set_witnesses(house: House, witnesses: tuple[Seat, ...], event: Event) -> Refusal | None:
    """Change who cosigns the log, in the trust file that is published and in the settings; logged as `event`.

    The settings come last: a crash before leaves the former witnesses, and whoever repeats the change completes it.
    """
    from zhanqiao.ledger.keys import open_keys

    path = house.home / SETTINGS_FILE
    former = read_settings(path)
    if isinstance(former, Refusal):
        return former
    with house.book.recording(event):
        pass
    if set(house.book.witnesses.seats) - set(witnesses):
        house.book.witnesses.forget()
    _publish_keys(house.home / "public", open_keys(house.home / "keys" / "ledger", former.origin), witnesses)
    _write_settings(path, replace(former, witnesses=witnesses))
    return None


def _of_another_version(*, upgrading: bool) -> Refusal | None:
    """Say why the state's tables are not those of this version."""
    try:
        gap = state.schema_gap()
    except DatabaseError as cause:
        return refuse("state-busy") if state.is_busy(cause) else refuse("state-damaged", cause=str(cause))
    if gap is None:
        return None
    if gap.unknown:
        return refuse("state-newer", migrations=", ".join(gap.unknown))
    return None if upgrading else refuse("state-older", migrations=", ".join(gap.lacking))


def _publish_keys(folder: Path, keys: "LogKeys", witnesses: tuple[Seat, ...]) -> None:
    """Write what the world needs to check our certificates: the log's key, and a trust file to start from."""
    from zhanqiao.ledger.trust import trust_text

    named = [(seat.name, seat.verifier, seat.url) for seat in witnesses]
    trust = trust_text(keys.log.verifier, keys.envelope.public_key(), witnesses=named)
    durable.write_whole(folder / "log.vkey", f"{keys.log.vkey}\n".encode(), mode=durable.PUBLIC)
    durable.write_whole(folder / "trust.txt", trust.encode(), mode=durable.PUBLIC)


def _unpublished(path: Path, keys: "LogKeys") -> str | None:
    """Say why the keys cannot be the published ones; None when they are."""
    from zhanqiao.ledger.keys import differing_key
    from zhanqiao.ledger.trust import Trust

    try:
        differing = differing_key(keys, Trust.parse(path.read_bytes()))
    except (OSError, ValueError) as fault:
        return f"public/{path.name} cannot be used: {fault}"
    return None if differing is None else f"public/{path.name} does not hold the key in keys/ledger/{differing}"


def _write_settings(path: Path, deployment: Deployment) -> None:
    fields = {name: value for name, value in vars(deployment).items() if name != "witnesses"}
    lines = ["[deployment]", *_toml(fields)]
    for seat in deployment.witnesses:
        lines += ["", f"[[{_WITNESS}]]", *_toml({"name": seat.name, "url": seat.url, "vkey": seat.verifier.vkey})]
    durable.write_whole(path, "\n".join([*lines, ""]).encode())


def _toml(fields: dict[str, object]) -> list[str]:
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]


def read_settings(path: Path) -> Deployment | Refusal:
    """Read `zhanqiao.toml`; whatever it says that nobody meant is named and not guessed at."""
    try:
        content = read_bounded(path, _MOST_SETTINGS)
        if len(content) > _MOST_SETTINGS:
            return refuse("settings-unreadable", cause=f"more than {_MOST_SETTINGS} bytes")
        said = tomllib.loads(content.decode())
    except OSError as cause:
        return refuse("settings-unreadable", cause=cause.strerror or "-")
    except ValueError as cause:  # no UTF-8, or no TOML
        return refuse("settings-unreadable", cause=str(cause))
    wrong = [Reason("settings-wrong", {"key": key, "wanted": wanted}) for key, wanted in _wrong_settings(said)]
    if wrong:
        return Refusal(tuple(wrong))
    seats = tuple(Seat.read(**row) for row in said.get(_WITNESS, []))
    return Deployment(**said["deployment"], witnesses=seats)


def _wrong_settings(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each key that is unknown, missing or of a wrong kind, with what is wanted there."""
    table = said.get("deployment")
    if not isinstance(table, dict):
        yield "deployment", "[deployment]"
        return
    for key in [*sorted(said.keys() - {"deployment", _WITNESS}), *sorted(table.keys() - _KINDS.keys())]:
        yield key, f"no such key, but: {', '.join(_KINDS)}"
    for key, kind in _KINDS.items():
        # Exactly of its kind: for Python, true is a number.
        if (key in table and type(table[key]) is not kind) or (key not in table and kind is str):
            yield key, kind.__name__
    # A clock that runs ahead would sign what nobody can believe yet.
    for key in _NUMBERS:
        if type(number := table.get(key)) is int and number < 0:
            yield key, "0 or more"
    if isinstance(profile := table.get("profile"), str) and profile not in PROFILES:
        yield "profile", " | ".join(PROFILES)
    yield from _wrong_witnesses(said.get(_WITNESS, []))


def _wrong_witnesses(rows: object) -> Iterator[tuple[str, str]]:
    if not isinstance(rows, list):
        yield _WITNESS, f"[[{_WITNESS}]]"
        return
    seats: list[Seat] = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or {name: type(value) for name, value in row.items()} != _WITNESS_KINDS:
            yield f"{_WITNESS} {number}", f"exactly: {', '.join(_WITNESS_KINDS)}, each of them a text"
            continue
        try:
            seat = Seat.read(**row)
        except ValueError as cause:
            yield f"{_WITNESS} {number}", str(cause)
            continue
        if any(seat.rivals(other) for other in seats):
            yield f"{_WITNESS} {number}", "a name and a key that no other witness has"
        seats.append(seat)
