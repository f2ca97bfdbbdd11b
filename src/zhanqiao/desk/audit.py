# SPDX-License-Identifier: Apache-2.0
"""The whole audit: the ledger against its signed tree, then the state against what the ledger tells."""

from collections import Counter
from collections.abc import Iterator

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from zhanqiao.agreements.replay import AgreementsReplay
from zhanqiao.catalogue.replay import ShelfReplay
from zhanqiao.identity.replay import RegisterReplay
from zhanqiao.ledger.entries import LoggedEvent
from zhanqiao.ledger.replay import Comparison, Facts, compare_state
from zhanqiao.vault.house import House


class SchemaReplay:
    """What is noted of the tables' own history is told by the code, not by the log."""

    def take(self, event: LoggedEvent, facts: Facts) -> None:
        """No event changes a table's form."""

    def comparisons(self) -> Iterator[Comparison]:
        """Set this version's migrations beside those that were applied."""
        applied = MigrationRecorder(connection).migration_qs.values_list("app", "name")
        held = Counter(f"{app} {name}" for app, name in applied)
        said = Counter(f"{app} {name}" for app, name in MigrationLoader(None).disk_migrations)
        yield Comparison("migration", said, held, source="code")


def audit(house: House) -> int:
    """Check everything; returns how many entries there are. Raises LedgerDamaged at the first thing that is wrong."""
    entries = house.book.audit()
    # As of one moment: who acts meanwhile is no damage.
    with house.book.moment():
        compare_state(house.book.events(), [RegisterReplay(), ShelfReplay(), AgreementsReplay(), SchemaReplay()])
    return entries
