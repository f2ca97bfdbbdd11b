# SPDX-License-Identifier: Apache-2.0
"""Names of files in the vault. How they are written so that a crash leaves all or nothing: `ledger.durable`."""

import re

from zhanqiao.ledger.durable import PART
from zhanqiao.vault.faults import VaultFault

_NAME = re.compile(r"[\w:@+-][\w.:@+-]*", re.ASCII)


def checked_name(name: str) -> str:
    """Return `name` if it can stand as one file name and nothing else (no path, no hidden file)."""
    if not _NAME.fullmatch(name) or name.endswith(PART):
        raise VaultFault("couldn't use a name in the vault: it is no plain file name")
    return name
