# SPDX-License-Identifier: Apache-2.0
"""Texts that read like somebody's number: a citizen id, a credit code, a telephone or card number.

What a contract is called and is for is chosen freely, and its purpose stands in every certificate made under it, in the
public log for ever. A number that names somebody has no place there. Names of people are not found: nothing tells them
from other words.
"""

import re
import unicodedata

from stdnum.cn import ric, uscc

# Mobile numbers have 11 digits, first-generation ids 15, cards 16 to 19; days have 8.
_LONG_NUMBER = re.compile(r"[0-9]{11}")
_LANDLINE = re.compile(r"(?<![0-9])0[0-9]{2,3}[ -]?[0-9]{7,8}(?![0-9])")
_CITIZEN = re.compile(r"(?=([0-9]{17}[0-9X]))")
_CREDIT_CODE = re.compile(r"(?=([0-9A-HJ-NPQRTUWXY]{18}))")


def is_identifying(text: str) -> bool:
    """Whether some part of the text reads like a number that names somebody, in whatever spelling.

    >>> is_identifying("养老资格核验 2026-11-25 至 2027-11-30")
    False
    >>> is_identifying("credit-precheck-13805321234")
    True
    """
    plain = unicodedata.normalize("NFKC", text).upper()
    if _LONG_NUMBER.search(plain) or _LANDLINE.search(plain):
        return True
    # Spaces and dashes inside are a way to write them; only with its check character is such a run taken for one.
    joined = re.sub(r"[\s._/-]", "", plain)
    citizens = (found[1] for found in _CITIZEN.finditer(joined))
    codes = (found[1] for found in _CREDIT_CODE.finditer(joined))
    return any(ric.calc_check_digit(one) == one[-1] for one in citizens) or any(map(uscc.is_valid, codes))
