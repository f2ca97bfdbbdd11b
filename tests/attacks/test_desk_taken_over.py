# SPDX-License-Identifier: Apache-2.0
"""Somebody has the gateway: a shell with its user's rights, beside a running vault worker. Nothing is read or released.

The intruder is a process of the user `nobody`, for whom the deployment was told that the gateway runs. What it tries lies
open to it: the deployment's folder is in a place that everybody can enter, the socket is the gateway's to connect to, and
it holds a recording of a question that passed through. Each try is made by that user; what got through is named.
"""

import base64
import ctypes
import errno
import http.server
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lib.pier import Pier, released
from lib.served import Served, behind, said_anew
from lib.town import done
from zhanqiao.desk import deployment
from zhanqiao.desk.configuration import Serving, utc_now
from zhanqiao.desk.question import Question
from zhanqiao.desk.serving import socket_folder
from zhanqiao.desk.serving.frames import LENGTHS_BYTES, MAX_ANSWER_BYTES, Frame, lengths
from zhanqiao.desk.serving.plan import plan
from zhanqiao.desk.serving.remote import Remote
from zhanqiao.desk.serving.signed import sign
from zhanqiao.ledger.dsse import key_id_of, sign_envelope
from zhanqiao.ledger.trust import Trust
from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.refusals import Refusal

BY_DISTRICT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"
INTRUDER = "nobody"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="LEFT OUT: only root can act as another user")


@dataclass(frozen=True)
class Open:
    """A vault worker that runs, in a folder that everybody can enter, beside the gateway's user."""

    pier: Pier
    socket: Path
    worker: subprocess.Popen[str]
    uid: int


@pytest.fixture
def beside(worker_beside: Open) -> Open:
    """The same for each test; its state is opened anew, as other tests open others in this process."""
    return replace(worker_beside, pier=worker_beside.pier.reopened())


@pytest.fixture(scope="module")
def worker_beside(settled_pier) -> Iterator[Open]:
    from conftest import Clock

    open_to_all = Path(tempfile.mkdtemp(prefix="zhanqiao-beside-", dir="/tmp"))
    try:
        open_to_all.chmod(0o755)
        home = settled_pier.copy(open_to_all / "home")
        pier = Pier(done(deployment.open_house(home, Clock())), settled_pier)
        path = open_to_all / "run" / "vault.sock"
        serving = Serving(socket=str(path), gateway_user=INTRUDER)
        said_anew(pier, clock_behind_seconds=behind(pier), serving=serving)
        planned = plan(home)
        assert not isinstance(planned, Refusal), planned
        assert planned.apart
        socket_folder.make(planned)
        with _worker(planned.worker_command()) as process:
            yield Open(pier, path, process, pwd.getpwnam(INTRUDER).pw_uid)
    finally:
        shutil.rmtree(open_to_all)


@contextmanager
def _worker(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.terminate()


def as_user(uid: int, act: Callable[[], object]) -> object:
    """Let a process of that user act; return what it found, as data."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.setgroups([])
            os.setresgid(_group_of(uid), _group_of(uid), _group_of(uid))
            os.setresuid(uid, uid, uid)
            with os.fdopen(writer, "w") as told:
                json.dump(act(), told)
        except BaseException as fault:  # noqa: BLE001  told to the parent, never run on as a second pytest
            os.write(2, f"{type(fault).__name__}: {fault}\n".encode())
            os._exit(1)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        said = told.read()
    assert os.waitpid(child, 0)[1] == 0, "the intruder's process failed"
    return json.loads(said)


def _group_of(uid: int) -> int:
    return pwd.getpwuid(uid).pw_gid


def through(tries: dict[str, Callable[[], object]]) -> list[str]:
    """Make every try; return those that got through: that were neither forbidden nor led to nothing."""
    got = []
    for name, one in tries.items():
        try:
            if one():
                got.append(name)
        except OSError as forbidden:
            if forbidden.errno not in {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ESRCH, errno.ELOOP}:
                got.append(f"{name}: {forbidden}")
    return got


# --- files ------------------------------------------------------------------------------------------


def _file_tries(paths: list[Path]) -> dict[str, Callable[[], object]]:
    tries: dict[str, Callable[[], object]] = {}
    for path in paths:
        tries[f"read {path}"] = lambda path=path: bool(path.read_bytes()) or True
        tries[f"write {path}"] = lambda path=path: os.open(path, os.O_WRONLY | os.O_APPEND)
        tries[f"unlink {path}"] = lambda path=path: path.unlink() is None
        tries[f"move {path}"] = lambda path=path: path.rename(path.with_name("gone"))
        tries[f"open up {path}"] = lambda path=path: path.chmod(0o777) is None
        tries[f"link {path}"] = lambda path=path: os.link(path, f"/tmp/zhanqiao-link-{os.getpid()}") is None
    return tries


@needs_root
def test_no_file_of_the_deployment_is_reached(beside: Open) -> None:
    paths = [path for path in sorted(beside.pier.home.rglob("*")) if path.is_file()]
    folders = [beside.pier.home, *(path for path in beside.pier.home.rglob("*") if path.is_dir())]
    assert len(paths) > 100
    tries = _file_tries(paths)
    for folder in folders:
        tries[f"list {folder}"] = lambda folder=folder: [path.name for path in folder.iterdir()] or True
        tries[f"put into {folder}"] = lambda folder=folder: (folder / "planted").write_bytes(b"x")
    assert as_user(beside.uid, lambda: through(tries)) == []
    # The control: one file that is everybody's is read, and seen to be.
    bare = beside.pier.home.parent / "bare"
    bare.write_bytes(b"secret")
    bare.chmod(0o644)
    assert as_user(beside.uid, lambda: through(_file_tries([bare]))) == [f"read {bare}"]


@needs_root
def test_the_socket_cannot_be_replaced_or_opened_to_others(beside: Open) -> None:
    path = beside.socket
    tries: dict[str, Callable[[], object]] = {
        "unlink": lambda: path.unlink() is None,
        "move": lambda: path.rename(path.with_name("other")),
        "chmod": lambda: path.chmod(0o777) is None,
        "chown": lambda: os.chown(path, os.getuid(), -1) is None,
        "bind beside": lambda: socket.socket(socket.AF_UNIX).bind(str(path.with_name("mine.sock"))) is None,
        "list": lambda: [one.name for one in path.parent.iterdir()],
        "open up the folder": lambda: path.parent.chmod(0o777) is None,
        "move the folder": lambda: path.parent.rename(path.parent.with_name("else")),
        "a link in its place": lambda: path.with_name("link").symlink_to("/etc/passwd") is None,
    }
    assert as_user(beside.uid, lambda: through(tries)) == []


# --- the process ------------------------------------------------------------------------------------


@needs_root
def test_the_worker_cannot_be_looked_into_or_stopped(beside: Open) -> None:
    pid = beside.worker.pid
    libc = ctypes.CDLL(None, use_errno=True)

    def called(function: str, *arguments: object) -> bool:
        if getattr(libc, function)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), function)
        return True

    looks = ("mem", "maps", "environ", "auxv", "io", "pagemap", "stack", "syscall", "smaps", "numa_maps", "personality")
    tries: dict[str, Callable[[], object]] = {
        f"read {name}": lambda name=name: Path(f"/proc/{pid}/{name}").read_bytes() or True for name in looks
    }
    tries |= {
        f"list {name}": lambda name=name: [one.name for one in Path(f"/proc/{pid}/{name}").iterdir()] or True
        for name in ("fd", "map_files")
    }
    tries |= {
        f"follow {name}": lambda name=name: Path(f"/proc/{pid}/{name}").readlink() for name in ("cwd", "root", "exe")
    }
    tries |= {f"open descriptor {n}": lambda n=n: os.open(f"/proc/{pid}/fd/{n}", os.O_RDONLY) for n in range(24)}
    tries |= {
        f"signal {number}": lambda number=number: os.kill(pid, number) is None
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    }
    ptrace_attach, ptrace_seize = 16, 0x4206
    tries |= {
        "trace": lambda: called("ptrace", ptrace_attach, pid, None, None),
        "seize": lambda: called("ptrace", ptrace_seize, pid, None, None),
        "limit": lambda: os.sched_setaffinity(pid, {0}) is None,
        "slow down": lambda: os.setpriority(os.PRIO_PROCESS, pid, 19) is None,
        "write mem": lambda: os.open(f"/proc/{pid}/mem", os.O_RDWR),
        "let it be killed first": lambda: Path(f"/proc/{pid}/oom_score_adj").write_text("1000"),
        "take a descriptor": lambda: called("syscall", 438, os.pidfd_open(pid), 3, 0),
    }
    assert as_user(beside.uid, lambda: through(tries)) == []
    assert beside.worker.poll() is None


# --- the socket's other side --------------------------------------------------------------------------


def spoken(path: Path, *frames: bytes) -> list[tuple[int, bytes]]:
    """Say some bytes to the worker, frame by frame; return the status and body of each answer."""
    heard = []
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(30)
        line.connect(str(path))
        for frame in frames:
            line.sendall(frame)
            reply = line.makefile("rb")
            prefix = reply.read(LENGTHS_BYTES)
            if len(prefix) < LENGTHS_BYTES:
                return heard
            head, body = lengths(prefix, MAX_ANSWER_BYTES)
            status = reply.read(head).split(b" ")[0]
            heard.append((int(status), reply.read(body)))
    return heard


def _framed(verb: str, body: bytes) -> bytes:
    return Frame(verb, body).encoded()


@pytest.fixture
def recorded(beside: Open) -> bytes:
    """A question that passed through the gateway while somebody listened."""
    asker = Served(beside.pier, "", beside.worker)
    return asker.envelope(asker.question(BY_DISTRICT))


def _forgeries(beside: Open, recorded: bytes) -> dict[str, bytes]:
    """Every question that the intruder can make up, by what it hopes for: frames for the worker."""
    asker = Served(beside.pier, "", beside.worker)
    origin, now = asker.remote().trust.logs[0].name, utc_now()
    own = Ed25519PrivateKey.generate()
    question = asker.question(BY_DISTRICT)
    envelope = json.loads(recorded)
    payload = canonical(json.loads(_payload(recorded)))

    def resigned(**changed: object) -> bytes:
        """The recorded question with something else in it, under the analyst's key id and the intruder's signature."""
        body = canonical({**json.loads(payload), **changed})
        return sign_envelope(envelope["payloadType"], body, envelope["signatures"][0]["keyid"], own)

    def altered(**changed: object) -> bytes:
        """The recorded signature over something else."""
        body = base64.b64encode(canonical({**json.loads(payload), **changed})).decode()
        return canonical({**envelope, "payload": body})

    number = "0123456789abcdef" * 2
    tries = {
        "signed with a key of one's own": _framed("ask", sign(question, origin, now, own)),
        "under the analyst's key id": _framed("ask", resigned(request=number)),
        "another request": _framed("ask", altered(request=number)),
        "another agreement": _framed("ask", altered(agreement=beside.pier.agreements["rival"])),
        "another statement": _framed("ask", altered(statement="SELECT count(*) AS n FROM firm_turnover")),
        "made later": _framed("ask", altered(made="2099-01-01T00:00:00Z")),
        "to another door": _framed("decide", recorded),
        "as a list": _framed("decide-batch", recorded),
        "without signature": _framed("ask", canonical({**envelope, "signatures": []})),
        "with two signatures": _framed("ask", canonical({**envelope, "signatures": envelope["signatures"] * 2})),
        "with a key of its own beside": _framed("ask", canonical({**envelope, "key": "me"})),
        "with spaces": _framed("ask", json.dumps(envelope, indent=1).encode()),
        "with a key twice": _framed("ask", recorded.replace(b'{"payload":', b'{"payload":"","payload":', 1)),
        "the payload alone": _framed("ask", payload),
        "of another type": _framed("ask", canonical({**envelope, "payloadType": "application/vnd.in-toto+json"})),
        "nothing": _framed("ask", b""),
        "no JSON": _framed("ask", b"\xff\xfe"),
        "deep": _framed("ask", b"[" * 100_000),
        "a question that is old": _framed("ask", asker_signed(beside, question, now - timedelta(minutes=6))),
        "a question of the future": _framed("ask", asker_signed(beside, question, now + timedelta(minutes=6))),
        "for another city": _framed("ask", sign(question, "elsewhere/log", now, asker.key("bank-analyst"))),
    }
    # Each byte of payload and signature, here and there: no spelling of the recorded question is another question.
    for place in range(30, len(recorded) - 2, max(1, len(recorded) // 80)):
        swapped = bytes([recorded[place] ^ 1])
        tries[f"byte {place} altered"] = _framed("ask", recorded[:place] + swapped + recorded[place + 1 :])
    people = ("bureau-officer", "rival-analyst", "bank-signatory", "secadmin")
    for who in people:
        key_id = key_id_of(asker.key(who).public_key())
        forged = canonical({**envelope, "signatures": [{**envelope["signatures"][0], "keyid": key_id}]})
        tries[f"in the name of {who}"] = _framed("ask", forged)
    return tries


def asker_signed(beside: Open, question: Question, made) -> bytes:
    asker = Served(beside.pier, "", beside.worker)
    return sign(question, asker.remote().trust.logs[0].name, made, asker.key("bank-analyst"))


def _payload(envelope: bytes) -> bytes:
    return base64.b64decode(json.loads(envelope)["payload"])


@needs_root
def test_no_made_up_question_is_answered_or_charged(beside: Open, recorded: bytes) -> None:
    forgeries = _forgeries(beside, recorded)
    assert len(forgeries) > 90
    size, spent = beside.pier.house.book.size, beside.pier.spent()

    def answered() -> list[str]:
        return [name for name, frame in forgeries.items() if not _refused(spoken(beside.socket, frame))]

    assert as_user(beside.uid, answered) == []
    assert (beside.pier.house.book.size, beside.pier.spent()) == (size, spent), "nothing was logged as asked by anybody"
    # The control: the recorded question itself is answered, once charged, and its answer is the asker's anyway.
    assert as_user(beside.uid, lambda: [s for s, _ in spoken(beside.socket, *[_framed("ask", recorded)] * 2)]) == [
        200,
        200,
    ]
    assert beside.pier.spent() == spent + 1


def _refused(answers: list[tuple[int, bytes]]) -> bool:
    return all(status in {400, 401} and b'"released"' not in body for status, body in answers)


@needs_root
def test_the_worker_knows_no_other_verbs_and_shows_no_other_files(beside: Open) -> None:
    verbs = [
        "open",
        "run",
        "shutdown",
        "backup",
        "seal",
        "sql",
        "ASK",
        "ask\n",
        "",
        "public",
        "audit",
        "reason",
        "eval",
    ]
    frames = {f"verb {verb!r}": _framed(verb, b"") for verb in verbs}
    paths = [
        "../state.sqlite3", "../keys/vault/kek.key", "tile/entries/000.p/1", "tile/0/../../lock", "/etc/passwd", "lock",
        "tile/0/000/../../../keys/ledger/log.pem", "trust.txt/../../zhanqiao.toml", "tile/9/000", "tile/0/x", "%2e%2e/",
        "tile/0/000\x00.p/1", "certificates/0", "log.pem", ".", "",
    ]  # fmt: skip
    frames |= {f"path {path!r}": Frame("public " + path).encoded() for path in paths}
    frames |= {
        "longer than may be": b"\x00\x03" + b"\xff\xff\xff\xff" + b"ask",
        "longer than an ask may be": b"\x00\x03" + (2 << 20).to_bytes(4, "big") + b"ask" + b"x" * 100,
        "a head that is too long": b"\xff\xff" + b"\x00" * 4,
        "a head that is not ASCII": b"\x00\x03\x00\x00\x00\x00" + "é".encode() + b"\xff",
        "public with a body": Frame("public trust.txt", b"x").encoded(),
    }

    def shown() -> list[str]:
        return [
            name
            for name, frame in frames.items()
            if any(status == 200 for status, _ in spoken(beside.socket, frame + b"\x00" * 8))
        ]

    assert as_user(beside.uid, shown) == []
    known = as_user(beside.uid, lambda: [s for s, _ in spoken(beside.socket, Frame("public trust.txt").encoded())])
    assert known == [200], "the control: what is public is shown"


@needs_root
def test_what_is_cut_off_or_held_open_stops_nobody_else(beside: Open, recorded: bytes) -> None:
    frame = _framed("ask", recorded)

    def pester() -> int:
        held = []
        for cut in range(0, len(frame), 37):
            line = socket.socket(socket.AF_UNIX)
            with suppress(OSError):
                line.connect(str(beside.socket))
                line.sendall(frame[:cut])
                held.append(line)
            if len(held) > 40:
                held.pop(0).close()
        # An honest question beside forty lines that are held open.
        return spoken(beside.socket, frame)[0][0]

    assert as_user(beside.uid, pester) == 200


@needs_root
def test_no_other_user_of_the_machine_is_heard(beside: Open, recorded: bytes) -> None:
    stranger = pwd.getpwnam("daemon").pw_uid

    def connects() -> bool:
        try:
            return bool(spoken(beside.socket, _framed("ask", recorded)))
        except OSError:
            return False

    assert as_user(stranger, connects) is False
    # Even where the folder lets everybody in, the worker hears the users that it was told.
    beside.socket.parent.chmod(0o755)
    try:
        assert as_user(stranger, connects) is False
        assert as_user(beside.uid, connects) is True
    finally:
        beside.socket.parent.chmod(0o710)


# --- what comes back --------------------------------------------------------------------------------


class _Liar(http.server.BaseHTTPRequestHandler):
    body = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _lying(remote: Remote, body: bytes) -> Iterator[Remote]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Liar", (_Liar,), {"body": body})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield replace(remote, url=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_an_asker_takes_nothing_for_an_answer_that_is_not_its_own(pier: Pier) -> None:
    trust = Trust.parse((pier.home / "public" / "trust.txt").read_bytes())
    asker = Served(pier, "", None)  # type: ignore[arg-type]
    remote = Remote("", trust, asker.key("bank-analyst"), utc_now)
    another = released(pier.ask(BY_DISTRICT))
    question = asker.question(BY_DISTRICT)
    own = released(pier.ask(BY_DISTRICT, request=question.request))

    def told(answer_file: bytes, certificate: bytes) -> bytes:
        parts = {"answer_file": answer_file.decode(), "certificate": certificate.decode()}
        return json.dumps({"status": "released", "request": question.request, **parts}).encode()

    lies = {
        "another question's answer": told(another.answer_file, another.certificate),
        "its certificate with our answer": told(own.answer_file, another.certificate),
        "its answer with our certificate": told(another.answer_file, own.certificate),
        "a figure altered": told(own.answer_file.replace(b"11", b"12"), own.certificate),
        "the request renamed": told(another.answer_file.replace(another.request.encode(), question.request.encode()), another.certificate),
        "no certificate": json.dumps({"status": "released", "answer_file": own.answer_file.decode()}).encode(),
    }  # fmt: skip
    for name, body in lies.items():
        with _lying(remote, body) as lied:
            outcome = lied.ask(question)
        assert isinstance(outcome, Refusal), name
        assert [reason.code for reason in outcome.reasons] == ["answer-not-certified"], name
    with _lying(remote, told(own.answer_file, own.certificate)) as honest:
        assert honest.ask(question) == own


@needs_root
def test_the_log_is_whole_after_all_of_it(beside: Open) -> None:
    audited = beside.pier.command("ledger", "audit")
    assert audited.returncode == 0, audited.stdout
