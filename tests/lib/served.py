# SPDX-License-Identifier: Apache-2.0
"""A settled pier that is served: its processes run, and callers reach it over HTTP."""

import ipaddress
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lib.pier import Pier
from lib.town import done
from zhanqiao.desk import personas
from zhanqiao.desk.configuration import (
    SETTINGS_FILE,
    Deployment,
    Serving,
    read_settings,
    seconds_since,
    utc_now,
    write_settings,
)
from zhanqiao.desk.question import Question, Verb
from zhanqiao.desk.serving.remote import Remote, Told
from zhanqiao.desk.serving.signed import sign
from zhanqiao.doors.release import Release
from zhanqiao.identity.keys import read_key_file
from zhanqiao.ledger.trust import Trust
from zhanqiao.terms.requests import RequestId


@dataclass(frozen=True)
class Served:
    """A running deployment, and how its callers speak to it."""

    pier: Pier
    url: str
    process: subprocess.Popen[str]
    ca: Path | None = None

    def remote(self, who: str = "bank-analyst") -> Remote:
        """Return the deployment as `who` sees it from afar."""
        trust = Trust.parse((self.pier.home / "public" / "trust.txt").read_bytes())
        return Remote(self.url, trust, self.key(who), utc_now, self.ca)

    def key(self, who: str):
        """Return somebody's private key."""
        path = personas.key_file(self.pier.home, who)
        return done(read_key_file(path, passphrase=None, profile="demo"))

    def question(self, statement: str, agreement: str = "statistics", request: RequestId | None = None) -> Question:
        number = request or self.pier.number()
        return Question(Verb.ASK, number, self.pier.agreements[agreement], "en", statement=statement)

    def ask(self, question: Question, who: str = "bank-analyst") -> Release | list[str]:
        """Ask; return what was released, or the codes of why not."""
        outcome = self.remote(who).ask(question)
        if isinstance(outcome, Told):
            return [reason["code"] for reason in outcome.reasons]
        return outcome if isinstance(outcome, Release) else [reason.code for reason in outcome.reasons]

    def envelope(self, question: Question, who: str = "bank-analyst") -> bytes:
        """Return a signed question."""
        return sign(question, self.remote(who).trust.logs[0].name, utc_now(), self.key(who))

    def sent(self, path: str, body: bytes | None = None, method: str | None = None) -> tuple[int, bytes]:
        """Send one HTTP request as it is; return status and body."""
        request = urllib.request.Request(self.url + path, body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()

    def codes(self, path: str, body: bytes) -> list[str]:
        """Post a body; return the codes of its refusal."""
        return [reason["code"] for reason in json.loads(self.sent(path, body)[1])["reasons"]]

    def children(self) -> dict[str, int]:
        """Return the pids of worker and gateway."""
        found = {}
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            found["worker" if b"worker_process" in command else "gateway"] = int(pid)
        return found

    def log(self) -> list[dict[str, object]]:
        """Return what the processes told the machine's log so far."""
        lines = (self.pier.home.parent / "serve.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextmanager
def served(pier: Pier, serving: Serving | None = None, ca: Path | None = None) -> Iterator[Served]:
    """Serve a pier on a free port while the block runs. Its clock shows the day on which it was settled."""
    said_anew(pier, clock_behind_seconds=behind(pier), serving=serving or Serving(listen="127.0.0.1:0"))
    with (pier.home.parent / "serve.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("zhanqiao")), "serve", "--home", str(pier.home), "--lang", "en"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "Served at" in line, (line, (pier.home.parent / "serve.log").read_text())
        yield Served(pier, line.rpartition(" ")[2].strip(), process, ca)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def said_anew(pier: Pier, **changed: object) -> None:
    """Change settings of a pier, in its file."""
    said = read_settings(pier.home / SETTINGS_FILE)
    assert isinstance(said, Deployment)
    write_settings(pier.home / SETTINGS_FILE, replace(said, **changed))


def behind(pier: Pier) -> int:
    """Return how far the clock must lag that shows the day of the pier's own."""
    return max(0, seconds_since(pier.house.clock().date()) - 8 * 3600)


def until(holds, seconds: float = 30) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


def self_signed(
    folder: Path, host: str = "127.0.0.1", ends_in: timedelta = timedelta(hours=1), name: str = "tls"
) -> tuple[Path, Path]:
    """Write a certificate for this machine, or another, signed by itself, and its key; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    ends = datetime.now(UTC) + ends_in
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(datetime.now(UTC), ends) - timedelta(hours=1))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private
