# SPDX-License-Identifier: Apache-2.0
"""Whoever turns Sail, or the client beside it, sits in a room: nothing to reach, read, write or become in there.

Each attempt is made twice, by the same program: without walls it wins, inside it does not.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from lib import spark_rooms
from lib.vault_cases import BY_PERSON, CUBE, batch, keyring, row, statement
from zhanqiao.terms.datasets import CubeSpec
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault import spark_session, spark_walls
from zhanqiao.vault.connection import Limits
from zhanqiao.vault.engines import Read
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.segments import SegmentStore
from zhanqiao.vault.spark_engine import SparkEngine
from zhanqiao.vault.spark_session import Room, Session

pytestmark = spark_rooms.WANTED
ROOT = Path(__file__).parents[2]

PROBE = """
import ctypes, json, os, socket, sys
port, secret, parent, writable = json.loads(sys.stdin.readline())
def tried(attempt):
    try:
        return attempt() is not False
    except BaseException:
        return False
def reach():
    socket.create_connection(("127.0.0.1", port), 2).close()
def outside():
    # An address of documentation: no packet must leave, but a network would know a way.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))
def read(path):
    return open(path, "rb").read(1) != b""
def write(folder):
    name = os.path.join(folder, "left-behind")
    with open(name, "wb") as file:
        file.write(b"x")
    os.unlink(name)
libc = ctypes.CDLL(None, use_errno=True)
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines() if ":" in line)
print(json.dumps({
    "reaches a port of the machine": tried(reach),
    "has a way out": tried(outside),
    "reads a secret": tried(lambda: read(secret)),
    "reads accounts": tried(lambda: read("/etc/passwd")),
    "sees its parent": tried(lambda: os.path.exists(f"/proc/{parent}") and read(f"/proc/{parent}/cmdline")),
    "writes beside us": tried(lambda: write(writable)),
    "writes somewhere": any(tried(lambda f=f: write(f)) for f in ("/", "/tmp", "/dev", "/dev/shm", "/run", "/var/tmp", os.getcwd())),
    "has an environment": bool(os.environ.keys() - {"PWD", "LC_CTYPE", "PYTEST_CURRENT_TEST"}),
    "makes a namespace": tried(lambda: libc.unshare(0x10000000) == 0),
    "can gain rights": status["NoNewPrivs"].strip() != "1",
    "is pid 1": os.getpid() == 1,
    "holds other descriptors": sorted(os.listdir("/proc/self/fd"))[3:4] != [] and any(
        os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd") if int(one) > 2 and os.path.exists(f"/proc/self/fd/{one}") and not os.readlink(f"/proc/self/fd/{one}").startswith("/proc/")),
    "capabilities": int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapBnd"], 16),
    "uid": os.getuid(),
}), flush=True)
sys.stdin.read()
"""
ATTEMPTS = (
    "reaches a port of the machine",
    "reads a secret",
    "reads accounts",
    "sees its parent",
    "writes beside us",
    "writes somewhere",
    "has an environment",
    "can gain rights",
)


@pytest.fixture
def found(tmp_path):
    """What the probe finds without walls, and in a room; the room's own uid as the machine sees it."""
    program, secret, writable = tmp_path / "probe.py", tmp_path / "secret", tmp_path / "open"
    program.write_text(PROBE, encoding="utf-8")
    secret.write_text("the key", encoding="utf-8")
    writable.mkdir()
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    writable.chmod(0o777)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = json.dumps([listener.getsockname()[1], str(secret), os.getpid(), str(writable)]).encode() + b"\n"

        def answer(process: "subprocess.Popen[bytes]") -> dict[str, object]:
            try:
                os.write(process.stdin.fileno(), task)
                said = json.loads(process.stdout.readline())
                return said | {"seen": _pids_below(process.pid)}
            finally:
                Room(process).close()

        bare = subprocess.Popen(
            [sys.executable, str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={"SECRET": "x"},
        )
        yield answer(bare), answer(spark_walls.start(Limits(), program))


def _pids_below(pid: int) -> dict[int, set[int]]:
    """Return a process and its children, each with its uids as the machine counts them."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            facts = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except (OSError, ProcessLookupError):
            continue
        if pid in {int(facts["Pid"]), int(facts["PPid"])}:
            found[int(facts["Pid"])] = {int(uid) for uid in facts["Uid"].split()}
    return found


def test_nothing_can_be_reached_from_a_room(found):
    """No port, no file, no process, no place to write, no environment, no right and no way to one."""
    bare, walled = found
    assert {name for name in ATTEMPTS if bare[name]} == set(ATTEMPTS), "the attempts win without walls"
    assert [name for name in ATTEMPTS if walled[name]] == []
    assert not walled["has a way out"]
    assert not walled["makes a namespace"]
    assert not walled["holds other descriptors"]
    assert walled["is pid 1"]
    assert walled["capabilities"] == 0


def test_bubblewrap_is_never_started_by_root(found):
    """Inside all its namespaces user 0 would still be the machine's root."""
    _, walled = found
    assert walled["uid"] != 0
    seen = set().union(*walled["seen"].values())
    assert len(walled["seen"]) == 2, "bubblewrap outside, the program inside"
    assert 0 not in seen
    if os.geteuid():
        assert seen == {walled["uid"]} == {os.geteuid()}


def test_sail_itself_reads_no_file(tmp_path):
    """Its SQL opens any file that its process can: there is none."""
    (tmp_path / "secret.csv").write_text("id\n37020219", encoding="utf-8")
    (tmp_path / "secret.csv").chmod(0o644)
    sql = json.dumps({"sql": f"SELECT * FROM csv.`{tmp_path}/secret.csv`", "parameters": []}).encode()

    def told(room: Room) -> bool:
        try:
            return b"37020219" in room.say(b"Q", room.session().name, content=sql).to_pybytes()
        except VaultFault:
            return False

    with spark_session.at("") as room:
        assert told(room), "the attempt wins without walls"
    with spark_session.walled() as room:
        assert not told(room)


def test_a_room_ends_with_whoever_opened_it():
    """Also when that is killed and closes nothing."""
    program = (
        "import time\n"
        "from zhanqiao.vault import spark_session\n"
        "with spark_session.walled() as room:\n"
        "    room.session()\n"
        "    print(room._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as opener:
        room = int(opener.stdout.readline())
        assert Path(f"/proc/{room}").exists()
        opener.send_signal(signal.SIGKILL)
    until = time.monotonic() + 20
    while Path(f"/proc/{room}").exists() and "Z" not in Path(f"/proc/{room}/stat").read_text().split(")")[1][:3]:
        assert time.monotonic() < until, "the room outlives its opener"
        time.sleep(0.05)


def test_a_room_that_does_not_listen_is_ended(tmp_path, monkeypatch):
    """What is inside is gone when closing returns, not only the walls around it."""
    program = tmp_path / "deaf.py"
    program.write_text("import time\nprint(flush=True)\nwhile True:\n    time.sleep(60)\n", encoding="utf-8")
    monkeypatch.setattr(spark_session, "_GOODBYE_SECONDS", 0.1)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    process = spark_walls.start(Limits(), program)
    assert process.stdout.readline() == b"\n"
    inside = _pids_below(process.pid)
    assert len(inside) == 2
    Room(process).close()
    assert [
        pid for pid in inside if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()
    ] == []


# --- what goes in ---------------------------------------------------------------------------------------


class _Listening(Room):
    """A room whose listener writes down what is handed over."""

    def __init__(self, room: Room, heard: list[pa.Table]) -> None:
        self._room = room
        self._heard = heard

    @property
    def closed(self):
        return self._room.closed

    def session(self) -> Session:
        return Session(self, self._room.session().name)

    def forget(self, session):
        self._room.forget(session)

    def say(self, letter, session, table="", content=b""):
        if letter == b"T":
            self._heard.append(pa.ipc.open_stream(pa.py_buffer(content)).read_all())
        return self._room.say(letter, session, table, content)


def test_only_the_columns_that_are_asked_for_go_in(tmp_path):
    """A cube's dimensions, keys and measures; a subject's items; of published atoms neither persons nor enterprises."""
    heard: list[pa.Table] = []

    class _Rooms:
        def __enter__(self):
            self._lent = spark_rooms.kept()
            return _Listening(self._lent.__enter__(), heard)

        def __exit__(self, *_):
            self._lent.__exit__(None, None, None)

    chosen = SparkEngine(SegmentStore(tmp_path / "segments", tmp_path / "scratch", keyring(tmp_path)), _Rooms)
    rows = [row(n, district="A", birth_year=1950, months=1, insured=True) for n in range(20)]
    segment = chosen.load(BY_PERSON, "s1", [batch(BY_PERSON, rows)])
    atoms = chosen.cube(BY_PERSON, CubeSpec("by_district", ("district",), ("months",)), [segment])
    assert [one.schema.names for one in heard] == [["district", "person_id", "months"], ["dim_0", "first_0"]]
    heard.clear()
    assert len(chosen.rows_of([Read(BY_PERSON, (segment,), ("insured",))], SubjectKind.PERSON, 3)[0]) == 1
    assert [one.schema.names for one in heard] == [["person_id", "insured"]]
    heard.clear()
    chosen.opened(BY_PERSON, CubeSpec("by_district", ("district",), ("months",)), atoms).answer(statement(["district"]))
    assert [one.schema.names for one in heard] == [["district", "rows", "sum_months", "n_months"]]


# --- what comes out -------------------------------------------------------------------------------------

LIAR = """
import struct, sys
head = struct.Struct(">cQ")
said = bytes.fromhex(sys.argv[1])
while first := sys.stdin.buffer.read(head.size):
    letter, length = head.unpack(first)
    sys.stdin.buffer.read(length)
    sys.stdout.buffer.write(said if letter == b"Q" else head.pack(b"Y", 0))
    sys.stdout.buffer.flush()
    if not said:
        break
"""


def _frame(letter: bytes, content: bytes) -> bytes:
    return letter + len(content).to_bytes(8, "big") + content


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


_TOLD = "370202195001011234 is a value"
LIES = {
    "it breaks off": (b"", "the room broke off"),
    "half a head": (b"Y\0\0", "the room broke off"),
    "a length without end": (b"Y" + b"\xff" * 8, "the room broke off"),
    "another letter": (_frame(b"Z", b"x"), "no answer|x$"),
    "no Arrow": (_frame(b"Y", b"no arrow"), "the answer is no table"),
    "another type": (_frame(b"Y", _stream(pa.table({"n": pa.array([1], pa.int32())}))), "other columns"),
    "another name": (_frame(b"Y", _stream(pa.table({"m": pa.array([1], pa.int64())}))), "other columns"),
    "one column more": (
        _frame(b"Y", _stream(pa.table({"n": pa.array([1], pa.int64()), "o": pa.array([1], pa.int64())}))),
        "other columns",
    ),
    "a value in its words": (_frame(b"X", _TOLD.encode()), "no answer"),
}


@pytest.mark.parametrize(("said", "meant"), LIES.values(), ids=LIES)
def test_what_a_room_says_is_not_believed(said, meant):
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", LIAR, said.hex()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    if len(said) < 9:
        # What breaks off says no more.
        process.stdin.write(b"")
    room = Room(process)
    try:
        with pytest.raises(VaultFault, match=meant) as fault:
            session = room.session()
            if said == b"Y\0\0":
                process.stdin.close()
            session.ask("SELECT 1", pa.schema([("n", pa.int64())]))
        assert _TOLD not in str(fault.value)
    finally:
        room.close()


def test_a_room_that_broke_off_is_followed_by_another(tmp_path):
    """An open cube goes on in the next room; a job's room is its own."""
    opened: list[Room] = []

    class _Rooms:
        def __enter__(self):
            self._lent = spark_session.walled()
            opened.append(self._lent.__enter__())
            return opened[-1]

        def __exit__(self, *_):
            self._lent.__exit__(None, None, None)

    chosen = SparkEngine(SegmentStore(tmp_path / "segments", tmp_path / "scratch", keyring(tmp_path)), _Rooms)
    rows = [row(n, district="A", birth_year=1950, months=1) for n in range(20)]
    atoms = chosen.cube(BY_PERSON, CUBE, [chosen.load(BY_PERSON, "s1", [batch(BY_PERSON, rows)])])
    assert opened[0].closed, "a job's room ends with it"
    cube = chosen.opened(BY_PERSON, CUBE, atoms)
    first = cube.answer(statement(["district"])).table
    for inside in _pids_below(opened[-1]._process.pid):
        os.kill(inside, signal.SIGKILL)
    with pytest.raises(VaultFault, match="the room broke off"):
        cube.answer(statement(["district"]))
    assert cube.answer(statement(["district"])).table.equals(first)
    assert len(opened) == 3
