# SPDX-License-Identifier: Apache-2.0
"""The log's two signing keys: one for checkpoints (a C2SP note key), one for envelopes (DSSE)."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from zhanqiao.ledger import durable
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.ledger.note import NoteSigner
from zhanqiao.ledger.regular_file import read_whole
from zhanqiao.ledger.trust import Trust


@dataclass(frozen=True)
class LogKeys:
    """Everything the book signs with."""

    origin: str
    log: NoteSigner
    envelope: Ed25519PrivateKey


def create_keys(folder: Path, origin: str) -> LogKeys:
    """Make both keys as files that only their owner reads; raises FileExistsError rather than replace one."""
    for name in ("log.pem", "envelope.pem"):
        write_key(folder / name, Ed25519PrivateKey.generate())
    return open_keys(folder, origin)


def open_keys(folder: Path, origin: str) -> LogKeys:
    """Read both keys; raises FileNotFoundError or ValueError when one is missing or damaged."""
    return LogKeys(origin, NoteSigner(origin, read_key(folder / "log.pem")), envelope_key(folder))


def envelope_key(folder: Path) -> Ed25519PrivateKey:
    """Read the key for envelopes, which has no origin in its name; raises as `read_key`."""
    return read_key(folder / "envelope.pem")


def differing_key(keys: LogKeys, trust: Trust) -> str | None:
    """Return the name of the first key that is not the published one: strangers could check nothing that it signs."""
    if keys.log.verifier not in trust.logs:
        return "log.pem"
    envelope = keys.envelope.public_key()
    return None if trust.envelopes.get(key_id_of(envelope)) == envelope else "envelope.pem"


def strange_keys(keys: LogKeys, trust: Trust) -> list[str]:
    """Return what a published trust file names beside this log and its key: whoever it is, strangers would believe it."""
    logs = [f"log {log.name}" for log in trust.logs if log != keys.log.verifier]
    return logs + [f"envelope {one}" for one in trust.envelopes if one != key_id_of(keys.envelope.public_key())]


def write_key(path: Path, key: Ed25519PrivateKey) -> None:
    """Write a key as a file that only its owner reads; raises FileExistsError rather than replace one."""
    durable.write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read a key file; raises OSError, ValueError or TypeError when it is missing or damaged."""
    key = load_pem_private_key(read_whole(path), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"couldn't read {path.name}: it holds no Ed25519 key")
    return key
