# SPDX-License-Identifier: Apache-2.0
"""The national catalogue metadata form (政务信息资源目录): exact codes, both ways.

Each code list is one table, read in both directions. An unknown code is an import error and never a default, because a
guessed sharing class would open what its department withheld.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from typing import TypeVar

from zhanqiao.terms.datasets import Dataset, Item, LogicalType, Opening, Sharing, UpdateCycle
from zhanqiao.terms.refusals import Reason, Refusal

SHARING = {"1": Sharing.UNCONDITIONAL, "2": Sharing.CONDITIONAL, "3": Sharing.WITHHELD}
UPDATE_CYCLE = {
    "1": UpdateCycle.REAL_TIME,
    "2": UpdateCycle.DAY,
    "3": UpdateCycle.WEEK,
    "4": UpdateCycle.MONTH,
    "5": UpdateCycle.QUARTER,
    "6": UpdateCycle.YEAR,
}


class Format(IntEnum):
    """格式: what the resource is delivered as."""

    FILE = 1
    SPREADSHEET = 2
    DATABASE = 3
    IMAGE = 4
    STREAM = 5
    SELF_DESCRIBING = 6
    SERVICE = 7


class Method(StrEnum):
    """共享方式: how another department gets it."""

    DATABASE = "1"
    DOWNLOAD = "2"
    WEBSERVICE = "3"


FORMAT = {str(member.value): member for member in Format}
FORMAT_ZH = {
    Format.FILE: "电子文件",
    Format.SPREADSHEET: "电子表格",
    Format.DATABASE: "数据库",
    Format.IMAGE: "图形图像",
    Format.STREAM: "流媒体",
    Format.SELF_DESCRIBING: "自描述格式",
    Format.SERVICE: "服务接口",
}
METHOD = {member.value: member for member in Method}
OPENED = {"1": True, "0": False}

# 数据类型 of an information item; a boolean is delivered as the text 是 or 否.
DATA_TYPE = {
    LogicalType.STRING: "字符型C",
    LogicalType.INTEGER: "整型I",
    LogicalType.NUMBER: "数值型N",
    LogicalType.DATE: "日期型D",
    LogicalType.BOOLEAN: "逻辑型L",
}
# 分级 by the highest grade of an item (GB/T 43697 has three words for our five levels).
SECURITY = {1: "一般", 2: "一般", 3: "一般", 4: "重要", 5: "核心"}

Value = TypeVar("Value")


@dataclass(frozen=True)
class Provider:
    """提供方: the source department as the register of organisations names it."""

    name: str
    code: str


@dataclass(frozen=True)
class Classes:
    """What a national entry says in codes, in our words."""

    sharing: Sharing
    sharing_condition: str
    opening: Opening
    opening_condition: str
    update_cycle: UpdateCycle
    format: Format
    method: Method | None


def export(
    dataset: Dataset, provider: Provider, published: date | None, related: tuple[str, ...] = ()
) -> dict[str, object]:
    """Return one dataset in the national form. 发布日期 stays empty until something is published."""
    kind = Format(dataset.format_code)
    return {
        "信息资源分类": {"类": "部门信息资源类", "项": provider.name, "目": dataset.domain, "细目": dataset.category},
        "信息资源名称": dataset.zh,
        "信息资源代码": dataset.code,
        "信息资源提供方": provider.name,
        "信息资源提供方代码": provider.code,
        "信息资源摘要": dataset.abstract,
        "信息资源格式": str(kind.value),
        "信息资源格式说明": FORMAT_ZH[kind],
        "信息项": [_item(item) for item in dataset.items],
        "共享类型": _code_of(SHARING, dataset.sharing),
        "共享条件": dataset.sharing_condition,
        "共享方式": "" if dataset.sharing is Sharing.WITHHELD else _method(kind).value,
        "是否向社会开放": _code_of(OPENED, dataset.open),
        "开放条件": dataset.opening_condition,
        "更新周期": _code_of(UPDATE_CYCLE, dataset.update_cycle),
        "发布日期": "" if published is None else published.isoformat(),
        "关联资源代码": list(related),
        "安全级别": SECURITY[max(item.grade for item in dataset.items)],
    }


def read_classes(entry: Mapping[str, object]) -> Classes | Refusal:
    """Read the coded elements of a national entry; a refusal names each that is missing or unknown."""
    reasons: list[Reason] = []
    sharing = _read(entry, "共享类型", SHARING, reasons)
    opened = _read(entry, "是否向社会开放", OPENED, reasons)
    cycle = _read(entry, "更新周期", UPDATE_CYCLE, reasons)
    kind = _read(entry, "信息资源格式", FORMAT, reasons)
    withheld = sharing is Sharing.WITHHELD and not entry.get("共享方式")
    method = None if withheld else _read(entry, "共享方式", METHOD, reasons)
    conditions = {name: _text(entry, name) for name in ("共享条件", "开放条件")}
    if sharing is Sharing.CONDITIONAL and not conditions["共享条件"]:
        reasons.append(Reason("national-element-missing", {"element": "共享条件"}))
    if reasons or sharing is None or opened is None or cycle is None or kind is None:
        return Refusal(tuple(reasons))
    return Classes(
        sharing=sharing,
        sharing_condition=conditions["共享条件"],
        opening=_opening(opened=opened, condition=conditions["开放条件"]),
        opening_condition=conditions["开放条件"],
        update_cycle=cycle,
        format=kind,
        method=method,
    )


def _opening(*, opened: bool, condition: str) -> Opening:
    """The form knows open and closed only; what is open under a condition says so in the condition."""
    if not opened:
        return Opening.CLOSED
    return Opening.CONDITIONAL if condition else Opening.UNCONDITIONAL


def _item(item: Item) -> dict[str, object]:
    # 数据长度 is what the contract declares; a type without one has its length from the type.
    length = "" if item.max_length is None else str(item.max_length)
    if item.type is LogicalType.NUMBER:
        length = f"18,{item.scale}"
    return {"信息项名称": item.zh, "数据类型": DATA_TYPE[item.type], "数据长度": length}


def _method(kind: Format) -> Method:
    match kind:
        case Format.DATABASE:
            return Method.DATABASE
        case Format.SERVICE | Format.STREAM:
            return Method.WEBSERVICE
        case _:
            return Method.DOWNLOAD


def _code_of(table: Mapping[str, Value], value: Value) -> str:
    return next(code for code, member in table.items() if member == value)


def _read(entry: Mapping[str, object], element: str, table: Mapping[str, Value], reasons: list[Reason]) -> Value | None:
    text = _text(entry, element)
    if not text:
        reasons.append(Reason("national-element-missing", {"element": element}))
        return None
    if text not in table:
        facts = {"element": element, "value": text[:64], "known": ", ".join(table)}
        reasons.append(Reason("national-code-unknown", facts))
        return None
    return table[text]


def _text(entry: Mapping[str, object], element: str) -> str:
    """Codes come as text or as integers; true and false are neither."""
    value = entry.get(element)
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
