# SPDX-License-Identifier: Apache-2.0
"""What goes into a backup is one file, also where another takes its name meanwhile."""

import io
import tarfile
from pathlib import Path

import pytest

from zhanqiao.desk.operation.archive import packing


@pytest.mark.parametrize("newer", [b"short", b"a good deal longer"])
def test_a_file_that_is_replaced_is_packed_as_it_was(tmp_path: Path, newer: bytes) -> None:
    path, part, target = tmp_path / "checkpoint", tmp_path / "part", io.BytesIO()
    path.write_bytes(b"ten bytes.")
    part.write_bytes(newer)
    with packing(target) as archive, path.open("rb") as file:
        part.replace(path)
        archive.add("ledger/checkpoint", file)
    assert path.read_bytes() == newer
    with tarfile.open(fileobj=io.BytesIO(target.getvalue())) as tar:
        member = tar.extractfile("ledger/checkpoint")
        assert member is not None
        assert member.read() == b"ten bytes."
