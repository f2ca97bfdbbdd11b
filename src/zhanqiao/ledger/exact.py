# SPDX-License-Identifier: Apache-2.0
"""Readers that accept one spelling of each value: what would print differently from what was read is refused.

Two programs that disagree about a lenient spelling (a stray base64 bit, a repeated JSON key, a leading zero) disagree
about what was signed. So nothing here is lenient. All raise ValueError.
"""

import base64
import binascii
import json

from zhanqiao.terms.canonical import canonical

# Whoever nests deeper wants to exhaust a stack. Both verifiers hold the same bound.
_MAX_DEPTH = 64


def exact_base64(text: str) -> bytes:
    """Decode standard base64 with padding."""
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as cause:
        raise ValueError(f"not base64: {cause}") from cause
    if in_base64(decoded) != text:
        raise ValueError("base64 with bits that mean nothing")
    return decoded


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def exact_decimal(text: str, highest: int) -> int:
    """Read a whole number from 0 to `highest`: ASCII digits without a leading zero."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(highest)) or (text[0] == "0" and text != "0"):
        raise ValueError("not a plain decimal number")
    number = int(text)
    if number > highest:
        raise ValueError(f"a number above {highest}")
    return number


def exact_json(content: bytes) -> object:
    """Read canonical JSON (RFC 8785) without fractions; anything that is not its own canonical form is refused."""
    try:
        value = json.loads(content.decode("utf-8"), parse_float=_no_number, parse_constant=_no_number)
        if _depth(value) > _MAX_DEPTH:
            raise ValueError(f"JSON nested deeper than {_MAX_DEPTH}")
        again = canonical(value)
    except RecursionError as cause:
        raise ValueError("JSON nested too deep") from cause
    if again != content:
        raise ValueError("JSON that is not in canonical form")
    return value


def _no_number(text: str) -> object:
    raise ValueError(f"a number that is no integer: {text[:20]}")


def _depth(value: object) -> int:
    """Count the containers around the innermost value, without recursion."""
    deepest, pending = 0, [(value, 0)]
    while pending:
        inner, above = pending.pop()
        children = inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else None
        if children is not None:
            deepest = max(deepest, above + 1)
            pending.extend((child, above + 1) for child in children)
    return deepest
