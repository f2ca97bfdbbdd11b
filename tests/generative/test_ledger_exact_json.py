# SPDX-License-Identifier: Apache-2.0
"""`exact_json` takes what RFC 8785's own library would have printed, and nothing else: however a text is spelt or bent."""

import json

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from zhanqiao.ledger.exact import exact_json

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
_NAMES = _TEXTS | st.sampled_from(["a", "b", "€", "\r", "דּ", "1", "😀", "\x80", "ö", "\ue000"])
_NUMBERS = st.integers(-(2**53) - 2, 2**53 + 2) | st.integers() | st.floats()
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


def printed(content: bytes) -> bytes | None:
    """Return what the standard's library prints of what a lenient reader reads; None where one of them cannot."""
    try:
        value = json.loads(content.decode("utf-8"))
        return None if _has_float(value) else rfc8785.dumps(value)
    except (ValueError, rfc8785.CanonicalizationError):
        return None


def _has_float(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_float, value.values()))
    return isinstance(value, float) or (isinstance(value, list) and any(map(_has_float, value)))


def judged(content: bytes) -> None:
    if printed(content) == content:
        assert exact_json(content) == json.loads(content)
        return
    with pytest.raises(ValueError):
        exact_json(content)


@given(_VALUES)
@example({"\ue000": 1, "😀": 2})
@example([2**53 - 1, -(2**53 - 1)])
def test_what_the_standard_prints_is_taken(value: object) -> None:
    if not _has_float(value):
        try:
            content = rfc8785.dumps(value)  # type: ignore[arg-type]
        except rfc8785.CanonicalizationError:
            return
        assert exact_json(content) == value


@given(_VALUES, st.booleans(), st.booleans(), st.sampled_from([(",", ":"), (", ", ": "), (",", ": ")]))
@example([2**53, "ü"], True, True, (",", ":"))
@example({"b": 1, "a": "\x7f\x1f\u2028/"}, False, True, (",", ":"))
@example([-0.0, 1e3], False, False, (",", ":"))
def test_another_spelling_is_judged_as_the_standard_does(value, ascii_only, in_order, separators) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, sort_keys=in_order, separators=separators)
    judged(text.encode("utf-8"))


@given(_VALUES, st.data())
@example(b"[-0]", None)
@example(b'{"a":1,"a":1}', None)
@example(b'["\\ud800"]', None)
@example(b'["\\/"]', None)
@example(b'["\\u000A"]', None)
@example(b"[1e2]", None)
@example(b"[01]", None)
def test_a_bent_text_is_judged_as_the_standard_does(value, data) -> None:
    if data is None:
        judged(value)
        return
    content = bytearray(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode())
    place = data.draw(st.integers(0, len(content)))
    content[place : place + data.draw(st.integers(0, 2))] = data.draw(
        st.sampled_from([b"", b" ", b"0", b"-", b",", b'"', b"\\", b"{}", b'"a":1,', b"\xff", b"\\u0061", b"e1"])
    )
    judged(bytes(content))
