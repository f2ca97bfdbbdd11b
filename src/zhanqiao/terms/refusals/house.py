# SPDX-License-Identifier: Apache-2.0
"""Refusals of a deployment folder, its keys, its ledger."""

from zhanqiao.terms.refusals.rule import Rule

ROWS: dict[str, Rule] = {}
