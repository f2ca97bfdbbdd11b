# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON put together from parts is that of the whole, byte for byte."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zhanqiao.terms.canonical import array_of, canonical, object_of, text_of

# Every character that JSON has an opinion about, beside any other.
TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from('"\\/\b\f\n\r\t\x00\x1f\x7f\u2028é\U0001f600'))
)


@given(st.lists(TEXTS))
@example([])
def test_a_list_of_texts(texts: list[str]) -> None:
    assert array_of(map(text_of, texts)).encode() == canonical(texts)


@given(st.dictionaries(TEXTS, TEXTS))
@example({"\U0001f600": "beyond the first plane", "\ufb33": "sorts after it by UTF-16"})
def test_an_object(fields: dict[str, str]) -> None:
    assert object_of({name: canonical(text) for name, text in fields.items()}) == canonical(fields)


def test_half_a_character_has_no_form_in_either() -> None:
    for spell in (canonical, lambda texts: array_of(map(text_of, texts)).encode()):
        with pytest.raises(ValueError, match=r"UTF-8|surrogates"):
            spell(["\ud800"])
