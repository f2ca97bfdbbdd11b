# SPDX-License-Identifier: Apache-2.0
"""A nameless file of sealed chunks: where a delivery waits while it is worked on.

The key is made for this one file and lives in this process alone; the file has no name in any folder. So a crash, a
stolen disk or a curious operator finds nothing to read, and nothing is left to clean up.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from zhanqiao.vault import crypt


class SealedFile:
    """Chunks are added at the end and read back by place."""

    def __init__(self, folder: Path, dice: Callable[[int], bytes]) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  closed by __exit__
        self._key = dice(crypt.KEY_BYTES)
        self._ends = [0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, chunk: bytes | memoryview) -> int:
        """Seal one more chunk; return its place."""
        place = len(self)
        sealed = memoryview(crypt.seal(self._key, chunk, _aad(place)))
        at = self._ends[-1]
        while sealed:
            written = os.pwrite(self._file.fileno(), sealed, at)
            sealed, at = sealed[written:], at + written
        self._ends.append(at)
        return place

    def chunk(self, place: int) -> bytes:
        """Open one chunk."""
        start, end = self._ends[place], self._ends[place + 1]
        sealed = os.pread(self._file.fileno(), end - start, start)
        return crypt.open_sealed(self._key, sealed, _aad(place), "a landed chunk")

    def chunks(self) -> Iterator[bytes]:
        """Open one chunk after the other."""
        return (self.chunk(place) for place in range(len(self)))


def _aad(place: int) -> bytes:
    return f"chunk {place}".encode()


@dataclass
class Workspace:
    """Hands out sealed files in one folder; all of them go when the block ends."""

    folder: Path
    dice: Callable[[int], bytes]
    _files: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def file(self) -> SealedFile:
        """Return a new, empty sealed file."""
        return self._files.enter_context(SealedFile(self.folder, self.dice))
