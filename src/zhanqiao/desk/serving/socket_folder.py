# SPDX-License-Identifier: Apache-2.0
"""The folder of the vault worker's socket: its owner's, entered by the gateway's group where that is another user's.

Root makes it for somebody who may write the settings, who would be root by a new folder in the right place, of programs or
of units. So root makes it in one place only, `/run/zhanqiao` or beside it; elsewhere it is there and the owner's already, or
made with the owner's own rights: a folder can be exchanged for a link while it is looked at.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zhanqiao.desk.paths import held_by_others, lies_inside
from zhanqiao.desk.serving.away import mark_of
from zhanqiao.desk.serving.plan import Plan
from zhanqiao.desk.serving.users import User
from zhanqiao.terms.refusals import Reason

FOR_GATEWAY, FOR_OWNER = 0o710, 0o700
RUN, _OURS = Path("/run"), "zhanqiao"


def unfit(plan: Plan) -> Iterator[Reason]:
    """Say why the folder cannot be that of the socket; nothing is changed."""
    folder = plan.socket.parent
    if (plan.apart and lies_inside(folder, plan.home)) or _holds_more(plan):
        yield Reason("socket-folder-shared", {"socket": str(plan.socket)})
        return
    for path in held_by_others(folder, trusted(plan)):
        yield Reason("socket-above", {"socket": str(plan.socket), "path": str(path)})
    facts = {"folder": str(folder), "user": plan.owner.name}
    try:
        if folder.stat().st_uid != plan.owner.uid:
            yield Reason("socket-folder-of-another", facts)
    except FileNotFoundError:
        if plan.owner.uid and not is_roots_to_make(plan) and not any(held_by_others(folder, {0})):
            yield Reason("socket-folder-missing", facts)
    except OSError:
        return  # not to be seen from here: whoever makes it says so


def trusted(plan: Plan) -> set[int]:
    """Return who may hold the folders above: not the owner, where he would let another user in."""
    return {0} if plan.apart else {0, plan.owner.uid}


def is_roots_to_make(plan: Plan) -> bool:
    """Whether root makes it for the owner: where nothing else is looked for, and nobody puts another in its place."""
    folder = plan.socket.parent
    known = folder.parent == RUN and folder.name.startswith(_OURS) and not any(held_by_others(folder, {0}))
    return known or plan.owner.uid == 0


def make(plan: Plan) -> None:
    """Make the folder, or correct its group and mode where it is the owner's; raises OSError."""
    folder, roots = plan.socket.parent, is_roots_to_make(plan)
    with _rights_of(plan.owner, needed=not roots):
        new = _made(folder)
    # By its descriptor: whatever stands under that name a moment later.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_uid != (os.geteuid() if new and roots else plan.owner.uid):
            raise PermissionError(errno.EPERM, "its folder is another user's")
        if os.geteuid() == 0:
            os.fchown(descriptor, plan.owner.uid, plan.gateway.gid)
        os.fchmod(descriptor, FOR_GATEWAY if plan.apart else FOR_OWNER)
    finally:
        os.close(descriptor)


def _made(folder: Path) -> bool:
    """Make the folder where it is not there; those above it are entered by the gateway, whatever the umask."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    for path in reversed(missing):
        path.mkdir(mode=FOR_OWNER)
        if path != folder:
            path.chmod(0o755)
    return bool(missing)


def _holds_more(plan: Plan) -> bool:
    try:
        return any(path not in {plan.socket, mark_of(plan.socket)} for path in plan.socket.parent.iterdir())
    except OSError:
        return False  # it is not there yet, or whoever makes it says why it cannot be


@contextmanager
def _rights_of(user: User, *, needed: bool) -> Iterator[None]:
    """Go on with no more than that user's rights, where root would lend its own to him."""
    if not needed or os.geteuid() != 0 or user.uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups(user.groups)
    os.setegid(user.gid)
    os.seteuid(user.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
