# SPDX-License-Identifier: Apache-2.0
"""Consent tokens: one form, one algorithm, and nothing in a token is obeyed."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from zhanqiao.agreements.consent_token import MAX_TOKEN, Consent, read, write
from zhanqiao.identity.keys import public_bytes
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.subjects import SubjectKind

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEYS = {"citizen-app": public_bytes(KEY), "other-app": public_bytes(OTHER)}
CONSENT = Consent(
    issuer="citizen-app",
    nonce="0f" * 16,
    recipient="bank",
    service="citizen_credit",
    purpose="credit-precheck",
    subject_kind=SubjectKind.PERSON,
    salt=bytes(16),
    subject_digest="ab" * 32,
    items={"pension_enrolment": frozenset({"contribution_base", "district"})},
    begins=datetime(2026, 11, 25, tzinfo=UTC),
    ends=datetime(2026, 12, 25, tzinfo=UTC),
    uses=3,
    warned=True,
)
TOKEN = write(CONSENT, KEY)


def encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def forge(header: object = None, claims: object = None, key: Ed25519PrivateKey = KEY) -> str:
    """Sign whatever is given, rightly."""
    parts = TOKEN.split(".")
    head = parts[0] if header is None else encode(header if isinstance(header, bytes) else json.dumps(header).encode())
    body = parts[1] if claims is None else encode(claims if isinstance(claims, bytes) else json.dumps(claims).encode())
    return f"{head}.{body}.{encode(key.sign(f'{head}.{body}'.encode()))}"


def code(token: str) -> str:
    found = read(token, KEYS.get)
    assert isinstance(found, Refusal), found
    assert found.reasons[0].message("zh")
    assert found.reasons[0].remedy("en")
    return found.reasons[0].code


def test_what_was_signed_is_what_is_read():
    assert read(TOKEN, KEYS.get) == CONSENT
    assert read(forge(), KEYS.get) == CONSENT


def test_any_changed_character_is_found():
    for place in range(len(TOKEN)):
        letter = "A" if TOKEN[place] != "A" else "B"
        found = read(TOKEN[:place] + letter + TOKEN[place + 1 :], KEYS.get)
        assert isinstance(found, Refusal), place


HEADER = {"alg": "EdDSA", "kid": "citizen-app", "typ": "zhanqiao-consent+jws"}


@pytest.mark.parametrize(
    "header",
    [
        {**HEADER, "alg": "none"},
        {**HEADER, "alg": "HS256"},
        {**HEADER, "alg": "Ed25519"},
        {**HEADER, "alg": "eddsa"},
        {**HEADER, "alg": ["EdDSA"]},
        {**HEADER, "typ": "JWT"},
        {**HEADER, "jwk": {"kty": "OKP", "crv": "Ed25519", "x": encode(public_bytes(OTHER))}},
        {**HEADER, "jku": "https://example.org/keys"},
        {**HEADER, "crit": ["b64"], "b64": False},
        {**HEADER, "kid": ""},
        {**HEADER, "kid": "../keys"},
        {**HEADER, "kid": None},
        {key: value for key, value in HEADER.items() if key != "kid"},
        [],
        b"\xff",
        b'{"alg":"none","alg":"EdDSA","kid":"citizen-app","typ":"zhanqiao-consent+jws"}',
    ],
)
def test_a_header_is_ours_or_nothing(header: object):
    assert code(forge(header=header)) == "consent-malformed"


def test_a_key_signs_under_its_own_name_only():
    assert code(forge(key=OTHER)) == "consent-signature-wrong"
    assert code(forge(header={**HEADER, "kid": "other-app"}, key=OTHER)) == "consent-malformed"  # iss says another
    assert code(forge(header={**HEADER, "kid": "nobody"})) == "consent-issuer-unknown"


def test_a_symmetric_signature_over_the_public_key_is_no_signature():
    head, body, _ = TOKEN.split(".")
    import hmac

    tag = hmac.digest(public_bytes(KEY), f"{head}.{body}".encode(), "sha512")
    assert code(f"{head}.{body}.{encode(tag)}") == "consent-signature-wrong"


def claims(**changed: object) -> dict[str, object]:
    return {**CONSENT.claims(), **changed}


@pytest.mark.parametrize(
    "wrong",
    [
        {"uses": 0},
        {"uses": -1},
        {"uses": 1.0},
        {"uses": True},
        {"uses": "3"},
        {"uses": 10**30},
        {"nbf": 2**60, "exp": 2**61},
        {"nbf": 1_800_000_000, "exp": 1_700_000_000},
        {"exp": 1e300},
        {"jti": "short"},
        {"jti": "0F" * 16},
        {"jti": None},
        {"sub": "person:00:ab"},
        {"sub": f"ghost:{'00' * 16}:{'ab' * 32}"},
        {"sub": f"person:{'00' * 16}:{'ab' * 32}\n"},
        {"aud": ["bank", "other"]},
        {"aud": ""},
        {"purpose": "x" * 201},
        {"items": {}},
        {"items": []},
        {"items": {"pension_enrolment": []}},
        {"items": {"pension_enrolment": "district"}},
        {"items": {"pension_enrolment": [1]}},
        {"items": {"../x": ["district"]}},
        {"warned": 1},
        {"extra": 1},
    ],
)
def test_claims_are_ours_or_nothing(wrong: dict[str, object]):
    assert code(forge(claims=claims(**wrong))) == "consent-malformed"


@pytest.mark.parametrize("name", list(CONSENT.claims()))
def test_no_claim_may_be_missing(name: str):
    assert code(forge(claims={key: value for key, value in claims().items() if key != name})) == "consent-malformed"


def test_repeated_claims_and_numbers_that_are_none():
    body = json.dumps(claims())
    assert code(forge(claims=body.replace('"uses": 3', '"uses": 3, "uses": 1000').encode())) == "consent-malformed"
    assert code(forge(claims=body.replace('"uses": 3', '"uses": NaN').encode())) == "consent-malformed"
    assert code(forge(claims=("[" * 3_000 + "]" * 3_000).encode())) == "consent-malformed"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        TOKEN + ".",
        TOKEN + "=",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.replace(".", "..", 1),
        TOKEN.rsplit(".", 1)[0],
        TOKEN.rsplit(".", 1)[0] + ".",
        TOKEN.rsplit(".", 1)[0] + "." + encode(bytes(63)),
        "é" + TOKEN[1:],
        "a" * (MAX_TOKEN + 1),
    ],
)
def test_what_is_not_three_exact_parts_is_no_token(token: str):
    assert code(token) == "consent-malformed"


def test_bytes_have_one_spelling():
    head, body, signature = TOKEN.split(".")
    # 64 bytes leave four unused bits in the last letter: sixteen spellings of one signature, of which one is good.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters.index(signature[-1])
    others = [letters[last ^ bits] for bits in range(1, 16)]
    assert all(code(f"{head}.{body}.{signature[:-1]}{letter}") == "consent-malformed" for letter in others)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.text(max_size=300) | st.from_regex(r"\A[A-Za-z0-9_=-]{0,60}\.[A-Za-z0-9_=-]{0,60}\.[A-Za-z0-9_=-]{86}\Z"))
def test_no_text_breaks_the_reader(text: str):
    assert isinstance(read(text, KEYS.get), Refusal)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    uses=st.integers(1, 10**6),
    warned=st.booleans(),
    items=st.dictionaries(
        st.from_regex(r"\A[a-z_]{1,20}\Z"), st.frozensets(st.from_regex(r"\A[a-z_]{1,20}\Z"), min_size=1), min_size=1
    ),
)
def test_every_consent_comes_back_as_it_was(uses: int, warned: bool, items: dict[str, frozenset[str]]):
    consent = replace(CONSENT, uses=uses, warned=warned, items=items)
    token = write(consent, KEY)
    found = read(token, KEYS.get)
    assert found == consent if len(token) <= MAX_TOKEN else isinstance(found, Refusal)
