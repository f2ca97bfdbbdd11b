# SPDX-License-Identifier: Apache-2.0
"""What people hand over beside their words: files that they name, and standard input. Read whole, or refused.

Nothing is guessed: text is UTF-8, with or without a byte order mark, and a line ends with LF or CRLF. Who somebody is
comes by standard input only, never as an argument.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.terms.refusals import Refusal, refuse

# Longest list that is read: 3 million identifiers.
MOST_BYTES = 64 * 1024 * 1024
# Longest object that names one subject.
_MOST_OF_ONE = 4_096
# What UTF-16 begins with, in either byte order.
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def bytes_of(path: Path, limit: int) -> bytes | Refusal:
    """Read a file that was named."""
    try:
        content = read_bounded(path, limit)
    except OSError as cause:
        return refuse("file-unusable", file=path.name, cause=cause.strerror or "-")
    return content if len(content) <= limit else refuse("file-too-large", file=path.name, limit=str(limit))


def text_of(path: Path, limit: int) -> str | Refusal:
    """Read a text file that was named."""
    content = bytes_of(path, limit)
    if isinstance(content, Refusal):
        return content
    text = _decoded(content)
    return refuse("file-not-utf8", file=path.name, line=str(text)) if isinstance(text, int) else text


def id_from_input() -> str | Refusal:
    """Read {"id": "..."} from standard input."""
    try:
        named = json.loads(_input(_MOST_OF_ONE).decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        named = None
    identifier = named.get("id") if isinstance(named, dict) and set(named) == {"id"} else None
    return identifier if isinstance(identifier, str) and is_text(identifier) else refuse("subject-malformed")


def ids_from_input() -> list[str] | Refusal:
    """Read one identifier a line from standard input: all of them, or none."""
    content = _input(MOST_BYTES)
    if len(content) > MOST_BYTES:
        return refuse("list-too-long", limit=str(MOST_BYTES))
    text = _decoded(content)
    if isinstance(text, int):
        return refuse("list-not-utf8", line=str(text))
    # No other character ends a line (a form feed, U+2028), else outcomes would not stay beside their lines. A line
    # without an identifier gets an outcome too, for the same reason.
    ids = [line.strip() for line in text.removesuffix("\n").split("\n")]
    return ids if any(ids) else refuse("list-empty")


def is_text(said: str) -> bool:
    """Whether words have a UTF-8 form; an argument of other bytes, or an escape in JSON, need not."""
    try:
        said.encode()
    except UnicodeEncodeError:
        return False
    return True


def _input(limit: int) -> bytes:
    """Read bytes, one more than allowed: how text is coded is not left to the locale."""
    # Closed, it is nobody's: there is nothing to read.
    return b"" if sys.stdin is None else sys.stdin.buffer.read(limit + 1)


def _decoded(content: bytes) -> str | int:
    """Return the text, or the number of the first line that is no UTF-8."""
    if content.startswith(_UTF_16):
        return 1
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as flaw:
        return content.count(b"\n", 0, flaw.start) + 1
    # UTF-16 and UTF-32 without a mark decode as UTF-8 full of these.
    nothing = text.find("\0")
    return text if nothing < 0 else text.count("\n", 0, nothing) + 1


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Take an object whose keys differ: of two identifiers neither is meant for certain."""
    pairs = list(pairs)
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError("a key stands twice")
    return named
