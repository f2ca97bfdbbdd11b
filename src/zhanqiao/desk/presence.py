# SPDX-License-Identifier: Apache-2.0
"""Whether a deployment lies in a folder, or did: told by names alone, before anything is opened."""

from pathlib import Path

from zhanqiao.desk.configuration import SETTINGS_FILE, UNFINISHED
from zhanqiao.terms.refusals import Refusal, refuse

# By which a deployment is told that has lost its settings.
_PARTS = ("state.sqlite3", "ledger/checkpoint", "vault/segments")


def absent(home: Path) -> Refusal | None:
    """Say why no deployment lies in a folder; None where it has settings."""
    if (home / SETTINGS_FILE).is_file():
        return None
    return remains(home) or refuse("no-deployment", home=str(home))


def remains(home: Path) -> Refusal | None:
    """Say what a folder without settings holds of a deployment: one that is begun, or lost them; None for nothing of ours."""
    if (home / UNFINISHED).exists():
        return refuse("home-unfinished", home=str(home))
    lost = any((home / part).exists() for part in _PARTS)
    return refuse("settings-missing", home=str(home)) if lost else None
