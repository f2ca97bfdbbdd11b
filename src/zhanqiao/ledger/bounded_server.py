# SPDX-License-Identifier: Apache-2.0
"""Servers that take so many connections at once and no more: whoever connects is a stranger."""

import threading
from collections import Counter
from socketserver import ThreadingMixIn

from zhanqiao.terms.addresses import share_of


class BoundedThreads(ThreadingMixIn):
    """A thread for each connection; connections beyond a bound are closed at once.

    most_of_one_address  how many of them one address has; None where all come from one, as at a Unix socket
    """

    most_connections: int
    most_of_one_address: int | None = None

    def __init__(self, *given: object, **named: object) -> None:
        # How many connections each address has; entries without any are dropped. Under the lock.
        self._held: Counter[str] = Counter()
        self._counting = threading.Lock()
        super().__init__(*given, **named)

    def process_request(self, request: object, client_address: object) -> None:
        if not self._take(client_address):
            self.shutdown_request(request)  # type: ignore[attr-defined]  # of the server that this is mixed into
            return
        try:
            super().process_request(request, client_address)  # type: ignore[arg-type]
        except RuntimeError:  # no thread could be started
            self._give_back(client_address)
            raise

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._give_back(client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke off is the stranger's business; nothing of it is printed."""

    def _take(self, client_address: object) -> bool:
        most = self.most_connections if self.most_of_one_address is None else self.most_of_one_address
        with self._counting:
            if self._held.total() >= self.most_connections or self._held[_whose(client_address)] >= most:
                return False
            self._held[_whose(client_address)] += 1
        return True

    def _give_back(self, client_address: object) -> None:
        whose = _whose(client_address)
        with self._counting:
            self._held[whose] -= 1
            if not self._held[whose]:
                del self._held[whose]


def _whose(client_address: object) -> str:
    """Return whose share it is; a Unix socket tells no address."""
    return share_of(str(client_address[0])) if isinstance(client_address, tuple) else ""
