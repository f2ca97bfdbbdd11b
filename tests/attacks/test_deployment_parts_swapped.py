# SPDX-License-Identifier: Apache-2.0
"""A deployment of which a part was swapped or lost does not open: the part is named, and nothing is made in its place."""

import hashlib
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zhanqiao.desk.cli import app
from zhanqiao.desk.configuration import Deployment
from zhanqiao.desk.deployment import found
from zhanqiao.vault.house import House


@pytest.fixture(scope="module")
def strange_home(tmp_path_factory) -> Path:
    """Another deployment, of the same name."""
    home = tmp_path_factory.mktemp("strange") / "home"
    assert isinstance(found(home, Deployment("青岛", "demo", "zhanqiao.test/qingdao")), House)
    return home


@pytest.fixture
def home(empty_home, tmp_path) -> Path:
    shutil.copytree(empty_home, tmp_path / "home")
    return tmp_path / "home"


def lying_there(home: Path) -> dict[str, str]:
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file()
    }


def command_refused(home: Path, *words: str) -> str:
    """Run a command that must not open the deployment; return what it said."""
    before = lying_there(home)
    ran = CliRunner().invoke(app, [*words, "--home", str(home), "--lang", "en"])
    assert ran.exit_code == 1, ran.output
    assert lying_there(home) == before
    return " ".join(ran.output.split())


@pytest.mark.parametrize("key", ["log.pem", "envelope.pem"])
def test_a_swapped_key_signs_nothing(home, strange_home, key):
    shutil.copy(strange_home / "keys" / "ledger" / key, home / "keys" / "ledger" / key)
    said = command_refused(home, "people", "show")
    assert "keys-differ" in said
    assert f"keys/ledger/{key}" in said


def test_another_name_of_the_log_is_not_called_another_key(home):
    settings = home / "zhanqiao.toml"
    settings.write_text(settings.read_text().replace("zhanqiao.test/qingdao", "zhanqiao.test/jinan"))
    said = command_refused(home, "people", "show")
    assert "origin-differs" in said
    assert "zhanqiao.test/qingdao" in said


def test_both_keys_swapped_are_found_too(home, strange_home):
    shutil.rmtree(home / "keys" / "ledger")
    shutil.copytree(strange_home / "keys" / "ledger", home / "keys" / "ledger")
    assert "keys-differ" in command_refused(home, "ledger", "audit")


@pytest.mark.parametrize("content", [None, b"", b"log nonsense\n"], ids=["missing", "empty", "another"])
def test_without_its_published_keys_a_deployment_does_not_open(home, content):
    path = home / "public" / "trust.txt"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    said = command_refused(home, "ledger", "show")
    assert "keys-differ" in said
    assert "public/trust.txt" in said


@pytest.mark.parametrize("content", [b"", b"zhanqiao.test/other+00000000+AAAA\n"], ids=["empty", "another"])
def test_another_key_is_not_published_as_the_logs(home, content):
    """Witnesses take it from there."""
    (home / "public" / "log.vkey").write_bytes(content)
    said = command_refused(home, "ledger", "show")
    assert "keys-differ" in said
    assert "public/log.vkey" in said


def test_a_lost_state_is_not_replaced_by_an_empty_one(home):
    for path in home.glob("state.sqlite3*"):
        path.unlink()
    said = command_refused(home, "ledger", "audit")
    assert "state-damaged" in said
    assert "state.sqlite3 is missing" in said
    assert not list(home.glob("state.sqlite3*"))
