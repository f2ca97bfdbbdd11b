# SPDX-License-Identifier: Apache-2.0
"""Refusals of agreements, grants, identity and roles."""

from zhanqiao.terms.refusals.rule import Rule

ROWS: dict[str, Rule] = {}
