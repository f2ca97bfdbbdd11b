# SPDX-License-Identifier: Apache-2.0
"""A thousand planted identifiers, and a scan of bytes that finds them in whatever way they may have been written.

Identifiers of a kind share a beginning, so that a scan looks for few beginnings first and then for the very identifier.
Forms: UTF-8, GB 18030, UTF-16 in both orders, and of the UTF-8 form base64 at each of its three alignments,
hexadecimal digits, reversed bytes and the unsalted SHA-256 as hexadecimal digits.
"""

import base64
import hashlib
import os
import re
from collections.abc import Callable, Iterable

from stdnum.cn import ric

from lib.pier import credit_code

EACH = 250
# No person of the generated city was born on that day in that district; no enterprise has such a code.
_BIRTH = "37020219120229"


def _citizen_id(number: int) -> str:
    stem = f"{_BIRTH}{number:03d}"
    return stem + ric.calc_check_digit(stem + "0")


def _name(number: int) -> str:
    return (
        "蘅芜"
        + "甲乙丙丁戊己庚辛壬癸"[number % 10]
        + "子丑寅卯辰巳午未申酉戌亥天地玄黄宇宙洪荒日月盈昃宿"[number // 10]
    )


IDS = tuple(_citizen_id(number) for number in range(EACH))
NAMES = tuple(_name(number) for number in range(EACH))
PHONES = tuple(f"13805320{number:03d}" for number in range(EACH))
CODES = tuple(credit_code(9_970_000 + number) for number in range(EACH))
PLANTED = (*IDS, *NAMES, *PHONES, *CODES)
_STARTS = (_BIRTH, "蘅芜", "13805320", "91370200MA997")
assert len(set(PLANTED)) == 4 * EACH
assert all(text.startswith(_STARTS) for text in PLANTED)


def _whole_base64(offset: int) -> Callable[[str], bytes]:
    """Return how the characters that belong to a text alone look in base64, when it starts at that offset."""

    def form(text: str) -> bytes:
        content = b"\0" * offset + text.encode()
        first, last = -(-offset * 4 // 3) + (1 if offset else 0), len(content) // 3 * 4
        return base64.b64encode(content)[first:last]

    return form


FORMS: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "gb18030": lambda text: text.encode("gb18030"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "base64+0": _whole_base64(0),
    "base64+1": _whole_base64(1),
    "base64+2": _whole_base64(2),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "reversed": lambda text: text.encode()[::-1],
}
_HASHED = {hashlib.sha256(text.encode()).hexdigest().encode(): text for text in PLANTED}
_HASHES = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def found_in(content: bytes) -> set[tuple[str, str]]:
    """Return (form, identifier) of everything that is readable."""
    found = {("sha-256", _HASHED[digest]) for digest in _HASHES.findall(content) if digest in _HASHED}
    for name, form in FORMS.items():
        if any(_start(form, start) in content for start in _STARTS):
            found |= {(name, text) for text in PLANTED if form(text) in content}
    return found


def _start(form: Callable[[str], bytes], start: str) -> bytes:
    """Return what all identifiers with this start have in common in a form."""
    if form is FORMS["reversed"]:
        return form(start)
    return os.path.commonprefix([form(start + tail) for tail in ("00", "99", "甲子", "癸宿")])  # noqa: RUF071  bytes, not paths


def identifiers_in(found: Iterable[tuple[str, str]]) -> set[str]:
    return {text for _, text in found}
