# SPDX-License-Identifier: Apache-2.0
"""The vault worker: the one process of a running deployment that opens the vault and writes the ledger.

It listens on a Unix socket, to processes of the users it was told, and believes none of them: a question counts because
who asks it signed it (`signed`), and is decided by the same doors as at the command line. What it says to whoever passes
questions on is an answer that was released, a refusal, what the log publishes, or its own health; nothing else.

Connections, their silence and the size of what they send are bounded. Nothing that a caller sent, and nothing of an
answer, is written to the process's own log.
"""

import os
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from socketserver import StreamRequestHandler, UnixStreamServer

from django.db import connections

from zhanqiao.desk import damage
from zhanqiao.desk.configuration import utc_now
from zhanqiao.desk.question import Verb, answer
from zhanqiao.desk.serving.frames import (
    LENGTHS_BYTES,
    MAX_BODY_BYTES,
    FrameWrong,
    Plain,
    head_of,
    lengths,
)
from zhanqiao.desk.serving.journal import Journal
from zhanqiao.desk.serving.metrics import Metrics
from zhanqiao.desk.serving.replies import BYTES, JSON, TEXT, Reply, refused
from zhanqiao.desk.serving.signed import Asker, open_signed
from zhanqiao.doors.release import Release
from zhanqiao.identity.directory import key_in_use
from zhanqiao.identity.keys import public_bytes
from zhanqiao.identity.proofs import proof_of
from zhanqiao.ledger.bounded_server import BoundedThreads
from zhanqiao.ledger.proof import acting
from zhanqiao.ledger.public_key import read_public_key
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.terms.canonical import canonical, object_of, text_of
from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.vault.house import House

_SILENCE_SECONDS = 60
_FOR_OWNER, _FOR_ALL = 0o600, 0o666
_PEER = struct.Struct("3i")
# What the log shows everybody; its entries name agreements and callers, and are the auditor's.
_TILE = re.compile(r"tile/[0-7]/(?:x[0-9]{3}/){0,6}[0-9]{3}(?:\.p/[1-9][0-9]{0,2})?", re.ASCII)
_MOST_PUBLIC_BYTES = 1 << 18
_VERBS = frozenset({*Verb, *Plain})
assert set(MAX_BODY_BYTES) == set(Verb), "every door has a bound"


class Worker(BoundedThreads, UnixStreamServer):
    """Serves one open deployment on one socket.

    origin      the log's name, to which questions must be addressed
    passers     users whose processes may pass questions on, by uid
    """

    # Questions under way are finished before the worker ends.
    daemon_threads, block_on_close = False, True
    most_connections = request_queue_size = 64

    def __init__(self, house: House, origin: str, path: Path, passers: frozenset[int], journal: Journal) -> None:
        self.house, self.origin, self.passers, self.journal = house, origin, passers, journal
        self.metrics = Metrics(house)
        super().__init__(str(path), _Handler)

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            connections.close_all()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  socketserver's hook
        """Tell the journal what kind of fault broke a connection off; our own mistakes are among them."""
        self.journal.note("broke-off", kind=type(sys.exc_info()[1]).__name__)

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002  socketserver's hook
        """Take nobody but the users that were named; the kernel says who it is."""
        assert isinstance(request, socket.socket)
        _, user, _ = _PEER.unpack(request.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        if user not in self.passers:
            self.journal.note("stranger", user=user)
        return user in self.passers

    def stop(self) -> None:
        """Take no more questions; those under way are answered first."""
        # From a thread of its own: whoever serves would wait for himself.
        threading.Thread(target=self.shutdown).start()

    def reply(self, verb: str, path: str, body: bytes) -> Reply:
        """Answer one question; whatever goes wrong is said in one sentence, and the worker goes on."""
        begun = time.perf_counter()
        try:
            reply = self._answer(verb, path, body)
        except Exception as fault:  # noqa: BLE001  the last wall: no fault ends the worker or shows what it held
            refusal = damage.named(fault) or refuse("worker-fault", kind=type(fault).__name__)
            reply = refused(refusal, "en")
            self.journal.note("fault", verb=verb, kind=type(fault).__name__)
        seconds = time.perf_counter() - begun
        self.metrics.count(verb, reply.status, seconds)
        if verb in MAX_BODY_BYTES:
            self.journal.note("answered", verb=verb, status=reply.status, seconds=round(seconds, 4))
        return reply

    def _answer(self, verb: str, path: str, body: bytes) -> Reply:
        match verb:
            case Plain.HEALTH:
                return Reply(HTTPStatus.OK, JSON, canonical({"status": "up", "log": self.origin}))
            case Plain.METRICS:
                return Reply(HTTPStatus.OK, TEXT, self.metrics.text())
            case Plain.PUBLIC:
                return self._published(path)
            case _:
                return self._ask(Verb(verb), body)

    def _ask(self, verb: Verb, body: bytes) -> Reply:
        # By the system's clock, as askers sign by theirs; a demo's clock may lag.
        opened = open_signed(verb, body, self.origin, utc_now(), _asker_of)
        if isinstance(opened, Refusal):
            return refused(opened, "en")
        question, asker = opened
        with acting(proof_of(asker.person, public_bytes(asker.key))):
            outcome = answer(question, asker.person, self.house)
        return refused(outcome, question.lang) if isinstance(outcome, Refusal) else released(outcome)

    def _published(self, path: str) -> Reply:
        home = self.house.home
        known = {"checkpoint": home / "ledger" / "checkpoint"}
        known |= {name: home / "public" / name for name in ("trust.txt", "log.vkey")}
        file = home / "ledger" / path if _TILE.fullmatch(path) else known.get(path)
        if file is None or not file.is_file():
            return refused(refuse("path-unknown"), "en")
        kind = BYTES if path.startswith("tile/") else TEXT
        return Reply(HTTPStatus.OK, kind, read_bounded(file, _MOST_PUBLIC_BYTES))


class _Handler(StreamRequestHandler):
    server: Worker
    timeout = _SILENCE_SECONDS

    def handle(self) -> None:
        try:
            for verb, path, body in self._questions():
                self.connection.sendall(self.server.reply(verb, path, body).frame().encoded())
        except (FrameWrong, OSError) as cause:
            self.server.journal.note("broke-off", kind=type(cause).__name__)

    def _questions(self) -> Iterator[tuple[str, str, bytes]]:
        """Read questions until the other side ends; one that is cut off is none."""
        while len(prefix := self.rfile.read(LENGTHS_BYTES)) == LENGTHS_BYTES:
            head_bytes, body_bytes = lengths(prefix, max(MAX_BODY_BYTES.values()))
            head = head_of(self.rfile.read(head_bytes))
            verb, _, path = head.partition(" ")
            if verb not in _VERBS or body_bytes > MAX_BODY_BYTES.get(verb, 0):
                raise FrameWrong("couldn't take a frame: an unknown verb, or more than it may hold")
            body = self.rfile.read(body_bytes)
            if len(body) < body_bytes:
                return
            yield verb, path, body


def released(release: Release) -> Reply:
    """Return an answer with its certificate, as one JSON object; the answer file's text is what the salt was made for."""
    parts = {
        "status": canonical("released"),
        "request": canonical(release.request),
        "answer_file": text_of(release.answer_file.decode()).encode(),
        "certificate": text_of(release.certificate.decode()).encode(),
    }
    return Reply(HTTPStatus.OK, JSON, object_of(parts))


def _asker_of(key_id: str) -> Asker | None:
    found = key_in_use(key_id)
    return None if found is None else Asker(found[0], read_public_key(found[1]))


@contextmanager
def serving(house: House, origin: str, path: Path, passers: frozenset[int], journal: Journal) -> Iterator[Worker]:
    """Bind the socket; raises AlreadyServed, or OSError where it cannot be bound.

    Who reaches it at all is settled by its folder; whose connection is taken, by `passers`.
    """
    _expect_free(path)
    path.unlink(missing_ok=True)
    worker = Worker(house, origin, path, passers, journal)
    try:
        path.chmod(_FOR_OWNER if passers <= {os.geteuid()} else _FOR_ALL)
        yield worker
    finally:
        worker.server_close()
        path.unlink(missing_ok=True)


class AlreadyServed(Exception):  # noqa: N818  the name says what is so
    """Another worker answers on that socket."""


def _expect_free(path: Path) -> None:
    """A socket that nobody answers on was left by a worker that was killed; one that answers is in use."""
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.connect(str(path))
        raise AlreadyServed(str(path))
