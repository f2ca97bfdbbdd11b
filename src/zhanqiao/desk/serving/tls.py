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

from zhanqiao.desk.serving.plan import Plan
from zhanqiao.desk.serving.users import READ, reaches
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.terms.refusals import Reason

_CERTIFICATE, _KEY = "tls_certificate", "tls_key"
_MOST_BYTES = 1 << 20
_SOON = timedelta(days=30)


def look(planned: Plan, at: datetime) -> Iterator[Reason]:
    """Whether the gateway could show at that moment what the settings name; nothing is named where it has no TLS."""
    named = _named(planned)
    if not named:
        return
    unread = [reason for setting, path in named.items() for reason in _unread(planned, setting, path)]
    yield from unread
    if unread:
        return
    try:
        certificate, key = _certificate(named[_CERTIFICATE]), _key(named[_KEY])
    except PermissionError:
        return  # the gateway's user can read them, and who looks cannot
    if certificate is None:
        yield Reason("tls-certificate-malformed", {"file": str(named[_CERTIFICATE])})
    if key is None:
        yield Reason("tls-key-malformed", {"file": str(named[_KEY])})
    if certificate is None or key is None:
        return
    if _public(certificate) != _public(key):
        yield Reason("tls-pair-differs", {"certificate": str(named[_CERTIFICATE]), "key": str(named[_KEY])})
    yield from _out_of_date(certificate, named[_CERTIFICATE], at)


def ends_soon(planned: Plan, at: datetime) -> Iterator[Reason]:
    """Whether the certificate ends within the month; one that ended is `look`'s to tell."""
    ends = expires(planned)
    if ends is not None and at <= ends < at + _SOON:
        yield Reason("tls-ends-soon", {"file": planned.deployment.serving.tls_certificate, "day": _day(ends)})


def expires(planned: Plan) -> datetime | None:
    """Return when the certificate ends; None where there is none that can be read."""
    named = _named(planned)
    try:
        certificate = _certificate(named[_CERTIFICATE]) if named else None
    except OSError:
        return None
    return None if certificate is None else certificate.not_valid_after_utc


def _named(planned: Plan) -> dict[str, Path]:
    """Return the files by their settings; both are named, or neither (`plan`)."""
    serving = planned.deployment.serving
    named = {_CERTIFICATE: serving.tls_certificate, _KEY: serving.tls_key}
    # Processes are started in the root folder.
    return {setting: Path("/", file) for setting, file in named.items() if file}


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
