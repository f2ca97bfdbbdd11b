# SPDX-License-Identifier: Apache-2.0
"""Run the tests that SECURITY.md names and print the threat table with what each row came to.

    T19 replayed consent            47 attempts, 0 got through
    T03 malicious artifact          not built yet

A row that names neither a test nor `not built yet` is a claim that nobody holds, and fails. Arguments go to pytest.
"""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
_ROW = re.compile(r"^\| (T\d+) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/*.]+\.py)`")
_UNBUILT = "not built yet"


def rows() -> list[tuple[str, str, list[Path], str]]:
    """Return id, threat, test files and figure of every row."""
    table = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    return [
        (name, threat, [path for glob in _TEST.findall(tests) for path in sorted(ROOT.glob(glob))], figure)
        for name, threat, _, tests, figure in _ROW.findall(table)
    ]


def run(files: list[Path], arguments: list[str]) -> dict[str, Counter[str]]:
    """Run the files once; returns how many cases of each went how."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-o", "junit_family=xunit1", f"--junitxml={report}", *arguments]
        subprocess.run([*command, *map(str, files)], cwd=ROOT, check=False)
        if not report.exists():
            sys.exit("couldn't run the tests")
        found: dict[str, Counter[str]] = {}
        for case in ET.parse(report).iter("testcase"):
            went = next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "held")
            found.setdefault(str(case.get("file")), Counter())[went] += 1
        return found


def main(arguments: list[str]) -> int:
    """Print the table; 1 when something got through, could not be tried, or is claimed without a test."""
    table = rows()
    found = run(sorted({path for _, _, files, _ in table for path in files}), arguments)
    bad = 0
    for name, threat, files, figure in table:
        went = sum((found.get(str(path.relative_to(ROOT)), Counter()) for path in files), Counter[str]())
        through = went["failure"] + went["error"]
        # A row whose tests are all long is tried by FULL=1 alone.
        put_off = bool(files) and not went.total() and "not slow" in arguments
        if put_off:
            said = "its tests are slow: FULL=1 runs them"
        elif files:
            said = f"{went.total() - went['skipped']} attempts, {through} got through"
            said += f", {went['skipped']} left out" if went["skipped"] else ""
            said += f"; in part {_UNBUILT}" if _UNBUILT in figure else ""
        else:
            said = _UNBUILT if _UNBUILT in figure else "claimed, and no test holds it"
        bad += (
            bool(through)
            or said.startswith("claimed")
            or bool(files and not put_off and went.total() == went["skipped"])
        )
        print(f"{name}  {threat[:58]:<58}  {said}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
