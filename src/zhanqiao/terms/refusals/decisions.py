# SPDX-License-Identifier: Apache-2.0
"""Refusals of the decisions door."""

from zhanqiao.terms.refusals.rule import Rule

ROWS: dict[str, Rule] = {}
