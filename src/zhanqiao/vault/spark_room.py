# SPDX-License-Identifier: Apache-2.0
"""The program inside a room: a Sail server and its Spark Connect client, alone with what it is handed.

Started by path, by `spark_walls`, with nothing of this house on its path; it speaks on standard input and output, and
whoever reads what it says checks it again (`spark_session`). Frames are a letter, a length of 8 bytes, and so many bytes:

    N <session>                 a session begins; nobody may have left a function or a table in it
    T <session> <table> <ipc>   a temporary view with these rows
    Q <session> <json>          a statement with its parameters: answered with one Arrow stream
    E <session>                 the session ends, its tables with it

Every frame is answered with `Y` (done, or the answer) or `X` (the name of what went wrong, never its words, which may
hold a value).

Run as `program PACKAGES ADDRESS MEMORY`: where the packages lie, which server to use ("" for a Sail of its own, on a
loopback port), and how many bytes of memory it may map.
"""

import json
import os
import resource
import select
import struct
import sys
import threading
from datetime import date
from typing import Any

_HEAD = struct.Struct(">cQ")
# What comes before the bytes of a frame: two short names.
_NAMES = struct.Struct(">16s16s")


def main() -> None:
    """Serve until the other end closes."""
    packages, address, memory = sys.argv[1:]
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),  # no file, so that nothing can be spilled
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_DATA, int(memory)),
    ):
        resource.setrlimit(limit, (value, value))
    sys.path += packages.split(os.pathsep)
    # Whatever a library prints goes nowhere, and never between two frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    room = _Room(address)
    threading.Thread(target=_watch, daemon=True).start()
    while head := sys.stdin.buffer.read(_HEAD.size):
        letter, length = _HEAD.unpack(head)
        content = sys.stdin.buffer.read(length)
        try:
            said, letter = room.do(letter, content), b"Y"
        except Exception as fault:  # noqa: BLE001  each one ends a frame, and none the room
            said, letter = type(fault).__name__.encode(), b"X"
        answers.write(_HEAD.pack(letter, len(said)))
        answers.write(said)
        answers.flush()
    # Not by the interpreter's own end, at which the client says goodbye to a server that is gone, for minutes.
    os._exit(0)


def _watch() -> None:
    """End when the other end is closed, whatever is being computed."""
    closed = select.poll()
    closed.register(0, 0)
    closed.poll()
    os._exit(1)


class _Room:
    """Sessions by name, on one server."""

    def __init__(self, address: str) -> None:
        import pyarrow as pa
        from pyspark.sql.connect.session import SparkSession
        from pyspark.sql.pandas.types import from_arrow_schema

        self._arrow = pa
        self._types = from_arrow_schema
        self._builder = SparkSession.builder
        self._sessions: dict[bytes, Any] = {}
        self._address = address or self._own_server()

    def _own_server(self) -> str:
        from pysail.spark import SparkConnectServer

        self._server = SparkConnectServer("127.0.0.1", 0)
        self._server.start(background=True)
        return f"sc://127.0.0.1:{self._server.listening_address[1]}"

    def do(self, letter: bytes, content: bytes) -> bytes:
        session, table = (name.rstrip(b"\0") for name in _NAMES.unpack_from(content))
        rest = memoryview(content)[_NAMES.size :]
        if letter == b"N":
            self._begin(session)
        elif letter == b"T":
            rows = self._arrow.ipc.open_stream(rest).read_all()
            # Named, as the client infers nothing from no rows.
            frame = self._sessions[session].createDataFrame(rows, self._types(rows.schema))
            frame.createOrReplaceTempView(table.decode())
        elif letter == b"Q":
            return self._ask(session, json.loads(bytes(rest)))
        elif letter == b"E":
            self._sessions.pop(session).stop()
        else:
            raise ValueError
        return b""

    def _begin(self, session: bytes) -> None:
        spark = self._builder.remote(self._address).create()
        # Nothing is asked twice: a server that does not answer at once, on this very machine, is broken.
        spark.client.set_retry_policies([])
        self._sessions[session] = spark
        # Sail refuses full names of functions, so one of somebody's could stand before the server's: there must be none.
        views = [row["isTemporary"] for row in spark.sql("SHOW TABLES").toArrow().to_pylist()]
        if any(views) or spark.sql("SHOW USER FUNCTIONS").toArrow().num_rows:
            raise PermissionError

    def _ask(self, session: bytes, asked: dict[str, Any]) -> bytes:
        given = asked["parameters"]
        parameters = [date.fromisoformat(one["date"]) if isinstance(one, dict) else one for one in given]
        answer = self._sessions[session].sql(asked["sql"], args=parameters or None).toArrow()
        sink = self._arrow.BufferOutputStream()
        with self._arrow.ipc.new_stream(sink, answer.schema) as writer:
            writer.write_table(answer)
        said: bytes = sink.getvalue().to_pybytes()
        return said


if __name__ == "__main__":
    main()
