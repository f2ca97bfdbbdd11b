# SPDX-License-Identifier: Apache-2.0
"""Attacks on who acts at the command line: a name without proof, a strange, guessed, plain or replaced key.

Outside of the demo profile a person is who opens a key file that the register knows; nothing else names anybody.
"""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lib.terminal import Shell, founded
from zhanqiao.identity.keys import make_key

ACT = ("people", "organisation", "mine", "--kind", "resident", "--name", "mine")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return founded(tmp_path_factory.mktemp("laptop"))


def test_a_name_proves_nothing(shell: Shell):
    assert shell.refused(*ACT, "--as", "sys") == ["as-outside-demo"]
    assert shell.refused(*ACT, status=2) == ["who-missing"]
    # A key proves one person; another name beside it is no way around that.
    shell.run(*ACT, "--as", "sys", by="sec", status=2)


def test_a_key_that_nobody_registered_is_nobodys(shell: Shell):
    shell.make_key("stranger")
    assert shell.refused(*ACT, by="stranger") == ["key-not-registered"]


def test_a_wrong_passphrase_opens_nothing_and_without_one_nothing_is_tried(shell: Shell):
    assert shell.refused(*ACT, by="sys", passphrase="sys keeps that") == ["key-file-wrong-passphrase"]
    assert shell.refused(*ACT, "--key", "sys.pem", status=2) == ["passphrase-not-asked"]
    assert shell.refused(*ACT, "--key", "sys.pem", "--passphrase-fd", "99", status=2) == ["passphrase-not-asked"]


def test_a_plain_key_file_is_not_used(shell: Shell):
    """A thief of the disk has it: outside of the demo profile it is refused, whosever it is."""
    plain = make_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (shell.folder / "plain.pem").write_bytes(plain)
    (shell.folder / "plain.pem").chmod(0o600)
    assert shell.refused(*ACT, "--key", "plain.pem") == ["key-file-needs-passphrase"]


def test_a_file_that_is_no_key_is_called_so(shell: Shell):
    """Somebody names the public half, or the file of the passphrase: another passphrase would not help."""
    (shell.folder / "no.pem").write_text("public key 00ff", encoding="utf-8")
    (shell.folder / "no.pem").chmod(0o600)
    assert shell.refused(*ACT, "--key", "no.pem") == ["key-file-unreadable"]


def test_a_key_file_that_others_can_read_is_not_used(shell: Shell):
    shell.make_key("open")
    (shell.folder / "open.pem").chmod(0o644)
    assert shell.refused(*ACT, by="open") == ["key-file-readable-by-others"]


def test_a_replaced_key_acts_for_nobody_and_the_new_one_holds_no_role(shell: Shell):
    """So who replaces a key by one of his own gains nothing."""
    new = shell.make_key("new")
    shell.run("people", "key", "replace", "officer", "--public", new, by="sys")
    draft = shell.file("draft.yaml", "name: x")
    assert shell.refused("agreement", "draft", draft, by="officer") == ["key-not-registered"]
    assert "role-missing" in shell.refused("agreement", "draft", draft, by="new")


def test_no_issuer_of_consents_has_a_persons_name(shell: Shell):
    """An issuer withdraws what it signed in its own name: a person of that name would withdraw other people's consents."""
    public = shell.make_key("app")
    words = ("--organisation", "bureau", "--public", public)
    assert shell.refused("consent", "authority", "first", *words, by="sec") == ["id-taken"]
    shell.run("consent", "authority", "app", *words, by="sec")
    person = ("people", "add", "app", "--organisation", "bureau", "--name", "x", "--public", shell.make_key("guest"))
    assert shell.refused(*person, by="sys", given={"id": "card of guest"}) == ["id-taken"]
