# SPDX-License-Identifier: Apache-2.0
"""Intake (归集): collect, check, mask, publish. `load` is the whole of it."""

from zhanqiao.intake.load import load
from zhanqiao.intake.report import LoadReport

__all__ = ["LoadReport", "load"]
