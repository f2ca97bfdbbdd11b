# SPDX-License-Identifier: Apache-2.0
"""The certificate vectors, judged twice: by our verifier and by a Go program on the Go team's own packages."""

import json
import os
import runpy
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import zhanqiao.ledger
from lib.go_judge import judge
from zhanqiao.ledger.trust import Trust
from zhanqiao.ledger.verify import verify

VECTORS = Path(zhanqiao.ledger.__file__).parent / "vectors"
EXPECTED = json.loads((VECTORS / "expected.json").read_bytes())
TODAY = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_our_verifier_gives_the_expected_verdict(name: str):
    wanted = EXPECTED[name]
    trust = Trust.parse((VECTORS / wanted["trust"]).read_bytes())
    answer = None if wanted["answer"] is None else (VECTORS / wanted["answer"]).read_bytes()
    verdict = verify((VECTORS / f"{name}.cert").read_bytes(), trust, answer, now=TODAY)
    assert verdict.valid is wanted["valid"]
    assert verdict.failed_step == wanted["step"]
    assert [problem.code for problem in verdict.problems] == ([wanted["problem"]] if wanted["problem"] else [])
    assert (verdict.statement is None) is not wanted["valid"]
    for lang in ("zh", "en"):
        assert all(problem.message(lang).isprintable() for problem in verdict.problems)


def test_there_are_vectors_of_every_step_and_enough_of_them():
    assert {wanted["step"] for wanted in EXPECTED.values() if not wanted["valid"]} == set(range(1, 10))
    assert sum(not wanted["valid"] for wanted in EXPECTED.values()) >= 25
    assert {path.stem for path in VECTORS.glob("*.cert")} == EXPECTED.keys()


def test_the_script_rebuilds_the_very_files():
    files = runpy.run_path(str(VECTORS / "rebuild.py"))["files"]()
    assert {name: (VECTORS / name).read_bytes() for name in files} == files


def test_the_go_judge_agrees_on_every_vector():
    jobs = [
        (VECTORS / wanted["trust"], VECTORS / f"{name}.cert", wanted["answer"] and VECTORS / wanted["answer"])
        for name, wanted in EXPECTED.items()
    ]
    found = judge(jobs)
    differing = {
        name: (wanted["step"], found[VECTORS / f"{name}.cert"])
        for name, wanted in EXPECTED.items()
        if found[VECTORS / f"{name}.cert"] != wanted["step"]
    }
    assert not differing, "expected step, Go's step"


def test_verify_runs_alone_without_django(tmp_path: Path):
    """As a bank would run it: nothing but this package's pure parts, `cryptography` and `rfc8785` may be imported."""
    block = (
        "import sys, runpy\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'django', 'duckdb', 'sqlglot', 'numpy', 'pyarrow', 'typer', 'rich'}:\n"
        "            raise ImportError(f'verify must not need {name}')\n"
        "sys.meta_path.insert(0, Block())\n"
        "runpy.run_module('zhanqiao.ledger.verify', run_name='__main__', alter_sys=True)\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "ZHANQIAO"))}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        call = [sys.executable, "-c", block, *arguments]
        return subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    trust = ["--trust", str(VECTORS / "trust.txt")]
    good, bad = str(VECTORS / "good-single.cert"), str(VECTORS / "bad-index-of-neighbour.cert")
    passed = run(good, *trust, "--answer", str(VECTORS / "answer.json"), "--lang", "en")
    assert (passed.returncode, passed.stderr) == (0, "")
    assert "good-single.cert: valid" in passed.stdout
    environment["LC_ALL"] = "zh_CN.UTF-8"
    assert "good-single.cert：有效" in run(good, *trust, "--answer", str(VECTORS / "answer.json")).stdout.replace(
        ": ", "："
    )
    alone = run(good, *trust, "--lang", "en")
    assert alone.returncode == 4
    assert "good-single.cert: the statement is sound; no answer was checked" in alone.stdout
    failed = run(good, bad, *trust, "--json")
    assert failed.returncode == 1
    verdicts = json.loads(failed.stdout)
    assert [verdict["valid"] for verdict in verdicts.values()] == [True, False]
    assert verdicts[bad]["problems"][0]["code"] == "proof-wrong"
    assert run(good, "--trust", good).returncode == 2
    assert run(str(tmp_path / "nowhere"), *trust).returncode == 2
