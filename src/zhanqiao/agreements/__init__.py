# SPDX-License-Identifier: Apache-2.0
"""Agreements: digital contracts, the grants they give, consents and meters.

The doors need three functions; they stand here. Drafting, sealing and the rest of an agreement's life are in
`agreements.lifecycle`, subjects' consents in `agreements.consents`.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from zhanqiao.terms.agreements import Grant
from zhanqiao.terms.refusals import Refusal

if TYPE_CHECKING:
    from zhanqiao.ledger.book import Recording

# Imported late: Django imports this package while it is still collecting the models.


def find_grant(agreement: str, at: datetime, *, charged: int = 0) -> Grant | None:
    """Return what the agreement allows at `at`, or None when that is nothing.

    charged  answers that were charged to the very request which asks: they are still its own
    """
    from zhanqiao.agreements import grants

    return grants.find_grant(agreement, at, charged=charged)


def why_no_grant(agreement: str, at: datetime, *, charged: int = 0) -> Refusal:
    """Give every reason why the agreement allows nothing at `at`."""
    from zhanqiao.agreements import grants

    return grants.why_no_grant(agreement, at, charged=charged)


def spend(tx: "Recording", agreement: str, count: int = 1) -> bool:
    """Charge `count` answers; False when the agreement gives none now, or not that many."""
    from zhanqiao.agreements import grants

    return grants.spend(tx, agreement, count)
