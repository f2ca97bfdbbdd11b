# SPDX-License-Identifier: Apache-2.0
"""Intake (归集): collect, check, mask, publish. `load` is the whole of it, `sweep` removes what a dead load left.

`tell` tells again what was wrong with the bad rows of a load.

`drop_superseded` forgets the rows of snapshots that newer ones took the place of.
"""

from zhanqiao.intake.load import load
from zhanqiao.intake.quarantine import READ as QUARANTINE_READ
from zhanqiao.intake.quarantine import tell
from zhanqiao.intake.report import LoadReport, Tally, as_list, as_summary, items_of
from zhanqiao.intake.retention import drop_superseded
from zhanqiao.intake.sweep import sweep

__all__ = [
    "QUARANTINE_READ",
    "LoadReport",
    "Tally",
    "as_list",
    "as_summary",
    "drop_superseded",
    "items_of",
    "load",
    "sweep",
    "tell",
]
