# SPDX-License-Identifier: Apache-2.0
"""Pointing Django at a deployment's state database. Django wants to know its tables before anybody imports a model."""

import os
import pkgutil
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
from django.apps import apps as django_apps
from django.db import DatabaseError, connections
from django.db.migrations.recorder import MigrationRecorder

FILE = "state.sqlite3"
_MIGRATIONS_TABLE = "django_migrations"


def prepare() -> None:
    """Let Django know its tables; which database they are in is settled by `use`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhanqiao.desk.settings")
    django.setup()


# Less, and SQLite maps a file that cannot grow: the process is killed when it writes there, and can say nothing.
_ROOM_BYTES = 128 << 10


def has_room(folder: Path) -> bool:
    """Tell whether the disk has so much room left that a state on it can be opened; one that tells no size may have."""
    usage = shutil.disk_usage(folder)
    return not usage.total or usage.free >= _ROOM_BYTES


def is_busy(error: DatabaseError) -> bool:
    """Tell whether the state could not be had because another process holds it; nothing is wrong with it then."""
    return _code(error) & 0xFF == sqlite3.SQLITE_BUSY


def is_full(error: DatabaseError) -> bool:
    """Tell whether the state could not be written because the disk is full; what was begun was rolled back."""
    code = _code(error)
    return code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE


def is_failing(error: DatabaseError) -> bool:
    """Tell whether the disk under the state did not read, write or sync; what was begun may last or may not."""
    return _code(error) & 0xFF == sqlite3.SQLITE_IOERR


def is_read_only(error: DatabaseError) -> bool:
    """Tell whether the state could not be had because its disk takes no writes: to read it, SQLite writes beside it.

    What it says then it says of a state that is not there as well, and of an act that we ourselves let write nothing.
    """
    if _code(error) & 0xFF not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
        return False
    folder = Path(connections.settings["default"]["NAME"]).parent
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _code(error: BaseException) -> int:
    """Return SQLite's code behind an error (the low byte names the error, the rest its variety); 0 when it is none of its."""
    cause: BaseException | None = error
    while cause is not None and not hasattr(cause, "sqlite_errorcode"):
        cause = cause.__cause__  # migrations wrap what the database wraps
    return 0 if cause is None else int(cause.sqlite_errorcode)


def use(home: Path) -> None:
    """Point this process at the state of one deployment."""
    prepare()
    connections.close_all()
    connections.settings["default"]["NAME"] = str(file_of(home))


def file_of(home: Path) -> Path:
    """Return where a deployment keeps its state."""
    return home / FILE


@contextmanager
def reading(home: Path) -> Iterator[sqlite3.Connection]:
    """Open a deployment's state beside Django, to read it."""
    with closing(sqlite3.connect(f"{file_of(home).absolute().as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


@contextmanager
def _said_as_text() -> Iterator[None]:
    """Pass on what SQLite says of a malformed schema also where it names a part of it in bytes that are no text."""
    try:
        yield
    except UnicodeDecodeError as cause:
        raise DatabaseError("malformed database schema: a name in it is no UTF-8") from cause


def contradiction() -> str | None:
    """Say what SQLite's own check of every page, row and index finds in the state that is in use; None when nothing.

    Raises DatabaseError where another process holds it, or the disk does not read it: then nothing is known.
    """
    # On a connection of its own, which reads the file and not what this process has read of it before.
    with _said_as_text(), closing(connections["default"].copy()) as beside, beside.cursor() as cursor:
        try:
            cursor.execute("PRAGMA integrity_check(1)")
            [(said,), *_] = cursor.fetchall()
        except DatabaseError as cause:
            if is_busy(cause) or is_full(cause) or is_failing(cause) or is_read_only(cause):
                raise
            said = str(cause)
    return None if said == "ok" else said.splitlines()[-1]


def is_longer_than_its_pages() -> bool:
    """Tell whether bytes lie behind the last page of the state that is in use, where no check of SQLite's looks.

    Asked of SQLite, which alone may open the file while this process works with it. Told where nothing waits in the
    write-ahead log, twice: a file that is about to shrink is longer for a moment.
    """
    return all(_has_more_than_pages() for _ in range(2))


def _has_more_than_pages() -> bool:
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        _, waiting, moved = cursor.fetchone()
        cursor.execute("PRAGMA page_size")
        [size] = cursor.fetchone()
        cursor.execute("PRAGMA page_count")
        [pages] = cursor.fetchone()
    length = Path(connections.settings["default"]["NAME"]).stat().st_size
    return bool(waiting == moved and length > pages * size)


def is_empty() -> bool:
    """Tell whether the state that is in use has no table of anybody's but what names its migrations."""
    return not set(connections["default"].introspection.table_names()) - {_MIGRATIONS_TABLE}


@dataclass(frozen=True)
class SchemaGap:
    """How a state's tables differ from those of this version, by the names of migrations: `app.name`."""

    done: tuple[str, ...]
    lacking: tuple[str, ...]
    unknown: tuple[str, ...]


def schema_gap() -> SchemaGap | None:
    """Compare what was done to the state that is in use with what this version would have done; None when it is the same.

    Raises DatabaseError where it cannot be read.
    """
    apps = {app.label: app for app in django_apps.get_app_configs()}
    wanted = {
        f"{label}.{module.name}"
        for label, app in apps.items()
        for module in pkgutil.iter_modules([f"{app.path}/migrations"])
    }
    with _said_as_text():
        applied = MigrationRecorder(connections["default"]).applied_migrations()
    done = {f"{label}.{name}" for label, name in applied}
    if done == wanted:
        return None
    return SchemaGap(tuple(sorted(done)), tuple(sorted(wanted - done)), tuple(sorted(done - wanted)))
