# SPDX-License-Identifier: Apache-2.0
"""Readers that accept one spelling of each value: what would print differently from what was read is refused.

Two programs that disagree about a lenient spelling (a stray base64 bit, a repeated JSON key, a leading zero) disagree
about what was signed. So nothing here is lenient. All raise ValueError.
"""

import base64
import binascii
import json
from itertools import pairwise

# Whoever nests deeper wants to exhaust a stack. Both verifiers hold the same bound.
_MAX_DEPTH = 64
# What every reader of JSON holds exactly (RFC 7493), and how long that is with a sign.
_MOST_NUMBER = 2**53 - 1
_MOST_DIGITS = 17


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
    """Read canonical JSON (RFC 8785) without fractions; anything that is not its own canonical form is refused.

    Names are in their order, numbers in their range, and the rest prints as it was read: so the answer about a city's
    pensioners, hundreds of megabytes, is read in seconds. That this is `canonical`, tests prove by comparison.
    """
    try:
        value = _READER.decode(content.decode("utf-8"))
        if _depth(value) > _MAX_DEPTH:
            raise ValueError(f"JSON nested deeper than {_MAX_DEPTH}")
        again = _PRINTER.encode(value).encode("utf-8")
    except RecursionError as cause:
        raise ValueError("JSON nested too deep") from cause
    if again != content:
        raise ValueError("JSON that is not in canonical form")
    return value


def _no_number(text: str) -> object:
    raise ValueError(f"a number that is no integer: {text[:20]}")


def _whole_number(text: str) -> int:
    number = int(text) if len(text) <= _MOST_DIGITS else _MOST_NUMBER + 1
    if abs(number) > _MOST_NUMBER:
        raise ValueError(f"a number beyond {_MOST_NUMBER}")
    return number


def _in_order(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object whose names stand in the order of their UTF-16 units, none of them twice."""
    names = [name.encode("utf-16-be") for name, _ in pairs]
    if any(one >= other for one, other in pairwise(names)):
        raise ValueError("JSON whose names are not in canonical order")
    return dict(pairs)


# No fraction, no NaN; what these two take and give is RFC 8785's but for numbers and the order of names.
_READER = json.JSONDecoder(
    parse_float=_no_number, parse_constant=_no_number, parse_int=_whole_number, object_pairs_hook=_in_order
)
_PRINTER = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))


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
