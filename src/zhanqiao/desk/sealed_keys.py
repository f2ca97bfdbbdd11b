# SPDX-License-Identifier: Apache-2.0
"""Sealed start (封存启动): on the disk a deployment's keys lie sealed; open, they lie in memory alone.

    keys/sealed.json            {"version": 1, "set", "threshold", "custodians", "files": {name: base64}}, each file under
                                a key that nobody has, bound to its name, and to who opens it
    /dev/shm/zhanqiao-<digest>/ the same files, open, with the sealed.json and the folder that they belong to; their
                                owner's alone, and gone with the power. While `unlogged` lies there the log does not say
                                yet whose shares opened them, and they count as sealed

What opens the seal is a secret in shares (`desk.shares`), one for each custodian. Whoever finds these files, or a backup
and the keys folder, opens no row and signs nothing; nor do fewer custodians than the threshold. The keys themselves stay
the same when they are sealed anew: a copy of the folder from before still opens with the shares from before.

A crash leaves keys open or sealed and never none: the shares last before the seal does, the seal before a plain key goes.
While all plain keys lie in keys/, the deployment is not sealed.
"""

import base64
import binascii
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from zhanqiao.desk import shares
from zhanqiao.desk.paths import FLEETING, file_system_of
from zhanqiao.ledger import durable
from zhanqiao.ledger.regular_file import read_bounded, read_whole
from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.vault import crypt
from zhanqiao.vault.faults import KeyFault

KEYS, SEALED = "keys", "sealed.json"
SPLIT = "keys.split"  # the event
# What is secret of a deployment.
FILES = ("ledger/log.pem", "ledger/envelope.pem", "vault/kek.key")
# The data keys, wrapped under the last of these: it stays on the disk.
KEYRING = "vault/keyring.json"
# Of a demo's personas, and of who keeps his key here.
OF_PEOPLE = "people"
MEMORY = Path("/dev/shm")  # noqa: S108  memory, and a folder of its owner's in it

_UNLOGGED, _HOME = "unlogged", "home"
_VERSION = 1
_MOST_BYTES = 65_536
_SET_BYTES = 2


@dataclass(frozen=True)
class Seal:
    """What `sealed.json` holds. `custodians` are people's ids, in the order of their shares' numbers, from 1."""

    set: str
    threshold: int
    custodians: tuple[str, ...]
    files: dict[str, bytes]

    @classmethod
    def read(cls, keys: Path) -> "Seal":
        """Read it; raises OSError, or KeyFault where it is damaged."""
        try:
            said = json.loads(read_bounded(keys / SEALED, _MOST_BYTES))
            if said["version"] != _VERSION:
                raise KeyFault(f"couldn't read {SEALED}: its version is not known")
            files = {name: base64.b64decode(said["files"][name], validate=True) for name in FILES}
            custodians, threshold = tuple(str(one) for one in said["custodians"]), said["threshold"]
            if type(threshold) is not int or not 2 <= threshold <= len(custodians) <= shares.MOST_CUSTODIANS:
                raise KeyFault(f"couldn't read {SEALED}: its threshold is none of so many custodians")
            return cls(str(said["set"]), threshold, custodians, files)
        except (ValueError, KeyError, TypeError, binascii.Error, RecursionError) as cause:
            if isinstance(cause, KeyFault):
                raise
            raise KeyFault(f"couldn't read {SEALED}: damaged, or a key is missing") from None

    def bound_to(self, name: str) -> bytes:
        """Return what a sealed file is authenticated with: which it is, and whose shares open it."""
        return json.dumps(["sealed key", name, self.set, self.threshold, self.custodians]).encode()

    def to_bytes(self) -> bytes:
        """Return the form in which it lies in the keys folder."""
        files = {name: base64.b64encode(sealed).decode() for name, sealed in self.files.items()}
        return json.dumps({"version": _VERSION, **asdict(self), "files": files}, indent=1).encode() + b"\n"


@dataclass(frozen=True)
class Split:
    """A seal that is made and not in force yet, and a share for each custodian as they write it."""

    seal: Seal
    written: dict[str, str] = field(repr=False)
    plain: dict[str, bytes] = field(repr=False)


# --- where the keys are -------------------------------------------------------------------------------


def is_sealed(keys: Path) -> bool:
    """Whether a keys folder, a deployment's or a copy of one, holds its keys sealed."""
    return (keys / SEALED).exists() and len(lying_open(keys)) < len(FILES)


def lying_open(keys: Path) -> list[str]:
    """Return which of the keys lie in a keys folder as they are."""
    return [name for name in FILES if (keys / name).exists()]


def unopened(home: Path) -> Refusal | None:
    """Say why there is nothing to be opened with shares; None where there is."""
    keys = home / KEYS
    if not keys.is_dir():
        return refuse("no-deployment", home=str(home))
    if not is_sealed(keys):
        return refuse("keys-not-sealed", home=str(home))
    return None if isinstance(keys_of(home), Refusal) else refuse("keys-open-already", home=str(home))


def memory_of(home: Path) -> Path:
    """Return where the keys of a sealed deployment lie while they are open, or would lie.

    Anybody may make a folder there, and may have been first: what is not of the user who works here is passed over.
    """
    first = MEMORY / _name_of(home)
    for path in (first, *sorted(MEMORY.glob(f"{first.name}.*"))):
        if _is_ours(path):
            return path
    return first.with_name(f"{first.name}.{secrets.token_hex(8)}") if os.path.lexists(first) else first


def keys_of(home: Path, *, unlogged: bool = False) -> Path | Refusal:
    """Return the folder in which a deployment's keys lie open, or refuse because they are sealed.

    unlogged  also while the log does not say yet who opened them: for whoever is about to write that
    """
    keys, memory = home / KEYS, memory_of(home)
    if not is_sealed(keys):
        return keys
    try:
        seal = Seal.read(keys)
        # Another is of a deployment that lay here before, or of shares that others took the place of.
        same = Seal.read(memory) == seal
    except FileNotFoundError:
        return _still_sealed(seal)
    except (OSError, KeyFault) as cause:
        return refuse("keys-unreadable", cause=str(cause))
    return memory if same and (unlogged or not (memory / _UNLOGGED).exists()) else _still_sealed(seal)


def _still_sealed(seal: Seal) -> Refusal:
    return refuse("keys-sealed", threshold=str(seal.threshold), custodians=", ".join(seal.custodians))


def _name_of(home: Path) -> str:
    return f"zhanqiao-{hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:32]}"


def _is_ours(folder: Path) -> bool:
    """Whether a folder in memory is one that only this user could have made."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


# --- sealing and opening ------------------------------------------------------------------------------


def split(home: Path, threshold: int, custodians: Sequence[str]) -> Split | Refusal:
    """Make a seal under a new secret, and its shares; nothing is changed yet."""
    count = len(custodians)
    if twice := next((one for one in custodians if custodians.count(one) > 1), None):
        return refuse("custodian-twice", custodian=twice)
    if not 2 <= threshold <= count <= shares.MOST_CUSTODIANS:
        return refuse("shares-threshold", threshold=str(threshold), count=str(count))
    if (refusal := _no_memory()) is not None:
        return refusal
    keys = keys_of(home)
    if isinstance(keys, Refusal):
        return keys
    try:
        plain = {name: read_whole(keys / name) for name in FILES}
    except OSError as cause:
        return refuse("keys-unreadable", cause=str(cause))
    secret, of_set = secrets.token_bytes(shares.SECRET_BYTES), secrets.token_hex(_SET_BYTES)
    seal = Seal(of_set, threshold, tuple(custodians), {})
    for name, content in plain.items():
        seal.files[name] = crypt.seal(_key(secret, of_set), content, seal.bound_to(name))
    made = shares.split(secret, of_set, threshold, count)
    written = {custodian: share.written() for custodian, share in zip(custodians, made, strict=True)}
    return Split(seal, written, plain)


def put_in_force(home: Path, made: Split) -> Refusal | None:
    """Seal the disk and leave the keys open in memory. Whoever calls has the turn, and the shares last already.

    Where it fails before the seal has its name, the former keys, and who opens them, are as they were, in memory too.
    After it (`is_in_force`) the new shares open them, whatever else failed.
    """
    former = _content(home / KEYS / SEALED)
    if (refusal := _open_in_memory(home, made.seal.to_bytes(), made.plain)) is not None:
        return refusal
    try:
        durable.write_whole(home / KEYS / SEALED, made.seal.to_bytes())
    except BaseException:
        if not is_in_force(home, made.seal):
            _put_back(home, former, made.plain)
        raise
    _remove_plain(home / KEYS)
    return None


def is_in_force(home: Path, seal: Seal) -> bool:
    """Whether the disk has this seal; where that cannot be told it may have, and its shares must stay."""
    try:
        return Seal.read(home / KEYS) == seal
    except FileNotFoundError:
        return False
    except (OSError, KeyFault):
        return True


def _put_back(home: Path, former: bytes | None, plain: dict[str, bytes]) -> None:
    """Bring memory to what it was; where it cannot be the former shares open the keys again."""
    if former is None or _open_in_memory(home, former, plain) is not None:
        shutil.rmtree(memory_of(home), ignore_errors=True)


def unseal(home: Path, written: Sequence[str]) -> tuple[str, ...] | Refusal:
    """Open a deployment's keys into memory with the shares of its custodians; return whose they were.

    They count as sealed until `told` says that the log has it: who dies in between has opened nothing.
    """
    keys = home / KEYS
    if (refusal := unopened(home)) is not None:
        if is_sealed(keys):
            # Open already; what a split that died has left on the disk goes all the same.
            with turn(home):
                _remove_plain(keys)
        return refusal
    try:
        seal = Seal.read(keys)
    except (OSError, KeyFault) as cause:
        return refuse("keys-unreadable", cause=str(cause))
    given = shares.read(written, seal.set, seal.threshold, len(seal.custodians))
    if isinstance(given, Refusal):
        return given
    key = _key(shares.combine(given), seal.set)
    try:
        plain = {name: crypt.open_sealed(key, sealed, seal.bound_to(name), name) for name, sealed in seal.files.items()}
    except KeyFault:
        return refuse("shares-wrong", given=str(len(given)))
    with turn(home):
        if (refusal := _open_in_memory(home, seal.to_bytes(), {**plain, _UNLOGGED: b""})) is not None:
            return refusal
        _remove_plain(keys)
    return tuple(seal.custodians[share.number - 1] for share in given)


def told(home: Path) -> None:
    """Let the keys count as open: the log says with whose shares."""
    (memory_of(home) / _UNLOGGED).unlink(missing_ok=True)


def seal_again(home: Path) -> bool:
    """Take a sealed deployment's keys out of memory, and what was left of them there and on the disk.

    Returns whether anything lay in memory: open keys, those of one that died opening them, or of a folder that was moved.
    Raises OSError where something stays there.
    """
    with turn(home):
        return take_out(home)


def take_out(home: Path) -> bool:
    """As `seal_again`; whoever calls has the turn."""
    found = forget(home)
    if is_sealed(home / KEYS):
        _remove_plain(home / KEYS)
    return found


def forget(home: Path) -> bool:
    """Take out of memory what lies there of a deployment; whoever calls has the turn, or nothing is left to take turns at."""
    return bool(_sweep(home) + [path for path in _lying_in_memory(home) if _removed(path)])


def _lying_in_memory(home: Path) -> Iterator[Path]:
    """Yield the folders in memory that hold keys of this deployment, also those from before it was moved to here."""
    sealed = _content(home / KEYS / SEALED)
    for path in filter(_is_ours, sorted(MEMORY.glob("zhanqiao-*"))):
        former = Path(os.fsdecode(_content(path / _HOME) or b""))
        # A copy that is open elsewhere on this machine, for a rehearsal, is not this one.
        gone = former != Path() and not (former / KEYS / SEALED).exists()
        moved = gone and sealed is not None and _content(path / SEALED) == sealed
        if moved or path.name.partition(".")[0] == _name_of(home):
            yield path


def _content(path: Path) -> bytes | None:
    return read_bounded(path, _MOST_BYTES) if path.exists() else None


def turn(home: Path) -> AbstractContextManager[None]:
    """Wait until nobody else seals or opens the keys of this deployment."""
    return durable.only_writer(home / ".keys.lock")


def _sweep(home: Path) -> list[Path]:
    """Remove what died while it was opening keys, and return it; whoever calls has the turn.

    Of such a name anybody may make something there: what is not ours is passed over.
    """
    return [left for left in MEMORY.glob(f"{_name_of(home)}-*") if _is_ours(left) and _removed(left)]


def _removed(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise OSError(errno.EBUSY, f"couldn't remove {folder}")
    return True


def _no_memory() -> Refusal | None:
    return None if file_system_of(MEMORY) in FLEETING else refuse("memory-missing", folder=str(MEMORY))


def _open_in_memory(home: Path, content: bytes, plain: dict[str, bytes]) -> Refusal | None:
    """Put open keys, and the seal that they belong to, where no disk is; another set that lies there goes."""
    if (refusal := _no_memory()) is not None:
        return refusal
    memory, part = memory_of(home), None
    try:
        _sweep(home)
        part = Path(tempfile.mkdtemp(prefix=f"{_name_of(home)}-", dir=MEMORY))
        for name, content_of in {**plain, SEALED: content, _HOME: os.fsencode(home.resolve())}.items():
            durable.write_new(part / name, content_of)
        if memory.exists():
            shutil.rmtree(memory)
        part.rename(memory)
    except OSError as cause:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
        return refuse("keys-unreadable", cause=f"{memory}: {cause.strerror}")
    return None


def _remove_plain(keys: Path) -> None:
    # What opens the vault goes first.
    for name in reversed(FILES):
        if (keys / name).exists():
            _unlink_and_overwrite(keys / name)
    for folder in {(keys / name).parent for name in FILES}:
        if folder.is_dir():
            durable.sync_folder(folder)


def _unlink_and_overwrite(path: Path) -> None:
    """Remove a file, and write over its blocks where that can be: the file system and the disk may write elsewhere.

    In this order: a file of zeros under its name would be taken for a key.
    """
    with ExitStack() as opened:
        descriptor = None
        with suppress(OSError):
            descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
            opened.callback(os.close, descriptor)
        path.unlink()
        if descriptor is not None:
            with suppress(OSError):
                os.write(descriptor, bytes(os.fstat(descriptor).st_size))
                os.fsync(descriptor)


def _key(secret: bytes, of_set: str) -> bytes:
    return HKDF(hashes.SHA256(), crypt.KEY_BYTES, salt=of_set.encode(), info=b"zhanqiao sealed keys").derive(secret)
