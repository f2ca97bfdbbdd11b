# SPDX-License-Identifier: Apache-2.0
"""Retention (留存): forget the superseded snapshots of a dataset, when who runs the platform asks for it.

A full delivery supersedes the one before, whose rows would lie in the vault for good. What goes is rows, what was derived
from them, and bad rows; that there was such a snapshot, and who dropped it, stays in catalogue and log. Certificates that
name it stay valid; nobody can make their exact result again. So nothing is dropped by itself.

What stays, besides the published snapshot: all that it is made of (appended deliveries), and what was published until a
moment ago, under which a permit may still run.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from zhanqiao.catalogue import shelf
from zhanqiao.catalogue.shelf import Snapshot
from zhanqiao.identity.attempts import note_refusal
from zhanqiao.intake import quarantine
from zhanqiao.policy.decide import PERMIT_LIFE
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal
from zhanqiao.vault.house import House


def drop_superseded(
    house: House, dataset: str, by: str, *, against: Callable[[], Sequence[Reason]] = tuple
) -> tuple[str, ...] | Refusal:
    """Drop what is superseded once nobody is at work, and return the ids of the snapshots that went.

    against     gives what stands against `by` dropping it; asked when it is done, which may be long after
    """
    with house.vault.alone(wait=True) as alone:
        assert alone is not None, "it waits"
        every = [one for one in shelf.snapshots() if one.dataset == dataset]
        staying = _staying(every, shelf.snapshot_of(dataset), house.clock() - PERMIT_LIFE)
        made_of = {segment for one in staying for segment in one.segments}
        held = alone.held(dataset) - {one.id for one in staying}
        going = tuple(one.id for one in every if one.id in held and one.segments[-1] not in made_of)
        if going:
            # On the record before it is done: a crash between leaves what the next call finds held, and removes.
            with house.book.recording() as tx:
                if reasons := tuple(against()):
                    return note_refusal(tx, "intake.drop", by, dataset, reasons)
                tx.add(Event("intake.dropped", by, "", {"dataset": dataset, "snapshots": list(going)}))
        for one in going:
            quarantine.forget(house, dataset, one)
            alone.drop(dataset, one, {other.id: other.segments for other in staying})
    return going


def _staying(every: list[Snapshot], current: Snapshot | None, since: datetime) -> list[Snapshot]:
    """Return what is published, and what was published at any moment since `since`: permits of then may still run."""
    if current is not None and current.published <= since:
        return [current]
    before = [one for one in every if one.published <= since]
    return [*before[-1:], *(one for one in every if one.published > since)]
