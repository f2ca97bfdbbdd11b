# SPDX-License-Identifier: Apache-2.0
"""What a misspelt name probably meant: the nearest of the names that the caller hands in, in words for a remedy.

A suggestion tells that a name exists. So `visible` holds only what the asker may see anyway; a name beyond that is
answered as one that nobody ever gave.
"""

from collections.abc import Iterable
from difflib import get_close_matches


def meant(word: str, visible: Iterable[str]) -> dict[str, str]:
    """Return the facts `meant_en` and `meant_zh`; both are empty where no name is near.

    >>> meant("distrct", ["sex", "district"])["meant_en"]
    'Did you mean district? '
    >>> meant("distrct", ["sex"])["meant_en"]
    ''
    """
    near = get_close_matches(word.lower(), sorted(set(visible) - {word}), n=1)
    said = ("", "") if not near else (f"Did you mean {near[0]}? ", f"是否指 {near[0]}？")
    return {"meant_en": said[0], "meant_zh": said[1]}
