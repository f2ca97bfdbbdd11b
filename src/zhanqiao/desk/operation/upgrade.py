# SPDX-License-Identifier: Apache-2.0
"""Upgrade: bring a state that an older version made to the tables of this one.

Each migration is one transaction; a crash between two leaves the rest for the next `upgrade`. Every other command refuses
to open a state in between.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from zhanqiao.desk import state
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.backup import HOST
from zhanqiao.desk.operation.sealing import log_opened, opening
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Refusal
from zhanqiao.vault.house import House


def upgrade(home: Path, shares: Sequence[str] = ()) -> tuple[str, ...] | Refusal:
    """Do what is left to do, log it, and return the migrations that were done; none when all had been.

    shares  what opens the keys where they are sealed; nothing else opens them while the state is an older version's
    """
    if shares:
        return opening(home, shares, lambda custodians: _upgraded(home, custodians))
    return _upgraded(home, ())


def _upgraded(home: Path, custodians: Sequence[str]) -> tuple[str, ...] | Refusal:
    house = open_house(home, upgrading=True, unlogged=bool(custodians))
    if isinstance(house, Refusal):
        return house
    done = _migrated(house)
    if custodians and (refusal := log_opened(house, custodians)) is not None:
        return refusal
    return done


def _migrated(house: House) -> tuple[str, ...]:
    gap = state.schema_gap()
    if gap is None:
        return ()
    from django.core.management import call_command

    from zhanqiao.ledger.book import founding

    with founding():
        call_command("migrate", verbosity=0)
    facts: dict[str, object] = {"version": version("zhanqiao"), "migrations": list(gap.lacking)}
    with house.book.recording(Event("platform.upgraded", HOST, facts=facts)):
        pass
    house.book.publish()
    return gap.lacking
