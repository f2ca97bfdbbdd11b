# SPDX-License-Identifier: Apache-2.0
"""Tokens: a keyed one-block permutation of the normalised 18-character identifier.

    bits 0-93     the identifier in base 36, as two limbs of nine characters (47 bits each)
    bits 94-127   the tag: layout version (8 bits), kind of subject (4), domain (22)

One AES-256 block under one key is a permutation, the fields have bits of their own, and base 36 is positional: distinct
(kind, domain, identifier) give distinct tokens. No collisions, exact joins, and only who holds the key can go back.

Why ECB, here and nowhere else: ECB is unsafe for messages of many blocks, whose repeats show. A message here is exactly
one block, and "equal token for equal identifier" is the function wanted; the mode is only the library's way to apply
the block permutation to a vector. A token still shows equality, so it stays in the vault and each purpose has a domain
of its own. It is de-identification, not anonymisation (PIPL 73).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from zhanqiao.terms.subjects import ID_LENGTH, SubjectKind, normalise_id
from zhanqiao.vault.faults import VaultFault

Tokens = npt.NDArray[np.uint64]  # shape (n, 2): low and high half of each token
Flags = npt.NDArray[np.bool_]
Characters = npt.NDArray[np.uint8]  # shape (n, 18)
Pairs = npt.NDArray[np.uint16]  # shape (n, 9): two characters each, as one base-1296 digit

LAYOUT = 1
VAULT_DOMAIN = 0

# Twice as fast as a whole column at once: a chunk's arrays stay in the cache.
_CHUNK = 65_536
_HALF = ID_LENGTH // 2
_LIMB_BITS = 47
_LIMB_END = 36**_HALF
_ALPHABET = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", np.uint8)
_NO_PAIR = 2**16 - 1
# The two characters of each pair as they stand in memory, and from these the pair.
_SPELT = (_ALPHABET[:, None] | _ALPHABET[None, :].astype("<u2") << 8).astype("<u2").reshape(-1)
_PAIRS = np.full(1 << 16, _NO_PAIR, np.uint16)
_PAIRS[_SPELT] = np.arange(36**2, dtype=np.uint16)
_KINDS = {SubjectKind.PERSON: 1, SubjectKind.ENTERPRISE: 2}


@dataclass(frozen=True)
class Identifiers:
    """A column of identifiers in their one spelling, ready to be packed.

    pairs       the characters by twos; only rows marked good mean anything
    good        which rows hold an identifier at all
    """

    pairs: Pairs
    good: Flags

    def __len__(self) -> int:
        return len(self.pairs)

    def texts(self, rows: npt.NDArray[np.intp]) -> pa.Array:
        """Return some of the good identifiers as text."""
        characters = _SPELT[self.pairs[rows]]
        offsets = np.arange(0, (len(rows) + 1) * ID_LENGTH, ID_LENGTH, dtype=np.int32)
        return pa.StringArray.from_buffers(len(rows), pa.py_buffer(offsets), pa.py_buffer(characters.tobytes()))


def identifiers(ids: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> Identifiers:
    """Normalise a column. What has not 18 base-36 characters after that is no identifier; intake tells its sender."""
    column = _one_array(ids)
    characters, regular = _characters(column)
    pairs = np.empty((len(column), _HALF), np.uint16)
    for start in range(0, len(column), _CHUNK):
        rows = slice(start, start + _CHUNK)
        np.take(_PAIRS, characters[rows].view("<u2"), out=pairs[rows])
        if pairs[rows].max() == _NO_PAIR:
            regular[rows] &= (pairs[rows] != _NO_PAIR).all(axis=1)
    for row in np.flatnonzero(~regular).tolist():
        spelling = normalise_id(column[row].as_py() or "")
        if len(spelling) == ID_LENGTH and spelling.isascii():
            pairs[row] = _PAIRS[np.frombuffer(spelling.encode(), "<u2")]
            regular[row] = (pairs[row] != _NO_PAIR).all()
    return Identifiers(pairs, regular)


def tokens_of(
    key: bytes, kind: SubjectKind, ids: Identifiers, domain: int = VAULT_DOMAIN, layout: int = LAYOUT
) -> Tokens:
    """Return the tokens of a column; those of rows that are not good mean nothing."""
    tag = np.uint64(_tag(kind, domain, layout))
    tokens = np.empty((len(ids), 2), np.uint64)
    encrypt = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()  # noqa: S305  one block: see above
    for start in range(0, len(ids), _CHUNK):
        rows = slice(start, start + _CHUNK)
        blocks = _pack(ids.pairs[rows], tag)
        sealed = bytearray(blocks.nbytes + 15)  # the library wants room for one block less one byte more
        encrypt.update_into(blocks.view(np.uint8).reshape(-1).data, sealed)
        tokens[rows] = np.frombuffer(sealed, "<u8", blocks.size).reshape(blocks.shape)
    return tokens


def invert(key: bytes, kind: SubjectKind, token: tuple[int, int], domain: int = VAULT_DOMAIN) -> str:
    """Return the identifier of a token; one that was not made here, for this kind and domain, is a fault."""
    decrypt = Cipher(algorithms.AES256(key), modes.ECB()).decryptor()  # noqa: S305
    low, high = np.frombuffer(decrypt.update(np.array(token, "<u8").tobytes()), "<u8").tolist()
    number = low | (high & ((1 << 30) - 1)) << 64
    left, right = number >> _LIMB_BITS, number & ((1 << _LIMB_BITS) - 1)
    if high >> 30 != _tag(kind, domain, LAYOUT) or left >= _LIMB_END or right >= _LIMB_END:
        raise VaultFault("couldn't invert a token: it was not made with this key, kind and domain")
    return _base36(left) + _base36(right)


def _tag(kind: SubjectKind, domain: int, layout: int) -> int:
    assert 0 <= domain < 1 << 22, "a domain has 22 bits"
    assert 0 <= layout < 1 << 8, "a layout version has 8 bits"
    return layout << 26 | _KINDS[kind] << 22 | domain


def _pack(pairs: Pairs, tag: np.uint64) -> Tokens:
    """Lay identifier and tag into 128-bit blocks, little-endian. The middle pair belongs to both limbs."""
    columns = pairs.T.astype(np.uint64, order="C")
    left, middle, right = columns[0], columns[_HALF // 2], columns[_HALF // 2] % np.uint64(36)
    for column in columns[1 : _HALF // 2]:
        left = left * np.uint64(36**2) + column
    left = left * np.uint64(36) + middle // np.uint64(36)
    for column in columns[_HALF // 2 + 1 :]:
        right = right * np.uint64(36**2) + column
    blocks = np.empty((len(pairs), 2), "<u8")
    blocks[:, 0] = right | left << np.uint64(_LIMB_BITS)
    blocks[:, 1] = left >> np.uint64(64 - _LIMB_BITS) | tag << np.uint64(30)
    return blocks


def _base36(limb: int) -> str:
    characters = []
    for _ in range(_HALF):
        limb, digit = divmod(limb, 36)
        characters.append(chr(_ALPHABET[digit]))
    return "".join(reversed(characters))


def _one_array(ids: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> pa.Array:
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    if not isinstance(ids, pa.Array):
        return pa.array(list(ids), pa.string())
    return ids.cast(pa.string()) if ids.type != pa.string() else ids


def _characters(column: pa.Array) -> tuple[Characters, Flags]:
    """Read the bytes of every value that has exactly 18 straight from Arrow's buffer; say which those are."""
    if not len(column):
        return np.empty((0, ID_LENGTH), np.uint8), np.empty(0, np.bool_)
    _, offsets_buffer, data_buffer = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32, len(column) + 1, column.offset * 4)
    regular = np.diff(offsets) == ID_LENGTH
    if column.null_count:
        regular &= column.is_valid().to_numpy(zero_copy_only=False)
    data = np.frombuffer(data_buffer or b"", np.uint8)
    if regular.all():
        return data[offsets[0] : offsets[-1]].reshape(-1, ID_LENGTH), regular
    characters = np.zeros((len(column), ID_LENGTH), np.uint8)
    characters[regular] = data[offsets[:-1][regular, None] + np.arange(ID_LENGTH)]
    return characters, regular
