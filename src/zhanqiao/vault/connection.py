# SPDX-License-Identifier: Apache-2.0
"""Locked-down DuckDB connections: one for each task that sees rows, and then gone.

The order is measured (each step closes what the step before needed):

    1. connect in memory, with memory limit, threads and a temporary folder of its own
    2. load httpfs by file path from its wheel: OpenSSL's AES-GCM, without which nothing encrypted can be written
    3. encrypt spill files: off by default, and it stays off when an encrypted database is attached
    4. attach the databases this task may see, each with its key
    5. no Python variables as tables, no extensions, no secrets, no files; lock the configuration

Hardening is no door: `CREATE TEMP MACRO sum` still works on such a connection. The wall is that we print every
statement ourselves, name built-ins as `system.main.f`, and never use a connection that sees rows twice.

`in_memory` holds published tables only, has no disk at all, and may stay open (`open_cube`).
"""

import base64
import errno
import importlib.resources
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.abc import MetaPathFinder
from pathlib import Path

import duckdb
import pyarrow as pa

from zhanqiao.ledger import durable
from zhanqiao.vault.faults import VaultFault


class _WithoutPandas(MetaPathFinder):
    """Keeps pandas out of the process that holds the keys.

    DuckDB would import it, where it is installed, to see whether a bound value is one of its own: a third of a second,
    and more code than the vault has use for. Only the second engine's room, another process, takes it.
    """

    def find_spec(self, name: str, path: object, target: object = None) -> None:  # noqa: ARG002  import's own signature
        if name == "pandas":
            raise ModuleNotFoundError("couldn't import pandas: the vault's process takes none", name=name)


sys.meta_path.insert(0, _WithoutPandas())

_LOCKS = (
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET allow_persistent_secrets = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


# What a connection that sees rows must refuse, as a person would say it -> a statement that would do it. `{folder}` is
# one that the vault may write in.
_REFUSED_ACTS = {
    "read a file": "SELECT * FROM read_text('/etc/hostname')",
    "list a folder": "SELECT * FROM glob('/*')",
    "write a file": "COPY (SELECT 1) TO '{folder}/let-out.csv'",
    "write a whole database": "EXPORT DATABASE '{folder}/let-out'",
    "attach another database": "ATTACH '{folder}/let-in.duckdb' AS other",
    "reach the network": "SELECT * FROM read_csv('http://127.0.0.1:9/let-out')",
    "install an extension": "INSTALL spatial",
    "load foreign code": "LOAD '{folder}/let-in.duckdb_extension'",
    "keep a secret": "CREATE PERSISTENT SECRET let_out (TYPE http, BEARER_TOKEN 'none')",
    "open its own locks": "SET enable_external_access = true",
    "change its settings": "SET threads = 1",
    "read a variable of the program": "SELECT * FROM within_reach",
}
# How the engine says that it may not, rather than that it cannot.
_REFUSALS = (duckdb.PermissionException, duckdb.InvalidInputException, duckdb.CatalogException)

_IN_MEMORY_MB = 256


@dataclass(frozen=True)
class Limits:
    """What one task may take of the machine."""

    memory_mb: int = 1024
    threads: int = 2


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Attachment:
    """One encrypted database file, the name it gets in statements, its key (32 bytes), and whether it is written."""

    alias: str
    path: Path
    key: bytes
    what: str
    writable: bool = False

    def __repr__(self) -> str:
        return f"Attachment({self.alias!r}, {self.what!r})"


@contextmanager
def locked_down(
    scratch: Path, attachments: Sequence[Attachment] = (), limits: Limits = DEFAULT_LIMITS
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a locked-down connection; its spill folder, under `scratch`, goes when it closes."""
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    spill = Path(tempfile.mkdtemp(prefix="spill-", dir=scratch))
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{limits.memory_mb}MB",
            "threads": str(limits.threads),
            "temp_directory": str(spill),
            "preserve_insertion_order": "false",
            # Its signature was checked when this process first loaded it; see `_httpfs`.
            "allow_unsigned_extensions": "true",
        },
    )
    try:
        connection.execute(f"LOAD {_quoted_text(str(_httpfs()))}")
        connection.execute("SET temp_file_encryption = true")
        for attachment in attachments:
            _attach(connection, attachment)
        for lock in _LOCKS:
            connection.execute(lock)
        yield connection
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def allowed(scratch: Path) -> list[str]:
    """Try on a locked-down connection, which sees no rows, what one must refuse; return what it did not refuse."""
    within_reach = pa.table({"row": [1]})  # noqa: F841  a connection would take it for a table, were it not locked
    done = []
    with locked_down(scratch) as connection, tempfile.TemporaryDirectory(prefix="tried-", dir=scratch) as folder:
        for act, statement in _REFUSED_ACTS.items():
            try:
                connection.execute(statement.format(folder=folder)).fetchall()
            except _REFUSALS:
                continue
            except duckdb.Error:
                pass  # it tried
            done.append(act)
    return done


def in_memory(tables: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """Open a locked-down connection that holds copies of some published tables, and has neither files nor spill."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{_IN_MEMORY_MB}MB",
            "threads": "1",
            "temp_directory": "",
        },
    )
    for name, table in tables.items():
        connection.register("arriving", table)
        connection.execute(f'CREATE TABLE {quoted(name)} AS SELECT * FROM "arriving"')  # noqa: S608  names of ours
        connection.unregister("arriving")
    for lock in _LOCKS:
        connection.execute(lock)
    return connection


def _attach(connection: duckdb.DuckDBPyConnection, attachment: Attachment) -> None:
    """Attach one file. The statement holds the key: it is neither logged nor part of any error."""
    if not attachment.writable and not attachment.path.is_file():
        # A named pipe would be waited for.
        raise VaultFault(f"couldn't open {attachment.what}: missing, or no file")
    key = base64.b64encode(attachment.key).decode()
    mode = "" if attachment.writable else ", READ_ONLY"
    try:
        connection.execute(
            f"ATTACH {_quoted_text(str(attachment.path))} AS {quoted(attachment.alias)} "
            f"(TYPE DUCKDB, ENCRYPTION_KEY {_quoted_text(key)}, ENCRYPTION_CIPHER 'GCM'{mode})"
        )
    except (duckdb.Error, OSError) as fault:
        wrong = VaultFault(f"couldn't open {attachment.what}: wrong key, damaged or missing")
        raise shortage(fault) or wrong from None


def shortage(fault: Exception) -> Exception | None:
    """Return the fault of a full disk or of too little memory; None where the engine had both, and something is wrong."""
    # It has no code for a full disk, and repeats the system's words.
    if os.strerror(errno.ENOSPC) in str(fault) or os.strerror(errno.EDQUOT) in str(fault):
        return durable.full()
    if isinstance(fault, duckdb.OutOfMemoryException | MemoryError):
        return MemoryError("couldn't compute: there was not enough memory")
    return None


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _quoted_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@cache
def _httpfs() -> Path:
    """Find the extension file of exactly this engine's version, and let the engine check its signature, once.

    The check reads 20 MB, 40 ms for each connection, which is most of what a short task takes. Who could change the file
    between two connections could change this module as well; after the lock no connection loads anything.
    """
    package = importlib.resources.files("duckdb_extension_httpfs")
    path = Path(str(package)) / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
    if not path.exists():
        raise VaultFault(
            f"couldn't find the httpfs extension for duckdb {duckdb.__version__}: install the wheel of that version"
        )
    with duckdb.connect(":memory:") as strict:
        strict.execute(f"LOAD {_quoted_text(str(path))}")
    return path
