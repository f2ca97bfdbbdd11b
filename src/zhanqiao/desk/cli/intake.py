# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao intake`: what departments deliver becomes a published snapshot, or a report says why not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

from zhanqiao import intake
from zhanqiao.catalogue import shelf
from zhanqiao.desk import stewardship
from zhanqiao.desk.cli.output import OutputFailed, show_data, show_line
from zhanqiao.desk.cli.session import Call, command

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
) -> None:
    """Load files into a dataset: published whole, or not at all; bad rows are quarantined. 归集一批交付。"""
    tally = intake.Tally()
    with _new_file(call, faults) as kept:
        outcome = stewardship.deliver(call.house, dataset, files, call.by, tally)
        if kept is not None and (described := shelf.find(dataset)) is not None:
            kept.write(intake.as_list(tally.faults(), described, call.lang))
    report = call.unwrap(outcome)
    if call.as_json:
        show_data(report.as_data())
        return
    for line in report.as_text(call.lang).split("\n"):
        show_line(line)


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
    with _new_file(call, faults) as kept:
        tally = call.unwrap(stewardship.faults(call.house, dataset, call.by, snapshot))
        described = shelf.find(dataset)
        assert described is not None, "its faults were told"
        counts = tally.counts()
        if kept is not None and counts:
            kept.write(intake.as_list(tally.faults(), described, call.lang))
    if call.as_json:
        show_data([count.as_data() for count in counts])
        return
    if not counts:
        call.say("没有被隔离的行。", "No row is in quarantine.")
    for line in intake.as_summary(counts, intake.items_of(described), call.lang):
        show_line(line)


@contextmanager
def _new_file(call: Call, path: Path | None) -> Iterator[TextIO | None]:
    """Open a file that is not there yet, for spreadsheets, before anything is done; yields None where none is wanted.

    Where nothing was written into it, it goes again.
    """
    if path is None:
        yield None
        return
    try:
        # The mark at the beginning tells a spreadsheet that it is UTF-8.
        file = path.open("x", encoding="utf-8-sig", newline="")
    except FileExistsError:
        call.refuse("file-exists", file=str(path))
    except OSError as cause:
        call.refuse("file-not-written", file=str(path), cause=cause.strerror or "-")
    try:
        with file:
            yield file
    except OSError as cause:
        # The load stands as it ended: what is lost is what was to be told of it.
        raise OutputFailed(cause.strerror) from cause
    finally:
        if not path.stat().st_size:
            path.unlink()


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
