# SPDX-License-Identifier: Apache-2.0
"""The program that reads delivered files. It runs alone: own process, no keys, no environment, nothing of this house.

A delivery is hostile until it has been read, so that whoever takes over this process holds one file and a pipe. It
imports numpy and pyarrow only; `parser_process` starts it by path, limits it and does not believe what it says.

    in      one JSON line (the task); the file itself in a descriptor of its own, or after that line, and then twice
            where it is too large to be held
    out     frames: one letter, four bytes of length, then
            H  what the file is (JSON)        R  rows, text columns in contract order and the row number
            T  torn rows, first column = raw  X  why the whole file is refused (JSON)
            E  the number of rows (JSON)

What a text file must be: UTF-8 or GB 18030 to the last byte, no NUL, RFC 4180 quotes, LF or CR LF. Anything that could
be read in two ways is refused or torn, and no character is ever replaced: a row comes out as it was written or not at
all. Row numbers are those a spreadsheet shows: the header is row 1.
"""

import csv
import io
import json
import os
import re
import struct
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

# One thread: the limits of this process are counted for one, and numpy's linear algebra is not wanted here.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv

BLOCK = 4 << 20  # read, checked and parsed at once; also the longest record
MAX_COLUMNS = 2_000
MAX_HELD = 192 << 20  # a larger file is asked for twice; parsing must fit beside it
MAX_TORN = 1_000_000  # torn rows are handed on one by one
BATCH_ROWS = 65_536
# A text file holds a byte for each value at least, and what it holds is what it weighs. Parquet repeats a value for
# next to nothing, so that a small file can ask for any amount of work. One of people takes a byte for five values, and
# decodes to ten times its size; what is far beyond is nobody's delivery. The constant parts are for small files.
_VALUES, _VALUES_PER_BYTE = 1_000_000, 32
_TEXT_BYTES, _TEXT_PER_BYTE = 64 << 20, 64
_MAX_ROWS = 2**31 - 2  # row numbers have 32 bits

_LF, _CR, _QUOTE, _COMMA = 10, 13, 34, 44
_EMPTY = b"\r\n,"  # what a line without any value consists of
# What a file says about itself in its first bytes, where that is not text.
_OTHER_KINDS = (
    (b"PK\x03\x04", "zip/xlsx"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf", "7z"),
    (b"Rar!", "rar"),
    (b"%PDF", "pdf"),
    (b"\xd0\xcf\x11\xe0", "xls"),
    (b"SQLite format 3", "sqlite"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_PARQUET = b"PAR1"
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\x84\x31\x95\x33", "gb18030"))

# GB 18030-2022 gives these bytes a character of their own (one of them, A8BC, since 2005); Python's table, of 2000, has
# a private-use one.
_OF_2022 = dict(
    zip(
        [*range(0xE78D, 0xE797), 0xE7C7, 0xE81E, 0xE826, 0xE82B, 0xE82C, 0xE832, 0xE843, 0xE854, 0xE864],
        "︐︒︑︓︔︕︖︗︘︙ḿ龴龵龶龷龸龹龺龻",
        strict=True,
    )
)
_OF_2022_LEADS = (b"\xee\x9e", b"\xee\x9f", b"\xee\xa0", b"\xee\xa1")  # how those private-use characters begin in UTF-8
_FOLLOWING = (np.arange(256) & 0xC0) == 0x80  # bytes that continue a character in UTF-8
_C1_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")


class Refused(Exception):  # noqa: N818  carries a refusal to the end of this program
    """The whole file is refused: a code of the refusal table and its facts. Never a value of the file."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@dataclass(frozen=True)
class Task:
    """What is asked of this process.

    descriptor  where the file is, or None when its bytes follow the task
    twice       in that case: they come a second time, because they are not held
    """

    size: int
    descriptor: int | None
    twice: bool
    headers: tuple[str, ...]


# --- the file's bytes -----------------------------------------------------------------------------


Block = bytes | bytearray


@dataclass
class Source:
    """The file without its byte order mark, in blocks that end with a line.

    declared    the encoding that a byte order mark names, or None
    """

    stream: io.BufferedReader
    task: Task
    declared: str | None = None
    _held: list[Block] = field(default_factory=list)

    def blocks(self) -> Iterator[Block]:
        """Yield the file, and at the next call the same blocks once more."""
        if self._held:
            yield from self._held
            return
        if self.task.descriptor is not None:
            self.stream.seek(0)
        keep = self.task.descriptor is None and not self.task.twice
        for place, read in enumerate(self._read()):
            block = read if place else self._without_mark(read)
            if keep:
                self._held.append(block)
            yield block

    def _without_mark(self, block: Block) -> Block:
        for mark, encoding in _BOMS:
            if block.startswith(mark):
                self.declared = encoding
                return block[len(mark) :]
        return block

    def _read(self) -> Iterator[Block]:
        left, rest = self.task.size, b""
        while left:
            block = bytearray(len(rest) + min(BLOCK, left))
            block[: len(rest)] = rest
            with memoryview(block) as view:
                got = self.stream.readinto(view[len(rest) :])
            if got != len(block) - len(rest):
                raise EOFError("couldn't read the file: its bytes end early")
            left -= got
            end = block.rfind(b"\n") + 1
            if not end and left:
                rest = bytes(block)
                if len(rest) > BLOCK:
                    raise Refused("intake-line-too-long", limit=BLOCK)
                continue
            rest = bytes(block[end:])
            del block[end:]
            if block:
                yield block
        if rest:
            yield rest


# --- first reading: what kind of text is it? ------------------------------------------------------


@dataclass
class Survey:
    """What the first reading finds out. Carries the state from block to block: line, open quote, offset.

    ceases      the line in which the file ceases to be UTF-8, 0 while it is
    odd         there are characters that a checked text should not hold (controls, lost characters)
    content     offset after the last line that holds a value: blank lines after it say nothing
    """

    utf8: bool = True
    ceases: int = 0
    quoted: bool = False
    odd: bool = False
    content: int = 0
    _offset: int = 0
    _lines: int = 0
    _inside: bool = False
    _opened: int = 0  # where `_inside`: the line in which that value opens

    def look(self, block: Block) -> None:
        """Take in one block."""
        if not block:
            return  # nothing but a byte order mark
        octets = np.frombuffer(block, np.uint8)
        line_ends = int(np.count_nonzero(octets == _LF))
        quotes = self._look_at_quotes(block, octets)
        if (controls := int(np.count_nonzero(octets < 32)) - line_ends) != 0:
            self._look_at_controls(block, octets, quotes, controls)
        self.odd = self.odd or b"\x7f" in block or _has_odd_character(block)
        if self.utf8 and not _is_utf8(block):
            self.utf8, self.ceases = False, self._lines + _line_that_is_no_utf8(block)
        if length := _without_blank_lines(block):
            self.content = self._offset + length
        self._offset += len(block)
        self._lines += line_ends

    def close(self) -> None:
        """Say what only the end of the file shows."""
        if self._inside:
            raise Refused("intake-quotes", line=self._opened)

    def _look_at_quotes(self, block: Block, octets: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """A quote opens after a separator, closes before one, and stands doubled inside; nowhere else."""
        if b'"' not in block:
            return np.zeros(0, np.int64)
        self.quoted = True
        quotes = np.flatnonzero(octets == _QUOTE)
        inside = int(self._inside)
        opening, closing = quotes[inside::2], quotes[1 - inside :: 2]
        before = octets[opening[opening > 0] - 1]
        after = octets[closing[closing < len(octets) - 1] + 1]
        wrong_before = opening[opening > 0][~np.isin(before, (_COMMA, _LF, _QUOTE))]
        wrong_after = closing[closing < len(octets) - 1][~np.isin(after, (_COMMA, _LF, _CR, _QUOTE))]
        if len(wrong_before) or len(wrong_after):
            self._refuse_at("intake-quotes", block, int(min([*wrong_before[:1], *wrong_after[:1]])))
        self._inside = bool((inside + len(quotes)) % 2)
        if self._inside:
            self._note_opening(block, octets, opening)
        return quotes

    def _note_opening(self, block: Block, octets: "np.ndarray[Any, Any]", opening: "np.ndarray[Any, Any]") -> None:
        """Note where the value opens that is open at the end of this block; few blocks end in one."""
        # A quote right behind another one is the second of a pair inside a value, which opened before.
        first = opening[(opening == 0) | (octets[opening - 1] != _QUOTE)]
        if len(first):
            self._opened = self._line_of(block, int(first[-1]))

    def _look_at_controls(
        self, block: Block, octets: "np.ndarray[Any, Any]", quotes: "np.ndarray[Any, Any]", controls: int
    ) -> None:
        """Look at what is below the blank and no line feed; most blocks have none and never come here."""
        if (at := block.find(b"\0")) >= 0:
            self._refuse_at("intake-nul", block, at)
        returns = self._look_at_returns(block, octets, quotes)
        self.odd = self.odd or controls != returns + block.count(b"\t")

    def _look_at_returns(self, block: Block, octets: "np.ndarray[Any, Any]", quotes: "np.ndarray[Any, Any]") -> int:
        """Outside of quotes a carriage return stands before a line feed only."""
        if b"\r" not in block:
            return 0
        returns = np.flatnonzero(octets == _CR)
        followed = octets[np.minimum(returns + 1, len(octets) - 1)]
        lone = returns[followed != _LF]
        if len(lone):
            odd_at_start = (int(self._inside) + len(quotes)) % 2  # `_inside` speaks of the end of this block by now
            outside = lone[(np.searchsorted(quotes, lone) + odd_at_start) % 2 == 0]
            if len(outside):
                self._refuse_at("intake-line-ends", block, int(outside[0]))
        return len(returns)

    def _refuse_at(self, code: str, block: Block, at: int) -> NoReturn:
        raise Refused(code, line=self._line_of(block, at))

    def _line_of(self, block: Block, at: int) -> int:
        return self._lines + block.count(b"\n", 0, at) + 1


def _without_blank_lines(block: Block) -> int:
    """Return how long the block is without the lines at its end that hold no value, but perhaps separators.

    Spreadsheets write such lines under a table that was longer once. A line without its end is never one of them: the
    rest of it may be missing.
    """
    if not block.endswith(b"\n"):
        return len(block)
    tail = block[-64:]
    last = len(tail.rstrip(_EMPTY))
    last = len(block) - len(tail) + last if last else len(block.rstrip(_EMPTY))
    return block.find(b"\n", last) + 1 if last else 0


def _is_utf8(block: Block) -> bool:
    """Whether every byte is valid UTF-8. Arrow's validation is twice as fast as decoding."""
    ends = pa.py_buffer(np.array([0, len(block)], np.int32))
    try:
        pa.Array.from_buffers(pa.binary(), 1, [None, ends, pa.py_buffer(block)]).cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _line_that_is_no_utf8(block: Block) -> int:
    """Return the first such line of a block, from 1. Asked once in a file, so that decoding may be slow."""
    try:
        at = len(block.decode())
    except UnicodeDecodeError as fault:
        at = fault.start
    return block.count(b"\n", 0, at) + 1


def _has_odd_character(block: Block) -> bool:
    """U+FFFD, put where some program lost a character; U+FEFF, from the middle of joined files; C1 controls."""
    return (b"\xef" in block and (b"\xef\xbf\xbd" in block or b"\xef\xbb\xbf" in block)) or (
        b"\xc2" in block and _C1_CONTROL.search(block) is not None
    )


# --- second reading: records ----------------------------------------------------------------------


def transcode(block: Block, lines: int, ceases: int) -> Block:
    """Return a block of GB 18030 as UTF-8; every byte must decode.

    A refusal names the line at which the reading stopped that got further: as GB 18030, after the `lines` that came
    before, or as UTF-8, which the file ceases to be in the line `ceases`.

    A run that is valid UTF-8 too would come out as other characters if the file mixes encodings. It is marked with a
    NUL, which the file itself cannot hold, and the checks quarantine its row.
    """
    places = _doubtful_runs(block)
    marked = b"\0".join(block[start:end] for start, end in zip([0, *places], [*places, len(block)], strict=True))
    try:
        text = marked.decode("gb18030")
    except UnicodeDecodeError as fault:
        stops = lines + marked.count(b"\n", 0, fault.start) + 1
        raise Refused("intake-encoding", line=max(stops, ceases)) from None
    octets = text.encode()
    # Their first byte begins nothing but private-use characters, so that most texts are done with one quick look.
    if _OF_2022_LEADS[0][:1] in octets and any(lead in octets for lead in _OF_2022_LEADS):
        return text.translate(_OF_2022).encode()
    return octets


def _doubtful_runs(block: Block) -> list[int]:
    """Return where a run of bytes beyond ASCII begins that is UTF-8 as a whole, with a character of three bytes.

    Chinese takes three bytes in UTF-8. Shorter characters are no sign of it: many a word of GB 18030 looks like them.
    """
    octets = np.frombuffer(block, np.uint8)
    high = octets >= 0x80
    three = np.flatnonzero(octets[:-2] >> 4 == 0xE)
    three = three[_FOLLOWING[octets[three + 1]] & _FOLLOWING[octets[three + 2]]]
    if not len(three):
        return []
    # The runs that hold such a character, each once.
    gaps = np.flatnonzero(~high)
    after = np.unique(np.searchsorted(gaps, three))
    starts = np.concatenate([[0], gaps + 1])[after]
    ends = np.concatenate([gaps, [len(octets)]])[after]
    # Where a byte that continues a character stands without one before it, or is missing, the run is no UTF-8.
    covered = np.zeros(len(octets) + 3, np.bool_)
    for back, lead in ((1, 0xC0), (2, 0xE0), (3, 0xF0)):
        covered[back : back + len(octets)] |= octets >= lead
    broken = np.flatnonzero(high & (covered[: len(octets)] != (octets < 0xC0)))
    whole = (np.searchsorted(broken, starts) == np.searchsorted(broken, ends)) & ~covered[ends]
    return [int(start) for start, end in zip(starts[whole], ends[whole], strict=True) if _is_utf8(block[start:end])]


@dataclass
class Records:
    """Cuts blocks where a record ends, quotes considered, and takes the header off."""

    quoted: bool
    rest: Block = b""

    def cut(self, block: Block) -> Block:
        """Return the whole records of what is there; keep the rest for the next block."""
        block = self.rest + block if self.rest else block
        end = self._end(block)
        self.rest = block[end:]
        if len(self.rest) > BLOCK:
            raise Refused("intake-line-too-long", limit=BLOCK)
        return block[:end]

    def _end(self, block: Block) -> int:
        end = block.rfind(b"\n") + 1
        if not self.quoted:
            return end
        octets = np.frombuffer(block, np.uint8)
        inside = np.count_nonzero(octets[:end] == _QUOTE) % 2
        while end and inside:
            # Every line end behind the quote that stands open belongs to its value.
            former, end = end, block.rfind(b"\n", 0, block.rfind(b'"', 0, end)) + 1
            inside = (inside + np.count_nonzero(octets[end:former] == _QUOTE)) % 2
        return end


def first_record(block: Block) -> int:
    """Return the length of the first record of a block, its line end included."""
    end = block.find(b"\n") + 1
    while end and block.count(b'"', 0, end) % 2:
        end = block.find(b"\n", end) + 1
    return end or len(block)


def order_of(found: list[str], wanted: tuple[str, ...], *, of_a_line: bool = False) -> list[int]:
    """Return where each wanted column stands; refuse unless the two sets are the same.

    of_a_line   the names were parted by commas, or were to be

    Names that the contract does not know are not repeated: without a header line they would be somebody's data.
    """
    if len(found) > MAX_COLUMNS:
        raise Refused("intake-too-many-columns", limit=MAX_COLUMNS)
    missing = [name for name in wanted if name not in found]
    twice = [name for name in wanted if found.count(name) > 1]
    unknown = [str(place) for place, name in enumerate(found, start=1) if name not in wanted]
    if missing or twice or unknown:
        said = _differences(found, wanted, missing, twice, unknown)
        if of_a_line and len(found) == 1 and len(wanted) > 1:
            said["said_zh"] += "首行没有半角逗号。"
            said["said_en"] += " There is no comma in the first line."
        raise Refused("intake-header", **said)
    return [found.index(name) for name in wanted]


def _differences(
    found: list[str], wanted: tuple[str, ...], missing: list[str], twice: list[str], unknown: list[str]
) -> dict[str, str]:
    """Return what is not so in a header line, as facts in two languages; of each kind what there is, and no more."""
    bare = {_bare(name) for name in found if name not in wanted}
    otherwise = [name for name in missing if _bare(name) in bare]
    nameless = [str(place) for place, name in enumerate(found, start=1) if not name.strip()]
    kinds = (
        ("缺少", "Missing", [name for name in missing if name not in otherwise]),
        ("写法不同（空格、换行、全角符号）", "Written in another way (spaces, line breaks, full width)", otherwise),
        ("重复", "Twice", twice),
        ("未知（列序）", "Unknown, by place", [place for place in unknown if place not in nameless]),
        ("没有名称（列序）", "Without a name, by place", nameless),
    )
    zh = [f"{kind}：{'、'.join(names[:50])}。" for kind, _, names in kinds if names]
    en = [f"{kind}: {', '.join(names[:50])}." for _, kind, names in kinds if names]
    return {"said_zh": "".join(zh), "said_en": " ".join(en)}


def _bare(name: str) -> str:
    """Return a header without what a spreadsheet adds or spells in another width."""
    return "".join(unicodedata.normalize("NFKC", name).split())


def read_header(record: Block, wanted: tuple[str, ...]) -> list[int]:
    """Return the order of the columns that the header line names."""
    if record.count(b",") >= MAX_COLUMNS:
        raise Refused("intake-too-many-columns", limit=MAX_COLUMNS)
    csv.field_size_limit(BLOCK)
    found = next(csv.reader([record.decode().rstrip("\r\n")], strict=True), [])
    return order_of(found, wanted, of_a_line=True)


def _order_of(content: Block, text: Block, survey: Survey, wanted: tuple[str, ...]) -> list[int]:
    """Return the order of the columns: from the header as it is in the file, and as UTF-8."""
    # The header must be the contract's to the letter, so nothing about it is doubtful.
    header = text[: first_record(text)].replace(b"\0", b"")
    try:
        return read_header(header, wanted)
    except Refused:
        # Some words of UTF-8 are words of GB 18030, too. If these are the contract's, the header is not what is wrong.
        if survey.ceases and _is_header(content[: first_record(content)], wanted):
            raise Refused("intake-encoding", line=survey.ceases) from None
        raise


def _is_header(record: Block, wanted: tuple[str, ...]) -> bool:
    try:
        read_header(record, wanted)
    except (Refused, UnicodeDecodeError):
        return False
    return True


def read_text(source: Source, survey: Survey, send: "Sender") -> None:
    """Send the rows of a text file."""
    records = Records(survey.quoted)
    rows: Rows | None = None
    offset = lines = 0
    for block in source.blocks():
        content = _without_blank_end(block, survey, offset)
        text = content if survey.utf8 else transcode(content, lines, survey.ceases)
        offset += len(block)
        lines += 0 if survey.utf8 else block.count(b"\n")
        if rows is None and text:
            rows = Rows(_order_of(content, text, survey, source.task.headers), survey.quoted, send)
            text = text[first_record(text) :]
        if rows is not None and (whole := records.cut(text)):
            rows.parse(whole)
    if rows is not None and records.rest:
        rows.tear_last(records.rest.decode())
    if rows is None or rows.number == 1:
        raise Refused("intake-empty")
    send.end(rows.number - 1)


def _without_blank_end(block: Block, survey: Survey, offset: int) -> Block:
    """Cut blank lines at the end of the file: they say nothing."""
    if offset + len(block) <= survey.content:
        return block
    return block[: max(survey.content - offset, 0)]


@dataclass
class Rows:
    """Parses records into text columns and counts rows: `number` is the last row read, the header's being 1."""

    order: list[int]
    quoted: bool
    send: "Sender"
    number: int = 1
    torn: int = 0

    def parse(self, records: Block) -> None:
        """Send the rows of these whole records; those with too few or too many fields are torn."""
        torn: list[tuple[int, str]] = []

        def tear(row: Any) -> str:
            torn.append((row.number, row.text))
            if len(torn) + self.torn > MAX_TORN:
                raise Refused("intake-too-many-torn", limit=MAX_TORN)
            return "skip"

        try:
            table = self._table(records, tear)
        except pa.ArrowInvalid as fault:
            raise Refused("intake-unreadable", row=self.number + 1) from fault
        numbers = _numbers_of_whole_rows(table.num_rows, np.array([place for place, _ in torn], np.int64))
        columns = [table.column(place) for place in self.order]
        for batch in _batches(columns, numbers + self.number):
            self.send.rows(batch)
        if torn:
            self.tear([(self.number + place, text) for place, text in torn], "fields")
        self.number += table.num_rows + len(torn)

    def tear(self, torn: list[tuple[int, str]], why: str) -> None:
        """Send rows that could not be parted into fields."""
        self.torn += len(torn)
        self.send.torn([number for number, _ in torn], [text for _, text in torn], why)

    def tear_last(self, text: str) -> None:
        """Tear a last record without its line end: nobody can tell whether its last value is whole.

        With fewer fields than the header it is the end of a transfer that broke off, and nobody knows how many rows
        are missing behind it. Taken for the whole, they would be people who are not there any more.
        """
        if len(next(csv.reader([text], strict=True), [])) < len(self.order):
            raise Refused("intake-cut-off", row=self.number + 1)
        self.number += 1
        self.tear([(self.number, text)], "unfinished")

    def _table(self, records: Block, tear: Callable[[Any], str]) -> Any:
        names = [str(place) for place in range(len(self.order))]
        if records.startswith(_BOMS[0][0]):
            records = _BOMS[0][0] + records  # pyarrow takes one off every text; here it belongs to a value
        return pcsv.read_csv(
            pa.BufferReader(records),
            pcsv.ReadOptions(use_threads=False, column_names=names, block_size=len(records) + 1),
            pcsv.ParseOptions(
                quote_char='"' if self.quoted else False,
                newlines_in_values=self.quoted,
                ignore_empty_lines=False,
                invalid_row_handler=tear,
            ),
            # The bytes were validated in the first reading, or made by `transcode`.
            pcsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), check_utf8=False),
        )


def _numbers_of_whole_rows(count: int, torn: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return the places (from 1) of `count` whole rows among which the torn ones stand at the places given."""
    ranks = np.arange(1, count + 1)
    if not len(torn):
        return ranks
    torn = np.sort(torn)
    return ranks + np.searchsorted(torn - np.arange(len(torn)), ranks, side="right")


def _batches(columns: list[Any], numbers: "np.ndarray[Any, Any]") -> Iterator[Any]:
    """Make record batches of BATCH_ROWS at most: text columns by place, then the row number."""
    names = [str(place) for place in range(len(columns))]
    table = pa.table([*columns, pa.array(numbers.astype(np.int32))], names=[*names, "row"])
    yield from table.combine_chunks().to_batches(max_chunksize=BATCH_ROWS)


# --- Parquet --------------------------------------------------------------------------------------


def read_parquet(content: bytes, headers: tuple[str, ...], send: "Sender") -> None:
    """Send the rows of a Parquet file as text, so that both kinds of file meet the same checks."""
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        schema = file.schema_arrow
        order = order_of(list(schema.names), headers)
        for place, kind in enumerate(schema.types, start=1):
            if _text_of(kind) is None:
                raise Refused("intake-parquet-type", column=place, type=str(kind)[:60])
        if file.metadata.num_rows <= 0:
            raise Refused("intake-empty")
        room = _Room.of(len(content))
        room.check_declared(file.metadata)
        send.hello("parquet", odd=True)
        number = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            columns = [_as_text(batch.column(place)) for place in order]
            room.take(sum(column.nbytes for column in columns))
            for piece in _batches(columns, np.arange(number + 1, number + 1 + batch.num_rows)):
                piece.validate(full=True)
                send.rows(piece)
            number += batch.num_rows
        if number != file.metadata.num_rows:
            raise Refused("intake-parquet-damaged")
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, KeyError) as fault:
        raise Refused("intake-parquet-damaged") from fault
    send.end(number)


@dataclass
class _Room:
    """How much a Parquet file may hold for its size: values as it declares them, bytes as they are decoded."""

    size: int
    values: int
    text: int

    @classmethod
    def of(cls, size: int) -> "_Room":
        return cls(size, _VALUES + _VALUES_PER_BYTE * size, _TEXT_BYTES + _TEXT_PER_BYTE * size)

    def check_declared(self, metadata: Any) -> None:
        """Refuse before anything is decoded: what the footer declares bounds what the reader takes out of the pages."""
        groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
        rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
        if rows > _MAX_ROWS or rows * metadata.num_columns > self.values:
            self._refuse()
        if sum(group.total_byte_size for group in groups) > self.text:
            self._refuse()

    def take(self, text: int) -> None:
        """Take room for decoded text."""
        self.text -= text
        if self.text < 0:
            self._refuse()

    def _refuse(self) -> NoReturn:
        limit = _Room.of(self.size)
        raise Refused("intake-parquet-too-much", size=self.size, values=limit.values, bytes=limit.text)


def _text_of(kind: Any) -> Callable[[Any], Any] | None:
    """Return how values of this type are written as text, exactly; None where they cannot be."""
    if pa.types.is_string(kind) or pa.types.is_null(kind):
        return lambda values: values.cast(pa.string())
    if pa.types.is_large_string(kind) or pa.types.is_integer(kind) or pa.types.is_date32(kind):
        return lambda values: values.cast(pa.string())
    if pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type):
        return lambda values: values.cast(pa.string())
    if pa.types.is_decimal128(kind):
        return lambda values: pa.array([None if v is None else format(v, "f") for v in values.to_pylist()], pa.string())
    if pa.types.is_boolean(kind):
        return lambda values: pa.array(
            [None if v is None else "是" if v else "否" for v in values.to_pylist()], pa.string()
        )
    return None


def _as_text(values: Any) -> Any:
    values.validate(full=True)
    write = _text_of(values.type)
    assert write is not None, "types were checked before"
    text = write(values)
    return text.fill_null("") if text.null_count else text


# --- the pipe -------------------------------------------------------------------------------------


@dataclass
class Sender:
    """Writes frames."""

    stream: BinaryIO

    def frame(self, letter: bytes, payload: Any) -> None:
        self.stream.write(letter + struct.pack(">I", len(payload)))
        self.stream.write(payload)

    def hello(self, encoding: str, *, odd: bool) -> None:
        self._json(b"H", {"encoding": encoding, "odd": odd})

    def rows(self, batch: Any) -> None:
        self.frame(b"R", batch.serialize())

    def torn(self, numbers: list[int], texts: list[str], why: str) -> None:
        for start in range(0, len(numbers), 1_000):
            part = slice(start, start + 1_000)
            self._json(b"T", {"why": why, "rows": numbers[part], "texts": texts[part]})

    def refuse(self, refused: Refused) -> None:
        self._json(b"X", {"code": refused.code, "facts": {name: str(fact) for name, fact in refused.facts.items()}})

    def end(self, rows: int) -> None:
        self._json(b"E", {"rows": rows})

    def _json(self, letter: bytes, value: object) -> None:
        self.frame(letter, json.dumps(value).encode())


def read(task: Task, stream: io.BufferedReader, send: Sender) -> None:
    """Read one file, whatever it is, and send what it holds."""
    start = stream.peek(16)[: task.size]
    if not start:
        raise Refused("intake-empty")
    if start.startswith(_PARQUET):
        if task.size > MAX_HELD:
            raise Refused("intake-too-large", limit=MAX_HELD)
        read_parquet(stream.read(task.size), task.headers, send)
        return
    for mark, kind in _OTHER_KINDS:
        if start.startswith(mark):
            raise Refused("intake-not-text", kind=kind)
    source, survey = Source(stream, task), Survey()
    for block in source.blocks():
        survey.look(block)
    survey.close()
    if source.declared == "utf-8" and not survey.utf8:
        raise Refused("intake-encoding-declared", line=survey.ceases)
    if source.declared == "gb18030":
        survey.utf8, survey.ceases = False, 0
    send.hello("utf-8" if survey.utf8 else "gb18030", odd=survey.odd or not survey.utf8)
    read_text(source, survey, send)


def main() -> None:
    """Do the one task that comes on standard input."""
    stdin, send = os.fdopen(0, "rb"), Sender(os.fdopen(1, "wb"))
    asked = json.loads(stdin.readline())
    task = Task(asked["size"], asked["descriptor"], asked["twice"], tuple(asked["headers"]))
    stream = stdin if task.descriptor is None else os.fdopen(task.descriptor, "rb")
    try:
        read(task, stream, send)
    except Refused as refused:
        send.refuse(refused)
    except MemoryError:
        send.refuse(Refused("intake-too-much"))
    send.stream.flush()


if __name__ == "__main__":
    main()
