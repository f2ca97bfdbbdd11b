# SPDX-License-Identifier: Apache-2.0
"""Where a delivery waits while it is worked on: in memory, or in a nameless file of sealed chunks.

Neither has a name in any folder, and the key of a sealed file is made for it and lives in this process alone. So a
crash, a stolen disk or a curious operator finds nothing to read. Where a file system has no nameless files, one has a
name for a moment: a crash in that moment leaves it, empty, to `sweep`.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from zhanqiao.ledger import durable
from zhanqiao.vault import crypt

FOLDER = "landing"
CHUNK = 4 << 20
MEMORY_BYTES = 1 << 30
_PREFIX = "landed-"
_IMMUTABLE = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class LandingCopy(Protocol):
    """A file that was taken over byte for byte and does not change any more."""

    def chunks(self) -> Iterable[bytes]:
        """Read it from its start."""
        ...

    def reader(self) -> AbstractContextManager[int | None]:
        """Open a descriptor that another process can read it from, or None where there is none."""
        ...


class MemoryFile:
    """A file in memory. After `freeze` nobody can change it, not even who holds its descriptor."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("landing", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def append(self, chunk: bytes) -> None:
        """Add bytes at the end."""
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def freeze(self) -> None:
        """Allow no further change."""
        fcntl.fcntl(self._descriptor, fcntl.F_ADD_SEALS, _IMMUTABLE)

    def chunks(self) -> Iterator[bytes]:
        """Read it from its start."""
        at = 0
        while chunk := os.pread(self._descriptor, CHUNK, at):
            yield chunk
            at += len(chunk)

    @contextmanager
    def reader(self) -> Iterator[int]:
        """Open it once more, for reading and with a position of its own."""
        descriptor = os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


class SealedFile:
    """Chunks are added at the end, sealed, and read back by place."""

    def __init__(self, folder: Path, dice: Callable[[int], bytes]) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0, prefix=_PREFIX)  # noqa: SIM115  closed by __exit__
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
        with durable.needing_room():
            while sealed:
                written = os.pwrite(self._file.fileno(), sealed, at)
                sealed, at = sealed[written:], at + written
        self._ends.append(at)
        return place

    def freeze(self) -> None:
        """Chunks are never written over."""

    def chunk(self, place: int) -> bytes:
        """Open one chunk."""
        start, end = self._ends[place], self._ends[place + 1]
        sealed = os.pread(self._file.fileno(), end - start, start)
        return crypt.open_sealed(self._key, sealed, _aad(place), "a landed chunk")

    def chunks(self) -> Iterator[bytes]:
        """Open one chunk after the other."""
        return (self.chunk(place) for place in range(len(self)))

    def reader(self) -> AbstractContextManager[None]:
        """Nobody else can read it: the key is here."""
        return nullcontext()


def _aad(place: int) -> bytes:
    return f"chunk {place}".encode()


@dataclass
class Workspace:
    """Hands out places to wait in; all of them go when the block ends."""

    folder: Path
    dice: Callable[[int], bytes]
    memory_bytes: int = MEMORY_BYTES
    _files: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def sealed_file(self) -> SealedFile:
        """Return a new, empty sealed file."""
        return self._files.enter_context(SealedFile(self.folder, self.dice))

    def file_for(self, size: int) -> MemoryFile | SealedFile:
        """Return a place for a file of that size: in memory while there is room, sealed on disk beyond."""
        if size > self.memory_bytes:
            return self.sealed_file()
        self.memory_bytes -= size
        return self._files.enter_context(MemoryFile())


def sweep(home: Path) -> list[str]:
    """Remove files that a crash left with a name; only while nobody loads."""
    left = sorted((home / FOLDER).glob(f"{_PREFIX}*"))
    for path in left:
        path.unlink()
    return [str(path.relative_to(home)) for path in left]
