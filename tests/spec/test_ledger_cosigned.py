# SPDX-License-Identifier: Apache-2.0
"""A deployment with witnesses: certificates carry their cosignatures, and one that is away stops nothing."""

import contextlib
import json
import socket
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connections
from typer.testing import CliRunner

from lib.go_judge import judge
from lib.ledger_cases import request_id, work
from lib.witnessing import found_witnesses, network, seat, trust_of
from zhanqiao.desk.cli import app
from zhanqiao.desk.configuration import utc_now
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.seats import add_witness
from zhanqiao.ledger import witnesses as witnesses_module
from zhanqiao.ledger.certificate import parse
from zhanqiao.ledger.cosigning import Witness
from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.ledger.note import open_signed
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.verify import verify
from zhanqiao.ledger.witness import WitnessServer
from zhanqiao.ledger.witnesses import Reply, Seat, Trouble, send_over_http

NAMES = ("court", "bank", "university")


@pytest.fixture
def witnesses(house, tmp_path, clock):
    made = found_witnesses(tmp_path / "witnesses", house.home, clock, *NAMES)
    seat(house, made, clock)
    return made


def certificate_of(house, number: int) -> bytes:
    work(house.book, number)
    return house.book.certificate(house.book.request(request_id(number)).index)


def signers(house, certificate: bytes) -> set[str]:
    seats = {one.verifier: one.name for one in house.book.witnesses.seats}
    return {seats[key] for key in open_signed(parse(certificate).note, seats).signed}


def test_a_certificate_carries_the_cosignatures_of_all_witnesses(house, witnesses, tmp_path, clock):
    certificates = [certificate_of(house, number) for number in range(3)]
    trust = trust_of(house, 3)
    for number, content in enumerate(certificates):
        assert signers(house, content) == set(NAMES)
        assert verify(content, Trust.parse(trust), now=clock()).valid
        (tmp_path / f"{number}.cert").write_bytes(content)
    (tmp_path / "trust.txt").write_bytes(trust)
    paths = [tmp_path / f"{number}.cert" for number in range(3)]
    assert judge((tmp_path / "trust.txt", path, None) for path in paths) == dict.fromkeys(paths)
    assert house.book.audit() == house.book.size
    assert {one.memory(house.book.checkpoint().origin).checkpoint for one in witnesses.values()} == {
        house.book.checkpoint()
    }


@pytest.mark.parametrize("fault", [ConnectionRefusedError("refused"), TimeoutError(), OSError("no route")])
def test_a_witness_that_is_away_is_told_and_stops_nothing(house, witnesses, clock, caplog, fault):
    reach = network(witnesses)

    def send(url: str, body: bytes) -> Reply:
        if "bank" in url:
            raise fault
        return reach(url, body)

    seat(house, witnesses, clock, send)
    content = certificate_of(house, 1)
    assert signers(house, content) == {"court", "university"}
    assert "witness bank did not cosign: unreachable" in caplog.text
    assert verify(content, Trust.parse(trust_of(house, 2))).valid
    assert [problem.code for problem in verify(content, Trust.parse(trust_of(house, 3))).problems] == ["quorum-missing"]
    # It comes back and is asked from where it was; the certificate stays as it was handed out.
    seat(house, witnesses, clock)
    assert signers(house, certificate_of(house, 2)) == set(NAMES)
    assert certificate_of(house, 1) == content


def test_without_any_witness_at_hand_certificates_are_plain(house, witnesses, clock):
    def send(url: str, body: bytes) -> Reply:
        raise OSError("nobody there")

    seat(house, witnesses, clock, send)
    content = certificate_of(house, 1)
    assert signers(house, content) == set()
    assert verify(content, Trust.parse((house.home / "public" / "trust.txt").read_bytes())).valid


# What a witness may answer that is none: (status, type, body) and what it is called.
ODD = {
    "nothing": (200, "text/plain", b"", Trouble.WRONG),
    "not a line": (200, "text/plain", b"yes\n", Trouble.WRONG),
    "too much": (200, "text/plain", b"x" * 70_000, Trouble.WRONG),
    "not UTF-8": (200, "text/plain", b"\xff\xfe\n", Trouble.WRONG),
    "a note of its own": (200, "text/plain", b"\n\n\xe2\x80\x94 x AAAAAAAA\n", Trouble.WRONG),
    "unknown log": (404, "text/plain", b"", Trouble.UNKNOWN),
    "forbidden": (403, "text/plain", b"", Trouble.REFUSED),
    "fault": (500, "text/plain", b"", Trouble.REFUSED),
    "moved": (302, "text/plain", b"", Trouble.REFUSED),
    "conflict without a size": (409, "text/plain", b"", Trouble.REFUSED),
    "unprovable from nothing": (422, "text/plain", b"", Trouble.REFUSED),
    "a size that is none": (409, "text/x.tlog.size", b"many\n", Trouble.WRONG),
    "the size that was asked from": (409, "text/x.tlog.size", b"0\n", Trouble.WRONG),
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_cosignature_never_reaches_a_certificate(house, witnesses, clock, what):
    status, kind, content, trouble = ODD[what]
    reach = network(witnesses)

    def send(url: str, body: bytes) -> Reply:
        return Reply(status, kind, content) if "bank" in url else reach(url, body)

    seat(house, witnesses, clock, send)
    assert signers(house, certificate_of(house, 1)) == {"court", "university"}
    assert {one.seat.name: one.trouble for one in house.book.cosign()} == {
        "court": None,
        "bank": trouble,
        "university": None,
    }
    assert house.book.audit() == 3


def test_a_cosignature_under_anothers_name_is_none(house, witnesses, clock):
    reach = network(witnesses)

    def send(url: str, body: bytes) -> Reply:
        return reach(url.replace("bank", "court"), body)

    seat(house, witnesses, clock, send)
    assert signers(house, certificate_of(house, 1)) == {"court", "university"}


def test_a_witness_that_dates_the_future_does_not_spoil_a_certificate(house, witnesses, clock):
    ahead = Witness(witnesses["bank"].folder, lambda: clock() + timedelta(minutes=6))
    seat(house, {**witnesses, "bank": ahead}, clock)
    content = certificate_of(house, 1)
    assert signers(house, content) == {"court", "university"}
    assert verify(content, Trust.parse(trust_of(house, 2)), now=clock()).valid


def test_a_witness_that_forgot_our_size_is_asked_from_the_size_it_names(house, witnesses, clock):
    """Our own memory of what it knows is a short cut only."""
    certificate_of(house, 1)
    (house.home / "ledger" / "cosigned").unlink()
    assert signers(house, certificate_of(house, 2)) == set(NAMES)


def test_an_older_cosigned_checkpoint_is_not_put_over_a_newer(house, witnesses, clock):
    certificate_of(house, 1)
    before = house.book.witnesses.ask()
    certificate_of(house, 2)
    newest = house.book.cosigned()
    house.book.witnesses.keep(before)
    assert house.book.cosigned() == newest


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(1, 13))
def test_a_crash_while_witnesses_sign_loses_nothing(house, witnesses, clock, monkeypatch, nth, after):
    """Steps of the book's own writing; the witnesses' stand in tests/crash."""

    class Crash(BaseException):
        pass

    certificate_of(house, 1)
    real, calls = Path.replace, 0

    def breaking(path: Path, target: Path) -> Path:
        nonlocal calls
        if "witnesses" in str(path):
            return real(path, target)
        calls += 1
        if calls == nth and not after:
            raise Crash
        done = real(path, target)
        if calls == nth:
            raise Crash
        return done

    monkeypatch.setattr(Path, "replace", breaking)
    with contextlib.suppress(Crash):
        certificate_of(house, 2)
    monkeypatch.setattr(Path, "replace", real)
    connections.close_all()
    again = open_house(house.home, clock)
    seat(again, witnesses, clock)
    assert signers(again, certificate_of(again, 2)) == set(NAMES)
    again.book.cosign()
    assert again.book.audit() == 6


# --- by command -------------------------------------------------------------------------------------


def run(home: Path, *words: str) -> tuple[int, object]:
    ran = CliRunner().invoke(app, [*words, "--home", str(home), "--json"])
    return ran.exit_code, json.loads(ran.output)


@pytest.fixture
def registered(house):
    from zhanqiao.desk import personas

    personas.settle(house)
    connections.close_all()
    return house.home


@pytest.fixture
def server(registered, tmp_path):
    (made,) = found_witnesses(tmp_path / "served", registered, utc_now, "bank").values()
    with WitnessServer(made, ("127.0.0.1", 0), lambda _: None) as bound:
        running = threading.Thread(target=bound.serve_forever, args=(0.02,))
        running.start()
        yield bound
        bound.shutdown()
        running.join()


def test_witnesses_are_named_asked_and_removed_by_command(registered, server):
    vkey = server.witness.verifier.vkey
    add = ["ledger", "witness", "add", "bank", server.url, vkey, "--as"]
    assert run(registered, *add, "chen-sysadmin")[0] == 0
    assert f"witness bank {vkey} {server.url}\n" in (registered / "public" / "trust.txt").read_text()
    Trust.parse((registered / "public" / "trust.txt").read_bytes())
    status, heard = run(registered, "ledger", "cosign")
    assert (status, heard[0]["witness"], heard[0]["trouble"]) == (0, "bank", None)
    status, listed = run(registered, "ledger", "witness", "show")
    assert listed[0]["entries"] == heard[0]["entries"] == open_house(registered).book.size
    assert run(registered, "ledger", "audit")[0] == 0
    assert run(registered, *add, "chen-sysadmin")[1]["reasons"][0]["code"] == "witness-taken"
    assert run(registered, "ledger", "witness", "remove", "bank", "--as", "chen-sysadmin")[0] == 0
    assert run(registered, "ledger", "witness", "show") == (0, [])
    assert run(registered, "ledger", "audit")[0] == 0
    assert run(registered, "ledger", "witness", "remove", "bank", "--as", "chen-sysadmin")[0] == 4
    kinds = [event.kind.removeprefix("ledger.") for event in open_house(registered).book.events()]
    assert kinds[-4:] == ["witness-added", "refused", "witness-removed", "refused"]


def test_a_witness_that_is_away_is_told_by_command(registered, server):
    away = Seat("bank", "http://127.0.0.1:9", server.witness.verifier)
    assert add_witness(open_house(registered), away, "chen-sysadmin") is None
    status, heard = run(registered, "ledger", "cosign")
    assert (status, heard[0]["trouble"]) == (1, "unreachable")
    assert run(registered, "ledger", "audit")[0] == 0


def test_who_does_not_cosign_is_no_witness(registered, server, tmp_path):
    """From then on nothing would leave: it is away, it is another, its address cannot be called."""
    (other,) = found_witnesses(tmp_path / "other", registered, utc_now, "court").values()
    for url, vkey in (
        ("http://127.0.0.1:9", server.witness.verifier.vkey),
        (server.url, other.verifier.vkey),
        ("http://127.0.0.1:99999", server.witness.verifier.vkey),
        ("http://a..b:80", server.witness.verifier.vkey),
    ):
        status, told = run(registered, "ledger", "witness", "add", "bank", url, vkey, "--as", "chen-sysadmin")
        assert (status, told["reasons"][0]["code"]) == (3, "witness-unheard")
    assert run(registered, "ledger", "witness", "show") == (0, [])
    assert run(registered, "ledger", "audit")[0] == 0


@pytest.mark.parametrize(
    ("name", "url", "vkey"),
    [
        ("two words", "http://127.0.0.1:1", None),
        ("none", "http://127.0.0.1:1", None),
        ("bank", "127.0.0.1:1", None),
        ("bank", "file:///etc/passwd", None),
        ("bank", "http://127.0.0.1:1/?x", None),
        ("bank", "http://127.0.0.1:1/?", None),
        ("bank", "http://127.0.0.1:1/#", None),
        ("bank", "http://127.0.0.1:1/a b", None),
        ("bank", "http://127.0.0.1:1/a\tb", None),
        ("bank", "http://127.0.0.1:1/a\u3000b", None),
        ("bank", "http://127.0.0.1:1/x\nlog elsewhere", None),
        ("bank", "http://127.0.0.1:1", "nonsense"),
        ("bank", "http://127.0.0.1:1", "the log's own"),
    ],
)
def test_what_cannot_be_a_witness_is_refused(registered, server, name, url, vkey):
    own = (registered / "public" / "log.vkey").read_text().strip()
    key = {None: server.witness.verifier.vkey, "the log's own": own}.get(vkey, vkey)
    status, told = run(registered, "ledger", "witness", "add", name, url, key, "--as", "chen-sysadmin")
    assert (status, told["reasons"][0]["code"]) == (2, "witness-malformed")


def test_only_the_system_administrator_names_witnesses(registered, server):
    for who in ("liu-secadmin", "bay-analyst", "nobody"):
        words = ["ledger", "witness", "add", "bank", server.url, server.witness.verifier.vkey, "--as", who]
        assert run(registered, *words)[0] != 0
    assert run(registered, "ledger", "witness", "show") == (0, [])


@pytest.mark.parametrize(
    ("more", "code", "key"),
    [
        ("[[witness]]\n", "settings-wrong", "witness 1"),
        ('[[witness]]\nname = "x"\nurl = "y"\nvkey = "z"\n', "settings-wrong", "witness 1"),
        ('[[witness]]\nname = "x"\nurl = 1\nvkey = "z"\n', "settings-wrong", "witness 1"),
        ('[witness]\nname = "x"\n', "settings-wrong", "witness"),
        ("{seat}{seat}", "settings-wrong", "witness 2"),
        ("[[witness]\n", "settings-unreadable", None),
    ],
    ids=["empty", "no address", "no text", "no list", "twice", "no TOML"],
)
def test_witnesses_in_the_settings_that_nobody_meant_open_nothing(registered, server, more, code, key):
    seat = f'[[witness]]\nname = "x"\nurl = "{server.url}"\nvkey = "{server.witness.verifier.vkey}"\n'
    path = registered / "zhanqiao.toml"
    path.write_text(path.read_text() + more.replace("{seat}", seat))
    refusal = open_house(registered)
    assert [(reason.code, reason.facts.get("key")) for reason in refusal.reasons] == [(code, key)]
    assert run(registered, "ledger", "audit")[0] == 1


# --- over the network -------------------------------------------------------------------------------


def test_an_answer_without_end_is_cut_off(monkeypatch):
    """A witness that sends a byte now and then does not hold a release for longer than the bound."""
    monkeypatch.setattr(witnesses_module, "_ANSWER_SECONDS", 0.5)
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not stop.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        send_over_http(f"http://127.0.0.1:{listener.getsockname()[1]}/add-checkpoint", b"")
    assert time.monotonic() - started < 5
    stop.set()
    thread.join()
    listener.close()


def test_rolled_back_is_a_fault_and_not_a_trouble(house, witnesses, clock):
    certificate_of(house, 1)
    liar = {"court": Reply(409, "text/x.tlog.size", b"99\n")}
    reach = network(witnesses)
    seat(house, witnesses, clock, lambda url, body: liar["court"] if "court" in url else reach(url, body))
    with pytest.raises(
        LedgerDamaged, match=r"witness court cosigned 99 entries .* the disk shows 6: it was rolled back"
    ):
        certificate_of(house, 2)
