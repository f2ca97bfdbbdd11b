# SPDX-License-Identifier: Apache-2.0
"""Lets a recorded program tell, at every commit of the state, how long the log is by then.

Put this folder on PYTHONPATH and the interpreter imports the module before the program. With TELL=FILE each commit that
has returned appends a line `committed <entries>` to the file: a trace shows it among the calls, at the moment from which
the program goes on as if those entries would last. FSYNC=off switches `os.fsync` off, which is our own files' and not
SQLite's: for the control that shows what a missing one does.
"""

import os
import sqlite3
from typing import Any

if _file := os.environ.get("TELL"):
    _told = os.open(_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _original = sqlite3.connect

    class _Telling(sqlite3.Connection):
        def commit(self) -> None:
            began = self.in_transaction
            super().commit()
            if began and self.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger_entry'").fetchone():
                ((entries,),) = self.execute("SELECT count(*) FROM ledger_entry")
                os.write(_told, f"committed {entries}\n".encode())

    def _connect(*given: Any, **named: Any) -> sqlite3.Connection:
        return _original(*given, **{"factory": _Telling, **named})

    sqlite3.connect = sqlite3.dbapi2.connect = _connect  # type: ignore[assignment]

if os.environ.get("FSYNC") == "off":
    os.fsync = lambda descriptor: None  # type: ignore[assignment]
