# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao ledger`: read what happened, re-check all of it, and open what is sealed for auditors."""

import json
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, NamedTuple

import typer
from typer.models import OptionInfo

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


class _Wanted(NamedTuple):
    """Which entries are asked for; what is empty asks for all."""

    kind: str
    by: str
    about: str
    since: datetime | None
    until: datetime | None

    def takes(self, book: Book, event: LoggedEvent) -> bool:
        """Tell whether an entry of the kind asked for is of these; the cheapest question first."""
        day = event.time.astimezone(UTC).date()
        if self.by and event.by != self.by:
            return False
        if (self.since and day < self.since.date()) or (self.until and day > self.until.date()):
            return False
        if not self.about:
            return True
        facts = _told(book, event)
        datasets = facts.get("snapshot")  # of a release: dataset -> snapshot
        read = set(datasets) if isinstance(datasets, Mapping) else set()
        return self.about in read or any(str(facts[one]) == self.about for one in _ABOUT if one in facts)


def _day(name: str, told: str) -> OptionInfo:
    option: OptionInfo = typer.Option(name, formats=["%Y-%m-%d"], help=told)
    return option


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
    by: Annotated[str, typer.Option("--by", help="Only what this person did. 只看此人所为。")] = "",
    about: Annotated[
        str,
        typer.Option("--about", help="Only about this agreement, dataset, person, organisation. 只看与之有关的记录。"),
    ] = "",
    since: Annotated[datetime | None, _day("--since", "From this day on, in UTC. 自此日（UTC）起。")] = None,
    until: Annotated[datetime | None, _day("--until", "To this day, all of it. 至此日（含）。")] = None,
    newest: Annotated[
        bool, typer.Option("--newest", help="The last ones rather than the first. 只看最新的若干条。")
    ] = False,
) -> None:
    """Read events in log order. 按顺序查看记录。"""
    wanted = _Wanted(kind, by, about, since, until)
    # Closed here: a reader that goes away must not leave it open under a database that is closed.
    with closing(_lines(call.house.book, start, wanted)) as every:
        events = list(deque(every, most) if newest else islice(every, most))
        beyond = list(islice(every, 1))
    if call.as_json:
        show_data([_as_data(event) for event in events])
        return
    if not events and any(wanted):
        _say_none(call, wanted)
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
    if not any(wanted) and len(events) > 1 and events[-1].index - events[0].index >= len(events):
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
    call.say("启封人已记入账本", "The ledger says who opened it")


def _say_none(call: Call, wanted: _Wanted) -> None:
    """Tell what did not happen from what is misspelt: a kind, or a person."""
    for word, known in ((wanted.kind, "kind"), (wanted.by, "by")):
        every = {getattr(event, known) for event in call.house.book.events()} if word else set()
        if word and word not in every:
            near = meant(word, every)
            call.say(
                f"账本中没有 {word}。{near['meant_zh']}", f"Nothing in the log says {word}. {near['meant_en']}".rstrip()
            )
            return
    call.say("没有符合条件的记录。", "No entry is of that kind, by that person, about that, of those days together.")


def _lines(book: Book, start: int, wanted: _Wanted) -> Generator[LoggedEvent, None, None]:
    """Read what is shown. A release is two entries and one line: its envelope is for those who ask for its kind."""
    for event in book.events(start, wanted.kind or None):
        if (wanted.kind or not event.is_envelope) and wanted.takes(book, event):
            yield event


def _about(book: Book, event: LoggedEvent) -> str:
    """Return which agreement, dataset, organisation or person an event is about, where it names one."""
    facts = _told(book, event)
    return next((str(facts[one]) for one in _ABOUT if one in facts), "-")


def _told(book: Book, event: LoggedEvent) -> Mapping[str, object]:
    """Return an event's facts; those of its envelope where it is a release."""
    facts = facts_of(event)
    if isinstance(envelope := facts.get("envelope"), dict):
        return facts_of(next(book.events(int(envelope["index"]))))
    return facts


def _as_data(event: LoggedEvent) -> dict[str, object]:
    fields = dict(vars(event))
    fields["leaf"] = json.loads(fields["leaf"])
    return fields
