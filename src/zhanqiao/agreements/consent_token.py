# SPDX-License-Identifier: Apache-2.0
"""The consent token: a JWS in compact form (RFC 7515) with one algorithm, Ed25519 (RFC 8037), and no choices.

    base64url({"alg":"EdDSA","kid":<issuer>,"typ":"zhanqiao-consent+jws"}) . base64url(claims) . base64url(signature)

Nothing in a token is obeyed: `alg` must be the one word, `kid` only names a registered key, whose public half alone
decides. What is not exactly of this form is refused: padding, line breaks, other or repeated keys, floats, a second
spelling of the same base64. Claims:

    iss recipient(aud) service purpose sub items nbf exp uses jti warned
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zhanqiao.ledger.public_key import read_public_key
from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.terms.subjects import SubjectKind

ALGORITHM = "EdDSA"
TYPE = "zhanqiao-consent+jws"
MAX_TOKEN = 8_192
MAX_USES = 1_000_000
_HEADER = ("alg", "kid", "typ")
_CLAIMS = ("aud", "exp", "iss", "items", "jti", "nbf", "purpose", "service", "sub", "uses", "warned")
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_NONCE = re.compile(r"[0-9a-f]{32}")
_SUBJECT = re.compile(r"(person|enterprise):([0-9a-f]{32}):([0-9a-f]{64})")
# The year 9999: later instants have no datetime.
_LAST_SECOND = 253_402_300_799


@dataclass(frozen=True)
class Consent:
    """A subject's permission, as it was signed.

    subject_kind, salt, subject_digest   who gave it, as a salted digest of the identifier
    items       dataset name -> item names
    begins      first instant, ends the first one after
    warned      adverse effects were pointed out (credit law, consent-only categories)
    binding     what the log says of the key that verified it; empty as long as none has
    """

    issuer: str
    nonce: str
    recipient: str
    service: str
    purpose: str
    subject_kind: SubjectKind
    salt: bytes
    subject_digest: str
    items: dict[str, frozenset[str]]
    begins: datetime
    ends: datetime
    uses: int
    warned: bool
    binding: str = ""

    def __post_init__(self) -> None:
        assert self.uses >= 1, "a consent that cannot be used"

    @property
    def reference(self) -> str:
        """What names this consent: issuers number theirs apart."""
        return f"{self.issuer}:{self.nonce}"

    def claims(self) -> dict[str, object]:
        return {
            "iss": self.issuer,
            "jti": self.nonce,
            "aud": self.recipient,
            "service": self.service,
            "purpose": self.purpose,
            "sub": f"{self.subject_kind.value}:{self.salt.hex()}:{self.subject_digest}",
            "items": {dataset: sorted(names) for dataset, names in self.items.items()},
            "nbf": int(self.begins.timestamp()),
            "exp": int(self.ends.timestamp()),
            "uses": self.uses,
            "warned": self.warned,
        }


def write(consent: Consent, key: Ed25519PrivateKey) -> str:
    """Sign a consent into a token."""
    header = canonical({"alg": ALGORITHM, "kid": consent.issuer, "typ": TYPE})
    signed = f"{_encode(header)}.{_encode(canonical(consent.claims()))}"
    return f"{signed}.{_encode(key.sign(signed.encode()))}"


def read(token: str, key_of: Callable[[str], bytes | None]) -> Consent | Refusal:
    """Read a token: its form, then whose key, then the signature, and only then what it says."""
    try:
        header, claims, signature, signed = _take_apart(token)
    except ValueError as flaw:
        return refuse("consent-malformed", problem=str(flaw))
    issuer = header["kid"]
    public = key_of(issuer)
    if public is None:
        return refuse("consent-issuer-unknown", issuer=issuer)
    try:
        read_public_key(public).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return refuse("consent-signature-wrong")
    try:
        consent = _consent(claims)
    except ValueError as flaw:
        return refuse("consent-malformed", problem=str(flaw))
    return consent if consent.issuer == issuer else refuse("consent-malformed", problem="iss and kid differ")


def _take_apart(token: str) -> tuple[dict[str, str], dict[str, object], bytes, bytes]:
    if len(token) > MAX_TOKEN or not token.isascii():
        raise ValueError("too long, or not ASCII")
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError("not three parts")
    raw_header, raw_claims, signature = (_decode(part) for part in parts)
    header = _object(raw_header, _HEADER)
    if header["alg"] != ALGORITHM or header["typ"] != TYPE or not _is_word(header["kid"]):
        raise ValueError("the header is not ours")
    if len(signature) != 64:
        raise ValueError("a signature has 64 bytes")
    claims = _object(raw_claims, _CLAIMS)
    return {"kid": str(header["kid"])}, claims, signature, f"{parts[0]}.{parts[1]}".encode()


def _consent(claims: dict[str, object]) -> Consent:
    for name in ("iss", "aud", "service", "purpose"):
        if not isinstance(text := claims[name], str) or not 0 < len(text) <= 200:
            raise ValueError(f"{name} is no text of 1 to 200 characters")
    subject = _SUBJECT.fullmatch(_text(claims, "sub"))
    nonce = _NONCE.fullmatch(_text(claims, "jti"))
    if subject is None or nonce is None:
        raise ValueError("sub or jti is not ours")
    begins, ends = _whole(claims, "nbf", _LAST_SECOND), _whole(claims, "exp", _LAST_SECOND)
    if begins >= ends:
        raise ValueError("it ends before it begins")
    if not isinstance(warned := claims["warned"], bool):
        raise ValueError("warned is neither true nor false")  # noqa: TRY004  one kind of flaw
    return Consent(
        issuer=_text(claims, "iss"),
        nonce=nonce[0],
        recipient=_text(claims, "aud"),
        service=_text(claims, "service"),
        purpose=_text(claims, "purpose"),
        subject_kind=SubjectKind(subject[1]),
        salt=bytes.fromhex(subject[2]),
        subject_digest=subject[3],
        items=_items(claims["items"]),
        begins=datetime.fromtimestamp(begins, UTC),
        ends=datetime.fromtimestamp(ends, UTC),
        uses=_whole(claims, "uses", MAX_USES),
        warned=warned,
    )


def _items(value: object) -> dict[str, frozenset[str]]:
    if not isinstance(value, dict) or not value:
        raise ValueError("items is no filled object")
    items = {}
    for dataset, names in value.items():
        if not isinstance(names, list) or not names or not all(_is_word(name) for name in (dataset, *names)):
            raise ValueError("items does not map datasets to lists of names")
        items[str(dataset)] = frozenset(str(name) for name in names)
    return items


def _object(content: bytes, keys: tuple[str, ...]) -> dict[str, object]:
    try:
        value = json.loads(content, object_pairs_hook=_distinct, parse_float=_no_number, parse_constant=_no_number)
    except (UnicodeDecodeError, RecursionError) as flaw:
        raise ValueError("not JSON") from flaw
    if not isinstance(value, dict) or tuple(sorted(value)) != keys:
        raise ValueError(f"the keys are not exactly {', '.join(keys)}")
    return value


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_number(text: str) -> object:
    raise ValueError(f"a number that is not whole: {text[:20]}")


def _text(claims: dict[str, object], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")  # noqa: TRY004  one kind of flaw
    return value


def _whole(claims: dict[str, object], name: str, most: int) -> int:
    value = claims[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"{name} is no whole number from 1 to {most}")
    return value


def _is_word(value: object) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    if not part or "=" in part:
        raise ValueError("an empty or padded part")
    try:
        content = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as flaw:
        raise ValueError("not base64url") from flaw
    if _encode(content) != part:
        raise ValueError("a second spelling of the same bytes")
    return content
