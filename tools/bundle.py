# SPDX-License-Identifier: Apache-2.0
"""Pack all that an installation takes into one file, for a machine that reaches no registry: `make bundle`.

    wheels/             every package of requirements/core.txt for this kind of machine, and the product's own
    requirements.txt    the same lock, with the product's own wheel and its hash
    sbom.cdx.json       what is in it and under which licences (CycloneDX), read from an installation of the bundle
    INSTALL.md          how to
    docs/               the manual, with README, GLOSSARY and SECURITY beside it
    install             checks SHA256SUMS, then installs into a new folder, without network
    SHA256SUMS          of all other files

The same commit packs to the same bytes. Nothing is packed that does not install: the list is made of an installation.
"""

import argparse
import gzip
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements" / "core.txt"
SUMS = "SHA256SUMS"
# For whoever has no network to read them in.
_READ_AT_ROOT = ("README.md", "README.zh-CN.md", "GLOSSARY.md", "LICENSE", "SECURITY.md", "CHANGELOG.md")
_READ = (".md", ".svg", ".png")


def main() -> int:
    """Pack; print where it lies, and its digest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder that gets the bundle")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="zhanqiao-bundle-") as scratch:
        folder = Path(scratch) / name()
        gather(folder)
        (folder / "sbom.cdx.json").write_bytes(bill_of_materials(folder, Path(scratch) / "installed"))
        write_sums(folder)
        packed = pack(folder, out / f"{folder.name}.tar.gz")
    print(f"{packed}\nsha256 {digest_of(packed)}")
    return 0


def name() -> str:
    """Return what the bundle is called: version, system, machine, Python."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    major, minor = sys.version_info[:2]
    return f"zhanqiao-{version}-{platform.system().lower()}-{platform.machine()}-py{major}{minor}"


def gather(folder: Path) -> None:
    """Bring everything but the list and the digests into a new folder."""
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    _pip("download", "--require-hashes", "--only-binary", ":all:", "--dest", str(wheels), "-r", str(LOCK))
    own = _own_wheel(wheels)
    version = own.name.split("-")[1]
    locked = LOCK.read_text(encoding="utf-8") + f"zhanqiao=={version} \\\n    --hash=sha256:{digest_of(own)}\n"
    (folder / "requirements.txt").write_text(locked, encoding="utf-8")
    for part in ("tools/offline/install", "tools/offline/INSTALL.md", *_READ_AT_ROOT):
        shutil.copy(ROOT / part, folder)
    for part in _run("git", "-C", str(ROOT), "ls-files", "docs").split():
        if part.endswith(_READ):
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, folder / part)


def bill_of_materials(folder: Path, place: Path) -> bytes:
    """Install the bundle as its reader will, and return the list of what is there."""
    write_sums(folder)
    _run(str(folder / "install"), str(place), sys.executable)
    (folder / SUMS).unlink()
    lister = (sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--of", "JSON")
    pyproject = ("--pyproject", str(ROOT / "pyproject.toml"))
    return _run(*lister, *pyproject, "--spec-version", "1.6", str(place / "bin" / "python")).encode()


def write_sums(folder: Path) -> None:
    """Write the digest of every file, as `sha256sum --check` reads it."""
    lines = [f"{digest_of(path)}  {path.relative_to(folder)}\n" for path in _files(folder) if path.name != SUMS]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def pack(folder: Path, target: Path) -> Path:
    """Pack a folder so that equal content is equal bytes: in order, without owners, of the commit's time."""
    moment = committed()
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, moment) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in _files(folder):
            member = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder)}")
            member.size, member.mtime = path.stat().st_size, moment
            member.mode = 0o755 if path.name == "install" else 0o644
            with path.open("rb") as content:
                archive.addfile(member, content)
    return target


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def committed() -> int:
    """Return when the packed commit was made, in seconds."""
    return int(_run("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))


def _own_wheel(wheels: Path) -> Path:
    """Build the product's wheel of what git has, so that no leftover of the working copy gets in."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        archive = Path(scratch) / "tree.tar"
        _run("git", "-C", str(ROOT), "archive", "--output", str(archive), "HEAD")
        with tarfile.open(archive) as packed:
            packed.extractall(tree, filter="data")
        before = set(wheels.iterdir())
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(tree))
        [built] = set(wheels.iterdir()) - before
    return built


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _pip(*words: str) -> str:
    return _run(sys.executable, "-m", "pip", words[0], "--quiet", "--disable-pip-version-check", *words[1:])


def _run(*words: str) -> str:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", "315532800")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"couldn't pack the bundle: {' '.join(words[:4])} ended with {done.returncode}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
