# SPDX-License-Identifier: Apache-2.0
"""Give a command once more, in this very process: what a person does after an accident, without a second's start."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper

import typer

from lib.accidents import Accident
from lib.pier import Pier
from zhanqiao.desk.cli import app


def repeat(pier: Pier, accident: Accident) -> None:
    """Run the command again, in this process. It is done again, or it is told that it was done."""
    printed = StringIO()
    status: object = 0
    with redirect_stdout(printed), redirect_stderr(printed), given(accident.given):
        try:
            status = app([*accident.words, "--home", str(pier.home), "--lang", "en"], standalone_mode=False)
        except SystemExit as ended:
            status = ended.code
        except typer.Exit as ended:
            status = ended.exit_code
    assert not status or (accident.stands and accident.stands in printed.getvalue()), printed.getvalue()


@contextmanager
def given(text: str) -> Iterator[None]:
    """Give a command its standard input."""
    before, sys.stdin = sys.stdin, TextIOWrapper(BytesIO(text.encode()), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before
