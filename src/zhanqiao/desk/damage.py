# SPDX-License-Identifier: Apache-2.0
"""Faults that say what is damaged, busy, full, closed, short or failing: each as the one sentence that one can act on."""

import errno
import os

from django.db import DatabaseError

from zhanqiao.catalogue.shelf import ShelfDamaged
from zhanqiao.desk.state import is_busy, is_failing, is_full, is_read_only
from zhanqiao.ledger.entries import LedgerDamaged, LedgerOlder, TrustStrange
from zhanqiao.ledger.proof import ProofFallen
from zhanqiao.ledger.rows import RowDamaged
from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.vault.faults import KeyFault, RoomNotMade, VaultFault


def named(fault: Exception) -> Refusal | None:
    """Return the sentence for a fault; None for one that nobody foresaw."""
    match fault:
        case TrustStrange():
            return refuse("trust-strange", cause=str(fault))
        case LedgerDamaged():
            return refuse("ledger-damaged", cause=str(fault))
        case LedgerOlder():
            return refuse("ledger-older", cause=str(fault))
        case RoomNotMade():
            return refuse("room-not-made", cause=str(fault))
        case VaultFault() | KeyFault():
            return refuse("vault-damaged", cause=str(fault))
        case ShelfDamaged() | RowDamaged():
            return refuse("state-damaged", cause=str(fault))
        case ProofFallen():
            return refuse("key-fallen", person=str(fault))
        case MemoryError():
            return refuse("memory-short")
        case OSError():
            return _without_disk(fault)
        case DatabaseError():
            return without_state(fault)
        case _:
            return None


def _without_disk(cause: OSError) -> Refusal | None:
    match cause.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return refuse("disk-full")
        case errno.EROFS:
            return refuse("disk-read-only")
        # A file that may not grow further is met half way through a write, as a disk that fails is.
        case errno.EIO | errno.EFBIG:
            return refuse("disk-failing", cause=os.strerror(cause.errno))
        case _:
            return None


def without_state(cause: DatabaseError) -> Refusal:
    """Return the sentence for a state that could not be read or written."""
    if is_busy(cause):
        return refuse("state-busy")
    if is_full(cause):
        return refuse("disk-full")
    if is_read_only(cause):
        return refuse("disk-read-only")
    # SQLite shows a text that it cannot decode: it may be anything, and bytes that no terminal takes.
    said = str(cause).partition(" with text ")[0]
    return refuse("disk-failing" if is_failing(cause) else "state-damaged", cause=said)
