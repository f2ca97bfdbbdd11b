# SPDX-License-Identifier: Apache-2.0
"""Zhanqiao 栈桥: the data stays in the storehouse, only answers walk the bridge."""
