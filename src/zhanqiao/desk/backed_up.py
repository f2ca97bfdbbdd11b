# SPDX-License-Identifier: Apache-2.0
"""When the newest backup was made: a note in the deployment, and what the log says of a restore."""

from datetime import datetime
from pathlib import Path

from zhanqiao.ledger import durable
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.vault.house import House

# Said by `restore`; what was restored lies in a backup.
RESTORED = "platform.restored"
# When the newest one was finished. No event: the log would be beyond every backup as soon as it was made.
_MADE = ".backed-up"
_MOST_MADE = 64


def newest_backup(house: House) -> datetime | None:
    """Return when the newest backup was made, or restored; None where there is none that anybody knows of."""
    restored = house.book.newest(RESTORED)
    try:
        made = datetime.fromisoformat(read_bounded(house.home / _MADE, _MOST_MADE).decode().strip())
    except (OSError, ValueError):
        return None if restored is None else restored.time
    return made if restored is None else max(made, restored.time)


def note_backup(home: Path, made: str) -> bool:
    """Note in the deployment when its backup was made, once it was; that one stands, whatever becomes of the note."""
    try:
        durable.write_whole(home / _MADE, f"{made}\n".encode())
    except OSError:
        return False
    return True
