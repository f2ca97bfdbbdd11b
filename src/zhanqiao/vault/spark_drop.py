# SPDX-License-Identifier: Apache-2.0
"""The program by which root starts a room: it becomes somebody else before the walls go up, and imports nothing of ours.

bubblewrap is never started by user 0: inside all its namespaces that would still be the machine's root. The uid it runs
as instead may not even reach the interpreter's folder. So, in a mount namespace of its own, each path that the room may
read is bound to a place that everybody can reach; then all rights are given up; then bubblewrap takes this process over.

Run as `program UID COUNT PATH... COMMAND...`: so many paths appear as `/tmp/0`, `/tmp/1`, ... in this namespace alone.
"""

import ctypes
import os
import sys

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_PRIVATE = 0x4000 | 1 << 18  # MS_REC | MS_PRIVATE
_BIND = 0x1000 | 0x4000  # MS_BIND | MS_REC
_OVER = "/tmp"  # noqa: S108  what lies there is not used, but covered


def main() -> None:
    """Bind, drop, execute."""
    uid, count, *rest = sys.argv[1:]
    paths, command = rest[: int(count)], rest[int(count) :]
    _checked("unshare", _NEW_MOUNTS)
    _checked("mount", b"none", b"/", None, _PRIVATE, None)
    # Opened first: what is covered in a moment may hold some of them.
    opened = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in paths]
    kinds = [os.path.isdir(path) for path in paths]  # noqa: PTH112  no import that is not needed
    _checked("mount", b"none", _OVER.encode(), b"tmpfs", 0, b"mode=755")
    for place, (descriptor, is_folder) in enumerate(zip(opened, kinds, strict=True)):
        target = f"{_OVER}/{place}"
        if is_folder:
            os.mkdir(target)  # noqa: PTH102
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
        _checked("mount", f"/proc/self/fd/{descriptor}".encode(), target.encode(), None, _BIND, None)
    os.chdir("/")
    os.setgroups([])
    os.setresgid(int(uid), int(uid), int(uid))
    os.setresuid(int(uid), int(uid), int(uid))
    os.execve(command[0], command, {})  # noqa: S606


def _checked(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


if __name__ == "__main__":
    main()
