# SPDX-License-Identifier: Apache-2.0
"""Answers on the receiver's disk: the answer file and its certificate side by side, under the request's id."""

from pathlib import Path

from zhanqiao.doors.release import Release


def write_release(release: Release, folder: Path) -> Path:
    """Write both files and return the certificate's path; `verify` finds the answer by its name."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    certificate = folder / f"{release.request}.cert"
    answer_path(certificate).write_bytes(release.answer_file)
    certificate.write_bytes(release.certificate)
    return certificate


def answer_path(certificate: Path) -> Path:
    """Return where the answer of a certificate lies."""
    return certificate.with_name(certificate.name.removesuffix(".cert") + ".answer.json")
