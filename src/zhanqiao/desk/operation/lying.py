# SPDX-License-Identifier: Apache-2.0
"""What lies in a deployment: walked once, and each file told by its name, and by its kind, from what the platform writes.

A name tells most: rows and keys that somebody puts down lie where the platform writes none of its files. Under a name of
its own a small file is read, and has to be of its kind: a lock is empty, an answer is one that the log released. What a
sealed file holds behind its head is for a restore to prove, and what a tile holds for the audit of the log.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from zhanqiao.desk.backed_up import NOTE, read_moment
from zhanqiao.desk.paths import ACCESS_LISTS, attributes
from zhanqiao.desk.state import FILE
from zhanqiao.ledger import certificate, durable
from zhanqiao.ledger.regular_file import read_whole
from zhanqiao.ledger.tiles import is_tile
from zhanqiao.ledger.tree import MAX_SIZE
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.verify import verify
from zhanqiao.terms.refusals import Reason
from zhanqiao.terms.requests import RequestId
from zhanqiao.vault.house import House

# Where the platform writes files; tiles and the socket beside.
_WRITTEN = re.compile(
    r"""(
        zhanqiao\.toml | state\.sqlite3(-wal|-shm|-journal)? | \.(settings|keys)\.lock | \.backed-up
        | public/(log\.vkey | trust\.txt)
        | ledger/(checkpoint | cosigned | quorum | lock | certificates/\d{12}\.cert)
        | vault/\.lock
        | vault/segments/[^/]+/[^/]+\.duckdb | vault/states/[^/]+/[^/]+/[^/]+\.sealed
        | vault/(subjects|identities)/[a-z]+/([\d-]+\.(book|sealed) | \.lock)
        | quarantine/[^/]+/[^/]+/\d+\.sealed
        | landing/\.[^/]+\.lock
        | answers/[0-9a-f]{32}\.(cert|answer\.json)
    )""",
    re.VERBOSE,
)
# Attributes that anybody may write on what is his own; the platform writes none.
_BY_USERS = "user."
_STATE = frozenset(f"{FILE}{more}" for more in ("", "-wal", "-shm", "-journal"))
_TILES, _ANSWERS = "ledger/tile/", "answers/"
# What has not got its name yet, the engine's own log of one beside it, and the engine's spill.
_BEGUN = re.compile(r"(?P<name>.+?)\.(\d+-\d+\.)?part(\.wal(\.\w+)?)?", re.DOTALL)
_SPILL = re.compile(r"vault/scratch/(spill|tried)-[^/]+/.+", re.DOTALL)
_LOCK = re.compile(r"(.+/)?(\..*)?lock", re.DOTALL)
_VAULT = "vault/"
# The answer to a question of statistics has some thousand bytes; beyond are those of batches, told by name alone.
_MOST_READ, _MOST_ANSWER = 65_536, 4 << 20


@dataclass(frozen=True)
class Lying:
    """What lies at one place: its name in the deployment, `.` for the folder itself, and its `lstat`.

    listed  whether it carries an access list
    noted   whether somebody has written an attribute on it, which may hold as much as a small file
    """

    path: Path
    name: str
    found: os.stat_result
    listed: bool
    noted: bool

    @property
    def folder(self) -> bool:
        """Whether it is a folder, and no link to one; the deployment itself may be reached by a link."""
        return stat.S_ISDIR(self.found.st_mode) or self.name == "."

    @property
    def regular(self) -> bool:
        """Whether it is a file that can be read, and no link to one."""
        return stat.S_ISREG(self.found.st_mode)

    @property
    def is_state(self) -> bool:
        """Whether it is SQLite's alone to open: who closes such a file drops all locks that his process has on it."""
        return self.name in _STATE

    @property
    def begun(self) -> bool:
        """Whether it is named as what somebody still writes."""
        return (_BEGUN.fullmatch(self.name) or _SPILL.fullmatch(self.name)) is not None

    @property
    def most(self) -> int:
        """How many bytes are read of it, where it has no more."""
        if self.name.startswith(_ANSWERS):
            return _MOST_ANSWER
        return certificate.MAX_CERTIFICATE_BYTES if self.name.endswith(certificate.CERTIFICATE) else _MOST_READ


def walked(folder: Path, name: str = ".") -> Iterator[Lying | Reason]:
    """Yield a folder and all below it; a reason for what cannot be looked into. No link below it is followed."""
    # Not recursive: somebody may have made a thousand folders inside of one another.
    waiting = [(folder, name)]
    while waiting:
        path, name = waiting.pop()
        try:
            carried = attributes(path, follow_symlinks=False)
            noted = any(attribute.startswith(_BY_USERS) for attribute in carried)
            one = Lying(path, name, path.lstat(), bool(carried & ACCESS_LISTS), noted)
            inside = sorted(path.iterdir(), reverse=True) if one.folder else []
        except FileNotFoundError:
            continue  # work goes on meanwhile
        except OSError as cause:
            yield Reason("right-unread", {"path": name, "cause": cause.strerror or "-"})
            continue
        yield one
        waiting += [(each, each.name if name == "." else f"{name}/{each.name}") for each in inside]


def is_written(name: str, entries: int = MAX_SIZE) -> bool:
    """Whether the platform writes a whole file of that name, where its log has so many entries."""
    if name.startswith(_TILES):
        return is_tile(name.removeprefix(_TILES), entries)
    return _WRITTEN.fullmatch(name) is not None


@dataclass(frozen=True)
class Known:
    """What a deployment knows of its own files."""

    house: House

    def has(self, name: str) -> bool:
        """Whether the platform writes a file of that name, whole or unfinished."""
        begun = _BEGUN.fullmatch(name)
        return is_written(name if begun is None else begun["name"], self._size) or _SPILL.fullmatch(name) is not None

    def may_be_long(self, name: str) -> bool:
        """Whether files of that name may be longer than is read of them."""
        return not _LOCK.fullmatch(name) and not name.endswith(certificate.CERTIFICATE) and name != NOTE

    def is_of_its_kind(self, name: str, content: bytes) -> bool:
        """Whether a whole file holds what one of its name does, as far as that can be told without a key."""
        if _LOCK.fullmatch(name):
            return not content
        try:
            if name == NOTE:
                read_moment(content)
            elif name.startswith(_ANSWERS):
                return self._released(name.removeprefix(_ANSWERS), content)
            elif name.endswith(certificate.CERTIFICATE):
                parts = certificate.parse(content)
                return content == certificate.assemble(
                    parts.envelope, parts.index, parts.proof, parts.note, parts.member
                )
        except ValueError:
            return False
        return True

    def left(self, begun: list[Lying]) -> Iterator[Lying]:
        """Yield which of the unfinished files nobody writes any more."""
        for one in begun:
            try:
                if not one.name.startswith(_VAULT) and not durable.is_held(one.path):
                    yield one
            except OSError:
                continue  # it has its name by now, or is no file: told by its name
        # In the vault the engine writes too. While anybody is at work there, nothing of it can be called left.
        with self.house.vault.alone(wait=False) as alone:
            if alone is not None:
                yield from (one for one in begun if one.name.startswith(_VAULT) and os.path.lexists(one.path))

    def _released(self, name: str, content: bytes) -> bool:
        """Whether an answer, or its certificate, is one that the log released under that request."""
        record = self.house.book.request(RequestId(name.partition(".")[0]))
        kept = None if record is None or record.index is None else self.house.book.kept_certificate(record.index)
        if kept is None:
            return False
        if name.endswith(certificate.CERTIFICATE):
            return content == kept
        return verify(kept, self._trust, content).answer_checked

    @cached_property
    def _trust(self) -> Trust:
        # Whose answer it is, is asked; not who has seen the log.
        return replace(Trust.parse(read_whole(self.house.home / "public" / "trust.txt")), quorum=None)

    @cached_property
    def _size(self) -> int:
        return self.house.book.size
