# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao verify`: check certificates offline. Opens no deployment, no database and no engine."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from zhanqiao.desk.cli.output import (
    DEFAULT_HOME,
    DONE_MARK,
    REFUSED_MARK,
    UNSURE_MARK,
    HomeOption,
    JsonOption,
    LangOption,
    language,
    say,
    show_data,
    show_line,
)
from zhanqiao.desk.configuration import utc_now
from zhanqiao.ledger.certificate import (
    ANSWER,
    CERTIFICATE,
    answer_path,
    certificate_path,
)
from zhanqiao.ledger.problems import Unsound, printable
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.ledger.trust import MAX_TRUST_BYTES, Trust
from zhanqiao.ledger.verify import Verdict, exit_status, verify_file
from zhanqiao.terms.refusals import Lang

TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", help="Trust file; the deployment's own when left out. 信任文件。", dir_okay=False),
]

app = typer.Typer()


@app.command("verify")
def verify_files(
    files: Annotated[
        list[Path], typer.Argument(exists=True, help="Certificates (.cert), or folders of them. 凭证文件或其文件夹。")
    ],
    trust: TrustOption = None,
    contents: Annotated[
        bool, typer.Option("--show", help="Also what each certifies; with --json always. 同时显示凭证内容。")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Check certificates offline, each with the answer beside it. Exit 1: one is false; 4: no answer to check. 离线核验。"""
    spoken = language(lang)
    path = trust or home / "public" / "trust.txt"
    if not path.exists():
        raise typer.BadParameter(f"no trust file at {path}: give the log's with --trust")
    try:
        trusted = Trust.parse(read_bounded(path, MAX_TRUST_BYTES))
        certificates = _certificates(files)
    except Unsound as flaw:
        raise typer.BadParameter(flaw.problem.message(spoken)) from flaw
    except OSError as cause:
        raise typer.BadParameter(f"couldn't read {printable(str(cause.filename))}: {cause.strerror}") from cause
    verdicts = [(file, _verdict(file, trusted)) for file in certificates]
    if as_json:
        show_data([{"file": str(file), **verdict.as_data(spoken)} for file, verdict in verdicts])
    else:
        for file, verdict in verdicts:
            _show(file, verdict, spoken)
            if contents and verdict.statement is not None:
                _show_contents(verdict.statement.predicate, spoken)
    raise typer.Exit(exit_status(verdict for _, verdict in verdicts))


def _certificates(named: list[Path]) -> list[Path]:
    """Return what is to be checked: a folder stands for what it holds, an answer for the certificate beside it.

    An answer without a certificate stays itself, which is none: it must not look as if it had been checked.
    """
    found: dict[Path, None] = {}
    for path in named:
        held = (
            sorted(one for one in path.iterdir() if one.name.endswith((CERTIFICATE, ANSWER)))
            if path.is_dir()
            else [path]
        )
        if not held:
            raise typer.BadParameter(f"no certificate (*{CERTIFICATE}) in {printable(str(path))}")
        for one in held:
            certificate = certificate_path(one)
            found[certificate if certificate.exists() else one] = None
    return list(found)


def _verdict(file: Path, trusted: Trust) -> Verdict:
    answer = answer_path(file)
    return verify_file(file, trusted, answer if os.path.lexists(answer) else None, now=utc_now())


def _show(file: Path, verdict: Verdict, lang: Lang) -> None:
    # A certificate whose answer is renamed, lost or withheld proves a statement, and must not look like a checked answer.
    mark = DONE_MARK if verdict.answer_checked else UNSURE_MARK if verdict.valid else REFUSED_MARK
    show_line(mark, " ", file.name)
    for problem in verdict.problems:
        show_line("  ", problem.message(lang))
    if verdict.valid and not verdict.answer_checked:
        beside = answer_path(file).name
        say(
            lang,
            f"  声明无误；未核验任何答复：凭证旁没有 {beside}。",
            f"  The statement is sound; no answer was checked: {beside} does not lie beside it.",
        )


def _show_contents(said: Mapping[str, Any], lang: Lang) -> None:
    """Say what was certified, in the words of the statement itself; of nothing that it does not say."""
    service = said["service_or_null"]
    lines = (
        ("通道", "door", said["door"] if service is None else f"{said['door']}, {service}"),
        ("合约", "agreement", said["agreement"]),
        ("用途", "purpose", said["purpose"]),
        ("签发", "issued", said["issued"]),
        ("数据批次", "data", ", ".join(map(str, said["snapshot"].values()))),
        ("计次", "charged", ", ".join(f"{unit} {count}" for unit, count in said["charge"].items())),
        ("提问摘要", "question", said["statement_or_artifact_digest"]),
    )
    for zh, en, value in lines:
        show_line(f"  {zh if lang == 'zh' else en}: {printable(str(value))}")
