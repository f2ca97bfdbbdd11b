# SPDX-License-Identifier: Apache-2.0
"""Which subjects stand in published segments already: what `unique` means for a delivery that is appended.

Only subject keys can be compared: they are stored as numbers. Other unique items are unique within each delivery.
"""

import pyarrow as pa

from zhanqiao.catalogue.shelf import Snapshot
from zhanqiao.intake.examination import Published
from zhanqiao.intake.texts import Mask
from zhanqiao.intake.unique import known_before
from zhanqiao.policy.permits import LoadPermit
from zhanqiao.terms.datasets import Dataset, Item
from zhanqiao.vault.house import House


def published_values(house: House, permit: LoadPermit, dataset: Dataset, before: Snapshot | None) -> Published:
    """Return the function that the examination asks about an item's delivered values."""

    def stand(item: Item, values: pa.ChunkedArray) -> Mask | None:
        if before is None or item.subject is None or item != dataset.key_of(item.subject) or not item.stored:
            return None
        return known_before(*house.vault.standing(permit, dataset, item.subject, values, before.segments))

    return stand
