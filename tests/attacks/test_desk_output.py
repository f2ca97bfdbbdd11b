# SPDX-License-Identifier: Apache-2.0
"""Names of drafts, contracts and files reach a screen: they are words there, never markup and never commands to it.

And what could not be shown was done all the same: it must not look undone, or somebody does it again.
"""

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest
from rich.text import Text

from lib.pier import Pier, cold_command_line
from zhanqiao.agreements.drafting import parse
from zhanqiao.desk.cli import output

STATEMENT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"
NAMES = {
    "closing tag": "[/bold] x",
    "open tag": "[bold red]x",
    "link": "[link=file:///etc/passwd]x[/link]",
    "hidden": "[conceal]x",
    "emoji code": ":key: x",
    "screen cleared": "\x1b[2Jx",
    "title set": "\x1b]0;x\x07",
    "one-byte CSI": "\x9b2Jx",
    "turned around": "a\u202ex",
    "forged line": "x\n✓ forged",
    "overwritten line": "x\r✓ forged",
    "erased": "forged\x08\x08x",
    "line separator": "x\u2028✓ forged",
    "zero width": "a\u200bx",
    "surrogate": "x\udcff",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_is_one_line_of_visible_words(capsys: pytest.CaptureFixture[str], name: str) -> None:
    ways = [
        lambda: output.show_line(name),
        lambda: output.show_line(output.bold(name)),
        lambda: output.show_line("  ", Text.assemble((name, "dim"))),
        lambda: output.say("en", name, name),
        lambda: output.show_table([name], []),
    ]
    for way in ways:
        way()
        shown = capsys.readouterr().out
        assert shown.endswith("\n")
        assert shown[:-1].isprintable(), "no character is obeyed, and the line is one"
        assert [letter for letter in shown if letter.isalnum()] == [letter for letter in name if letter.isalnum()]
        assert [letter for letter in shown if letter in "[]/:"] == [letter for letter in name if letter in "[]/:"]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_data_says_the_name_and_shows_nothing_hidden(capsys: pytest.CaptureFixture[str], name: str) -> None:
    output.show_data({"name": name, name: 1})
    shown = capsys.readouterr().out
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert json.loads(shown) == {"name": name, name: 1}


def test_what_is_shown_is_not_made_unreadable(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_line("青岛市　大数据局 [甲方] → 100%")
    assert capsys.readouterr().out == "青岛市　大数据局 [甲方] → 100%\n"


@pytest.mark.parametrize("key", ["name", "resident", "purpose", "services", "datasets", "abstract"])
@pytest.mark.parametrize("hidden", ["\\e[2J", "\\u202e", "\\u200b", "\\x9b", "\\ud800", "\\r"], ids=repr)
def test_a_draft_shows_all_of_what_is_sealed(key: str, hidden: str) -> None:
    said = {
        "name": "n",
        "resident": "bank",
        "purpose": "p",
        "services": "[s]",
        "datasets": "{d: [i]}",
        "abstract": "a",
    }
    said[key] = {"services": f'["s{hidden}"]', "datasets": f'{{d: ["i{hidden}"]}}'}.get(key, f'"a{hidden}"')
    text = "\n".join(f"{name}: {value}" for name, value in said.items())
    assert "draft-text-invisible" in [reason.code for reason in parse(text)[1]] or parse(text)[0] is None


def test_an_abstract_may_have_lines() -> None:
    reasons = parse("abstract: |\n  first\n  second\ndoors: [statistics]\n")[1]
    assert "draft-text-invisible" not in [reason.code for reason in reasons]


def test_a_draft_with_a_hidden_name_is_refused_as_that(pier: Pier, tmp_path: Path) -> None:
    (tmp_path / "draft.yaml").write_text('name: "\\e[2J"\ndoors: [statistics]\n', encoding="utf-8")
    done = pier.command("agreement", "draft", str(tmp_path / "draft.yaml"), "--as", "bureau-officer", "--lang", "en")
    assert done.returncode == 3
    assert "draft-text-invisible" in done.stdout


# --- output that fails --------------------------------------------------------------------------------


def ask(pier: Pier, tmp_path: Path, *words: str, **how: object) -> subprocess.CompletedProcess[str]:
    typed = ["ask", STATEMENT, "--agreement", pier.agreements["statistics"], "--as", "bank-analyst"]
    typed += ["--home", str(pier.home), "--out", str(tmp_path / "answers"), *words]
    return subprocess.run(cold_command_line(*typed), text=True, timeout=120, check=False, **how)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["words", "data"])
def test_a_full_disk_behind_the_output_is_told_with_the_request(
    pier: Pier, tmp_path: Path, words: tuple[str, ...]
) -> None:
    before = pier.spent()
    with Path("/dev/full").open("w") as full:
        done = ask(pier, tmp_path, *words, "--lang", "en", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    repeat, why = done.stderr.splitlines()
    assert "No space left on device" in why
    request = repeat.split("--request ")[1].split()[0].rstrip(":;")
    again = ask(pier, tmp_path, "--json", "--request", request, stdout=subprocess.PIPE)
    assert json.loads(again.stdout)["status"] == "released"
    assert pier.spent() == before + 1, "what could not be shown was charged once"


def test_where_nothing_can_be_said_the_status_says_it(pier: Pier, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        assert ask(pier, tmp_path, stdout=full, stderr=full).returncode == 1
        words = cold_command_line("catalogue", "show", "nothing", "--home", str(pier.home))
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_who_leaves_is_no_traceback(pier: Pier, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = ask(pier, tmp_path, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    # As a shell has it of a program that a pipe ended; of its own command each says what has to be known.
    assert done.returncode == 128 + signal.SIGPIPE
    (said,) = done.stderr.splitlines()
    assert "--request" in said


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gb18030"])
def test_a_poor_encoding_spells_out_what_it_lacks(pier: Pier, tmp_path: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LANG": "zh_CN.UTF-8"}
    done = ask(pier, tmp_path, env=environment, stdout=subprocess.PIPE, encoding=encoding)
    assert done.returncode == 0
    assert ".cert" in done.stdout
    data = ask(pier, tmp_path, "--json", env=environment, stdout=subprocess.PIPE, encoding=encoding)
    assert ["崂山区", 34] in json.loads(data.stdout)["rows"]


def test_a_terminal_is_not_told_what_to_do_by_a_file_name(pier: Pier, tmp_path: Path) -> None:
    """At a real terminal, where we colour our own marks."""
    odd = tmp_path / "[conceal]\x1b[2Jx\n✓ y.cert"
    odd.write_text("no certificate")
    screen, end = pty.openpty()
    words = cold_command_line("verify", str(odd), "--trust", str(pier.home / "public" / "trust.txt"))
    done = subprocess.run(words, stdout=end, stderr=end, check=False, env={**os.environ, "TERM": "xterm"})
    os.close(end)
    shown = os.read(screen, 65_536).decode()
    os.close(screen)
    assert done.returncode == 1
    assert "\x1b[2J" not in shown
    assert "[conceal]?[2Jx?✓ y.cert" in shown
    assert not any(line.startswith("✓") for line in shown.splitlines())
