# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao intake`: what departments deliver becomes a published snapshot, or a report says why not."""

from pathlib import Path
from typing import Annotated

import typer

from zhanqiao.desk import stewardship
from zhanqiao.desk.cli.output import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    LangOption,
    WhoOption,
    console,
    language,
    show_data,
)
from zhanqiao.desk.cli.session import opened, speaker, unwrap

app = typer.Typer(no_args_is_help=True, help="Collect, check, mask, publish. 归集、校验、脱敏、发布。")


@app.command()
def load(
    dataset: Annotated[str, typer.Argument(help="Its name in the catalogue. 数据集名。")],
    files: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="CSV or Parquet; several files are one delivery. 交付文件。"),
    ],
    who: WhoOption = "",
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Load files into a dataset: published whole, or not at all; bad rows are quarantined. 归集一批交付。"""
    spoken = language(lang)
    with opened(home, spoken, as_json=as_json) as house:
        by = speaker(house, who, spoken, as_json=as_json)
        report = unwrap(stewardship.deliver(house, dataset, files, by), spoken, as_json=as_json)
    if as_json:
        show_data(report.as_data())
        return
    console.print(report.as_text(spoken))


@app.command()
def sweep(
    who: WhoOption = "",
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Remove what loads that died have left; waits until nobody is at work. 清扫中断的装载所留。"""
    spoken = language(lang)
    with opened(home, spoken, as_json=as_json) as house:
        by = speaker(house, who, spoken, as_json=as_json)
        removed = unwrap(stewardship.sweep(house, by), spoken, as_json=as_json)
    if as_json:
        show_data({"removed": removed})
        return
    if not removed:
        console.print("无可清扫。" if spoken == "zh" else "Nothing to remove.")
    for place, count in removed.items():
        console.print(f"{place}: {count}")
