# SPDX-License-Identifier: Apache-2.0
"""Refusals of data contracts and the catalogue."""

from zhanqiao.terms.refusals.rule import Rule

ROWS: dict[str, Rule] = {}
