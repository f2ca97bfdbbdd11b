# SPDX-License-Identifier: Apache-2.0
"""Any people doing anything in any order: a grant exists exactly when a model of seven lines says so."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.town import PEOPLE, Town, build
from zhanqiao.agreements import grants, lifecycle
from zhanqiao.agreements.lifecycle import Agreement
from zhanqiao.agreements.replay import AgreementsReplay
from zhanqiao.catalogue.replay import ShelfReplay
from zhanqiao.identity.replay import RegisterReplay
from zhanqiao.ledger.replay import compare_state

ACTS = ("seal", "file", "suspend", "resume", "terminate", "tomorrow")
# People of both parties and of the source department act three times as often as anybody else.
ACTORS = (*PEOPLE, *(person for person in PEOPLE if person.startswith(("bureau", "bank", "hrss")) for _ in (1, 2)))


class Model:
    """What must be so, without a database: who sealed, who holds, whether it is over, what day it is."""

    def __init__(self) -> None:
        self.seals: set[str] = set()
        self.holds: set[str] = set()
        self.over = False
        self.day = 0

    def act(self, verb: str, by: str) -> bool:
        """Do it, and say whether it can be done."""
        house, office = PEOPLE[by][0], {role.value for role in PEOPLE[by][1]}
        signed = self.seals == {"bureau", "bank"}
        over = self.over or self.day >= 3
        match verb:
            case "seal":
                can = "signatory" in office and house in {"bureau", "bank"} - self.seals and not over
                self.seals |= {house} if can else set()
            case "suspend":
                can = signed and not over and "officer" in office and house in {"bureau", "hrss"} - self.holds
                self.holds |= {house} if can else set()
            case "resume":
                can = signed and not over and "officer" in office and house in self.holds
                self.holds -= {house} if can else set()
            case _:
                can = not over and "officer" in office and house in {"bureau", "bank"}
                self.over |= can
        return can

    @property
    def open(self) -> bool:
        return self.seals == {"bureau", "bank"} and not self.holds and not self.over and 1 <= self.day < 3


@pytest.fixture
def town(book) -> Town:
    return build(book)


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(ACTORS)), max_size=30))
def test_a_grant_exists_exactly_when_it_should(town: Town, clock, sealed: bool, acts: list[tuple[str, str]]):
    first = clock.now
    try:
        agreement, model = town.draft(begins="2026-11-26", ends="2026-11-27"), Model()
        # Chance alone rarely brings both signatories together.
        both = [("seal", "bureau-signatory"), ("seal", "bank-signatory")] if sealed else []
        for verb, by in [*both, *acts]:
            if verb == "tomorrow":
                clock.now += timedelta(days=1)
                model.day += 1
            elif verb != "file":
                outcome = (
                    town.seal(agreement, by) if verb == "seal" else getattr(lifecycle, verb)(town.book, agreement, by)
                )
                assert isinstance(outcome, Agreement) is model.act(verb, by), (verb, by)
            assert (grants.find_grant(agreement, clock.now) is not None) is model.open
        # And whatever was done was allowed at its place, and the rows are what the log makes of it.
        register, shelf = RegisterReplay(), ShelfReplay()
        replays = [register, shelf, AgreementsReplay(register, shelf.described)]
        compare_state(town.book.events(), replays)
    finally:
        clock.now = first
