# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao keys`: sealed start. The keys lie sealed on the disk; custodians' shares open them into memory."""

import getpass
import os
from pathlib import Path
from typing import Annotated

import typer
from django.db import connections

from zhanqiao.desk import sealed_keys, shares
from zhanqiao.desk.cli.output import DONE_MARK, HomeOption, JsonOption, LangOption, language, refused, say, show_data
from zhanqiao.desk.cli.session import Call, command, has_terminal, unwrap
from zhanqiao.desk.operation import sealing
from zhanqiao.terms.refusals import Lang, Refusal, refuse
from zhanqiao.vault.faults import KeyFault

app = typer.Typer(no_args_is_help=True, help="Seal the keys; open them with custodians' shares. 密钥封存与启封。")

# A line each; as many as there can be.
_MOST_BYTES = 128 * shares.MOST_CUSTODIANS

SharesOption = Annotated[
    int | None,
    typer.Option(
        "--shares-fd", help="Descriptor to read shares from, one a line; else they are asked for. 份额所在描述符。"
    ),
]


@command(app, acts=True)
def split(
    call: Call,
    custodians: Annotated[list[str], typer.Argument(help="Who shall hold a share, by id. 份额保管人。")],
    threshold: Annotated[int, typer.Option("--threshold", help="How many of them open it. 启封所需份额数。")],
    folder: Annotated[
        Path,
        typer.Option("--to", file_okay=False, help="Folder for the shares, outside of the deployment. 份额输出目录。"),
    ],
) -> None:
    """Seal the keys on the disk, and write a share for each custodian. 封存密钥并生成份额。"""
    files = call.unwrap(sealing.split_keys(call.house, threshold, custodians, folder, call.by))
    if call.as_json:
        shown = {custodian: str(file) for custodian, file in files.items()}
        show_data({"status": "split", "threshold": threshold, "shares": shown})
        return
    call.say(
        f"密钥已封存：{len(files)} 份中任意 {threshold} 份可启封；目前仍在内存中开启",
        f"The keys are sealed: any {threshold} of {len(files)} shares open them; in memory they are open still",
        mark=DONE_MARK,
    )
    for custodian, file in files.items():
        call.say(f"请将 {file} 交给 {custodian}，并删除此处副本", f"Hand {file} to {custodian}, and keep no copy here")
    call.say(
        "请现在另存一份 keys 目录，并销毁此前的副本：旧副本仍可用旧份额启封",
        "Copy the keys folder apart now, and destroy older copies: those open with the shares of before, or with none",
    )


@app.command("unseal")
def unseal_keys(
    home: HomeOption, given: SharesOption = None, lang: LangOption = "", as_json: JsonOption = False
) -> None:
    """Open the keys into memory with the shares of custodians; after each start of the machine. 启封。"""
    spoken = language(lang)
    # Nobody types three shares to be told that they were not needed.
    if given is None and (refusal := sealed_keys.unopened(home)) is not None:
        refused(refusal, spoken, as_json=as_json)
    written = unwrap(shares_given(home / sealed_keys.KEYS, given, spoken), spoken, as_json=as_json)
    try:
        custodians = unwrap(sealing.unseal(home, written), spoken, as_json=as_json)
    finally:
        connections.close_all()
    if as_json:
        show_data({"status": "open", "custodians": list(custodians)})
        return
    named = ", ".join(custodians)
    say(spoken, f"密钥已启封（{named}）", f"The keys are open, with the shares of {named}", mark=DONE_MARK)


@app.command()
def seal(home: HomeOption, lang: LangOption = "", as_json: JsonOption = False) -> None:
    """Take the keys out of memory; what runs keeps them until it is stopped. 重新封存。"""
    spoken = language(lang)
    try:
        refusal = sealing.seal(home)
    finally:
        connections.close_all()
    if refusal is not None:
        refused(refusal, spoken, as_json=as_json)
    if as_json:
        show_data({"status": "sealed"})
        return
    stop = ("密钥已封存；运行中的服务须另行停止", "The keys are sealed; stop what is being served as well")
    say(spoken, *stop, mark=DONE_MARK)


@app.command()
def show(home: HomeOption, lang: LangOption = "", as_json: JsonOption = False) -> None:
    """Say whether the keys are sealed, and who holds shares; opens nothing. 查看封存状态。"""
    spoken = language(lang)
    keys = home / sealed_keys.KEYS
    if not keys.is_dir():
        refused(refuse("no-deployment", home=str(home)), spoken, as_json=as_json)
    if not sealed_keys.is_sealed(keys):
        if as_json:
            show_data({"status": "plain"})
            return
        say(spoken, "密钥未封存：明文存于磁盘", "The keys are not sealed: they lie open on the disk")
        return
    state = "sealed" if isinstance(sealed_keys.keys_of(home), Refusal) else "open"
    try:
        made = sealed_keys.Seal.read(keys)
    except (OSError, KeyFault) as cause:
        refused(refuse("keys-unreadable", cause=str(cause)), spoken, as_json=as_json)
    if as_json:
        show_data({"status": state, "threshold": made.threshold, "custodians": list(made.custodians)})
        return
    named = ", ".join(made.custodians)
    zh, en = (
        ("密钥已封存", "The keys are sealed") if state == "sealed" else ("密钥已启封", "The keys are open in memory")
    )
    say(spoken, f"{zh}：{named} 中任意 {made.threshold} 人可启封", f"{en}; any {made.threshold} of {named} open them")


def shares_given(keys: Path, fd: int | None, lang: Lang) -> list[str] | Refusal:
    """Return the shares that are needed for a keys folder: lines of an open descriptor, or typed at the terminal."""
    if fd is not None:
        try:
            with os.fdopen(os.dup(fd), "rb") as lines:
                said = lines.read(_MOST_BYTES)
        except OSError:
            return refuse("shares-not-asked")
        return [line.decode(errors="replace") for line in said.splitlines() if line.strip()]
    if not has_terminal():
        return refuse("shares-not-asked")
    try:
        needed = sealed_keys.Seal.read(keys).threshold
    except (OSError, KeyFault) as cause:
        return refuse("keys-unreadable", cause=str(cause))
    words = ("第 {} 份（共需 {} 份）：", "Share {} of {}: ")[lang == "en"]
    return [_typed(words.format(place, needed), place, lang) for place in range(1, needed + 1)]


def _typed(prompt: str, place: int, lang: Lang) -> str:
    """Ask for a share until it is written as one is: a slip is told at once, and to whom it belongs."""
    while not shares.is_one(typed := getpass.getpass(prompt)):
        (reason,) = refuse("share-malformed", place=str(place)).reasons
        typer.echo(reason.message(lang), err=True)
    return typed
