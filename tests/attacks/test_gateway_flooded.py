# SPDX-License-Identifier: Apache-2.0
"""Strangers without a key open connections, and say little, slowly, or much. Whoever asks honestly is answered meanwhile.

The gateway is the real one; behind it stands a worker that answers everything at once, so that only it is tried.
"""

import asyncio
import http.client
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from lib.served import self_signed, until
from zhanqiao.desk.serving import connections, gateway
from zhanqiao.desk.serving.frames import LENGTHS_BYTES, MAX_ANSWER_BYTES, Frame, lengths
from zhanqiao.desk.serving.gateway import Gateway, listener, shown
from zhanqiao.terms.addresses import share_of

HONEST = b"POST /v1/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
BODILESS = b"POST /v1/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"


class _Answers(socketserver.StreamRequestHandler):
    """Reads one question and answers it."""

    answer = b'"answered"'

    def handle(self) -> None:
        head, body = lengths(self.rfile.read(LENGTHS_BYTES), MAX_ANSWER_BYTES)
        self.rfile.read(head + body)
        self.wfile.write(Frame("200 application/json", self.answer).encoded())


class _Worker(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class _Silent(socketserver.StreamRequestHandler):
    """Takes a question and says nothing, as a process that was stopped."""

    def handle(self) -> None:
        self.rfile.read()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """What the secured gateway shows."""
    return self_signed(tmp_path)[0]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of a gateway that runs in a thread."""
    with running(tmp_path, None) as port:
        yield port


@pytest.fixture
def secured(tmp_path: Path, certificate: Path) -> Iterator[int]:
    """The port of one that speaks TLS."""
    with running(tmp_path, (certificate, certificate.with_suffix(".key"))) as port:
        yield port


@contextmanager
def running(
    folder: Path,
    tls: tuple[Path, Path] | None,
    *,
    answers: type[socketserver.BaseRequestHandler] = _Answers,
    measures: bool = False,
) -> Iterator[int]:
    """Run a gateway in a thread, before a worker that answers everything."""
    path = folder / "vault.sock"
    with _Worker(str(path), answers) as worker:
        threading.Thread(target=worker.serve_forever, daemon=True).start()
        one = listener(Gateway(path, measures=measures), "127.0.0.1:0", tls and shown(*tls))
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


def test_one_address_never_holds_all_connections(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 120)
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


@pytest.mark.parametrize("said", [b"A: %s\r\n" % (b"x" * 36_000), b"A: x\r\n" * 8_000], ids=["one", "many"])
def test_a_long_head_that_comes_at_once_is_cut_off(port: int, said: bytes) -> None:
    with opened(port, b"GET /health HTTP/1.1\r\nHost: x\r\n" + said + b"\r\n") as line:
        with suppress(ConnectionError):
            assert line.recv(65_536) == b""
    assert answered(port)


def test_a_handshake_that_does_not_end_is_counted_and_cut_off(
    secured: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 120)
    with ExitStack() as held:
        lines = [held.enter_context(opened(secured, b"")) for _ in range(connections.MOST_OF_ONE_ADDRESS + 40)]
        until(lambda: sum(is_open(line) for line in lines) == connections.MOST_OF_ONE_ADDRESS)
        assert _secured_answer(secured, certificate, "127.0.0.2") == 200
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    for said in (b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"):
        with opened(secured, said) as line:
            until(lambda line=line: not is_open(line))


def _secured_answer(port: int, certificate: Path, here: str) -> int:
    context = ssl.create_default_context(cafile=certificate)
    caller = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30, source_address=(here, 0))
    with closing(caller):
        caller.request("POST", "/v1/ask", b"{}")
        return caller.getresponse().status


@pytest.mark.parametrize(
    "said",
    [
        b"POST /v1/ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + b"A:b\r\n" * 40_000,
        b"GET / HTTP/1.1\r\n\r\n" * 14_000,
        BODILESS % b"ask" + b" " * 100 + b"GET / HTTP/1.1\r\n\r\n" * 14_000,
    ],
    ids=["trailers", "pipelined", "pipelined-behind-a-question"],
)
def test_what_nobody_would_count_is_broken_off(port: int, said: bytes) -> None:
    with opened(port, b"") as line, pytest.raises(ConnectionError):
        for _ in range(200):
            line.sendall(said)
    assert answered(port)


def test_a_body_in_chunks_is_taken(port: int) -> None:
    head = b"POST /v1/ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with opened(port, head + b"400\r\n" + b" " * 1024 + b"\r\n2\r\n{}\r\n0\r\n\r\n") as line:
        assert line.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_is_too_long_is_told_so(port: int) -> None:
    with opened(port, b"POST /v1/ask HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n") as line:
        for _ in range(80):
            line.sendall(b" " * 100_000)
        assert line.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_a_long_question_that_comes_at_once_is_no_long_head(port: int) -> None:
    body = b" " * 200_000
    with opened(port, b"POST /v1/ask HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + body) as line:
        assert line.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_connection_without_a_question_ends_at_last(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTION_SECONDS", 0.3)
    with opened(port, HONEST % b"ask") as line:
        assert line.recv(65_536), "answered, and kept alive"
        until(lambda: not is_open(line))


def test_whoever_reads_no_answer_is_cut_off_at_last(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than buffers hold is on its way, and nobody takes it."""
    monkeypatch.setattr(connections, "CONNECTION_SECONDS", 0.3)
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(_Answers, "answer", b'"' + b"x" * (64 << 20) + b'"')
    with opened(port, HONEST % b"decide-batch") as line:
        time.sleep(2)
        heard = 0
        with suppress(ConnectionError):
            while part := line.recv(1 << 20):
                heard += len(part)
    assert heard < 64 << 20


def test_an_address_is_its_line() -> None:
    assert share_of("2001:db8:1:2::1") == share_of("2001:db8:1:2:ffff::9") != share_of("2001:db8:1:3::1")
    assert share_of("192.0.2.1") != share_of("192.0.2.2")
    assert share_of("::ffff:192.0.2.1") != share_of("::ffff:192.0.2.2")


def test_bodies_together_have_a_bound(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "_MAX_HELD_BYTES", 2 << 20)
    much = b"POST /v1/decide-batch HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + b" " * (900 << 10)
    with ExitStack() as held:
        # Of one address half is held: one of them, or none where they came abreast.
        lines = [held.enter_context(opened(port, much)) for _ in range(3)]
        until(lambda: sum(_told_to_wait(line) for line in lines) >= 2)
        assert answered(port), "a question is small"
    # What was held for those that left is free again, as soon as that was noticed.
    until(lambda: _is_taken(port, much))


def _is_taken(port: int, much: bytes) -> bool:
    with opened(port, much) as line:
        time.sleep(0.5)
        return is_open(line)


def _told_to_wait(line: socket.socket) -> bool:
    line.settimeout(0)
    try:
        return line.recv(64, socket.MSG_PEEK).startswith(b"HTTP/1.1 503 ")
    except BlockingIOError:
        return False


def test_a_worker_that_says_nothing_is_told_as_away_before_prometheus_gives_up(tmp_path, monkeypatch):
    assert gateway._LOOK_SECONDS < 10
    monkeypatch.setattr(gateway, "_LOOK_SECONDS", 0.2)
    with running(tmp_path, None, answers=_Silent, measures=True) as port, closing(_get(port, "/metrics")) as told:
        assert (told.status, b"zhanqiao_worker_up 0" in told.read()) == (200, True)


def _get(port: int, path: str) -> http.client.HTTPResponse:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    asked.request("GET", path, headers={"Connection": "close"})
    return asked.getresponse()
