# SPDX-License-Identifier: Apache-2.0
"""DSSE envelopes: a payload with its type, signed together so that neither can be passed off as another.

What is signed is `DSSEv1 SP len(type) SP type SP len(body) SP body`, lengths in bytes. Ours are written as canonical
JSON with one Ed25519 signature, and read in no other form: the leaf of the log is the hash of these very bytes.
A key's id names its algorithm and is made from the key, so that it cannot point elsewhere.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from zhanqiao.ledger.exact import exact_base64, exact_json, in_base64
from zhanqiao.ledger.problems import Unsound
from zhanqiao.terms.canonical import canonical


@dataclass(frozen=True)
class Envelope:
    """An opened envelope: these bytes and no others were verified."""

    payload_type: str
    payload: bytes
    key_id: str


@dataclass(frozen=True)
class Unopened:
    """An envelope as it was read: what it claims, and nothing that holds before it is verified."""

    _payload_type: str
    _payload: bytes
    key_id: str
    _signature: bytes

    def verified(self, key: Ed25519PublicKey) -> Envelope:
        """Return what that key signed; raises `Unsound` when it did not."""
        try:
            key.verify(self._signature, pae(self._payload_type, self._payload))
        except InvalidSignature as cause:
            raise Unsound("envelope-signature-wrong", key=self.key_id) from cause
        return Envelope(self._payload_type, self._payload, self.key_id)


def key_id_of(key: Ed25519PublicKey | bytes) -> str:
    """Return the name of a public key (or of its 32 bytes): `ed25519:` and 16 bytes of its SHA-256, in hex."""
    raw = key if isinstance(key, bytes) else key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return "ed25519:" + hashlib.sha256(raw).hexdigest()[:32]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding, which is what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload_type: str, payload: bytes, key_id: str, private_key: Ed25519PrivateKey) -> bytes:
    """Return the envelope's bytes."""
    signature = private_key.sign(pae(payload_type, payload))
    return canonical(
        {
            "payload": in_base64(payload),
            "payloadType": payload_type,
            "signatures": [{"keyid": key_id, "sig": in_base64(signature)}],
        }
    )


def open_envelope(content: bytes, keys: Mapping[str, Ed25519PublicKey]) -> Envelope:
    """Verify the envelope under one of `keys`; raises `Unsound`. Use nothing but what this returns."""
    unopened = read_envelope(content)
    public_key = keys.get(unopened.key_id)
    if public_key is None:
        raise Unsound("envelope-foreign", key=unopened.key_id)
    return unopened.verified(public_key)


def read_envelope(content: bytes) -> Unopened:
    """Read an envelope, to look up the key that it names; nothing is verified. Raises `Unsound`."""
    try:
        match exact_json(content):
            case {
                "payload": str(payload),
                "payloadType": str(payload_type),
                "signatures": [{"keyid": str(key_id), "sig": str(signature), **more_inside}],
                **more,
            } if not more and not more_inside:
                return Unopened(payload_type, exact_base64(payload), key_id, exact_base64(signature))
    except ValueError as cause:
        raise Unsound("envelope-malformed", cause=cause) from cause
    raise Unsound("envelope-malformed", cause="it has not one payload, one type and one signature")
