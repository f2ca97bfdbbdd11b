# SPDX-License-Identifier: Apache-2.0
"""The keys of a draft, in one table: the reader knows no other, and the reference page is printed from it.

A path names where a key stands; `*` is a name that the draft chooses, `[]` an entry of a list.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class DraftKey:
    """One key: where it stands, whether it must, and what it says, in English and Chinese."""

    path: str
    needed: bool
    en: str
    zh: str


KEYS = (
    DraftKey("name", True, "Name of the contract.", "合约名称。"),
    DraftKey("abstract", False, "What it is about, in some sentences.", "合约摘要。"),
    DraftKey(
        "resident",
        True,
        "Id of the organisation that will ask: an admitted resident, or a department.",
        "提问方的机构编号：已准入的入驻单位或部门。",
    ),
    DraftKey(
        "issuer",
        True,
        "Id of the organisation that grants: the authority, or a department for its own datasets.",
        "授权方的机构编号：数据主管部门，或就本部门数据集授权的部门。",
    ),
    DraftKey(
        "purpose",
        True,
        "What for, in a word or a few, without anybody's number; certificates name it, in public and for ever.",
        "用途，一个或几个词，不得含个人或企业的号码；凭证会写明，永久公开。",
    ),
    DraftKey(
        "doors",
        True,
        "List of the doors through which answers leave; `decisions` takes `services`, and `services` takes it.",
        "出库通道列表；decisions 与 services 须同时写明。",
    ),
    DraftKey(
        "datasets",
        False,
        "Datasets that statements may use. May be left out where services are named: their declarations say what they read.",
        "统计可用的数据集。列出服务时可省略：服务的声明已写明读取内容。",
    ),
    DraftKey(
        "datasets.*",
        False,
        "Name of a dataset, with a list of its items, or with the two keys below.",
        "数据集名，其值为信息项列表，或下列两项。",
    ),
    DraftKey("datasets.*.items", True, "List of the items that statements may use.", "统计可用的信息项列表。"),
    DraftKey(
        "datasets.*.capabilities",
        False,
        "Item -> list of capabilities: fewer than the catalogue gives, never more.",
        "信息项 -> 字段能力列表：只可少于目录所赋，不可更多。",
    ),
    DraftKey("services", False, "List of the decision services that may be asked.", "可使用的决策服务列表。"),
    DraftKey("term", True, "How long; five years at most.", "期限，最长五年。"),
    DraftKey(
        "term.from",
        True,
        "First day, or a time with its offset. Days are those of Beijing.",
        "起始日，或带时区的时刻。日期按北京时间。",
    ),
    DraftKey(
        "term.until",
        True,
        "Last day, which is included, or a time with its offset.",
        "截止日(含当日)，或带时区的时刻。",
    ),
    DraftKey("limits", False, "Without it answers are not counted.", "不写则不限次数。"),
    DraftKey("limits.count", False, "How many answers, a whole number from 1.", "答复次数，从 1 起的整数。"),
    DraftKey(
        "policy",
        False,
        "Usage control in ODRL terms. Without it the contract permits what its doors do, and no more.",
        "ODRL 形式的使用控制。不写则只许可各通道本身的行为。",
    ),
    DraftKey("policy.permission", False, "List of rules: what may be done.", "规则列表：许可的行为。"),
    DraftKey("policy.prohibition", False, "List of rules: what may not.", "规则列表：禁止的行为。"),
    DraftKey("policy.obligation", False, "List of rules: what must be done.", "规则列表：须履行的义务。"),
    DraftKey("policy.*[].action", True, "One action of the table below.", "下表中的一种行为。"),
    DraftKey(
        "policy.*[].constraint",
        False,
        "List of constraints; a permission alone takes them.",
        "约束列表；仅许可可带约束。",
    ),
    DraftKey("policy.*[].constraint[].leftOperand", True, "What is constrained.", "约束的对象。"),
    DraftKey("policy.*[].constraint[].operator", True, "How.", "约束的方式。"),
    DraftKey(
        "policy.*[].constraint[].rightOperand",
        True,
        "The value; a list with `isAnyOf`.",
        "取值；用 isAnyOf 时为列表。",
    ),
)


def below(path: str = "") -> tuple[str, ...]:
    """Return the keys that may stand directly below a path, at the top without one.

    >>> below("term")
    ('from', 'until')
    """
    start = f"{path}." if path else ""
    names = (key.path.removeprefix(start) for key in KEYS if key.path.startswith(start))
    return tuple(name for name in names if "." not in name and name != "*")
