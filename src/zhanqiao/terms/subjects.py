# SPDX-License-Identifier: Apache-2.0
"""Who data is about: kinds of subjects and their 18-character identifiers, normalised once at the border."""

from dataclasses import dataclass
from enum import StrEnum


class SubjectKind(StrEnum):
    """A protected unit. Thresholds count each kind apart."""

    PERSON = "person"
    ENTERPRISE = "enterprise"


ID_LENGTH = 18
# Full-width digits and letters (U+FF10 to U+FF5A) stand 0xFEE0 above their ASCII forms.
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF10, 0xFF5B)}


def normalise_id(text: str) -> str:
    """Return an identifier in its one spelling: half-width, upper case, without spaces or dashes."""
    return text.translate(_FULL_WIDTH).strip().replace("-", "").replace(" ", "").upper()


@dataclass(frozen=True)
class Subject:
    """One subject, named by its identifier, which never leaves the request that carried it."""

    kind: SubjectKind
    identifier: str

    def __repr__(self) -> str:
        # An identifier must not reach a log through a traceback or an f-string.
        return f"Subject(kind={self.kind.value!r}, identifier='…')"
