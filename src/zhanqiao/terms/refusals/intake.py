# SPDX-License-Identifier: Apache-2.0
"""Refusals of deliveries of departments."""

from zhanqiao.terms.refusals.rule import Rule

ROWS: dict[str, Rule] = {}
