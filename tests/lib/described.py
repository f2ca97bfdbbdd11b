# SPDX-License-Identifier: Apache-2.0
"""A described dataset for tests of pure functions: what a contract must say is said here once. No data anywhere."""

from zhanqiao.terms.datasets import Dataset, Item, Opening, Sharing, UpdateCycle
from zhanqiao.terms.subjects import SubjectKind


def dataset(name: str, *items: Item, **changed: object) -> Dataset:
    """Return a monthly dataset on people of the department `hrss`, but for what is `changed`."""
    settings: dict[str, object] = {
        "zh": name,
        "en": name,
        "code": "370200-hrss-001",
        "category": "01",
        "department": "hrss",
        "version": "1.0.0",
        "digest": "sha256:" + "0" * 64,
        "subject_kinds": (SubjectKind.PERSON,),
        "sharing": Sharing.CONDITIONAL,
        "opening": Opening.CONDITIONAL,
        "update_cycle": UpdateCycle.MONTH,
    }
    return Dataset(name=name, items=items, **(settings | changed))  # type: ignore[arg-type]
