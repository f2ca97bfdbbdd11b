# SPDX-License-Identifier: Apache-2.0
"""Seal and open bytes with AES-256-GCM. Every ciphertext names its algorithm, and opens only where it belongs.

    sealed = "A256GCM" 0x01 | 12-byte nonce | ciphertext | 16-byte tag

The header and the caller's `aad` (what this is and where it stands) are authenticated: a ciphertext that was moved to
another place does not open. Nonces are random: under one data key at most 2**32 seals (NIST SP 800-38D, 8.3).
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from zhanqiao.vault.faults import KeyFault

KEY_BYTES = 32
_HEADER = b"A256GCM\x01"
_NONCE_BYTES = 12


def seal(key: bytes, plaintext: bytes | memoryview, aad: bytes) -> bytes:
    """Return `plaintext` sealed for the place that `aad` names."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _HEADER + nonce + AESGCM(key).encrypt(nonce, plaintext, _HEADER + aad)


def begins_sealed(head: bytes) -> bool:
    """Whether a file that begins so can be a seal."""
    return head.startswith(_HEADER)


def open_sealed(key: bytes, sealed: bytes, aad: bytes, what: str) -> bytes:
    """Return what was sealed; a wrong key, a changed byte or another place is a fault that names `what`."""
    if not sealed.startswith(_HEADER):
        raise KeyFault(f"couldn't open {what}: no AES-256-GCM seal")
    body = len(_HEADER) + _NONCE_BYTES
    try:
        return AESGCM(key).decrypt(sealed[len(_HEADER) : body], memoryview(sealed)[body:], _HEADER + aad)
    except (InvalidTag, ValueError):
        raise KeyFault(f"couldn't open {what}: wrong key, damaged, or out of its place") from None
