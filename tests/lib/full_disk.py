# SPDX-License-Identifier: Apache-2.0
"""A disk of its own that runs full: `python full_disk.py HOME DISK FREE_KB WORD...`, in a mount namespace of its own.

Mounts a small file system at DISK, puts a copy of HOME there, fills it but for FREE_KB, and runs `zhanqiao WORD...`;
then removes the filling and runs the same again; with AUDITED in the environment, `ledger audit` after that. Prints what all
runs said as JSON.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

_SIZE = 256 << 20


def main() -> None:
    home, disk, free = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) << 10
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(disk)], check=True)
    shutil.copytree(home, disk / "home")
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_bsize - free)
    runs = [_run(disk, sys.argv[4:])]
    ballast.unlink()
    runs.append(_run(disk, sys.argv[4:]))
    if "AUDITED" in os.environ:
        runs.append(_run(disk, ["ledger", "audit"]))
    json.dump(runs, sys.stdout)


def _run(disk: Path, words: list[str]) -> dict[str, object]:
    command = [str(Path(sys.executable).with_name("zhanqiao")), *words, "--home", str(disk / "home")]
    # Nothing but the deployment is on the disk that is full.
    ended = subprocess.run(command, check=False, capture_output=True, text=True, input=os.environ.get("GIVEN", ""))
    left = sorted(str(path.relative_to(disk)) for path in disk.rglob("*.part*"))
    holds = sorted(str(path.relative_to(disk)) for path in disk.rglob("*") if path.name != "ballast")
    return {"status": ended.returncode, "said": ended.stdout + ended.stderr, "left": left, "holds": holds}


if __name__ == "__main__":
    main()
