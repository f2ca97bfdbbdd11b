# SPDX-License-Identifier: Apache-2.0
"""Figures: what the product takes, beside the limit or the peer that was measured in the same run.

One module for each figure. Each has `measure(folder)` and returns rows; medians of several runs, peers in turn with us,
so that what else the machine does falls on both. `python -m bench` prints the table and writes `bench/latest.json`.
"""
