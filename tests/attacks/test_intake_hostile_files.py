# SPDX-License-Identifier: Apache-2.0
"""Files made to break, confuse or rob the reader. Each is refused or quarantined; no character is ever changed.

The judge of "unchanged" is the file itself: what comes out of a row must be what Python reads from its bytes in the one
encoding that the whole file has.
"""

import codecs
import gzip
import io
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lib.deliveries import (
    GOOD,
    HEADER,
    HEADERS,
    WANG,
    deliver,
    describe,
    end_of,
    load,
    loaded,
    parse,
    parse_here,
    refused,
    rows_in,
    torn_in,
)
from lib.served import until
from zhanqiao.catalogue import shelf
from zhanqiao.intake import nursery, nursery_process, parser, parser_process, quarantine
from zhanqiao.intake.checks import check_column
from zhanqiao.intake.landing import MemoryFile, Workspace
from zhanqiao.intake.parser_process import End
from zhanqiao.intake.texts import Texts
from zhanqiao.terms.datasets import Item, LogicalType, Mask
from zhanqiao.terms.refusals import Reason, Refusal

AB = ("名", "值")
HEAD = "名,值\n".encode()
GBK = "名,值\n".encode("gb18030")


def reason_of(content: bytes, headers: tuple[str, ...] = AB) -> Reason:
    """Return why a file is refused whole."""
    last = end_of(parse(content, headers))
    assert isinstance(last, Refusal), last
    (reason,) = last.reasons
    assert (reason.rule.en + reason.rule.zh).format_map({**reason.facts, "file": "f"})
    return reason


def refusal_of(content: bytes, headers: tuple[str, ...] = AB) -> str:
    """Return the code with which a file is refused whole."""
    return reason_of(content, headers).code


def place_of(content: bytes) -> tuple[str, str]:
    """Return the code with which a file is refused whole, and the line that it names."""
    reason = reason_of(content)
    return reason.code, reason.facts["line"]


def parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def zipped() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a.csv", HEAD + b"a,1\n")
    return sink.getvalue()


SMALL = pa.table({"名": ["a", "b"], "值": ["1", "2"]})
WHOLE = parquet(SMALL)

REFUSED = {
    "empty": (b"", "intake-empty"),
    "byte order mark only": (codecs.BOM_UTF8, "intake-empty"),
    "line ends only": (b"\n\r\n\n", "intake-empty"),
    "header only": (HEAD, "intake-empty"),
    "header without its end": ("名,值".encode(), "intake-empty"),
    "header and blank lines": (HEAD + b"\n\r\n\n", "intake-empty"),
    "header and separators": (HEAD + b",\r\n,,,\n\n", "intake-empty"),
    "separators only": (b",,,\n,,,\n", "intake-empty"),
    "utf-16 with mark": ("名,值\na,1\n".encode("utf-16"), "intake-not-text"),
    "utf-16 big endian with mark": (codecs.BOM_UTF16_BE + "名,值\na,1\n".encode("utf-16-be"), "intake-not-text"),
    "utf-16 without mark": ("a,b\nx,1\n".encode("utf-16-le"), "intake-nul"),
    "utf-32": ("名,值\na,1\n".encode("utf-32"), "intake-not-text"),
    "nul in a value": (HEAD + b"a\0b,1\n", "intake-nul"),
    "nul at the very end": (HEAD + b"a,1\n\0", "intake-nul"),
    "nul in quotes": (HEAD + b'"a\0",1\n', "intake-nul"),
    "nul in the header": ("名\0,值\n".encode() + b"a,1\n", "intake-nul"),
    "zip": (zipped(), "intake-not-text"),
    "gzip": (gzip.compress(HEAD + b"a,1\n"), "intake-not-text"),
    "gzip bomb": (gzip.compress(b"a,1\n" * 1_000_000), "intake-not-text"),
    "old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "intake-not-text"),
    "pdf": (b"%PDF-1.7\n1 0 obj\n", "intake-not-text"),
    "sqlite": (b"SQLite format 3\0" + b"\0" * 100, "intake-not-text"),
    "latin-1": (HEAD + b"caf\xe9,1\n", "intake-encoding"),
    "byte that no encoding has": (HEAD + b"\xff\xff,1\n", "intake-encoding"),
    "utf-8 cut inside a character": (HEAD + "值".encode()[:2], "intake-encoding"),
    "utf-8 over-long form": (HEAD + b"\xc0\xaf,1\n", "intake-encoding"),
    "utf-8 of half a surrogate pair": (HEAD + b"\xed\xa0\x80,1\n", "intake-encoding"),
    "gb18030 cut inside a character": (GBK + "王".encode("gb18030")[:1], "intake-encoding"),
    "gb18030 beyond the last character": (GBK + b"\xfe\x39\xfe\x39,1\n", "intake-encoding"),
    "single byte 0x80": (GBK + b"\x80,1\n", "intake-encoding"),
    "utf-8 mark before gb18030": (codecs.BOM_UTF8 + GBK + "王,1\n".encode("gb18030"), "intake-encoding-declared"),
    "gb18030 header over utf-8 rows": (GBK + "王,1\n".encode(), "intake-encoding"),
    "quote inside a value": (HEAD + b'5"pipe,1\n', "intake-quotes"),
    "text after a closing quote": (HEAD + b'"ab"c,1\n', "intake-quotes"),
    "blank before a quote": (HEAD + b'a, "1"\n', "intake-quotes"),
    "quote never closed": (HEAD + b'"a,1\nb,2\nc,3\n', "intake-quotes"),
    "quote never closed at the end": (HEAD + b'a,1\nb,"', "intake-quotes"),
    "quote swallowing rows": (HEAD + b'"a,1\nb,2\n"c,3\nd,4\n', "intake-quotes"),
    "odd run of quotes": (HEAD + b'"""a",1\n"""",2\n"",",3\n', "intake-quotes"),
    "carriage returns only": ("名,值\ra,1\rb,2\r".encode(), "intake-line-ends"),
    "a lone carriage return": (HEAD + b"a,1\rb,2\n", "intake-line-ends"),
    "carriage return twice": (HEAD + b"a,1\r\r\n", "intake-line-ends"),
    "duplicate header": ("名,名\na,1\n".encode(), "intake-header"),
    "unknown header": ("名,值,外\na,1,2\n".encode(), "intake-header"),
    "missing header": ("名\na\n".encode(), "intake-header"),
    "header with a blank": ("名 ,值\na,1\n".encode(), "intake-header"),
    "header in another shape": ("名,值".encode() + b"\n" + b"", "intake-empty"),
    "look-alike header": ("名,値\na,1\n".encode(), "intake-header"),
    "header with an invisible character": ("名\u200b,值\na,1\n".encode(), "intake-header"),
    "semicolons": ("名;值\na;1\n".encode(), "intake-header"),
    "tabs": ("名\t值\na\t1\n".encode(), "intake-header"),
    "a byte order mark twice": (codecs.BOM_UTF8 * 2 + HEAD + b"a,1\n", "intake-header"),
    "a million columns": (b",".join([b"c"] * 1_000_000) + b"\n1\n", "intake-too-many-columns"),
    "two thousand and one columns": (b",".join([b"c"] * 2_001) + b"\n1\n", "intake-too-many-columns"),
    "a line without end": (HEAD + b"a" * (9 << 20), "intake-line-too-long"),
    "a quoted record without end": (HEAD + b'"' + b"a\n" * (5 << 20) + b'",1\n', "intake-line-too-long"),
    "html": (b"<!DOCTYPE html><html><body>404</body></html>\n", "intake-header"),
    "json": ('{"名": "a", "值": 1}\n'.encode(), "intake-quotes"),
    "parquet: magic only": (b"PAR1", "intake-parquet-damaged"),
    "parquet: cut": (WHOLE[:-20], "intake-parquet-damaged"),
    "parquet: footer length too large": (WHOLE[:-8] + struct.pack("<I", 2**31) + b"PAR1", "intake-parquet-damaged"),
    "parquet: footer of nothing": (b"PAR1" + b"\0" * 64 + struct.pack("<I", 64) + b"PAR1", "intake-parquet-damaged"),
    "parquet: no rows": (parquet(SMALL.slice(0, 0)), "intake-empty"),
    "parquet: floats": (parquet(pa.table({"名": ["a"], "值": [1.5]})), "intake-parquet-type"),
    "parquet: nested": (parquet(pa.table({"名": ["a"], "值": [[1]]})), "intake-parquet-type"),
    "parquet: bytes": (parquet(pa.table({"名": [b"\xff"], "值": ["1"]})), "intake-parquet-type"),
    "parquet: moments": (
        parquet(pa.table({"名": ["a"], "值": pa.array([0], pa.timestamp("us"))})),
        "intake-parquet-type",
    ),
    "parquet: other columns": (parquet(pa.table({"名": ["a"], "别": ["1"]})), "intake-header"),
    "parquet: a column twice": (parquet(pa.Table.from_arrays([pa.array(["a"])] * 2, ["名", "名"])), "intake-header"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_whole(name):
    content, code = REFUSED[name]
    started = time.monotonic()
    assert refusal_of(content) == code
    assert time.monotonic() - started < 30


# --- the line that is named -----------------------------------------------------------------------

# The line with which another line 28 is told from the 27 that are right.
BAD_BYTES = {"a row of the other encoding": "崂山区,28\n", "a byte that no encoding has": b"\xff,28\n"}


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-8-sig"])
@pytest.mark.parametrize("name", BAD_BYTES)
def test_the_line_that_is_not_in_the_file_s_encoding_is_named(encoding, name):
    """UTF-8 read as GB 18030 stops in its first line mostly, and the other way round: neither is the line to look at."""
    rows = "".join(f"李沧区,{n}\n" for n in range(2, 28))
    bad = BAD_BYTES[name]
    if isinstance(bad, str):
        bad = bad.encode("utf-8" if encoding == "gb18030" else "gb18030")
    code = "intake-encoding-declared" if encoding == "utf-8-sig" else "intake-encoding"
    assert place_of(f"名,值\n{rows}".encode(encoding) + bad + "市南区,29\n".encode(encoding.removesuffix("-sig"))) == (
        code,
        "28",
    )


def test_the_line_is_named_where_it_stands_in_a_later_block():
    rows = "".join(f"李沧区,{n}\n" for n in range(2, 400_000)).encode()
    assert len(rows) > parser.BLOCK
    assert place_of(HEAD + rows + "崂山区,1\n".encode("gb18030")) == ("intake-encoding", "400000")


def test_a_header_of_utf8_is_not_what_is_wrong_where_it_reads_as_gb18030_too():
    content = "名称,区市\na,1\n".encode() + "市南,2\n".encode("gb18030")
    assert content.decode("gb18030")
    reason = reason_of(content, ("名称", "区市"))
    assert (reason.code, reason.facts["line"]) == ("intake-encoding", "3")
    assert refusal_of(content, ("名称", "街道")) == "intake-header"


def test_a_file_that_says_to_be_gb18030_is_read_as_nothing_else():
    assert place_of(b"\x84\x31\x95\x33" + GBK + b"\xff,1\n" + "王,2\n".encode()) == ("intake-encoding", "2")
    assert place_of(b"\x84\x31\x95\x33" + b"a\nb\n" + b"\xff\n") == ("intake-encoding", "3")


STRAY = {
    "opens a value": (b'"a,5', "5"),
    "opens a value, with pairs after it": (b'"a ""b"" c,5', "5"),
    "opens a value with a pair": (b'"""a,5', "5"),
    "opens the last value": (b'a,"5', "5"),
    "stands inside a value": (b'a"b,5', "5"),
    "stands behind a value": (b'"a"b,5', "5"),
}


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("name", STRAY)
def test_the_line_of_a_stray_quote_is_named(name, end):
    row, line = STRAY[name]
    rows = [b"r,%d" % n for n in range(2, 28)]
    rows[3] = row
    assert place_of(HEAD + b"\n".join(rows) + end) == ("intake-quotes", line)


def test_pairs_that_close_nothing_do_not_move_the_line():
    """After a stray quote an empty value in quotes reads as a pair inside of what opened; it is no opening itself."""
    rows = [b"r,%d" % n for n in range(2, 28)]
    rows[3], rows[9], rows[20] = b'"a,5', b'"",11', b'"",22'
    assert place_of(HEAD + b"\n".join(rows) + b"\n") == ("intake-quotes", "5")


def test_a_stray_quote_that_a_later_one_closes_is_named_where_it_cannot_be_right():
    rows = [b"r,%d" % n for n in range(2, 28)]
    rows[3], rows[9], rows[20] = b'"a,5', b'"x",11', b'"y",22'
    reason = reason_of(HEAD + b"\n".join(rows) + b"\n")
    assert (reason.code, reason.facts["line"]) == ("intake-quotes", "11")
    assert "one above it opens a quote" in reason.remedy("en")


@pytest.mark.parametrize("pairs", [b"", b'""\n', b'a""b\n'])
def test_a_quote_that_opens_in_an_earlier_block_is_found(pairs, monkeypatch):
    rows = b"r,1\n" * 20
    swallowed = b"".join((b"s,%d\n" % n) + pairs for n in range(300))
    monkeypatch.setattr(parser, "BLOCK", 64)
    last = end_of(parse_here(HEAD + rows + b'"v,22\n' + swallowed, AB))
    assert isinstance(last, Refusal)
    assert last.reasons[0].facts == {"line": "22"}


def test_parquet_text_that_is_no_utf8_is_refused():
    # Arrow reads it without looking: the bytes are put there by lying about the column's type.
    lying = parquet(SMALL).replace(b"\x01\x00\x00\x00a\x01\x00\x00\x00b", b"\x01\x00\x00\x00\xff\x01\x00\x00\x00b")
    last = end_of(parse(lying, AB))
    if isinstance(last, End):
        pytest.skip("this Arrow lays values out otherwise")
    assert last.reasons[0].code == "intake-parquet-damaged"


@pytest.mark.parametrize("seed", range(4))
def test_mutated_parquet_never_kills_the_house(seed):
    content = bytearray(parquet(pa.table({"名": [f"人{n}" for n in range(500)], "值": ["1"] * 500})))
    for step in range(5):
        place = (seed * 7919 + step * 104_729) % len(content)
        content[place] ^= 1 << ((seed + step) % 8)
    last = end_of(parse(bytes(content), AB))
    assert isinstance(last, End | Refusal)


# --- torn rows ------------------------------------------------------------------------------------


def test_rows_with_other_numbers_of_fields_are_torn_and_the_others_are_right():
    pieces = parse(HEAD + b"a,1\nb\nc,3\nd,4,x\n\ne,5\n", AB)
    assert rows_in(pieces) == [("a", "1"), ("c", "3"), ("", ""), ("e", "5")]
    assert sorted(torn_in(pieces)) == [(3, "fields", "b"), (5, "fields", "d,4,x")]
    assert end_of(pieces) == End(6)


def test_row_numbers_stay_right_around_torn_rows():
    lines = [f"{n}" if n % 7 == 3 or n % 5 == 0 else f"r{n},{n}" for n in range(2, 200_000)]
    pieces = parse(HEAD + "\n".join(lines).encode() + b"\n", AB)
    for piece in pieces:
        if isinstance(piece, parser_process.Rows):
            assert piece.numbers.tolist() == [int(text) for text in piece.texts[1].to_pylist()]
    assert [number for number, _, text in torn_in(pieces) if number != int(text)] == []
    assert end_of(pieces) == End(len(lines))


def test_a_last_line_without_end_is_torn():
    for cut in (b"b,12", b'b,"12"', "王,1".encode(), b"b,1,2", b'"b\n",1'):
        pieces = parse(HEAD + b"a,1\n" + cut, AB)
        assert rows_in(pieces) == [("a", "1")]
        assert torn_in(pieces) == [(3, "unfinished", cut.decode())]


@pytest.mark.parametrize("cut", [b"b", b'"b"', b'"b,1\nc,2"', "王".encode()])
def test_a_file_that_ends_inside_a_row_is_refused_whole(cut):
    """Without the control one row is quarantined, and everybody behind it is missing from a full delivery."""
    assert refusal_of(HEAD + b"a,1\n" * 1_000 + cut) == "intake-cut-off"


def test_a_broken_transfer_leaves_what_was_published(house, tmp_path):
    describe(house)
    whole = deliver(tmp_path, *GOOD)
    loaded(house, whole)
    before = shelf.snapshot_of("enrolment")
    cut = tmp_path / "cut.csv"
    cut.write_bytes(whole.read_bytes()[:-40])
    assert refused(house, cut) == {"intake-cut-off"}
    assert shelf.snapshot_of("enrolment") == before


def test_blank_lines_at_the_end_say_nothing():
    pieces = parse(HEAD + b"a,1\r\n\r\n\n" + b"\n" * (5 << 20), AB)
    assert (rows_in(pieces), torn_in(pieces)) == ([("a", "1")], [])


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("block", [64, 4 << 20])
def test_lines_of_separators_at_the_end_say_nothing_either(encoding, block, monkeypatch):
    """A spreadsheet writes them under a table that was longer once: without the control each is a row of bad data."""
    monkeypatch.setattr(parser, "BLOCK", block)
    last = '"王,\n,,\n",\r\n'.encode(encoding)
    pieces = parse_here("名,值\r\na,1\r\n".encode(encoding) + last + b",\r\n" * 100 + b",,,,\n\n" * 100, AB)
    assert (rows_in(pieces), torn_in(pieces)) == ([("a", "1"), ("王,\n,,\n", "")], [])
    assert end_of(pieces) == End(2)


def test_lines_of_separators_between_rows_are_rows_without_values():
    pieces = parse(HEAD + b"a,1\n,\nb,2\n,\n", AB)
    assert rows_in(pieces) == [("a", "1"), ("", ""), ("b", "2")]
    assert [piece.numbers.tolist() for piece in pieces if isinstance(piece, parser_process.Rows)] == [[2, 3, 4]]


@pytest.mark.parametrize(("cut", "torn"), [(b",", (4, "unfinished", ",")), (b",,", (4, "unfinished", ",,"))])
def test_separators_without_line_end_may_be_half_a_row(cut, torn):
    pieces = parse(HEAD + b"a,1\n,\n" + cut, AB)
    assert (rows_in(pieces), torn_in(pieces)) == ([("a", "1"), ("", "")], [torn])
    assert refusal_of("名,值,三\na,1,2\n,\n".encode() + b",", (*AB, "三")) == "intake-cut-off"


def test_a_row_of_a_million_fields_is_torn():
    pieces = parse(HEAD + b"," * 1_000_000 + b"\na,1\n", AB)
    assert rows_in(pieces) == [("a", "1")]
    assert [number for number, _, _ in torn_in(pieces)] == [2]


# --- no character is changed ----------------------------------------------------------------------

NAMES = [
    "王伟",
    "䶮",
    "𠮷田",
    "·阿依古丽",
    "联通",
    "〇",
    "㐀",
    "﨑",
    "𬎆",
    "é",
    "Ω",
    "🙂",
    "ﾎﾟ",
    "e\u0301",
    "\u3000全角空格",
    "a\tb",
    "€",
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_characters_come_out_as_they_went_in(encoding):
    content = ("名,值\r\n" + "".join(f"{name},{n}\r\n" for n, name in enumerate(NAMES))).encode(encoding)
    assert rows_in(parse(content, AB)) == [(name, str(n)) for n, name in enumerate(NAMES)]


def test_every_assigned_character_survives_both_encodings():
    """Security.md 5: round-trip every one-, two- and four-byte code point; a sample of the four-byte ones here."""
    codes = [*range(0x20, 0xD800), *range(0xE000, 0xFFFE), *range(0x10000, 0x30000, 7)]
    private_2022 = {*range(0xE78D, 0xE797), 0xE7C7, 0xE81E, 0xE826, 0xE82B, 0xE82C, 0xE832, 0xE843, 0xE854, 0xE864}
    chars = [chr(code) for code in codes if code not in private_2022 | {0x22, 0x2C, 0x7F}]
    # In runs of ten, divided by a letter so that no run can be read in both encodings.
    values = ["x".join(chars[at : at + 10]) for at in range(0, len(chars), 10)]
    for encoding in ("utf-8", "gb18030"):
        content = ("名,值\n" + "".join(f"{value},{n}\n" for n, value in enumerate(values))).encode(encoding)
        found = rows_in(parse(content, AB))
        different = [
            (value, row[0]) for value, row in zip(values, found, strict=True) if row[0].replace("\0", "") != value
        ]
        assert different == []


def test_gb18030_2022_characters_are_those_of_the_standard():
    assert rows_in(parse(GBK + b"\xa6\xd9\xa8\xbc\xfe\x59\xfe\x9f,1\n", AB)) == [("︐ḿ龴䶮", "1")]


def test_a_gb18030_mark_is_taken_off():
    assert rows_in(parse(b"\x84\x31\x95\x33" + GBK + "王,1\n".encode("gb18030"), AB)) == [("王", "1")]


@pytest.mark.parametrize("words", ["市南", "青岛市市南区", "王小明同志", "山东省a青岛市"])
def test_utf8_inside_a_gb18030_file_is_never_taken_for_other_characters(words):
    """Without the control, even numbers of characters come out as nonsense that nobody notices."""
    content = GBK + "李雷,1\n".encode("gb18030") + words.encode() + b",2\n" + "韩梅,3\n".encode("gb18030")
    try:
        confused = content.decode("gb18030")
    except UnicodeDecodeError:
        assert refusal_of(content) == "intake-encoding"
        return
    assert words not in confused
    rows = {row[1]: row[0] for row in rows_in(parse(content, AB))}
    assert (rows["1"], rows["3"]) == ("李雷", "韩梅")
    text = Item(name="a", zh="名", header="名", type=LogicalType.STRING, mask=Mask.KEEP)
    _, broken = check_column(text, Texts(pa.array([rows["2"]])), encoding="gb18030")
    assert broken["encoding"].tolist() == [True]


def test_crlf_lf_and_quotes_mix():
    pieces = parse(HEAD + b'a,"1\n2"\r\n"b""b","x,y"\nc,"\r\n"\r\n"",""\n', AB)
    assert rows_in(pieces) == [("a", "1\n2"), ('b"b', "x,y"), ("c", "\r\n"), ("", "")]


def test_a_file_in_blocks_is_the_same_as_in_one():
    lines = [f'"第{n}行, ""引号""\n续",{n}' if n % 3 else f"第{n}行,{n}" for n in range(400_000)]
    content = HEAD + "\n".join(lines).encode() + b"\n"
    assert len(content) > 2 * (4 << 20)
    rows = rows_in(parse(content, AB))
    assert rows[2] == ('第2行, "引号"\n续', "2")
    assert [row[1] for row in rows] == [str(n) for n in range(400_000)]


# --- through the whole route ----------------------------------------------------------------------


def test_formula_cells_are_quarantined(house, tmp_path):
    describe(house)
    path = tmp_path / "delivery.csv"
    baits = ["=cmd|'/C calc'!A0", "@SUM(1)", "+1+cmd", "-2+3", "=HYPERLINK(1)"]
    rows = [f"{row}{bait}" for row, bait in zip((one.rsplit(",", 1)[0] + "," for one in GOOD), baits, strict=True)]
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    report = loaded(house, path, max_bad_percent=100)
    assert report.published == 0
    kept = [row.values["备注"] for row in quarantine.read(house, "enrolment", report.snapshot) if row.values]
    assert sorted(kept) == sorted(baits)
    assert {(count.item, count.code, count.rows) for count in report.found} == {("remark", "formula", 5)}


def test_mixed_encodings_are_quarantined_with_their_own_bytes(house, tmp_path):
    describe(house)
    path = tmp_path / "delivery.csv"
    gbk = [HEADER, *GOOD[:4]]
    path.write_bytes("".join(f"{line}\n" for line in gbk).encode("gb18030") + f"{GOOD[4]}青岛市民\n".encode())
    outcome = load(house, path, max_bad_percent=50)
    if isinstance(outcome, Refusal):
        assert outcome.reasons[0].code == "intake-encoding"
    else:
        assert outcome.quarantined == 1


def test_a_value_never_reaches_a_log_or_an_exception(house, tmp_path, caplog):
    describe(house)
    path = tmp_path / "delivery.csv"
    path.write_text(f'{HEADER}\n{WANG},"王伟"x,,市南区,,,\n', encoding="utf-8")
    outcome = load(house, path)
    assert isinstance(outcome, Refusal)
    assert WANG not in repr(outcome)
    assert WANG not in caplog.text
    assert shelf.snapshot_of("enrolment") is None


def test_a_fifo_does_not_hold_us(house, tmp_path):
    describe(house)
    os.mkfifo(tmp_path / "pipe")
    outcome = load(house, tmp_path / "pipe")
    assert isinstance(outcome, Refusal)
    assert outcome.reasons[0].code == "intake-file-missing"


def test_a_file_too_large_for_memory_takes_the_sealed_way(tmp_path):
    content = GBK + "".join(f"王{n},{n}\n" for n in range(50_000)).encode("gb18030")
    with Workspace(tmp_path, os.urandom, memory_bytes=0) as workspace:
        copy = workspace.file_for(len(content))
        for at in range(0, len(content), 100_000):
            copy.append(content[at : at + 100_000])
        pieces = list(parser_process.read(copy, len(content), AB))
    assert len(rows_in(pieces)) == 50_000


# --- the parser's own walls -----------------------------------------------------------------------


def test_the_parser_has_no_environment_no_files_and_little_memory():
    with MemoryFile() as copy, copy.reader() as first, parser_process._started(1 << 30, first):
        copy.append(HEAD + b"a,1\n")
        # Another's limits, and its descriptors, are its own.
        with copy.reader() as descriptor, parser_process._started(100, descriptor) as process:
            # It bounds itself before it reads its task, this one last.
            until(lambda: _limits(process.pid)["Max open files"] == "64")
            limits = _limits(process.pid)
            assert _read(process.pid, "environ") == b""
            assert _read(process.pid, "cmdline").split(b"\0")[1:3] == [b"-I", b"-B"]
            assert limits["Max data size"] == str(parser_process.MEMORY_BYTES)
            assert limits["Max file size"] == "0"
            assert limits["Max core file size"] == "0"
            assert int(limits["Max cpu time"]) < 60
            # Pipes and the file; no way to who started it, or to another parser.
            assert {path.name for path in Path(f"/proc/{process.pid}/fd").iterdir()} == {"0", "1", "2", "3"}


def _read(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


def _limits(pid: int) -> dict[str, str]:
    lines = _read(pid, "limits").decode().splitlines()[1:]
    return {line[:26].strip(): line[26:47].strip() for line in lines}


def test_what_the_parser_imports_is_not_ours():
    source = parser_process._PROGRAM.read_text(encoding="utf-8")
    assert "zhanqiao" not in source.split('"""', 2)[2]


def test_a_parser_takes_no_pandas():
    """Arrow would import it where it is installed, as it is beside the second engine: half a second for each file."""
    program = (
        "import runpy, sys\n"
        "program, sys.argv = sys.argv[1], ['', '/dev/null/none']\n"
        "try: runpy.run_path(program)['main']()\n"
        "except NotADirectoryError: pass\n"
        "import pyarrow as pa; pa.array(['a'])\n"
        "print('pandas' in sys.modules)"
    )
    words = [sys.executable, "-c", program, nursery.__file__]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


@pytest.mark.parametrize(
    "frames",
    [
        b"",
        b"X",
        b"R\x00\x00\x00\x04abcd",
        b"R\xff\xff\xff\xff",
        b"Z\x00\x00\x00\x00",
        b"H\x00\x00\x00\x02[]",
        b'X\x00\x00\x00\x12{"code": "nothing"}'[:23],
        b'X\x00\x00\x00\x22{"code":"intake-nul","facts":{"x":1}}'[:39],
        b'E\x00\x00\x00\x0a{"rows":7}',
        b'T\x00\x00\x00\x20{"rows":[1],"texts":[],"why":"x"}'[:37],
    ],
)
def test_a_parser_that_was_taken_over_cannot_confuse_the_house(frames, monkeypatch, tmp_path):
    program = tmp_path / "taken_over.py"
    program.write_text(f"import sys\nsys.stdin.readline()\nsys.stdout.buffer.write({frames!r})\n", encoding="utf-8")
    monkeypatch.setattr(parser_process, "_PROGRAM", program)
    assert refusal_of(HEAD + b"a,1\n") == "intake-reader-stopped"


def test_arrow_data_that_points_outside_is_refused(monkeypatch, tmp_path):
    """Offsets beyond the buffer would read this process's memory."""
    schema = pa.schema([("0", pa.string()), ("1", pa.string()), ("row", pa.int32())])
    batch = pa.RecordBatch.from_arrays(
        [pa.array(["abcd", "efgh"]), pa.array(["1", "2"]), pa.array([2, 3], pa.int32())], schema=schema
    )
    honest = struct.pack("<iii", 0, 4, 8)
    payload = batch.serialize().to_pybytes()
    assert payload.count(honest) == 1
    payload = payload.replace(honest, struct.pack("<iii", 0, 1 << 20, 8))
    program = tmp_path / "taken_over.py"
    frame = b"R" + struct.pack(">I", len(payload)) + payload
    program.write_text(f"import sys\nsys.stdin.readline()\nsys.stdout.buffer.write({frame!r})\n", encoding="utf-8")
    monkeypatch.setattr(parser_process, "_PROGRAM", program)
    assert refusal_of(HEAD + b"a,1\n") == "intake-reader-stopped"


def test_a_parser_that_eats_its_time_is_stopped(monkeypatch, tmp_path):
    program = tmp_path / "busy.py"
    program.write_text("while True: pass\n", encoding="utf-8")
    monkeypatch.setattr(parser_process, "_PROGRAM", program)
    monkeypatch.setattr(parser_process, "_CPU_SECONDS", 1)
    assert refusal_of(HEAD + b"a,1\n") == "intake-too-much"


REMEMBERS = """
import builtins, os, sys
sys.stdin.readline()
seen = getattr(builtins, "seen", 0)
builtins.seen = seen + 1
sys.stdout.buffer.write(b"E" + (10).to_bytes(4, "big") + b'{"rows":%d}' % seen)
"""


def test_a_parser_that_was_taken_over_is_not_the_next_ones(monkeypatch, tmp_path):
    """Each file has a process of its own: what one left in memory is not there for the next."""
    program = tmp_path / "remembers.py"
    program.write_text(REMEMBERS, encoding="utf-8")
    monkeypatch.setattr(parser_process, "_PROGRAM", program)
    assert parse(HEAD + b"a,1\n", AB) == parse(HEAD + b"b,1\n", AB) == [End(0)]


def test_a_nursery_that_died_is_followed_by_another():
    assert rows_in(parse(HEAD + b"a,1\n", AB)) == [("a", "1")]
    os.kill(nursery_process._nursery_of(parser_process._PROGRAM)._process.pid, signal.SIGKILL)
    assert rows_in(parse(HEAD + b"b,1\n", AB)) == [("b", "1")]


def test_a_thread_that_finds_a_nursery_dead_never_ends_the_one_in_its_place(tmp_path):
    """Two threads meet a dead one; the slower must not end what the faster has started since."""
    program = tmp_path / "waits.py"
    program.write_text("import sys\nsys.stdin.read(1)\n", encoding="utf-8")
    dead = nursery_process._nursery_of(program)
    os.kill(dead._process.pid, signal.SIGKILL)
    with nursery_process.started(program, [], None) as faster:
        nursery_process._forget(program, dead)
        with pytest.raises(ConnectionError):
            dead.fork([], [0, 1, 2])
        with nursery_process.started(program, [], None) as slower:
            for parser in (faster, slower):
                assert _runs(parser.pid)
                parser.write(b"x")
                assert parser.status(30) == 0


def test_threads_that_find_the_nursery_dead_all_read_their_files():
    assert rows_in(parse(HEAD + b"a,1\n", AB)) == [("a", "1")]
    threads = 4
    together = threading.Barrier(threads)

    def read(number: int) -> list[tuple[str, ...]]:
        together.wait()
        return rows_in(parse(HEAD + f"a,{number}\n".encode(), AB))

    with ThreadPoolExecutor(threads) as pool:
        os.kill(nursery_process._nursery_of(parser_process._PROGRAM)._process.pid, signal.SIGKILL)
        assert list(pool.map(read, range(threads))) == [[("a", str(number))] for number in range(threads)]


def test_a_nursery_that_cannot_fork_keeps_the_parsers_that_it_has(tmp_path):
    """It has no descriptor left for one more; the others know nothing of it."""
    program = tmp_path / "waits.py"
    program.write_text("import sys\nsys.stdin.read(1)\n", encoding="utf-8")
    with nursery_process.started(program, [], None) as parser:
        nursery = nursery_process._nursery_of(program)
        held = _descriptors(nursery._process.pid)
        allowed = resource.prlimit(nursery._process.pid, resource.RLIMIT_NOFILE)
        # Too few for what a parser gets; then enough for that, and not for a descriptor of the parser.
        for more in (2, 3):
            resource.prlimit(nursery._process.pid, resource.RLIMIT_NOFILE, (held + more, allowed[1]))
            for _ in range(3):
                with pytest.raises(OSError, match="couldn't fork a parser"), nursery_process.started(program, [], None):
                    pass
        resource.prlimit(nursery._process.pid, resource.RLIMIT_NOFILE, allowed)
        with nursery_process.started(program, [], None) as another:
            another.write(b"x")
            assert another.status(30) == 0
        assert nursery_process._nursery_of(program) is nursery
        until(lambda: _descriptors(nursery._process.pid) == held)
        parser.write(b"x")
        assert parser.status(30) == 0


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_a_parser_ends_as_its_program_says(tmp_path):
    program = tmp_path / "told.py"
    program.write_text("import sys\nexec(sys.stdin.readline())\n", encoding="utf-8")
    ends = {"": 0, "sys.exit()": 0, "sys.exit(7)": 7, "sys.exit('no')": 1, "1 / 0": 1, "import os; os.kill(0, 9)": -9}
    for line, status in ends.items():
        with nursery_process.started(program, [], None) as parser:
            parser.write(f"{line}\n".encode())
            assert parser.status(30) == status, line


FORKS = """
import os, sys, time
ours, theirs = os.pipe()
if os.fork() == 0:
    if {leaves}:
        os.setsid()
        if os.fork():
            os._exit(0)
    os.write(theirs, b"%d" % os.getpid())
    time.sleep(60)  # with every pipe open
    os._exit(0)
pid = os.read(ours, 16).decode()
sys.stdin.readline()
for letter, said in ((b"T", '{{"rows":[2],"texts":["' + pid + '"],"why":"fields"}}'), (b"E", '{{"rows":1}}')):
    sys.stdout.buffer.write(letter + len(said).to_bytes(4, "big") + said.encode())
sys.stdout.flush()
time.sleep(60 if {stays} else 0)
"""


@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize("leaves", [False, True])
def test_what_a_parser_forks_holds_nobody_and_ends_with_it(leaves, stays, monkeypatch, tmp_path):
    """Without the control it holds its end of the pipe, and we wait for as long as it likes to give it the file."""
    program = tmp_path / "forks.py"
    program.write_text(FORKS.format(leaves=leaves, stays=stays), encoding="utf-8")
    monkeypatch.setattr(parser_process, "_PROGRAM", program)
    content = HEAD + b"a,1\n" * (1 << 20)
    started = time.monotonic()
    with Workspace(tmp_path, os.urandom, memory_bytes=0) as workspace:
        copy = workspace.file_for(len(content))
        copy.append(content)
        pieces = list(parser_process.read(copy, len(content), AB))
    assert time.monotonic() - started < 30
    ((_, _, pid),) = torn_in(pieces)
    until(lambda: not _runs(int(pid)), 20)


def test_a_nursery_that_hangs_is_followed_by_another(monkeypatch):
    assert rows_in(parse(HEAD + b"a,1\n", AB)) == [("a", "1")]
    os.kill(nursery_process._nursery_of(parser_process._PROGRAM)._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(nursery_process, "FORK_SECONDS", 0.3)
    with pytest.raises(ConnectionAbortedError):
        nursery_process._nursery_of(parser_process._PROGRAM).fork([], [])
    monkeypatch.setattr(nursery_process, "FORK_SECONDS", 30)
    assert rows_in(parse(HEAD + b"b,1\n", AB)) == [("b", "1")]


def test_a_copy_of_the_process_has_a_lock_of_its_own():
    with nursery_process._making:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if rows_in(parse(HEAD + b"a,1\n", AB)) == [("a", "1")] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_no_parser_outlives_who_started_it(tmp_path):
    program = tmp_path / "busy.py"
    program.write_text("while True: pass\n", encoding="utf-8")
    starts = (
        "from zhanqiao.desk import state; state.prepare()\n"
        "import time; from pathlib import Path; from zhanqiao.intake import nursery_process\n"
        f"with nursery_process.started(Path({str(program)!r}), [], None) as parser:\n"
        "    print(parser.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True) as house:
        assert house.stdout is not None
        pid = int(house.stdout.readline())
        house.kill()
    until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        return "State:\tZ" not in _read(pid, "status").decode()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_parser_that_is_silent_is_stopped(monkeypatch, tmp_path):
    program = tmp_path / "silent.py"
    program.write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    monkeypatch.setattr(parser_process, "_PROGRAM", program)
    monkeypatch.setattr(parser_process, "SILENCE_SECONDS", 0.3)
    assert refusal_of(HEAD + b"a,1\n") == "intake-reader-stopped"


def test_a_parquet_bomb_stays_in_its_limits(monkeypatch):
    monkeypatch.setattr(parser_process, "MEMORY_BYTES", 192 << 20)
    column = pa.array(["a" * 60_000]).take(pa.array([0] * 20_000, pa.int32())).cast(pa.large_string())
    bomb = parquet(pa.table({"名": column, "值": pa.array(["1"] * 20_000)}), compression="zstd")
    assert len(bomb) < 1 << 20
    assert refusal_of(bomb) in {"intake-too-much", "intake-reader-stopped", "intake-parquet-damaged"}


EQUAL_ROWS = pa.table({name: pa.array(["x"]).take(pa.array(np.zeros(3_000_000, np.int32))) for name in AB})


def test_a_small_parquet_of_millions_of_equal_rows_is_refused_before_it_is_decoded():
    """Without the control: three million rows of work, here and in the house, for a file of a few kilobytes."""
    bomb = parquet(EQUAL_ROWS, compression="zstd")
    assert len(bomb) < 100_000
    started = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert refusal_of(bomb) == "intake-parquet-too-much"
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert spent.ru_utime + spent.ru_stime - started.ru_utime - started.ru_stime < 5
    pieces = parse(bomb, AB)
    assert len(pieces) == 1, "no row is sent before the refusal"


def test_parquet_text_that_decodes_to_more_than_its_file_may_is_refused():
    column = pa.array(["a" * 3_000]).take(pa.array(np.zeros(200_000, np.int32)))
    slowly = parquet(pa.table({"名": column, "值": pa.array(["1"] * 200_000)}), compression="zstd")
    assert refusal_of(slowly) == "intake-parquet-too-much"


def test_a_parquet_of_many_rows_that_are_somebody_passes():
    people = pa.array([f"{number * 7_919 % 10**18:018d}" for number in range(300_000)])
    same = pa.array(["市南区"]).take(pa.array(np.zeros(300_000, np.int32)))
    columns = {"名": people, **{f"值{place}": same for place in range(9)}}
    pieces = parse(parquet(pa.table(columns), compression="zstd"), tuple(columns))
    assert end_of(pieces) == End(300_000)


def test_decimals_dates_and_booleans_of_parquet_become_exact_text():
    table = pa.table(
        {
            "名": pa.array([Decimal("0.10"), Decimal("-12345.60"), None], pa.decimal128(18, 2)),
            "值": pa.array([True, False, None]),
        }
    )
    assert rows_in(parse(parquet(table), AB)) == [("0.10", "是"), ("-12345.60", "否"), ("", "")]
    assert len(HEADERS) == len(set(HEADERS))
