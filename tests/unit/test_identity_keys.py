# SPDX-License-Identifier: Apache-2.0
"""Key files: what opens, and everything that does not."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from zhanqiao.identity.keys import is_locked, make_key, public_bytes, read_key_file, write_key_file
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.terms.refusals import Refusal

PASSPHRASE = "correct horse battery"


def held(folder: Path, content: bytes) -> Path:
    path = folder / "wang.key"
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def code(outcome: object) -> str:
    assert isinstance(outcome, Refusal)
    return outcome.reasons[0].code


@pytest.mark.parametrize("profile", ["demo", "laptop", "production"])
def test_a_passphrase_opens_its_file_in_every_profile(tmp_path: Path, profile: str):
    key, path = make_key(), tmp_path / "wang.key"
    assert write_key_file(path, key, passphrase=PASSPHRASE, profile=profile) is None
    opened = read_key_file(path, passphrase=PASSPHRASE, profile=profile)
    assert isinstance(opened, Ed25519PrivateKey)
    assert public_bytes(opened) == public_bytes(key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert code(read_key_file(path, passphrase="another passphrase", profile=profile)) == "key-file-wrong-passphrase"
    assert code(read_key_file(path, passphrase=None, profile=profile)) == "key-file-needs-passphrase"


def test_plain_files_are_for_the_demo_only(tmp_path: Path):
    key, path = make_key(), tmp_path / "wang.key"
    assert code(write_key_file(path, key, passphrase=None, profile="laptop")) == "key-file-needs-passphrase"
    assert not path.exists()
    assert write_key_file(path, key, passphrase=None, profile="demo") is None
    assert isinstance(read_key_file(path, passphrase=None, profile="demo"), Ed25519PrivateKey)
    for profile in ("laptop", "production"):
        assert code(read_key_file(path, passphrase=None, profile=profile)) == "key-file-needs-passphrase"
        assert code(read_key_file(path, passphrase=PASSPHRASE, profile=profile)) == "key-file-needs-passphrase"


def test_a_short_passphrase_makes_no_file(tmp_path: Path):
    path = tmp_path / "wang.key"
    assert code(write_key_file(path, make_key(), passphrase="short", profile="demo")) == "passphrase-too-short"
    assert not path.exists()


def test_a_passphrase_may_be_in_any_encoding(tmp_path: Path):
    key, typed = make_key(), "栈桥的口令一共十二个字呀".encode("gb18030").decode(errors="surrogateescape")
    assert write_key_file(tmp_path / "key.pem", key, passphrase=typed, profile="laptop") is None
    opened = read_key_file(tmp_path / "key.pem", passphrase=typed, profile="laptop")
    assert isinstance(opened, Ed25519PrivateKey)
    assert public_bytes(opened) == public_bytes(key)


def test_a_key_is_never_overwritten(tmp_path: Path):
    path = tmp_path / "wang.key"
    write_key_file(path, make_key(), passphrase=None, profile="demo")
    before = path.read_bytes()
    assert code(write_key_file(path, make_key(), passphrase=None, profile="demo")) == "file-exists"
    assert path.read_bytes() == before


def test_a_place_that_takes_no_file_is_named_with_its_cause(tmp_path: Path):
    (tmp_path / "file").touch()
    for path in (Path("/proc/wang.key"), tmp_path / "file" / "wang.key"):
        refusal = write_key_file(path, make_key(), passphrase=PASSPHRASE, profile="laptop")
        assert code(refusal) == "file-not-written"
        assert isinstance(refusal, Refusal)
        assert str(path) in refusal.reasons[0].message("en")
        assert refusal.exit_status == 2


def test_what_others_can_read_is_not_used(tmp_path: Path):
    path = tmp_path / "wang.key"
    write_key_file(path, make_key(), passphrase=None, profile="demo")
    path.chmod(0o640)
    assert code(read_key_file(path, passphrase=None, profile="demo")) == "key-file-readable-by-others"


@pytest.mark.parametrize("profile", ["demo", "laptop"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a key",
        b"see -----BEGIN PRIVATE KEY----- in the manual",
        b"-----BEGIN PRIVATE KEY-----\nbm8ga2V5\n-----END PRIVATE KEY-----\n",
        b"zhanqiao-key: scrypt 2 8 1 " + b"0" * 32 + b"\nx",
    ],
)
def test_what_is_no_key_is_said_to_be_none(tmp_path: Path, content: bytes, profile: str):
    path = held(tmp_path, content)
    for passphrase in (None, PASSPHRASE):
        assert code(read_key_file(path, passphrase=passphrase, profile=profile)) == "key-file-unreadable"
    assert code(read_key_file(tmp_path / "none", passphrase=None, profile=profile)) == "key-file-missing"


ADDED = {
    "a bag of attributes first": lambda key: b"Bag Attributes\n    friendlyName: wang\n" + key,
    "a byte order mark": lambda key: b"\xef\xbb\xbf" + key,
    "ends of lines as on Windows": lambda key: key.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("added", ADDED.values(), ids=ADDED)
@pytest.mark.parametrize(("profile", "passphrase"), [("demo", None), ("demo", PASSPHRASE), ("laptop", PASSPHRASE)])
def test_what_tools_add_to_a_key_is_passed_over(
    tmp_path: Path, added: Callable[[bytes], bytes], profile: str, passphrase: str | None
):
    path, key = tmp_path / "wang.key", make_key()
    write_key_file(path, key, passphrase=passphrase, profile=profile)
    path.write_bytes(added(path.read_bytes()))
    assert is_locked(path) is (passphrase is not None)
    read = read_key_file(path, passphrase=passphrase, profile=profile)
    assert isinstance(read, Ed25519PrivateKey)
    assert public_bytes(read) == public_bytes(key)


def pem(label: str, der: bytes) -> bytes:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n".encode()


def on_sm2(form: PrivateFormat) -> bytes:
    """A key that says to be on the curve of SM2, which is not read here."""
    der = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.DER, form, NoEncryption())
    p_256, sm2 = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a811ccf5501822d")
    assert p_256 in der
    return der.replace(p_256, sm2)


LOCK = BestAvailableEncryption(PASSPHRASE.encode())
OTHERS = {
    "another kind": lambda: X25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    ),
    "locked by OpenSSL": lambda: make_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, LOCK),
    "of SSH": lambda: make_key().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
    "on an unknown curve": lambda: pem("PRIVATE KEY", on_sm2(PrivateFormat.PKCS8)),
    "on an unknown curve, in the older form": lambda: pem("EC PRIVATE KEY", on_sm2(PrivateFormat.TraditionalOpenSSL)),
    "on an unknown curve, behind our head": lambda: (
        b"zhanqiao-key: scrypt 32768 8 1 " + b"0" * 32 + b"\n" + pem("PRIVATE KEY", on_sm2(PrivateFormat.PKCS8))
    ),
}


@pytest.mark.parametrize("profile", ["demo", "laptop"])
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_key_is_no_key_of_ours_whatever_the_passphrase(
    tmp_path: Path, other: Callable[[], bytes], profile: str
):
    path = held(tmp_path, other())
    assert code(read_key_file(path, passphrase=PASSPHRASE, profile=profile)) == "key-file-unreadable"


def test_a_key_id_names_its_algorithm():
    assert key_id_of(bytes(32)) == "ed25519:66687aadf862bd776c8fc18b8e9f8e20"
