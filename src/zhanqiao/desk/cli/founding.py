# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao init`: make a deployment."""

from typing import Annotated

import typer

from zhanqiao.desk import deployment, personas
from zhanqiao.desk.cli.given import is_text
from zhanqiao.desk.cli.output import HomeOption, JsonOption, LangOption, language, refused, say, show_data
from zhanqiao.desk.configuration import PROFILES, Deployment
from zhanqiao.identity.keys import DEMO
from zhanqiao.ledger.note import is_key_name
from zhanqiao.terms.refusals import Refusal, refuse

app = typer.Typer()
_OF_A_DEMO = "zhanqiao/log"


@app.command()
def init(
    home: HomeOption,
    city: Annotated[str, typer.Option("--city", help="Whose platform this is. 城市。")] = "青岛",
    origin: Annotated[
        str,
        typer.Option(
            "--origin", help="Name of the log in certificates, for ever; with a demo left out. 账本名称，不可更改。"
        ),
    ] = "",
    profile: Annotated[
        str,
        typer.Option("--profile", help="demo, laptop, or production, which is served with all walls only. 运行模式。"),
    ] = "laptop",
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a deployment: keys, empty state, empty log. 建立部署。"""
    if profile not in PROFILES:
        raise typer.BadParameter(f"a profile is one of {', '.join(PROFILES)}")
    if not city.strip():
        raise typer.BadParameter("a city has a name")
    for option, said in {"city": city, "origin": origin}.items():
        if not is_text(said):
            refused(refuse("argument-not-text", argument=option), language(lang), as_json=as_json)
    if not origin and profile != DEMO:
        refused(refuse("origin-missing", profile=profile), language(lang), as_json=as_json)
    origin = origin or _OF_A_DEMO
    if not is_key_name(origin) or not origin.isprintable():
        refused(refuse("origin-malformed", origin=origin), language(lang), as_json=as_json)
    wanted = Deployment(city=city, profile=profile, origin=origin)
    # The demo profile alone knows personas, whose keys are plain files; without people nobody could describe anything.
    settle = personas.settle if profile == DEMO else None
    house = deployment.found(home, wanted, settle=settle)
    if isinstance(house, Refusal):
        refused(house, language(lang), as_json=as_json)
    if as_json:
        show_data({"status": "founded", "home": str(home), "city": city, "profile": profile, "origin": origin})
        return
    spoken = language(lang)
    say(
        spoken,
        f"已在 {home} 建立部署：城市 {city}，运行模式 {profile}，账本 {origin}（账本名称不可更改）",
        f"A deployment stands in {home}: city {city}, profile {profile}, log {origin} (its name can never change)",
    )
    if settle is None:
        say(
            spoken,
            "下一步：zhanqiao people found FILE，登记首批机构与人员",
            "Next: zhanqiao people found FILE registers the first organisations and people",
        )
