# SPDX-License-Identifier: Apache-2.0
"""Documentation pages as programs: what a `console` block shows is run and compared with what stands below it.

In a block of the language `console`, a line that starts with `$ ` is a command (a line that ends in `\\` goes on in the
next), and what follows is its output; a line `...` stands for any lines. A block with a file name behind its language
(```yaml contract.yaml) is a file of the reader's. Commands of one page run in one shell, so that variables last. A
command under which nothing is shown must print nothing and succeed.

What differs from run to run is replaced by a named placeholder on both sides: keys, digests, numbers of agreements and
requests, snapshots, times, durations.
"""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^```(\S+)?(?: +(\S+))?$")
_MARK = "== end of command =="
_VARYING = (
    (re.compile(r"\bC\d{6}[0-9A-Z]{40,42}\b"), "<agreement>"),
    (re.compile(r"\b[a-z_]+-\d{8}-[0-9a-f]{12}\b"), "<snapshot>"),
    (re.compile(r"\b(sha256|ed25519):[0-9a-f]{32,64}\b"), r"<\1>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<digest>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<request>"),
    (re.compile(r"\b[0-9a-f]{16}…"), "<root>"),
    (re.compile(r"\b[0-9a-f]{4}-\d{1,2}(-[0-9a-f]{4}){9}\b"), "<share>"),
    (re.compile(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{40,}=*"), "<key>"),
    (re.compile(r"[A-Za-z0-9+/]{43}="), "<hash>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|\+00:00)"), "<time>"),
    (re.compile(r"\b\d+\.\d+ (s\b|秒)"), r"<duration> \1"),
    (re.compile(r'"seconds": "[\d.]+"'), '"seconds": "<duration>"'),
)


@dataclass
class Step:
    """One command and the lines that are shown below it. `start`, `end`: where those lines stand in the page."""

    command: str
    start: int
    end: int
    shown: list[str]
    printed: list[str] = field(default_factory=list)
    status: int = -1

    @property
    def agrees(self) -> bool:
        if not self.shown:
            return not self.printed and self.status == 0
        return _matches([settled(line) for line in self.shown], [settled(line) for line in self.printed])


@dataclass
class Page:
    """The commands and files of one page."""

    path: Path
    lines: list[str]
    steps: list[Step] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    installs: list[str] = field(default_factory=list)

    def rewritten(self) -> str:
        """Return the page with what was really printed, where that is something else."""
        lines = list(self.lines)
        for step in reversed(self.steps):
            if not step.agrees:
                lines[step.start : step.end] = step.printed
        return "\n".join(lines) + "\n"


def read(path: Path) -> Page:
    """Read a page."""
    page = Page(path, path.read_text(encoding="utf-8").splitlines())
    number = 0
    while number < len(page.lines):
        fence = _FENCE.match(page.lines[number])
        if not fence:
            number += 1
            continue
        end = page.lines.index("```", number + 1)
        language, name = fence.groups()
        if language == "console":
            page.steps += _steps(page.lines, number + 1, end)
        elif language == "sh":
            page.installs += [line for line in page.lines[number + 1 : end] if line and not line.startswith("#")]
        elif name:
            page.files[name] = "\n".join(page.lines[number + 1 : end]) + "\n"
        number = end + 1
    return page


def run(page: Page, folder: Path, environment: dict[str, str], already: dict[str, str]) -> None:
    """Run the page's commands in one shell in `folder`. `already`: commands that ran before, with their output."""
    for name, text in page.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    script = []
    for step in page.steps:
        if step.command in already:
            (folder / "already.txt").write_text(already[step.command], encoding="utf-8")
            script.append("cat already.txt")
        else:
            script.append(step.command)
        script.append(f'printf "\\n%s %s\\n" "{_MARK}" "$?"')
    done = subprocess.run(
        ["bash", "-c", "exec 2>&1\n" + "\n".join(script)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    parts = re.split(rf"^{_MARK} (\d+)\n", done.stdout, flags=re.MULTILINE)
    assert len(parts) == 2 * len(page.steps) + 1, f"the shell of {page.path.name} ended early:\n{done.stdout}"
    for step, printed, status in zip(page.steps, parts[0::2], parts[1::2], strict=False):
        # The mark brings one line end of its own.
        step.printed = [line.rstrip() for line in printed.removesuffix("\n").removesuffix("\n").splitlines()]
        step.status = int(status)


def settled(line: str) -> str:
    """Return a line with placeholders for what differs from run to run."""
    for varying, name in _VARYING:
        line = varying.sub(name, line)
    return line.rstrip()


def _steps(lines: list[str], start: int, end: int) -> list[Step]:
    steps: list[Step] = []
    number = start
    while number < end:
        assert lines[number].startswith("$ "), f"a console block starts with a command: {lines[number]}"
        command = lines[number][2:]
        while command.endswith("\\"):
            number += 1
            command += "\n" + lines[number]
        number += 1
        first = number
        while number < end and not lines[number].startswith("$ "):
            number += 1
        steps.append(Step(command, first, number, lines[first:number]))
    return steps


def _matches(shown: list[str], printed: list[str]) -> bool:
    """Whether the printed lines are the shown ones; `...` stands for any lines."""
    if "..." not in shown:
        return shown == printed
    cut = shown.index("...")
    if shown[:cut] != printed[:cut]:
        return False
    rest = shown[cut + 1 :]
    return any(_matches(rest, printed[at:]) for at in range(cut, len(printed) + 1))
