# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao agreement`: draft, seal, file, suspend, resume, terminate, show."""

from pathlib import Path
from typing import Annotated

import typer

from zhanqiao.agreements import lifecycle
from zhanqiao.agreements.lifecycle import Agreement
from zhanqiao.agreements.states import NAMES
from zhanqiao.desk.cli.output import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    LangOption,
    WhoOption,
    console,
    language,
    say,
    show_data,
    show_table,
)
from zhanqiao.desk.cli.session import key_of, opened, speaker, unwrap
from zhanqiao.desk.scenarios import all_services
from zhanqiao.terms.refusals import Lang

NumberArgument = Annotated[str, typer.Argument(help="The agreement's number. 合约编号。")]

app = typer.Typer(no_args_is_help=True, help="Digital contracts: two seals, then answers. 数字合约。")

_VERBS = {
    "file": (lifecycle.file, "Note that the agreement was filed with the authority. 备案。"),
    "suspend": (lifecycle.suspend, "Suspend: a party all of it, a department its own items; acts at once. 暂停。"),
    "resume": (lifecycle.resume, "Lift one's own suspension; it goes on when no other stands. 恢复。"),
    "terminate": (lifecycle.terminate, "End the agreement for good; acts at once. 终止。"),
}


@app.command()
def draft(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The draft, YAML. 合约草案。")],
    who: WhoOption = "",
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a contract from a draft, or name every problem with its line. 起草。"""
    spoken = language(lang)
    with opened(home, spoken, as_json=as_json) as house:
        by = speaker(house, who, spoken, as_json=as_json)
        text = file.read_text(encoding="utf-8", errors="replace")
        agreement = unwrap(lifecycle.draft(house.book, text, by, services=all_services()), spoken, as_json=as_json)
    _show(agreement, spoken, as_json=as_json)


@app.command()
def seal(
    agreement: NumberArgument,
    who: WhoOption = "",
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Sign the exact digest of a contract for one's organisation. 签章。"""
    spoken = language(lang)
    with opened(home, spoken, as_json=as_json) as house:
        by = speaker(house, who, spoken, as_json=as_json)
        key = key_of(house, by, spoken, as_json=as_json)
        sealed = unwrap(lifecycle.seal(house.book, agreement, by, key), spoken, as_json=as_json)
    _show(sealed, spoken, as_json=as_json)


@app.command()
def show(
    agreement: Annotated[str, typer.Argument(help="Its number; all agreements when left out. 合约编号。")] = "",
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show where an agreement stands. 查看状态。"""
    spoken = language(lang)
    with opened(home, spoken, as_json=as_json) as house:
        if agreement:
            shown = unwrap(lifecycle.show(agreement, house.clock()), spoken, as_json=as_json)
            _show(shown, spoken, as_json=as_json)
            return
        listed = lifecycle.listing(house.clock())
    if as_json:
        show_data([one.as_data() for one in listed])
        return
    show_table(
        ["乙方", "门", "目的", "状态", "剩余", "合约编号", "名称"]
        if spoken == "zh"
        else ["resident", "doors", "purpose", "state", "left", "agreement", "name"],
        sorted(_row(one, spoken) for one in listed),
    )


def _row(agreement: Agreement, lang: Lang) -> list[str]:
    contract, (zh, en) = agreement.contract, NAMES[agreement.state]
    left = "-" if agreement.remaining is None else str(agreement.remaining)
    doors = " ".join(contract.doors)
    return [contract.resident, doors, contract.purpose, zh if lang == "zh" else en, left, agreement.id, contract.name]


def _verb(name: str) -> None:
    """Add the command of a verb that needs only a number and a name."""
    verb, about = _VERBS[name]

    def act(
        agreement: NumberArgument,
        who: WhoOption = "",
        home: HomeOption = DEFAULT_HOME,
        lang: LangOption = "",
        as_json: JsonOption = False,
    ) -> None:
        spoken = language(lang)
        with opened(home, spoken, as_json=as_json) as house:
            by = speaker(house, who, spoken, as_json=as_json)
            done = unwrap(verb(house.book, agreement, by), spoken, as_json=as_json)
        _show(done, spoken, as_json=as_json)

    app.command(name, help=about)(act)


for _name in _VERBS:
    _verb(_name)


def _show(agreement: Agreement, lang: Lang, *, as_json: bool) -> None:
    if as_json:
        show_data(agreement.as_data())
        return
    zh, en = NAMES[agreement.state]
    contract = agreement.contract
    console.print(f"[bold]{agreement.id}[/bold]  {contract.name}")
    say(lang, f"  状态：{zh}（{agreement.state.value}）", f"  state: {en} ({agreement.state.value})")
    say(lang, f"  甲方 {contract.issuer}，乙方 {contract.resident}", f"  {contract.issuer} grants {contract.resident}")
    sealed = ", ".join(f"{one.organisation}/{one.person}" for one in agreement.seals) or "-"
    missing = ", ".join(agreement.missing_seals) or "-"
    say(lang, f"  已签章：{sealed}；待签章：{missing}", f"  sealed by: {sealed}; seal missing: {missing}")
    for part in contract.granted:
        items = ", ".join(part.items)
        say(lang, f"  统计可用：{part.dataset}（{items}）", f"  statements may use: {part.dataset} ({items})")
    for name in contract.services:
        say(lang, f"  服务：{name}", f"  service: {name}")
    for part in contract.reads:
        items = ", ".join(part.items) or "-"
        say(lang, f"  服务读取：{part.dataset}（{items}）", f"  services read: {part.dataset} ({items})")
    if agreement.remaining is not None:
        say(lang, f"  剩余次数：{agreement.remaining}", f"  answers left: {agreement.remaining}")
