# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao ask` and `zhanqiao decide`: the two doors of the command line."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from zhanqiao.agreements import consents
from zhanqiao.desk.answers import check_folder, write_release
from zhanqiao.desk.cli import names
from zhanqiao.desk.cli.asking import Asking, asking
from zhanqiao.desk.cli.given import id_from_input, ids_from_input, text_of
from zhanqiao.desk.cli.output import bold, show_data, show_line, show_table
from zhanqiao.desk.question import Question, Verb
from zhanqiao.desk.scenarios import find_service
from zhanqiao.doors.release import Release
from zhanqiao.ledger.book import new_request_id
from zhanqiao.terms.requests import RequestId
from zhanqiao.terms.services import Field, Service

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
    "parts-in-remainder": (
        "各组只计其足够大的部分，其余部分已并入“其余”：每组可能少于其总数。按立方体的全部维度分组（或以 = 限定），则各组完整",
        "Each group counts only those parts of it that are large enough; its other parts joined the remainder 其余, so it may be less than all of the group. Whole groups are those that name, or fix by =, every dimension of the dataset's cube.",
    ),
    "filter-leaves-out-remainder": (
        "“其余”中有的行可能符合条件，有的不符合，故全部未计入：各行合计可能少于符合条件的总数",
        "The remainder 其余 may hold rows that meet the condition and rows that do not, so none of it is counted: what is shown may be less than all that meet it.",
    ),
}

app = typer.Typer()


@asking(app)
def ask(
    call: Asking,
    statement: Annotated[str, typer.Argument(help="SELECT over one dataset. 对一个数据集的 SELECT。")],
    agreement: AgreementOption,
    request: RequestOption = None,
    out: OutOption = None,
) -> None:
    """Ask the statistics door: a table over many subjects. 统计门：提问。"""
    question = Question(Verb.ASK, _request_id(call, request), agreement, call.lang, statement=statement)
    _answered(call, lambda: question, out, _show_table)


@asking(app)
def decide(
    call: Asking,
    service: Annotated[str, typer.Argument(help="silent-certification or enterprise-credit. 服务名。")],
    agreement: AgreementOption,
    consent: Annotated[
        Path | None,
        typer.Option("--consent", exists=True, dir_okay=False, help="The subject's signed consent. 主体签署的同意。"),
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Standard input holds one identifier a line. 批量：每行一个编号。")
    ] = False,
    request: RequestOption = None,
    out: OutOption = None,
) -> None:
    """Ask a decision service; the subject comes by standard input as {"id": "..."}. 决策门：主体编号只经标准输入。"""
    identifier = _request_id(call, request)

    def question() -> Question:
        verb = Verb.DECIDE_BATCH if batch else Verb.DECIDE
        subjects = call.unwrap(ids_from_input()) if batch else [call.unwrap(id_from_input())]
        token = None if consent is None else call.unwrap(text_of(consent, consents.MAX_FILE_BYTES)).strip()
        return Question(
            verb, identifier, agreement, call.lang, service=service, subjects=tuple(subjects), consent=token
        )

    _answered(call, question, out, _show_outcome)


def _answered(
    call: Asking, question: Callable[[], Question], out: Path | None, show: Callable[[Asking, dict[str, object]], None]
) -> None:
    """Ask, keep the answer with its certificate, and show it."""
    folder = out or call.answers
    # Looked at before the answer is charged for.
    call.done(check_folder(folder))
    asked = question()
    with _repeatable(call, asked.request):
        _hand_out(call, call.heard(asked), folder, show)


def _request_id(call: Asking, text: str | None) -> RequestId:
    """Read the id before anything is asked: it names files, and what it names must be a request."""
    return new_request_id(secrets.token_bytes) if text is None else call.unwrap(RequestId.parse(text))


@contextmanager
def _repeatable(call: Asking, request: RequestId) -> Iterator[None]:
    """Name the request when a fault ends it: it may be charged, and by its id alone the answer is found again.

    That it could not be shown is such a fault.
    """
    try:
        yield
    except typer.Exit:  # a refusal, which was told
        raise
    except Exception:
        zh = f"请求 {request}：请加 --request {request} 重复；已计次的不再计次"
        en = f"Request {request}: repeat it with --request {request}; what was charged is not charged again"
        typer.echo(zh if call.lang == "zh" else en, err=True)
        raise


def _hand_out(
    call: Asking, release: Release, folder: Path, show_answer: Callable[[Asking, dict[str, object]], None]
) -> None:
    """Write the answer with its certificate, and show it."""
    certificate = call.unwrap(write_release(release, folder))
    if call.as_json:
        bare = {name: value for name, value in release.answer.items() if name != "request"}
        show_data({**bare, "request": release.request, "certificate": str(certificate)})
        return
    show_answer(call, release.answer)
    call.say(
        f"请求 {release.request}；凭证 {certificate}（可离线核验：zhanqiao verify {certificate}）",
        f"Request {release.request}; certificate {certificate} (check it offline: zhanqiao verify {certificate})",
    )


def _show_table(call: Asking, answer: dict[str, object]) -> None:
    columns, rows, withheld = answer["columns"], answer["rows"], answer["withheld"]
    assert isinstance(columns, list)
    assert isinstance(rows, list)
    assert isinstance(withheld, list)
    show_table(
        [str(column["name"]) for column in columns],
        [["-" if cell is None else str(cell) for cell in row] for row in rows],
    )
    if not rows:
        call.say("没有已发布的分组符合条件", "No published group meets the condition.")
    for entry in withheld:
        call.say(*_WITHHELD[str(entry["rule"])])


def _show_outcome(call: Asking, answer: dict[str, object]) -> None:
    service = find_service(str(answer["service"]))
    results = answer.get("results")
    if isinstance(results, list):
        counted = Counter(str(result.get("outcome", result["status"])) for result in results)
        known = {**names.UNANSWERED, **_names_of(service, "outcome")}
        for code, count in sorted(counted.items()):
            _show_field(call, names.with_name(call.lang, code, known), f"{count:,}")
    for name, value in answer.items():
        if name not in {"results", "status", "request"}:
            _show_field(call, _label(call, service, name), _told(call, service, name, value))


def _show_field(call: Asking, label: str, told: str) -> None:
    show_line(f"  {label}：" if call.lang == "zh" else f"  {label}: ", bold(told))


def _label(call: Asking, service: Service | None, name: str) -> str:
    """Return what a field is called: as its service declares it, else by its bare name."""
    if call.lang == "en" or service is None:
        return name
    field = _field_of(service, name)
    return "服务" if name == "service" else name if field is None else field.zh


def _names_of(service: Service | None, name: str) -> dict[str, str]:
    field = _field_of(service, name)
    return {} if field is None else dict(field.names)


def _field_of(service: Service | None, name: str) -> Field | None:
    return None if service is None else next((field for field in service.output if field.name == name), None)


def _told(call: Asking, service: Service | None, name: str, value: object) -> str:
    """Return what a field says: codes, with their names where they have one."""
    known = {service.name: service.zh} if service and name == "service" else _names_of(service, name)
    if isinstance(value, list):
        listed = names.joined(call.lang, (names.with_name(call.lang, str(one), known) for one in value))
        return listed or ("无" if call.lang == "zh" else "none")
    if value is None and call.lang == "zh":
        return "无"
    return names.with_name(call.lang, str(value), known)
