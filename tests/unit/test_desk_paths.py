# SPDX-License-Identifier: Apache-2.0
"""On which kind of file system a path lies, by the kernel's own list of mounts."""

import os
from pathlib import Path

import pytest

from zhanqiao.desk import paths
from zhanqiao.desk.paths import file_system_of

_MOUNT = b"36 25 0:31 / %s rw,relatime shared:1 - %s none rw\n"


def escaped(point: bytes) -> bytes:
    """Return a name as the kernel writes it into the list."""
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\" else bytes([byte]) for byte in point)


@pytest.mark.parametrize("name", ["plain", "数据", "two words", "a\\040b", "line\nbreak", os.fsdecode(b"\xff\xfe")])
def test_a_mount_is_found_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (point := tmp_path / name).mkdir()
    mounts = tmp_path / "mountinfo"
    listed = [(b"/", b"ext4"), (os.fsencode(point), b"tmpfs"), (os.fsencode(tmp_path / "x\udcff"), b"nfs4")]
    mounts.write_bytes(b"".join(_MOUNT % (escaped(at), kind) for at, kind in listed))
    monkeypatch.setattr(paths, "_MOUNTS", mounts)
    assert file_system_of(point / "deployment") == "tmpfs"
    assert file_system_of(tmp_path / "elsewhere") == "ext4"
