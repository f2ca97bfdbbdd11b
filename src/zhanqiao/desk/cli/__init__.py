# SPDX-License-Identifier: Apache-2.0
"""The command line: one verb for each act.

`verify` opens no deployment; where nothing of ours but the verifier may run, `python -m zhanqiao.ledger.verify` does the
same and needs `cryptography` only.
"""

import os
import sys
import traceback
from contextlib import suppress
from importlib import metadata
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from zhanqiao.desk import state

state.prepare()

from zhanqiao.desk import deployment, personas  # noqa: E402
from zhanqiao.desk.cli import (  # noqa: E402
    agreement,
    catalogue,
    consent,
    doors,
    intake,
    ledger,
    operation,
    people,
    resident,
    verify,
    witness,
)
from zhanqiao.desk.cli.asking import asking  # noqa: E402
from zhanqiao.desk.cli.demo import demo  # noqa: E402
from zhanqiao.desk.cli.given import is_text  # noqa: E402
from zhanqiao.desk.cli.output import (  # noqa: E402
    HomeOption,
    JsonOption,
    LangOption,
    OutputFailed,
    language,
    print_refusal,
    refused,
    say,
    show_data,
)
from zhanqiao.desk.cli.serve import serve  # noqa: E402
from zhanqiao.desk.cli.session import command  # noqa: E402
from zhanqiao.desk.configuration import PROFILES, Deployment  # noqa: E402
from zhanqiao.ledger.note import is_key_name  # noqa: E402
from zhanqiao.terms.refusals import Refusal, refuse  # noqa: E402

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=(
        "栈桥 Zhanqiao: the data stays in the storehouse, only certified answers walk the bridge. "
        "数据留在库中，只有带凭证的答复走出栈桥。"
    ),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zhanqiao {metadata.version('zhanqiao')}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version. 显示版本。")
    ] = False,
) -> None:
    """Options of the command line itself; its help is the app's own."""


@app.command()
def init(
    home: HomeOption,
    city: Annotated[str, typer.Option("--city", help="Whose platform this is. 城市。")] = "青岛",
    origin: Annotated[
        str, typer.Option("--origin", help="Name of the log in certificates. 账本名称。")
    ] = "zhanqiao/log",
    profile: Annotated[
        str,
        typer.Option("--profile", help="demo or laptop; production is not built yet. 运行模式；production 尚未建成。"),
    ] = "laptop",
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a deployment: keys, empty state, empty log. 建立部署。"""
    if profile not in PROFILES:
        raise typer.BadParameter(f"a profile is one of {', '.join(PROFILES)}")
    for option, said in {"city": city, "origin": origin}.items():
        if not is_text(said):
            refused(refuse("argument-not-text", argument=option), language(lang), as_json=as_json)
    if not is_key_name(origin):
        refused(refuse("origin-malformed", origin=origin), language(lang), as_json=as_json)
    wanted = Deployment(city=city, profile=profile, origin=origin)
    # The demo profile alone knows personas, whose keys are plain files; without people nobody could describe anything.
    settle = personas.settle if profile == "demo" else None
    house = deployment.found(home, wanted, settle=settle)
    if isinstance(house, Refusal):
        refused(house, language(lang), as_json=as_json)
    if as_json:
        show_data({"status": "founded", "home": str(home), "profile": profile, "origin": origin})
        return
    say(language(lang), f"已在 {home} 建立部署", f"A deployment stands in {home}")


app.command()(demo)
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(intake.app, name="intake")
app.add_typer(people.app, name="people")
app.add_typer(resident.app, name="resident")
app.add_typer(agreement.app, name="agreement")
app.add_typer(consent.app, name="consent")
asking(app)(doors.ask)
asking(app)(doors.decide)
app.command("verify")(verify.verify_files)
app.add_typer(ledger.app, name="ledger")
app.add_typer(witness.app, name="witness")
command(app)(operation.backup)
app.command("restore")(operation.restore_backup)
app.command()(operation.doctor)
app.command("upgrade")(operation.upgrade_state)
app.command()(serve)


def main() -> None:
    """Run one command. What nobody foresaw ends with status 1 and without a traceback, which could hold values."""
    # What a terminal's encoding lacks is spelt out: a name must not end a command that was done.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            app(prog_name=Path(sys.argv[0]).name)
        except OutputFailed:
            raise
        except Exception as fault:
            if os.environ.get("ZHANQIAO_DEBUG"):
                raise
            last = traceback.extract_tb(fault.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.lineno}"
            refusal = refuse("fault", kind=type(fault).__name__, place=place)
            print_refusal(refusal, language(), as_json="--json" in sys.argv)
            sys.exit(refusal.exit_status)
    except OutputFailed as failed:
        _end_unheard(failed)


def _end_unheard(failed: OutputFailed) -> NoReturn:
    """End where nobody could be told on standard output."""
    (reason,) = refuse("output-not-written", cause=str(failed)).reasons
    lang = language()
    with suppress(OSError):
        typer.echo(f"{reason.message(lang)} {reason.remedy(lang)}", err=True)
    # What is still in the buffer would fail again when Python ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(reason.rule.exit_status)
