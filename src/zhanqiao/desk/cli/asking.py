# SPDX-License-Identifier: Apache-2.0
"""Where a door is asked: in a deployment on this machine, or, with `--at`, in a running one elsewhere.

The verbs are the same. From afar the question is signed with the asker's key file, and the answer is kept only when its
certificate verifies under the trust file that the asker brings.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Concatenate, NoReturn, ParamSpec
from urllib.parse import urlsplit

import typer

from zhanqiao.desk.cli.output import REFUSED_MARK, language, show_data, show_told
from zhanqiao.desk.cli.session import HERE, SPEAKER, Voice, add_command, expect_text, in_deployment, open_key
from zhanqiao.desk.configuration import utc_now
from zhanqiao.desk.question import Question, answer
from zhanqiao.desk.serving.plan import is_loopback
from zhanqiao.desk.serving.remote import Remote, ServerUnproven, Told, Unheard
from zhanqiao.doors.release import Release
from zhanqiao.identity.keys import DEMO
from zhanqiao.ledger.problems import Unsound
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.ledger.trust import MAX_TRUST_BYTES, Trust
from zhanqiao.terms.refusals import REFUSED, RULES, Reason, Refusal, refuse

P = ParamSpec("P")

AtOption = Annotated[
    str, typer.Option("--at", help="Ask a running deployment at this address. 向运行中的部署提问。", show_default=False)
]
TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", dir_okay=False, help="With --at: the deployment's trust file. 该部署的信任文件。"),
]
CaOption = Annotated[
    Path | None,
    typer.Option("--ca", dir_okay=False, help="With --at: certificates to check the server by. 服务器证书的根。"),
]
_AFAR = {"at": (AtOption, ""), "trust": (TrustOption, None), "ca": (CaOption, None)}


@dataclass(frozen=True)
class Asking(Voice):
    """A command that asks a door.

    ask         asks one question
    answers     where answers are kept unless told otherwise
    """

    ask: Callable[[Question], Release | Told | Refusal]
    answers: Path

    def heard(self, question: Question) -> Release:
        """Ask, and return what was released; or print why nothing was, and end."""
        outcome = self.ask(question)
        if isinstance(outcome, Told):
            self._end(outcome)
        return self.unwrap(outcome)

    def _end(self, told: Told) -> NoReturn:
        """Print what a deployment elsewhere said, with the exit status that the code has here."""
        if self.as_json:
            show_data({"status": "refused", "reasons": list(told.reasons)})
        else:
            for reason in told.reasons:
                show_told(reason["code"], reason["message"], reason["remedy"], REFUSED_MARK)
        statuses = {RULES[one["code"]].exit_status if one["code"] in RULES else REFUSED for one in told.reasons}
        raise typer.Exit(statuses.pop() if len(statuses) == 1 else REFUSED)


def asking(
    group: typer.Typer,
) -> Callable[[Callable[Concatenate[Asking, P], None]], Callable[Concatenate[Asking, P], None]]:
    """Add a command that asks a door."""

    def add(body: Callable[Concatenate[Asking, P], None]) -> Callable[Concatenate[Asking, P], None]:
        add_command(group, None, body, {**SPEAKER, **_AFAR, **HERE}, _begun)
        return body

    return add


@contextmanager
def _begun(common: dict[str, Any], given: dict[str, Any]) -> Iterator[Asking]:
    at, trust, ca = (common.pop(name) for name in _AFAR)
    lang, as_json = language(common["lang"]), common["as_json"]
    if not at:
        if trust is not None or ca is not None:
            raise typer.BadParameter("--trust and --ca go with --at")
        with in_deployment(common, given) as call:
            ask = partial(answer, by=call.by, house=call.house)
            yield Asking(lang, as_json, ask, call.house.home / "answers")
        return
    voice = Voice(lang, as_json)
    expect_text(voice, {**given, "at": at})
    remote = voice.unwrap(_remote(at, trust, ca, common))
    yield Asking(lang, as_json, partial(_asked_afar, remote), Path("answers"))


def _asked_afar(remote: Remote, question: Question) -> Release | Told | Refusal:
    try:
        return remote.ask(question)
    except ServerUnproven as cause:
        return refuse("server-unproven", url=remote.url, cause=str(cause))
    except Unheard as cause:
        return refuse("not-heard", url=remote.url, cause=str(cause), request=question.request)


def _remote(at: str, trust: Path | None, ca: Path | None, common: dict[str, Any]) -> Remote | Refusal:
    """Make a remote of what was given, or say what is missing."""
    try:
        parts = urlsplit(at)
        here = parts.port is not None and (parts.hostname == "localhost" or is_loopback(parts.hostname or ""))
    except ValueError:
        return refuse("at-unusable", cause="the address is none")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        return refuse("at-unusable", cause="the address is not https://HOST:PORT")
    if parts.scheme == "http" and not here:
        return refuse("at-unusable", cause="plain http:// would show the question to everybody on the way")
    if common["who"]:
        return refuse("as-from-afar", who=common["who"])
    lacking = [option for option, given in (("--trust", trust), ("--key", common["key"])) if given is None]
    if trust is None or lacking:
        return Refusal(tuple(Reason("at-incomplete", {"option": option}) for option in lacking))
    if ca is not None and (refusal := _no_certificates(ca)) is not None:
        return refusal
    try:
        trusted = Trust.parse(read_bounded(trust, MAX_TRUST_BYTES))
    except Unsound as flaw:
        return refuse("at-unusable", cause=f"the trust file is no such file ({flaw.problem.code})")
    except OSError as cause:
        return refuse("file-unusable", file=trust.name, cause=cause.strerror or "-")
    # A plain key file is a demo's, whose gateway listens on this machine alone.
    key = open_key(common["key"], common["fd"], DEMO if here else "")
    return key if isinstance(key, Refusal) else Remote(at, trusted, key, utc_now, ca)


def _no_certificates(path: Path) -> Refusal | None:
    """Say why a server cannot be checked by that file; None when it can."""
    try:
        ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        return refuse("ca-malformed", file=path.name)
    except OSError as cause:
        return refuse("file-unusable", file=path.name, cause=cause.strerror or "-")
    return None
