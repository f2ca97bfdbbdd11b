# SPDX-License-Identifier: Apache-2.0
"""Witnesses taken out behind the log's back, two changes of them at once, and more than can be read."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connections
from typer.testing import CliRunner

from lib.town import codes, done
from lib.witnessing import found_witnesses, log_of
from zhanqiao.desk import personas
from zhanqiao.desk.audit import audit
from zhanqiao.desk.cli import app
from zhanqiao.desk.configuration import SETTINGS_FILE, Deployment, read_settings, write_settings
from zhanqiao.desk.deployment import found, open_house
from zhanqiao.desk.seats import add_witness, remove_witness, settings_lock, unheard, witnesses_named
from zhanqiao.ledger.cosigning import SIZE_TYPE
from zhanqiao.ledger.entries import LedgerDamaged, TrustStrange
from zhanqiao.ledger.note import COSIGNATURE, NoteSigner, NoteVerifier
from zhanqiao.ledger.trust import trust_text
from zhanqiao.ledger.witnesses import Reply, Seat
from zhanqiao.vault.house import House

ADMIN = "chen-sysadmin"


@pytest.fixture
def registered(house: House) -> House:
    assert personas.settle(house) is None
    return house


@pytest.fixture
def seats(registered: House, tmp_path: Path) -> tuple[Seat, Seat]:
    made = found_witnesses(tmp_path / "witnesses", registered.home, registered.clock, "bank", "court")
    bank, court = (Seat(name, f"http://{name}.example", one.verifier) for name, one in made.items())
    return bank, court


def test_a_witness_cut_out_of_a_file_is_missed(registered: House, seats: tuple[Seat, Seat]) -> None:
    assert add_witness(registered, seats[0], ADMIN) is None
    audit(registered)
    files = {"trust file": registered.home / "public" / "trust.txt", "settings": registered.home / SETTINGS_FILE}
    for place, path in files.items():
        whole = path.read_text(encoding="utf-8")
        path.write_text(whole[: whole.index("witness")].rstrip("[") + "\n", encoding="utf-8")
        with pytest.raises(LedgerDamaged, match=f"witness bank is in the log and not in the {place}"):
            audit(registered)
        path.write_text(whole, encoding="utf-8")
    path.write_text(whole.replace("http://bank", "http://elsewhere"), encoding="utf-8")
    with pytest.raises(LedgerDamaged, match=r"witness bank is http://elsewhere\..* in the settings"):
        audit(registered)


def test_a_stranger_in_the_published_trust_file_is_found(registered: House, seats: tuple[Seat, Seat]) -> None:
    """Who takes the file as it was published would believe another log, or another who signs this one's releases."""
    path = registered.home / "public" / "trust.txt"
    whole = path.read_text(encoding="utf-8")
    key = Ed25519PrivateKey.generate()
    log = NoteSigner("zhanqiao.test/qingdao", key).verifier
    _, envelope = trust_text(log, key.public_key()).splitlines()
    for line in (f"log {log.vkey}", envelope):
        path.write_text(f"{whole}{line}\n", encoding="utf-8")
        with pytest.raises(TrustStrange, match=r"public/trust\.txt names (log|envelope)"):
            audit(registered)
        said = CliRunner().invoke(app, ["ledger", "audit", "--home", str(registered.home), "--json"])
        assert json.loads(said.output)["reasons"][0]["code"] == "trust-strange"
    path.write_text(whole, encoding="utf-8")
    audit(registered)


def test_who_may_not_name_witnesses_has_nobody_called(registered: House, seats: tuple[Seat, Seat]) -> None:
    called: list[str] = []

    def send(url: str, _body: bytes) -> Reply:
        called.append(url)
        raise OSError("away")

    registered.book.witnesses._send = send
    assert unheard(registered, seats[0], "bay-analyst") is None
    assert called == []
    assert codes(unheard(registered, seats[0], ADMIN)) == ["witness-unheard"]
    assert called == ["http://bank.example/add-checkpoint"]


@pytest.mark.parametrize("size", ["1000000", "1"])
def test_a_stranger_does_not_have_the_ledger_called_damaged(
    registered: House, seats: tuple[Seat, Seat], size: str
) -> None:
    """Nothing that he says of our log is signed."""
    registered.book.witnesses._send = lambda _url, _body: Reply(409, SIZE_TYPE, f"{size}\n".encode())
    assert codes(unheard(registered, seats[0], ADMIN)) == ["witness-unheard"]
    audit(registered)


def test_settings_that_cannot_be_read_agree_with_nobody(registered: House, seats: tuple[Seat, Seat]) -> None:
    """A house that is open already, as the worker's: its own memory of the witnesses is no second opinion."""
    assert add_witness(registered, seats[0], ADMIN) is None
    opened = open_house(registered.home, registered.clock)
    assert isinstance(opened, House)
    audit(opened)
    path = opened.home / SETTINGS_FILE
    path.write_text(path.read_text(encoding="utf-8") + "broken line\n", encoding="utf-8")
    with pytest.raises(LedgerDamaged, match=r"zhanqiao\.toml cannot be read"):
        audit(opened)
    path.unlink()
    with pytest.raises(LedgerDamaged, match=r"zhanqiao\.toml cannot be read: No such file"):
        audit(opened)


def test_who_knows_former_witnesses_does_not_undo_the_newer_ones(registered: House, seats: tuple[Seat, Seat]) -> None:
    """Two commands are started at once: both know of no witness."""
    other = open_house(registered.home, registered.clock)
    assert isinstance(other, House)
    assert add_witness(registered, seats[0], ADMIN) is None
    assert add_witness(other, seats[1], ADMIN) is None
    assert codes(add_witness(registered, seats[1], ADMIN)) == ["witness-taken"]
    assert set(witnesses_named(registered).settings) == set(witnesses_named(registered).trust) == {"bank", "court"}
    assert remove_witness(registered, "bank", ADMIN) is None
    audit(registered)


def test_changes_wait_for_one_another(registered: House, seats: tuple[Seat, Seat]) -> None:
    size = registered.book.size

    def change() -> None:
        add_witness(registered, seats[0], ADMIN)
        connections.close_all()

    with settings_lock(registered):
        changing = threading.Thread(target=change)
        changing.start()
        changing.join(0.5)
        assert changing.is_alive()
        assert registered.book.size == size, "nothing is logged that is not written"
    changing.join(30)
    assert set(witnesses_named(registered).settings) == {"bank"}


def test_who_does_not_run_the_platform_changes_no_witness(registered: House, seats: tuple[Seat, Seat]) -> None:
    assert codes(add_witness(registered, seats[0], "bay-analyst")) == ["role-missing"]
    assert codes(remove_witness(registered, "bank", "bay-analyst")) == ["role-missing", "witness-unknown"]
    assert witnesses_named(registered).settings == {}


# --- witnesses that would close the deployment --------------------------------------------------------


def stranger(name: str, url: str = "http://court.example", key_name: str = "court.example/w") -> Seat:
    """A witness that would cosign whatever it is shown."""
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return Seat.read(name, url, NoteVerifier(key_name, key, COSIGNATURE).vkey)


@pytest.mark.parametrize(
    "seat",
    [
        stranger("court", f"http://court.example/{'a' * 40_000}"),
        stranger("court", f"http://court.example/{'a' * 120_000}"),
        stranger("c" * 256),
        stranger("court", key_name="c" * 2_001),
    ],
    ids=["address", "longer than an entry", "name", "key name"],
)
def test_a_witness_of_endless_name_or_address_is_not_even_called(registered: House, seat: Seat) -> None:
    """Two of them once made settings that nothing could be opened with."""
    registered.book.witnesses._send = lambda *_: pytest.fail("called")
    assert unheard(registered, seat, ADMIN) is None
    assert codes(add_witness(registered, seat, ADMIN)) == ["witness-malformed"]
    audit(registered)


def test_there_are_as_many_witnesses_as_each_reader_of_a_note_takes(registered: House) -> None:
    path = registered.home / SETTINGS_FILE
    seats = tuple(stranger(f"w{number}") for number in range(15))
    for seat in seats[:2]:
        assert add_witness(registered, seat, ADMIN) is None
    write_settings(path, replace(done(read_settings(path)), witnesses=seats))
    size = registered.book.size
    assert codes(add_witness(registered, stranger("one-more"), ADMIN)) == ["witnesses-full"]
    assert registered.book.size == size + 1, "that it was refused"
    assert remove_witness(registered, "w14", ADMIN) is None
    assert add_witness(registered, stranger("one-more"), ADMIN) is None


def test_settings_that_could_not_be_read_are_not_written(registered: House) -> None:
    """Letters of four bytes: short enough each, and too much together."""
    wide = [stranger(f"w{number}", f"http://h/{'😀' * 1_900}", "😀" * 1_900) for number in range(5)]
    for seat in wide[:4]:
        assert add_witness(registered, seat, ADMIN) is None
    assert codes(add_witness(registered, wide[4], ADMIN)) == ["witnesses-full"]
    audit(registered)
    assert isinstance(open_house(registered.home, registered.clock), House)


def test_a_log_does_not_witness_itself(registered: House) -> None:
    log = log_of(registered.home)
    seat = Seat("court", "http://court.example", NoteVerifier("court.example/w", log.public, COSIGNATURE))
    assert codes(add_witness(registered, seat, ADMIN)) == ["witness-malformed"]
    audit(registered)


def test_longer_ones_that_are_named_already_still_open_and_go(registered: House) -> None:
    path = registered.home / SETTINGS_FILE
    long = stranger("c" * 300, f"http://court.example/{'a' * 3_000}")
    write_settings(path, replace(done(read_settings(path)), witnesses=(long,)))
    opened = open_house(registered.home, registered.clock)
    assert isinstance(opened, House)
    assert remove_witness(opened, long.name, ADMIN) is None


def test_no_deployment_is_founded_whose_settings_nobody_could_read(tmp_path: Path) -> None:
    assert codes(found(tmp_path / "home", Deployment("青" * 30_000, "laptop", "o"))) == ["settings-unreadable"]
    assert not (tmp_path / "home").exists()
