# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao audit rights`: who may have what, and what else is open."""

import typer

from zhanqiao.desk.cli.output import DONE_MARK, REFUSED_MARK, show_data, show_line, show_reason, show_table
from zhanqiao.desk.cli.session import Call, command
from zhanqiao.desk.operation.rights import CHECKS, RightsReport, audit_rights
from zhanqiao.terms.refusals import DONE, REFUSED

app = typer.Typer(no_args_is_help=True, help="Watch the platform, for audit administrators. 审计管理。")

_CHECKED = {
    "files": ("文件权限", "files are their owner's alone, under one name"),
    "strays": ("无平台未写出的文件", "strays: no file that the platform did not write"),
    "contents": ("数据均已加密，且无密钥或份额的副本", "contents: rows are sealed, and no key or share lies elsewhere"),
    "above": ("上级目录", "nobody else can put another folder in this one's place"),
    "socket": ("套接字", "the vault worker's socket is the gateway's alone"),
    "database": ("平台状态：无额外触发器或视图", "state: no trigger and no view but ours"),
    "engine": (
        "计算引擎：逐项尝试均被拒绝，数据文件均已加密",
        "engine: refuses what it must; no data opens without a key",
    ),
    "keys": ("密钥文件", "keys: the platform's own, and of people in service"),
    "roles": ("角色互斥", "roles that exclude one another are apart"),
}
assert tuple(_CHECKED) == CHECKS, "every check has words"


@app.callback()
def watch() -> None:
    """Keep the group a group, however few its verbs are; its help is the app's own."""


@command(app, acts=True)
def rights(call: Call) -> None:
    """List who may have what, and look for whatever else is open; a difference is an alarm. 权限监控。"""
    report = call.unwrap(audit_rights(call.house, call.by))
    if call.as_json:
        show_data(_as_data(report, call))
    else:
        _show(report, call)
    raise typer.Exit(REFUSED if report.differences else DONE)


def _show(report: RightsReport, call: Call) -> None:
    show_table(
        ["人员", "合约", "门", "数据集与服务"]
        if call.lang == "zh"
        else ["person", "agreement", "door", "datasets, services"],
        [
            [one.person, one.agreement, one.door.value, ", ".join([*one.services, *one.datasets])]
            for one in report.granted
        ],
    )
    show_line()
    for check, (zh, en) in _CHECKED.items():
        found = [one.reason for one in report.differences if one.check == check]
        for reason in found:
            show_reason(reason, call.lang, REFUSED_MARK)
        if not found:
            call.say(zh, en, mark=DONE_MARK)
    if report.differences:
        call.say(
            f"共 {len(report.differences)} 处与约定不符，已作为警报记入账本",
            f"Differences: {len(report.differences)}; the ledger has them as an alarm",
        )


def _as_data(report: RightsReport, call: Call) -> dict[str, object]:
    return {
        "status": "differing" if report.differences else "as agreed",
        "rights": [{**vars(one), "door": one.door.value} for one in report.granted],
        "differences": [{"check": one.check, **one.reason.as_data(call.lang)} for one in report.differences],
    }
