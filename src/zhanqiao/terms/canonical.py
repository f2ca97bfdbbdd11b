# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON (RFC 8785): the one byte form that is hashed, signed and compared.

The list of types is closed: None, bool, int, str, list/tuple, dict with str keys, date, Decimal, StrEnum.
Floats are refused: they print differently from engine to engine. Dates become ISO text, decimals their plain text.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from json.encoder import encode_basestring

import rfc8785

_NO_FORM = "canonical JSON has no form for"


def plain(value: object) -> object:
    """Return `value` in JSON types only; raise TypeError for anything outside the closed list."""
    match value:
        case None | bool() | int():
            return value
        case StrEnum():
            return value.value
        case str():
            return value
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.isoformat(timespec="seconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise TypeError(f"{_NO_FORM} a key that is no text")
            return {str(key): plain(inner) for key, inner in value.items()}
        case frozenset() | set():
            return sorted((plain(inner) for inner in value), key=str)
        case Sequence() if not isinstance(value, bytes | bytearray):
            return [plain(inner) for inner in value]
    raise TypeError(f"{_NO_FORM} {type(value).__name__}")


def canonical(value: object) -> bytes:
    """Return the RFC 8785 bytes of `value`. Integers beyond 2**53 - 1 go as text: give them as str or Decimal."""
    return rfc8785.dumps(plain(value))  # type: ignore[arg-type]


def text_of(value: str) -> str:
    """Return the canonical form of one text, as text; much faster than `canonical` for the many of a long list."""
    return encode_basestring(value)


def array_of(parts: Iterable[str]) -> str:
    """Return the canonical form of a list whose parts are in theirs.

    >>> array_of(["1", text_of("a")])
    '[1,"a"]'
    """
    return "[" + ",".join(parts) + "]"


def object_of(fields: Mapping[str, bytes]) -> bytes:
    """Return the canonical form of an object whose values are in theirs.

    >>> object_of({"b": b"1", "a": b"[2]"}) == canonical({"b": 1, "a": [2]})
    True
    """
    ordered = sorted(fields, key=lambda name: name.encode("utf-16be"))
    return b"{" + b",".join(canonical(name) + b":" + fields[name] for name in ordered) + b"}"


def digest(value: object) -> str:
    """Return `sha256:<hex>` of the canonical form."""
    return digest_bytes(canonical(value))


def digest_bytes(content: bytes) -> str:
    """Return `sha256:<hex>` of raw bytes; the algorithm's name travels with every digest."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
