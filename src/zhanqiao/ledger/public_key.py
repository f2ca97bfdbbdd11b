# SPDX-License-Identifier: Apache-2.0
"""Public keys that say who signed: the one place where 32 bytes become one.

A library takes any 32 bytes. Eight points of the curve have a small order: under such a key one signature fits every
message, or every eighth, and whoever tries a few has made it, without any private key. So a key of that kind names
nobody, and a seal or a consent under it could be anybody's. The same holds for a second spelling of a point: it would
pass for another key.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# RFC 8032, 5.1: the field, and a point's encoding: y, with the sign of x in the highest bit.
_PRIME = 2**255 - 19
_SIGN = 1 << 255
# y of the eight points: (0, 1), (0, -1), (+-sqrt(-1), 0), and four of order 8. The table is that of Chalkias, Garillot and
# Nikolaenko, "Taming the Many EdDSAs" (2020), table 1; libsodium's `ge25519_has_small_order` refuses the same.
_ORDER_EIGHT = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER = {0, 1, _PRIME - 1, _ORDER_EIGHT, _PRIME - _ORDER_EIGHT}


def read_public_key(raw: bytes) -> Ed25519PublicKey:
    """Return the key of these 32 bytes; raises ValueError where none is, or one under which anybody can sign."""
    try:
        key = Ed25519PublicKey.from_public_bytes(raw)
    except UnsupportedAlgorithm as cause:
        raise ValueError("not 32 bytes of an Ed25519 key") from cause
    y = int.from_bytes(raw, "little") & (_SIGN - 1)
    if y >= _PRIME or y in _SMALL_ORDER:
        raise ValueError("an Ed25519 key under which anybody can sign, or not in its one spelling")
    return key
