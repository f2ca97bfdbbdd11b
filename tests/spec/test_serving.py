# SPDX-License-Identifier: Apache-2.0
"""A running deployment answers over HTTP as the command line does: signed questions in, certified answers out."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lib.pier import WAGES, Pier, cold_command_line, command_line, opened
from lib.served import Served, behind, said_anew, self_signed, served, until
from lib.town import codes, done
from zhanqiao.desk import demo_truth, personas, sealed_keys
from zhanqiao.desk.configuration import PRODUCTION, Serving
from zhanqiao.desk.operation.sealing import split_keys
from zhanqiao.desk.question import Question, Verb
from zhanqiao.desk.scenarios import find_service
from zhanqiao.desk.serving import socket_folder
from zhanqiao.desk.serving import units as units_of
from zhanqiao.desk.serving.plan import Plan, plan
from zhanqiao.desk.serving.remote import ServerUnproven
from zhanqiao.desk.serving.units import out_of_sight, units
from zhanqiao.doors.release import Release
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.terms.refusals import Refusal

BY_DISTRICT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"


@pytest.fixture
def running(served_once):
    """The same for each test; its state is opened anew, as other tests open others in this process."""
    return replace(served_once, pier=served_once.pier.reopened())


@pytest.fixture(scope="module")
def served_once(settled_pier, tmp_path_factory):
    """One served pier for the tests that leave it as it was."""
    from conftest import Clock

    for pier in opened(settled_pier, tmp_path_factory.mktemp("served"), Clock()):
        with served(pier, Serving(listen="127.0.0.1:0")) as found:
            yield found


def _released(outcome: object) -> Release:
    assert isinstance(outcome, Release), outcome
    return outcome


def _decision(running: Served, service: str, agreement: str, *ids: str, **more: object) -> Question:
    verb = Verb.DECIDE if len(ids) == 1 else Verb.DECIDE_BATCH
    number, terms = running.pier.number(), running.pier.agreements[agreement]
    return Question(verb, number, terms, "en", service=service, subjects=ids, **more)  # type: ignore[arg-type]


# --- answers ----------------------------------------------------------------------------------------


def test_a_statement_asked_from_afar_has_the_answer_that_it_has_at_home(running: Served) -> None:
    question = running.question(BY_DISTRICT)
    afar, at_home = _released(running.ask(question)), _released(running.pier.ask(BY_DISTRICT))
    assert afar.answer == {**at_home.answer, "request": question.request}
    # Asked again under its id it is the same to the byte, at home as well, and charged once.
    spent = running.pier.spent()
    assert _released(running.ask(question)).answer_file == afar.answer_file
    again = _released(running.pier.ask(BY_DISTRICT, request=question.request))
    assert (again.answer_file, again.certificate) == (afar.answer_file, afar.certificate)
    assert running.pier.spent() == spent


def test_a_decision_and_a_list_are_answered_from_afar(running: Served) -> None:
    service = find_service("enterprise-credit")
    assert service is not None
    code = demo_truth.example_enterprise(running.pier.settled.city)
    token = running.pier.consent(service, code)
    one = _decision(running, service.name, "credit", code, consent=token)
    assert _released(running.ask(one)).answer["service"] == service.name
    ids = running.pier.pensioners()[:5]
    many = _decision(running, "silent-certification", "pension", *ids)
    results = _released(running.ask(many, "hrss-officer")).answer["results"]
    assert isinstance(results, list)
    assert [result["id"] for result in results] == ids


def test_who_asks_is_whose_key_signed_and_nobody_else(running: Served) -> None:
    """The agreement is the bank's; a rival's analyst signs with a key that is registered as well."""
    assert running.ask(running.question(BY_DISTRICT), "rival-analyst") == ["agreement-unknown"], (
        "as one that does not exist"
    )
    event = running.pier.events("statistics.refused")[-1]
    key = personas.key_of(running.pier.home, "rival-analyst")
    assert not isinstance(key, Refusal)
    assert (event["by"], event["key"]) == ("rival-analyst", key_id_of(key.public_key()))


def test_a_refusal_says_the_same_as_at_home(running: Served) -> None:
    for statement in ("SELECT name FROM pension_enrolment", "SELEC", "SELECT count(*) FROM nothing"):
        told = running.ask(running.question(statement))
        assert told == codes(running.pier.ask(statement))


def test_a_subject_without_consent_gets_the_one_refusal(running: Served) -> None:
    known = demo_truth.example_enterprise(running.pier.settled.city)
    texts = set()
    for code in (known, "91370200MA00000000", "x"):
        question = _decision(running, "enterprise-credit", "credit", code)
        texts.add(running.sent("/v1/decide", running.envelope(question)))
    assert len(texts) == 1
    status, body = texts.pop()
    assert (status, [one["code"] for one in json.loads(body)["reasons"]]) == (403, ["not-answered"])


def test_the_language_of_a_refusal_is_the_askers(running: Served) -> None:
    question = replace(running.question("SELEC"), lang="zh")
    _, body = running.sent("/v1/ask", running.envelope(question))
    assert "→" not in body.decode()
    assert any("\u4e00" <= letter <= "\u9fff" for letter in json.loads(body)["reasons"][0]["message"])


# --- the command line -------------------------------------------------------------------------------


def _typed(running: Served, tmp_path: Path, *words: str, given: str = "", who: str = "bank-analyst") -> tuple[int, str]:
    trust, key = running.pier.home / "public" / "trust.txt", personas.key_file(running.pier.home, who)
    afar = ["--at", running.url, "--trust", str(trust), "--key", str(key), "--lang", "en"]
    ran = subprocess.run(
        command_line(*words, *afar), cwd=tmp_path, input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert not ran.stderr, ran.stderr
    return ran.returncode, ran.stdout


def test_the_same_verbs_ask_from_afar(running: Served, tmp_path: Path) -> None:
    agreement = running.pier.agreements["statistics"]
    status, said = _typed(running, tmp_path, "ask", BY_DISTRICT, "--agreement", agreement, "--json")
    assert status == 0, said
    shown = json.loads(said)
    certificate = tmp_path / shown["certificate"]
    assert certificate.parent == tmp_path / "answers"
    trust = running.pier.home / "public" / "trust.txt"
    ran = subprocess.run(
        command_line("verify", str(certificate), "--trust", str(trust)), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout
    status, said = _typed(running, tmp_path, "ask", "SELEC", "--agreement", agreement)
    assert (status, said[0]) == (3, "✗")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--at", "http://192.0.2.1:80", "--trust", "t", "--key", "k"], "at-unusable"),
        (["--at", "https://127.0.0.1:80", "--key", "k"], "at-incomplete"),
        (["--at", "https://127.0.0.1:80", "--trust", "t"], "at-incomplete"),
        (["--at", "https://127.0.0.1:80", "--trust", "t", "--key", "k", "--as", "me"], "as-from-afar"),
        (["--at", "https://127.0.0.1:80", "--trust", "t", "--key", "k", "--ca", "c"], "file-unusable"),
        (["--at", "https://127.0.0.1:80", "--trust", "t", "--key", "k"], "file-unusable"),
    ],
    ids=["plain", "no-trust", "no-key", "by-name", "no-ca", "no-file"],
)
def test_what_cannot_be_asked_from_afar_is_said(tmp_path: Path, words: list[str], code: str) -> None:
    ran = subprocess.run(
        command_line("ask", "x", "--agreement", "a", "--json", *words),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert [one["code"] for one in json.loads(ran.stdout)["reasons"]] == [code]


def test_nobody_at_the_address_leaves_the_request_repeatable(running: Served) -> None:
    remote = replace(running.remote(), url="http://127.0.0.1:1")
    with pytest.raises(Exception, match="refused"):
        remote.ask(running.question(BY_DISTRICT))


# --- what the public reads --------------------------------------------------------------------------


def test_the_log_is_read_as_tiles_and_nothing_else_is(running: Served) -> None:
    running.pier.house.book.publish()
    ledger = running.pier.home / "ledger"
    tiles = [path for path in sorted((ledger / "tile").rglob("*")) if path.is_file()]
    hashes_, entries = [], []
    for path in tiles:
        (entries if "entries" in path.parts else hashes_).append(path.relative_to(ledger).as_posix())
    for name in ["checkpoint", *hashes_]:
        assert running.sent(f"/log/{name}") == (200, (ledger / name).read_bytes())
    assert running.sent("/log/trust.txt") == (200, (running.pier.home / "public" / "trust.txt").read_bytes())
    # Entries name agreements and callers: they are the auditor's.
    for name in [*entries, "lock", "certificates", "../state.sqlite3", "tile/0/../../lock", "%2e%2e/state.sqlite3", ""]:
        assert running.sent(f"/log/{name}")[0] == 404


def test_health_and_paths(running: Served) -> None:
    assert running.sent("/health")[0] == 200
    assert running.sent("/")[0] == 404
    assert running.sent("/metrics")[0] == 404, "figures are read at the second address alone"
    assert running.sent("/v1/ask")[0] == 405
    assert running.sent("/health", b"x")[0] == 405


def test_the_machines_log_holds_no_word_of_questions_and_answers(running: Served) -> None:
    running.ask(running.question(BY_DISTRICT))
    running.ask(running.question("SELECT secret_word FROM pension_enrolment"))
    said = (running.pier.home.parent / "serve.log").read_text(encoding="utf-8")
    for word in ("secret_word", "pension_enrolment", "bank", running.pier.agreements["statistics"], WAGES[0].id):
        assert word not in said
    answered = [line for line in running.log() if line["event"] == "answered"]
    assert {"time", "process", "event", "verb", "status", "seconds"} == set(answered[-1])


# --- running ----------------------------------------------------------------------------------------


def test_figures_are_read_at_the_second_address(pier: Pier) -> None:
    with served(pier, Serving(listen="127.0.0.1:0", metrics="127.0.0.1:18432")) as found:
        _released(found.ask(found.question(BY_DISTRICT)))
        status, text = replace(found, url="http://127.0.0.1:18432").sent("/metrics")
        assert status == 200
        families = {one.name: one for one in text_string_to_metric_families(text.decode())}
        (counted,) = [one for one in families["zhanqiao_questions"].samples if one.name.endswith("_total")]
        assert (counted.labels, counted.value) == ({"verb": "ask", "status": "200"}, 1)
        assert families["zhanqiao_log_entries"].samples[0].value == pier.house.book.size
        assert all(family.documentation for family in families.values())
        # No group is let in where the gateway is no other user, or the audit would tell of it.
        assert (pier.home / "run").stat().st_mode & 0o777 == 0o700
        seen = {name: family.samples[0].value for name, family in families.items()}
        assert (seen["zhanqiao_rights_differ"], seen["zhanqiao_rights_audited_timestamp_seconds"]) == (0, 0), "never"
        assert seen["zhanqiao_backup_timestamp_seconds"] == 0
        assert (seen["zhanqiao_worker_up"], seen["zhanqiao_keys_sealed"]) == (1, 0)
        made = time.time()
        assert pier.command("backup", str(pier.home.parent / "a.backup")).returncode == 0
        pier.home.chmod(0o711)
        assert pier.command("audit", "rights", "--as", "auditadmin").returncode == 3
        status, text = replace(found, url="http://127.0.0.1:18432").sent("/metrics")
        assert b"zhanqiao_rights_differ 1.0" in text
        families = {one.name: one for one in text_string_to_metric_families(text.decode())}
        lag = behind(pier) + 60
        for name in ("zhanqiao_rights_audited_timestamp_seconds", "zhanqiao_backup_timestamp_seconds"):
            assert families[name].samples[0].value == pytest.approx(made, abs=lag)
        _linted(text)
        assert replace(found, url="http://127.0.0.1:18432").sent("/health")[0] == 404


def test_figures_tell_a_worker_that_is_away_because_the_keys_are_sealed(pier: Pier, tmp_path: Path) -> None:
    planned = _planned(pier, Serving(listen="127.0.0.1:0", metrics="127.0.0.1:18433"))
    planned.socket.parent.mkdir(exist_ok=True)
    gateway = subprocess.Popen(planned.gateway_command(), stdout=subprocess.PIPE, text=True)
    try:
        assert gateway.stdout is not None
        gateway.stdout.readline()
        for sealed in (False, True):
            if sealed:
                done(split_keys(pier.house, 2, ("sysadmin", "secadmin"), tmp_path / "shares", "sysadmin"))
                shutil.rmtree(sealed_keys.memory_of(pier.home))
                worker = subprocess.run(planned.worker_command(), capture_output=True, text=True, check=False)
                assert worker.stderr.startswith("keys-sealed: ")
                assert not isinstance(plan(pier.home), Refusal), "the mark is in nobody's way"
            with urllib.request.urlopen("http://127.0.0.1:18433/metrics", timeout=30) as answer:
                text = answer.read()
            said = {one.name: one.samples[0].value for one in text_string_to_metric_families(text.decode())}
            assert said == {"zhanqiao_worker_up": 0, "zhanqiao_keys_sealed": int(sealed)}
            _linted(text)
    finally:
        gateway.terminate()
        gateway.communicate()


def _linted(text: bytes) -> None:
    """Let Prometheus' own program judge names, kinds and helps."""
    if shutil.which("promtool") is None:
        assert not os.environ.get("CI"), "LEFT OUT: Prometheus' judge of the figures"
        return
    judged = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, b"", b"")


@pytest.mark.slow
def test_what_ends_is_started_again_and_what_is_stopped_ends(pier: Pier) -> None:
    with served(pier) as found:
        question = found.question(BY_DISTRICT)
        first = _released(found.ask(question))
        for name in ("worker", "gateway"):
            before = found.children()
            os.kill(before[name], signal.SIGKILL)
            until(lambda name=name, before=before: found.children().get(name) not in {None, before[name]})
            if name == "worker":
                until(lambda: found.sent("/health")[0] == 200)
        # The gateway is on a new port, as its address said 0.
        until(lambda: _started_again(found) == {"worker", "gateway"})
        children = found.children()
    assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())
    assert not (pier.home / "run" / "vault.sock").exists()
    again = _released(pier.reopened().ask(BY_DISTRICT, request=question.request))
    assert again.answer_file == first.answer_file


def _started_again(found: Served) -> set[object]:
    return {line["kind"] for line in found.log() if line["event"] == "started-again"}


@pytest.mark.slow
def test_a_supervisor_that_is_killed_takes_its_processes_along(pier: Pier) -> None:
    with served(pier) as found:
        children = found.children()
        found.process.kill()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children.values()))


@pytest.mark.slow
def test_two_workers_do_not_share_a_deployment(pier: Pier) -> None:
    with served(pier) as found:
        ran = subprocess.run(
            cold_command_line("serve", "--home", str(pier.home), "--json"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 1
        assert "served-already" in ran.stderr
        assert [one["code"] for one in json.loads(ran.stdout)["reasons"]] == ["worker-ended"]
        assert found.sent("/health")[0] == 200


@pytest.mark.slow
def test_a_worker_that_is_away_is_said_and_the_request_is_repeatable(pier: Pier) -> None:
    with served(pier) as found:
        os.kill(found.children()["worker"], signal.SIGSTOP)
        os.kill(found.process.pid, signal.SIGSTOP)
        os.kill(found.children()["worker"], signal.SIGKILL)
        question = found.question(BY_DISTRICT)
        assert found.ask(question) == ["worker-away"]
        os.kill(found.process.pid, signal.SIGCONT)
        until(lambda: found.sent("/health")[0] == 200)
        assert _released(found.ask(question)).request == question.request


def test_over_tls_with_a_certificate_that_the_asker_names(pier: Pier, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    with served(pier, Serving("127.0.0.1:0", tls_certificate=str(certificate), tls_key=str(key)), certificate) as found:
        assert found.url.startswith("https://")
        _released(found.ask(found.question(BY_DISTRICT)))
        localhost = found.url.replace("127.0.0.1", "localhost")
        for remote, cause in (
            (replace(found.remote(), ca=None), "self-signed certificate"),
            (replace(found.remote(), url=localhost), "Hostname mismatch, certificate is not valid for 'localhost'"),
        ):
            with pytest.raises(ServerUnproven, match=cause):
                remote.ask(found.question(BY_DISTRICT))


def test_a_server_that_does_not_prove_itself_is_told_by_cause_and_nothing_is_sent(
    running: Served, tmp_path: Path
) -> None:
    """To repeat the request would never help, and is not what is said."""
    asked = replace(running, url=running.url.replace("http://", "https://"))
    certificate, key = self_signed(tmp_path)
    words = ("ask", BY_DISTRICT, "--agreement", running.pier.agreements["statistics"], "--ca")
    status, said = _typed(asked, tmp_path, *words, str(certificate))
    assert status == 1
    assert said.startswith(f"✗ server-unproven  Who answers at {asked.url} did not prove to be that server: ")
    assert ("wrong version number" in said, "--ca FILE" in said, "--request" in said) == (True, True, False)
    status, said = _typed(asked, tmp_path, *words, str(key))
    assert (status, said.split()[1]) == (2, "ca-malformed")


def test_each_thing_that_is_missing_to_ask_from_afar_is_named(tmp_path: Path) -> None:
    words = ("ask", "x", "--agreement", "a", "--at", "https://127.0.0.1:80", "--lang", "en")
    ran = subprocess.run(command_line(*words), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.stdout.count("at-incomplete") == 2
    assert ("takes --trust" in ran.stdout, "takes --key" in ran.stdout, "--as" in ran.stdout) == (True, True, False)


# --- what is asked for and cannot be ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("serving", "code"),
    [
        (Serving(listen="0.0.0.0:8443"), "demo-beyond-loopback"),
        (Serving(metrics="[::]:9000"), "demo-beyond-loopback"),
        (Serving(gateway_user="nobody-of-that-name"), "user-unknown"),
        (Serving(gateway_user="root"), "gateway-root"),
        (Serving(listen="127.0.0.1"), "listen-malformed"),
        (Serving(listen="127.0.0.1:65536"), "port-out-of-range"),
        (Serving(metrics=":9000"), "listen-malformed"),
        (Serving(socket="/" + "x" * 107), "socket-unusable"),
    ],
    ids=["open", "open-figures", "no-user", "root", "no-port", "no-such-port", "no-host", "long"],
)
def test_a_plan_that_cannot_be_is_refused_before_anything_starts(pier: Pier, serving: Serving, code: str) -> None:
    assert codes(_planned(pier, serving)) == [code]


def test_a_laptops_gateway_needs_tls_beyond_loopback(pier: Pier) -> None:
    assert codes(_planned(pier, Serving(listen="0.0.0.0:1"), "laptop")) == ["plain-beyond-loopback"]
    tls = Serving(listen="0.0.0.0:1", tls_certificate="/c", tls_key="/k")
    assert _planned(pier, tls, "laptop").gateway_command()[-4:] == ["--tls-cert", "/c", "--tls-key", "/k"]


@pytest.mark.parametrize("profile", ["laptop", PRODUCTION])
def test_metrics_are_read_on_this_machine_alone_with_tls_as_well(pier: Pier, profile: str) -> None:
    for tls in ({}, {"tls_certificate": "/c", "tls_key": "/k"}):
        open_to_all = Serving(metrics="0.0.0.0:9464", **tls)
        assert codes(_planned(pier, open_to_all, profile)) == ["metrics-beyond-loopback"]
    assert not isinstance(_planned(pier, Serving(metrics="[::1]:9464"), profile), Refusal)


def test_a_socket_has_a_folder_of_its_own_which_is_not_the_deployments(pier: Pier, tmp_path: Path) -> None:
    """Else the folder that the gateway is let into would be the deployment, or whatever else lies there."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "file").touch()
    mode = pier.home.stat().st_mode
    apart, alike = Serving(gateway_user="nobody"), Serving()
    for serving, places in ((apart, ("home", "home/run", "shared")), (alike, ("home", "shared"))):
        for place in places:
            folder = pier.home / place.removeprefix("home").removeprefix("/") if "home" in place else tmp_path / place
            asked = replace(serving, socket=str(folder / "vault.sock"))
            shared = [reason.code for reason in socket_folder.unfit(_planned(pier, asked))]
            assert shared == ["socket-folder-shared"], place
            said = pier.command("serve", "--lang", "en").stdout
            assert "socket-folder-shared" in said
    assert pier.home.stat().st_mode == mode
    own = replace(apart, socket=str(tmp_path / "own" / "vault.sock"))
    assert not list(socket_folder.unfit(_planned(pier, own)))


def test_units_start_the_same_processes_as_their_own_users(pier: Pier) -> None:
    planned = _planned(pier, Serving(gateway_user="nobody"))
    worker, gateway, *_ = units(planned).values()
    assert planned.apart
    assert str(planned.socket) == "/run/zhanqiao/vault.sock"
    assert "User=nobody" in gateway
    assert "-m 0710 /run/zhanqiao" in worker
    alike, beside, *_ = units(_planned(pier, Serving())).values()
    assert f"-m 0700 {planned.home}/run" in alike
    assert f"ReadWritePaths={planned.home}\n" in alike, "a path that is not there yet stops the start"
    assert "InaccessiblePaths" not in beside, "the socket lies there"
    assert f"InaccessiblePaths={planned.home}" in gateway
    assert f"--home {planned.home}" in worker
    assert str(planned.home) not in gateway.replace(f"InaccessiblePaths={planned.home}", "")


def test_units_make_a_backup_each_night_and_ask_the_witnesses_where_there_are_any(pier: Pier, tmp_path: Path) -> None:
    planned = _planned(pier, Serving())
    timers = {name for name in units(planned) if name.endswith(".timer")}
    assert timers == {"zhanqiao-backup.timer"}, "nobody to be asked; an audit of rights takes a person's key"
    witnessed = replace(planned, deployment=replace(planned.deployment, witnesses=(object(),)))
    assert "zhanqiao-cosign.timer" in units(witnessed)
    (command,) = re.findall(r'^ExecStart=/bin/sh -c "(.*)"$', units(planned)["zhanqiao-backup.service"], re.MULTILINE)
    for spelt, letter in (("$$", "$"), ("%%", "%"), (r"\"", '"')):
        command = command.replace(spelt, letter)
    made = subprocess.run(
        ["/bin/sh", "-c", command], env={**os.environ, "BACKUPS": str(tmp_path)}, capture_output=True, check=False
    )
    assert made.returncode == 0, made.stderr
    assert [path.name for path in tmp_path.glob("zhanqiao-????-??-??T??????Z.backup")]
    _verified_by_systemd(witnessed, tmp_path / "units")


def _verified_by_systemd(planned: Plan, folder: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        return
    folder.mkdir()
    for name, unit in units(planned).items():
        (folder / name).write_text(unit, encoding="utf-8")
    paths = [str(path) for path in sorted(folder.iterdir())]
    ran = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    assert not [line for line in ran.stderr.splitlines() if str(folder) in line], ran.stderr


def test_units_for_a_user_who_cannot_run_them_are_printed_with_a_warning(pier: Pier, tmp_path: Path) -> None:
    """An installation made under a narrow umask is another's to run only after `chmod -R go+rX`."""
    said_anew(pier, serving=Serving(gateway_user="nobody"))
    place = tmp_path / "place"
    place.mkdir(mode=0o700)
    (place / "closed").touch(mode=0o755)
    (place / "python").symlink_to("closed")
    running = f"import sys; sys.executable = {str(place / 'python')!r}; from zhanqiao.desk.cli import main; main()"
    words = ("serve", "--units", "--home", str(pier.home), "--lang", "en")
    ran = subprocess.run([sys.executable, "-c", running, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "[Service]\nUser=nobody" in ran.stdout
    assert ran.stderr.startswith(f"user-cannot-run  The user nobody may not run {place / 'closed'}, or read it.")
    assert "chmod -R go+rX" in ran.stderr


def test_units_that_would_hide_what_they_start_are_printed_with_a_warning(pier: Pier, tmp_path, monkeypatch) -> None:
    planned = _planned(pier, Serving(tls_certificate="/srv/zhanqiao/tls.pem", tls_key="/home/li/tls.key"))
    away = replace(planned, home=Path("/var/lib/zhanqiao/city"), socket=Path("/run/zhanqiao/vault.sock"))
    monkeypatch.setattr(units_of.zhanqiao, "__file__", "/opt/zhanqiao/zhanqiao/__init__.py")

    def unseen(executable: str, plan: Plan) -> list[str]:
        monkeypatch.setattr(sys, "executable", executable)
        return [one.facts["path"] for one in out_of_sight(plan)]

    assert unseen("/opt/zhanqiao/bin/python", away) == ["/home/li/tls.key"]
    assert "/root/city" in unseen("/opt/zhanqiao/bin/python", replace(away, home=Path("/root/city")))
    # An environment's Python is a link to one that all see.
    monkeypatch.setattr(units_of, "_UNSEEN", (tmp_path,))
    (link := tmp_path / "python").symlink_to("/usr/bin/env")
    assert str(link) in unseen(str(link), away)


def test_units_let_the_worker_make_rooms_where_the_engine_needs_them(pier: Pier) -> None:
    """bubblewrap makes namespaces, sets up loopback by netlink, and mounts a /proc, which one in pieces forbids."""
    closed = {"RestrictNamespaces=yes", "ProtectKernelTunables=yes", "ProtectKernelLogs=yes"}
    with_rooms = {"RestrictNamespaces=user mnt pid net ipc uts cgroup", "RestrictAddressFamilies=AF_NETLINK"}
    for engine in ("duckdb", "spark"):
        said_anew(pier, engine=engine)
        lines = {name: set(unit.splitlines()) for name, unit in units(_planned(pier, Serving())).items()}
        worker = lines["zhanqiao-worker.service"]
        assert (with_rooms <= worker, closed <= worker) == ((True, False) if engine == "spark" else (False, True))
        assert not (worker & closed and worker & with_rooms), "one or the other"
        assert closed <= lines["zhanqiao-gateway.service"], "it makes none"


def _planned(pier: Pier, serving: Serving, profile: str = "demo"):
    said_anew(pier, profile=profile, serving=serving)
    return plan(pier.home)
