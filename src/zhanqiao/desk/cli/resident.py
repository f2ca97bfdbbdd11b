# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao resident`: how an organisation becomes a resident, by published criteria and two people, and how it leaves."""

from typing import Annotated

import typer

from zhanqiao.desk.cli.names import state_of
from zhanqiao.desk.cli.output import DONE_MARK, JsonOption, LangOption, language, say, show_data, show_table
from zhanqiao.desk.cli.session import Call, command
from zhanqiao.identity import residents
from zhanqiao.identity.admission import CRITERIA
from zhanqiao.identity.people import Organisation

app = typer.Typer(no_args_is_help=True, help="Admission of residents by published criteria. 入驻准入。")

OrganisationArgument = Annotated[str, typer.Argument(help="Its id, see `people show`. 机构编号。")]


@app.command()
def criteria(lang: LangOption = "", as_json: JsonOption = False) -> None:
    """Print the published admission criteria. 公开的准入标准。"""
    if as_json:
        show_data([{"code": c.code, "zh": c.zh, "en": c.en} for c in CRITERIA])
        return
    for criterion in CRITERIA:
        say(language(lang), f"{criterion.code}  {criterion.zh}", f"{criterion.code}  {criterion.en}")


@command(app)
def show(call: Call, organisation: OrganisationArgument) -> None:
    """Show where an application stands and what evidences each criterion. 查看申请与证明。"""
    found = call.unwrap(residents.show(organisation))
    one, evidence = found.organisation, found.evidence
    if call.as_json:
        show_data({"organisation": one.id, "admission": one.admission, "evidence": evidence})
        return
    call.say(*_stands(one))
    show_table(
        ["标准", "证明"] if call.lang == "zh" else ["criterion", "evidence"],
        [
            [code, evidence.get(code, "-")]
            for code in sorted({criterion.code for criterion in CRITERIA} | set(evidence))
        ],
    )


@command(app, acts=True)
def assess(
    call: Call,
    organisation: OrganisationArgument,
    evidence: Annotated[
        list[str], typer.Option("--evidence", help="CODE=REFERENCE, one for each criterion. 每条标准的证明。")
    ],
) -> None:
    """First stage: each published criterion is evidenced. 初审。"""
    pairs = dict(entry.partition("=")[::2] for entry in evidence)
    _show(call, call.unwrap(residents.assess(call.house.book, organisation, pairs, call.by)))


@command(app, acts=True)
def admit(call: Call, organisation: OrganisationArgument) -> None:
    """Second stage, by another person. 复审，须为另一人。"""
    _show(call, call.unwrap(residents.admit(call.house.book, organisation, call.by)))


@command(app, "return", acts=True)
def hand_back(call: Call, organisation: OrganisationArgument) -> None:
    """Send an assessed applicant back to the first stage. 退回初审。"""
    _show(call, call.unwrap(residents.hand_back(call.house.book, organisation, call.by)))


@command(app, acts=True)
def leave(call: Call, organisation: OrganisationArgument) -> None:
    """End a residency; its agreements give nothing from then on. 退出。"""
    _show(call, call.unwrap(residents.leave(call.house.book, organisation, call.by)))


def _show(call: Call, one: Organisation) -> None:
    if call.as_json:
        show_data({"status": "done", "organisation": one.id, "admission": one.admission})
        return
    call.say(*_stands(one), mark=DONE_MARK)


def _stands(one: Organisation) -> tuple[str, str]:
    """Say in both languages where an organisation stands in its admission."""
    assert one.admission is not None, "an applicant has a state"
    return f"{one.id}：{state_of('zh', one.admission)}", f"{one.id}: {state_of('en', one.admission)}"
