# SPDX-License-Identifier: Apache-2.0
"""What each department of the synthetic city writes down: one module per department, one function per module.

A function takes the city and returns its datasets by name, as tables with the contract's headers in contract order.
"""
