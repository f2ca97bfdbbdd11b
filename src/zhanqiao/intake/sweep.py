# SPDX-License-Identifier: Apache-2.0
"""Sweep (清扫): remove what loads and readers that died have left. Nothing that is published, in writing or in use goes.

    vault         segments and states of no published snapshot, unfinished files, scratch of ended tasks
    quarantine    bad rows of loads that published nothing
    landing       files that had a name for the moment before they lost it
    ledger        unfinished files
    answers       unfinished files, in the deployment's own folder

Everybody who reads or writes the first three holds the vault's lock from inside; a sweep holds it alone, and asks the
catalogue what it knows only then. Unfinished files are held by who writes them. Superseded snapshots are in the
catalogue and stay: `drop` is another act. Repeating a sweep is harmless, so that one which dies half way is finished by
the next, and the log tells what went after it has gone.
"""

from collections import Counter

from zhanqiao.catalogue import shelf
from zhanqiao.intake import landing, quarantine
from zhanqiao.ledger import durable
from zhanqiao.terms.events import Event
from zhanqiao.vault.house import House


def sweep(house: House, by: str, *, wait: bool) -> dict[str, int] | None:
    """Sweep, and return how many things went of which place; None when somebody was at work and we do not wait."""
    with house.vault.alone(wait=wait) as alone:
        if alone is None:
            return None
        snapshots = shelf.snapshots()
        known = {one.id for one in snapshots} | {segment for one in snapshots for segment in one.segments}
        gone = [*alone.sweep(known), *quarantine.sweep(house, known), *landing.sweep(house.home)]
    unfinished = [*house.book.sweep(), *durable.sweep_parts(house.home / "answers")]
    gone += [part.relative_to(house.home).as_posix() for part in unfinished]
    counts = Counter(name.partition("/")[0] for name in gone)
    if counts:
        with house.book.recording(Event("intake.swept", by, "", {"removed": dict(sorted(counts.items()))})):
            pass
    return dict(sorted(counts.items()))
