# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao ledger`: read what happened, re-check all of it, and open what is sealed for auditors."""

import json
from collections import deque
from collections.abc import Generator
from contextlib import closing
from itertools import islice
from typing import Annotated

import typer

from zhanqiao.desk import audit as whole_audit
from zhanqiao.desk.cli import witnesses
from zhanqiao.desk.cli.output import UNSURE_MARK, bold, show_data, show_line, show_table
from zhanqiao.desk.cli.session import Call, command
from zhanqiao.doors import reasons as sealed_reasons
from zhanqiao.ledger.book import Book
from zhanqiao.ledger.entries import LoggedEvent
from zhanqiao.ledger.replay import facts_of
from zhanqiao.terms.refusals import meant

# What an event may be about, the closest first.
_ABOUT = ("agreement", "dataset", "person", "organisation", "issuer", "name", "about")

app = typer.Typer(no_args_is_help=True, help="Read events; re-check the whole log. 查看与核对账本。")
app.add_typer(witnesses.app, name="witness")
command(app)(witnesses.cosign)


@command(app)
def show(
    call: Call,
    start: Annotated[int, typer.Option("--from", min=0, help="First entry to show. 起始序号。")] = 0,
    most: Annotated[
        int, typer.Option("--most", min=1, max=1_000_000, help="How many entries at the most. 最多条数。")
    ] = 50,
    kind: Annotated[
        str, typer.Option("--kind", help="Only events of this kind, e.g. statistics.released. 事件类型。")
    ] = "",
    newest: Annotated[
        bool, typer.Option("--newest", help="The last ones rather than the first. 只看最新的若干条。")
    ] = False,
) -> None:
    """Read events in log order. 按顺序查看记录。"""
    # Closed here: a reader that goes away must not leave it open under a database that is closed.
    with closing(_lines(call.house.book, start, kind)) as every:
        events = list(deque(every, most) if newest else islice(every, most))
        beyond = list(islice(every, 1))
    if call.as_json:
        show_data([_as_data(event) for event in events])
        return
    if not events and kind:
        _say_none(call, kind)
        return
    show_table(
        ["#", "时间", "事件", "人员", "请求", "事关"]
        if call.lang == "zh"
        else ["#", "time", "kind", "by", "request", "about"],
        [
            [
                str(event.index),
                event.time.isoformat(timespec="seconds"),
                event.kind,
                event.by,
                event.request or "-",
                _about(call.house.book, event),
            ]
            for event in events
        ],
    )
    if not kind and len(events) > 1 and events[-1].index - events[0].index >= len(events):
        call.say(
            "每次出库占两条记录，未列出的是其信封（--kind 通道.certified）",
            "A release is two entries; the numbers left out are their envelopes (--kind DOOR.certified)",
        )
    for next_one in beyond:
        call.say(f"后面还有：--from {next_one.index}", f"There are more: --from {next_one.index}")


@command(app)
def audit(call: Call) -> None:
    """Re-check the whole ledger against its signed tree, and every row of the state against it. 核对全部账本与平台状态。"""
    checked = whole_audit.audit(call.house)
    # Nothing is signed before it was checked. Only witnesses can tell that the whole disk was rolled back.
    unheard = [one.seat.name for one in call.house.book.cosign() if one.trouble is not None]
    root = call.house.book.checkpoint().root.hex()
    if call.as_json:
        show_data({"status": "clean", "entries": checked, "root": root, "witnesses_unheard": unheard})
        return
    call.say(
        f"账本完整：{checked} 条记录逐条核对，根 {root[:16]}…",
        f"The ledger is whole: {checked} entries re-checked, root {root[:16]}…",
    )
    if unheard:
        names = ", ".join(unheard)
        call.say(
            f"未得到 {names} 的联署，未能与其核对：磁盘若整体回退，只有见证方能够发现",
            f"Not checked against {names}, who did not cosign: that a whole disk was rolled back, only witnesses can tell",
            mark=UNSURE_MARK,
        )


@command(app, acts=True)
def reason(call: Call, index: Annotated[int, typer.Argument(min=0, help="Number of the entry. 记录序号。")]) -> None:
    """Open the sealed reason of an unanswered decision; for auditors, and on the record. 审计人员启封拒答理由。"""
    reasons = call.unwrap(sealed_reasons.reveal(index, call.by, call.house))
    if call.as_json:
        said = [{"code": one.code, "message": one.message(call.lang)} for one in reasons]
        show_data({"status": "opened", "entry": index, "reasons": said})
        return
    for one in reasons:
        show_line(bold(one.code), "  ", one.message(call.lang))
    call.say("已记入账本：何人启封", "The ledger says who opened it")


def _say_none(call: Call, kind: str) -> None:
    """Tell a kind of which nothing happened from one that is misspelt."""
    near = meant(kind, {event.kind for event in call.house.book.events()})
    call.say(f"没有事件 {kind}。{near['meant_zh']}", f"There is no event {kind}. {near['meant_en']}".rstrip())


def _lines(book: Book, start: int, kind: str) -> Generator[LoggedEvent, None, None]:
    """Read what is shown. A release is two entries and one line: its envelope is for those who ask for its kind."""
    return (event for event in book.events(start, kind or None) if kind or not event.is_envelope)


def _about(book: Book, event: LoggedEvent) -> str:
    """Return which agreement, dataset, organisation or person an event is about, where it names one."""
    facts = facts_of(event)
    if isinstance(envelope := facts.get("envelope"), dict):
        # Of a release its envelope tells.
        facts = facts_of(next(book.events(int(envelope["index"]))))
    return next((str(facts[one]) for one in _ABOUT if one in facts), "-")


def _as_data(event: LoggedEvent) -> dict[str, object]:
    fields = dict(vars(event))
    fields["leaf"] = json.loads(fields["leaf"])
    return fields
