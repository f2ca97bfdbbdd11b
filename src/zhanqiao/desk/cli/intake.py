# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao intake`: what departments deliver becomes a published snapshot, or a report says why not."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from zhanqiao import intake
from zhanqiao.catalogue import shelf
from zhanqiao.desk import stewardship
from zhanqiao.desk.cli.output import OutputFailed, show_data, show_line
from zhanqiao.desk.cli.session import Call, command
from zhanqiao.desk.paths import lies_inside
from zhanqiao.ledger import durable
from zhanqiao.terms.datasets import Item
from zhanqiao.terms.refusals import Lang, Refusal

app = typer.Typer(no_args_is_help=True, help="Collect, check, mask, publish. 归集、校验、脱敏、发布。")


FaultsOption = Annotated[
    Path | None,
    typer.Option(
        "--faults", dir_okay=False, help="A new CSV file for what is wrong with which row. 逐行问题清单（新文件）。"
    ),
]


@command(app, acts=True)
def load(
    call: Call,
    dataset: Annotated[str, typer.Argument(help="Its name in the catalogue. 数据集名。")],
    files: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="CSV or Parquet; several files are one delivery. 交付文件。"),
    ],
    faults: FaultsOption = None,
    fewer: Annotated[
        bool,
        typer.Option(
            "--fewer", help="Also where it replaces a delivery of more than twice as many rows. 允许行数减半以上。"
        ),
    ] = False,
) -> None:
    """Load files into a dataset: published whole, or not at all; bad rows are quarantined. 归集一批交付。"""
    _expect_new(call, faults)
    described, tally = shelf.find(dataset), intake.Tally()
    outcome = stewardship.deliver(call.house, dataset, files, call.by, tally, fewer=fewer)
    try:
        listed = described is not None and _list(faults, tally, intake.items_of(described), call.lang)
    except OutputFailed:
        # Without its list a load has ended all the same, and that is what everybody wants to know first.
        with suppress(typer.Exit):
            _say_loaded(call, outcome)
        raise
    report = _say_loaded(call, outcome)
    if not call.as_json and faults is not None and not listed:
        _say_not_listed(call, report)


def _say_loaded(call: Call, outcome: intake.LoadReport | Refusal) -> intake.LoadReport:
    report = call.unwrap(outcome)
    if call.as_json:
        show_data(report.as_data())
    else:
        for line in report.as_text(call.lang).split("\n"):
            show_line(line)
    return report


@command(app, name="faults", acts=True)
def show_faults(
    call: Call,
    dataset: Annotated[str, typer.Argument(help="Its name in the catalogue. 数据集名。")],
    snapshot: Annotated[
        str, typer.Option("--snapshot", help="Of which load; of the newest when left out. 指定快照，默认最新。")
    ] = "",
    faults: FaultsOption = None,
) -> None:
    """Tell again what was wrong with the quarantined rows of a load, without a value. 重新列出隔离行的问题。"""
    _expect_new(call, faults)
    told = call.unwrap(stewardship.faults(call.house, dataset, call.by, snapshot))
    _list(faults, told.tally, told.items, call.lang)
    counts = told.tally.counts()
    if call.as_json:
        show_data([count.as_data() for count in counts])
        return
    if not counts:
        call.say(f"快照 {told.snapshot} 没有被隔离的行。", f"No row of {told.snapshot} is in quarantine.")
    for line in intake.as_summary(counts, told.items, call.lang):
        show_line(line)
    others = [one for one in told.loads if one != told.snapshot]
    if others:
        call.say(f"其他批次（--snapshot）：{'、'.join(others)}", f"Other loads (--snapshot): {', '.join(others)}")


def _expect_new(call: Call, path: Path | None) -> None:
    """Refuse a place where a list cannot lie, before anything is done."""
    if path is None:
        return
    if os.path.lexists(path):
        call.refuse("file-exists", file=str(path))
    if lies_inside(path, call.house.home):
        call.refuse("file-inside", file=str(path))
    if not path.parent.is_dir():
        call.refuse("file-not-written", file=str(path), cause=os.strerror(errno.ENOENT))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        call.refuse("file-not-written", file=str(path), cause=os.strerror(errno.EACCES))


def _list(path: Path | None, tally: intake.Tally, items: dict[str, Item], lang: Lang) -> bool:
    """Write the list of faults, whole and for its owner alone; False where there is nothing to list, or nowhere to."""
    if path is None or not tally.counts():
        return False
    try:
        # The mark at the beginning tells a spreadsheet that it is UTF-8.
        durable.write_new(path, intake.as_list(tally, items, lang).encode("utf-8-sig"))
    except OSError as cause:
        # The load stands as it ended: what is lost is what was to be told of it.
        raise OutputFailed(cause.strerror) from cause
    return True


def _say_not_listed(call: Call, report: intake.LoadReport) -> None:
    if report.recognised:
        again = f"zhanqiao intake faults {report.dataset} --snapshot {report.snapshot}"
        call.say(
            f"未再次校验，故未写清单；可执行 {again}", f"Nothing was examined again, so no list was written: {again}"
        )
    else:
        call.say("没有问题，故未写清单。", "Nothing was wrong, so no list was written.")


@command(app, acts=True)
def sweep(call: Call) -> None:
    """Remove what loads and writers that died have left; waits until nobody is at work. 清扫中断的装载与写入所留。"""
    removed = call.unwrap(stewardship.sweep(call.house, call.by))
    if call.as_json:
        show_data({"removed": removed})
        return
    if not removed:
        call.say("无可清扫。", "Nothing to remove.")
    for place, count in removed.items():
        show_line(f"{place}: {count}")


@command(app, acts=True)
def drop(call: Call, dataset: Annotated[str, typer.Argument(help="Its name in the catalogue. 数据集名。")]) -> None:
    """Forget the superseded snapshots of a dataset for good; waits until nobody is at work. 清除已被取代的快照。"""
    dropped = call.unwrap(stewardship.drop(call.house, dataset, call.by))
    if call.as_json:
        show_data({"dropped": dropped})
        return
    if not dropped:
        call.say("无已被取代的快照。", "No superseded snapshot is held.")
    for snapshot in dropped:
        show_line(snapshot)
