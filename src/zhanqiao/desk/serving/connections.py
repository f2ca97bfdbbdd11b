# SPDX-License-Identifier: Apache-2.0
"""One HTTP connection of a stranger: what the server leaves unbounded is bounded here, before anybody is asked.

    address     holds a share of all connections, never all of them; what comes beyond is closed unheard
    head        comes within seconds and within kilobytes, the first and each later one
    whole       ends at last, also where the other side sends no more and reads no more

Bodies and answers have their own bounds, in the gateway.
"""

import asyncio
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST, MOST_OF_ONE_ADDRESS = 256, 128
HEAD_SECONDS, CONNECTION_SECONDS = 10, 900
MAX_HEAD_BYTES = 32 * 1024


class Connection(HttpToolsProtocol):
    """A connection whose patience has an end."""

    _open: ClassVar[Counter[str]] = Counter()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._address = ""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it under its address; one too many is closed."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._open[self._address] += 1
        if self._open[self._address] > MOST_OF_ONE_ADDRESS:
            transport.abort()
            return
        self._end_in(CONNECTION_SECONDS, "whole")
        self._end_in(HEAD_SECONDS, "head")

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place back."""
        for timer in self._timers.values():
            timer.cancel()
        self._open[self._address] -= 1
        if not self._open[self._address]:
            del self._open[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head; the rest is the body's, which the gateway counts."""
        between = self.cycle is None or self.cycle.response_complete
        if between:
            self._head_bytes += len(data)
            if "head" not in self._timers:
                self._end_in(HEAD_SECONDS, "head")
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        """Begin the request: its head is no longer waited for."""
        self._head_bytes = 0
        if timer := self._timers.pop("head", None):
            timer.cancel()
        super().on_headers_complete()

    def _end_in(self, seconds: float, what: str) -> None:
        self._timers[what] = self.loop.call_later(seconds, self.transport.abort)
