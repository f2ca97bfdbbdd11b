# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao verify`: check certificates offline. Opens no deployment, no database and no engine."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from zhanqiao.desk.answers import answer_path
from zhanqiao.desk.cli.output import DEFAULT_HOME, HomeOption, JsonOption, LangOption, console, language, say, show_data
from zhanqiao.desk.deployment import utc_now
from zhanqiao.ledger.certificate import MAX_ANSWER_BYTES, MAX_CERTIFICATE_BYTES
from zhanqiao.ledger.problems import Unsound, printable
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.verify import Verdict, read_bounded, verify
from zhanqiao.terms.refusals import FAULT, Lang

TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", help="Trust file; the deployment's own when left out. 信任文件。", dir_okay=False),
]


def verify_files(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Certificates (.cert). 凭证文件。")],
    trust: TrustOption = None,
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Check certificates offline, each with the answer file beside it; exit 0 when all are valid, else 1. 离线核验凭证。"""
    spoken = language(lang)
    path = trust or home / "public" / "trust.txt"
    if not path.exists():
        raise typer.BadParameter(f"no trust file at {path}: give the log's with --trust")
    try:
        trusted = Trust.parse(path.read_bytes())
    except Unsound as flaw:
        raise typer.BadParameter(f"the trust file cannot be used: {flaw.problem.message(spoken)}") from flaw
    try:
        verdicts = [(file, _verdict(file, trusted)) for file in files]
    except OSError as cause:
        raise typer.BadParameter(f"couldn't read {cause.filename}: {cause.strerror}") from cause
    if as_json:
        show_data([{"file": str(file), **verdict.as_data(spoken)} for file, verdict in verdicts])
    else:
        for file, verdict in verdicts:
            _show(file, verdict, spoken)
    if not all(verdict.valid for _, verdict in verdicts):
        raise typer.Exit(FAULT)


def _verdict(file: Path, trusted: Trust) -> Verdict:
    answer = answer_path(file)
    return verify(
        read_bounded(file, MAX_CERTIFICATE_BYTES),
        trusted,
        read_bounded(answer, MAX_ANSWER_BYTES) if answer.exists() else None,
        now=utc_now(),
    )


def _show(file: Path, verdict: Verdict, lang: Lang) -> None:
    mark = "[green]✓[/green]" if verdict.valid else "[red]✗[/red]"
    # Name and problems hold foreign text, which is not markup.
    console.print(f"{mark} {escape(printable(file.name))}")
    for problem in verdict.problems:
        console.print(f"  {escape(problem.message(lang))}")
    if verdict.valid and not answer_path(file).exists():
        say(
            lang, "  旁边没有答复文件：只核验了声明", "  no answer file lies beside it: the statement alone was checked"
        )
