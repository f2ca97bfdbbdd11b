# SPDX-License-Identifier: Apache-2.0
"""A built wheel is the whole product: every file of the package is in it, and the command runs from it alone.

Built without network, from a copy of what git tracks, so that no leftover of another build can help it.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def _run(*words: str | Path, cwd: Path, **environment: str) -> str:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    # An index that is nowhere: whoever wants to download something, fails.
    env = {**kept, "LANG": "C.UTF-8", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment}
    done = subprocess.run([*words], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    for name in _tracked():
        if name.startswith("src/") or "/" not in name:
            (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / "tree" / name)
    pip = (sys.executable, "-m", "pip")
    _run(
        *pip,
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
        folder / "tree",
        cwd=folder,
    )
    [built] = folder.glob("*.whl")
    return built


def test_every_file_of_the_package_is_in_it_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == {name.removeprefix("src/") for name in _tracked() if name.startswith("src/")}


def test_the_command_runs_from_it_alone(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    pip = (sys.executable, "-m", "pip")
    _run(*pip, "install", "--quiet", "--no-deps", "--target", site, wheel, cwd=tmp_path)

    def zhanqiao(*words: str) -> str:
        return _run(sys.executable, site / "bin" / "zhanqiao", *words, cwd=tmp_path, PYTHONPATH=str(site))

    where = "import zhanqiao; print(zhanqiao.__file__)"
    assert _run(sys.executable, "-c", where, cwd=tmp_path, PYTHONPATH=str(site)).startswith(str(site))
    assert "demo" in zhanqiao("--help")
    assert len(json.loads(zhanqiao("resident", "criteria", "--json"))) == 6
    zhanqiao("init", "--home", "home", "--origin", "zhanqiao.test/log")
    assert zhanqiao("ledger", "audit", "--home", "home", "--lang", "en").startswith("The ledger is whole")
    contracts = "from zhanqiao.scenarios.city.delivery import city_contracts; print(len(city_contracts()))"
    assert int(_run(sys.executable, "-c", contracts, cwd=tmp_path, PYTHONPATH=str(site))) >= 56
