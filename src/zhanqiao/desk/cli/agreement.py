# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao agreement`: draft, seal, file, suspend, resume, terminate, show."""

from pathlib import Path
from typing import Annotated

import typer

from zhanqiao.agreements import drafting, lifecycle
from zhanqiao.agreements.contract import Granted
from zhanqiao.agreements.lifecycle import Agreement, Altered
from zhanqiao.agreements.states import NAMES
from zhanqiao.catalogue import shelf
from zhanqiao.desk.cli.given import text_of
from zhanqiao.desk.cli.names import joined
from zhanqiao.desk.cli.output import UNSURE_MARK, bold, show_data, show_line, show_table
from zhanqiao.desk.cli.session import Call, command
from zhanqiao.desk.scenarios import all_services
from zhanqiao.terms.refusals import Lang

NumberArgument = Annotated[str, typer.Argument(help="The agreement's number. 合约编号。")]

app = typer.Typer(no_args_is_help=True, help="Digital contracts: two seals, then answers. 数字合约。")

_VERBS = {
    "file": (lifecycle.file, "Note that the agreement was filed with the authority. 备案。"),
    "suspend": (
        lifecycle.suspend,
        "Suspend: issuer or authority all of it, a source department its own items; acts at once. 暂停。",
    ),
    "resume": (lifecycle.resume, "Lift one's own suspension; it goes on when no other stands. 恢复。"),
    "terminate": (lifecycle.terminate, "End the agreement for good; acts at once. 终止。"),
}


@command(app, acts=True)
def draft(
    call: Call, file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The draft, YAML. 合约草案。")]
) -> None:
    """Make a contract from a draft, or name every problem with its line. 起草。"""
    text = call.unwrap(text_of(file, drafting.MAX_BYTES))
    agreement = call.unwrap(lifecycle.draft(call.house.book, text, call.by, services=all_services()))
    _show(call, agreement)


@command(app, acts=True)
def seal(call: Call, agreement: NumberArgument) -> None:
    """Sign the exact digest of a contract for one's organisation. 签章。"""
    sealed = call.unwrap(lifecycle.seal(call.house.book, agreement, call.by, call.signing_key()))
    _show(call, sealed)


@command(app)
def show(
    call: Call,
    agreement: Annotated[str, typer.Argument(help="Its number; all agreements when left out. 合约编号。")] = "",
) -> None:
    """Show where an agreement stands. 查看状态。"""
    if agreement:
        shown = call.unwrap(lifecycle.show(agreement, call.house.clock()))
        _show(call, shown)
        return
    listed = lifecycle.listing(call.house.clock())
    if call.as_json:
        show_data([_listed(one, call.lang) for one in listed])
        return
    show_table(
        ["乙方", "门", "用途", "状态", "剩余", "合约编号", "名称"]
        if call.lang == "zh"
        else ["resident", "doors", "purpose", "state", "left", "agreement", "name"],
        sorted(_row(one, call.lang) for one in listed),
    )


def _listed(agreement: Agreement | Altered, lang: Lang) -> dict[str, object]:
    if isinstance(agreement, Altered):
        return {"agreement": agreement.id, **agreement.refusal.as_data(lang)}
    return agreement.as_data()


def _row(agreement: Agreement | Altered, lang: Lang) -> list[str]:
    if isinstance(agreement, Altered):
        return ["-", "-", "-", agreement.refusal.reasons[0].code, "-", agreement.id, "-"]
    contract, (zh, en) = agreement.contract, NAMES[agreement.state]
    left = "-" if agreement.remaining is None else str(agreement.remaining)
    doors = ("、" if lang == "zh" else " ").join(contract.doors)
    # One word, whatever it is: people cut columns.
    state = agreement.recipient_out[0].code if agreement.recipient_out else zh if lang == "zh" else en
    return [contract.resident, doors, contract.purpose, state, left, agreement.id, contract.name]


def _verb(name: str) -> None:
    """Add the command of a verb that needs only a number and a name."""
    verb, about = _VERBS[name]

    def act(call: Call, agreement: NumberArgument) -> None:
        _show(call, call.unwrap(verb(call.house.book, agreement, call.by)))

    command(app, name, acts=True, about=about)(act)


for _name in _VERBS:
    _verb(_name)


def _in_no_cube(part: Granted) -> list[str]:
    """Return the granted items of a dataset from which no statement is answered, as it is described today."""
    dataset = shelf.find(part.dataset)
    return [] if dataset is None else [item.name for item in dataset.in_no_cube if item.name in part.items]


def _show(call: Call, agreement: Agreement) -> None:
    if call.as_json:
        show_data(agreement.as_data())
        return
    zh, en = NAMES[agreement.state]
    contract = agreement.contract
    show_line(bold(agreement.id), "  ", contract.name)
    call.say(f"  状态：{zh}（{agreement.state.value}）", f"  state: {en} ({agreement.state.value})")
    for reason in agreement.recipient_out:
        show_line(UNSURE_MARK, f" {reason.message(call.lang)}")
    for holder in agreement.held_by:
        call.say(f"  {holder} 暂停了整个合约", f"  suspended by {holder}")
    for holder in agreement.held_items_by:
        call.say(f"  {holder} 暂停了本部门数据的使用", f"  {holder} holds its own data back")
    if agreement.filed:
        call.say("  已备案", "  filed with the authority")
    call.say(f"  甲方 {contract.issuer}，乙方 {contract.resident}", f"  {contract.issuer} grants {contract.resident}")
    sealed = joined(call.lang, (f"{one.organisation}/{one.person}" for one in agreement.seals)) or "-"
    missing = joined(call.lang, agreement.missing_seals) or "-"
    call.say(f"  已签章：{sealed}；待签章：{missing}", f"  sealed by: {sealed}; seal missing: {missing}")
    for part in contract.granted:
        items = joined(call.lang, part.items)
        if part.department in agreement.held_items_by:
            call.say(f"  暂停使用：{part.dataset}（{items}）", f"  held back: {part.dataset} ({items})")
            continue
        call.say(f"  统计可用：{part.dataset}（{items}）", f"  statements may use: {part.dataset} ({items})")
        if unanswered := _in_no_cube(part):
            names = joined(call.lang, unanswered)
            call.say(
                f"  ? 不在任何立方体中，语句问及即被拒绝：{names}",
                f"  ? in no cube, so that no statement about them is answered: {names}",
            )
    for name in contract.services:
        call.say(f"  服务：{name}", f"  service: {name}")
    for part in contract.reads:
        items = joined(call.lang, part.items) or "-"
        if part.department in agreement.held_items_by:
            call.say(
                f"  暂停服务读取：{part.dataset}（{items}）", f"  held back from services: {part.dataset} ({items})"
            )
            continue
        call.say(f"  服务读取：{part.dataset}（{items}）", f"  services read: {part.dataset} ({items})")
    if agreement.remaining is not None:
        call.say(f"  剩余次数：{agreement.remaining}", f"  answers left: {agreement.remaining}")
