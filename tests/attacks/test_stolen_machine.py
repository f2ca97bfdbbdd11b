# SPDX-License-Identifier: Apache-2.0
"""A machine is carried off while it is off, its keys sealed: the image holds no key, and two custodians' shares tell nothing."""

import base64
import fcntl
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from lib.pier import Pier
from lib.town import codes, done
from zhanqiao.desk import sealed_keys, shares
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.backup import back_up
from zhanqiao.desk.operation.sealing import log_opened, seal, split_keys, unseal
from zhanqiao.ledger import durable
from zhanqiao.ledger.book import Book
from zhanqiao.terms.events import Event

CUSTODIANS = ("sysadmin", "secadmin", "auditadmin", "auditor", "bureau-officer")


@pytest.fixture
def stolen(pier: Pier, tmp_path: Path) -> Iterator[tuple[Pier, list[str], list[bytes]]]:
    """The stopped machine's disk; what custodians hold at home; and what must not be found on the disk."""
    secret = [line for name in sealed_keys.FILES for line in (pier.home / "keys" / name).read_bytes().split(b"\n")]
    files = done(split_keys(pier.house, 3, CUSTODIANS, tmp_path / "shares", "sysadmin"))
    held = [files[one].read_text().strip() for one in CUSTODIANS]
    shutil.rmtree(sealed_keys.memory_of(pier.home))
    yield pier, held, [line.removeprefix(b"AES-256 ") for line in secret if len(line) > 40]
    shutil.rmtree(sealed_keys.memory_of(pier.home), ignore_errors=True)


def _bytes_of(home: Path) -> Iterator[bytes]:
    yield from (path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_no_key_and_no_share_lies_in_the_image(stolen, tmp_path: Path) -> None:
    pier, held, secret = stolen
    assert len(secret) == 3
    pieces = ["".join(one.split("-")[2:10]) for one in held]
    hunted = [
        *secret,
        *(base64.b64decode(line) for line in secret),
        *(piece.encode() for piece in pieces),
        *(bytes.fromhex(piece) for piece in pieces),
        *(one.encode() for one in held),
    ]
    assert not [word for content in _bytes_of(pier.home) for word in hunted if word in content]


def test_a_backup_holds_none_either(pier: Pier, tmp_path: Path) -> None:
    key = (pier.home / "keys" / "vault" / "kek.key").read_bytes().split()[1]
    done(split_keys(pier.house, 3, CUSTODIANS, tmp_path / "shares", "sysadmin"))
    try:
        done(back_up(pier.reopened().house, tmp_path / "b.tar"))
    finally:
        shutil.rmtree(sealed_keys.memory_of(pier.home))
    content = (tmp_path / "b.tar").read_bytes()
    assert key not in content
    assert base64.b64decode(key) not in content


def test_two_shares_open_nothing_whatever_stands_for_the_third(stolen) -> None:
    pier, held, _ = stolen
    mine = [done(shares.read([one], held[0][:4], 1, len(held)))[0] for one in held]
    for pair in combinations(mine, 2):
        assert codes(unseal(pier.home, [share.written() for share in pair])) == ["shares-too-few"]
    for number in range(300):
        third = shares.Share(mine[0].set, 3, secrets.token_bytes(shares.SECRET_BYTES))
        given = [mine[0].written(), mine[1].written(), third.written()]
        assert codes(unseal(pier.home, given)) == ["shares-wrong"], number
    assert codes(open_house(pier.home)) == ["keys-sealed"]


def test_no_share_is_the_secret_and_no_two_splits_are_alike() -> None:
    secret = secrets.token_bytes(shares.SECRET_BYTES)
    pieces = [share.piece for _ in range(8) for share in shares.split(secret, "1a2b", 3, 5)]
    assert secret not in pieces
    assert len(set(pieces)) == len(pieces) == 40


def test_a_command_leaves_no_core_and_lets_nobody_look_into_it() -> None:
    program = (
        "import ctypes, resource, sys; from zhanqiao.desk.cli import main; sys.argv = ['zhanqiao', '--version']\n"
        "try: main()\n"
        "except SystemExit: print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "0 0 0"


def test_two_shares_fit_every_secret() -> None:
    """For whatever secret one guesses there is a third share that makes it of the two: they rule nothing out.

    What the third adds is linear over the bits, so it is enough that its 128 bits lead to 128 independent changes.
    """
    two = [shares.Share("0000", number, bytes(16)) for number in (1, 2)]
    basis: list[int] = []
    for bit in range(128):
        change = int.from_bytes(shares.combine([*two, shares.Share("0000", 3, (1 << bit).to_bytes(16, "big"))]), "big")
        for known in basis:
            change = min(change, change ^ known)
        assert change, "a secret that no third share makes"
        basis.append(change)


@pytest.mark.parametrize("left", [0o755, None])
def test_a_folder_in_memory_that_somebody_else_made_is_not_believed(stolen, left: int | None) -> None:
    pier, held, _ = stolen
    memory = sealed_keys.memory_of(pier.home)
    if left is None:
        memory.symlink_to(pier.home / "keys")
    else:
        memory.mkdir()
        memory.chmod(left)
    try:
        assert codes(open_house(pier.home)) == ["keys-sealed"]
        # Nor does it keep anybody from opening: in that folder everybody may make one.
        done(unseal(pier.home, held[:3]))
        done(open_house(pier.home))
        assert sealed_keys.memory_of(pier.home) != memory
        assert seal(pier.home) is None
        assert codes(open_house(pier.home)) == ["keys-sealed"]
        assert list(sealed_keys.MEMORY.glob(f"{memory.name}*")) == [memory]
    finally:
        memory.unlink() if left is None else memory.rmdir()


def test_what_somebody_else_put_beside_keeps_nobody_from_sealing(stolen, tmp_path: Path) -> None:
    """Anybody can name what looks as if it were left there by one who died opening keys."""
    pier, held, _ = stolen
    name = sealed_keys.memory_of(pier.home).name
    others = [sealed_keys.MEMORY / f"{name}-x", sealed_keys.MEMORY / f"{name}-y"]
    others[0].mkdir()
    others[0].chmod(0o755)
    others[1].symlink_to(tmp_path)
    try:
        done(unseal(pier.home, held[:3]))
        done(split_keys(pier.reopened().house, 3, CUSTODIANS, tmp_path / "anew", "sysadmin"))
        assert seal(pier.home) is None
        assert codes(open_house(pier.home)) == ["keys-sealed"]
        assert sorted(sealed_keys.MEMORY.glob(f"{name}*")) == others
    finally:
        others[0].rmdir()
        others[1].unlink()


def test_the_log_does_not_say_sealed_of_what_lies_open(stolen, monkeypatch) -> None:
    pier, held, _ = stolen
    done(unseal(pier.home, held[:3]))
    before = len(pier.reopened().events("platform.sealed"))
    with monkeypatch.context() as patched:
        patched.setattr(sealed_keys.shutil, "rmtree", lambda *_, **__: None)
        assert codes(seal(pier.home)) == ["keys-in-memory-still"]
    assert len(pier.reopened().events("platform.sealed")) == before
    assert seal(pier.home) is None
    done(unseal(pier.home, held[:3]))
    assert len(pier.reopened().events("platform.sealed")) == before + 1
    assert seal(pier.home) is None


def test_seal_and_unseal_take_turns_with_their_entries(stolen, monkeypatch) -> None:
    """What the log says last of the keys is so: nobody opens between sealing and its entry, nor seals the other way."""
    pier, held, _ = stolen
    done(unseal(pier.home, held[:3]))
    turns: list[bool] = []

    def held_now(event: object) -> None:
        with (pier.home / ".keys.lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                turns.append(False)
            except BlockingIOError:
                turns.append(True)

    recording = Book.recording

    def watched(book: Book, *events: Event):
        if any(event.kind.startswith("platform.") for event in events):
            held_now(events)
        return recording(book, *events)

    monkeypatch.setattr(Book, "recording", watched)
    assert seal(pier.home) is None
    done(unseal(pier.home, held[:3]))
    assert turns == [True, True]
    # Sealed while the other was about to say whose shares opened them.
    house = done(open_house(pier.home))
    sealed_keys.seal_again(pier.home)
    assert codes(log_opened(house, CUSTODIANS[:3])) == ["keys-sealed"]


def test_keys_that_are_sealed_and_not_logged_are_told_so(stolen, monkeypatch) -> None:
    pier, held, _ = stolen
    done(unseal(pier.home, held[:3]))

    def full(*_: object):
        raise durable.full()

    monkeypatch.setattr(Book, "recording", full)
    assert codes(seal(pier.home)) == ["sealed-unlogged", "disk-full"]
    assert codes(open_house(pier.home)) == ["keys-sealed"]


@pytest.mark.parametrize("altered", ["[" * 60_000, '"threshold": Infinity', '"threshold": 0', '"threshold": 6'])
@pytest.mark.parametrize("file", [sealed_keys.SEALED, sealed_keys.KEYRING])
def test_a_seal_that_no_split_makes_is_named(stolen, altered: str, file: str) -> None:
    pier, held, _ = stolen
    path = pier.home / sealed_keys.KEYS / file
    sound = path.read_text()
    if file == sealed_keys.SEALED:
        path.write_text(sound.replace('"threshold": 3', altered) if altered[0] == '"' else altered)
        assert codes(open_house(pier.home)) == codes(unseal(pier.home, held[:3])) == ["keys-unreadable"]
    else:
        path.write_text(altered)
        assert codes(unseal(pier.home, held[:3])) == ["keys-unreadable"]
    path.write_text(sound)


def test_the_blocks_of_a_plain_key_are_written_over(pier: Pier, tmp_path: Path) -> None:
    """As far as the disk writes in place: whoever still has the file open sees what its blocks hold."""
    held = [os.open(pier.home / "keys" / name, os.O_RDONLY) for name in sealed_keys.FILES]
    try:
        done(split_keys(pier.house, 3, CUSTODIANS, tmp_path / "shares", "sysadmin"))
        assert [set(os.read(one, 4_096)) for one in held] == [{0}] * 3
    finally:
        for one in held:
            os.close(one)
        shutil.rmtree(sealed_keys.memory_of(pier.home))


@pytest.mark.parametrize("name", sealed_keys.FILES)
def test_a_sealed_key_that_was_exchanged_does_not_open(stolen, name: str) -> None:
    pier, held, _ = stolen
    keys = pier.home / "keys"
    seal = sealed_keys.Seal.read(keys)
    other = next(one for one in sealed_keys.FILES if one != name)
    exchanged = sealed_keys.Seal(seal.set, seal.threshold, seal.custodians, {**seal.files, name: seal.files[other]})
    (keys / sealed_keys.SEALED).write_bytes(exchanged.to_bytes())
    assert codes(unseal(pier.home, held[:3])) == ["shares-wrong"]
