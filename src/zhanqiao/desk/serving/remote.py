# SPDX-License-Identifier: Apache-2.0
"""The caller's side of a running deployment: sign a question, send it, and believe what comes back only when it verifies.

The trust file, which comes to a caller by another way than the answer, names the log; a question is addressed to that
log, and an answer counts when its certificate is that log's and the question's own.
"""

import http.client
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zhanqiao.desk.question import Question
from zhanqiao.desk.serving.frames import MAX_ANSWER_BYTES
from zhanqiao.desk.serving.signed import sign
from zhanqiao.doors.release import Release
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.verify import verify
from zhanqiao.terms.refusals import Refusal, refuse

_SECONDS = 660


class Unheard(Exception):  # noqa: N818  the name says what is so
    """No whole answer came: the question may have been charged, and is repeated under its request id."""


class ServerUnproven(Exception):  # noqa: N818  the name says what is so
    """TLS did not come about, so that nothing was sent."""


@dataclass(frozen=True)
class Told:
    """A refusal as the deployment said it: reasons with code, message and remedy, in the language that was asked for."""

    reasons: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Remote:
    """A running deployment, seen from afar.

    url     https://HOST:PORT, or http:// on the same machine
    ca      certificates (PEM) to check the server by, instead of the system's
    """

    url: str
    trust: Trust
    key: Ed25519PrivateKey
    clock: Callable[[], datetime]
    ca: Path | None = None

    def ask(self, question: Question) -> Release | Told | Refusal:
        """Ask one question; raises `Unheard` when no whole answer came, `ServerUnproven` when the question stayed here."""
        to = self.trust.logs[0].name
        body = sign(question, to, self.clock(), self.key)
        said = self._said(f"/v1/{question.verb.value}", body)
        if said.get("status") == "refused":
            return Told(_reasons(said))
        return self._verified(question, said)

    def _verified(self, question: Question, said: dict[str, object]) -> Release | Refusal:
        answer, certificate = said.get("answer_file"), said.get("certificate")
        if not isinstance(answer, str) or not isinstance(certificate, str):
            return _not_certified(question, "it holds no answer file and certificate")
        release = Release(question.request, answer.encode(), certificate.encode())
        verdict = verify(release.certificate, self.trust, release.answer_file, now=self.clock())
        if not verdict.valid or verdict.statement is None:
            return _not_certified(question, ", ".join(problem.code for problem in verdict.problems))
        # By its certificate alone it could be the answer to another question: whoever passes it on has seen others.
        if release.answer.get("request") != question.request:
            return _not_certified(question, "it is the answer to another request")
        return release

    def _said(self, path: str, body: bytes) -> dict[str, object]:
        try:
            content = self._sent(path, body)
            said = json.loads(content)
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as cause:
            raise Unheard(str(cause) or type(cause).__name__) from cause
        if not isinstance(said, dict):
            raise Unheard("the answer is no object")
        return said

    def _sent(self, path: str, body: bytes) -> bytes:
        """Send one request, without proxies or redirects."""
        connection = self._connection()
        try:
            try:
                connection.connect()
            except ssl.SSLError as flaw:
                raise ServerUnproven(_said_of(flaw)) from None
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            content = connection.getresponse().read(MAX_ANSWER_BYTES + 1)
        finally:
            connection.close()
        if len(content) > MAX_ANSWER_BYTES:
            raise ValueError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
        return content

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme != "https":
            return http.client.HTTPConnection(host, port, timeout=_SECONDS)
        context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
        return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)


def _said_of(flaw: ssl.SSLError) -> str:
    """Return OpenSSL's words without its numbers and places."""
    if isinstance(flaw, ssl.SSLCertVerificationError):
        return flaw.verify_message
    return (flaw.reason or type(flaw).__name__).lower().replace("_", " ")


def _not_certified(question: Question, cause: str) -> Refusal:
    return refuse("answer-not-certified", cause=cause, request=question.request)


def _reasons(said: dict[str, object]) -> tuple[dict[str, str], ...]:
    reasons = said.get("reasons")
    wanted = ("code", "message", "remedy")
    read = [
        {name: str(one[name]) for name in wanted}
        for one in (reasons if isinstance(reasons, list) else [])
        if isinstance(one, dict) and set(wanted) <= one.keys()
    ]
    if not read:
        raise Unheard("a refusal without a reason")
    return tuple(read)
