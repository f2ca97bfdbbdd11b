# SPDX-License-Identifier: Apache-2.0
"""The command line: one verb for each act.

A verb's module is imported when the verb is used, so that a command pays for what it does: `verify` and `witness` open
no deployment, no database and no engine. Where nothing of ours but the verifier may run, `python -m
zhanqiao.ledger.verify` does the same and needs `cryptography` only.
"""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module, metadata
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from zhanqiao.desk.cli.output import OutputFailed, ReaderLeft, language, print_refusal
from zhanqiao.desk.private_memory import keep_memory_private
from zhanqiao.terms.refusals import Refusal, refuse

# Verb or group of verbs -> the module that has it, in the order in which a reader needs them.
_MODULES = {
    "init": "founding",
    "demo": "demo",
    "catalogue": "catalogue",
    "intake": "intake",
    "people": "people",
    "resident": "resident",
    "agreement": "agreement",
    "consent": "consent",
    "ask": "doors",
    "decide": "doors",
    "verify": "verify",
    "ledger": "ledger",
    "audit": "rights",
    "witness": "witness",
    "backup": "operation",
    "restore": "operation",
    "doctor": "operation",
    "upgrade": "operation",
    "serve": "serve",
    "keys": "keys",
}
_BROKEN_PIPE = 128 + signal.SIGPIPE
# Closed to who works here, or of another kind than was looked for.
_UNUSABLE = frozenset(
    {errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENXIO, errno.ENODEV}
)
_STATELESS = frozenset({"verify", "witness"})


class _Found(Mapping[str, Any]):
    """The verbs by name, each imported when it is taken."""

    def __getitem__(self, verb: str) -> Any:
        module = _MODULES[verb]
        if module not in _STATELESS:
            _prepare_state()
        found = typer.main.get_command(import_module(f"{__name__}.{module}").app)
        # Several verbs of one module stand beside each other; they are no group to the reader.
        if isinstance(found, TyperGroup) and verb in found.commands and verb != module:
            found = found.commands[verb]
        found.name = verb
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


class _Verbs(TyperGroup):
    """The group of all verbs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = _Found()  # type: ignore[assignment]  # nothing is added to it


def _prepare_state() -> None:
    """Let Django know its tables, before anything imports a model."""
    from zhanqiao.desk import state

    state.prepare()


app = typer.Typer(
    cls=_Verbs,
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


def main() -> None:
    """Run one command. What nobody foresaw ends with status 1 and without a traceback, which could hold values."""
    keep_memory_private()
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
            refusal = _named(fault)
            print_refusal(refusal, language(), as_json="--json" in sys.argv)
            sys.exit(refusal.exit_status)
    except OutputFailed as failed:
        _end_unheard(failed)


def _named(fault: Exception) -> Refusal:
    """Name the file or folder that could not be used, to whoever works at the machine; else the place in the program."""
    if isinstance(fault, OSError) and isinstance(fault.filename, str) and fault.errno in _UNUSABLE:
        # Of two names the second is the one that is taken.
        return refuse("path-unusable", path=str(fault.filename2 or fault.filename), cause=fault.strerror or "-")
    last = traceback.extract_tb(fault.__traceback__)[-1]
    return refuse("fault", kind=type(fault).__name__, place=f"{Path(last.filename).name}:{last.lineno}")


def _end_unheard(failed: OutputFailed) -> NoReturn:
    """End where nobody could be told on standard output."""
    (reason,) = refuse("output-not-written", cause=str(failed)).reasons
    lang, left = language(), isinstance(failed, ReaderLeft)
    with suppress(OSError):
        if not left:
            typer.echo(f"{reason.message(lang)} {reason.remedy(lang)}", err=True)
    # What is still in the buffer would fail again when Python ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    # As a shell has it of a program that such a pipe ended.
    sys.exit(_BROKEN_PIPE if left else reason.rule.exit_status)
