# SPDX-License-Identifier: Apache-2.0
"""Logs as a liar keeps them: in memory, under a real key, able to fork at any entry; and witnesses to show them to."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zhanqiao.ledger.checkpoint import Checkpoint
from zhanqiao.ledger.cosigning import Answer, Submission, Witness
from zhanqiao.ledger.note import NoteSigner, sign
from zhanqiao.ledger.tree import consistency_proof, leaf_hash, node_hash, root_at

ORIGIN = "zhanqiao.test/witnessed"


def key_of(name: str) -> Ed25519PrivateKey:
    """Return the key that a name stands for in tests."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


LOG = NoteSigner(ORIGIN, key_of("log"))


@dataclass
class LiarsLog:
    """A log that its operator can fork. Trees share what they have in common."""

    leaves: list[bytes]
    _nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, size: int) -> "LiarsLog":
        return cls([leaf_hash(b"entry %d" % number) for number in range(size)])

    def forked(self, at: int) -> "LiarsLog":
        """Return the log with another entry at `at`, and other ones behind it."""
        other = [leaf_hash(b"other %d" % number) for number in range(at, len(self.leaves))]
        return LiarsLog([*self.leaves[:at], *other])

    def hash_at(self, level: int, index: int) -> bytes:
        if level == 0:
            return self.leaves[index]
        if (level, index) not in self._nodes:
            below = [self.hash_at(level - 1, 2 * index + side) for side in (0, 1)]
            self._nodes[level, index] = node_hash(*below)
        return self._nodes[level, index]

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(ORIGIN, size, root_at(size, self.hash_at))

    def note(self, size: int, signer: NoteSigner = LOG) -> bytes:
        return sign(self.checkpoint(size).text(), [signer])

    def submission(self, old: int, size: int) -> Submission:
        """Return an honest request."""
        return Submission(old, tuple(consistency_proof(old, size, self.hash_at)), self.note(size))

    def show(self, witness: Witness, old: int, size: int) -> Answer:
        return witness.add_checkpoint(self.submission(old, size).body())


def found_witness(folder: Path, clock: object, name: str = "witness.test/w1") -> Witness:
    """Make a witness that watches the liar's log."""
    return Witness.found(folder, name, [LOG.verifier], clock)
