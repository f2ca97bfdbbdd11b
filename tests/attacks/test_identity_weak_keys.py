# SPDX-License-Identifier: Apache-2.0
"""Attacks with public keys under which anybody can sign: small-order points of the curve, and second spellings of them.

Each is given wherever a key comes in; and where one stands in the state already, nothing is believed under it.
"""

import base64
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection

from lib.town import Town, build, codes
from zhanqiao.agreements import consents, seals
from zhanqiao.agreements.consent_token import read
from zhanqiao.identity import consent_keys, register
from zhanqiao.identity.keys import make_key, parse_public, public_bytes
from zhanqiao.identity.people import OrganisationKind, Role
from zhanqiao.identity.register import NewOrganisation, NewPerson
from zhanqiao.ledger.book import founding
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.ledger.exact import in_base64
from zhanqiao.ledger.note import COSIGNATURE, NoteSigner, NoteVerifier
from zhanqiao.ledger.problems import Unsound
from zhanqiao.ledger.public_key import read_public_key
from zhanqiao.ledger.trust import Trust, trust_text
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.subjects import Subject, SubjectKind

# The fourteen encodings of "Taming the Many EdDSAs" (2020), table 1: eight points, and six more spellings of them.
WEAK = [
    bytes.fromhex(text)
    for text in (
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "00" * 31 + "80",
        "00" * 32,
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "01" + "00" * 30 + "80",
        "ec" + "ff" * 31,
        "ee" + "ff" * 30 + "7f",
        "ee" + "ff" * 31,
        "ed" + "ff" * 31,
        "ed" + "ff" * 30 + "7f",
    )
]
# R is the neutral point and S is nothing: fits every message under the neutral point.
FORGED = WEAK[0] + bytes(32)


@pytest.fixture
def town(book) -> Town:
    return build(book)


def forged_for(key: bytes) -> set[bytes]:
    """Return the messages, of 64, over which somebody without any private key has a signature."""
    signed = set()
    for message in (b"%d" % number for number in range(64)):
        for first in WEAK:
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(first + bytes(32), message)
            except InvalidSignature:
                continue
            signed.add(message)
    return signed


@pytest.mark.parametrize("key", WEAK[:8], ids=bytes.hex)
def test_the_library_alone_believes_a_signature_that_nobody_made(key: bytes):
    assert forged_for(key)


@pytest.mark.parametrize("key", WEAK, ids=bytes.hex)
def test_no_door_takes_such_a_key(key: bytes):
    with pytest.raises(ValueError, match="anybody can sign"):
        read_public_key(key)
    assert codes(parse_public(key.hex())) == ["key-malformed"]
    for kind in (1, COSIGNATURE):
        verifier = NoteVerifier("log.example", key, kind)
        with pytest.raises(ValueError, match="anybody can sign"):
            NoteVerifier.from_vkey(verifier.vkey)
        assert verifier.opens(b"text\n", bytes(8 if kind == COSIGNATURE else 0) + FORGED) is None
    trusted = trust_text(NoteSigner("log.example", make_key()).verifier, make_key().public_key())
    with pytest.raises(Unsound):
        Trust.parse(f"{trusted}envelope {key_id_of(key)} {in_base64(key)}\n".encode())


@pytest.mark.parametrize("key", WEAK, ids=bytes.hex)
def test_nobody_founds_with_such_a_key(book, key: bytes):
    home = NewOrganisation("runner", OrganisationKind.OPERATOR, "运营", "91370200MA3QDQH018")
    people = [NewPerson("one", "runner", "一", "card of one", key, frozenset({Role.SYSTEM_ADMIN}))]
    assert "key-malformed" in codes(register.found(book, [home], people, profile="demo"))


def test_nobody_registers_such_a_key(town: Town):
    """One key for all ways in: the check is the same for each."""
    key = WEAK[3]
    newcomer = NewPerson("late", "bureau", "新人", "card of late", key)
    assert codes(register.register_person(town.book, newcomer, "sysadmin")) == ["key-malformed"]
    assert codes(register.replace_key(town.book, "bank-analyst", key, "sysadmin")) == ["key-malformed"]
    found = consent_keys.register_consent_authority(town.book, "weak-app", "bureau", key, "secadmin")
    assert codes(found) == ["key-malformed"]


def test_a_consent_under_such_a_key_is_not_believed_where_it_stands_already(town: Town):
    """Registered before this was checked, or written into the state."""
    token = town.consent()
    head = token.rpartition(".")[0]
    weak = f"{head}.{base64.urlsafe_b64encode(FORGED).decode().rstrip('=')}"
    with founding(), connection.cursor() as cursor:
        cursor.execute("UPDATE identity_consent_key SET public = %s WHERE issuer = 'app'", [WEAK[0]])
        assert cursor.rowcount > 0
    assert codes(consents.open(weak, town.clock())) == ["consent-signature-wrong"]
    assert codes(read(weak, lambda _: WEAK[0])) == ["consent-signature-wrong"]


def test_a_seal_under_such_a_key_does_not_hold():
    assert not seals.holds(b"statement", FORGED, WEAK[0])


def test_keys_that_people_make_are_taken():
    for _ in range(200):
        key = make_key()
        raw = public_bytes(key)
        read_public_key(raw).verify(key.sign(b"x"), b"x")
        assert not isinstance(parse_public(raw.hex()), Refusal)


def test_no_other_module_makes_a_key_of_bytes():
    source = Path(__file__).parents[2] / "src"
    made = [path.name for path in source.rglob("*.py") if "from_public_bytes(" in path.read_text(encoding="utf-8")]
    assert made == ["public_key.py"]


@pytest.mark.parametrize("which", ["log", "envelope"])
def test_the_platforms_own_keys_are_nobodys(town: Town, which: str) -> None:
    """Else what the log signs would prove who acts."""
    keys = town.book._keys
    own = keys.log.verifier.public if which == "log" else public_bytes(keys.envelope)
    new = NewPerson("log-man", "bureau", "赵六", "370202199009090017", own, frozenset[Role]())
    subject = Subject(SubjectKind.PERSON, "370202199009090017")
    for outcome in (
        register.register_person(town.book, new, "sysadmin"),
        register.replace_key(town.book, "bank-analyst", own, "sysadmin"),
        consent_keys.register_consent_authority(town.book, "log-app", "bureau", own, "secadmin"),
        consent_keys.register_subject_key(town.book, "log-app", subject, own, "bureau-officer", salt=bytes(16)),
    ):
        assert "key-of-the-log" in codes(outcome)
