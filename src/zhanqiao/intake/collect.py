# SPDX-License-Identifier: Apache-2.0
"""Collect (采集): take over what a department delivered, byte for byte, and name it by its digest.

From here on only the landing copy is read, so that nobody can change a file between its digest and its rows. The copy
is a `SealedFile`: no raw identifier lies readable on the platform's disk, and a crash leaves nothing behind.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zhanqiao.intake.sealed import SealedFile, Workspace
from zhanqiao.terms.canonical import digest
from zhanqiao.terms.refusals import Refusal, refuse

CHUNK = 4 << 20
MAX_FILE = 16 << 30


@dataclass(frozen=True)
class Landed:
    """One delivered file in its landing copy. `name` is its last path component, for sentences only."""

    name: str
    size: int
    digest: str
    copy: SealedFile

    def chunks(self) -> Iterator[bytes]:
        """Read the copy from its start."""
        return self.copy.chunks()


@dataclass(frozen=True)
class Delivery:
    """The files of one delivery; its digest is that of its one file, or of the list of their digests."""

    files: tuple[Landed, ...]

    @property
    def digest(self) -> str:
        digests = [file.digest for file in self.files]
        return digests[0] if len(digests) == 1 else digest(digests)


def collect(paths: Sequence[Path], workspace: Workspace) -> Delivery | Refusal:
    """Land every file. One that cannot be read refuses the delivery."""
    if not paths:
        return refuse("intake-no-file")
    landed: list[Landed] = []
    for path in paths:
        file = _land(path, workspace.file())
        if isinstance(file, Refusal):
            return file
        landed.append(file)
    return Delivery(tuple(landed))


def _land(path: Path, copy: SealedFile) -> Landed | Refusal:
    try:
        # Without O_NONBLOCK a named pipe would hold us until somebody writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as fault:
        return refuse("intake-file-missing", file=path.name, cause=os.strerror(fault.errno or 0))
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return refuse("intake-file-missing", file=path.name, cause="not a regular file")
        sha256, size = hashlib.sha256(), 0
        while chunk := file.read(CHUNK):
            size += len(chunk)
            if size > MAX_FILE:
                return refuse("intake-too-large", file=path.name, limit=str(MAX_FILE))
            sha256.update(chunk)
            copy.append(chunk)
    return Landed(path.name, size, "sha256:" + sha256.hexdigest(), copy)
