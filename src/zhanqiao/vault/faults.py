# SPDX-License-Identifier: Apache-2.0
"""Faults of the vault. A fault names a file, a key or a step, and never a value that the vault keeps."""


class VaultFault(RuntimeError):  # noqa: N818  a fault is what we call it
    """The vault could not do what it was asked; what it holds is as it was before."""


class RoomNotMade(VaultFault):
    """No room in which the engine could compute came about; the vault was not asked, and nothing is wrong with it."""


class KeyFault(ValueError):  # noqa: N818
    """A key is missing, damaged, or not the one that something was sealed with."""
