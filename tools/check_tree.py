# SPDX-License-Identifier: Apache-2.0
"""What no linter checks: licence lines, who makes permits, leftovers, registry hosts, attacks, generated pages.

Exit 1 and a line for each finding.
"""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Split, so that this file does not find itself.
_LEFTOVERS = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]))
_HOSTS = re.compile("|".join(["pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npm", "deb" + r"\.debian"]))
_PERMITS = re.compile(r"\b(Answer|Evidence|Build|Load)Permit\(")


def findings() -> list[str]:
    """Return one line for each thing that should not be."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    found = []
    threats = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = [pattern.rstrip("/") for pattern in re.findall(r"`(tests/[^`]+)`", threats)]
    for name in filter(None, tracked.decode().split("\0")):
        path = ROOT / name
        if fnmatch(name, "tests/attacks/test_*.py") and not any(fnmatch(name, row) for row in rows):
            found.append(f"{name}: no row of SECURITY.md names it")
        if not path.is_file() or path.suffix in {".png", ".cert"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".py" and "migrations" not in path.parts and "SPDX-License-Identifier" not in text[:200]:
            found.append(f"{name}: no licence line")
        if name.startswith(("src/", "bench/", "tools/")) and _LEFTOVERS.search(text):
            found.append(f"{name}: a leftover")
        if _HOSTS.search(text):
            found.append(f"{name}: names a registry's host")
        if name.startswith("src/") and not name.startswith("src/zhanqiao/policy/") and _PERMITS.search(text):
            found.append(f"{name}: makes a permit; only policy may")
    return found


def main() -> int:
    """Print findings; also say when the generated reference is stale."""
    found = findings()
    for line in found:
        print(line)
    stale = subprocess.run([sys.executable, ROOT / "tools" / "make_reference.py", "--check"], check=False).returncode
    return 1 if found or stale else 0


if __name__ == "__main__":
    sys.exit(main())
