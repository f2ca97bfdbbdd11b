# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao ask` and `zhanqiao decide`: the two doors of the command line."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from zhanqiao.desk.answers import write_release
from zhanqiao.desk.cli.output import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    LangOption,
    WhoOption,
    console,
    language,
    refused,
    say,
    show_data,
    show_table,
)
from zhanqiao.desk.cli.session import opened, speaker, unwrap
from zhanqiao.desk.scenarios import all_services, find_service
from zhanqiao.doors import decisions, statistics
from zhanqiao.doors.release import Release
from zhanqiao.ledger.book import new_request_id
from zhanqiao.terms.refusals import Lang, Refusal, refuse
from zhanqiao.terms.requests import BatchDecisionRequest, DecisionRequest, RequestId, StatisticsRequest
from zhanqiao.terms.services import Service
from zhanqiao.terms.subjects import Subject
from zhanqiao.vault.house import House

AgreementOption = Annotated[str, typer.Option("--agreement", help="Number of the agreement to ask under. 合约编号。")]
RequestOption = Annotated[
    str | None,
    typer.Option(
        "--request", help="Request id as printed; the same id gets the same answer and no second charge. 请求编号。"
    ),
]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder for answer and certificate. 答复与凭证的目录。")]

# What a caller reads about what an answer leaves out: Chinese, English.
_WITHHELD = {
    "too-small-or-dominated": (
        "过小、被个别主体支配或无此项值的分组已并入“其余”",
        "Groups that were too small, dominated or without a value joined the remainder 其余.",
    ),
    "filter-leaves-out-remainder": (
        "“其余”是否符合条件无法判定，筛选未将其计入：各行之和少于总数",
        "The filter leaves out the remainder 其余, of which it is neither true nor false: the rows are less than all.",
    ),
}

# Longest standard input that is read: 2 million identifiers.
_MOST_BYTES = 64 * 1024 * 1024


def ask(
    statement: Annotated[str, typer.Argument(help="SELECT over one dataset. 对一个数据集的 SELECT。")],
    agreement: AgreementOption,
    who: WhoOption = "",
    request: RequestOption = None,
    out: OutOption = None,
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Ask the statistics door: a table over many subjects. 统计门：提问。"""
    spoken = language(lang)
    given = _given_id(request, spoken, as_json=as_json)
    with opened(home, spoken, as_json=as_json) as house:
        by = speaker(house, who, spoken, as_json=as_json)
        asked = StatisticsRequest(given or new_request_id(house.dice), agreement, by, statement)
        release = unwrap(statistics.answer(asked, house=house), spoken, as_json=as_json)
        certificate = unwrap(write_release(release, out or house.home / "answers"), spoken, as_json=as_json)
    if as_json:
        show_data({**release.answer, "request": release.request, "certificate": str(certificate)})
        return
    _show_table(release.answer, spoken)
    _show_files(release, certificate, spoken)


def decide(
    service: Annotated[str, typer.Argument(help="silent-certification or enterprise-credit. 服务名。")],
    agreement: AgreementOption,
    consent: Annotated[
        Path | None,
        typer.Option("--consent", exists=True, dir_okay=False, help="The subject's signed consent. 主体签署的同意。"),
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Standard input holds one identifier a line. 批量：每行一个编号。")
    ] = False,
    who: WhoOption = "",
    request: RequestOption = None,
    out: OutOption = None,
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Ask a decision service; the subject comes by standard input as {"id": "..."}. 决策门：主体编号只经标准输入。"""
    spoken = language(lang)
    given = _given_id(request, spoken, as_json=as_json)
    declared = find_service(service)
    if declared is None:
        known = ", ".join(one.name for one in all_services())
        refused(refuse("unknown-service", service=service, known=known), spoken, as_json=as_json)
    with opened(home, spoken, as_json=as_json) as house:
        by = speaker(house, who, spoken, as_json=as_json)
        identifier = given or new_request_id(house.dice)
        if batch:
            ids = _ids_from_input(spoken, as_json=as_json)
            asked = BatchDecisionRequest(identifier, agreement, by, service)
            outcome = decisions.answer_batch(asked, declared, ids, house=house)
        else:
            outcome = _decide_one(declared, identifier, agreement, by, consent, house, spoken, as_json=as_json)
        release = unwrap(outcome, spoken, as_json=as_json)
        certificate = unwrap(write_release(release, out or house.home / "answers"), spoken, as_json=as_json)
    if as_json:
        show_data({**release.answer, "request": release.request, "certificate": str(certificate)})
        return
    _show_outcome(release.answer)
    _show_files(release, certificate, spoken)


def _given_id(text: str | None, lang: Lang, *, as_json: bool) -> RequestId | None:
    """Read the id before anything else: it names files, and what it names must be a request."""
    return None if text is None else unwrap(RequestId.parse(text), lang, as_json=as_json)


def _decide_one(
    service: Service,
    identifier: RequestId,
    agreement: str,
    by: str,
    consent: Path | None,
    house: House,
    lang: Lang,
    *,
    as_json: bool,
) -> Release | Refusal:
    subject = Subject(service.subject, _id_from_input(lang, as_json=as_json))
    # What is no text is no token either, and is refused as one.
    token = consent.read_text(encoding="utf-8", errors="replace").strip() if consent is not None else None
    asked = DecisionRequest(identifier, agreement, by, service.name, subject, token)
    return decisions.answer(asked, service, house=house)


def _id_from_input(lang: Lang, *, as_json: bool) -> str:
    try:
        subject = json.loads(sys.stdin.read(_MOST_BYTES))
    except ValueError:
        subject = None
    if not isinstance(subject, dict) or set(subject) != {"id"} or not isinstance(subject["id"], str):
        refused(refuse("subject-malformed"), lang, as_json=as_json)
    return str(subject["id"])


def _ids_from_input(lang: Lang, *, as_json: bool) -> list[str]:
    # A line without an identifier gets an outcome too, so that outcomes stay beside their lines.
    ids = [line.strip() for line in sys.stdin.read(_MOST_BYTES).splitlines()]
    if not any(ids):
        refused(refuse("list-empty"), lang, as_json=as_json)
    return ids


def _show_table(answer: dict[str, object], lang: Lang) -> None:
    columns, rows, withheld = answer["columns"], answer["rows"], answer["withheld"]
    assert isinstance(columns, list)
    assert isinstance(rows, list)
    assert isinstance(withheld, list)
    show_table(
        [str(column["name"]) for column in columns],
        [["-" if cell is None else str(cell) for cell in row] for row in rows],
    )
    for entry in withheld:
        say(lang, *_WITHHELD[str(entry["rule"])])


def _show_outcome(answer: dict[str, object]) -> None:
    results = answer.get("results")
    if isinstance(results, list):
        counted = Counter(str(result.get("outcome", result["status"])) for result in results)
        for name, count in sorted(counted.items()):
            console.print(f"  {name}: [bold]{count:,}[/bold]")
    for name, value in answer.items():
        if name not in {"results", "status"}:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            console.print(f"  {name}: [bold]{shown}[/bold]")


def _show_files(release: Release, certificate: Path, lang: Lang) -> None:
    say(
        lang,
        f"请求 {release.request}；凭证 {certificate}（可离线核验：zhanqiao verify {certificate}）",
        f"Request {release.request}; certificate {certificate} (check it offline: zhanqiao verify {certificate})",
    )
