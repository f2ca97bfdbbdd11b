# SPDX-License-Identifier: Apache-2.0
"""What is handed to the command line is read whole as what it is, or refused: nothing is dropped, guessed or waited for.

A list that is cut or split elsewhere certifies other people; a device fills the memory; an answer that cannot be written
is charged for.
"""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lib.pier import Pier
from zhanqiao.desk.cli import app, given
from zhanqiao.ledger.certificate import answer_path

STATEMENT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"


def run(pier: Pier, *words: object, given: str | bytes = "") -> tuple[int, dict]:
    """Type a command; return its status and what it prints as data."""
    typed = [*map(str, words), "--home", str(pier.home), "--json"]
    done = CliRunner().invoke(app, typed, input=given)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout) if done.stdout else {}


def refused(pier: Pier, *words: object, given: str | bytes = "") -> tuple[int, list[str]]:
    status, said = run(pier, *words, given=given)
    return status, [reason["code"] for reason in said["reasons"]]


def doors(pier: Pier) -> dict[str, tuple[list[str], str]]:
    """Every way to ask, with what standard input holds."""
    acting = {name: ["--agreement", pier.agreements[name]] for name in ("statistics", "credit", "pension")}
    return {
        "ask": (["ask", STATEMENT, *acting["statistics"], "--as", "bank-analyst"], ""),
        "decide": (
            ["decide", "enterprise-credit", *acting["credit"], "--as", "bank-analyst"],
            '{"id": "91370200MA00000017"}',
        ),
        "batch": (
            ["decide", "silent-certification", "--batch", *acting["pension"], "--as", "hrss-officer"],
            "\n".join(pier.pensioners()[:3]),
        ),
    }


def batch(pier: Pier) -> list[str]:
    return doors(pier)["batch"][0]


# --- the destination ----------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["ask", "decide", "batch"])
@pytest.mark.parametrize("where", ["a file", "below a file", "a dead link", "unwritable"])
def test_an_answer_that_could_not_be_written_is_not_asked_for(
    pier: Pier, tmp_path: Path, door: str, where: str
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    out = {"a file": "file", "below a file": "file/answers", "a dead link": "link", "unwritable": "/proc/self/answers"}
    words, said = doors(pier)[door]
    before, files = pier.house.book.size, sorted(tmp_path.rglob("*"))
    assert refused(pier, *words, "--out", tmp_path / out[where], given=said) == (2, ["answer-folder-unusable"])
    assert pier.house.book.size == before, "nothing is charged and nothing logged"
    assert sorted(tmp_path.rglob("*")) == files, "looking leaves nothing behind"
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_is_not_there_yet_is_made(pier: Pier, tmp_path: Path) -> None:
    words, _ = doors(pier)["ask"]
    status, said = run(pier, *words, "--out", tmp_path / "new" / "answers")
    assert status == 0
    assert answer_path(Path(said["certificate"])).exists()


# --- the list of a batch ------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=repr)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
def test_each_line_gets_its_own_outcome(pier: Pier, ending: str, mark: bytes) -> None:
    known = pier.pensioners()[:3]
    odd = ["", f"{known[0]}\x0c{known[1]}", f"{known[0]}\u2028{known[1]}", f"{known[0]}\x85{known[1]}"]
    lines = [known[0], *odd, known[1], known[2]]
    status, said = run(pier, *batch(pier), given=mark + (ending.join(lines) + ending).encode())
    assert status == 0
    assert [one["id"] for one in said["results"]] == lines
    assert [one["status"] for one in said["results"]] == ["answered", *["not-answered"] * 4, "answered", "answered"]


@pytest.mark.parametrize(
    "coded",
    [
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode("utf-16-le"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.encode("utf-32"),
        lambda text: (text + "\n张三").encode("gb18030"),
        lambda text: text.encode() + b"\n\xff",
        lambda text: text.encode() + b"\n\xed\xa0\x80",
    ],
    ids=["UTF-16", "UTF-16BE", "UTF-16LE", "UTF-16BE marked", "UTF-32", "GB18030", "no text", "a surrogate"],
)
def test_a_list_in_another_encoding_is_refused_by_name(pier: Pier, coded: object) -> None:
    before = pier.house.book.size
    listed = coded("\n".join(pier.pensioners()[:2]))  # type: ignore[operator]
    assert refused(pier, *batch(pier), given=listed) == (2, ["list-not-utf8"])
    assert pier.house.book.size == before


def test_a_list_that_is_too_long_is_refused_and_not_cut(pier: Pier, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "\n".join(pier.pensioners()[:3])
    monkeypatch.setattr(given, "MOST_BYTES", len(listed) - 1)
    before = pier.house.book.size
    assert refused(pier, *batch(pier), given=listed) == (2, ["list-too-long"])
    assert pier.house.book.size == before
    monkeypatch.setattr(given, "MOST_BYTES", len(listed))
    assert len(run(pier, *batch(pier), given=listed)[1]["results"]) == 3


@pytest.mark.parametrize("listed", ["", "\n", " \r\n\t\n", "\ufeff"], ids=repr)
def test_an_empty_list_is_refused(pier: Pier, listed: str) -> None:
    assert refused(pier, *batch(pier), given=listed) == (2, ["list-empty"])


# --- one subject --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[" * 4_000,
        b"[" * 200_000,
        b'{"a":' * 800,
        b'{"id": "91370200MA00000017", "id": "91370200MA00000025"}',
        b'{"id": "91370200MA00000017", "x": 1}',
        b'{"id": "\\ud800"}',
        b'{"id": "\xff"}',
        b'{"id": 91370200}',
        b'{"id": "' + b"9" * 5_000 + b'"}',
        b'{"id": "91370200MA00000017"} {"id": "91370200MA00000017"}',
    ],
    ids=lambda said: said[:24].decode(errors="replace"),
)
def test_what_names_no_one_subject_is_refused_as_that(pier: Pier, said: bytes) -> None:
    before = pier.house.book.size
    words, _ = doors(pier)["decide"]
    assert refused(pier, *words, given=said) == (2, ["subject-malformed"])
    assert pier.house.book.size == before


def test_a_byte_order_mark_before_the_subject_is_taken(pier: Pier) -> None:
    words, said = doors(pier)["decide"]
    assert refused(pier, *words, given=b"\xef\xbb\xbf" + said.encode()) == (3, ["not-answered"])


# --- words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["ask", "SELECT '\udcff'", "--agreement", "C1", "--as", "bank-analyst"],
        ["ask", STATEMENT, "--agreement", "\udcff", "--as", "bank-analyst"],
        ["ask", STATEMENT, "--agreement", "C1", "--as", "\udcff"],
        ["decide", "\udcff", "--agreement", "C1", "--as", "bank-analyst"],
        ["catalogue", "show", "\udcff"],
        ["resident", "assess", "bank", "--evidence", "fine", "--evidence", "\udcff", "--as", "first"],
    ],
    ids=lambda words: ascii(" ".join(words))[:40],
)
def test_words_that_are_no_text_are_refused(pier: Pier, words: list[str]) -> None:
    before = pier.house.book.size
    assert refused(pier, *words) == (2, ["argument-not-text"])
    assert pier.house.book.size == before


# --- files --------------------------------------------------------------------------------------------

FILES = {
    "contract": ["catalogue", "add", "FILE", "--as", "bureau-officer"],
    "draft": ["agreement", "draft", "FILE", "--as", "bureau-officer"],
    "register": ["people", "found", "FILE"],
    "consent shown": ["consent", "show", "FILE"],
    "consent withdrawn": ["consent", "withdraw", "FILE", "--as", "bureau-officer"],
    "consent used": ["decide", "enterprise-credit", "--agreement", "C1", "--as", "bank-analyst", "--consent", "FILE"],
}


def special(tmp_path: Path, kind: str) -> Path:
    """Make a file that never ends, or never begins."""
    if kind == "device":
        return Path("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["device", "pipe"])
@pytest.mark.parametrize("words", FILES.values(), ids=FILES)
def test_only_regular_files_are_read(pier: Pier, tmp_path: Path, words: list[str], kind: str) -> None:
    file = special(tmp_path, kind)
    typed = [file if word == "FILE" else word for word in words]
    assert refused(pier, *typed, given='{"id": "91370200MA00000017"}') == (2, ["file-unusable"])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_no_key_is_read_from_what_is_no_regular_file(pier: Pier, tmp_path: Path, kind: str) -> None:
    words = ["resident", "leave", "bank", "--key", special(tmp_path, kind)]
    assert refused(pier, *words) == (3, ["key-file-unreadable"])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["device", "pipe"])
@pytest.mark.parametrize("part", ["certificate", "trust file", "answer"])
def test_verify_reads_only_regular_files(pier: Pier, tmp_path: Path, part: str, kind: str) -> None:
    words, _ = doors(pier)["ask"]
    certificate = Path(run(pier, *words, "--out", tmp_path / "answers")[1]["certificate"])
    odd, trust = special(tmp_path, kind), pier.home / "public" / "trust.txt"
    if part == "answer":
        answer_path(certificate).unlink()
        answer_path(certificate).symlink_to(odd)
    typed = [odd if part == "certificate" else certificate, "--trust", odd if part == "trust file" else trust]
    # Wide: a message that is wrapped is another text.
    done = CliRunner(env={"COLUMNS": "1000"}).invoke(app, ["verify", *map(str, typed)])
    # What cannot be judged is not valid; without a trust file nothing can be judged at all.
    assert done.exit_code == (2 if part == "trust file" else 1)
    assert "not a regular file" in done.output


@pytest.mark.parametrize("words", FILES.values(), ids=FILES)
def test_a_huge_file_is_not_loaded(pier: Pier, tmp_path: Path, words: list[str]) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    typed = [tmp_path / "huge" if word == "FILE" else word for word in words]
    assert refused(pier, *typed, given='{"id": "91370200MA00000017"}') == (2, ["file-too-large"])


@pytest.mark.parametrize("kind", ["draft", "register", "consent shown"])
def test_a_file_in_another_encoding_is_refused_by_name(pier: Pier, tmp_path: Path, kind: str) -> None:
    (tmp_path / "other").write_bytes("name: x\nabstract: 张三\n".encode("gb18030"))
    status, said = run(pier, *[tmp_path / "other" if word == "FILE" else word for word in FILES[kind]])
    assert (status, [reason["code"] for reason in said["reasons"]]) == (2, ["file-not-utf8"])
    assert "Line 2 of other" in said["reasons"][0]["message"] or "第 2 行" in said["reasons"][0]["message"]
