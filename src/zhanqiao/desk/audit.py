# SPDX-License-Identifier: Apache-2.0
"""The whole audit: the ledger against its signed tree, then the state against what the ledger tells."""

from collections import Counter
from collections.abc import Iterator, Sequence

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from zhanqiao.agreements.replay import AgreementsReplay
from zhanqiao.catalogue.replay import ShelfReplay
from zhanqiao.identity.directory import check_actor, check_steward
from zhanqiao.identity.people import Role
from zhanqiao.identity.replay import RegisterReplay
from zhanqiao.ledger.entries import LoggedEvent
from zhanqiao.ledger.replay import Comparison, Facts, Replay, compare_state
from zhanqiao.terms.refusals import Reason
from zhanqiao.vault.house import House


class HouseReplay:
    """What takes more than one floor: who may describe and deliver, who opens reasons; and the form of the tables.

    register, shelf     replayed up to the same place, the event itself included
    """

    def __init__(self, house: House, register: RegisterReplay, shelf: ShelfReplay) -> None:
        self._house = house
        self._register = register
        self._shelf = shelf

    def take(self, event: LoggedEvent, facts: Facts) -> Sequence[Reason]:
        """Judge what the event says."""
        directory = self._register.directory
        match event.kind:
            case "catalogue.described" | "intake.published":
                dataset = self._shelf.described([str(facts["dataset"])])[str(facts["dataset"])]
                return check_steward(event.by, dataset.department, directory=directory)
            case "ledger.reason-opened":
                return check_actor(event.by, Role.AUDITOR, directory=directory)
            case _:
                return ()

    def comparisons(self) -> Iterator[Comparison]:
        """Set this version's migrations beside those that were applied: of these the code tells, not the log."""
        applied = MigrationRecorder(connection).migration_qs.values_list("app", "name")
        held = Counter(f"{app} {name}" for app, name in applied)
        said = Counter(f"{app} {name}" for app, name in MigrationLoader(None).disk_migrations)
        yield Comparison("migration", said, held, source="code")
        # It says whether acts have to be proven. Before the founding the log does not tell.
        if (profile := self._register.profile) is not None:
            settings = {"profile": self._house.profile}
            yield Comparison("the setting", {"profile": profile}, settings, place="settings")


def audit(house: House) -> int:
    """Check everything; returns how many entries there are. Raises LedgerDamaged at the first thing that is wrong."""
    entries = house.book.audit()
    # As of one moment: who acts meanwhile is no damage.
    with house.book.moment():
        register, shelf = RegisterReplay(), ShelfReplay()
        replays: list[Replay] = [
            register,
            shelf,
            AgreementsReplay(register, shelf.described),
            HouseReplay(house, register, shelf),
        ]
        compare_state(house.book.events(), replays)
    return entries
