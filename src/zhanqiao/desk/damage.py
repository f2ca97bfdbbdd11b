# SPDX-License-Identifier: Apache-2.0
"""Faults that say what is damaged, busy or full, each as the one sentence that whoever works here can act on."""

from django.db import DatabaseError

from zhanqiao.catalogue.shelf import ShelfDamaged
from zhanqiao.desk.state import is_busy, is_full
from zhanqiao.ledger.durable import DiskFull
from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.vault.faults import KeyFault, VaultFault


def named(fault: Exception) -> Refusal | None:
    """Return the sentence for a fault; None for one that nobody foresaw."""
    match fault:
        case LedgerDamaged():
            return refuse("ledger-damaged", cause=str(fault))
        case VaultFault() | KeyFault():
            return refuse("vault-damaged", cause=str(fault))
        case ShelfDamaged():
            return refuse("state-damaged", cause=str(fault))
        case DiskFull():
            return refuse("disk-full")
        case DatabaseError():
            return _without_state(fault)
        case _:
            return None


def _without_state(cause: DatabaseError) -> Refusal:
    if is_busy(cause):
        return refuse("state-busy")
    return refuse("disk-full") if is_full(cause) else refuse("state-damaged", cause=str(cause))
