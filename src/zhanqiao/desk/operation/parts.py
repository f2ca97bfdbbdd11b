# SPDX-License-Identifier: Apache-2.0
"""Whether that is there which the state names: segments and derived states of published snapshots, growing books."""

from zhanqiao.catalogue import shelf
from zhanqiao.vault.house import House


def missing_parts(house: House) -> list[str]:
    """Return what is missing, by its name in the vault. A book that is too short raises VaultFault."""
    house.vault.held()
    published = [
        (dataset, snapshot.id, snapshot.segments)
        for dataset in shelf.all()
        if (snapshot := shelf.snapshot_of(dataset.name)) is not None
    ]
    return house.vault.missing(published)
