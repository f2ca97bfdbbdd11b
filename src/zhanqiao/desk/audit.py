# SPDX-License-Identifier: Apache-2.0
"""The whole audit: the ledger against its signed tree, then the state against what the ledger tells."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from zhanqiao import intake
from zhanqiao.agreements.replay import AgreementsReplay
from zhanqiao.catalogue.replay import ShelfReplay
from zhanqiao.desk import schema, sealed_keys, seats, state
from zhanqiao.desk.columns import check_columns
from zhanqiao.desk.configuration import Deployment
from zhanqiao.identity.directory import check_actor, check_steward
from zhanqiao.identity.people import Role
from zhanqiao.identity.replay import RegisterReplay
from zhanqiao.ledger.entries import LedgerDamaged, LoggedEvent
from zhanqiao.ledger.replay import Comparison, Facts, Replay, compare_state
from zhanqiao.terms.refusals import Reason
from zhanqiao.vault.house import House


class HouseReplay:
    """What takes more than one floor: who describes, delivers, sweeps and drops, who opens reasons, who witnesses.

    Beside it what no row says: the settings, the trust file, and the form of the tables.

    register, shelf     replayed up to the same place, the event itself included
    profile, witnesses  as they are in force
    """

    def __init__(
        self, register: RegisterReplay, shelf: ShelfReplay, profile: str, witnesses: seats.NamedWitnesses
    ) -> None:
        self._register = register
        self._shelf = shelf
        self._profile = profile
        self._witnesses = witnesses
        self._seats: dict[str, tuple[str, str]] = {}  # name -> address and key

    def take(self, event: LoggedEvent, facts: Facts) -> Sequence[Reason]:
        """Judge what the event says."""
        directory = self._register.directory
        match event.kind:
            case "catalogue.described" | "intake.published" | intake.QUARANTINE_READ:
                dataset = self._shelf.described([str(facts["dataset"])])[str(facts["dataset"])]
                return check_steward(event.by, dataset.department, directory=directory)
            case "ledger.reason-opened":
                return check_actor(event.by, Role.AUDITOR, directory=directory)
            case "rights.audited" | "rights.differ":
                return check_actor(event.by, Role.AUDIT_ADMIN, directory=directory)
            case seats.ADDED | seats.REMOVED | "intake.dropped" | sealed_keys.SPLIT:
                reasons = check_actor(event.by, Role.SYSTEM_ADMIN, directory=directory)
                self._seat(event.kind, {name: str(value) for name, value in facts.items()})
                return reasons
            case "intake.swept":
                return self._check_sweeper(event.by)
            case _:
                return ()

    def _check_sweeper(self, by: str) -> Sequence[Reason]:
        """Let sweep whoever ever was to: each load ends with it, and who began may have left while it ran."""
        if any(self._register.has_held(by, role) for role in (Role.STEWARD, Role.SYSTEM_ADMIN)):
            return ()
        return check_actor(by, Role.SYSTEM_ADMIN, directory=self._register.directory)

    def _seat(self, kind: str, said: Mapping[str, str]) -> None:
        if kind == seats.ADDED:
            self._seats[said["name"]] = (said["url"], said["vkey"])
        elif kind == seats.REMOVED:
            self._seats.pop(said["name"], None)  # who repeats what a crash broke off removes it twice

    def comparisons(self) -> Iterator[Comparison]:
        """Set this version's migrations beside those that were applied: of these the code tells, not the log."""
        applied = MigrationRecorder(connection).migration_qs.values_list("app", "name")
        held = Counter(f"{app} {name}" for app, name in applied)
        said = Counter(f"{app} {name}" for app, name in MigrationLoader(None).disk_migrations)
        yield Comparison("migration", said, held, source="code")
        # It says whether acts have to be proven. Before the founding the log does not tell.
        if (profile := self._register.profile) is not None:
            yield Comparison("the setting", {"profile": profile}, {"profile": self._profile}, place="settings")
        witnesses = {name: " ".join(seat) for name, seat in self._seats.items()}
        yield Comparison("witness", witnesses, self._witnesses.settings, place="settings")
        keys = {name: vkey for name, (_, vkey) in self._seats.items()}
        yield Comparison("witness", keys, self._witnesses.trust, place="trust file")


def audit(house: House, settings: Deployment | None = None) -> int:
    """Check everything; returns how many entries there are. Raises LedgerDamaged at the first thing that is wrong.

    Raises LedgerOlder where the log does not say what the rest stands on.

    settings  those that the house was opened under, where their file has not got its name yet; else it is read
    """
    # Doors read an index where there is one, and the replays below the rows: both have to say the same.
    if (said := state.contradiction()) is not None:
        raise LedgerDamaged(f"couldn't audit: the state's file contradicts itself: {said}")
    # A trigger or a view would be met by nothing below.
    if (differing := schema.difference()) is not None:
        raise LedgerDamaged(f"couldn't audit: the state's schema was changed: {differing}")
    if (used_up := schema.used_up()) is not None:
        raise LedgerDamaged(f"couldn't audit: {used_up}, and nobody wrote so many rows")
    with _rows_as_damage():
        check_columns()
        entries = house.book.audit()
        _replay(house, entries, settings)
    return entries


@contextmanager
def _rows_as_damage() -> Iterator[None]:
    """Give what is of its column's kind, and still nothing that anybody wrote there, a name too."""
    try:
        yield
    except (TypeError, ValueError) as cause:
        raise LedgerDamaged(f"couldn't audit: a row of the state holds what it cannot hold: {cause}") from cause


def _replay(house: House, entries: int, settings: Deployment | None) -> None:
    # As of one moment: who acts meanwhile is no damage.
    with house.book.moment():
        with seats.settings_lock(house):
            assert house.book.size >= entries, "the moment begins with the first look"
            witnesses = seats.witnesses_named(house, settings)
        register, shelf = RegisterReplay(), ShelfReplay()
        replays: list[Replay] = [
            register,
            shelf,
            AgreementsReplay(register, shelf.described),
            HouseReplay(register, shelf, house.profile, witnesses),
        ]
        compare_state(house.book.events(), replays)
