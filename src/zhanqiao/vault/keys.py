# SPDX-License-Identifier: Apache-2.0
"""The vault's keys. Data keys lie wrapped under one key-encryption key; rotating that one rewrites no data.

    <folder>/kek.key        "AES-256 <base64>", readable by its owner alone; PKCS#11 or a KMS takes its place later
    <folder>/keyring.json   {"version": 1, "algorithm": "AES-256-GCM", "keys": {name: base64 of the sealed data key}}

Each purpose has a data key of its own, so that who may open one thing cannot open another: the token key is a
re-identification key, and the identity store is apart from the data. A sealed data key is bound to its name.
"""

import base64
import binascii
import json
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from zhanqiao.ledger import durable
from zhanqiao.ledger.regular_file import read_whole
from zhanqiao.vault import crypt
from zhanqiao.vault.faults import KeyFault


class Sealed(StrEnum):
    """What doors and intake have the vault keep for them, each under a key of its own."""

    MEMO = "memos"
    BAD_ROWS = "quarantine"
    REASON = "reasons"


PURPOSES = (
    "tokens",
    "subjects",
    "segments",
    "identities",
    "states",
    "auditor-commitments",
    "questions",
    *Sealed,
)

_KEK_FILE, _KEYRING_FILE = "kek.key", "keyring.json"
_KEK_ALGORITHM, _WRAP_ALGORITHM = "AES-256", "AES-256-GCM"


@dataclass(frozen=True)
class Keyring:
    """Open data keys by purpose. Never printed."""

    _keys: dict[str, bytes] = field(repr=False)

    @classmethod
    def create(cls, folder: Path) -> "Keyring":
        """Make new keys in `folder`; existing ones are never replaced (FileExistsError).

        The ring is written before the key that opens it: a crash between leaves a folder that does not open.
        """
        kek = secrets.token_bytes(crypt.KEY_BYTES)
        keys = {name: secrets.token_bytes(crypt.KEY_BYTES) for name in PURPOSES}
        durable.write_new(folder / _KEYRING_FILE, _wrapped(keys, kek))
        durable.write_new(folder / _KEK_FILE, f"{_KEK_ALGORITHM} {base64.b64encode(kek).decode()}\n".encode())
        return cls(keys)

    @classmethod
    def open(cls, folder: Path, kek_folder: Path | None = None) -> "Keyring":
        """Unwrap every data key; OSError or KeyFault says which part is missing or wrong.

        kek_folder  where the key-encryption key lies open, when that is elsewhere
        """
        kek = _read_kek((kek_folder or folder) / _KEK_FILE)
        try:
            ring = json.loads(read_whole(folder / _KEYRING_FILE))
            if (ring["version"], ring["algorithm"]) != (1, _WRAP_ALGORITHM):
                raise KeyFault(f"couldn't read {_KEYRING_FILE}: its version or algorithm is not known")
            wrapped = {name: base64.b64decode(ring["keys"][name], validate=True) for name in PURPOSES}
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, binascii.Error, RecursionError):
            raise KeyFault(f"couldn't read {_KEYRING_FILE}: damaged, or a key is missing") from None
        return cls(
            {name: crypt.open_sealed(kek, sealed, _aad(name), f"key {name}") for name, sealed in wrapped.items()}
        )

    def key(self, purpose: str) -> bytes:
        """Return the data key of one purpose."""
        if purpose not in self._keys:
            raise KeyFault(f"couldn't find a key for {purpose}: no such purpose")
        return self._keys[purpose]

    def derived(self, purpose: str, label: str) -> bytes:
        """Return a key for one file of a purpose, so that a file put in another's place does not open."""
        return HKDFExpand(hashes.SHA256(), crypt.KEY_BYTES, label.encode()).derive(self.key(purpose))

    def hmac(self, purpose: str, message: bytes) -> bytes:
        """Return the HMAC-SHA-256 of `message` under a purpose's key."""
        mac = hmac.HMAC(self.key(purpose), hashes.SHA256())
        mac.update(message)
        return mac.finalize()


def _wrapped(keys: dict[str, bytes], kek: bytes) -> bytes:
    sealed = {name: base64.b64encode(crypt.seal(kek, key, _aad(name))).decode() for name, key in keys.items()}
    return json.dumps({"version": 1, "algorithm": _WRAP_ALGORITHM, "keys": sealed}, indent=1).encode() + b"\n"


def _aad(name: str) -> bytes:
    return b"data key " + name.encode()


def _read_kek(path: Path) -> bytes:
    algorithm, _, text = read_whole(path).strip().partition(b" ")
    try:
        kek = base64.b64decode(text, validate=True)
    except binascii.Error:
        kek = b""
    if algorithm != _KEK_ALGORITHM.encode() or len(kek) != crypt.KEY_BYTES:
        raise KeyFault(f"couldn't read {_KEK_FILE}: it holds no {_KEK_ALGORITHM} key")
    return kek
