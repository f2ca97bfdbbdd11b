# SPDX-License-Identifier: Apache-2.0
"""What the gateway shows: certificate and key, looked at before anything starts and told by setting, file and cause.

Whoever looks may be another user than the gateway's: a file that he may not read is judged by its mode alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from zhanqiao.desk.serving.plan import CERTIFICATE, KEY, Plan
from zhanqiao.desk.serving.users import READ, reaches
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.terms.refusals import Reason

_MOST_BYTES = 1 << 20
_SOON = timedelta(days=30)


@dataclass(frozen=True)
class _Certificate:
    """What counts of a certificate here.

    public  None where it is of an algorithm that nobody here knows, as SM2
    """

    public: bytes | None
    first: datetime
    last: datetime


def look(planned: Plan, at: datetime) -> Iterator[Reason]:
    """Whether the gateway could show at that moment what the settings name; nothing is named where it has no TLS."""
    named = planned.tls
    if not named:
        return
    contents = {setting: _content(planned, setting, path) for setting, path in named.items()}
    unread = [one for one in contents.values() if isinstance(one, Reason)]
    yield from unread
    shown, opening = contents[CERTIFICATE], contents[KEY]
    if not isinstance(shown, bytes) or not isinstance(opening, bytes):
        return
    certificate, key = _certificate(shown), _key(opening)
    if certificate is None:
        yield Reason("tls-certificate-malformed", {"file": str(named[CERTIFICATE])})
    if key is None:
        yield Reason("tls-key-malformed", {"file": str(named[KEY])})
    if certificate is None or key is None:
        return
    if certificate.public != _public(key):
        yield Reason("tls-pair-differs", {"certificate": str(named[CERTIFICATE]), "key": str(named[KEY])})
    if not certificate.first <= at <= certificate.last:
        dates = {"first": _day(certificate.first), "last": _day(certificate.last)}
        yield Reason("tls-out-of-date", {"file": str(named[CERTIFICATE]), **dates})


def ends_soon(planned: Plan, at: datetime) -> Iterator[Reason]:
    """Whether the certificate ends within the month; one that ended is `look`'s to tell."""
    ends = expires(planned)
    if ends is not None and at <= ends < at + _SOON:
        yield Reason("tls-ends-soon", {"file": planned.deployment.serving.tls_certificate, "day": _day(ends)})


def expires(planned: Plan) -> datetime | None:
    """Return when the certificate ends; None where there is none that can be read."""
    named = planned.tls
    try:
        certificate = _certificate(read_bounded(named[CERTIFICATE], _MOST_BYTES)) if named else None
    except OSError:
        return None
    return None if certificate is None else certificate.last


def _content(planned: Plan, setting: str, path: Path) -> bytes | Reason | None:
    """Return what the file holds, or why the gateway could not read it; None where who looks may not, and it may."""
    facts = {"setting": setting, "file": str(path), "user": planned.gateway.name}
    try:
        if path.is_file() and not reaches(planned.gateway, path, READ):
            return Reason("tls-unreadable", facts)
        return read_bounded(path, _MOST_BYTES)
    except PermissionError:
        return None
    # Beside those that are not there: some are regular by name alone, as in /proc.
    except OSError as cause:
        return Reason("tls-missing", {**facts, "cause": cause.strerror or "-"})


def _certificate(content: bytes) -> _Certificate | None:
    try:
        # The first is the gateway's own, the others lead to whoever vouches for it.
        found = x509.load_pem_x509_certificates(content)[0]
        # Python knows no year 0.
        return _Certificate(_public(found), found.not_valid_before_utc, found.not_valid_after_utc)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _key(content: bytes) -> PrivateKeyTypes | None:
    try:
        return load_pem_private_key(content, None)
    # No key, one under a passphrase, which nobody would be there to type, or of an algorithm that TLS here does not speak.
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _public(of: x509.Certificate | PrivateKeyTypes) -> bytes | None:
    """Return the public half; None where it is of an algorithm that nobody here knows, as SM2."""
    try:
        return of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
