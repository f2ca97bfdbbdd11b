# SPDX-License-Identifier: Apache-2.0
"""Exit status 4: what was named is not there, whichever command names it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lib.pier import Pier
from zhanqiao.desk.cli import agreement, app

COMMANDS = {
    "catalogue show": ["catalogue", "show", "no_such_dataset"],
    "intake load": ["intake", "load", "no_such_dataset", "FILE", "--as", "bureau-officer"],
    "agreement show": ["agreement", "show", "C0"],
    "agreement seal": ["agreement", "seal", "C0", "--as", "bureau-signatory"],
    "agreement file": ["agreement", "file", "C0", "--as", "bureau-officer"],
    "agreement suspend": ["agreement", "suspend", "C0", "--as", "bureau-officer"],
    "agreement resume": ["agreement", "resume", "C0", "--as", "bureau-officer"],
    "agreement terminate": ["agreement", "terminate", "C0", "--as", "bureau-officer"],
    "ask": ["ask", "SELECT count(*) FROM pension_enrolment", "--agreement", "C0", "--as", "bank-analyst"],
    "decide": ["decide", "enterprise-credit", "--agreement", "C0", "--as", "bank-analyst"],
    "decide a batch": ["decide", "silent-certification", "--batch", "--agreement", "C0", "--as", "hrss-officer"],
    "decide by no service": ["decide", "no-such-service", "--agreement", "C0", "--as", "bank-analyst"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_what_is_not_there_ends_with_4(pier: Pier, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "delivery.csv").write_text("a\n1\n")
    typed = [str(tmp_path / "delivery.csv") if word == "FILE" else word for word in words]
    done = CliRunner().invoke(app, [*typed, "--home", str(pier.home), "--json"], input='{"id": "91370200MA00000017"}')
    assert done.exit_code == 4, done.output
    (reason,) = json.loads(done.stdout)["reasons"]
    assert "unknown" in reason["code"]
    assert reason["remedy"]


def test_every_command_that_takes_an_agreement_is_in_the_table() -> None:
    """Whoever adds a verb adds its line."""
    verbs = {command.name or command.callback.__name__ for command in agreement.app.registered_commands}
    assert {f"agreement {verb}" for verb in verbs - {"draft"}} == {n for n in COMMANDS if n.startswith("agreement")}
