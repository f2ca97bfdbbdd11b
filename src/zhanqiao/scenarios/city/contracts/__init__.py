# SPDX-License-Identifier: Apache-2.0
"""The city's data contracts: one ODCS file for each dataset. 56 of them, with 398 items, stand in the open catalogue."""
