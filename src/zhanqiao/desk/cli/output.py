# SPDX-License-Identifier: Apache-2.0
"""How the command line speaks: one place that prints data or words, in Chinese or English, and ends with a status.

Names come from drafts, contracts and file names, so nothing that is printed is markup, and what a terminal would obey
instead of show (escape sequences, direction marks, line breaks inside of a line) is shown as a question mark; in data it
stands as JSON's own escape. What cannot be written raises `OutputFailed`: the command was done all the same.

Exit statuses are a contract: 0 done, 1 fault, 2 usage, 3 refused (reasons on standard output as data), 4 not found.
"""

import errno
import json
import locale
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from zhanqiao.desk.cli.names import remedy_of
from zhanqiao.desk.paths import no_home
from zhanqiao.ledger.problems import printable
from zhanqiao.terms.canonical import plain
from zhanqiao.terms.refusals import Lang, Reason, Refusal


def _spoken_here(wanted: str) -> str:
    if wanted not in {"", "zh", "en"}:
        raise typer.BadParameter("zh or en is spoken here")
    return wanted


# Both are read before any other, which may be refused in the words that they ask for.
JsonOption = Annotated[bool, typer.Option("--json", help="Print data instead of words. 以 JSON 输出。", is_eager=True)]
LangOption = Annotated[
    str,
    typer.Option(
        "--lang",
        help="zh or en; by locale when left out. 语言，缺省随系统。",
        show_default=False,
        callback=_spoken_here,
        is_eager=True,
    ),
]


def home_given(context: typer.Context, home: Path) -> Path:
    """Refuse a folder in which no deployment can lie, before anybody looks for one there."""
    if (refusal := no_home(home)) is not None:
        refused(refusal, language(context.params.get("lang", "")), as_json=context.params.get("as_json", False))
    return home


HomeOption = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="ZHANQIAO_HOME",
        help="The deployment's folder. 部署目录。",
        show_default=False,
        # Told by `home_given`, with a remedy.
        readable=False,
        callback=home_given,
    ),
]
WhoOption = Annotated[
    str,
    typer.Option("--as", help="Act as this person; demo profile only. 以此人身份操作，仅限 demo。", show_default=False),
]
KeyOption = Annotated[
    Path | None,
    typer.Option(
        "--key", help="Act as the person whose key file this is. 以此密钥文件的持有人身份操作。", dir_okay=False
    ),
]
FdOption = Annotated[
    int | None,
    typer.Option(
        "--passphrase-fd",
        min=0,
        help="Read the key file's passphrase from this open file descriptor; else it is asked for. 口令的文件描述符。",
    ),
]
DEFAULT_HOME = Path("zhanqiao-home")

DONE_MARK, REFUSED_MARK, UNSURE_MARK = Text("✓", "green"), Text("✗", "red"), Text("?", "yellow")
_WIDE_BLANK = "\u3000"


class OutputFailed(Exception):  # noqa: N818  the name says what is so
    """Standard output took no more. What the command did stands."""


class ReaderLeft(OutputFailed):
    """Whoever read it has had enough, as `head` has: nothing is wrong."""


class _Screen(Console):
    """Standard output; a reader who left is one that cannot be told, as a full disk is."""

    def on_broken_pipe(self) -> None:
        raise ReaderLeft(os.strerror(errno.EPIPE))


# Lines of commands are for copying: never wrapped. Words are words: neither markup nor emoji codes.
console = _Screen(highlight=False, soft_wrap=True, markup=False, emoji=False)


def language(wanted: str = "") -> Lang:
    """Return the language to speak: as wanted, else by locale."""
    if wanted in {"zh", "en"}:
        return "zh" if wanted == "zh" else "en"
    tongue = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if tongue.startswith("zh") or (locale.getlocale()[0] or "").startswith("Chinese") else "en"


def bold(words: object) -> Text:
    """Return words that stand out."""
    return Text(str(words), "bold")


def visible(words: str) -> str:
    """Return words as a terminal shows them: character by character, each printable or a question mark."""
    return _WIDE_BLANK.join(map(printable, words.split(_WIDE_BLANK)))


def show_line(*parts: str | Text) -> None:
    """Print one line: the one place where words reach the screen."""
    line = Text()
    for part in parts:
        said = Text(part) if isinstance(part, str) else part.copy()
        # As many characters as before, so that they keep their style.
        said.plain = visible(said.plain)
        line.append_text(said)
    with _heard():
        console.print(line)


def say(lang: Lang, zh: str, en: str, *, mark: Text | None = None) -> None:
    """Print one line of words."""
    words = zh if lang == "zh" else en
    show_line(words) if mark is None else show_line(mark, " ", words)


def show_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns. Nothing is cut to the width of a terminal: numbers and names are for copying."""
    lines = [[visible(cell) for cell in line] for line in [headers, *rows]]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        aligned = "  ".join(set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        show_line(bold(aligned) if number == 0 else aligned)


def show_data(data: object) -> None:
    """Print data as JSON on standard output."""
    lines = json.dumps(plain(data), ensure_ascii=False, indent=2).split("\n")
    with _heard():
        sys.stdout.write("".join(f"{line if line.isprintable() else _escaped(line)}\n" for line in lines))
        sys.stdout.flush()


def print_refusal(refusal: Refusal, lang: Lang, *, as_json: bool) -> None:
    """Print every reason with its remedy."""
    if as_json:
        show_data(refusal.as_data(lang))
        return
    for reason in refusal.reasons:
        show_reason(reason, lang, REFUSED_MARK)


def show_reason(reason: Reason, lang: Lang, mark: Text) -> None:
    """Print one reason and its remedy."""
    show_told(reason.code, reason.message(lang), remedy_of(reason, lang), mark)


def show_told(code: str, message: str, remedy: str, mark: Text) -> None:
    """Print a reason that was told in words."""
    show_line(mark, " ", bold(code), "  ", message)
    show_line("  → ", remedy)


def warn(reasons: Iterable[Reason], lang: Lang) -> None:
    """Tell what is amiss beside an output that is for files, on standard error."""
    for reason in reasons:
        for line in (f"{reason.code}  {reason.message(lang)}", f"  → {remedy_of(reason, lang)}"):
            sys.stderr.write(f"{visible(line)}\n")


def refused(refusal: Refusal, lang: Lang, *, as_json: bool) -> NoReturn:
    """Print the refusal and end with its status."""
    print_refusal(refusal, lang, as_json=as_json)
    raise typer.Exit(refusal.exit_status)


def _escaped(line: str) -> str:
    """Return a line of JSON in which what is not shown is spelt out; outside of texts everything is shown."""
    shown = (letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in line)
    return "".join(shown)


@contextmanager
def _heard() -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise (ReaderLeft if cause.errno == errno.EPIPE else OutputFailed)(cause.strerror or "-") from cause
