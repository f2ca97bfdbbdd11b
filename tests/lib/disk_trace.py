# SPDX-License-Identifier: Apache-2.0
"""What a program did to a folder, in the order in which it did it: recorded with strace, read into operations.

    traced = record(["zhanqiao", ...], folder)
    traced.operations      [Create("ledger/checkpoint.part"), Write(...), Sync(...), Rename(...), ...]

Paths are relative to the folder. What the program told meanwhile stands among the operations as `Said`: its own output,
and what `lib/telling` adds at each commit. Threads and children are followed; an operation stands where it ended, and a
sync covers what had ended when it began.

What strace cannot show is refused and never passed over: data that the kernel copied from file to file, and mapped
writes. Only SQLite's `-shm` is mapped; it is rebuilt at every start, and is left out here.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_CALLS = (
    "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,truncate,fallocate,"
    "fsync,fdatasync,sync_file_range,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,"
    "mkdir,mkdirat,rmdir,mmap,sendfile,copy_file_range,splice,clone,clone3,fork,vfork,dup,dup2,dup3"
)
# Mapped, and rebuilt at every start.
LEFT_OUT = "-shm"


@dataclass(frozen=True)
class Create:
    """A new, empty file."""

    path: str
    mode: int = 0o600


@dataclass(frozen=True)
class Write:
    path: str
    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Truncate:
    path: str
    size: int


@dataclass(frozen=True)
class Sync:
    """A file's data, or the names in a folder, last: what had ended before operation number `begun`."""

    path: str
    begun: int


@dataclass(frozen=True)
class Link:
    path: str
    to: str


@dataclass(frozen=True)
class Rename:
    path: str
    to: str


@dataclass(frozen=True)
class Unlink:
    path: str


@dataclass(frozen=True)
class Mkdir:
    path: str


@dataclass(frozen=True)
class Rmdir:
    path: str


@dataclass(frozen=True)
class Said:
    """Something that somebody outside knows from now on."""

    text: str


Operation = Create | Write | Truncate | Sync | Link | Rename | Unlink | Mkdir | Rmdir | Said


@dataclass(frozen=True)
class Traced:
    """A recorded run: the folder as it was before, what happened, and how the program ended."""

    before: Path
    operations: tuple[Operation, ...]
    status: int
    output: str


class Unseen(Exception):  # noqa: N818  the name says what is so
    """The program changed the folder in a way that a trace does not show."""


def strace() -> str | None:
    """Return where strace is, None where it is not, or may not trace."""
    program = shutil.which("strace")
    if program is None:
        return None
    allowed = subprocess.run([program, "-o", os.devnull, "true"], check=False, capture_output=True).returncode == 0
    return program if allowed else None


def record(
    command: Sequence[str], folder: Path, work: Path, *, given: str = "", environment: Mapping[str, str] | None = None
) -> Traced:
    """Run a command and record what it does to `folder`; the folder as it was is kept below `work`."""
    before, trace, told = work / "before", work / "trace", work / "told"
    shutil.copytree(folder, before)
    telling = str(Path(__file__).with_name("telling"))
    settings = {**os.environ, "PYTHONUTF8": "1", **(environment or {}), "TELL": str(told)}
    settings["PYTHONPATH"] = os.pathsep.join(filter(None, [telling, settings.get("PYTHONPATH")]))
    ended = subprocess.run(
        ["strace", "-f", "-y", "-xx", "-s", "1000000000", "-e", f"trace={_CALLS}", "-o", str(trace), *command],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env=settings,
    )
    with trace.open("r", encoding="ascii") as lines:
        operations = tuple(_Reader(folder.resolve(), before, told).operations(lines))
    trace.unlink()
    return Traced(before, operations, ended.returncode, ended.stdout + ended.stderr)


# --- reading ----------------------------------------------------------------------------------------

_LINE = re.compile(r"(\d+) +(.*)", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?|0x[0-9a-f]+)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
# What stands in front of a name, or alone: a descriptor with its path. It is deleted when nothing has the name any more.
_DESCRIPTOR = re.compile(r"(-?\d+|AT_FDCWD)(?:<([^>]*)>)?(\(deleted\))?")
_STRING = re.compile(r'"([^"]*)"')
_BUFFER = re.compile(r'iov_base="([^"]*)"')
_VALUE = re.compile(r"= (-?\w+)")
_APPENDING = -1
_FORKS = {"clone", "clone3", "fork", "vfork"}


class _Reader:
    """Follows names and, for calls that say none, positions in open files."""

    def __init__(self, folder: Path, before: Path, told: Path) -> None:
        self._folder = f"{folder}/"
        self._told = str(told)
        self._done: list[Operation] = []
        # How long each file is, for those that are appended to.
        self._sizes = {str(path.relative_to(before)): path.stat().st_size for path in before.rglob("*")}
        # Open files by thread: threads of one process have one table, in which a descriptor is a position.
        self._tables: dict[int, dict[int, int]] = {}

    def operations(self, lines: Iterable[str]) -> list[Operation]:
        """Return what happened below the folder."""
        waiting: dict[str, tuple[str, int]] = {}
        for line in lines:
            found = _LINE.match(line.rstrip("\n"))
            assert found is not None, line[:80]
            pid, rest, begun = found[1], found[2], len(self._done)
            if rest.endswith(_UNFINISHED):
                waiting[pid] = rest.removesuffix(_UNFINISHED), begun
                continue
            if resumed := _RESUMED.match(rest):
                first, begun = waiting.pop(pid)
                rest = first + resumed[1]
            call = _CALL.match(rest)
            if call is not None and not call[3].startswith(("-", "?")):
                self._take(int(pid), call[1], call[2], rest[call.end(2) :], begun)
        return self._done

    def _take(self, pid: int, name: str, arguments: str, after: str, begun: int) -> None:
        value = int(_VALUE.search(after)[1], 0)  # type: ignore[index]
        match name:
            case "openat" | "open" | "creat":
                self._opened(pid, name, arguments, value)
            case "write" | "writev":
                self._written(pid, arguments, value)
            case "pwrite64" | "pwritev" | "pwritev2":
                self._placed(arguments, value)
            case "lseek":
                if self._table(pid).get(_number(arguments)) != _APPENDING:
                    self._table(pid)[_number(arguments)] = value
            case "dup" | "dup2" | "dup3":
                self._table(pid)[value] = self._table(pid).get(_number(arguments), 0)
            case "fsync" | "fdatasync":
                if (path := self._of_descriptor(arguments)) is not None:
                    self._done.append(Sync(path, begun))
            case "ftruncate" | "truncate":
                place = arguments if name == "truncate" else ""
                path = self._named(place)[0] if place else self._of_descriptor(arguments)
                if path is not None:
                    self._change(Truncate(path, int(arguments.rsplit(", ", 1)[1])))
            case "mmap":
                shared = "MAP_SHARED" in arguments and "PROT_WRITE" in arguments
                if shared and self._of_descriptor(arguments.split(", ", 4)[4]) is not None:
                    raise Unseen(f"couldn't record: {self._of_descriptor(arguments.split(', ', 4)[4])} is mapped")
            case "sendfile" | "copy_file_range" | "splice" | "sync_file_range" | "fallocate" | "symlink" | "symlinkat":
                self._refuse_inside(name, arguments)
            case _ if name in _FORKS:
                table = self._table(pid)
                self._tables[value] = table if "CLONE_FILES" in arguments else dict(table)
            case _:
                self._renamed(name, arguments)

    def _opened(self, pid: int, name: str, arguments: str, descriptor: int) -> None:
        self._table(pid)[descriptor] = 0
        path = self._named(arguments)[0]
        if path is None:
            return
        new = "O_CREAT" in arguments or name == "creat"
        if path and path not in self._sizes:
            assert new, f"{path} was opened and is not there"
            self._sizes[path] = 0
            mode = re.search(r", 0(\d+)$", arguments)
            self._done.append(Create(path, int(mode[1], 8) if mode else 0o600))
        elif "O_TRUNC" in arguments or name == "creat":
            self._change(Truncate(path, 0))
        if "O_APPEND" in arguments:
            self._table(pid)[descriptor] = _APPENDING

    def _written(self, pid: int, arguments: str, count: int) -> None:
        descriptor = _number(arguments)
        place = _DESCRIPTOR.match(arguments)
        assert place is not None, arguments[:80]
        data = b"".join(map(_bytes, _BUFFER.findall(arguments))) or _bytes(_first_string(arguments))
        if place[2] and _bytes(place[2]).decode() == self._told:
            self._done.extend(Said(line) for line in data.decode().splitlines())
        elif descriptor == 1 and not place[2].startswith(_bytes_in_hex(self._folder)):
            self._done.append(Said("output"))
        else:
            path, table = self._of_descriptor(arguments), self._table(pid)
            at = table.get(descriptor, 0)
            if at == _APPENDING:
                at = self._sizes.get(path or "", 0)
            else:
                table[descriptor] = at + count
            if path is not None:
                self._change(Write(path, at, data[:count]))

    def _placed(self, arguments: str, count: int) -> None:
        path = self._of_descriptor(arguments)
        if path is not None:
            data = b"".join(map(_bytes, _BUFFER.findall(arguments))) or _bytes(_first_string(arguments))
            self._change(Write(path, int(arguments.rsplit(", ", 1)[1]), data[:count]))

    def _change(self, change: Write | Truncate) -> None:
        self._done.append(change)
        if isinstance(change, Truncate):
            self._sizes[change.path] = change.size
        else:
            self._sizes[change.path] = max(self._sizes[change.path], change.offset + len(change.data))

    def _renamed(self, name: str, arguments: str) -> None:
        named = self._named(arguments)
        if all(path is None for path in named):
            return
        if None in named:
            raise Unseen(f"couldn't record: a {name} between the folder and elsewhere")
        first, *second = [path for path in named if path is not None]
        match name:
            case "rename" | "renameat" | "renameat2":
                self._done.append(Rename(first, second[0]))
                for path in [path for path in self._sizes if path == first or path.startswith(f"{first}/")]:
                    self._sizes[second[0] + path[len(first) :]] = self._sizes.pop(path)
            case "link" | "linkat":
                self._done.append(Link(first, second[0]))
                self._sizes[second[0]] = self._sizes[first]
            case "unlink" | "unlinkat" | "rmdir":
                folder = name == "rmdir" or "AT_REMOVEDIR" in arguments
                self._done.append(Rmdir(first) if folder else Unlink(first))
                del self._sizes[first]
            case "mkdir" | "mkdirat":
                self._done.append(Mkdir(first))
                self._sizes[first] = 0
            case _:
                raise Unseen(f"couldn't record: {name}")

    def _refuse_inside(self, name: str, arguments: str) -> None:
        inside = _bytes_in_hex(self._folder)
        # The first descriptor of copy_file_range and splice is the source, which may be ours; of sendfile the second.
        target = arguments.split(", ", 2)[2] if name in {"copy_file_range", "splice"} else arguments.split(", ", 1)[0]
        if name.startswith("symlink"):
            target = arguments
        if inside in target:
            raise Unseen(f"couldn't record: {name} writes what a trace does not show")

    def _named(self, arguments: str) -> list[str | None]:
        """Return the paths below the folder that a call names, None for one that is elsewhere."""
        named: list[str | None] = []
        for found in re.finditer(r'(?:(?:-?\d+|AT_FDCWD)<([^>]*)>, )?"([^"]*)"', arguments):
            folder, path = _bytes(found[1] or "").decode(), os.fsdecode(_bytes(found[2]))
            named.append(self._inside(os.path.normpath(Path(folder, path))))
        return named

    def _of_descriptor(self, arguments: str) -> str | None:
        found = _DESCRIPTOR.match(arguments)
        if found is None or not found[2] or found[3]:
            return None
        return self._inside(os.fsdecode(_bytes(found[2])))

    def _inside(self, path: str) -> str | None:
        if path == self._folder[:-1]:
            return ""
        if not path.startswith(self._folder) or path.endswith(LEFT_OUT):
            return None
        return path.removeprefix(self._folder)

    def _table(self, pid: int) -> dict[int, int]:
        return self._tables.setdefault(pid, {})


def _number(arguments: str) -> int:
    found = _DESCRIPTOR.match(arguments)
    assert found is not None, arguments[:80]
    return int(found[1])


def _first_string(arguments: str) -> str:
    found = _STRING.search(arguments)
    return found[1] if found else ""


def _bytes(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


def _bytes_in_hex(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())
