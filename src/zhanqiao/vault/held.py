# SPDX-License-Identifier: Apache-2.0
"""What the platform state recorded of the vault at publications: without it, what is lost looks like what never was."""

from collections.abc import Callable

# The name of something that only grows -> how much of it there was at the latest publication.
Recorded = Callable[[str], int]


def recorded_marks(name: str) -> int:
    """Return the catalogue's high-water mark."""
    # Late: the catalogue's rows want Django's settings, and a vault is also opened without platform state.
    from zhanqiao.catalogue import high_water

    return high_water.mark_of(name)
