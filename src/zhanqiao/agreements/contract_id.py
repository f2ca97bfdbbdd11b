# SPDX-License-Identifier: Apache-2.0
"""The national number of a digital contract: 47 characters, in this order.

    C | node type 1 | node subject 18 | area 4 | YYYYMMDDHHmmss 14 | random 8 | check character 1

The standard's check algorithm is not known to us, so it is a parameter: a name of `CHECKS`. Ours is ISO 7064 MOD 37,36:
one letter or digit that finds every single wrong character and every swap of neighbours. MOD 37-2, of the same
standard, finds as much but needs a 37th character, `*`, which file names and addresses do not like.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from stdnum.iso7064 import mod_37_2, mod_37_36

from zhanqiao.terms.legal_time import LEGAL_TIME

LENGTH = 47
CHECKS: dict[str, Callable[[str], str]] = {
    "iso7064-mod37-36": mod_37_36.calc_check_digit,
    "iso7064-mod37-2": mod_37_2.calc_check_digit,
}
DEFAULT_CHECK = "iso7064-mod37-36"
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Node:
    """The place that numbers contracts. kind: 1 region, 2 industry, 3 enterprise; subject: its credit code."""

    kind: str
    subject: str
    area: str

    def __post_init__(self) -> None:
        sizes = (len(self.kind), len(self.subject), len(self.area))
        if sizes != (1, 18, 4) or not set(self.kind + self.subject + self.area) <= set(_LETTERS):
            raise ValueError(
                "couldn't number contracts: a node has a kind of 1, a subject of 18, an area of 4 characters"
            )


def make(node: Node, at: datetime, dice: Callable[[int], bytes], check: str = DEFAULT_CHECK) -> str:
    """Return a new number; the random part has 41 bits."""
    stamp = at.astimezone(LEGAL_TIME).strftime("%Y%m%d%H%M%S")
    # 16 bytes into 36**8: the bias is below 2**-86.
    drawn = int.from_bytes(dice(16), "big")
    random = "".join(_LETTERS[drawn // 36**place % 36] for place in range(8))
    body = f"C{node.kind}{node.subject}{node.area}{stamp}{random}"
    return body + CHECKS[check](body)


def is_valid(number: str, check: str = DEFAULT_CHECK) -> bool:
    """Whether `number` has the form and its check character is right."""
    if len(number) != LENGTH or number[0] != "C" or not set(number[:-1]) <= set(_LETTERS):
        return False
    return number[24:38].isdecimal() and CHECKS[check](number[:-1]) == number[-1]
