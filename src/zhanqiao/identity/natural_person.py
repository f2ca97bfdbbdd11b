# SPDX-License-Identifier: Apache-2.0
"""Which natural person an account is of: one name for one person, however it is written.

That nobody is two people, and that two who must be different are, stands on it. A citizen id counts by its digits alone:
full-width ones, spaces, dashes and what nobody sees make nobody another, one of 15 digits is the one of 18 that
succeeded it, and one that cannot be (GB 11643: date, check digit; regions come and go) is refused. Other names (of a certificate, a
passport) count by letters and digits; that one person has not two of them, who makes the account must see to.
"""

import re
import unicodedata

from stdnum.cn import ric
from stdnum.exceptions import InvalidComponent

_CITIZEN_ID = re.compile(r"[0-9]{17}[0-9X]")
_OF_15 = re.compile(r"[0-9]{15}")
# What holds so many digits is meant to be a citizen id.
_LIKE_ONE = 15


def name_of(written: str) -> str | None:
    """Return the one name of a natural person; None where a citizen id is none, or nothing is named."""
    name = "".join(_plain(letter) for letter in unicodedata.normalize("NFKC", written) if letter.isalnum()).upper()
    if _OF_15.fullmatch(name):
        # Until 1999 ids had no century, which was the twentieth, and no check digit.
        name = f"{name[:6]}19{name[6:]}"
        name += ric.calc_check_digit(f"{name}?")
    # Numerals of any kind, wherever letters stand between them.
    if sum(letter.isnumeric() for letter in name) >= _LIKE_ONE and not _is_citizen_id(name):
        return None
    return name or None


def _is_citizen_id(name: str) -> bool:
    if _CITIZEN_ID.fullmatch(name) is None or ric.calc_check_digit(name) != name[-1]:
        return False
    try:
        ric.get_birth_date(name)
    except InvalidComponent:
        return False
    return True


def _plain(letter: str) -> str:
    return str(unicodedata.decimal(letter)) if letter.isdecimal() else letter
