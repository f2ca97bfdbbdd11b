# SPDX-License-Identifier: Apache-2.0
"""Keys, seals and files: what is sealed opens with the right key, in its place, whole; and with nothing else."""

import base64
import json
import os
import stat

import pytest

from zhanqiao.vault import crypt, files
from zhanqiao.vault.faults import KeyFault, VaultFault
from zhanqiao.vault.keys import PURPOSES, Keyring


def test_a_sealed_text_opens_in_its_place_only():
    key = os.urandom(32)
    sealed = crypt.seal(key, b"memo", b"request 1")
    assert crypt.open_sealed(key, sealed, b"request 1", "memo") == b"memo"
    for wrong_key, wrong_place in ((os.urandom(32), b"request 1"), (key, b"request 2")):
        with pytest.raises(KeyFault, match="couldn't open memo: wrong key, damaged"):
            crypt.open_sealed(wrong_key, sealed, wrong_place, "memo")


def test_every_ciphertext_names_its_algorithm():
    assert crypt.seal(os.urandom(32), b"", b"").startswith(b"A256GCM\x01")
    with pytest.raises(KeyFault, match="no AES-256-GCM seal"):
        crypt.open_sealed(os.urandom(32), b"SM4-GCM\x01" + bytes(40), b"", "memo")


@pytest.mark.parametrize("place", [0, 8, 12, 20, 25, -1])
def test_any_changed_byte_is_noticed(place):
    key = os.urandom(32)
    sealed = bytearray(crypt.seal(key, b"twelve bytes", b""))
    sealed[place] ^= 1
    with pytest.raises(KeyFault):
        crypt.open_sealed(key, bytes(sealed), b"", "memo")


def test_a_cut_ciphertext_is_a_named_fault():
    key = os.urandom(32)
    for length in (0, 5, 8, 15, 20, 30):
        with pytest.raises(KeyFault):
            crypt.open_sealed(key, crypt.seal(key, b"x", b"")[:length], b"", "memo")


def test_a_keyring_opens_again_with_the_same_keys(tmp_path):
    made = Keyring.create(tmp_path / "keys")
    opened = Keyring.open(tmp_path / "keys")
    assert made == opened
    assert len({opened.key(purpose) for purpose in PURPOSES}) == len(PURPOSES)
    assert "tokens" not in repr(opened)


def test_keys_are_for_their_owner_alone_and_lie_wrapped(tmp_path):
    made = Keyring.create(tmp_path / "keys")
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ring = (tmp_path / "keys" / "keyring.json").read_text()
    assert json.loads(ring)["algorithm"] == "AES-256-GCM"
    assert all(base64.b64encode(made.key(purpose)).decode() not in ring for purpose in PURPOSES)


def test_keys_are_never_replaced(tmp_path):
    Keyring.create(tmp_path / "keys")
    with pytest.raises(FileExistsError):
        Keyring.create(tmp_path / "keys")


def test_a_foreign_key_encryption_key_is_refused_by_name(tmp_path):
    Keyring.create(tmp_path / "ours")
    Keyring.create(tmp_path / "theirs")
    (tmp_path / "ours" / "kek.key").write_bytes((tmp_path / "theirs" / "kek.key").read_bytes())
    with pytest.raises(KeyFault, match="couldn't open key tokens: wrong key"):
        Keyring.open(tmp_path / "ours")


@pytest.mark.parametrize(
    "text", ["", "AES-256", "AES-256 !!", "AES-256 QUJD", "SM4 " + base64.b64encode(bytes(32)).decode()]
)
def test_a_damaged_key_file_is_refused_by_name(tmp_path, text):
    Keyring.create(tmp_path)
    (tmp_path / "kek.key").write_text(text)
    with pytest.raises(KeyFault, match=r"couldn't read kek\.key"):
        Keyring.open(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 1, "algorithm": "AES-256-GCM", "keys": {"tokens": "?"}}']
)
def test_a_damaged_ring_is_refused_by_name(tmp_path, text):
    Keyring.create(tmp_path)
    (tmp_path / "keyring.json").write_text(text)
    with pytest.raises(KeyFault, match=r"couldn't read keyring\.json"):
        Keyring.open(tmp_path)


def test_swapped_keys_do_not_open(tmp_path):
    Keyring.create(tmp_path)
    ring = json.loads((tmp_path / "keyring.json").read_text())
    keys = ring["keys"]
    keys["tokens"], keys["identities"] = keys["identities"], keys["tokens"]
    (tmp_path / "keyring.json").write_text(json.dumps(ring))
    with pytest.raises(KeyFault, match="out of its place"):
        Keyring.open(tmp_path)


def test_a_missing_keyring_is_an_os_fault(tmp_path):
    with pytest.raises(FileNotFoundError):
        Keyring.open(tmp_path)


def test_derived_keys_differ_by_file():
    ring = Keyring({"segments": bytes(32)})
    assert ring.derived("segments", "a") != ring.derived("segments", "b")
    assert ring.derived("segments", "a") == ring.derived("segments", "a")
    with pytest.raises(KeyFault, match="no such purpose"):
        ring.key("minutes")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "a\0b", "x.part", "ä"])
def test_a_name_is_one_plain_file_name(name):
    with pytest.raises(VaultFault):
        files.checked_name(name)
