# SPDX-License-Identifier: Apache-2.0
"""Refusals of the statistics door and its guard."""

from zhanqiao.terms.refusals.rule import Rule

ROWS: dict[str, Rule] = {}
