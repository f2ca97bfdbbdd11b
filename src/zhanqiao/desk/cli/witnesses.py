# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao ledger witness` and `zhanqiao ledger cosign`: who witnesses this deployment's log, and asking them."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from zhanqiao.desk.cli.output import show_data, show_table
from zhanqiao.desk.cli.session import Call, command
from zhanqiao.desk.seats import add_witness, remove_witness, unheard
from zhanqiao.ledger.witnesses import Heard, Seat, Trouble
from zhanqiao.terms.refusals import FAULT, Lang

app = typer.Typer(no_args_is_help=True, help="Who witnesses this log. 本账本的见证方。")

NameArgument = Annotated[str, typer.Argument(help="Its name in our settings and trust file. 见证方名称。")]

_TROUBLES: dict[Trouble, tuple[str, str]] = {
    Trouble.UNREACHABLE: ("unreachable", "无法连接"),
    Trouble.UNKNOWN: ("does not watch this log", "未见证本账本"),
    Trouble.REFUSED: ("refused", "拒绝联署"),
    Trouble.WRONG: ("its answer is no cosignature", "答复不是联署"),
    Trouble.FUTURE: ("dates it in the future", "联署时间在未来"),
}


@command(app, acts=True)
def add(
    call: Call,
    name: NameArgument,
    url: Annotated[str, typer.Argument(help="Where it listens: http(s)://HOST:PORT. 见证方地址。")],
    vkey: Annotated[str, typer.Argument(help="Its key, as `zhanqiao witness show` prints it. 见证方公钥。")],
) -> None:
    """Let a witness cosign this log from now on. 增加见证方。"""
    try:
        seat = Seat.read(name, url, vkey)
    except ValueError as cause:
        call.refuse("witness-malformed", cause=str(cause))
    call.done(unheard(call.house, seat, call.by) or add_witness(call.house, seat, call.by))
    facts: dict[str, object] = {"name": name, "url": seat.url, "vkey": seat.verifier.vkey}
    _say_done(call, facts, f"见证方 {name} 已加入", f"{name} witnesses this log")


@command(app, acts=True)
def remove(call: Call, name: NameArgument) -> None:
    """Ask a witness no more. Certificates that it cosigned stay valid. 移除见证方。"""
    call.done(remove_witness(call.house, name, call.by))
    _say_done(call, {"name": name}, f"见证方 {name} 已移除", f"{name} is asked no more")


@command(app)
def show(call: Call) -> None:
    """List the witnesses, and what they cosigned of the newest cosigned checkpoint. 查看见证方。"""
    kept = call.house.book.cosigned()
    times = {} if kept is None else kept.times()
    size = 0 if kept is None else kept.checkpoint.size
    rows = [
        {
            "name": seat.name,
            "url": seat.url,
            "vkey": seat.verifier.vkey,
            "entries": size if seat.verifier in times else None,
            "time": _moment(times.get(seat.verifier)),
        }
        for seat in call.house.book.witnesses.seats
    ]
    if call.as_json:
        show_data(rows)
        return
    show_table(
        ["见证方", "地址", "联署条数", "时间"] if call.lang == "zh" else ["witness", "address", "cosigned", "time"],
        [[str(row[key] or "-") for key in ("name", "url", "entries", "time")] for row in rows],
    )


def cosign(call: Call) -> None:
    """Ask every witness to cosign the newest checkpoint; exit 1 unless all do. 请全部见证方联署。"""
    heard = call.house.book.cosign()
    if call.as_json:
        show_data([_as_data(one) for one in heard])
    else:
        show_table(
            ["见证方", "条数", "结果"] if call.lang == "zh" else ["witness", "entries", "outcome"],
            [[one.seat.name, str(one.checkpoint.size), _outcome(one, call.lang)] for one in heard],
        )
    if any(one.trouble for one in heard):
        raise typer.Exit(FAULT)


def _outcome(one: Heard, lang: Lang) -> str:
    if one.trouble is None:
        return "已联署" if lang == "zh" else "cosigned"
    english, chinese = _TROUBLES[one.trouble]
    return f"{chinese if lang == 'zh' else english} ({one.cause})"


def _as_data(one: Heard) -> dict[str, object]:
    return {
        "witness": one.seat.name,
        "entries": one.checkpoint.size,
        "time": _moment(one.cosignature.time if one.cosignature else None),
        "trouble": one.trouble,
        "cause": one.cause,
    }


def _moment(time: int | None) -> str | None:
    return None if time is None else datetime.fromtimestamp(time, UTC).isoformat()


def _say_done(call: Call, facts: dict[str, object], zh: str, en: str) -> None:
    if call.as_json:
        show_data({"status": "done", **facts})
    else:
        call.say(zh, en)
