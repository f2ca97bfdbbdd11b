# SPDX-License-Identifier: Apache-2.0
"""The offline bundle installs where there is no network, says what is in it, and refuses what was altered."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, packed and unpacked."""
    folder = tmp_path_factory.mktemp("bundle")
    done = _run(sys.executable, ROOT / "tools" / "bundle.py", "--out", folder)
    assert done.returncode == 0, done.stderr
    [file] = folder.glob("*.tar.gz")
    assert f"{file}\nsha256 " in done.stdout
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    return folder / file.name.removesuffix(".tar.gz")


def _run(*words: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, **environment}
    return subprocess.run([str(word) for word in words], env=env, capture_output=True, text=True, check=False)


def _without_network() -> list[str]:
    """Return what runs a command in a network of its own, which reaches nobody."""
    walls = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user", "--user"])]
    return walls if _run(*walls, "true").returncode == 0 else []


def test_it_installs_without_network_and_what_it_installs_works(packed: Path, tmp_path: Path) -> None:
    walls = _without_network()
    assert walls or not os.environ.get("CI"), "CI must be able to shut the network off"
    done = _run(*walls, packed / "install", tmp_path / "place", sys.executable, PIP_INDEX_URL="http://127.0.0.1:9/")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("zhanqiao ")
    zhanqiao = tmp_path / "place" / "bin" / "zhanqiao"
    assert _run(zhanqiao, "init", "--home", tmp_path / "home", "--origin", "a/log", "--lang", "en").returncode == 0
    assert _run(zhanqiao, "ledger", "audit", "--home", tmp_path / "home", "--lang", "en").returncode == 0
    # A folder that is there is not installed over.
    assert _run(packed / "install", tmp_path / "place", sys.executable).returncode == 2


def test_the_manual_is_in_it(packed: Path) -> None:
    """There is no network to read it in."""
    for page in ("docs/howto/run-a-deployment.md", "docs/howto/run-a-deployment.zh.md", "docs/reference/growth.svg"):
        assert (packed / page).read_bytes() == (ROOT / page).read_bytes()
    assert "docs/howto/run-a-deployment.md" in (packed / "INSTALL.md").read_text(encoding="utf-8")


def test_the_list_names_every_wheel_with_version_and_licence(packed: Path) -> None:
    listed = json.loads((packed / "sbom.cdx.json").read_text(encoding="utf-8"))
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    assert listed["metadata"]["component"]["name"] == "zhanqiao"
    components = {(_plain(one["name"]), one["version"]): one for one in listed["components"]}
    wheels = {(_plain(path.name.split("-")[0]), path.name.split("-")[1]) for path in (packed / "wheels").iterdir()}
    own = {wheel for wheel in wheels if wheel[0] == "zhanqiao"}
    assert len(own) == 1
    assert wheels - own <= components.keys()
    assert not [name for name, one in components.items() if name in wheels and not one.get("licenses")]
    assert str(Path.home()) not in json.dumps(listed)
    assert "/tmp" not in json.dumps(listed)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def test_under_a_narrow_umask_it_installs_what_every_user_can_run(packed: Path, tmp_path: Path) -> None:
    narrow = f"umask 077 && '{packed / 'install'}' '{tmp_path / 'place'}' '{sys.executable}'"
    assert _run("sh", "-c", narrow).returncode == 0
    closed = [path for path in (tmp_path / "place").rglob("*") if not _open_to_all(path)]
    assert not closed
    assert _open_to_all(tmp_path / "place")


def _open_to_all(path: Path) -> bool:
    mode = path.stat().st_mode
    return bool(mode & 0o004) and ((not path.is_dir() and not mode & 0o100) or bool(mode & 0o001))


@pytest.mark.parametrize("altered", ["wheels", "requirements.txt", "sbom.cdx.json", "SHA256SUMS"])
def test_what_was_altered_is_not_installed(packed: Path, tmp_path: Path, altered: str) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(packed, bundle, copy_function=os.link)
    path = min((bundle / altered).iterdir()) if altered == "wheels" else bundle / altered
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()  # another name of the packed file: that one stays as it is
    path.write_bytes(content)
    done = _run(bundle / "install", tmp_path / "place", sys.executable)
    assert done.returncode == 1
    assert "the bundle is not what was packed" in done.stderr
    assert not (tmp_path / "place").exists()


@pytest.mark.parametrize("beside", ["venv.py", "wheels/more.whl", "link", "LICENSE ", "LICENSE\nSECURITY.md"])
def test_what_was_laid_beside_it_runs_never_and_stops_it(packed: Path, tmp_path: Path, beside: str) -> None:
    bundle = tmp_path / "a bundle"
    shutil.copytree(packed, bundle, copy_function=os.link)
    ran = tmp_path / "ran"
    if beside == "link":
        (bundle / beside).symlink_to("/etc/passwd")
    else:
        (bundle / beside).write_text(f"open({str(ran)!r}, 'w')\n", encoding="utf-8")
    done = subprocess.run(
        ["./install", str(tmp_path / "place"), sys.executable], cwd=bundle, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"./{beside}" in done.stdout + done.stderr
    assert not ran.exists()
    assert not (tmp_path / "place").exists()


def test_a_wheel_whose_digest_was_written_anew_is_refused_by_the_lock(packed: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(packed, bundle, copy_function=os.link)
    wheel = min((bundle / "wheels").glob("zhanqiao-*"))
    content = wheel.read_bytes() + b"\0"
    wheel.unlink()
    wheel.write_bytes(content)
    (bundle / "SHA256SUMS").unlink()
    sums = _run("sh", "-c", f"cd {bundle} && find * -type f ! -name SHA256SUMS | sort | xargs sha256sum").stdout
    (bundle / "SHA256SUMS").write_text(sums, encoding="utf-8")
    done = _run(bundle / "install", tmp_path / "place", sys.executable)
    assert done.returncode == 1
    assert "HASH" in done.stderr.upper()
    assert not (tmp_path / "place").exists()


def test_the_same_content_packs_to_the_same_bytes(packed: Path, tmp_path: Path) -> None:
    [first] = packed.parent.glob("*.tar.gz")
    packing = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import bundle;"
        "print(bundle.digest_of(bundle.pack(Path(sys.argv[2]), Path(sys.argv[3]))))"
    )
    again = _run(sys.executable, "-c", packing, ROOT / "tools", packed, tmp_path / "again.tar.gz")
    assert again.stdout.split() == [_run("sha256sum", first).stdout.split()[0]]
