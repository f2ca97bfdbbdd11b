# SPDX-License-Identifier: Apache-2.0
"""Pointing Django at a deployment's state database. Django wants to know its tables before anybody imports a model."""

import os
import sqlite3
from pathlib import Path

import django
from django.db import DatabaseError, connections


def prepare() -> None:
    """Let Django know its tables; which database they are in is settled by `use`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhanqiao.desk.settings")
    django.setup()


def is_busy(error: DatabaseError) -> bool:
    """Tell whether the state could not be had because another process holds it; nothing is wrong with it then."""
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    # The low byte names the error, the rest its variety.
    return code is not None and code & 0xFF == sqlite3.SQLITE_BUSY


def is_full(error: DatabaseError) -> bool:
    """Tell whether the state could not be written because the disk is full; what was begun was rolled back."""
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE)


def use(home: Path) -> None:
    """Point this process at the state of one deployment."""
    prepare()
    connections.close_all()
    connections.settings["default"]["NAME"] = str(file_of(home))


def file_of(home: Path) -> Path:
    """Return where a deployment keeps its state."""
    return home / "state.sqlite3"
