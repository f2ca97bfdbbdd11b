# SPDX-License-Identifier: Apache-2.0
"""Seals (签章): a party's Ed25519 signature, by a person, over one exact contract digest.

What is signed names its purpose, agreement, digest, organisation and person, so that no seal can be moved: not to another
contract, not to another party, and no other signature of the same key passes for a seal.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zhanqiao.ledger.public_key import read_public_key
from zhanqiao.terms.canonical import canonical

_PURPOSE = "zhanqiao/contract-seal/v1"


@dataclass(frozen=True)
class Seal:
    """One seal that stands. `key` is the id of the public key that checks it."""

    organisation: str
    person: str
    key: str
    signature: bytes
    at: datetime


def seal_statement(agreement: str, contract_digest: str, organisation: str, person: str) -> bytes:
    """Return the exact bytes that `person` signs for `organisation`."""
    return canonical(
        {
            "purpose": _PURPOSE,
            "agreement": agreement,
            "digest": contract_digest,
            "organisation": organisation,
            "person": person,
        }
    )


def sign_seal(statement: bytes, key: Ed25519PrivateKey) -> bytes:
    """Sign a seal statement."""
    return key.sign(statement)


# A signature that held once holds always: the cache is over values, not over states.
@lru_cache(maxsize=4_096)
def holds(statement: bytes, signature: bytes, public: bytes) -> bool:
    """Whether `signature` is the key's over exactly `statement`."""
    try:
        read_public_key(public).verify(signature, statement)
    except (InvalidSignature, ValueError):
        return False
    return True
