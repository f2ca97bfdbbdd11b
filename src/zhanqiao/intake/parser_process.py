# SPDX-License-Identifier: Apache-2.0
"""Starts the parser for one file, feeds it, limits it, and reads what it says as if an attacker had written it.

The parser gets an empty environment, no descriptor but its pipes and its file, and no key. Memory, CPU
and silence are bounded, and nobody waits for what it forked; frames have a greatest length; every batch is validated in full before anyone looks into it.
What the parser cannot do is change a file: it gets an immutable landing copy, or the bytes of one through a pipe.
"""

import contextlib
import json
import os
import resource
import select
import signal
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.intake import nursery, nursery_process, parser
from zhanqiao.intake.landing import LandingCopy
from zhanqiao.intake.nursery_process import Process
from zhanqiao.terms.refusals import RULES, Reason, Refusal, refuse

MEMORY_BYTES = 1 << 30
SILENCE_SECONDS = 30.0
_CPU_SECONDS, _BYTES_PER_CPU_SECOND = 20, 4 << 20  # a sixth of the speed that the slowest encoding reaches
_MAX_FRAME = 256 << 20  # a block of 4 MiB cannot become more, even with an offset for each empty field
_PROGRAM = Path(parser.__file__)


@dataclass(frozen=True)
class Rows:
    """Parsed rows: one text column per item in contract order, "" where nothing stands, and their row numbers."""

    texts: tuple[pa.Array, ...]
    numbers: NDArray[np.int32]
    encoding: str
    odd: bool

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True)
class Torn:
    """Rows that could not be parted into fields, raw."""

    numbers: tuple[int, ...]
    texts: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class End:
    """The file was read to its end."""

    rows: int


Piece = Rows | Torn | End | Refusal


class _Stopped(Exception):  # noqa: N818  the parser broke off, by limit, crash or nonsense
    pass


def read(copy: LandingCopy, size: int, headers: tuple[str, ...]) -> Iterator[Piece]:
    """Yield what the file holds, piece by piece; the last piece is an End or a Refusal.

    A refusal lacks the fact `file`: whoever gave the file names it.
    """
    with copy.reader() as descriptor, _started(size, descriptor) as process:
        times = 0 if descriptor is not None else 1 + (size > parser.MAX_HELD)
        place = None if descriptor is None else nursery.FILE
        asked = {"size": size, "descriptor": place, "twice": times > 1, "headers": headers}
        task = json.dumps(asked).encode() + b"\n"
        feeding = threading.Thread(target=_feed, args=(process, task, copy.chunks, times), daemon=True)
        feeding.start()
        try:
            yield from _pieces(process.stdout, len(headers))
        except _Stopped:
            # If a limit ended it, its signal says so.
            spent = process.status(0.2) in {-signal.SIGKILL, -signal.SIGXCPU}
            yield refuse("intake-too-much" if spent else "intake-reader-stopped")
        finally:
            process.kill()
            feeding.join()


def _started(size: int, descriptor: int | None) -> AbstractContextManager[Process]:
    """Start the parser under its limits."""
    seconds = _CPU_SECONDS + size // _BYTES_PER_CPU_SECOND
    limits = (
        (resource.RLIMIT_DATA, MEMORY_BYTES),
        (resource.RLIMIT_AS, 4 * MEMORY_BYTES),  # libraries map more than they use
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    )
    return nursery_process.started(_PROGRAM, limits, descriptor)


def _feed(process: Process, task: bytes, chunks: Callable[[], Iterable[bytes]], times: int) -> None:
    """Write the task and the file. The parser may stop listening as soon as it knows enough."""
    with contextlib.suppress(BrokenPipeError, ValueError):
        process.write(task)
        for _ in range(times):
            for chunk in chunks():
                process.write(chunk)


def _pieces(stdout: int, columns: int) -> Iterator[Piece]:
    schema = pa.schema([*((str(place), pa.string()) for place in range(columns)), ("row", pa.int32())])
    encoding, odd, seen = "", True, 0
    while True:
        letter, payload = _frame(stdout)
        match letter:
            case b"H":
                hello = _json(payload)
                encoding, odd = str(hello.get("encoding"))[:16], bool(hello.get("odd", True))
            case b"R":
                rows = _rows(payload, schema, encoding, odd)
                seen += len(rows)
                yield rows
            case b"T":
                torn = _torn(_json(payload))
                seen += len(torn.numbers)
                yield torn
            case b"X":
                yield _refusal(_json(payload))
                return
            case b"E":
                if _json(payload).get("rows") != seen:
                    raise _Stopped
                yield End(seen)
                return
            case _:
                raise _Stopped


def _frame(fd: int) -> tuple[bytes, pa.Buffer]:
    head = _exactly(fd, 5)
    (length,) = struct.unpack_from(">I", head, 1)
    if length > _MAX_FRAME:
        raise _Stopped
    return head.to_pybytes()[:1], _exactly(fd, length)


def _exactly(fd: int, length: int) -> pa.Buffer:
    content = pa.allocate_buffer(length)  # Arrow's pool keeps its pages from frame to frame
    view = memoryview(content).cast("B")
    while view:
        if not select.select([fd], [], [], SILENCE_SECONDS)[0]:
            raise _Stopped
        try:
            got = os.readv(fd, [view])
        except BlockingIOError:  # the parser, or what it forked, took it back
            continue
        if not got:
            raise _Stopped
        view = view[got:]
    return content


def _json(payload: pa.Buffer) -> dict[str, Any]:
    try:
        value = json.loads(payload.to_pybytes())
    except ValueError:
        raise _Stopped from None
    if not isinstance(value, dict):
        raise _Stopped
    return value


def _rows(payload: pa.Buffer, schema: pa.Schema, encoding: str, odd: bool) -> Rows:
    try:
        batch = pa.ipc.read_record_batch(payload, schema)
        batch.validate(full=True)
    except (pa.ArrowException, OSError, ValueError):
        raise _Stopped from None
    *texts, numbers = batch.columns
    if any(column.null_count for column in batch.columns):
        raise _Stopped
    return Rows(tuple(texts), numbers.to_numpy(), encoding, odd)


def _torn(value: dict[str, Any]) -> Torn:
    numbers, texts, why = value.get("rows"), value.get("texts"), value.get("why")
    if not (isinstance(numbers, list) and isinstance(texts, list) and len(numbers) == len(texts)):
        raise _Stopped
    if not (all(isinstance(n, int) for n in numbers) and all(isinstance(t, str) for t in texts)):
        raise _Stopped
    return Torn(tuple(numbers), tuple(texts), "unfinished" if why == "unfinished" else "fields")


def _refusal(value: dict[str, Any]) -> Refusal:
    code, facts = value.get("code"), value.get("facts")
    if not (isinstance(code, str) and code.startswith("intake-") and code in RULES and isinstance(facts, dict)):
        raise _Stopped
    sentences = RULES[code].en + RULES[code].zh
    if {name for _, name, _, _ in Formatter().parse(sentences) if name} - {"file"} != set(facts):
        raise _Stopped
    return Refusal((Reason(code, {str(name): str(fact)[:5_000] for name, fact in facts.items()}),))
