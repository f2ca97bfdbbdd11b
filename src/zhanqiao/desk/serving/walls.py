# SPDX-License-Identifier: Apache-2.0
"""Walls (隔离墙): what keeps one thing from another, and which of them are missing here.

The examination names each; the production profile is not served without those that are `REQUIRED`.
"""

from collections.abc import Iterator
from pathlib import Path

from zhanqiao.desk.configuration import PRODUCTION
from zhanqiao.desk.sealed_keys import KEYS, SEALED, Seal, lying_open
from zhanqiao.desk.serving.plan import Plan
from zhanqiao.identity.directory import find_person, people
from zhanqiao.identity.people import ADDERS
from zhanqiao.terms.refusals import Reason, Refusal

REQUIRED = frozenset({"wall-one-user", "wall-keys-unsealed", "wall-swap", "wall-one-administrator", "wall-nobody"})
_SWAPS = Path("/proc/swaps")
_SWAP_HEADER = 1


def missing(planned: Plan) -> Refusal | None:
    """Refuse to serve in production where a wall is missing; the deployment is open."""
    if planned.deployment.profile != PRODUCTION:
        return None
    found = (*processes(planned), *keys(planned.home, PRODUCTION), *memory(), *administrators())
    reasons = tuple(reason for reason in found if reason.code in REQUIRED)
    return Refusal(reasons) if reasons else None


def processes(planned: Plan) -> Iterator[Reason]:
    """Whether what faces the network runs as another user than what holds the keys."""
    if not planned.apart:
        yield Reason("wall-one-user", {"user": planned.owner.name})


def keys(home: Path, profile: str) -> Iterator[Reason]:
    """Whether the disk that holds the data gives no keys away."""
    folder, vault = home / KEYS, home / "vault"
    # One is enough: a split that died may have left it beside the seal.
    if not lying_open(folder):
        return
    if profile == PRODUCTION:
        yield Reason("wall-keys-unsealed")
    elif folder.exists() and vault.exists() and folder.stat().st_dev == vault.stat().st_dev:
        yield Reason("wall-keys-beside-data")


def memory() -> Iterator[Reason]:
    """Whether memory stays off the disk; every process that holds keys or rows leaves no core."""
    if _SWAPS.exists() and len(_SWAPS.read_bytes().splitlines()) > _SWAP_HEADER:
        yield Reason("wall-swap")


def custodians(home: Path) -> Iterator[Reason]:
    """Whether whoever can open the keys is in service."""
    if (home / KEYS / SEALED).exists():
        for custodian in Seal.read(home / KEYS).custodians:
            person = find_person(custodian)
            if person is None or not person.active:
                yield Reason("wall-custodian-left", {"person": custodian})


def administrators() -> Iterator[Reason]:
    """Whether someone could still make accounts, or give roles, after one key was lost."""
    registered = people()
    if not registered:
        yield Reason("wall-nobody")
    for role in ADDERS:
        held = [person.id for person in registered if person.holds(role)]
        if len(held) == 1:
            yield Reason("wall-one-administrator", {"person": held[0], "role": role.value})
