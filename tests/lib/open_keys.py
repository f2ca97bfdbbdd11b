# SPDX-License-Identifier: Apache-2.0
"""Keys that tests left open in memory: they outlive a deployment's folder, which is all that tidying up takes away."""

import shutil
from pathlib import Path

from zhanqiao.desk import sealed_keys


def forget_open_keys(folder: Path) -> None:
    """Remove the open keys of every deployment that lies, or lay, in a folder."""
    for memory in sealed_keys.MEMORY.glob("zhanqiao-*"):
        try:
            home = Path((memory / "home").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue  # another user's, or gone meanwhile
        if home.is_relative_to(folder.resolve()):
            shutil.rmtree(memory, ignore_errors=True)
