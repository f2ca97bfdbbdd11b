# SPDX-License-Identifier: Apache-2.0
"""A witness: the small program that a department or a bank runs, so that an operator cannot show two logs.

    python -m zhanqiao.ledger.witness init FOLDER --name NAME --log VKEY
    python -m zhanqiao.ledger.witness run FOLDER [--listen HOST:PORT]
    python -m zhanqiao.ledger.witness show FOLDER

It answers `POST /add-checkpoint` of C2SP tlog-witness and nothing else; what it checks is in `ledger.cosigning`. Runs
alone as `verify` does: the pure parts of this floor, `cryptography` and Python's own library. Whoever connects is a
stranger: bodies, headers, connections, those of one address, and their time are bounded. It listens on loopback unless
told otherwise; across a network put TLS before it (an answer needs no secrecy, and a forged one verifies nowhere).
"""

import argparse
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from zhanqiao.ledger.bounded_server import BoundedThreads
from zhanqiao.ledger.cosigning import MAX_REQUEST_BYTES, Answer, Clock, Witness, WitnessDamaged
from zhanqiao.ledger.note import NoteVerifier

LISTEN = "127.0.0.1:8181"
PATH = "/add-checkpoint"
# For head and body together, a few kB.
_REQUEST_SECONDS = 5
_CONNECTION_SECONDS = 30

Told = Callable[[Answer], None]


class WitnessServer(BoundedThreads, HTTPServer):
    """Serves one witness."""

    daemon_threads = True
    # Nobody honest needs more: a request is one body of a few kB from a handful of logs.
    most_connections = request_queue_size = 64
    most_of_one_address = 16

    def __init__(self, witness: Witness, address: tuple[str, int], told: Told) -> None:
        self.witness, self.told = witness, told
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_port}"

    def finish_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        with _cut_in(_CONNECTION_SECONDS, request):
            super().finish_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "zhanqiao-witness", ""
    timeout = _REQUEST_SECONDS

    def handle_one_request(self) -> None:
        """Take and answer one request; one that does not come whole in time ends the connection."""
        with _cut_in(_REQUEST_SECONDS, self.connection) as self._watch:
            super().handle_one_request()

    def do_POST(self) -> None:
        length = self.headers.get_all("Content-Length", [])
        if self.path != PATH:
            self._send(_plain(HTTPStatus.NOT_FOUND, f"only {PATH} is answered"), close=True)
        elif "Transfer-Encoding" in self.headers or len(length) != 1 or not _is_count(length[0]):
            self._send(_plain(HTTPStatus.LENGTH_REQUIRED, "a request needs its one Content-Length"), close=True)
        elif int(length[0]) > MAX_REQUEST_BYTES:
            self._send(_plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_REQUEST_BYTES} bytes"), close=True)
        else:
            body = self.rfile.read(int(length[0]))
            self._watch.cancel()  # how long an answer takes is our own business
            if len(body) == int(length[0]):
                self._send(self._answer(body))
            else:
                self.close_connection = True

    def _answer(self, body: bytes) -> Answer:
        try:
            answer = self.server.witness.add_checkpoint(body)
        except (WitnessDamaged, OSError) as damage:
            # The stranger is told that it is us; what exactly stands in our own record.
            answer = _plain(HTTPStatus.INTERNAL_SERVER_ERROR, "this witness needs its operator")
            self.server.told(Answer(answer.status, b"", about=str(damage)))
            return answer
        self.server.told(answer)
        return answer

    def _send(self, answer: Answer, *, close: bool = False) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.content)))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: object) -> None:
        """What strangers send is not printed; `told` prints what was decided."""


def serve(folder: Path, listen: str, clock: Clock, told: Told) -> WitnessServer:
    """Return a server that is bound and not running yet; raises WitnessDamaged, ValueError or OSError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not _is_count(port):
        raise ValueError(f"couldn't listen on {listen}: it is not HOST:PORT")
    return WitnessServer(Witness(folder, clock), (host, int(port)), told)


def line_of(answer: Answer) -> str:
    """Return what is printed of one answer."""
    return f"{int(answer.status)} {answer.about}"


@contextmanager
def _cut_in(seconds: float, connection: socket.socket) -> Iterator[threading.Timer]:
    """End the connection when the block takes longer: a time-out bounds each silence, not their sum."""
    watch = threading.Timer(seconds, _cut, [connection])
    watch.daemon = True
    watch.start()
    try:
        yield watch
    finally:
        watch.cancel()


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it ended by itself


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _plain(status: HTTPStatus, why: str) -> Answer:
    return Answer(status, f"{why}\n".encode())


# --- alone on the command line --------------------------------------------------------------------


def main(arguments: Sequence[str], clock: Clock) -> int:
    """Run one command; returns the exit status: 0 done, 1 fault."""
    options = _parser().parse_args(arguments)
    try:
        match options.command:
            case "init":
                init(options.folder, options.name, options.log, clock)
            case "run":
                run(options.folder, options.listen, clock)
            case "show":
                sys.stdout.write("".join(f"{line}\n" for line in shown(Witness(options.folder, clock))))
    except (WitnessDamaged, ValueError, OSError) as cause:
        sys.stderr.write(f"{cause}\n")
        return 1
    return 0


def init(folder: Path, name: str, logs: Sequence[str], clock: Clock) -> Witness:
    """Make a witness for these logs' vkeys and print its own key; where one stands already, let it watch these logs too."""
    verifiers = [NoteVerifier.from_vkey(vkey) for vkey in logs]
    if (folder / "witness.conf").exists():
        witness = Witness(folder, clock)
        if witness.name != name:
            raise ValueError(f"couldn't name the witness in {folder} {name}: it is {witness.name}")
        for log in verifiers:
            witness.watch(log)
    else:
        witness = Witness.found(folder, name, verifiers, clock)
    sys.stdout.write(f"{witness.verifier.vkey}\n")
    return witness


def run(folder: Path, listen: str, clock: Clock) -> None:
    """Answer until told to stop by SIGTERM or SIGINT; one line on standard output for each answer."""

    def told(answer: Answer) -> None:
        sys.stdout.write(f"{line_of(answer)}\n")
        sys.stdout.flush()

    # Both, whatever they were: a shell lets programs in the background ignore the second.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with serve(folder, listen, clock, told) as server:
        sys.stdout.write(f"{server.witness.name} listens on {server.url}\n")
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def shown(witness: Witness) -> list[str]:
    """Return what a witness is and knows, a line for each log."""
    lines = [witness.verifier.vkey]
    for origin in witness.logs():
        memory = witness.memory(origin)
        moment = datetime.fromtimestamp(memory.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines.append(f"{origin} {memory.checkpoint.size} {memory.checkpoint.root.hex()} {moment}")
    if count := witness.conflicts():
        lines.append(f"{count} checkpoints contradict what was cosigned: see {witness.folder / 'conflicts'}")
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m zhanqiao.ledger.witness", description="Witness logs.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("init", "make a witness, or let one watch another log"),
        ("run", "answer add-checkpoint"),
        ("show", "print key and memory"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("folder", type=Path, metavar="FOLDER", help="where the witness keeps key and memory")
        if name == "init":
            command.add_argument("--name", required=True, help="key name, a URL without its scheme")
            command.add_argument("--log", required=True, action="append", metavar="VKEY", help="key of a log to watch")
        if name == "run":
            command.add_argument("--listen", default=LISTEN, metavar="HOST:PORT")
    return parser


if __name__ == "__main__":
    # The command line is where the world comes in.
    sys.exit(main(sys.argv[1:], lambda: datetime.now(UTC)))  # noqa: TID251
