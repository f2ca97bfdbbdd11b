# SPDX-License-Identifier: Apache-2.0
"""Whether that is there which the state names, and whether it opens: segments, derived states, growing books, bad rows."""

from zhanqiao.catalogue import shelf
from zhanqiao.intake import quarantine
from zhanqiao.terms.datasets import Dataset
from zhanqiao.vault.house import House
from zhanqiao.vault.segments import brought_by


def missing_parts(house: House) -> list[str]:
    """Return what is missing, by its name in the vault or the quarantine. A book that is too short raises VaultFault."""
    house.vault.held()
    return [*house.vault.missing(_published()), *quarantine.missing(house, _loads())]


def prove_parts(house: House) -> None:
    """Open everything that is sealed, once; VaultFault or KeyFault names the first part that is missing or does not open."""
    house.vault.prove()
    quarantine.prove(house, _loads())


def _loads() -> set[tuple[str, str]]:
    """Return the loads (dataset, snapshot) that what is published was brought by."""
    return {brought_by(segment) for *_, segments in _published() for segment in segments}


def _published() -> list[tuple[Dataset, str, tuple[str, ...]]]:
    return [
        (dataset, snapshot.id, snapshot.segments)
        for dataset in shelf.all()
        if (snapshot := shelf.snapshot_of(dataset.name)) is not None
    ]
