# SPDX-License-Identifier: Apache-2.0
"""Agreements: digital contracts, the grants they give, consents and meters.

lifecycle   drafting, sealing and the rest of an agreement's life
grants      what an agreement allows at a moment, and charging it: what the doors need
consents    subjects' permissions, read, counted, withdrawn
"""
