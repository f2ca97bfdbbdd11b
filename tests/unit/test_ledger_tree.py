# SPDX-License-Identifier: Apache-2.0
"""The tree against RFC 6962's own numbers and against a naive transcription of its definitions."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhanqiao.ledger.tree import (
    EMPTY_ROOT,
    Frontier,
    ProofWrong,
    check_consistency,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    root_of,
)

# The test vectors of the certificate-transparency repository (merkletree tests).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = naive_split(len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = naive_split(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(m: int, leaves: list[bytes], *, known: bool = True) -> list[bytes]:
    if m == len(leaves):
        return [] if known else [naive_root(leaves)]
    k = naive_split(len(leaves))
    if m <= k:
        return [*naive_proof(m, leaves[:k], known=known), naive_root(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], known=False), naive_root(leaves[:k])]


def stored(leaves: list[bytes]):
    """Return `hash_at` over complete subtrees only, as a store would have them."""

    def hash_at(level: int, index: int) -> bytes:
        part = leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "an incomplete subtree was asked for"
        return naive_root(part)

    return hash_at


def some_leaves(count: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(count)]


def test_the_empty_tree_has_the_known_root():
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Frontier().root() == root_of([]) == EMPTY_ROOT


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size: int):
    assert root_of(map(leaf_hash, LEAVES[:size])).hex() == ROOTS[size - 1]


def test_known_inclusion_path():
    assert [node.hex() for node in inclusion_proof(5, 8, stored(LEAVES))] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_known_consistency_proof():
    assert [node.hex() for node in consistency_proof(6, 8, stored(LEAVES))] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(st.integers(0, 140))
def test_the_frontier_is_the_naive_root_and_survives_storage(size: int):
    frontier = Frontier()
    leaves = some_leaves(size)
    for leaf in leaves:
        frontier = Frontier.from_bytes(frontier.to_bytes())
        frontier.append(leaf_hash(leaf))
    assert frontier.size == size
    assert frontier.root() == naive_root(leaves)


@given(st.data())
def test_inclusion_is_the_naive_path_and_leads_to_the_root(data: st.DataObject):
    size = data.draw(st.integers(1, 140))
    index = data.draw(st.integers(0, size - 1))
    leaves = some_leaves(size)
    proof = inclusion_proof(index, size, stored(leaves))
    assert proof == naive_path(index, leaves)
    assert root_from_inclusion(leaf_hash(leaves[index]), index, size, proof) == naive_root(leaves)


@given(st.data())
def test_consistency_is_the_naive_proof_and_holds(data: st.DataObject):
    size = data.draw(st.integers(1, 140))
    old = data.draw(st.integers(1, size))
    leaves = some_leaves(size)
    proof = consistency_proof(old, size, stored(leaves))
    assert proof == naive_proof(old, leaves)
    assert check_consistency(old, naive_root(leaves[:old]), size, naive_root(leaves), proof)


@given(st.data())
def test_a_changed_inclusion_proof_never_leads_to_the_root(data: st.DataObject):
    """Another index, another size of the same height or not, a hash more, less, exchanged or flipped."""
    size = data.draw(st.integers(2, 70))
    index = data.draw(st.integers(0, size - 1))
    leaves = some_leaves(size)
    proof = naive_path(index, leaves)
    at = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    forged = data.draw(
        st.sampled_from(
            [
                (index, proof[:at] + proof[at + 1 :]),
                (index, [*proof[:at], proof[at], *proof[at:]]),
                (index, [*proof[:at], flipped, *proof[at + 1 :]]),
                (index, [*proof[:at], proof[at][:31], *proof[at + 1 :]]),
                (index, [*proof, EMPTY_ROOT]),
                (index ^ 1, proof),
                (index + size, proof),
                (-1, proof),
            ]
        )
    )
    try:
        found = root_from_inclusion(leaf_hash(leaves[index]), forged[0], size, forged[1])
    except ProofWrong:
        return
    assert found != naive_root(leaves)


@given(st.data())
def test_a_rewritten_log_is_never_consistent(data: st.DataObject):
    size = data.draw(st.integers(2, 70))
    old = data.draw(st.integers(1, size - 1))
    leaves = some_leaves(size)
    rewritten = list(leaves)
    rewritten[data.draw(st.integers(0, old - 1))] = b"rewritten"
    old_root = naive_root(leaves[:old])
    proof = naive_proof(old, rewritten)
    assert not check_consistency(old, old_root, size, naive_root(rewritten), proof)
    honest = naive_proof(old, leaves)
    assert not check_consistency(old, old_root, size, naive_root(leaves), honest[:-1])
    assert not check_consistency(old, old_root, size, naive_root(leaves), [*honest, honest[-1]])
    assert not check_consistency(size, naive_root(leaves), old, old_root, honest)


def test_consistency_at_the_edges():
    root = naive_root(some_leaves(3))
    assert check_consistency(0, EMPTY_ROOT, 3, root, [])
    assert not check_consistency(0, root, 3, root, [])
    assert check_consistency(3, root, 3, root, [])
    assert not check_consistency(3, root, 3, root, [root])
    assert not check_consistency(2, naive_root(some_leaves(2)), 3, root, [])
    assert consistency_proof(0, 3, stored(some_leaves(3))) == []


def test_a_node_is_no_leaf():
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert node_hash(left, right) != leaf_hash(left + right)


def test_what_cannot_be_proved_is_refused():
    with pytest.raises(ValueError, match="couldn't prove leaf 3"):
        inclusion_proof(3, 3, stored(some_leaves(3)))
    with pytest.raises(ValueError, match="never shrinks"):
        consistency_proof(4, 3, stored(some_leaves(3)))


@pytest.mark.parametrize(
    "damaged",
    [b"", bytes(7), bytes(7) + b"\x01", bytes(7) + b"\x01" + bytes(31), bytes(7) + b"\x02" + bytes(64), bytes(8 + 32)],
)
def test_a_damaged_frontier_is_a_fault(damaged: bytes):
    with pytest.raises(ValueError, match="couldn't read the frontier"):
        Frontier.from_bytes(damaged)
