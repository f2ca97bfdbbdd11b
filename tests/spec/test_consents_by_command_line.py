# SPDX-License-Identifier: Apache-2.0
"""Consents at the command line: a key is registered, a consent is signed, shown, withdrawn, and its key revoked."""

import pytest

from lib.pier import credit_code
from lib.terminal import Shell, founded

SUBJECT = {"id": credit_code(1)}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A laptop deployment with a consent app of the bureau and a bank that may be named."""
    shell = founded(tmp_path_factory.mktemp("laptop"))
    shell.run("people", "organisation", "ocean-bank", "--kind", "resident", "--name", "远洋银行", by="sys")
    words = ("--organisation", "bureau", "--public", shell.make_key("app"))
    assert shell.refused("consent", "authority", "app", *words, by="sys") == ["role-missing"]
    assert shell.run("consent", "authority", "app", *words, by="sec") == {"status": "registered", "issuer": "app"}
    return shell


def give(shell: Shell, out: str, **changed: str) -> tuple[str, ...]:
    terms = {"recipient": "ocean-bank", "purpose": "credit-precheck", "uses": "3", "out": out, **changed}
    return (
        "consent",
        "give",
        "enterprise-credit",
        *(word for name, value in terms.items() for word in (f"--{name}", value)),
    )


def test_a_consent_says_who_may_read_what_for_which_purpose_how_often_and_until_when(shell: Shell):
    """It does not say whose it is, to nobody who reads it."""
    given = shell.run(*give(shell, "one.jws"), "--warned", by="app", given=SUBJECT)
    assert (given["iss"], given["aud"], given["service"]) == ("app", "ocean-bank", "enterprise-credit")
    assert (given["purpose"], given["uses"], given["uses_left"], given["warned"]) == ("credit-precheck", 3, 3, True)
    assert "enterprise_registration" in given["items"]
    assert "sub" not in given
    assert shell.run("consent", "show", "one.jws") == given
    assert SUBJECT["id"] not in (shell.folder / "one.jws").read_text()


def test_a_withdrawn_consent_has_no_uses_left(shell: Shell):
    shell.run(*give(shell, "two.jws"), by="app", given=SUBJECT)
    assert shell.refused("consent", "withdraw", "two.jws", by="sys") == ["role-missing"]
    withdrawn = shell.run("consent", "withdraw", "two.jws", by="officer")
    assert (withdrawn["status"], withdrawn["uses_left"]) == ("spent", 0)
    # The signer itself may, too, and twice is harmless.
    assert shell.run("consent", "withdraw", "two.jws", by="app")["status"] == "spent"
    kinds = [event["kind"] for event in shell.run("ledger", "show", "--kind", "consent.withdrawn")]
    assert kinds == ["consent.withdrawn"] * 2


def test_a_key_that_is_not_registered_signs_no_consent_and_a_revoked_key_ends_all_of_its(shell: Shell):
    assert shell.refused(*give(shell, "no.jws"), by="first", given=SUBJECT) == ["key-not-registered"]
    own = ("consent", "subject", "own-key", "--kind", "enterprise", "--public", shell.make_key("own"))
    assert shell.refused(*own, by="first", given=SUBJECT) == ["role-missing"]
    shell.run(*own, by="officer", given=SUBJECT)
    shell.run(*give(shell, "own.jws"), by="own", given=SUBJECT)
    assert shell.refused("consent", "revoke", "own-key", by="officer") == ["role-missing"]
    shell.run("consent", "revoke", "own-key", by="sec")
    assert shell.refused("consent", "show", "own.jws") == ["consent-issuer-unknown"]


def test_names_that_are_not_known_end_with_four(shell: Shell):
    nobody = give(shell, "no.jws", recipient="nobody")
    assert shell.refused(*nobody, by="app", given=SUBJECT, status=4) == ["organisation-unknown"]
    words = ("consent", "give", "fortune", *give(shell, "no.jws")[3:])
    assert shell.refused(*words, by="app", given=SUBJECT, status=4) == ["unknown-service"]
    assert not (shell.folder / "no.jws").exists()
    shell.file("bad.jws", "no consent")
    assert shell.refused("consent", "show", "bad.jws") == ["consent-malformed"]


def test_a_consent_is_not_written_over_another_file(shell: Shell):
    shell.file("kept.txt", "kept")
    assert shell.refused(*give(shell, "kept.txt"), by="app", given=SUBJECT, status=2) == ["file-exists"]
    assert (shell.folder / "kept.txt").read_text() == "kept"


def test_a_place_that_takes_no_file_is_named(shell: Shell):
    for out in ("/proc/a.jws", "kept.txt/a.jws"):
        shell.file("kept.txt", "kept")
        assert shell.refused(*give(shell, out), by="app", given=SUBJECT, status=2) == ["file-not-written"]
    made = ("people", "key", "new", "/proc/a.pem", "--passphrase-fd", "0")
    assert shell.refused(*made, passphrase="long enough for all", status=2) == ["file-not-written"]
