# SPDX-License-Identifier: Apache-2.0
"""Key files: how a person keeps the private half of an Ed25519 key.

A file holds one PKCS#8 key in PEM, readable by its owner only. Outside of the demo profile it is encrypted under a
passphrase. The PEM encryption alone runs 2,048 rounds of PBKDF2, which a graphics card tries a million times a second;
so what encrypts is not the passphrase but its scrypt image, whose salt and costs stand in the line before the key:

    zhanqiao-key: scrypt 32768 8 1 <salt in hex>
    -----BEGIN ENCRYPTED PRIVATE KEY-----

Editors and mailers add marks, ends of lines and text before a key; none of it changes what the file is.
"""

import hashlib
import os
import re
import secrets
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from zhanqiao.ledger import durable
from zhanqiao.ledger.public_key import read_public_key
from zhanqiao.ledger.regular_file import opened, read_bounded, read_up_to
from zhanqiao.terms.refusals import Refusal, refuse

DEMO = "demo"
MIN_PASSPHRASE = 12
_MAX_FILE_BYTES = 4_096
_COSTS = (32_768, 8, 1)
_PUBLIC = re.compile(r"[0-9a-f]{64}")
# How our locked key begins, and how a plain one does, which only the demo uses. What is locked by others is no key of ours.
_HEAD = re.compile(rb"^(?:\xef\xbb\xbf)?zhanqiao-key: scrypt 32768 8 1 ([0-9a-f]{32})\r?\n", re.MULTILINE)
_PLAIN = re.compile(rb"^(?:\xef\xbb\xbf)?-----BEGIN PRIVATE KEY-----\r?\n", re.MULTILINE)


def make_key() -> Ed25519PrivateKey:
    """Return a new private key."""
    return Ed25519PrivateKey.generate()


def public_bytes(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """Return the 32 bytes of the public half."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def write_key_file(path: Path, key: Ed25519PrivateKey, *, passphrase: str | None, profile: str) -> Refusal | None:
    """Write `key` to a new file, durably; None when done. A plain file is for the demo profile only."""
    if passphrase is None and profile != DEMO:
        return refuse("key-file-needs-passphrase", file=path.name, length=str(MIN_PASSPHRASE))
    if passphrase is not None and len(passphrase) < MIN_PASSPHRASE:
        return refuse("passphrase-too-short", length=str(MIN_PASSPHRASE))
    try:
        # Never over another: a key that is overwritten is a person who cannot sign any more.
        durable.write_new(path, _locked(key, passphrase))
    except FileExistsError:
        return refuse("file-exists", file=path.name)
    except durable.DiskFull:
        return refuse("disk-full")
    except OSError as cause:
        return refuse("file-not-written", file=str(path), cause=cause.strerror or "-")
    return None


def is_locked(path: Path) -> bool:
    """Whether a key file says that it takes a passphrase."""
    try:
        return _HEAD.search(read_bounded(path, _MAX_FILE_BYTES)) is not None
    except OSError:
        return False


def parse_public(text: str) -> bytes | Refusal:
    """Read a public key as `people key new` prints it: 64 hexadecimal digits, and a key under which one can sign."""
    if _PUBLIC.fullmatch(text) is None:
        return refuse("key-malformed")
    try:
        read_public_key(bytes.fromhex(text))
    except ValueError:
        return refuse("key-malformed")
    return bytes.fromhex(text)


def read_key_file(path: Path, *, passphrase: str | None, profile: str) -> Ed25519PrivateKey | Refusal:
    """Read a private key. What others may read, or is plain outside of the demo profile, is not used."""
    try:
        with opened(path) as file:
            mode = os.fstat(file).st_mode
            content = read_up_to(file, _MAX_FILE_BYTES)
    except FileNotFoundError:
        return refuse("key-file-missing", file=path.name)
    except OSError:
        return refuse("key-file-unreadable", file=path.name)
    if mode & 0o077:
        return refuse("key-file-readable-by-others", file=path.name)
    key = _opened(content, passphrase)
    if isinstance(key, str):
        return refuse(key, file=path.name, length=str(MIN_PASSPHRASE))
    if _HEAD.search(content) is None and profile != DEMO:
        return refuse("key-file-needs-passphrase", file=path.name, length=str(MIN_PASSPHRASE))
    return key


def _opened(content: bytes, passphrase: str | None) -> Ed25519PrivateKey | str:
    """Return the key in a file, locked or plain, or the code for why there is none."""
    head = _HEAD.search(content)
    if head is None and _PLAIN.search(content) is None:
        return "key-file-unreadable"
    if head is not None and passphrase is None:
        return "key-file-needs-passphrase"
    password = _image(passphrase, bytes.fromhex(head[1].decode())) if head and passphrase is not None else None
    try:
        key = load_pem_private_key(content[head.end() if head else 0 :], password)
    except (ValueError, TypeError):
        return "key-file-wrong-passphrase" if head else "key-file-unreadable"
    except UnsupportedAlgorithm:  # SM2, for one
        return "key-file-unreadable"
    return key if isinstance(key, Ed25519PrivateKey) else "key-file-unreadable"


def _locked(key: Ed25519PrivateKey, passphrase: str | None) -> bytes:
    if passphrase is None:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    salt = secrets.token_bytes(16)
    head = f"zhanqiao-key: scrypt {_COSTS[0]} {_COSTS[1]} {_COSTS[2]} {salt.hex()}\n".encode()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(_image(passphrase, salt)))
    return head + pem


def _image(passphrase: str, salt: bytes) -> bytes:
    rounds, block, lanes = _COSTS
    # Bytes that are no UTF-8 come as surrogates: a passphrase is what was typed, in whatever encoding.
    derived = hashlib.scrypt(
        passphrase.encode(errors="surrogateescape"), salt=salt, n=rounds, r=block, p=lanes, maxmem=64 * 1024 * 1024
    )
    return derived.hex().encode()
