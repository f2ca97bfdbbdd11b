# SPDX-License-Identifier: Apache-2.0
"""Every command that README, tutorials and how-tos show is run, and prints what is shown.

All pages start from the demo of 5,000 people on a fixed day. After a wanted change of output,
`REWRITE_DOCS=1 pytest tests/functional/test_docs_output.py` writes what is printed into the pages; read the difference.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lib import doc_pages, warm

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/tutorial/*.md"), *ROOT.glob("docs/howto/*.md")])
DEMO = "zhanqiao demo --people 5000 --seed 1 --day 2026-11-02 --lang {lang}"
_INSTALLS = re.compile(r"(git clone|cd|make|\.|apt-get|uv|bash) ?.*")


@dataclass(frozen=True)
class Told:
    """A folder in which the demo ran, and what it printed."""

    folder: Path
    printed: str


def _environment(*, quick: bool = False) -> dict[str, str]:
    """What a reader's shell has: our commands on the path, and no settings of ours.

    quick  each command by an interpreter that has imported the product, as most tests start it
    """
    kept = {name: value for name, value in os.environ.items() if name in {"HOME", "TMPDIR", "GOCACHE"}}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = {**kept, "PATH": path, "LANG": "C.UTF-8"}
    if quick:
        said |= {"PATH": f"{warm.BIN}:{path}", **warm.variables()}
    return said


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all worker processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


def _told(shared: Path, lang: str) -> Told:
    """Run the demo, once for all workers."""
    folder = shared / f"docs-{lang}"
    printed = shared / f"docs-{lang}.txt"
    with (shared / f"docs-{lang}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            folder.mkdir()
            command = DEMO.format(lang=lang).split()
            done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            printed.write_text(done.stdout, encoding="utf-8")
    return Told(folder, printed.read_text(encoding="utf-8"))


def _run_by_day(path: Path) -> object:
    """READMEs and tutorials in every test run; how-tos, which take longer together, with the slow ones."""
    marks = [pytest.mark.slow] if path.parent.name == "howto" else []
    # A README's demo is the one that the other pages of its language wait for.
    marks += [pytest.mark.first] if path.name.startswith("README") else []
    # They make the same user of the machine.
    marks += [pytest.mark.xdist_group("production")] if "production" in path.name else []
    return pytest.param(path, marks=marks, id=str(path.relative_to(ROOT)))


@pytest.mark.parametrize("path", [_run_by_day(path) for path in PAGES])
def test_a_page_shows_what_its_commands_print(
    path: Path, shared: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    page = doc_pages.read(path)
    assert page.steps, "a page of this kind shows commands"
    if any("go build" in step.command for step in page.steps):
        _require_go()
    if any("useradd" in step.command for step in page.steps):
        request.addfinalizer(_on_a_machine_for_it())
    lang = "zh" if ".zh" in path.name else "en"
    told = _told(shared, lang)
    folder = tmp_path / "reader"
    shutil.copytree(told.folder, folder)
    (folder / "src").symlink_to(ROOT / "src")  # readers stand in their clone
    # The pages that a reader meets first are run as he runs them.
    quick = not path.name.startswith("README")
    doc_pages.run(page, folder, _environment(quick=quick), {DEMO.format(lang=lang): told.printed})
    wrong = [step for step in page.steps if not step.agrees]
    if wrong and os.environ.get("REWRITE_DOCS"):
        path.write_text(page.rewritten(), encoding="utf-8")
        return
    assert not wrong, "\n".join(_difference(step) for step in wrong)


def _on_a_machine_for_it() -> Callable[[], object]:
    """Go on where a deployment can go into production; return what removes the user that it takes."""
    if os.geteuid() != 0 or len(Path("/proc/swaps").read_text().splitlines()) > 1:
        pytest.skip("LEFT OUT: a page whose commands need root, and a machine that does not swap")
    try:
        # As the gateway will be: the Python and the product may lie in somebody's home.
        subprocess.run(
            [sys.executable, "-c", "import zhanqiao"], check=True, user=65_534, group=65_534, extra_groups=[]
        )
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("LEFT OUT: a page that takes a Python which every user may run")
    known = subprocess.run(["id", "zhanqiao-gate"], capture_output=True, check=False).returncode == 0
    return lambda: known or subprocess.run(["userdel", "zhanqiao-gate"], check=False)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_to_be_installed_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in doc_pages.read(path).installs:
        assert _INSTALLS.fullmatch(line), (
            f"commands that print something stand in console blocks, which are run: {line}"
        )
        for target in re.findall(r"\bmake ([a-z-]+)", line):
            assert target in targets, line


def test_a_wrong_line_is_found(tmp_path: Path) -> None:
    """The judge itself: what differs is found, what may differ is not, and silence means success."""
    page = tmp_path / "page.md"
    page.write_text(
        "```text greeting.txt\nhello\n```\n"
        "```console\n$ cat greeting.txt\nhello\n$ cat greeting.txt\nhallo\n$ false\n$ NAME=x\n$ echo $NAME; echo 1.5 s\nx\n9.9 s\n"
        "$ seq 9\n1\n...\n8\n9\n$ seq 3\n...\n9\n```\n",
        encoding="utf-8",
    )
    read = doc_pages.read(page)
    doc_pages.run(read, tmp_path, {"PATH": os.environ["PATH"]}, {})
    assert [step.agrees for step in read.steps] == [True, False, False, True, True, True, False]


def _require_go() -> None:
    if shutil.which("go") and Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog").is_dir():
        return
    if os.environ.get("CI"):
        pytest.fail("CI must run every page, but the Go judge is not installed")
    pytest.skip("LEFT OUT: a page whose commands need golang-go and golang-golang-x-mod-dev")


def _difference(step: doc_pages.Step) -> str:
    shown = "\n".join(f"  - {doc_pages.settled(line)}" for line in step.shown) or "  - (nothing)"
    printed = "\n".join(f"  + {doc_pages.settled(line)}" for line in step.printed) or "  + (nothing)"
    return f"$ {step.command}   (exit {step.status})\n{shown}\n{printed}"
