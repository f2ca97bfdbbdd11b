# SPDX-License-Identifier: Apache-2.0
"""One HTTP connection of a stranger: what the server leaves unbounded is bounded here, before anybody is asked.

    address     holds a share of all connections, never all of them; what comes beyond is closed unheard
    head        comes within seconds and within kilobytes, the first and each later one; one request after the other,
                and no headers behind a body
    whole       ends at last, also where the other side sends no more and reads no more

Bodies and answers have their own bounds, in the gateway.
"""

import asyncio
import ssl
from collections import Counter
from typing import Any, ClassVar, NoReturn

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from zhanqiao.terms.addresses import share_of

MOST, MOST_OF_ONE_ADDRESS = 256, 128
HEAD_SECONDS, CONNECTION_SECONDS, ANSWER_SECONDS = 10, 900, 630
MAX_HEAD_BYTES = 32 * 1024


class Connection(HttpToolsProtocol):
    """A connection whose patience has an end. The TLS handshake, where there is one, counts as part of the first head.

    tls     what the server shows, or None for plain HTTP
    shares  how many connections each address has at this server

    Both are set by `speaking`, for each server its own.
    """

    tls: ClassVar[ssl.SSLContext | None]
    shares: ClassVar[Counter[str]]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._address = ""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._securing: asyncio.Task[None] | None = None
        self._head_bytes, self._in_body = 0, False
        # What of a head was parsed: one that comes in a single read with its end is counted nowhere else.
        self._parsed_bytes = 0
        self._early = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it under its address; one too many is closed."""
        self.transport = transport
        peer = transport.get_extra_info("peername")
        self._address = share_of(str(peer[0]) if peer else "")
        self.shares[self._address] += 1
        if self.shares[self._address] > MOST_OF_ONE_ADDRESS:
            transport.abort()
            return
        self._timers["whole"] = self.loop.call_later(CONNECTION_SECONDS, self._end_once_answered)
        self._end_in(HEAD_SECONDS, "head")
        if self.tls is None:
            super().connection_made(transport)
            return
        transport.pause_reading()
        self._securing = self.loop.create_task(self._secure(transport, self.tls))

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place back."""
        for timer in self._timers.values():
            timer.cancel()
        if self._securing is not None:
            self._securing.cancel()
        self.shares[self._address] -= 1
        if not self.shares[self._address]:
            del self.shares[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head; a body is counted by the gateway, or thrown away."""
        if self.flow is None:  # the handshake ended, and who waited for that was not told yet
            self._early += data
            return
        if not self._in_body:
            self._head_bytes += len(data)
            if "head" not in self._timers:
                self._end_in(HEAD_SECONDS, "head")
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Begin a head. Who asks before the former answer is out would have as many requests held as he sends."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._break_off("a request before the answer to the former")
        self._parsed_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those behind a body would be counted by nobody, and no caller of ours sends one."""
        if self._in_body:
            self._break_off("a header behind the body")
        self._count(name, b": ", value, b"\r\n")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request: its head is no longer waited for."""
        self._head_bytes, self._in_body = 0, True
        if timer := self._timers.pop("head", None):
            timer.cancel()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request: what comes next is a head."""
        self._in_body = False
        super().on_message_complete()

    async def _secure(self, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        try:
            secured = await self.loop.start_tls(transport, self, tls, server_side=True)
        except OSError:  # a handshake that was none
            transport.abort()
            return
        if secured is None or secured.is_closing():
            return
        super().connection_made(secured)
        if self._early:
            early, self._early = self._early, b""
            self.data_received(early)

    def _count(self, *pieces: bytes) -> None:
        self._parsed_bytes += sum(map(len, pieces))
        if self._parsed_bytes > MAX_HEAD_BYTES:
            self._break_off("a long head")

    def _break_off(self, why: str) -> NoReturn:
        self.transport.abort()
        # Nothing of what came with it is parsed any more.
        raise httptools.HttpParserError(why)

    def _end_in(self, seconds: float, what: str) -> None:
        self._timers[what] = self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        # As it is by now: plain, or within TLS.
        self.transport.abort()

    def _end_once_answered(self) -> None:
        """Give what was asked already the time that an answer may take."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._end_in(ANSWER_SECONDS, "whole")
        else:
            self._end()


def speaking(tls: ssl.SSLContext | None) -> type[Connection]:
    """Return the kind of connection for one server."""
    return type("Connection", (Connection,), {"tls": tls, "shares": Counter()})
