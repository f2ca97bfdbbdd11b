# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao ledger`: read what happened, re-check all of it, and open what is sealed for auditors."""

import json
from itertools import islice
from typing import Annotated

import typer
from rich.markup import escape

from zhanqiao.desk.cli.output import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    LangOption,
    WhoOption,
    console,
    language,
    say,
    show_data,
    show_table,
)
from zhanqiao.desk.cli.session import opened, speaker, unwrap
from zhanqiao.doors import reasons as sealed_reasons

app = typer.Typer(no_args_is_help=True, help="Read events; re-check the whole log. 查看与核对账本。")


@app.command()
def show(
    home: HomeOption = DEFAULT_HOME,
    start: Annotated[int, typer.Option("--from", min=0, help="First entry to show. 起始序号。")] = 0,
    most: Annotated[int, typer.Option("--most", min=1, help="How many entries at the most. 最多条数。")] = 50,
    kind: Annotated[
        str, typer.Option("--kind", help="Only events of this kind, e.g. statistics.released. 事件类型。")
    ] = "",
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Read events in log order. 按顺序查看记录。"""
    with opened(home, language(lang), as_json=as_json) as house:
        every = house.book.events(start, kind or None)
        # A release is two entries, and one line: the envelope is shown to those who ask for its kind.
        events = list(islice((event for event in every if kind or not event.is_envelope), most))
    if as_json:
        show_data([_as_data(event) for event in events])
        return
    show_table(
        ["#", "时间", "事件", "人员", "请求"] if language(lang) == "zh" else ["#", "time", "kind", "by", "request"],
        [
            [str(event.index), event.time.isoformat(timespec="seconds"), event.kind, event.by, event.request or "-"]
            for event in events
        ],
    )


@app.command()
def audit(home: HomeOption = DEFAULT_HOME, lang: LangOption = "", as_json: JsonOption = False) -> None:
    """Re-check entries, requests, tiles and certificates against the signed tree. 逐条核对全部账本。"""
    with opened(home, language(lang), as_json=as_json) as house:
        checked = house.book.audit()
        # Nothing is signed before it was checked.
        root = house.book.publish().root.hex()
    if as_json:
        show_data({"status": "clean", "entries": checked, "root": root})
        return
    say(
        language(lang),
        f"账本完整：{checked} 条记录逐条核对，根 {root[:16]}…",
        f"The ledger is whole: {checked} entries re-checked, root {root[:16]}…",
    )


@app.command()
def reason(
    index: Annotated[int, typer.Argument(min=0, help="Number of the entry. 记录序号。")],
    who: WhoOption = "",
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Open the sealed reason of an unanswered decision; for auditors, and on the record. 审计人员启封拒答理由。"""
    spoken = language(lang)
    with opened(home, spoken, as_json=as_json) as house:
        by = speaker(house, who, spoken, as_json=as_json)
        reasons = unwrap(sealed_reasons.reveal(index, by, house), spoken, as_json=as_json)
    if as_json:
        said = [{"code": one.code, "message": one.message(spoken)} for one in reasons]
        show_data({"status": "opened", "entry": index, "reasons": said})
        return
    for one in reasons:
        console.print(f"[bold]{one.code}[/bold]  {escape(one.message(spoken))}")
    say(spoken, "已记入账本：何人启封", "The ledger says who opened it")


def _as_data(event: object) -> dict[str, object]:
    fields = dict(vars(event))
    fields["leaf"] = json.loads(fields["leaf"])
    return fields
