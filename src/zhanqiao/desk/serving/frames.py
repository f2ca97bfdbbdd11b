# SPDX-License-Identifier: Apache-2.0
"""What goes over the Unix socket between gateway and vault worker: a question, an answer, and so on.

A frame is two lengths and two parts: `u16 head`, `u32 body`, the head (ASCII), the body. The head of a question is its
verb with, for `public`, a path; that of an answer its HTTP status and media type. Lengths are bounded before anything is
read, so that neither side can make the other take more than it meant to.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum

_LENGTHS = struct.Struct(">HI")
LENGTHS_BYTES = _LENGTHS.size
MAX_HEAD_BYTES = 1_024
MIB = 1 << 20


class Plain(StrEnum):
    """What a worker is asked without a signature."""

    PUBLIC = "public"
    HEALTH = "health"
    METRICS = "metrics"


# Verbs of doors, whose bodies are signed envelopes, with the longest: a list of three million identifiers, in base64.
MAX_BODY_BYTES = {"ask": MIB, "decide": MIB, "decide-batch": 128 * MIB}
# The longest answer: a list's, with its certificate.
MAX_ANSWER_BYTES = 1_024 * MIB


class FrameWrong(ValueError):  # noqa: N818  the name says what is so
    """The other side does not keep to the form; nothing that follows on this connection can be read."""


@dataclass(frozen=True)
class Frame:
    head: str
    body: bytes = b""

    def encoded(self) -> bytes:
        """Return the frame's bytes."""
        head = self.head.encode("ascii")
        if len(head) > MAX_HEAD_BYTES:
            raise FrameWrong("couldn't send a frame: its head is too long")
        return _LENGTHS.pack(len(head), len(self.body)) + head + self.body


def lengths(prefix: bytes, most_body: int) -> tuple[int, int]:
    """Read the two lengths of a frame; raises `FrameWrong` beyond the bounds."""
    head, body = _LENGTHS.unpack(prefix)
    if head > MAX_HEAD_BYTES or body > most_body:
        raise FrameWrong(f"couldn't take a frame: {head} and {body} bytes, {MAX_HEAD_BYTES} and {most_body} fit")
    return int(head), int(body)


def head_of(content: bytes) -> str:
    """Read a head."""
    try:
        return content.decode("ascii")
    except UnicodeDecodeError as cause:
        raise FrameWrong("couldn't take a frame: its head is not ASCII") from cause
