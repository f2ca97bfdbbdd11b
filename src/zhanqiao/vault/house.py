# SPDX-License-Identifier: Apache-2.0
"""The house: what an open deployment hands to those who act in it. The world comes in through here, as arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from zhanqiao.ledger.book import Book
from zhanqiao.vault.vault import Vault


@dataclass(frozen=True)
class House:
    """An open deployment.

    clock   the present moment, aware, UTC
    dice    n -> n random bytes
    """

    home: Path
    profile: str
    clock: Callable[[], datetime]
    dice: Callable[[int], bytes]
    book: Book
    vault: Vault
