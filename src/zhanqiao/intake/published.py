# SPDX-License-Identifier: Apache-2.0
"""Which subjects stand in published segments already: what `unique` means for a delivery that is appended.

Only subject keys can be compared: they are stored as numbers. Other unique items are unique within each delivery.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.catalogue.shelf import Snapshot
from zhanqiao.intake.examination import Published
from zhanqiao.intake.texts import Mask
from zhanqiao.intake.unique import known_before
from zhanqiao.terms.datasets import Item
from zhanqiao.vault.connection import locked_down, quoted
from zhanqiao.vault.house import House
from zhanqiao.vault.segments import TABLE


def published_values(house: House, before: Snapshot | None) -> Published:
    """Return the function that the examination asks about an item's delivered values."""

    def stand(item: Item, values: pa.ChunkedArray) -> Mask | None:
        if before is None or item.subject is None or not item.stored:
            return None
        numbers = house.vault.subjects.numbers(item.subject, values)
        return known_before(numbers, _numbers_in(house, before, item))

    return stand


def _numbers_in(house: House, before: Snapshot, item: Item) -> NDArray[np.int32]:
    """Read the distinct subject numbers of one key column."""
    store = house.vault._segments  # noqa: SLF001  the vault has no question of this kind yet
    attachments = store.attachments(before.segments)
    column = quoted(item.name)
    parts = " UNION ALL ".join(
        f"SELECT {column} FROM {quoted(attachment.alias)}.main.{quoted(TABLE)}"  # noqa: S608  quoted names only
        for attachment in attachments
    )
    with locked_down(store.scratch, attachments, store.limits) as connection:
        found = connection.execute(f"SELECT DISTINCT {column} FROM ({parts}) WHERE {column} IS NOT NULL")  # noqa: S608
        return np.asarray(found.fetchnumpy()[item.name], np.int32)
