# SPDX-License-Identifier: Apache-2.0
"""The form of a backup: a tar archive that ends with what all its members are, signed by the log whose backup it is.

    zhanqiao.toml, state.sqlite3, public/, ledger/, vault/, quarantine/     as they lie in the deployment
    backup.json         {"version": 2, "origin", "entries", "root", "made", "files": {name: {"bytes", "sha256"}}}
    backup.dsse.json    an envelope around the SHA-256 of backup.json, by the key that signs releases

Keys are not in it, so that whoever finds a backup can open no row; they are kept apart. Nor are answers that were handed
over (a request id brings each again), nor what unfinished loads have landed.

A reader believes nothing before the signature holds, under the key that whoever restores has kept apart. Members are
regular files under those names, each once, and backup.json lists exactly them.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from zhanqiao.desk import state
from zhanqiao.desk.configuration import MOST_SETTINGS, SETTINGS_FILE
from zhanqiao.ledger import regular_file
from zhanqiao.ledger.dsse import key_id_of, open_envelope
from zhanqiao.ledger.problems import Unsound
from zhanqiao.terms.canonical import digest_bytes

FOLDERS = ("public", "ledger", "vault", "quarantine")
MANIFEST, SIGNATURE = "backup.json", "backup.dsse.json"
SIGNED_TYPE = "application/vnd.zhanqiao.backup"

_VERSION = 2
_TAR_AT, _TAR = 257, b"ustar"
_PIECE_BYTES = 1 << 20
# A city's vault has some ten thousand files, of which each takes a line.
_MOST_MANIFEST = 256 << 20
# It holds one digest.
_MOST_SIGNATURE = 4096
_LAST = {MANIFEST: _MOST_MANIFEST, SIGNATURE: _MOST_SIGNATURE}
# What a reader holds in memory before anything is signed: settings, and headers of headers, where long names stand.
_MOST_HEADER = 65_536
_EXTENDING = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}
# Each is read inside of the one that it extends. A member has one of ours, and two where GNU tar wrote it anew.
_MOST_EXTENDING = 8
# A file system takes no longer part of a name; the deepest of ours, an entry tile, has seven of them.
_MOST_PART_BYTES, _MOST_PARTS = 255, 16


def begins_as_backup(file: Path) -> bool:
    """Whether a file begins as an archive does; nothing of it is believed for that."""
    with regular_file.opened(file) as descriptor:
        return regular_file.read_up_to(descriptor, _TAR_AT + len(_TAR))[_TAR_AT:] == _TAR


class BackupMalformed(ValueError):  # noqa: N818  the name says what is so
    """The archive is not what `backup` writes, or is no longer."""


class BackupForeign(ValueError):  # noqa: N818
    """The archive is not signed by the log whose keys are at hand."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    entries, root    of the log at that moment; the checkpoint in it shows as much
    made             when, ISO 8601 in UTC
    files            name -> bytes and SHA-256 (hexadecimal)
    """

    origin: str
    entries: int
    root: str
    made: str
    files: dict[str, tuple[int, str]] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the form in which it lies in the archive."""
        listed = {name: {"bytes": size, "sha256": digest} for name, (size, digest) in self.files.items()}
        return json.dumps({"version": _VERSION, **asdict(self), "files": listed}, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """Read it; raises BackupMalformed."""
        try:
            said: dict[str, Any] = json.loads(content)
            if said["version"] != _VERSION:
                raise BackupMalformed(f"{MANIFEST} is of version {said['version']!r}, which is not known here")
            listed = {str(name): (int(one["bytes"]), str(one["sha256"])) for name, one in said["files"].items()}
            return cls(str(said["origin"]), int(said["entries"]), str(said["root"]), str(said["made"]), listed)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as cause:
            if isinstance(cause, BackupMalformed):
                raise
            raise BackupMalformed(f"{MANIFEST} cannot be read") from None


@contextmanager
def packing(target: IO[bytes]) -> Iterator["Packing"]:
    """Write an archive inside; `finish` comes last."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        yield Packing(tar)


class Packing:
    """Writes members one after the other, and remembers what they were."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.files: dict[str, tuple[int, str]] = {}

    def add(self, name: str, file: IO[bytes]) -> None:
        """Add an open file as it is now, whatever bears its name by then."""
        size = os.fstat(file.fileno()).st_size
        reader = _Digesting(file)
        self._tar.addfile(_entry(name, size), reader)
        self.files[name] = (size, reader.digest.hexdigest())

    def finish(self, manifest: Manifest, sign: Callable[[bytes], bytes]) -> None:
        """Write the list, and what signs it."""
        content = manifest.to_bytes()
        for name, last in ((MANIFEST, content), (SIGNATURE, sign(signed_over(content)))):
            self._tar.addfile(_entry(name, len(last)), io.BytesIO(last))


def signed_over(manifest: bytes) -> bytes:
    """Return what stands in the envelope of a backup with that list."""
    return digest_bytes(manifest).encode()


@dataclass
class Member:
    """One file of an archive that is being read; `pieces` is to be read to its end before the next one."""

    name: str
    pieces: Iterator[bytes]


@dataclass
class Unpacking:
    """Reads an archive once, front to back; the manifest is known when all members were read.

    key     must have signed it
    """

    source: IO[bytes]
    key: Ed25519PublicKey
    manifest: Manifest | None = None

    def members(self) -> Iterator[Member]:
        """Yield the files, which are not believed before all were read.

        Raises BackupMalformed at the first thing that no backup has, BackupForeign when it is not signed.
        """
        seen: dict[str, tuple[int, str]] = {}
        folders: set[str] = set()
        last: dict[str, bytes] = {}
        try:
            with _Archive.open(fileobj=self.source, mode="r|", tarinfo=_Header) as tar:
                for entry in tar:
                    if (entry.name != SIGNATURE and MANIFEST in last) or SIGNATURE in last:
                        raise BackupMalformed(f"something follows {[*last][-1]}")
                    content = tar.extractfile(entry) if _is_plain(entry) else None
                    if content is None:
                        raise BackupMalformed(f"{entry.name} is no regular file")
                    if (most := _LAST.get(entry.name)) is not None:
                        last[entry.name] = _read_last(entry.name, content, most)
                        continue
                    if not may_lie_there(entry.name) or (entry.name == SETTINGS_FILE and entry.size > MOST_SETTINGS):
                        raise BackupMalformed(f"{entry.name[:80]} has no place in a deployment, or is too long")
                    above = {str(folder) for folder in PurePosixPath(entry.name).parents}
                    if entry.name in seen or entry.name in folders or above & seen.keys():
                        raise BackupMalformed(f"{entry.name[:80]} stands twice, or is file and folder")
                    folders |= above
                    reader = _Digesting(content)
                    yield Member(entry.name, reader.pieces())
                    seen[entry.name] = (entry.size, reader.digest.hexdigest())
        except BackupMalformed:
            raise
        except (tarfile.TarError, ValueError, OverflowError, EOFError) as cause:
            raise BackupMalformed(f"it is no whole tar archive ({type(cause).__name__})") from None
        if MANIFEST not in last:
            raise BackupMalformed(f"it breaks off: {MANIFEST} is missing")
        _verify(last[MANIFEST], last.get(SIGNATURE), self.key)
        self.manifest = Manifest.parse(last[MANIFEST])
        _compare(seen, self.manifest.files)


class _Digesting(io.RawIOBase):
    """Passes bytes on and digests them."""

    def __init__(self, source: IO[bytes]) -> None:
        super().__init__()
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        piece = self._source.read(size)
        self.digest.update(piece)
        return piece

    def pieces(self) -> Iterator[bytes]:
        try:
            while piece := self.read(_PIECE_BYTES):
                yield piece
        except tarfile.TarError:
            raise BackupMalformed("it breaks off inside a file") from None


class _Archive(tarfile.TarFile):
    """An archive that knows how many headers are being read inside of each other."""

    nested = 0


class _Header(tarfile.TarInfo):
    """A header, refused where it says that more of it follows than a name takes, or extends too many: it is read whole."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        """Read the next one, and what it extends."""
        assert isinstance(tarfile, _Archive), "opened as one"
        if tarfile.nested > _MOST_EXTENDING:
            raise BackupMalformed("too many headers in it extend each other")
        tarfile.nested += 1
        try:
            return super().fromtarfile(tarfile)
        finally:
            tarfile.nested -= 1

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read 512 bytes."""
        header = super().frombuf(buf, encoding, errors)
        if header.type in _EXTENDING and not 0 <= header.size <= _MOST_HEADER:
            raise BackupMalformed("a header in it is too long")
        return header


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


def _is_plain(entry: tarfile.TarInfo) -> bool:
    return entry.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and not entry.sparse


def _read_last(name: str, content: IO[bytes], most: int) -> bytes:
    said = content.read(most + 1)
    if len(said) > most:
        raise BackupMalformed(f"{name} is too long")
    return said


def _verify(manifest: bytes, signature: bytes | None, key: Ed25519PublicKey) -> None:
    if signature is None:
        raise BackupForeign("it is not signed at all")
    try:
        envelope = open_envelope(signature, {key_id_of(key): key})
    except Unsound as cause:
        raise BackupForeign(str(cause).rstrip(".")) from None
    if (envelope.payload_type, envelope.payload) != (SIGNED_TYPE, signed_over(manifest)):
        raise BackupForeign("something else was signed")


def may_lie_there(name: str) -> bool:
    """Whether a backup has members of that name, or in a folder of that name: the one rule of who writes and who reads.

    No path that leads elsewhere, nothing hidden, nothing that is no text: the platform writes no such name.
    """
    if name in {SETTINGS_FILE, state.FILE}:
        return True
    parts = PurePosixPath(name).parts
    plain = all(part and not part.startswith(".") and part.isprintable() for part in parts)
    short = len(parts) <= _MOST_PARTS and all(len(os.fsencode(part)) <= _MOST_PART_BYTES for part in parts)
    return len(parts) > 1 and parts[0] in FOLDERS and plain and short and "/".join(parts) == name


def _compare(found: dict[str, tuple[int, str]], listed: dict[str, tuple[int, str]]) -> None:
    for name in sorted(found.keys() | listed.keys()):
        if name not in found:
            raise BackupMalformed(f"{name} is missing")
        if found[name] != listed.get(name):
            raise BackupMalformed(f"{name} is not what was backed up")
