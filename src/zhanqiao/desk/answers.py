# SPDX-License-Identifier: Apache-2.0
"""Answers on the receiver's disk: the answer file and its certificate side by side, under the request's id.

Both are written whole, for their owner alone. What stands there already is never replaced: with the same bytes it is
the same answer again, with others it is somebody else's.
"""

import os
from pathlib import Path
from tempfile import TemporaryFile

from zhanqiao.doors.release import Release
from zhanqiao.ledger import durable
from zhanqiao.ledger.certificate import CERTIFICATE, answer_path
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.terms.refusals import Refusal, refuse


def write_release(release: Release, folder: Path) -> Path | Refusal:
    """Write both files and return the certificate's path; `verify` finds the answer by its name.

    The answer left the vault before and stays charged: the same request id brings it again, and a crash between the two
    files is repaired by that.
    """
    certificate = folder / f"{release.request}{CERTIFICATE}"
    files = {answer_path(certificate): release.answer_file, certificate: release.certificate}
    try:
        for path, content in files.items():
            if not _kept(path, content):
                return refuse("answer-file-differs", file=str(path), request=release.request)
    except OSError as cause:
        return refuse("answer-not-written", folder=str(folder), request=release.request, cause=cause.strerror or "-")
    return certificate


def check_folder(folder: Path) -> Refusal | None:
    """Return why answers cannot be written there, if so; leaves nothing behind.

    What is not made yet is made by the first answer, so the nearest folder above it is tried. Tried, not asked: rights do
    not tell of a disk that is mounted for reading.
    """
    nearest = folder
    while not os.path.lexists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        with TemporaryFile(dir=nearest):
            return None
    except OSError as cause:
        return refuse("answer-folder-unusable", folder=str(folder), cause=cause.strerror or "-")


def _kept(path: Path, content: bytes) -> bool:
    """Write a file; False when another stands there."""
    try:
        durable.write_new(path, content)
    except FileExistsError:
        return read_bounded(path, len(content)) == content
    return True
