# SPDX-License-Identifier: Apache-2.0
"""Strangers without a key open connections, and say little, slowly, or much. Whoever asks honestly is answered meanwhile.

The gateway is the real one; behind it stands a worker that answers everything at once, so that only it is tried.
"""

import asyncio
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lib.served import until
from zhanqiao.desk.serving import connections, gateway
from zhanqiao.desk.serving.frames import LENGTHS_BYTES, MAX_ANSWER_BYTES, Frame, lengths
from zhanqiao.desk.serving.gateway import Gateway, listener

HONEST = b"POST /v1/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
BODILESS = b"POST /v1/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"


class _Answers(socketserver.StreamRequestHandler):
    """Reads one question and answers it."""

    def handle(self) -> None:
        head, body = lengths(self.rfile.read(LENGTHS_BYTES), MAX_ANSWER_BYTES)
        self.rfile.read(head + body)
        self.wfile.write(Frame("200 application/json", b'"answered"').encoded())


class _Worker(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of a gateway that runs in a thread."""
    path = tmp_path / "vault.sock"
    with _Worker(str(path), _Answers) as worker:
        threading.Thread(target=worker.serve_forever, daemon=True).start()
        one = listener(Gateway(path), "127.0.0.1:0")
        thread = threading.Thread(target=lambda: asyncio.run(one.server.serve([one.bound])))
        thread.start()
        until(lambda: one.server.started)
        yield one.bound.getsockname()[1]
        one.server.should_exit = one.server.force_exit = True
        thread.join(30)
        assert not thread.is_alive()
        worker.shutdown()


def opened(port: int, said: bytes, here: str = "127.0.0.1") -> socket.socket:
    """Open a connection and say something."""
    line = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(here, 0))
    line.sendall(said)
    return line


def is_open(line: socket.socket) -> bool:
    """Tell whether the other side neither answered nor closed."""
    line.settimeout(0)
    try:
        line.recv(1)
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    return False


def answered(port: int, verb: bytes = b"ask", here: str = "127.0.0.1") -> bool:
    """Ask honestly; tell whether the worker's answer came."""
    with opened(port, HONEST % verb, here) as line:
        heard = b""
        while not heard.endswith(b'"answered"') and (part := line.recv(4096)):
            heard += part
    return heard.startswith(b"HTTP/1.1 200 ") and heard.endswith(b'"answered"')


@pytest.mark.parametrize("verb", [b"ask", b"decide", b"decide-batch"])
def test_whoever_sends_no_body_is_in_nobodys_way(port: int, verb: bytes) -> None:
    with ExitStack() as held:
        lines = [held.enter_context(opened(port, BODILESS % verb)) for _ in range(60)]
        assert answered(port, verb)
        assert all(is_open(line) for line in lines), "they waited all the while"


def test_one_address_never_holds_all_connections(port: int) -> None:
    with ExitStack() as held:
        lines = [held.enter_context(opened(port, b"GET /")) for _ in range(connections.MOST_OF_ONE_ADDRESS + 40)]
        until(lambda: sum(is_open(line) for line in lines) == connections.MOST_OF_ONE_ADDRESS)
        assert answered(port, here="127.0.0.2")
    # And it has its share back when it lets go.
    until(lambda: _answered_or_cut(port))


def _answered_or_cut(port: int) -> bool:
    try:
        return answered(port)
    except ConnectionError:
        return False


@pytest.mark.parametrize("said", [b"", b"GET /health HTT", b"GET /health HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_does_not_end_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with opened(port, said) as line:
        until(lambda: not is_open(line))
    # A later head of the same connection no less than the first.
    with opened(port, HONEST % b"ask") as line:
        assert line.recv(65_536)
        line.sendall(b"GET /he")
        until(lambda: not is_open(line))


def test_a_head_without_end_is_cut_off_by_its_length(port: int) -> None:
    with opened(port, b"GET /") as line, pytest.raises(ConnectionError):
        for _ in range(1_000):
            line.sendall(b"x" * 65_536)


def test_whoever_reads_no_answer_is_cut_off_at_last(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTION_SECONDS", 0.3)
    with opened(port, BODILESS % b"ask") as line:
        until(lambda: not is_open(line))


def test_bodies_together_have_a_bound(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "_MAX_HELD_BYTES", 1 << 20)
    much = b"POST /v1/decide-batch HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + b" " * (900 << 10)
    with opened(port, much) as first:
        assert is_open(first)
        until(lambda: _busy(port, much))
        assert answered(port), "a question is small"
    # What was held for one that left is free again.
    until(lambda: not _busy(port, much))


def _busy(port: int, much: bytes) -> bool:
    with opened(port, much) as line:
        line.settimeout(0.5)
        try:
            return line.recv(65_536).startswith(b"HTTP/1.1 503 ")
        except TimeoutError:
            return False
