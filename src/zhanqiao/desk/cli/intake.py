# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao intake`: what departments deliver becomes a published snapshot, or a report says why not."""

from pathlib import Path
from typing import Annotated

import typer

from zhanqiao.desk import stewardship
from zhanqiao.desk.cli.output import show_data, show_line
from zhanqiao.desk.cli.session import Call, command

app = typer.Typer(no_args_is_help=True, help="Collect, check, mask, publish. 归集、校验、脱敏、发布。")


@command(app, acts=True)
def load(
    call: Call,
    dataset: Annotated[str, typer.Argument(help="Its name in the catalogue. 数据集名。")],
    files: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="CSV or Parquet; several files are one delivery. 交付文件。"),
    ],
) -> None:
    """Load files into a dataset: published whole, or not at all; bad rows are quarantined. 归集一批交付。"""
    report = call.unwrap(stewardship.deliver(call.house, dataset, files, call.by))
    if call.as_json:
        show_data(report.as_data())
        return
    for line in report.as_text(call.lang).split("\n"):
        show_line(line)


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
