# SPDX-License-Identifier: Apache-2.0
"""Intake (归集): collect, check, mask, publish. `load` is the whole of it, `sweep` removes what a dead load left.

`drop_superseded` forgets the rows of snapshots that newer ones took the place of.
"""

from zhanqiao.intake.load import load
from zhanqiao.intake.report import LoadReport, Tally, as_list
from zhanqiao.intake.retention import drop_superseded
from zhanqiao.intake.sweep import sweep

__all__ = ["LoadReport", "Tally", "as_list", "drop_superseded", "load", "sweep"]
