# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao verify`: what a receiver sees of a certificate, in files as they come."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lib.pier import Pier, released
from zhanqiao.desk.answers import write_release
from zhanqiao.desk.cli import app
from zhanqiao.desk.configuration import utc_now
from zhanqiao.ledger import certificate as certificates
from zhanqiao.ledger import regular_file
from zhanqiao.ledger.certificate import answer_path
from zhanqiao.ledger.problems import Unsound

STATEMENT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"


def verify(pier: Pier, *words: object):
    given = ["verify", *map(str, words), "--trust", str(pier.home / "public" / "trust.txt"), "--lang", "en"]
    return CliRunner().invoke(app, given)


@pytest.fixture
def kept(pier: Pier, tmp_path: Path) -> Path:
    path = write_release(released(pier.reopened(utc_now).ask(STATEMENT)), tmp_path / "answers")
    assert isinstance(path, Path)
    return path


def test_a_certificate_with_its_answer_is_valid(pier: Pier, kept: Path) -> None:
    told = verify(pier, kept)
    assert (told.exit_code, told.output) == (0, f"✓ {kept.name}\n")


def test_a_receiver_sees_what_was_certified(pier: Pier, kept: Path) -> None:
    told = verify(pier, kept, "--show").output.splitlines()
    assert told[:4] == [
        f"✓ {kept.name}",
        "  door: statistics",
        f"  agreement: {pier.agreements['statistics']}",
        "  purpose: market-research",
    ]
    assert told[4].startswith("  issued: 20")
    assert told[5].startswith("  data: pension_enrolment-")
    assert told[6] == "  charged: answers 1"
    (kept.parent / "cut.cert").write_bytes(kept.read_bytes()[:-9])
    of_a_false_one = verify(pier, kept.parent / "cut.cert", "--show")
    assert (of_a_false_one.exit_code, "door" in of_a_false_one.output) == (1, False)


def test_a_certificate_without_its_answer_says_that_it_speaks_of_none(pier: Pier, kept: Path) -> None:
    answer_path(kept).unlink()
    told = verify(pier, kept)
    assert told.exit_code == 4
    assert told.output == (
        f"? {kept.name}\n"
        f"  The statement is sound; no answer was checked: {answer_path(kept).name} does not lie beside it.\n"
    )
    (verdict,) = json.loads(verify(pier, kept, "--json").output)
    assert (verdict["valid"], verdict["answer_checked"]) == (True, False)


def test_a_folder_stands_for_what_it_holds_and_an_answer_for_its_certificate(pier: Pier, kept: Path) -> None:
    both = verify(pier, kept, answer_path(kept))
    assert both.output == f"✓ {kept.name}\n", "one release, checked once"
    assert verify(pier, answer_path(kept)).output == both.output == verify(pier, kept.parent).output


def test_an_answer_whose_certificate_is_gone_does_not_look_checked(pier: Pier, kept: Path) -> None:
    alone = kept.with_name("alone.answer.json")
    alone.write_bytes(answer_path(kept).read_bytes())
    told = verify(pier, kept.parent)
    assert told.exit_code == 1
    assert f"✗ {alone.name}\n" in told.output
    assert f"✓ {kept.name}\n" in told.output


@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir], ids=["a pipe", "a folder"])
def test_what_cannot_be_read_is_not_valid_and_hides_no_other_verdict(pier: Pier, kept: Path, put) -> None:
    odd = kept.with_name("a.cert")
    put(odd)
    told = verify(pier, kept.parent)
    assert told.exit_code == 1
    assert "could not be read: not a regular file" in told.output
    assert f"✓ {kept.name}\n" in told.output


def test_an_answer_that_cannot_be_read_is_the_step_that_fails(pier: Pier, kept: Path) -> None:
    answer_path(kept).unlink()
    answer_path(kept).mkdir()
    (verdict,) = json.loads(verify(pier, kept, "--json").output)
    assert [step["outcome"] for step in verdict["steps"]][6:] == ["not-asked", "failed", "not-reached"]
    assert [problem["code"] for problem in verdict["problems"]] == ["answer-unreadable"]


def test_a_folder_without_certificates_is_named(pier: Pier, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    told = verify(pier, tmp_path / "empty")
    assert told.exit_code == 2
    assert "no certificate" in told.output


def test_what_is_not_valid_counts_before_an_answer_that_is_missing(pier: Pier, kept: Path, tmp_path: Path) -> None:
    answer_path(kept).unlink()
    broken = tmp_path / "broken.cert"
    broken.write_bytes(kept.read_bytes()[:-9])
    assert verify(pier, kept, broken).exit_code == 1
    assert verify(pier, broken, kept).exit_code == 1


def test_a_certificate_from_the_future_is_told(pier: Pier, tmp_path: Path) -> None:
    tomorrow = pier.reopened(lambda: utc_now() + timedelta(days=1))
    path = write_release(released(tomorrow.ask(STATEMENT)), tmp_path / "answers")
    told = verify(pier, path)
    assert told.exit_code == 1
    assert "has not come yet" in told.output
    (verdict,) = json.loads(verify(pier, path, "--json").output)
    assert [problem["code"] for problem in verdict["problems"]] == ["from-the-future"]


@pytest.mark.parametrize("name", ["[red]a.cert", "[bold red]a[link=b].cert", "\x1b[2Ja.cert", "a\nb.cert"], ids=repr)
def test_a_foreign_file_name_is_neither_markup_nor_control(pier: Pier, kept: Path, name: str) -> None:
    odd = kept.with_name(name)
    odd.write_bytes(kept.read_bytes())
    answer_path(odd).write_bytes(answer_path(kept).read_bytes())
    told = verify(pier, odd)
    assert told.exit_code == 0, told.output
    assert "\x1b" not in told.output
    assert name.replace("\x1b", "?").replace("\n", "?") in told.output


def test_a_huge_file_is_refused_without_being_loaded(pier: Pier, kept: Path) -> None:
    with kept.open("ab") as file:
        file.truncate(1 << 40)
    told = verify(pier, kept)
    assert told.exit_code == 1
    assert "a certificate has at most" in told.output


def test_a_huge_answer_is_refused_as_what_it_is(monkeypatch: pytest.MonkeyPatch, kept: Path) -> None:
    monkeypatch.setattr(certificates, "MAX_ANSWER_BYTES", 100)
    content = regular_file.read_bounded(answer_path(kept), 100)
    assert len(content) == 101
    with pytest.raises(Unsound, match="at most 100 are read"):
        certificates.read_answer(content)
