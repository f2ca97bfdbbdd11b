# SPDX-License-Identifier: Apache-2.0
"""Requests at the doors, parsed once at the border."""

from dataclasses import dataclass

from zhanqiao.terms.subjects import Subject


@dataclass(frozen=True)
class StatisticsRequest:
    """A statement under an agreement. The same request id always gets the same bytes and one charge."""

    id: str
    agreement: str
    by: str
    statement: str


@dataclass(frozen=True)
class DecisionRequest:
    """A service called for one subject. `consent` is the signed consent token, where the service needs one."""

    id: str
    agreement: str
    by: str
    service: str
    subject: Subject
    consent: str | None = None


@dataclass(frozen=True)
class BatchDecisionRequest:
    """A service called for every subject of the agreed roster (a duty-based list held inside)."""

    id: str
    agreement: str
    by: str
    service: str
