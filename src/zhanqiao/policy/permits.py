# SPDX-License-Identifier: Apache-2.0
"""Permits: the only thing that the vault runs. Only `policy` makes them.

A permit names its request and expires. It is built by `policy.decide` and by nobody else: the constructor wants the
mark of this package, which no permit carries on, and a test walks the tree for any other caller. What was built is kept
in mind, by identity and with what it says. So a permit that was put together without the constructor, copied, unpickled,
replaced in part or changed afterwards is none, and the vault refuses it.

What this can hold: data, arguments and honest code, whatever they hand over. What it cannot: code that runs in this
process and means harm can import the mark, as it can read this process's memory. Against that stands the process's edge.
"""

import weakref
from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from datetime import datetime
from types import MappingProxyType

from zhanqiao.policy.ir import Statement
from zhanqiao.terms.datasets import CubeSpec
from zhanqiao.terms.services import Evidence, Trace
from zhanqiao.terms.subjects import SubjectKind


class _Mark:
    """Held by `policy` alone."""


MARK = _Mark()
# By identity: the permit, as long as somebody holds it, and what it said when it was made.
_made: dict[int, tuple["weakref.ref[Permit]", str]] = {}


@dataclass(frozen=True)
class Permit:
    """What every permit says: which request, made by whom it is answered for, until when."""

    request: str
    expires: datetime
    mark: InitVar[object]

    def __post_init__(self, mark: object) -> None:
        if mark is not MARK:
            raise TypeError("only policy makes permits")
        place = id(self)
        _made[place] = (weakref.ref(self, lambda _: _made.pop(place, None)), repr(self))


def is_made_here(permit: object) -> bool:
    """Whether this very permit was made by `policy`, and says what it said then."""
    permit_made, said = _made.get(id(permit), (None, ""))
    return permit_made is not None and permit_made() is permit and said == repr(permit)


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
    """What one service may read about one subject (or, for a batch, about its roster) on named snapshots.

    subject  the vault's keyed digest of whom it is about; None for whoever is on the roster
    consent  which consent it stands on, as issuer:nonce; None where there is none
    told     whether what is read is handed out. Without the consent that the service needs it is not: the vault does
             the same work, so that nobody learns from the time it takes, and says nothing.
    """

    agreement: str
    service: str
    subject_kind: SubjectKind
    subject: str | None
    consent: str | None
    told: bool
    evidence: tuple[Evidence, ...]
    traces: tuple[Trace, ...]
    roster: str | None
    roster_where: tuple[tuple[str, tuple[str, ...]], ...]
    snapshots: Mapping[str, str]

    def __post_init__(self, mark: object) -> None:
        # A copy of ours that nobody can write to.
        object.__setattr__(self, "snapshots", MappingProxyType(dict(self.snapshots)))
        super().__post_init__(mark)


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
