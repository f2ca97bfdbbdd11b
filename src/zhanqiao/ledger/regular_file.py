# SPDX-License-Identifier: Apache-2.0
"""Files that somebody else named: opened only when they are regular, and read only as far as is allowed.

A device has no end, and a named pipe may wait for ever for its writer. Whoever calls judges what is longer than allowed,
and catches OSError, whose `strerror` is fit for a sentence.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PIECE_BYTES = 1 << 20
# What the system says of a link that leads back to itself, and of a socket.
_NO_FILES = {errno.ELOOP, errno.ENXIO}


class NotRegular(OSError):  # noqa: N818  the name says what is so
    """What lies there is a device, a pipe, a socket, a folder, or a link that leads back to itself."""


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a regular file for reading; yields its descriptor."""
    try:
        # Without O_NONBLOCK a named pipe would hold us until somebody writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as cause:
        if cause.errno in _NO_FILES:
            raise _not_regular(path) from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _not_regular(path)
        yield descriptor
    finally:
        os.close(descriptor)


def _not_regular(path: Path) -> NotRegular:
    return NotRegular(errno.EINVAL, "not a regular file", str(path))


def read_whole(path: Path) -> bytes:
    """Read one of our own files, of whatever length; a pipe in its place is an error, and not waited for."""
    with opened(path) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read()


def read_bounded(path: Path, limit: int) -> bytes:
    """Read one byte more than allowed, so that a huge file is refused and not loaded."""
    with opened(path) as descriptor:
        return read_up_to(descriptor, limit + 1)


def read_up_to(descriptor: int, most: int) -> bytes:
    """Read a descriptor to its end, or the first `most` bytes."""
    pieces, left = [], most
    # By pieces: memory for the limit is not asked for where there is little to read.
    while left and (piece := os.read(descriptor, min(_PIECE_BYTES, left))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
