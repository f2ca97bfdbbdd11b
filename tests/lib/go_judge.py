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
    """Judge (trust, certificate, answer); return the step that fails for each certificate, None for a valid one."""
    return _judged(f"{trust}\t{certificate}\t{answer or '-'}\n" for trust, certificate, answer in jobs)


def judge_requests(trust: Path, jobs: Iterable[tuple[Path, Path]]) -> dict[Path, int | None]:
    """Judge (remembered checkpoint, request); return the status that a witness must answer, None where it cosigns."""
    return _judged(f"witness\t{trust}\t{remembered}\t{request}\n" for remembered, request in jobs)


def _judged(jobs: Iterable[str]) -> dict[Path, int | None]:
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
    # `go run` repeats an exit status above zero as a line of its own; anything else on stderr is a fault.
    assert run.returncode in (0, 1), run.stderr
    assert run.stderr in ("", "exit status 1\n"), run.stderr
    found: dict[Path, int | None] = {}
    for line in run.stdout.splitlines():
        name, verdict, *flaw = line.split("\t")
        assert (verdict == "valid") is not bool(flaw), line
        found[Path(name)] = int(flaw[0]) if flaw else None
    return found


def _require_go() -> None:
    if shutil.which("go") and (_GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        return
    missing = "golang-go or golang-golang-x-mod-dev is not installed"
    if os.environ.get("CI"):
        pytest.fail(f"CI must hear the second opinion, but {missing}")
    pytest.skip(f"LEFT OUT: no second opinion on certificates: {missing}")
