# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao catalogue`: describe datasets, and show what is described."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from zhanqiao.catalogue import contracts, shelf
from zhanqiao.desk import stewardship
from zhanqiao.desk.cli.given import bytes_of
from zhanqiao.desk.cli.output import bold, show_data, show_line, show_table
from zhanqiao.desk.cli.session import Call, command
from zhanqiao.terms.datasets import Dataset, Item
from zhanqiao.terms.refusals import meant

_SHOWN_VALUES = 6

app = typer.Typer(no_args_is_help=True, help="Describe datasets by data contracts. 目录与数据契约。")


@command(app, acts=True)
def add(
    call: Call,
    contract: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An ODCS 3 file. 数据契约文件。")],
    withdraw: Annotated[
        bool,
        typer.Option(
            "--withdraw",
            help="Also where published rows go out of use until they are delivered anew. 允许停用已发布数据，直至重新归集。",
        ),
    ] = False,
) -> None:
    """Describe a dataset, or a new version of its contract. 编目：登记数据契约。"""
    content = call.unwrap(bytes_of(contract, contracts.MAX_BYTES))
    dataset = call.unwrap(stewardship.describe(call.house, content, call.by, withdraw=withdraw))
    if call.as_json:
        show_data(
            {
                "status": "described",
                "dataset": dataset.name,
                "version": dataset.version,
                "digest": dataset.digest,
                "in_no_cube": [item.name for item in dataset.in_no_cube],
            }
        )
        return
    call.say(
        f"已编目：{dataset.zh}（{dataset.name} {dataset.version}），{len(dataset.items)} 个信息项",
        f"Described: {dataset.en} ({dataset.name} {dataset.version}), {len(dataset.items)} item"
        + ("s" if len(dataset.items) > 1 else ""),
    )
    if not dataset.subject_kinds:
        call.say(
            "契约声明不涉及任何主体：再小的分组也会显示。若涉及个人或企业，请立即以更正后的契约重新编目，再入库。",
            "About nobody, it says: groups are shown however small. If it is about people or enterprises, describe it anew "
            "before it is loaded.",
        )
    _say_in_no_cube(call, dataset)


@command(app)
def show(
    call: Call,
    dataset: Annotated[
        str, typer.Argument(help="A dataset's name; the whole catalogue when left out. 数据集名。")
    ] = "",
) -> None:
    """Show the catalogue and count what is open, or one dataset with its items. 查看目录或一个数据集。"""
    if dataset:
        found = shelf.find(dataset)
        if found is None:
            call.refuse("unknown-dataset", dataset=dataset, **meant(dataset, shelf.open_names()))
        _show_one(call, found)
    else:
        _show_all(call)


def _show_all(call: Call) -> None:
    datasets, counts = shelf.all(), shelf.counts()
    records = {dataset.name: snapshot.rows for dataset in datasets if (snapshot := shelf.snapshot_of(dataset.name))}
    domains = {name: tally.categories for name, tally in counts.domains.items()}
    if call.as_json:
        opened: dict[str, object] = {**asdict(counts.total), "domains": domains}
        listed = [_dataset_data(dataset, records.get(dataset.name)) for dataset in datasets]
        show_data({"open": opened, "datasets": listed})
        return
    _show_datasets(call, datasets, records)
    by_domain = "、".join(f"{name} {count}" for name, count in domains.items())
    total = counts.total
    call.say(
        f"开放目录：{total.categories} 类 {total.items} 项，已归集 {total.records:,} 条记录（{by_domain}）",
        (
            f"Open catalogue: {total.categories} categories, {total.items} items, "
            f"{total.records:,} records collected ({by_domain})"
        ),
    )


def _dataset_data(dataset: Dataset, records: int | None) -> dict[str, object]:
    return {
        "name": dataset.name,
        "zh": dataset.zh,
        "en": dataset.en,
        "department": dataset.department,
        "domain": dataset.domain,
        "opening": dataset.opening,
        "sharing": dataset.sharing,
        "items": len(dataset.items),
        "records": records,
    }


def _show_datasets(call: Call, datasets: Iterable[Dataset], records: dict[str, int]) -> None:
    show_table(
        ["数据集", "信息项", "记录数", "开放", "部门", "领域", "目录"]
        if call.lang == "zh"
        else ["dataset", "items", "records", "opening", "department", "domain", "title"],
        [
            [
                entry.name,
                str(len(entry.items)),
                f"{records[entry.name]:,}" if entry.name in records else "-",
                entry.opening.value,
                entry.department,
                entry.domain,
                entry.zh if call.lang == "zh" else entry.en,
            ]
            for entry in sorted(datasets, key=lambda one: (not one.open, one.domain, one.code))
        ],
    )


def _show_one(call: Call, dataset: Dataset) -> None:
    if call.as_json:
        show_data(
            {
                "name": dataset.name,
                "zh": dataset.zh,
                "en": dataset.en,
                "version": dataset.version,
                "department": dataset.department,
                "sharing": dataset.sharing,
                "opening": dataset.opening,
                "in_no_cube": [item.name for item in dataset.in_no_cube],
                "cubes": [{"name": cube.name, "dims": cube.dims, "measures": cube.measures} for cube in dataset.cubes],
                "items": [_item_data(item) for item in dataset.items],
            }
        )
        return
    show_line(bold(dataset.zh), f"  {dataset.en}  ({dataset.name} {dataset.version})")
    show_table(
        ["信息项", "名称", "类型", "级别", "脱敏", "能力", "值域"]
        if call.lang == "zh"
        else ["item", "name", "type", "level", "mask", "capabilities", "domain"],
        [
            [
                item.name,
                _shown_name(call, item),
                item.type.value,
                item.level.value,
                item.mask.value,
                " ".join(sorted(item.capabilities)) or "-",
                _shown_values(item.bands or item.domain),
            ]
            for item in dataset.items
        ],
    )
    for item in dataset.items:
        if len(values := item.bands or item.domain) > _SHOWN_VALUES:
            call.say(f"{item.name} 的值域：{'、'.join(values)}", f"values of {item.name}: {', '.join(values)}")
    for cube in dataset.cubes:
        call.say(
            f"立方体 {cube.name}：维度 {', '.join(cube.dims)}；度量 {', '.join(cube.measures) or '无'}",
            f"cube {cube.name}: dimensions {', '.join(cube.dims)}; measures {', '.join(cube.measures) or 'none'}",
        )
    _say_in_no_cube(call, dataset)


def _say_in_no_cube(call: Call, dataset: Dataset) -> None:
    if names := [item.name for item in dataset.in_no_cube]:
        call.say(
            f"不在任何立方体中（决策服务可读，统计语句一概不答）：{'、'.join(names)}",
            f"In no cube (services may read them, no statement is answered from them): {', '.join(names)}",
        )


def _shown_name(call: Call, item: Item) -> str:
    """The item's name, and the header of its column where that is another."""
    if item.header == item.zh:
        return item.zh
    return f"{item.zh}（表头 {item.header}）" if call.lang == "zh" else f"{item.zh} (header {item.header})"


def _shown_values(values: tuple[str, ...]) -> str:
    return "、".join(values[:_SHOWN_VALUES]) + (" …" if len(values) > _SHOWN_VALUES else "")


def _item_data(item: Item) -> dict[str, object]:
    return {
        "name": item.name,
        "zh": item.zh,
        "header": item.header,
        "type": item.type,
        "level": item.level,
        "mask": item.mask,
        "grade": item.grade,
        "capabilities": item.capabilities,
        "domain": item.domain,
        "bands": item.bands,
    }
