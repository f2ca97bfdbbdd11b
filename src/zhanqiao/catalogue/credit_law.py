# SPDX-License-Identifier: Apache-2.0
"""Kinds of information that the credit-reporting regulation treats apart (征信业管理条例 14-20).

A contract tags an item with one of these words; agreements and decisions ask here what the tag demands.
"""

from enum import StrEnum


class CreditClass(StrEnum):
    """What the law demands before an item of that class is used for credit."""

    FORBIDDEN = "forbidden"  # never: refuse when planning
    CONSENT_ONLY = "consent_only"  # after a warning of adverse effect, with written consent on file
    NEGATIVE = "negative"  # tell the subject first; expires five years after the conduct ended
    LAWFULLY_PUBLIC = "lawfully_public"  # no consent; keep the source


CATEGORIES: dict[str, CreditClass] = {
    "religion": CreditClass.FORBIDDEN,
    "gene": CreditClass.FORBIDDEN,
    "fingerprint": CreditClass.FORBIDDEN,
    "blood_type": CreditClass.FORBIDDEN,
    "disease": CreditClass.FORBIDDEN,
    "medical_history": CreditClass.FORBIDDEN,
    "income": CreditClass.CONSENT_ONLY,
    "deposit": CreditClass.CONSENT_ONLY,
    "securities": CreditClass.CONSENT_ONLY,
    "commercial_insurance": CreditClass.CONSENT_ONLY,
    "real_estate": CreditClass.CONSENT_ONLY,
    "tax_amount": CreditClass.CONSENT_ONLY,
    "negative": CreditClass.NEGATIVE,
    "lawfully_public": CreditClass.LAWFULLY_PUBLIC,
}
