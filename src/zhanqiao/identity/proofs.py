# SPDX-License-Identifier: Apache-2.0
"""Whom a key proves: the person who uses it now, or the issuer that signs consents with it."""

from zhanqiao.identity.consent_keys import issuer_with
from zhanqiao.identity.directory import holder_of
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.ledger.proof import KeyProof


def proof_by(public: bytes) -> KeyProof | None:
    """Return whom this public key proves, whose private half was shown to be at hand; None when nobody is registered."""
    if (person := holder_of(public)) is not None:
        return proof_of(person, public)
    if (issuer := issuer_with(public)) is not None:
        return KeyProof(issuer.issuer, issuer.binding, lambda: issuer_with(public) == issuer)
    return None


def proof_of(person: str, public: bytes) -> KeyProof:
    """Return the proof of a person who was found by the key's name, and whose signature these bytes have checked."""
    return KeyProof(person, key_id_of(public), lambda: holder_of(public) == person)
