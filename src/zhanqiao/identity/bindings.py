# SPDX-License-Identifier: Apache-2.0
"""Bindings (绑定): by a digest the log knows what a row says, and does not say it.

Of an organisation everything is public. What names a person could be guessed from a plain digest, so that a salt of the
row's own, which the log never learns, keeps it mute.
"""

from collections.abc import Iterable

from zhanqiao.identity.models import ConsentKeyRow, EvidenceRow, OrganisationRow, PersonRow
from zhanqiao.terms.canonical import digest


def organisation_binding(row: OrganisationRow) -> str:
    """Digest what an organisation is called, and its credit code."""
    return digest([row.id, row.name, row.code])


def person_binding(row: PersonRow) -> str:
    """Digest what a person is called, and which natural person it is."""
    return digest([row.salt, row.id, row.name, row.natural])


def consent_key_binding(row: ConsentKeyRow) -> str:
    """Digest which key is bound to whom; of a subject, under the salt of the row."""
    return digest([bytes(row.public).hex(), row.organisation_id, row.subject_kind, row.salt, row.digest])


def evidence_digest(rows: Iterable[EvidenceRow]) -> str:
    """Digest what an applicant handed in, in the order in which it was written down."""
    return digest([[row.criterion, row.reference] for row in rows])
