# SPDX-License-Identifier: Apache-2.0
"""Answers on the receiver's disk: the answer file and its certificate side by side, under the request's id.

Both are written whole, for their owner alone. What stands there already is never replaced: with the same bytes it is
the same answer again, with others it is somebody else's.
"""

from pathlib import Path

from zhanqiao.doors.release import Release
from zhanqiao.ledger import durable
from zhanqiao.terms.refusals import Refusal, refuse


def write_release(release: Release, folder: Path) -> Path | Refusal:
    """Write both files and return the certificate's path; `verify` finds the answer by its name.

    The answer left the vault before and stays charged: the same request id brings it again, and a crash between the two
    files is repaired by that.
    """
    certificate = folder / f"{release.request}.cert"
    files = {answer_path(certificate): release.answer_file, certificate: release.certificate}
    try:
        for path, content in files.items():
            if not _kept(path, content):
                return refuse("answer-file-differs", file=str(path), request=release.request)
    except OSError as cause:
        return refuse("answer-not-written", folder=str(folder), request=release.request, cause=cause.strerror or "-")
    return certificate


def answer_path(certificate: Path) -> Path:
    """Return where the answer of a certificate lies."""
    return certificate.with_name(certificate.name.removesuffix(".cert") + ".answer.json")


def _kept(path: Path, content: bytes) -> bool:
    """Write a file; False when another stands there."""
    try:
        durable.write_new(path, content)
    except FileExistsError:
        return path.read_bytes() == content
    return True
