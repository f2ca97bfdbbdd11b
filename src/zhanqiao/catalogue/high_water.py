# SPDX-License-Identifier: Apache-2.0
"""High-water marks (水位): how much of each growing thing the vault held when something was last published.

The state does not name these things as it names segments, so that one that is lost or older would look like one that
was never longer. A mark is raised in the transaction of a publication and never falls: the vault may hold more (what a
load that died left), and when it holds less, something was taken away.
"""

from collections.abc import Mapping

from zhanqiao.catalogue.models import HighWaterRow
from zhanqiao.ledger.book import Recording


def rise(tx: Recording, held: Mapping[str, int]) -> None:
    """Raise the marks to what is held now, in the transaction of the publication that stands on it."""
    assert isinstance(tx, Recording), "a mark is recorded"
    for name, count in held.items():
        if HighWaterRow.objects.filter(pk=name, count__lt=count).update(count=count) == 0:
            HighWaterRow.objects.get_or_create(name=name, defaults={"count": count})


def mark_of(name: str) -> int:
    """Return how much of a thing was held at the latest publication, 0 where none told."""
    return HighWaterRow.objects.filter(pk=name).values_list("count", flat=True).first() or 0
