# SPDX-License-Identifier: Apache-2.0
"""Any table of text comes out of the real parser as it went in, whatever the encoding and however it was quoted."""

from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from lib.deliveries import end_of, parse_here, rows_in, torn_in
from zhanqiao.intake import parser
from zhanqiao.intake.parser_process import End

# Characters that GB 18030-2022 moved out of the private use area are written by Python under their former codes.
MOVED = "".join(map(chr, parser._OF_2022))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0" + MOVED), max_size=8)
CHINESE = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), max_size=4)
VALUE = TEXT | CHINESE | st.sampled_from(['"', '""', ",", "\n", "\r\n", "\r", "NA", "null", "\ufeff", "=1", "'"])


def tables():
    return st.integers(1, 5).flatmap(
        lambda width: st.tuples(
            st.lists(
                st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=MOVED), min_size=1),
                min_size=width,
                max_size=width,
                unique=True,
            ),
            st.lists(st.lists(VALUE, min_size=width, max_size=width), min_size=1, max_size=40),
        )
    )


def written(headers: list[str], rows: list[list[str]], quote_all: bool, end: str) -> str:
    """Write RFC 4180. Python's csv leaves a carriage return unquoted where the line end is LF."""
    return "".join(",".join(field(value, quote_all) for value in row) + end for row in [headers, *rows])


@contextmanager
def blocks_of(size: int):
    """Read in blocks of another size, so that small files have many."""
    former, parser.BLOCK = parser.BLOCK, size
    try:
        yield
    finally:
        parser.BLOCK = former


def field(value: str, quote: bool) -> str:
    if quote or not value or any(mark in value for mark in '",\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


@settings(max_examples=400, deadline=None)
@given(
    tables(),
    st.sampled_from([1 << 10, 1 << 22]),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
def test_text_comes_out_as_it_went_in(table, block, encoding, quote_all, end):
    headers, rows = table
    content = written(headers, rows, quote_all, end).encode(encoding)
    if content.startswith(b"\xef\xbb\xbf") and encoding != "utf-8-sig":
        return  # a header that begins with a byte order mark is one
    with blocks_of(block):
        pieces = parse_here(content, tuple(headers))
    found = rows_in(pieces)
    assert torn_in(pieces) == []
    if _same_bytes_mean_more(content, encoding):
        return  # the bytes are valid in both encodings: UTF-8 is what a file is that can be
    assert isinstance(end_of(pieces), End)
    assert [tuple(value.replace("\0", "") for value in row) for row in found] == [tuple(row) for row in rows]


def _same_bytes_mean_more(content: bytes, encoding: str) -> bool:
    if encoding != "gb18030" or content.isascii():
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_end_in_rows_or_a_refusal(content):
    parse_here("名,值\n".encode() + content, ("名", "值"))
    parse_here("名,值\n".encode("gb18030") + content, ("名", "值"))
    parse_here(content, ("名", "值"))
