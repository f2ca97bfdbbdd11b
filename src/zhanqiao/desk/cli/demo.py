# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao demo`: the whole story on a synthetic city, as a tour. Each step shows the command that repeats it.

Nothing here knows more than a user does: every step goes through the same functions as the commands. The planted truth
is opened at two places only, to score what the platform did without it.
"""

import shutil
import time
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from zhanqiao.desk import demo_story, deployment
from zhanqiao.desk.cli.output import (
    REFUSED_MARK,
    LangOption,
    bold,
    console,
    home_given,
    language,
    refused,
    say,
    show_line,
)
from zhanqiao.desk.configuration import SETTINGS_FILE, Deployment, read_settings, seconds_since
from zhanqiao.desk.demo_story import Stage, Story
from zhanqiao.desk.paths import no_home
from zhanqiao.terms.legal_time import legal_day
from zhanqiao.terms.refusals import USAGE, Lang, Refusal

_PERSONAS_HOME = Path("demo-home")
_PEOPLE = 100_000
# Citizen ids have 499 serials for one region, day and sex; a city of more could run out of them.
_MOST_PEOPLE = 15_000_000
# Lies in a city folder that the demo made: only such a folder is ever removed.
_MARK = ".zhanqiao-demo-city"

app = typer.Typer()


class Scale(StrEnum):
    """Cities that have a name."""

    ARTICLE = "article"

    @property
    def people(self) -> int:
        """How many people it takes: the open catalogue then holds the 12.16 million records of the published system."""
        return {Scale.ARTICLE: 1_208_000}[self]


@app.command()
def demo(
    people: Annotated[
        int | None,
        typer.Option(
            "--people",
            min=5_000,
            max=_MOST_PEOPLE,
            show_default=f"{_PEOPLE}",
            help="Inhabitants of the synthetic city. 城市人口。",
        ),
    ] = None,
    scale: Annotated[
        Scale | None,
        typer.Option(
            "--scale",
            help="Instead of --people: as many as give the records of the published system, 12.16 million. "
            "以公开报道的规模（1216 万条数据）代替 --people。",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed builds the same city. 种子。")] = 1,
    day: Annotated[
        datetime | None,
        typer.Option(
            "--day",
            formats=["%Y-%m-%d"],
            show_default="today",
            help="The city's day: the same day prints the same. 城市所处的日期。",
        ),
    ] = None,
    home: Annotated[
        Path, typer.Option("--home", help="Where the demo deployment goes. 演示部署目录。", callback=home_given)
    ] = _PERSONAS_HOME,
    lang: LangOption = "",
) -> None:
    """Tell the whole story on a synthetic city; print what left and why. 一个城市的完整演示。"""
    spoken = language(lang)
    if people and scale:
        raise typer.BadParameter("--people and --scale both say how large the city is: give one of them")
    inhabitants = scale.people if scale else people or _PEOPLE
    behind = seconds_since(day.date()) if day else 0
    if behind < 0:
        raise typer.BadParameter("the city's day lies ahead: certificates of the future are not valid")
    city = home.with_name(home.name + "-city")
    if (refusal := no_home(city)) is not None:
        refused(refusal, spoken, as_json=False)
    _clear(home, city, spoken)
    started = time.monotonic()
    house = deployment.found(home, Deployment("青岛", "demo", "zhanqiao.demo/qingdao", behind))
    if isinstance(house, Refusal):
        refused(house, spoken, as_json=False)
    city.mkdir(exist_ok=True)
    (city / _MARK).touch()
    story = Story(house, city, inhabitants, seed, legal_day(house.clock()))
    for number, stage in enumerate(demo_story.STAGES, start=1):
        _chapter(number, stage, story, spoken)
    seconds = time.monotonic() - started
    show_line()
    say(
        spoken,
        f"演示结束，用时 {seconds:.1f} 秒（{inhabitants:,} 人，种子 {seed}）。部署在 {home}，城市数据在 {story.city_folder}。",
        f"That was the demo: {seconds:.1f} s for {inhabitants:,} people, seed {seed}. The deployment is in {home}, "
        f"the city's files are in {story.city_folder}.",
    )
    if story.failures:
        for failure in story.failures:
            show_line(REFUSED_MARK, f" {failure}")
        raise typer.Exit(1)


def _chapter(number: int, stage: Stage, story: Story, lang: Lang) -> None:
    show_line()
    console.rule(bold(f"{number}. {stage.zh if lang == 'zh' else stage.en}"), align="left")
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task("", total=None)
        story.progress = lambda text, done, of: progress.update(bar, description=text, completed=done, total=of)
        lines = stage.tell(story, lang)
    for line in lines:
        show_line(line)


def _clear(home: Path, city: Path, lang: Lang) -> None:
    """Remove a former demo with its city, and nothing that is not one; first look at both, then touch either."""
    settings = read_settings(home / SETTINGS_FILE)
    a_demo = isinstance(settings, Deployment) and settings.profile == "demo"
    if home.exists() and not a_demo:
        say(
            lang,
            f"{home} 已存在且不是演示部署；请用 --home 另选目录。",
            f"{home} exists and is no demo deployment; choose another folder with --home.",
        )
        raise typer.Exit(USAGE)
    if city.exists() and not (city / _MARK).is_file():
        say(
            lang,
            f"{city} 已存在且不是演示生成的城市数据；请用 --home 另选目录。",
            f"{city} exists and was not made by a demo; choose another folder with --home.",
        )
        raise typer.Exit(USAGE)
    for folder in (home, city):
        if folder.exists():
            shutil.rmtree(folder)
