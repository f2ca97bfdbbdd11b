# SPDX-License-Identifier: Apache-2.0
"""The Merkle tree of RFC 6962, and nothing else: pure functions over SHA-256.

A leaf is SHA-256(0x00 || data), a node SHA-256(0x01 || left || right), the empty tree SHA-256 of nothing. A tree of n
leaves splits at the largest power of two below n, so that complete subtrees never change again and an append touches
only the right edge, the frontier. Whoever builds a proof passes `hash_at(level, index)`, which returns the hash of the
complete subtree of 2**level leaves that starts at leaf index * 2**level.

Proofs are checked strictly: an index outside of the tree and one hash too many or too few are errors, never ignored.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence

HASH_BYTES = 32
# Go's tlog counts in int64; a tree that one verifier cannot count is no tree for the other.
MAX_SIZE = 2**63 - 1

EMPTY_ROOT = hashlib.sha256(b"").digest()

HashAt = Callable[[int, int], bytes]


class ProofWrong(ValueError):  # noqa: N818  the name says what is so
    """The proof has not the shape that index and size demand."""


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: one hash for each complete subtree, largest first.

    Enough to append and to know the root, and 40 bytes to 2 kB however long the log is. The subtrees' sizes are the
    set bits of `size`.
    """

    def __init__(self) -> None:
        self.size = 0
        self._nodes: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Take the hash of the next leaf."""
        node, carry = leaf, self.size
        while carry & 1:
            node = node_hash(self._nodes.pop(), node)
            carry >>= 1
        self._nodes.append(node)
        self.size += 1

    def root(self) -> bytes:
        return _fold(self._nodes)

    def to_bytes(self) -> bytes:
        """Return size (8 bytes, big-endian) and the hashes."""
        return self.size.to_bytes(8, "big") + b"".join(self._nodes)

    @classmethod
    def from_bytes(cls, stored: bytes) -> "Frontier":
        """Read `to_bytes` back; raises ValueError when the hashes are not as many as the size demands."""
        size, hashes = int.from_bytes(stored[:8], "big"), stored[8:]
        if len(stored) < 8 or len(hashes) != HASH_BYTES * size.bit_count():
            raise ValueError(f"couldn't read the frontier: {len(stored)} bytes do not fit size {size}")
        return cls.of(size, [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)])

    @classmethod
    def of(cls, size: int, nodes: list[bytes]) -> "Frontier":
        """Return the frontier of a tree whose complete subtrees, largest first, are `nodes`."""
        frontier = cls()
        frontier.size, frontier._nodes = size, nodes
        return frontier


def root_of(hashes: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    frontier = Frontier()
    for leaf in hashes:
        frontier.append(leaf)
    return frontier.root()


def frontier_at(size: int, hash_at: HashAt) -> Frontier:
    """Return the frontier of the first `size` leaves from stored subtree hashes."""
    return Frontier.of(size, _subtrees(0, size, hash_at))


def root_at(size: int, hash_at: HashAt) -> bytes:
    """Return the root of the first `size` leaves from stored subtree hashes."""
    return _range_hash(0, size, hash_at)


def inclusion_proof(index: int, size: int, hash_at: HashAt) -> list[bytes]:
    """Return the audit path of RFC 6962 2.1.1, the leaf's sibling first."""
    if not 0 <= index < size:
        raise ValueError(f"couldn't prove leaf {index}: the tree has {size}")
    low, high, path = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_hash(middle, high, hash_at))
            high = middle
        else:
            path.append(_range_hash(low, middle, hash_at))
            low = middle
    return path[::-1]


def consistency_proof(old: int, size: int, hash_at: HashAt) -> list[bytes]:
    """Return the proof of RFC 6962 2.1.2 that the tree of `size` only appended to the tree of `old`."""
    if not 0 <= old <= size:
        raise ValueError(f"couldn't prove consistency from {old} to {size}: a log never shrinks")
    if old == 0:
        return []  # everything extends the empty tree
    low, high, path = 0, size, []
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range_hash(middle, high, hash_at))
            high = middle
        else:
            path.append(_range_hash(low, middle, hash_at))
            low = middle
    if low > 0:  # else the old root itself is this subtree, and the checker has it
        path.append(_range_hash(low, high, hash_at))
    return path[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that `proof` leads to (RFC 9162 2.1.3.2). The caller compares it with a signed root."""
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofWrong(f"leaf {index} is not in a tree of {size}")
    node, position, last = _hash(leaf), index, size - 1
    for sibling in proof:
        if last == 0:
            raise ProofWrong("the proof goes on above the root")
        if position & 1 or position == last:
            node = node_hash(_hash(sibling), node)
            # On the right edge whole levels have no sibling and therefore no hash.
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            node = node_hash(node, _hash(sibling))
        position >>= 1
        last >>= 1
    if last:
        raise ProofWrong("the proof ends below the root")
    return node


def check_consistency(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the tree (size, root) only appended to the tree (old, old_root) (RFC 9162 2.1.4.2)."""
    if not 0 <= old <= size <= MAX_SIZE or any(len(node) != HASH_BYTES for node in proof):
        return False
    if old in (0, size):
        return not proof and old_root == (root if old else EMPTY_ROOT)
    position, last = old - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    # An old tree of 2**n leaves is itself a node on the way, so that the proof leaves it out.
    path = list(proof) if position else [old_root, *proof]
    if not path:
        return False
    old_node = node = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_node, node = node_hash(sibling, old_node), node_hash(sibling, node)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and old_node == old_root and node == root


def _split(width: int) -> int:
    """Return the largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def _range_hash(low: int, high: int, hash_at: HashAt) -> bytes:
    """Return the hash of the subtree over leaves [low, high), where low is where a subtree of that width may start."""
    return _fold(_subtrees(low, high, hash_at))


def _subtrees(low: int, high: int, hash_at: HashAt) -> list[bytes]:
    """Return the complete subtrees over leaves [low, high), largest first."""
    nodes = []
    while low < high:
        level = (high - low).bit_length() - 1
        nodes.append(hash_at(level, low >> level))
        low += 1 << level
    return nodes


def _fold(nodes: Sequence[bytes]) -> bytes:
    """Join complete subtrees, largest first, into one root."""
    if not nodes:
        return EMPTY_ROOT
    root = nodes[-1]
    for node in reversed(nodes[:-1]):
        root = node_hash(node, root)
    return root


def _hash(node: bytes) -> bytes:
    if len(node) != HASH_BYTES:
        raise ProofWrong(f"a hash has {HASH_BYTES} bytes, not {len(node)}")
    return node
