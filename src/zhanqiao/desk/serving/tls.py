# SPDX-License-Identifier: Apache-2.0
"""What the gateway shows: certificate and key, looked at before anything starts and told by setting, file and cause.

Whoever looks may be another user than the gateway's: a file that he may not read is judged by its mode alone.
"""

from collections.abc import Iterator
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


def look(planned: Plan, at: datetime) -> Iterator[Reason]:
    """Whether the gateway could show at that moment what the settings name; nothing is named where it has no TLS."""
    named = planned.tls
    if not named:
        return
    unread = [reason for setting, path in named.items() for reason in _unread(planned, setting, path)]
    yield from unread
    if unread:
        return
    try:
        certificate, key = _certificate(named[CERTIFICATE]), _key(named[KEY])
    except PermissionError:
        return  # the gateway's user can read them, and who looks cannot
    if certificate is None:
        yield Reason("tls-certificate-malformed", {"file": str(named[CERTIFICATE])})
    if key is None:
        yield Reason("tls-key-malformed", {"file": str(named[KEY])})
    if certificate is None or key is None:
        return
    if _public(certificate) != _public(key):
        yield Reason("tls-pair-differs", {"certificate": str(named[CERTIFICATE]), "key": str(named[KEY])})
    yield from _out_of_date(certificate, named[CERTIFICATE], at)


def ends_soon(planned: Plan, at: datetime) -> Iterator[Reason]:
    """Whether the certificate ends within the month; one that ended is `look`'s to tell."""
    ends = expires(planned)
    if ends is not None and at <= ends < at + _SOON:
        yield Reason("tls-ends-soon", {"file": planned.deployment.serving.tls_certificate, "day": _day(ends)})


def expires(planned: Plan) -> datetime | None:
    """Return when the certificate ends; None where there is none that can be read."""
    named = planned.tls
    try:
        certificate = _certificate(named[CERTIFICATE]) if named else None
    except OSError:
        return None
    return None if certificate is None else certificate.not_valid_after_utc


def _unread(planned: Plan, setting: str, path: Path) -> Iterator[Reason]:
    facts = {"setting": setting, "file": str(path), "user": planned.gateway.name}
    try:
        path.stat()
    except PermissionError:
        return
    except OSError as cause:
        yield Reason("tls-missing", {**facts, "cause": cause.strerror or "-"})
        return
    if not path.is_file():
        yield Reason("tls-missing", {**facts, "cause": "not a regular file"})
    elif not reaches(planned.gateway, path, READ):
        yield Reason("tls-unreadable", facts)


def _certificate(path: Path) -> x509.Certificate | None:
    try:
        # The first is the gateway's own, the others lead to whoever vouches for it.
        return x509.load_pem_x509_certificates(read_bounded(path, _MOST_BYTES))[0]
    except (ValueError, UnsupportedAlgorithm):
        return None


def _key(path: Path) -> PrivateKeyTypes | None:
    try:
        return load_pem_private_key(read_bounded(path, _MOST_BYTES), None)
    # No key, one under a passphrase, which nobody would be there to type, or of an algorithm that TLS here does not speak.
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _public(of: x509.Certificate | PrivateKeyTypes) -> bytes | None:
    """Return the public half; None where it is of an algorithm that nobody here knows, as SM2."""
    try:
        return of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _out_of_date(certificate: x509.Certificate, path: Path, at: datetime) -> Iterator[Reason]:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= at <= last:
        yield Reason("tls-out-of-date", {"file": str(path), "first": _day(first), "last": _day(last)})


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
