# SPDX-License-Identifier: Apache-2.0
"""Speaks with the program in a room (`spark_room`), and believes no more of what it says than can be checked.

Tables go in as Arrow, statements are printed here, answers come back as Arrow of exactly the columns and types that were
asked for, every buffer of them looked at. A room that breaks off, is silent for too long or says anything else is closed.
"""

import contextlib
import itertools
import json
import os
import select
import signal
import struct
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa

from zhanqiao.vault import spark_walls
from zhanqiao.vault.connection import DEFAULT_LIMITS, Limits
from zhanqiao.vault.faults import RoomNotMade, VaultFault

_HEAD = struct.Struct(">cQ")
_NAMES = struct.Struct(">16s16s")
_MOST_BYTES = 1 << 32
# What takes longer is a statement over more rows than one room should hold.
_SILENCE_SECONDS = 600.0
_GOODBYE_SECONDS = 5.0


class Room:
    """A running room. Closed once, by whoever opened it; one question at a time, from any thread."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._forgotten: deque[str] = deque()
        self.closed = False
        self._answered = False

    def session(self) -> "Session":
        """Begin a session that sees nothing of any other."""
        while self._forgotten:
            self.say(b"E", self._forgotten.popleft())
        name = f"s{next(self._numbers)}"
        self.say(b"N", name)
        return Session(self, name)

    def say(self, letter: bytes, session: str, table: str = "", content: bytes | memoryview = b"") -> pa.Buffer:
        """Send one frame and return the answer; what is no answer is a fault, and closes the room."""
        with self._lock:
            try:
                self._write(
                    _HEAD.pack(letter, _NAMES.size + len(content)) + _NAMES.pack(session.encode(), table.encode())
                )
                self._write(content)
                said, length = _HEAD.unpack(self._exactly(_HEAD.size).to_pybytes())
                answer = self._exactly(length if length <= _MOST_BYTES else -1)
            except (OSError, ValueError, EOFError) as fault:
                self.close()
                raise self._broken_off(type(fault).__name__) from None
            self._answered = True
        if said == b"Y":
            return answer
        name = answer.to_pybytes()[:60].decode("ascii", "replace")
        raise VaultFault(f"couldn't compute with spark: {name if name.isidentifier() else 'no answer'}")

    def _broken_off(self, kind: str) -> VaultFault:
        """Tell a room that ended from one that never was: of that one somebody else than the vault is the cause."""
        if self._answered:
            return VaultFault(f"couldn't compute with spark: the room broke off ({kind})")
        return RoomNotMade(spark_walls.trouble() or f"the program in it ended before it answered ({kind})")

    def forget(self, session: str) -> None:
        """End a session when the next one begins: who forgets may be the garbage collector, in the midst of anything."""
        self._forgotten.append(session)

    def close(self) -> None:
        """End the room and all that it holds; when this returns, it is gone."""
        self.closed = True
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None, "opened with both"
                pipe.close()
        try:
            # The program ends when nobody speaks to it, and bubblewrap after it.
            self._process.wait(_GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()

    def _kill(self) -> None:
        """What is inside first: it would outlive bubblewrap. The first process in there ends when all others have."""
        pid = self._process.pid
        inside: list[int] = []
        for one in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
            with contextlib.suppress(ProcessLookupError):
                inside.append(os.pidfd_open(int(one)))
        for first in inside:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(first, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for first in inside:
            # Can be read when it has ended, which nothing inside can put off.
            select.select([first], [], [])
            os.close(first)

    def _write(self, content: bytes | memoryview) -> None:
        assert self._process.stdin is not None, "opened with both"
        view = memoryview(content)
        while view:
            view = view[os.write(self._process.stdin.fileno(), view) :]

    def _exactly(self, length: int) -> pa.Buffer:
        assert self._process.stdout is not None, "opened with both"
        descriptor = self._process.stdout.fileno()
        content = pa.allocate_buffer(length)
        view = memoryview(content).cast("B")
        while view:
            if not select.select([descriptor], [], [], _SILENCE_SECONDS)[0]:
                raise EOFError
            got = os.readv(descriptor, [view])
            if not got:
                raise EOFError
            view = view[got:]
        return content


# How rooms are come by: a context that ends a room when its job is done.
Rooms = Callable[[], AbstractContextManager[Room]]


class Session:
    """Tables and statements of one job."""

    def __init__(self, room: Room, name: str) -> None:
        self.room = room
        self.name = name

    def put(self, table: str, rows: pa.Table) -> None:
        """Hand rows over as a table of that name."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
        self.room.say(b"T", self.name, table, memoryview(sink.getvalue()))

    def ask(self, sql: str, schema: pa.Schema, parameters: Sequence[object] = ()) -> pa.Table:
        """Run a statement that was printed here, and return its answer in exactly these columns."""
        given = [{"date": one.isoformat()} if isinstance(one, date) else one for one in parameters]
        asked = json.dumps({"sql": sql, "parameters": given}).encode()
        answer = self.room.say(b"Q", self.name, content=asked)
        try:
            table = pa.ipc.open_stream(answer).read_all()
            table.validate(full=True)
        except (pa.ArrowException, OSError, ValueError):
            raise VaultFault("couldn't compute with spark: the answer is no table") from None
        if table.schema.names != schema.names or table.schema.types != schema.types:
            raise VaultFault("couldn't compute with spark: the answer has other columns than were asked for")
        return pa.table(table.columns, schema=schema)

    def end(self) -> None:
        """Forget the session's tables. A room that is closed has forgotten them."""
        with contextlib.suppress(VaultFault):
            self.room.say(b"E", self.name)


@contextmanager
def walled(limits: Limits = DEFAULT_LIMITS) -> Iterator[Room]:
    """Open a room with a server of its own, for one job."""
    if (name := spark_walls.lacking()) is not None:
        raise RoomNotMade(f"{name} is not installed")
    yield from _opened(spark_walls.start(limits))


@contextmanager
def at(address: str, limits: Limits = DEFAULT_LIMITS) -> Iterator[Room]:
    """Open a client without walls for a server elsewhere: it is trusted with the rows as this process is."""
    yield from _opened(spark_walls.start_at(address, limits))


def _opened(process: "subprocess.Popen[bytes]") -> Iterator[Room]:
    room = Room(process)
    try:
        yield room
    finally:
        room.close()
