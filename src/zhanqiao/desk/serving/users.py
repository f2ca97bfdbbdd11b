# SPDX-License-Identifier: Apache-2.0
"""Users of the machine, and whether they reach a file: by its mode, and those of all folders above, as the kernel judges.

Looked at for somebody else, before anything is started as him. What cannot be seen from here, or carries an access list,
is not judged: it counts as reached, and whoever fails at it says so.
"""

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zhanqiao.desk.paths import ACCESS_LIST, attributes

READ, RUN = 4, 1


@dataclass(frozen=True)
class User:
    """A user of the machine."""

    name: str
    uid: int
    gid: int

    @property
    def groups(self) -> list[int]:
        """The groups in which his processes are started."""
        return os.getgrouplist(self.name, self.gid)


def user_of(uid: int) -> User:
    """Return the user of that number; one that has no name is called by it."""
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return User(str(uid), uid, uid)
    return User(found.pw_name, uid, found.pw_gid)


def reaches(user: User, path: Path, wanted: int) -> bool:
    """Whether that user may read, or run, a file that is there."""
    if user.uid == 0:
        return True
    return all(_allows(user, one, wanted if one == path else RUN) for one in _on_the_way(path))


def _on_the_way(path: Path) -> Iterator[Path]:
    """Yield the file and the folders through which it is reached, by its name and by where that leads."""
    yield path
    yield from path.absolute().parents
    yield from Path(os.path.realpath(path)).parents


def _allows(user: User, path: Path, wanted: int) -> bool:
    try:
        found = path.stat()
        if ACCESS_LIST in attributes(path, follow_symlinks=True):
            return True
    except OSError:
        return True
    if found.st_uid == user.uid:
        return bool(found.st_mode & wanted * stat.S_IXUSR)
    if found.st_gid in user.groups:
        return bool(found.st_mode & wanted * stat.S_IXGRP)
    return bool(found.st_mode & wanted * stat.S_IXOTH)
