# SPDX-License-Identifier: Apache-2.0
"""Servers that take so many connections at once and no more: whoever connects is a stranger."""

import threading
from socketserver import ThreadingMixIn


class BoundedThreads(ThreadingMixIn):
    """A thread for each connection; connections beyond the bound are closed at once."""

    most_connections: int

    def __init__(self, *given: object, **named: object) -> None:
        self._free = threading.BoundedSemaphore(self.most_connections)
        super().__init__(*given, **named)

    def process_request(self, request: object, client_address: object) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[attr-defined]  # of the server that this is mixed into
            return
        try:
            super().process_request(request, client_address)  # type: ignore[arg-type]
        except RuntimeError:  # no thread could be started
            self._free.release()
            raise

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke off is the stranger's business; nothing of it is printed."""
