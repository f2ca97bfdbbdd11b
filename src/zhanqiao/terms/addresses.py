# SPDX-License-Identifier: Apache-2.0
"""Addresses of strangers, as they count where each may hold a share of what there is for all."""

import ipaddress


def share_of(address: str) -> str:
    """Return whose share an address counts for: its own, or that of its /64, which one line of IPv6 has all of."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return address
    if read.version == 4 or read.ipv4_mapped is not None:
        return str(read)
    return str(ipaddress.ip_network((int(read) >> 64 << 64, 64)))
