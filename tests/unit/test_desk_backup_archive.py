# SPDX-License-Identifier: Apache-2.0
"""What goes into a backup is one file, also where another takes its name meanwhile."""

import io
import tarfile
from pathlib import Path, PosixPath
from typing import IO, Any

import pytest

from zhanqiao.desk.operation.archive import packing


class Renewed(PosixPath):
    """A file that somebody writes anew as soon as it is open, as a checkpoint is."""

    newer = b""

    def open(self, *how: Any, **more: Any) -> IO[Any]:  # type: ignore[override]
        """Open it, and let the newer one take its name."""
        file = super().open(*how, **more)
        part = Path(f"{self}.part")
        part.write_bytes(self.newer)
        part.replace(self)
        return file


@pytest.mark.parametrize("newer", [b"short", b"a good deal longer"])
def test_a_file_that_is_replaced_is_packed_as_it_was(tmp_path: Path, newer: bytes) -> None:
    path = Renewed(tmp_path / "checkpoint")
    Path(path).write_bytes(b"ten bytes.")
    path.newer = newer
    target = io.BytesIO()
    with packing(target) as archive:
        archive.add("ledger/checkpoint", path)
    assert Path(path).read_bytes() == newer
    with tarfile.open(fileobj=io.BytesIO(target.getvalue())) as tar:
        member = tar.extractfile("ledger/checkpoint")
        assert member is not None
        assert member.read() == b"ten bytes."
