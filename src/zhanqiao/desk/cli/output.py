# SPDX-License-Identifier: Apache-2.0
"""How the command line speaks: one place that prints data or words, in Chinese or English, and ends with a status.

Exit statuses are a contract: 0 done, 1 fault, 2 usage, 3 refused (reasons on standard output as data), 4 not found.
"""

import json
import locale
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from zhanqiao.terms.canonical import plain
from zhanqiao.terms.refusals import Lang, Refusal

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="ZHANQIAO_HOME", help="The deployment's folder. 部署目录。", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print data instead of words. 以 JSON 输出。")]
LangOption = Annotated[
    str, typer.Option("--lang", help="zh or en; by locale when left out. 语言，缺省随系统。", show_default=False)
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

# Lines of commands are for copying: never wrapped.
console = Console(highlight=False, soft_wrap=True)


def language(wanted: str = "") -> Lang:
    """Return the language to speak: as wanted, else by locale."""
    if wanted in {"zh", "en"}:
        return "zh" if wanted == "zh" else "en"
    tongue = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if tongue.startswith("zh") or (locale.getlocale()[0] or "").startswith("Chinese") else "en"


def say(lang: Lang, zh: str, en: str) -> None:
    """Print one line of words."""
    console.print(zh if lang == "zh" else en)


def show_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns. Nothing is cut to the width of a terminal: numbers and names are for copying."""
    lines = [headers, *rows]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        aligned = "  ".join(set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        console.print(Text(aligned, "bold" if number == 0 else ""))


def show_data(data: object) -> None:
    """Print data as JSON on standard output."""
    typer.echo(json.dumps(plain(data), ensure_ascii=False, indent=2))


def print_refusal(refusal: Refusal, lang: Lang, *, as_json: bool) -> None:
    """Print every reason with its remedy."""
    if as_json:
        show_data(refusal.as_data(lang))
        return
    for reason in refusal.reasons:
        console.print(f"[red]✗[/red] [bold]{reason.code}[/bold]  {escape(reason.message(lang))}")
        console.print(f"  → {escape(reason.remedy(lang))}")


def refused(refusal: Refusal, lang: Lang, *, as_json: bool) -> NoReturn:
    """Print the refusal and end with its status."""
    print_refusal(refusal, lang, as_json=as_json)
    raise typer.Exit(refusal.exit_status)
