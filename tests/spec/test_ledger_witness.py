# SPDX-License-Identifier: Apache-2.0
"""A witness cosigns one history of a log, and answers as C2SP tlog-witness says."""

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from lib.served import until
from lib.witnessed_logs import LOG, ORIGIN, LiarsLog, found_witness, key_of
from zhanqiao.ledger import witness as witness_program
from zhanqiao.ledger.cosignature import attach, cosignatures_on, read_cosignature
from zhanqiao.ledger.cosigning import Submission, Witness, WitnessDamaged
from zhanqiao.ledger.note import NoteSigner, open_signed, sign
from zhanqiao.ledger.problems import Unsound
from zhanqiao.ledger.tree import MAX_SIZE
from zhanqiao.ledger.witness import WitnessServer, main

TREE = LiarsLog.of(40)


@pytest.fixture
def witness(tmp_path, clock):
    return found_witness(tmp_path / "witness", clock)


def told(answer) -> tuple[int, str, bytes]:
    return int(answer.status), answer.content_type, answer.content


def status(answer) -> int:
    return int(answer.status)


# --- what is answered -------------------------------------------------------------------------------


def test_a_log_that_grows_is_cosigned_at_each_size_with_the_time(witness, clock):
    for old, size in [(0, 0), (0, 1), (1, 7), (7, 8), (8, 33), (33, 40)]:
        answer = TREE.show(witness, old, size)
        assert status(answer) == 200
        cosignature = read_cosignature(TREE.checkpoint(size).text(), answer.content, witness.verifier)
        assert cosignature.time == int(clock().timestamp())
        note = attach(TREE.note(size), [cosignature])
        assert open_signed(note, [LOG.verifier, witness.verifier]).signed.keys() == {LOG.verifier, witness.verifier}
        clock.forward(minutes=1)


def test_the_same_checkpoint_is_cosigned_again_with_a_new_time(witness, clock):
    TREE.show(witness, 0, 12)
    clock.forward(minutes=1)
    answer = TREE.show(witness, 12, 12)
    text = TREE.checkpoint(12).text()
    assert read_cosignature(text, answer.content, witness.verifier).time == int(clock().timestamp())


def test_a_log_nobody_watches_is_404(witness):
    stranger = NoteSigner("zhanqiao.test/other", key_of("log"))
    note = sign(TREE.checkpoint(5).text().replace(ORIGIN, "zhanqiao.test/other"), [stranger])
    assert status(witness.add_checkpoint(Submission(0, (), note).body())) == 404


@pytest.mark.parametrize("signer", [NoteSigner(ORIGIN, key_of("thief")), NoteSigner("zhanqiao.test/x", key_of("log"))])
def test_a_checkpoint_that_the_log_did_not_sign_is_403(witness, signer):
    assert status(witness.add_checkpoint(Submission(0, (), TREE.note(5, signer)).body())) == 403


def test_a_wrong_signature_in_the_logs_name_is_403(witness):
    text = TREE.checkpoint(6).text()
    _, _, signatures = TREE.note(5).rpartition(b"\n\n")
    assert status(witness.add_checkpoint(Submission(0, (), f"{text}\n".encode() + signatures).body())) == 403


def test_signatures_of_unknown_keys_are_ignored(witness):
    note = sign(TREE.checkpoint(5).text(), [NoteSigner("somebody", key_of("thief")), LOG])
    assert status(witness.add_checkpoint(Submission(0, (), note).body())) == 200


def test_an_old_size_beyond_the_new_is_400(witness):
    assert status(witness.add_checkpoint(Submission(6, (), TREE.note(5)).body())) == 400


def test_another_old_size_than_remembered_is_409_with_the_remembered(witness):
    assert status(TREE.show(witness, 0, 12)) == 200
    for old, size in [(0, 20), (11, 20), (13, 20), (5, 12), (5, 11)]:
        assert told(TREE.show(witness, old, size)) == (409, "text/x.tlog.size", b"12\n")


def test_another_root_of_the_same_size_is_409_and_kept_as_proof(witness):
    TREE.show(witness, 0, 12)
    fork = TREE.forked(4)
    answer = fork.show(witness, 12, 12)
    assert (status(answer), answer.content_type) == (409, "text/plain; charset=utf-8")
    kept = [path.read_bytes() for path in (witness.folder / "conflicts").iterdir()]
    assert kept == [fork.note(12)]
    assert LOG.verifier in open_signed(kept[0], [LOG.verifier]).signed
    assert status(fork.show(witness, 12, 12)) == 409
    assert witness.conflicts() == 1


def test_a_proof_that_does_not_lead_there_is_422(witness):
    TREE.show(witness, 0, 12)
    good = TREE.submission(12, 20)
    for proof in [(), good.proof[:-1], (*good.proof, good.proof[0]), good.proof[::-1], TREE.submission(11, 20).proof]:
        assert status(witness.add_checkpoint(Submission(12, proof, good.note).body())) == 422
    assert status(witness.add_checkpoint(Submission(12, good.proof, TREE.note(12)).body())) == 422
    assert status(witness.add_checkpoint(good.body())) == 200


def test_a_proof_from_nothing_is_empty(witness):
    assert status(witness.add_checkpoint(Submission(0, (TREE.leaves[0],), TREE.note(5)).body())) == 422


GOOD = TREE.submission(12, 20).body()
MALFORMED = {
    "nothing": b"",
    "no old size": GOOD.removeprefix(b"old 12\n"),
    "leading zero": GOOD.replace(b"old 12", b"old 012"),
    "negative": GOOD.replace(b"old 12", b"old -1"),
    "plus": GOOD.replace(b"old 12", b"old +12"),
    "two spaces": GOOD.replace(b"old 12", b"old  12"),
    "beyond int64": GOOD.replace(b"old 12", b"old %d" % (MAX_SIZE + 1)),
    "carriage returns": GOOD.replace(b"\n", b"\r\n"),
    "no empty line": GOOD.replace(b"\n\n", b"\n", 1),
    "a hash without padding": GOOD.replace(b"=\n", b"\n", 1),
    "a hash of 33 bytes": b"old 12\n" + b"A" * 44 + b"\n\n" + TREE.note(20),
    "64 hashes": b"old 12\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + TREE.note(20),
    "no signature": GOOD.rpartition(b"\n\n")[0] + b"\n",
    "bytes that are no UTF-8": GOOD.replace(ORIGIN.encode(), b"\xff"),
    "a control character": GOOD.replace(b"witnessed", b"witnessed\x00"),
    "an extension line": Submission(0, (), sign(TREE.checkpoint(20).text() + "more\n", [LOG])).body(),
    "too large": GOOD + b"x" * 200_000,
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_request_is_400(witness, body):
    assert status(witness.add_checkpoint(body)) == 400


def test_63_hashes_are_read(witness):
    body = b"old 0\n" + (b"A" * 43 + b"=\n") * 63 + b"\n" + TREE.note(20)
    assert status(witness.add_checkpoint(body)) == 422


# --- time and memory --------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_dates_nothing_before_the_last(witness, clock):
    late = int(clock().timestamp())
    TREE.show(witness, 0, 12)
    clock.forward(hours=-3)
    again = Witness(witness.folder, clock)
    answer = TREE.show(again, 12, 20)
    assert read_cosignature(TREE.checkpoint(20).text(), answer.content, again.verifier).time == late


def test_a_witness_remembers_over_a_restart(witness, clock):
    TREE.show(witness, 0, 12)
    assert Witness(witness.folder, clock).memory(ORIGIN).checkpoint == TREE.checkpoint(12)


@pytest.mark.parametrize("harm", ["lost", "emptied", "of another log", "edited", "signed by the log alone"])
def test_a_lost_or_edited_memory_is_never_taken_for_a_new_log(witness, clock, harm):
    TREE.show(witness, 0, 12)
    (path,) = (witness.folder / "logs").iterdir()
    match harm:
        case "lost":
            path.unlink()
        case "emptied":
            path.write_bytes(b"")
        case "of another log":
            other = NoteSigner("zhanqiao.test/other", key_of("other"))
            witness.watch(other.verifier)
            path.write_bytes(next(one for one in path.parent.iterdir() if one != path).read_bytes())
        case "edited":
            path.write_bytes(path.read_bytes().replace(b"\n12\n", b"\n11\n"))
        case "signed by the log alone":
            path.write_bytes(TREE.note(3))
    for asked in (witness, Witness(witness.folder, clock)):
        with pytest.raises(WitnessDamaged):
            TREE.show(asked, 12, 20)
        with pytest.raises(WitnessDamaged):
            TREE.show(asked, 0, 20)


def test_logs_are_remembered_apart(witness, clock):
    other = NoteSigner("zhanqiao.test/other", key_of("other"))
    witness.watch(other.verifier)
    TREE.show(witness, 0, 12)
    assert Witness(witness.folder, clock).memory("zhanqiao.test/other").checkpoint.size == 0
    with pytest.raises(ValueError, match="already"):
        witness.watch(other.verifier)


def test_a_witness_does_not_watch_itself_or_other_witnesses(witness):
    with pytest.raises(ValueError, match="plain Ed25519"):
        witness.watch(witness.verifier)


def test_key_and_memory_are_their_owners_alone(witness):
    TREE.show(witness, 0, 12)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in witness.folder.rglob("*") if path.is_file()}
    assert modes == {0o600}


# --- cosignatures on notes --------------------------------------------------------------------------


def test_a_newer_cosignature_takes_the_place_of_the_older(witness, clock):
    text = TREE.checkpoint(12).text()
    one = read_cosignature(text, TREE.show(witness, 0, 12).content, witness.verifier)
    clock.forward(minutes=1)
    two = read_cosignature(text, TREE.show(witness, 12, 12).content, witness.verifier)
    note = attach(attach(TREE.note(12), [one]), [two])
    assert cosignatures_on(note, [witness.verifier]) == [two]
    assert LOG.verifier in open_signed(note, [LOG.verifier]).signed


def test_lines_of_others_in_an_answer_are_left_out(witness, tmp_path, clock):
    other = found_witness(tmp_path / "other", clock, "witness.test/w2")
    text = TREE.checkpoint(12).text()
    answers = TREE.show(other, 0, 12).content + TREE.show(witness, 0, 12).content
    assert read_cosignature(text, answers, witness.verifier).witness == witness.verifier
    with pytest.raises(Unsound, match="did not cosign"):
        read_cosignature(text, TREE.show(other, 12, 12).content, witness.verifier)


@pytest.mark.parametrize("spoil", [b"", b"nonsense\n", b"\n\n", b"\xff\n", b"\xe2\x80\x94 a b\n"])
def test_an_answer_that_is_no_cosignature_is_refused(witness, spoil):
    with pytest.raises(Unsound):
        read_cosignature(TREE.checkpoint(12).text(), spoil, witness.verifier)


def test_a_cosignature_of_another_checkpoint_is_refused(witness):
    answer = TREE.show(witness, 0, 12).content
    with pytest.raises(Unsound, match="does not verify"):
        read_cosignature(TREE.checkpoint(13).text(), answer, witness.verifier)


# --- over HTTP --------------------------------------------------------------------------------------


@pytest.fixture
def server(witness):
    with WitnessServer(witness, ("127.0.0.1", 0), lambda _: None) as bound:
        running = threading.Thread(target=bound.serve_forever, args=(0.02,))
        running.start()
        yield bound
        bound.shutdown()
        running.join()


def test_one_connection_carries_many_requests(server):
    caller = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    for old, size, wanted in [(0, 12, 200), (0, 20, 409), (12, 20, 200)]:
        caller.request("POST", "/add-checkpoint", TREE.submission(old, size).body())
        answer = caller.getresponse()
        content = answer.read()
        assert answer.status == wanted
        if wanted == 409:
            assert (answer.getheader("Content-Type"), content) == ("text/x.tlog.size", b"12\n")
    caller.close()


@pytest.mark.parametrize(
    ("request_head", "wanted"),
    [
        ("GET /add-checkpoint HTTP/1.1\r\n", 501),
        ("POST / HTTP/1.1\r\nContent-Length: 0\r\n", 404),
        ("POST /add-checkpoint HTTP/1.1\r\n", 411),
        ("POST /add-checkpoint HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n", 411),
        ("POST /add-checkpoint HTTP/1.1\r\nContent-Length: -1\r\n", 411),
        ("POST /add-checkpoint HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", 411),
        ("POST /add-checkpoint HTTP/1.1\r\nContent-Length: 131073\r\n", 413),
    ],
)
def test_an_odd_request_is_refused_unread(server, request_head, wanted):
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as caller:
        caller.sendall(f"{request_head}Host: x\r\n\r\n".encode())
        assert caller.recv(1000).split(b" ")[1] == str(wanted).encode()
        caller.settimeout(5)
        while caller.recv(1000):
            pass  # and the connection ends


def opened(server, said=b"", here="127.0.0.1"):
    """Open a connection from an address and say something."""
    line = socket.create_connection(("127.0.0.1", server.server_port), timeout=5, source_address=(here, 0))
    line.sendall(said)
    return line


def asked(line):
    """Ask honestly on an open connection; return the answer's first bytes."""
    body = TREE.submission(0, 12).body()
    line.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return line.recv(12)


def test_connections_beyond_the_bound_are_closed_and_the_others_go_on(server):
    with ExitStack() as held:
        idle = [held.enter_context(opened(server, here=f"127.0.0.{2 + n % 4}")) for n in range(server.most_connections)]
        more = held.enter_context(opened(server, here="127.0.0.9"))
        assert more.recv(1) == b""
        assert asked(idle[0]) == b"HTTP/1.1 200"


def test_one_address_never_holds_all_connections(server):
    with ExitStack() as held:
        lines = [held.enter_context(opened(server, b"POST /add")) for _ in range(server.most_of_one_address + 8)]
        assert all(line.recv(1) == b"" for line in lines[server.most_of_one_address :])
        assert asked(held.enter_context(opened(server, here="127.0.0.2"))) == b"HTTP/1.1 200"
    # And it has its share back when it lets go.
    until(lambda: not server._held)
    with opened(server) as line:
        assert asked(line) == b"HTTP/1.1 409"


@pytest.mark.parametrize(
    "begun", [b"POST /add-checkpoint HTTP/1.1\r\n", b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 9999\r\n\r\n"]
)
def test_who_says_a_little_again_and_again_is_cut_off(server, monkeypatch, begun):
    monkeypatch.setattr(witness_program, "_REQUEST_SECONDS", 0.3)
    with opened(server, begun) as line:
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            for _ in range(100):
                line.sendall(b"a: b\r\n")
                time.sleep(0.05)
        until(lambda: not server._held)


def test_a_witness_that_thinks_for_long_is_not_cut_off(server, monkeypatch):
    monkeypatch.setattr(witness_program, "_REQUEST_SECONDS", 0.1)
    add_checkpoint = server.witness.add_checkpoint

    def slowly(body):
        time.sleep(0.4)
        return add_checkpoint(body)

    monkeypatch.setattr(server.witness, "add_checkpoint", slowly)
    with opened(server) as line:
        assert asked(line) == b"HTTP/1.1 200"


def test_a_lost_memory_is_500_and_says_nothing_to_strangers(server):
    for path in (server.witness.folder / "logs").iterdir():
        path.unlink()
    caller = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    caller.request("POST", "/add-checkpoint", TREE.submission(0, 12).body())
    answer = caller.getresponse()
    assert (answer.status, answer.read()) == (500, b"this witness needs its operator\n")
    caller.close()


# --- the program ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_program_runs_alone_without_the_platform(tmp_path: Path, stop: signal.Signals):
    """As a bank would run it: this package's pure parts and `cryptography`, nothing else."""
    block = (
        "import runpy, signal, sys\n"
        # As a shell starts what it puts into the background.
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'django', 'duckdb', 'sqlglot', 'numpy', 'pyarrow', 'typer', 'rich'}:\n"
        "            raise ImportError(f'a witness must not need {name}')\n"
        "sys.meta_path.insert(0, Block())\n"
        "runpy.run_module('zhanqiao.ledger.witness', run_name='__main__', alter_sys=True)\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "ZHANQIAO"))}

    def call(*arguments: str) -> list[str]:
        return [sys.executable, "-c", block, *arguments]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            call(*arguments), capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
        )

    made = run("init", "w", "--name", "witness.test/w1", "--log", LOG.vkey)
    assert (made.returncode, made.stderr) == (0, "")
    vkey = made.stdout.strip()
    assert run("init", "w", "--name", "witness.test/w1", "--log", LOG.vkey).returncode == 1
    running = subprocess.Popen(
        call("run", "w", "--listen", "127.0.0.1:0"), stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    )
    try:
        port = int(running.stdout.readline().rpartition(":")[2])
        caller = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        caller.request("POST", "/add-checkpoint", TREE.submission(0, 12).body())
        assert caller.getresponse().status == 200
        caller.close()
        assert running.stdout.readline() == f"200 {ORIGIN} 12\n"
    finally:
        running.send_signal(stop)
        running.communicate(timeout=10)
    assert running.returncode == 0
    shown = run("show", "w").stdout.splitlines()
    assert shown[0] == vkey
    assert shown[1].startswith(f"{ORIGIN} 12 {TREE.checkpoint(12).root.hex()} ")


def test_what_the_program_cannot_do_it_says(tmp_path, clock, capsys):
    assert main(["show", str(tmp_path)], clock) == 1
    assert main(["init", str(tmp_path / "w"), "--name", "two words", "--log", LOG.vkey], clock) == 1
    assert main(["init", str(tmp_path / "w"), "--name", "w", "--log", "nonsense"], clock) == 1
    assert not (tmp_path / "w").exists()
    assert main(["init", str(tmp_path / "w"), "--name", "w", "--log", LOG.vkey], clock) == 0
    assert main(["init", str(tmp_path / "w"), "--name", "other", "--log", LOG.vkey], clock) == 1
    assert main(["run", str(tmp_path / "w"), "--listen", "8181"], clock) == 1
    assert all(line.strip() for line in capsys.readouterr().err.splitlines())
