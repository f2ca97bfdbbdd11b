# SPDX-License-Identifier: Apache-2.0
"""Permits: the only thing that the vault runs. Only `policy` makes them.

A permit names its request and expires. It is built by `policy.decide` and by nobody else: the constructor wants the
mark of this package, and a test walks the tree for any other caller.
"""

from dataclasses import dataclass, field
from datetime import datetime

from zhanqiao.policy.ir import Statement
from zhanqiao.terms.datasets import CubeSpec
from zhanqiao.terms.services import Evidence, Trace
from zhanqiao.terms.subjects import SubjectKind


class _Mark:
    """Held by `policy` alone."""


MARK = _Mark()


@dataclass(frozen=True)
class Permit:
    """What every permit says: which request, made by whom it is answered for, until when."""

    request: str
    expires: datetime
    mark: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.mark is not MARK:
            raise TypeError("only policy makes permits")


@dataclass(frozen=True)
class AnswerPermit(Permit):
    """One statement on one snapshot, answered from one published cube."""

    agreement: str
    statement: Statement
    statement_digest: str
    snapshot: str
    cube: CubeSpec


@dataclass(frozen=True)
class EvidencePermit(Permit):
    """What one service may read about one subject (or, for a batch, about its roster) on named snapshots."""

    agreement: str
    service: str
    subject_kind: SubjectKind
    evidence: tuple[Evidence, ...]
    traces: tuple[Trace, ...]
    roster: str | None
    roster_where: tuple[tuple[str, tuple[str, ...]], ...]
    snapshots: dict[str, str]


@dataclass(frozen=True)
class BuildPermit(Permit):
    """Something derived that stays inside: a cube, or the newest date per person."""

    dataset: str
    snapshot: str
    build: CubeSpec | str


@dataclass(frozen=True)
class LoadPermit(Permit):
    """One batch, named by digest, into one dataset under one contract version."""

    dataset: str
    contract_digest: str
    batch_digest: str
    snapshot: str
