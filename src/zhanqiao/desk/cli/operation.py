# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao backup`, `restore`, `doctor`, `upgrade`: running a deployment."""

from pathlib import Path
from typing import Annotated

import typer
from django.db import connections

from zhanqiao.desk.cli.given import bytes_of
from zhanqiao.desk.cli.keys import SharesOption, shares_given
from zhanqiao.desk.cli.output import (
    DONE_MARK,
    REFUSED_MARK,
    UNSURE_MARK,
    HomeOption,
    JsonOption,
    LangOption,
    language,
    refused,
    say,
    show_data,
    show_reason,
)
from zhanqiao.desk.cli.session import Call, command, unwrap
from zhanqiao.desk.operation.backup import back_up
from zhanqiao.desk.operation.doctor import CHECKS, Finding, examine
from zhanqiao.desk.operation.restore import foreseen, restore
from zhanqiao.desk.operation.upgrade import upgrade
from zhanqiao.desk.sealed_keys import KEYS, is_sealed, unopened
from zhanqiao.terms.refusals import DONE, REFUSED, Lang, refuse

_MOST_CHECKPOINT = 65_536

app = typer.Typer()


@command(app)
def backup(call: Call, file: Annotated[Path, typer.Argument(help="A file that is not there yet. 备份文件。")]) -> None:
    """Write the deployment, without its keys, into one file; work goes on meanwhile. 备份（不含密钥）。"""
    made = call.unwrap(back_up(call.house, file))
    if call.as_json:
        show_data({"status": "backed up", **vars(made), "file": str(made.file)})
        return
    call.say(
        f"已备份到 {made.file}：账本 {made.entries} 条",
        f"Backed up to {made.file}: {made.entries} entries of the log",
        mark=DONE_MARK,
    )
    for name in made.left_out:
        call.say(
            f"未备份 {name}：恢复后的部署不会有这样的名称；平台不写出此类文件，请查明由谁放置",
            f"Left out {name}: no restored deployment has such a name, nor does the platform write one; find out whose it is",
            mark=UNSURE_MARK,
        )
    if not made.noted:
        call.say(
            "部署目录写不进备份时间（磁盘已满？），doctor 将不知有此备份",
            "When it was made could not be noted in the deployment (is its disk full?): doctor will not know of it",
        )
    if not made.apart:
        call.say(
            "它与部署在同一磁盘：请复制到别处，磁盘损坏会同时失去两者",
            "It lies on the deployment's own disk: copy it elsewhere, or both are lost with that disk",
        )
    call.say("密钥不在其中，请将 keys 目录另行保管", "The keys are not in it: keep a copy of the keys folder apart")


@app.command("restore")
def restore_backup(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A backup. 备份文件。")],
    keys: Annotated[
        Path, typer.Option("--keys", exists=True, file_okay=False, help="Copy of the keys folder. 密钥目录副本。")
    ],
    home: HomeOption,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", dir_okay=False, help="The newest that anybody holds. 已公布的最新检查点。"),
    ] = None,
    given: SharesOption = None,
    no_checkpoint: Annotated[
        bool, typer.Option("--no-checkpoint", help="None left the house since. 此后未公布检查点。")
    ] = False,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a deployment of a backup and its keys, in an empty folder, and audit all of it. 恢复并核对。"""
    spoken = language(lang)
    if (checkpoint is None) is not no_checkpoint:
        refused(refuse("checkpoint-not-said"), spoken, as_json=as_json)
    newest = None if checkpoint is None else unwrap(bytes_of(checkpoint, _MOST_CHECKPOINT), spoken, as_json=as_json)
    if (refusal := foreseen(file, home, keys)) is not None:
        refused(refusal, spoken, as_json=as_json)
    try:
        written = unwrap(shares_given(keys, given, spoken), spoken, as_json=as_json) if is_sealed(keys) else []
        restored = unwrap(restore(file, home, keys, newest, shares=written), spoken, as_json=as_json)
    finally:
        connections.close_all()
    manifest = restored.manifest
    if as_json:
        show_data({"status": "restored", "home": str(home), "made": manifest.made, "entries": restored.entries})
        return
    say(
        spoken,
        f"已恢复到 {home}：备份时间 {manifest.made}，账本 {restored.entries} 条逐条核对",
        f"Restored to {home}: backed up {manifest.made}, {restored.entries} entries audited",
        mark=DONE_MARK,
    )


@app.command("upgrade")
def upgrade_state(
    home: HomeOption, given: SharesOption = None, lang: LangOption = "", as_json: JsonOption = False
) -> None:
    """Bring a deployment of an older version to this one; back it up first. 升级。"""
    spoken = language(lang)
    try:
        written = [] if unopened(home) else unwrap(shares_given(home / KEYS, given, spoken), spoken, as_json=as_json)
        done = unwrap(upgrade(home, written), spoken, as_json=as_json)
    finally:
        connections.close_all()
    if as_json:
        show_data({"status": "upgraded" if done else "current", "migrations": list(done)})
        return
    for name in done:
        say(spoken, f"已执行 {name}", f"Done: {name}", mark=DONE_MARK)
    if not done:
        say(spoken, "无需升级", "Nothing to upgrade")


_CHECKED = {
    "opens": ("部署、密钥与设置", "settings, keys, state open"),
    "rights": ("目录与密钥的权限", "the folder and its keys are their owner's alone"),
    "room": ("磁盘空间", "room on the disk"),
    "disk": ("磁盘类型", "a disk that lasts"),
    "memory": ("内存不落盘", "memory stays off the disk"),
    "keys": ("密钥与数据分离", "keys apart from data"),
    "processes": ("进程分离", "a user for each process"),
    "certificate": ("网关证书", "the gateway's certificate, where it has one"),
    "state": ("平台状态", "platform state"),
    "ledger": ("账本", "ledger"),
    "clock": ("时钟", "clock"),
    "vault": (
        "库房：引擎可用，已发布文件齐全（未逐一打开）",
        "vault: engine, and each published file is there (not opened)",
    ),
    "witnesses": ("见证方", "witnesses, where there are any"),
    "administrators": ("管理员互备", "administrators: none is the only one"),
    "custodians": ("密钥保管人在岗", "custodians of the keys are in service"),
    "backup": ("备份", "backup"),
    "parts": ("全部封存文件均可打开，且未被改动", "every sealed file opens, unaltered"),
}
assert tuple(_CHECKED) == CHECKS, "every check has words"


@app.command()
def doctor(
    home: HomeOption,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Open every sealed file too; 3 s of CPU for each GB. 逐一打开全部封存文件。"),
    ] = False,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Examine a deployment: what is wrong, and which walls are missing; changes nothing. 体检。"""
    spoken = language(lang)
    try:
        findings = unwrap(examine(home, deep=deep), spoken, as_json=as_json)
    finally:
        connections.close_all()
    wrong = any(finding.wrong for finding in findings)
    if as_json:
        show_data({"status": "wrong" if wrong else "sound", "checks": [_as_data(one, spoken) for one in findings]})
    else:
        for finding in findings:
            _show(finding, spoken)
    raise typer.Exit(REFUSED if wrong else DONE)


def _show(finding: Finding, lang: Lang) -> None:
    zh, en = _CHECKED[finding.check]
    if finding.reason is None:
        say(lang, zh, en, mark=DONE_MARK)
        return
    show_reason(finding.reason, lang, UNSURE_MARK if finding.wall else REFUSED_MARK)


def _as_data(finding: Finding, lang: Lang) -> dict[str, object]:
    if finding.reason is None:
        return {"check": finding.check, "outcome": "sound"}
    return {"check": finding.check, "outcome": "wall" if finding.wall else "wrong", **finding.reason.as_data(lang)}
