# SPDX-License-Identifier: Apache-2.0
"""The gateway: HTTP in front of the vault worker. It holds no key and no data, and decides nothing.

    POST /v1/ask  /v1/decide  /v1/decide-batch      a signed question; the worker's answer, unchanged
    GET  /log/checkpoint  /log/tile/...             the transparency log, as C2SP tlog-tiles lays it out
    GET  /log/trust.txt  /log/log.vkey              keys to start from; get them by another way as well
    GET  /health                                    200 when the worker answers
    GET  /metrics                                   on the second address alone, for Prometheus

What it passes on it has bounded: bodies by verb, connections, time. Runs as a user of its own that can read nothing of
the deployment, and imports nothing that could:

    python -m zhanqiao.desk.serving.gateway --socket PATH --listen HOST:PORT [--tls-cert FILE --tls-key FILE]
"""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from zhanqiao.desk.serving import connections
from zhanqiao.desk.serving.away import figures
from zhanqiao.desk.serving.frames import (
    LENGTHS_BYTES,
    MAX_ANSWER_BYTES,
    MAX_BODY_BYTES,
    MIB,
    Frame,
    FrameWrong,
    Plain,
    head_of,
    lengths,
)
from zhanqiao.desk.serving.replies import TEXT, Reply, refused
from zhanqiao.terms.addresses import share_of
from zhanqiao.terms.refusals import Refusal, refuse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_DOORS = {f"/v1/{verb}": verb for verb in MAX_BODY_BYTES}
_LISTS = "decide-batch"
_LOG = "/log/"
# Who looks has given up by then, Prometheus after ten seconds.
_BODY_SECONDS, _LOOK_SECONDS = 30, 8
_ANSWER_SECONDS = 600
# Passed on at once; together fewer than the worker takes, so that whoever only looks keeps nobody from asking.
_LISTS_AT_ONCE, _OTHERS_AT_ONCE, _LOOKS_AT_ONCE = 2, 24, 16
# Bodies that are held until they are passed on; in memory each is there up to three times meanwhile.
_MAX_HELD_BYTES = 256 * MIB
# OpenSSL's numbers for a certificate that does not count yet, and for one that does no more.
_OUT_OF_DATE = frozenset({9, 10})


class TooMuch(Exception):  # noqa: N818  the name says what is so
    """A body is longer than its verb allows, or took too long."""


class Full(Exception):  # noqa: N818  the name says what is so
    """Bodies that others sent take all the memory that there is for them."""


_NOT_FOUND, _WRONG_METHOD, _TOO_MUCH, _BUSY, _AWAY = (
    refused(refuse(code), "en")
    for code in ("path-unknown", "method-wrong", "body-too-large", "gateway-busy", "worker-away")
)


class Gateway:
    """The ASGI application.

    measures    answer /metrics and nothing else
    """

    def __init__(self, path: Path, *, measures: bool = False) -> None:
        self._path, self._measures = path, measures
        self._lists, self._others, self._looks = (
            asyncio.Semaphore(most) for most in (_LISTS_AT_ONCE, _OTHERS_AT_ONCE, _LOOKS_AT_ONCE)
        )
        # Of whose bodies how many bytes are held.
        self._held: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"couldn't take {scope['type']}: HTTP only")
        answer = await self._answer(scope, receive)
        headers = [
            (b"content-type", answer.kind.encode()),
            (b"content-length", str(len(answer.body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        method, path = scope["method"], scope["path"]
        if path not in _DOORS or self._measures:
            asked = self._looked_at(path)
            if asked is None:
                return _NOT_FOUND
            if method not in {"GET", "HEAD"}:
                return _WRONG_METHOD
            async with self._looks:
                told = await self._pass_on(asked, _LOOK_SECONDS)
            return Reply(200, TEXT, figures(self._path)) if self._measures and told is _AWAY else told
        if method != "POST":
            return _WRONG_METHOD
        verb = _DOORS[path]
        body = _Body(self._held, share_of((scope["client"] or ("",))[0]))
        try:
            await asyncio.wait_for(body.read(receive, MAX_BODY_BYTES[verb]), _BODY_SECONDS)
            # Only now: whoever says nothing, or says it slowly, is in nobody's way.
            async with self._lists if verb == _LISTS else self._others:
                return await self._pass_on(Frame(verb, bytes(body.content)), _ANSWER_SECONDS)
        except (TooMuch, TimeoutError):
            return _TOO_MUCH
        except Full:
            return _BUSY
        finally:
            body.let_go()

    def _looked_at(self, path: str) -> Frame | None:
        """Return what to ask the worker for a path that is only looked at; None when there is nothing."""
        if self._measures:
            return Frame(Plain.METRICS.value) if path == "/metrics" else None
        if path == "/health":
            return Frame(Plain.HEALTH.value)
        if path.startswith(_LOG) and path.isascii() and len(path) < 200:
            return Frame(f"{Plain.PUBLIC.value} {path.removeprefix(_LOG)}")
        return None

    async def _pass_on(self, asked: Frame, seconds: int) -> Reply:
        """Ask the worker, on a connection of its own: a question that was cut off leaves nothing behind."""
        try:
            async with asyncio.timeout(seconds), _connected(self._path) as (reader, writer):
                writer.write(asked.encoded())
                await writer.drain()
                head_bytes, body_bytes = lengths(await reader.readexactly(LENGTHS_BYTES), MAX_ANSWER_BYTES)
                head = head_of(await reader.readexactly(head_bytes))
                return Reply.of(head, await reader.readexactly(body_bytes))
        except (OSError, EOFError, TimeoutError, FrameWrong, ValueError):
            return _AWAY


@contextlib.asynccontextmanager
async def _connected(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        yield reader, writer
    finally:
        writer.close()


class _Body:
    """A body as it comes, counted for itself and with all others that are held: the server in front counts neither."""

    def __init__(self, held: Counter[str], sender: str) -> None:
        self.content, self._held, self._sender = bytearray(), held, sender

    async def read(self, receive: Receive, most: int) -> None:
        """Read it whole; raises TooMuch, or Full when others hold what there is."""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise TooMuch
            part = message.get("body", b"")
            if len(self.content) + len(part) > most:
                raise TooMuch
            if self._held.total() + len(part) > _MAX_HELD_BYTES:
                raise Full
            # An address has half of it, so that the other half is others'.
            if self._held[self._sender] + len(part) > _MAX_HELD_BYTES // 2:
                raise Full
            self._held[self._sender] += len(part)
            self.content += part
            more = message.get("more_body", False)

    def let_go(self) -> None:
        self._held[self._sender] -= len(self.content)
        if not self._held[self._sender]:
            del self._held[self._sender]


# --- the process ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listener:
    """An application with the socket that it is reached on."""

    server: uvicorn.Server
    bound: socket.socket


def listener(app: Gateway, listen: str, tls: ssl.SSLContext | None = None) -> Listener:
    """Bind HOST:PORT; raises ValueError when it is no such thing, OSError when it cannot be had."""
    host, colon, port = listen.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ValueError(f"couldn't listen on {listen}: it is not HOST:PORT")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.create_server((host, int(port)), family=family, backlog=connections.MOST)
    config = uvicorn.Config(
        app,
        http=connections.speaking(tls),
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="critical",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=connections.MOST,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=30,
    )
    config.load()
    return Listener(_Server(config), bound)


def shown(certificate: Path, key: Path) -> ssl.SSLContext:
    """Read certificate and key; raises OSError or ValueError where they are none, or are not to be shown any more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key, _no_passphrase)
    _expect_in_date(context, certificate)
    return context


def _no_passphrase() -> str:
    raise ValueError("the key is under a passphrase")


def _expect_in_date(context: ssl.SSLContext, certificate: Path) -> None:
    """Look at it as a caller who believes this very certificate: nothing here can read one otherwise."""
    caller = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    caller.check_hostname = False
    caller.load_verify_locations(certificate)
    caller.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    there, here = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks, shows = caller.wrap_bio(here, there), context.wrap_bio(there, here, server_side=True)
    try:
        for end in (asks, shows, asks):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    except ssl.SSLCertVerificationError as flaw:
        if flaw.verify_code in _OUT_OF_DATE:
            raise ValueError(flaw.verify_message) from None


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs several of them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(listeners: Sequence[Listener], lifeline: bool) -> None:
    """Run until told to stop by SIGTERM, SIGINT or, with a lifeline, by the end of standard input."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for one in listeners:
            one.server.should_exit = True

    def let_go() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if lifeline:
        loop.add_reader(sys.stdin.fileno(), let_go)
    await asyncio.gather(*(one.server.serve([one.bound]) for one in listeners))


def main(arguments: Sequence[str]) -> int:
    """Run the gateway; returns the exit status: 0 stopped, 1 fault."""
    parser = argparse.ArgumentParser(prog="python -m zhanqiao.desk.serving.gateway", description="HTTP in front.")
    parser.add_argument("--socket", required=True, type=Path, metavar="PATH", help="the vault worker's socket")
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain, PEM")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key, PEM")
    parser.add_argument("--metrics", metavar="HOST:PORT", help="second address, for Prometheus")
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="what it says is said in")
    parser.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    options = parser.parse_args(arguments)
    if (options.tls_cert is None) is not (options.tls_key is None):
        parser.error("--tls-cert and --tls-key go together")
    # Whoever takes this process over must not find others' questions in a core dump, nor leave files to be read.
    os.umask(0o077)
    listeners = _begun(options)
    if isinstance(listeners, Refusal):
        [reason] = listeners.reasons
        sys.stderr.write(f"{reason.code}: {reason.message(options.lang)} {reason.remedy(options.lang)}\n")
        return listeners.exit_status
    # Connections queue from here on.
    _say_ready(listeners[0])
    asyncio.run(serve(listeners, options.lifeline))
    return 0


def _begun(options: argparse.Namespace) -> list[Listener] | Refusal:
    """Read what is shown and bind both addresses, or say which of them could not be."""
    what = f"{options.tls_cert}, {options.tls_key}"
    try:
        tls = None if options.tls_cert is None else shown(options.tls_cert, options.tls_key)
        what = options.listen
        listeners = [listener(Gateway(options.socket), options.listen, tls)]
        if options.metrics:
            what = options.metrics
            listeners.append(listener(Gateway(options.socket, measures=True), options.metrics))
    except (OSError, ValueError) as cause:
        return refuse("gateway-not-started", what=what, cause=str(cause))
    return listeners


def _say_ready(first: Listener) -> None:
    host, port = first.bound.getsockname()[:2]
    sys.stdout.write(f"listens on {host}:{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
