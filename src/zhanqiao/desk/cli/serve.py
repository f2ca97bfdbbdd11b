# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao serve`: the running deployment, with its processes under one supervisor."""

from typing import Annotated

import typer

from zhanqiao.desk.cli.output import DONE_MARK, HomeOption, JsonOption, LangOption, language, refused, say, warn
from zhanqiao.desk.cli.session import unwrap
from zhanqiao.desk.configuration import utc_now
from zhanqiao.desk.serving import socket_folder, tls, units
from zhanqiao.desk.serving.journal import Journal
from zhanqiao.desk.serving.plan import plan, unrunnable
from zhanqiao.desk.serving.supervisor import supervise
from zhanqiao.terms.refusals import Refusal

app = typer.Typer()


@app.command()
def serve(
    home: HomeOption,
    show_units: Annotated[
        bool, typer.Option("--units", help="Print systemd units instead of starting. 只打印 systemd 单元。")
    ] = False,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Run the deployment's processes until interrupted: vault worker, and gateway over HTTP. 运行服务。"""
    spoken = language(lang)
    planned = unwrap(plan(home), spoken, as_json=as_json)
    unfit = (*socket_folder.unfit(planned), *unrunnable(planned), *tls.look(planned, utc_now()))
    if show_units:
        typer.echo(units.text(planned, spoken), nl=False)
        warn((*unfit, *units.out_of_sight(planned)), spoken)
        return

    if unfit:
        refused(Refusal(unfit), spoken, as_json=as_json)

    def ready(address: str) -> None:
        scheme = "https" if planned.deployment.serving.tls_certificate else "http"
        say(spoken, f"服务地址 {scheme}://{address}", f"Served at {scheme}://{address}", mark=DONE_MARK)
        if not planned.apart:
            say(
                spoken,
                "网关与库房进程同属一个用户：接管其一即得其二（见 gateway_user）",
                "Gateway and vault worker are one user: who takes over the one has the other (see gateway_user)",
            )

    refusal = supervise(planned, Journal("supervisor", utc_now), ready, spoken)
    if refusal is not None:
        unwrap(refusal, spoken, as_json=as_json)
