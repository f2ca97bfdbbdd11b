# SPDX-License-Identifier: Apache-2.0
"""A room that stays open for one test process, so that each job costs a session and no server.

Which room does not matter for what is computed: `tests/attacks/test_spark_room.py` looks at the walls, with a server for
each job as in a deployment. `ZHANQIAO_SPARK=sc://HOST:PORT` lets the same tests ask a server that runs there.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from zhanqiao.vault import spark_session, spark_walls
from zhanqiao.vault.spark_session import Room

ADDRESS = os.environ.get("ZHANQIAO_SPARK")
_LACKING = spark_walls.lacking()
# `tools/judges` names what is left out, and in CI leaving out is a failure.
WANTED = pytest.mark.skipif(_LACKING is not None, reason=f"no room for Spark: {_LACKING} is not installed")

_open = ExitStack()
_rooms: list[Room] = []
atexit.register(_open.close)


@contextmanager
def kept() -> Iterator[Room]:
    """Lend the room, opening it first if there is none or the last one broke off."""
    if not _rooms or _rooms[-1].closed:
        _rooms.append(_open.enter_context(spark_session.at(ADDRESS) if ADDRESS else spark_session.walled()))
    yield _rooms[-1]
