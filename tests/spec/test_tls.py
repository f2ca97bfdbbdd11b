# SPDX-License-Identifier: Apache-2.0
"""What the gateway shows is looked at before anything starts; what is amiss is told by setting, file and cause."""

import json
import ssl
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from prometheus_client.parser import text_string_to_metric_families

from lib.pier import Pier
from lib.served import said_anew, self_signed
from lib.town import done
from zhanqiao.desk.configuration import Serving, utc_now
from zhanqiao.desk.operation.doctor import examine
from zhanqiao.desk.serving import tls
from zhanqiao.desk.serving.metrics import Metrics
from zhanqiao.desk.serving.plan import plan
from zhanqiao.desk.serving.users import READ, User, reaches
from zhanqiao.terms.refusals import Refusal

DAY = timedelta(days=1)


def shown(pier: Pier, certificate: Path, key: Path, **more: str) -> None:
    said_anew(pier, serving=Serving("127.0.0.1:0", tls_certificate=str(certificate), tls_key=str(key), **more))


def amiss(pier: Pier) -> list[tuple[str, dict[str, str]]]:
    return [(one.code, one.facts) for one in tls.look(done(plan(pier.home)), utc_now())]


def test_a_sound_pair_is_shown(pier: Pier, tmp_path: Path) -> None:
    shown(pier, *self_signed(tmp_path))
    assert amiss(pier) == []
    said_anew(pier, serving=Serving())
    assert amiss(pier) == [], "without TLS there is nothing to look at"


def test_the_gateway_shows_the_files_that_were_looked_at(pier: Pier, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    said_anew(pier, serving=Serving("127.0.0.1:0", tls_certificate=f"{certificate}/", tls_key=f"/..{key}"))
    assert amiss(pier) == []
    told = done(plan(pier.home)).gateway_command()
    named = {option: Path(told[told.index(option) + 1]) for option in ("--tls-cert", "--tls-key")}
    assert named == {"--tls-cert": certificate, "--tls-key": Path(f"/..{key}")}
    assert all(path.is_file() for path in named.values())


def test_an_algorithm_that_nobody_here_knows_is_named(pier: Pier, tmp_path: Path, monkeypatch) -> None:
    """SM2, for example: a city may well have such a pair."""

    def unknown(*_: object) -> None:
        raise UnsupportedAlgorithm("SM2")

    shown(pier, *self_signed(tmp_path))
    monkeypatch.setattr(tls, "load_pem_private_key", unknown)
    assert [code for code, _ in amiss(pier)] == ["tls-key-malformed"]
    monkeypatch.undo()
    monkeypatch.setattr(tls.x509, "load_pem_x509_certificates", unknown)
    assert [code for code, _ in amiss(pier)] == ["tls-certificate-malformed"]


def test_one_of_the_two_alone_is_refused(pier: Pier, tmp_path: Path) -> None:
    certificate, _ = self_signed(tmp_path)
    said_anew(pier, serving=Serving(tls_certificate=str(certificate)))
    refusal = plan(pier.home)
    assert isinstance(refusal, Refusal)
    [reason] = refusal.reasons
    assert (reason.code, reason.facts) == ("tls-half", {"given": "tls_certificate", "missing": "tls_key"})


@pytest.mark.parametrize(
    ("listen", "metrics", "same"),
    [
        ("127.0.0.1:9464", "127.0.0.1:9464", True),
        ("0.0.0.0:9464", "127.0.0.1:9464", True),
        ("[::]:9464", "127.0.0.1:9464", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
    ],
)
def test_metrics_have_an_address_of_their_own(
    pier: Pier, tmp_path: Path, listen: str, metrics: str, same: bool
) -> None:
    certificate, key = self_signed(tmp_path)
    serving = Serving(listen, metrics, tls_certificate=str(certificate), tls_key=str(key))
    said_anew(pier, profile="laptop", serving=serving)
    planned = plan(pier.home)
    assert isinstance(planned, Refusal) is same
    if isinstance(planned, Refusal):
        assert [one.code for one in planned.reasons] == ["listen-twice"]


def test_what_is_amiss_with_the_files_is_named(pier: Pier, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    others, theirs = self_signed(tmp_path, name="other")
    for files, code, setting in (
        ((tmp_path / "none", key), "tls-missing", "tls_certificate"),
        ((certificate, tmp_path), "tls-missing", "tls_key"),
        ((key, key), "tls-certificate-malformed", None),
        ((certificate, certificate), "tls-key-malformed", None),
        ((certificate, locked(theirs, tmp_path)), "tls-key-malformed", None),
        ((certificate, theirs), "tls-pair-differs", None),
        (self_signed(tmp_path, ends_in=-DAY, name="ended"), "tls-out-of-date", None),
    ):
        shown(pier, *files)
        [(found, facts)] = amiss(pier)
        assert found == code
        assert facts.get("setting") == setting
        assert set(map(str, files)) & set(facts.values())
    assert others.exists()


def test_a_certificate_of_a_year_that_is_none_is_malformed(pier: Pier, tmp_path: Path) -> None:
    """Python has no year 0, so it could be neither judged nor printed."""
    certificate, key = self_signed(tmp_path, ends_in=12_000 * DAY)
    ends = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    spelt = f"{ends:%Y%m%d%H%M%SZ}".encode()
    assert spelt in der
    certificate.write_text(ssl.DER_cert_to_PEM_cert(der.replace(spelt, b"0000" + spelt[4:])))
    shown(pier, certificate, key)
    assert amiss(pier) == [("tls-certificate-malformed", {"file": str(certificate)})]
    assert tls.expires(done(plan(pier.home))) is None


def test_a_file_that_is_regular_by_name_alone_is_named(pier: Pier, tmp_path: Path) -> None:
    certificate, _ = self_signed(tmp_path)
    shown(pier, certificate, Path("/proc/self/mem"))
    [(code, facts)] = amiss(pier)
    assert (code, facts["setting"], facts["cause"]) == ("tls-missing", "tls_key", "Input/output error")


def locked(key: Path, folder: Path) -> Path:
    """Return the same key under a passphrase."""
    opened = load_pem_private_key(key.read_bytes(), None)
    path = folder / "locked.key"
    path.write_bytes(opened.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    return path


def test_serve_refuses_in_one_sentence_and_starts_nothing(pier: Pier, tmp_path: Path) -> None:
    shown(pier, *self_signed(tmp_path, ends_in=-DAY))
    ran = pier.command("serve", "--json")
    assert [one["code"] for one in json.loads(ran.stdout)["reasons"]] == ["tls-out-of-date"]
    assert (ran.returncode, ran.stderr) == (1, "")
    assert not (pier.home / "run").exists()


def test_who_may_not_read_a_file_is_told_by_its_mode_and_that_of_each_folder(tmp_path: Path) -> None:
    nobody = User("nobody", 65_534, 65_534)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    file = tmp_path / "tls.key"
    file.touch()
    for mode, of_folder, may in ((0o644, 0o755, True), (0o600, 0o755, False), (0o644, 0o700, False)):
        file.chmod(mode)
        tmp_path.chmod(of_folder)
        assert reaches(nobody, file, READ) is may
        assert reaches(User("root", 0, 0), file, READ)


def test_a_key_that_the_gateways_user_may_not_read_is_named(pier: Pier, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    certificate.chmod(0o644)
    key.chmod(0o600)
    shown(pier, certificate, key, gateway_user="nobody")
    assert amiss(pier) == [("tls-unreadable", {"setting": "tls_key", "file": str(key), "user": "nobody"})]


def test_the_gateway_alone_shows_nothing_that_ended(pier: Pier, tmp_path: Path) -> None:
    """However it is started, and started again: by systemd, or by a supervisor that has run for months."""
    for files, said in (
        (self_signed(tmp_path, ends_in=-DAY, name="ended"), "expired"),
        ((self_signed(tmp_path)[0], self_signed(tmp_path, name="other")[1]), "MISMATCH"),
    ):
        shown(pier, *files)
        command = done(plan(pier.home)).gateway_command()
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 1
        assert ran.stderr.startswith(f"gateway-not-started: The gateway cannot start with {files[0]}, {files[1]}: ")
        assert said in ran.stderr


def test_doctor_tells_a_certificate_that_ends_within_the_month(pier: Pier, tmp_path: Path) -> None:
    for days, codes in ((-1, ["tls-out-of-date"]), (29, ["tls-ends-soon"]), (31, [])):
        shown(pier, *self_signed(tmp_path, ends_in=days * DAY))
        found = [one for one in done(examine(pier.home)) if one.check == "certificate"]
        assert [one.reason.code for one in found if one.reason is not None] == codes
        assert all(one.wrong for one in found if one.reason is not None)


def test_prometheus_sees_when_it_ends(pier: Pier, tmp_path: Path) -> None:
    name = "zhanqiao_certificate_expires_timestamp_seconds"
    assert name not in figures(pier), "where there is no TLS"
    shown(pier, *self_signed(tmp_path, ends_in=9 * DAY))
    assert figures(pier)[name] == pytest.approx((utc_now() + 9 * DAY).timestamp(), abs=60)


def figures(pier: Pier) -> dict[str, float]:
    text = Metrics(pier.house).text().decode()
    return {sample.name: sample.value for one in text_string_to_metric_families(text) for sample in one.samples}
