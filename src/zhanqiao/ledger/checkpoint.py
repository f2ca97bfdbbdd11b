# SPDX-License-Identifier: Apache-2.0
"""C2SP checkpoints: the three lines that say how far a log goes.

    <origin>
    <size>
    <base64 root>

Extension lines are allowed by the format and not by us: nobody signs what our verifier does not read.
"""

from dataclasses import dataclass

from zhanqiao.ledger.exact import exact_base64, exact_decimal, in_base64
from zhanqiao.ledger.problems import Unsound
from zhanqiao.ledger.tree import EMPTY_ROOT, HASH_BYTES, MAX_SIZE


@dataclass(frozen=True)
class Checkpoint:
    """One state of a log: whose it is, how many entries it has, and the root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{in_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the text of an opened note; raises `Unsound`."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise Unsound("checkpoint-malformed", cause="it has not exactly three lines")
        origin, size, root = lines[:3]
        try:
            checkpoint = cls(origin, exact_decimal(size, MAX_SIZE), exact_base64(root))
        except ValueError as cause:
            raise Unsound("checkpoint-malformed", cause=cause) from cause
        if not origin or len(checkpoint.root) != HASH_BYTES:
            raise Unsound("checkpoint-malformed", cause="it has no origin, or a root that is no SHA-256 hash")
        if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
            raise Unsound("checkpoint-malformed", cause="an empty log has one root only")
        return checkpoint
