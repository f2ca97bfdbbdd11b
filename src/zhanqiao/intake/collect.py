# SPDX-License-Identifier: Apache-2.0
"""Collect (采集): take over what a department delivered, byte for byte, and name it by its digest.

From here on only the landing copy is read, so that nobody can change a file between its digest and its rows. No raw
identifier lies readable on the platform's disk, and a crash leaves nothing behind (`landing`).
"""

import hashlib
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from zhanqiao.catalogue import shelf
from zhanqiao.intake.landing import CHUNK, LandingCopy, Workspace
from zhanqiao.ledger import regular_file
from zhanqiao.terms.refusals import Refusal, refuse

MAX_FILE = 16 << 30


@dataclass(frozen=True)
class Landed:
    """One delivered file in its landing copy. `name` is its last path component, for sentences only."""

    name: str
    size: int
    digest: str
    copy: LandingCopy


@dataclass(frozen=True)
class Delivery:
    """The files of one delivery, and its name."""

    files: tuple[Landed, ...]

    @property
    def digest(self) -> str:
        return shelf.batch_digest([file.digest for file in self.files])


def collect(paths: Sequence[Path], workspace: Workspace) -> Delivery | Refusal:
    """Land every file. One that cannot be read refuses the delivery."""
    if not paths:
        return refuse("intake-no-file")
    landed: list[Landed] = []
    for path in paths:
        file = _land(path, workspace)
        if isinstance(file, Refusal):
            return file
        landed.append(file)
    return Delivery(tuple(landed))


def _land(path: Path, workspace: Workspace) -> Landed | Refusal:
    with ExitStack() as open_file:
        try:
            descriptor = open_file.enter_context(regular_file.opened(path))
        except OSError as fault:
            return refuse("intake-file-missing", file=path.name, cause=fault.strerror or "-")
        size = os.fstat(descriptor).st_size
        if size > MAX_FILE:
            return refuse("intake-too-large", file=path.name, limit=str(MAX_FILE))
        return _copied(path.name, descriptor, size, workspace)


def _copied(name: str, descriptor: int, size: int, workspace: Workspace) -> Landed:
    """Copy what the file had when it was opened; what is added behind it meanwhile belongs to another delivery."""
    copy = workspace.file_for(size)
    sha256, left = hashlib.sha256(), size
    while left and (chunk := os.read(descriptor, min(CHUNK, left))):
        left -= len(chunk)
        sha256.update(chunk)
        copy.append(chunk)
    copy.freeze()
    return Landed(name, size - left, "sha256:" + sha256.hexdigest(), copy)
