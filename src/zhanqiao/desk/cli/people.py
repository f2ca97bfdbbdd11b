# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao people` and `zhanqiao resident`: who is registered, and how an organisation becomes a resident."""

from typing import Annotated

import typer

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
from zhanqiao.desk.cli.session import opened, speaker, unwrap
from zhanqiao.identity import directory, residents
from zhanqiao.identity.admission import CRITERIA

people_app = typer.Typer(no_args_is_help=True, help="Organisations, people, roles. 机构、人员与角色。")
resident_app = typer.Typer(no_args_is_help=True, help="Admission of residents by published criteria. 入驻准入。")


@people_app.command("show")
def show_people(home: HomeOption = DEFAULT_HOME, lang: LangOption = "", as_json: JsonOption = False) -> None:
    """List organisations and their people. 查看机构与人员。"""
    with opened(home, language(lang), as_json=as_json):
        organisations, people = directory.organisations(), directory.people()
    if as_json:
        show_data(
            {
                "organisations": [
                    {"id": o.id, "kind": o.kind, "name": o.name, "admission": o.admission} for o in organisations
                ],
                "people": [
                    {"id": p.id, "organisation": p.organisation.id, "name": p.name, "roles": p.roles} for p in people
                ],
            }
        )
        return
    show_table(
        ["机构", "类型", "准入", "名称"] if language(lang) == "zh" else ["organisation", "kind", "admission", "name"],
        [[one.id, one.kind.value, one.admission or "-", one.name] for one in organisations],
    )
    console.print()
    show_table(
        ["人员", "机构", "角色", "姓名"] if language(lang) == "zh" else ["person", "organisation", "roles", "name"],
        [[one.id, one.organisation.id, " ".join(sorted(one.roles)), one.name] for one in people],
    )


@resident_app.command()
def criteria(lang: LangOption = "", as_json: JsonOption = False) -> None:
    """Print the published admission criteria. 公开的准入标准。"""
    if as_json:
        show_data([{"code": c.code, "zh": c.zh, "en": c.en} for c in CRITERIA])
        return
    for criterion in CRITERIA:
        say(language(lang), f"{criterion.code}  {criterion.zh}", f"{criterion.code}  {criterion.en}")


@resident_app.command()
def assess(
    organisation: Annotated[str, typer.Argument(help="Its id, see `people show`. 机构编号。")],
    evidence: Annotated[
        list[str], typer.Option("--evidence", help="CODE=REFERENCE, one for each criterion. 每条标准的证明。")
    ],
    who: WhoOption = "",
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """First stage: each published criterion is evidenced. 初审。"""
    spoken = language(lang)
    pairs = dict(entry.partition("=")[::2] for entry in evidence)
    with opened(home, spoken, as_json=as_json) as house:
        by = speaker(house, who, spoken, as_json=as_json)
        done = unwrap(residents.assess(house.book, organisation, pairs, by), spoken, as_json=as_json)
    _show(done.id, str(done.admission), as_json=as_json)


@resident_app.command()
def admit(
    organisation: Annotated[str, typer.Argument(help="Its id, see `people show`. 机构编号。")],
    who: WhoOption = "",
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Second stage, by another person. 复审，须为另一人。"""
    spoken = language(lang)
    with opened(home, spoken, as_json=as_json) as house:
        by = speaker(house, who, spoken, as_json=as_json)
        done = unwrap(residents.admit(house.book, organisation, by), spoken, as_json=as_json)
    _show(done.id, str(done.admission), as_json=as_json)


@resident_app.command()
def leave(
    organisation: Annotated[str, typer.Argument(help="Its id, see `people show`. 机构编号。")],
    who: WhoOption = "",
    home: HomeOption = DEFAULT_HOME,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """End a residency; its agreements give nothing from then on. 退出。"""
    spoken = language(lang)
    with opened(home, spoken, as_json=as_json) as house:
        by = speaker(house, who, spoken, as_json=as_json)
        done = unwrap(residents.leave(house.book, organisation, by), spoken, as_json=as_json)
    _show(done.id, str(done.admission), as_json=as_json)


def _show(organisation: str, admission: str, *, as_json: bool) -> None:
    if as_json:
        show_data({"status": "done", "organisation": organisation, "admission": admission})
        return
    console.print(f"[green]✓[/green] {organisation}: {admission}")
