# SPDX-License-Identifier: Apache-2.0
"""The whole audit: the ledger against its signed tree, then the state against what the ledger tells."""

from zhanqiao.agreements.replay import AgreementsReplay
from zhanqiao.catalogue.replay import ShelfReplay
from zhanqiao.identity.replay import RegisterReplay
from zhanqiao.ledger.replay import compare_state
from zhanqiao.vault.house import House


def audit(house: House) -> int:
    """Check everything; returns how many entries there are. Raises LedgerDamaged at the first thing that is wrong."""
    entries = house.book.audit()
    # As of one moment: who acts meanwhile is no damage.
    with house.book.moment():
        compare_state(house.book.events(), [RegisterReplay(), ShelfReplay(), AgreementsReplay()])
    return entries
