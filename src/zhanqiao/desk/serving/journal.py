# SPDX-License-Identifier: Apache-2.0
"""What a process tells the machine's log: one JSON object a line, of closed kinds, without values.

A fact is a number, or a short word of ASCII letters; so neither what a caller sent, nor an identifier, nor a line break
can get there, whatever a later change passes in. systemd's journal takes the lines as they are.
"""

import json
import re
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TextIO

FACTS = frozenset({"kind", "pid", "seconds", "signal", "status", "user", "verb"})
_WORD = re.compile(r"[A-Za-z][A-Za-z_.-]{0,47}", re.ASCII)


class Journal:
    """The journal of one process."""

    def __init__(self, process: str, clock: Callable[[], datetime], stream: TextIO = sys.stderr) -> None:
        self._process, self._clock, self._stream = process, clock, stream

    def note(self, event: str, **facts: str | float) -> None:
        """Write one line; raises ValueError for a fact that could be a value."""
        for name, fact in facts.items():
            if name not in FACTS or (isinstance(fact, str) and not _WORD.fullmatch(fact)):
                raise ValueError(f"couldn't note {event}: {name} is no fact of the journal")
        line = {"time": self._clock().isoformat(timespec="milliseconds"), "process": self._process, "event": event}
        # One write: lines of several threads do not mix.
        self._stream.write(json.dumps({**line, **facts}) + "\n")
        self._stream.flush()
