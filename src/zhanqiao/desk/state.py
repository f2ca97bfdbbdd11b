# SPDX-License-Identifier: Apache-2.0
"""Pointing Django at a deployment's state database. Django wants to know its tables before anybody imports a model."""

import os
from pathlib import Path

import django
from django.db import connections


def prepare() -> None:
    """Let Django know its tables; which database they are in is settled by `use`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhanqiao.desk.settings")
    django.setup()


def use(home: Path) -> None:
    """Point this process at the state of one deployment."""
    prepare()
    connections.close_all()
    connections.settings["default"]["NAME"] = str(home / "state.sqlite3")
