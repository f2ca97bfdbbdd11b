# SPDX-License-Identifier: Apache-2.0
"""A clock that is also a doorway: at its n-th reading something happens first.

Doors, vault and book read the clock before each of their steps, so that `act` at every reading in turn means: between
any two steps of a request. The book reads it before it opens its transaction; inside of one nobody else can write.
"""

from collections.abc import Callable
from datetime import datetime


class SteppingClock:
    """Counts its readings; at number `at` (from 1) it lets `act` happen."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._act: Callable[[], None] | None = None
        self._at = 0
        self.readings = 0

    def __call__(self) -> datetime:
        self.readings += 1
        if self._act is not None and self.readings == self._at:
            act, self._act = self._act, None
            act()
        return self._clock()

    def plan(self, at: int, act: Callable[[], None]) -> None:
        """Start counting anew, and let `act` happen at that reading."""
        self.readings, self._at, self._act = 0, at, act

    @property
    def happened(self) -> bool:
        return self._act is None
