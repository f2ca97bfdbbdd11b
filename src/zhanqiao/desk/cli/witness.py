# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao witness`: the witness program, as `python -m zhanqiao.ledger.witness` is where nothing else may run.

Opens no deployment: a witness belongs to a department or a bank, never to who runs the log.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from zhanqiao.desk.cli.output import LangOption, language, refused
from zhanqiao.desk.configuration import utc_now
from zhanqiao.ledger import witness as program
from zhanqiao.ledger.cosigning import Witness, WitnessDamaged
from zhanqiao.terms.refusals import refuse

app = typer.Typer(no_args_is_help=True, help="Witness a log: cosign that it only grew. 见证账本只增不改。")

FolderArgument = Annotated[
    Path, typer.Argument(help="Where the witness keeps its key and its memory. 见证方目录。", show_default=False)
]


@app.command()
def init(
    folder: FolderArgument,
    name: Annotated[str, typer.Option("--name", help="Key name: a URL without its scheme. 密钥名称。")],
    logs: Annotated[list[str], typer.Option("--log", help="Key of a log to watch (vkey). 所见证账本的公钥。")],
    lang: LangOption = "",
) -> None:
    """Make a witness and print its key; or let one that stands watch another log. 建立见证方。"""
    with _told(lang):
        program.init(folder, name, logs, utc_now)


@app.command()
def run(
    folder: FolderArgument,
    listen: Annotated[str, typer.Option("--listen", help="HOST:PORT. 监听地址。")] = program.LISTEN,
    lang: LangOption = "",
) -> None:
    """Answer `add-checkpoint` (C2SP tlog-witness) until interrupted; a line for each answer. 运行见证方。"""
    with _told(lang, folder):
        program.run(folder, listen, utc_now)


@app.command()
def show(folder: FolderArgument, lang: LangOption = "") -> None:
    """Print key, and origin, size, root and time of what was last cosigned. 查看见证方的公钥与记忆。"""
    with _told(lang, folder):
        for line in program.shown(Witness(folder, utc_now)):
            typer.echo(line)


@contextmanager
def _told(lang: str, folder: Path | None = None) -> Iterator[None]:
    """Say what goes wrong; `folder` has to be a witness's already."""
    if folder is not None and not os.path.lexists(folder):
        refused(refuse("witness-not-there", folder=str(folder)), language(lang), as_json=False)
    try:
        yield
    except WitnessDamaged as cause:
        refused(refuse("witness-unusable", cause=str(cause)), language(lang), as_json=False)
    except OSError as cause:
        refused(refuse("witness-not-run", cause=cause.strerror or str(cause)), language(lang), as_json=False)
    except ValueError as cause:
        refused(refuse("witness-not-run", cause=str(cause)), language(lang), as_json=False)
