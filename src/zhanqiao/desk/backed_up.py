# SPDX-License-Identifier: Apache-2.0
"""When the newest backup was made: a note in the deployment, and what the log says of a restore."""

from datetime import datetime, timedelta
from pathlib import Path

from zhanqiao.ledger import durable
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.vault.house import House

# Said by `restore`; what was restored lies in a backup.
RESTORED = "platform.restored"
# When the newest one was finished. No event: the log would be beyond every backup as soon as it was made.
NOTE = ".backed-up"
_MOST_MADE = 64
_SKEW = timedelta(minutes=5)


def newest_backup(house: House) -> datetime | None:
    """Return when the newest backup was made, or restored; None where there is none that anybody knows of."""
    restored = house.book.newest(RESTORED)
    try:
        made = read_moment(read_bounded(house.home / NOTE, _MOST_MADE))
        # Who set it ahead would be told for ever that all is well.
        known = made if made <= house.clock() + _SKEW else None
    except (OSError, ValueError):
        known = None
    return max((one for one in (known, None if restored is None else restored.time) if one is not None), default=None)


def read_moment(content: bytes) -> datetime:
    """Read what such a note says; raises ValueError for anything but a moment with its zone."""
    made = datetime.fromisoformat(content.decode().strip())
    if made.tzinfo is None:
        raise ValueError("no zone")
    return made


def note_backup(home: Path, made: str) -> bool:
    """Note in the deployment when its backup was made, once it was; that one stands, whatever becomes of the note."""
    try:
        durable.write_whole(home / NOTE, f"{made}\n".encode())
    except OSError:
        return False
    return True
