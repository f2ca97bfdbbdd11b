# SPDX-License-Identifier: Apache-2.0
"""Files in the vault: their names, and reading them. How they are written so that a crash leaves all or nothing: `ledger.durable`."""

import re
from pathlib import Path

from zhanqiao.ledger.durable import PART
from zhanqiao.ledger.regular_file import NotRegular, read_whole
from zhanqiao.vault.faults import VaultFault

_NAME = re.compile(r"[\w:@+-][\w.:@+-]*", re.ASCII)


def checked_name(name: str) -> str:
    """Return `name` if it can stand as one file name and nothing else (no path, no hidden file)."""
    if not _NAME.fullmatch(name) or name.endswith(PART):
        raise VaultFault("couldn't use a name in the vault: it is no plain file name")
    return name


def read(path: Path, what: str) -> bytes:
    """Read a file of the vault; what lies in its place and is no file is a fault, and nobody waits for it."""
    try:
        return read_whole(path)
    except NotRegular as cause:
        raise VaultFault(f"couldn't read {what}: {cause.strerror}") from None
