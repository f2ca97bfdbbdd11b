# SPDX-License-Identifier: Apache-2.0
"""A pipe, a folder or a link to itself in the place of a file is named, whoever reads it, and nobody waits for it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.pier import Pier
from lib.town import codes
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.parts import missing_parts, prove_parts
from zhanqiao.desk.operation.restore import restore
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.house import House


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


PUT = pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, _loop], ids=["a pipe", "a folder", "a loop"])


@PUT
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("keys/vault/kek.key", "keys-unreadable"),
        ("keys/vault/keyring.json", "keys-unreadable"),
        ("keys/ledger/log.pem", "keys-unreadable"),
        ("keys/ledger/envelope.pem", "keys-unreadable"),
        ("public/trust.txt", "keys-differ"),
        ("public/log.vkey", "keys-differ"),
        ("state.sqlite3", "state-damaged"),
    ],
)
def test_a_deployment_whose_file_is_none_does_not_open(pier: Pier, name: str, code: str, put) -> None:
    path = pier.home / name
    path.unlink()
    put(path)
    assert codes(open_house(pier.home)) == [code]


@PUT
@pytest.mark.parametrize(
    "files",
    [
        "vault/segments/*/*.duckdb",
        "vault/states/*/*/*.sealed",
        "vault/subjects/person/*.book",
        "quarantine/*/*/*.sealed",
    ],
)
def test_a_part_of_the_vault_that_is_no_file_is_named(pier: Pier, files: str, put: Callable[[Path], None]) -> None:
    path = next(path for path in sorted(pier.home.glob(files)))
    path.unlink()
    put(path)
    # Of a derived state the fault names the dataset, of what has a name of its own that.
    word = path.parts[-3] if "states" in files else path.stem
    assert word in _said_of(pier.reopened().house)


def _said_of(house: House) -> str:
    """Return what is said of the parts by who looks for them and opens them."""
    try:
        missing = missing_parts(house)
        if not missing:
            prove_parts(house)
    except VaultFault as fault:
        return str(fault)
    return " ".join(missing)


@PUT
def test_a_key_that_is_none_ends_a_restore(pier: Pier, tmp_path: Path, put: Callable[[Path], None]) -> None:
    file, again = tmp_path / "b.tar", tmp_path / "again"
    assert pier.command("backup", str(file)).returncode == 0
    path = pier.home / "keys" / "vault" / "kek.key"
    path.unlink()
    put(path)
    assert codes(restore(file, again, pier.home / "keys", None)) == ["keys-unreadable"]
    assert not again.exists()
