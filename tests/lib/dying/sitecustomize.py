# SPDX-License-Identifier: Apache-2.0
"""Lets a Python program die by SIGKILL at a chosen step that makes something last.

Put this folder on PYTHONPATH and the interpreter imports the module before the program. Steps are counted in the order
in which they happen, one before and one after each call of `os.fsync`, `os.replace`, `os.rename`, `os.link` and of a
commit of SQLite.

    DIE_AT=n          die at step n (from 1)
    COUNT_STEPS=FILE  die nowhere; write what happened to the file, a line for each step
"""

import atexit
import os
import signal
import sqlite3
from collections.abc import Callable
from typing import Any

_at = int(os.environ.get("DIE_AT", "0"))
_seen: list[str] = []


def _step(name: str) -> None:
    _seen.append(name)
    if len(_seen) == _at:
        os.kill(os.getpid(), signal.SIGKILL)


def _counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*given: Any, **named: Any) -> Any:
        _step(f"before {name}")
        done = call(*given, **named)
        _step(f"after {name}")
        return done

    return counted


class _Counted(sqlite3.Connection):
    def commit(self) -> None:
        # Without a transaction a commit makes nothing last.
        if not self.in_transaction:
            super().commit()
            return
        _step("before commit")
        super().commit()
        _step("after commit")


def _connect(*given: Any, **named: Any) -> sqlite3.Connection:
    return _original(*given, **{"factory": _Counted, **named})


if "DIE_AT" in os.environ or "COUNT_STEPS" in os.environ:
    for _name in ("fsync", "replace", "rename", "link"):
        setattr(os, _name, _counted(_name, getattr(os, _name)))
    _original = sqlite3.connect
    sqlite3.connect = sqlite3.dbapi2.connect = _connect  # type: ignore[assignment]
    if _file := os.environ.get("COUNT_STEPS"):
        atexit.register(lambda: open(_file, "w", encoding="ascii").write("\n".join(_seen)))  # noqa: PTH123, SIM115
