# SPDX-License-Identifier: Apache-2.0
"""The second opinion: runs ledger/vectors/judge/verify.go, which stands on the Go team's own sumdb packages."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

import zhanqiao.ledger

PROGRAM = Path(zhanqiao.ledger.__file__).parent / "vectors" / "judge" / "verify.go"
# Where Debian's golang-golang-x-mod-dev puts the packages.
_GO_PATH = Path("/usr/share/gocode")

Job = tuple[Path, Path, Path | None]


def judge(jobs: Iterable[Job]) -> dict[Path, int | None]:
    """Judge (trust, certificate, answer); return the step that fails for each certificate, None where none does.

    Without an answer the Go program must say so: what it calls valid had one.
    """
    every = list(jobs)
    said = _judged(f"{trust}\t{certificate}\t{answer or '-'}\n" for trust, certificate, answer in every)
    for _, certificate, answer in every:
        assert said[certificate][0] in ("invalid", "valid" if answer else "sound"), certificate
    return {certificate: step for certificate, (_, step) in said.items()}


def judge_requests(trust: Path, jobs: Iterable[tuple[Path, Path]]) -> dict[Path, int | None]:
    """Judge (remembered checkpoint, request); return the status that a witness must answer, None where it cosigns."""
    said = _judged(f"witness\t{trust}\t{remembered}\t{request}\n" for remembered, request in jobs)
    return {request: status for request, (_, status) in said.items()}


def _judged(jobs: Iterable[str]) -> dict[Path, tuple[str, int | None]]:
    """Return word and step for each certificate or request."""
    _require_go()
    lines = "".join(jobs)
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(_GO_PATH), "GOFLAGS": ""}
    run = subprocess.run(
        ["go", "run", str(PROGRAM)],
        input=lines,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=120,
    )
    found: dict[Path, tuple[str, int | None]] = {}
    for line in run.stdout.splitlines():
        name, word, *more = line.split("\t")
        assert (word, len(more)) in {("valid", 0), ("sound", 1), ("invalid", 2)}, line
        found[Path(name)] = (word, int(more[0]) if word == "invalid" else None)
    # `go run` repeats an exit status above zero as a line of its own; anything else on stderr is a fault.
    words = {word for word, _ in found.values()}
    status = 1 if "invalid" in words else 4 if "sound" in words else 0
    assert run.stderr == (f"exit status {status}\n" if status else ""), run.stderr
    return found


def _require_go() -> None:
    if shutil.which("go") and (_GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        return
    missing = "golang-go or golang-golang-x-mod-dev is not installed"
    if os.environ.get("CI"):
        pytest.fail(f"CI must hear the second opinion, but {missing}")
    pytest.skip(f"LEFT OUT: no second opinion on certificates: {missing}")
