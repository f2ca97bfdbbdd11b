# SPDX-License-Identifier: Apache-2.0
"""Shares (密钥份额): a secret in so many pieces that a few of their holders have it again, and fewer know nothing of it.

Shamir's scheme over GF(2**128). A share may be spaced, parted and cased at will by who types it; it is handed out as

    <set, 4 digits>-<number>-<8 groups of 4 digits>-<check, 4 digits>       hexadecimal, the number decimal

The check tells a slip of the pen; whether shares of one set make the right secret is told by what it opens.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from zhanqiao.terms.refusals import Reason, Refusal

SECRET_BYTES = 16
MOST_CUSTODIANS = 16
# Without what parts them: the number has one digit or two, and the rest is of one length.
_FORM = re.compile(r"([0-9a-f]{4})([1-9][0-9]?)([0-9a-f]{32})([0-9a-f]{4})")
_PARTING = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Share:
    """One piece. Never printed but by `written`."""

    set: str
    number: int
    piece: bytes

    def __repr__(self) -> str:
        return f"Share({self.set}-{self.number})"

    def written(self) -> str:
        """Return the form in which a custodian keeps it."""
        digits = self.piece.hex()
        groups = "-".join(digits[at : at + 4] for at in range(0, len(digits), 4))
        return f"{self.set}-{self.number}-{groups}-{_check(self)}"


def split(secret: bytes, of_set: str, threshold: int, count: int) -> list[Share]:
    """Return `count` shares, numbered from 1, any `threshold` of which make the secret (16 bytes) again."""
    # Late, here and below: who opens a deployment needs no arithmetic of shares.
    from Crypto.Protocol.SecretSharing import Shamir

    return [Share(of_set, number, piece) for number, piece in Shamir.split(threshold, count, secret)]


def combine(shares: Sequence[Share]) -> bytes:
    """Return the secret that these shares make; another one when any of them is wrong, or one is missing."""
    from Crypto.Protocol.SecretSharing import Shamir

    return bytes(Shamir.combine([(share.number, share.piece) for share in shares]))


def read(written: Sequence[str], of_set: str, threshold: int, count: int) -> list[Share] | Refusal:
    """Read what custodians typed, or give every reason why these shares cannot open a set of so many."""
    shares: list[Share] = []
    reasons: list[Reason] = []
    for place, text in enumerate(written, start=1):
        share = _read(text)
        if share is None:
            reasons.append(Reason("share-malformed", {"place": str(place)}))
        elif share.set != of_set or share.number > count:
            reasons.append(Reason("share-of-another-set", {"place": str(place), "set": of_set}))
        elif any(share.number == other.number for other in shares):
            reasons.append(Reason("share-twice", {"place": str(place), "number": str(share.number)}))
        else:
            shares.append(share)
    if not reasons and len(shares) < threshold:
        reasons.append(Reason("shares-too-few", {"given": str(len(shares)), "threshold": str(threshold)}))
    return Refusal(tuple(reasons)) if reasons else shares


def is_one(text: str) -> bool:
    """Whether somebody wrote a share, of whatever set, without a slip of the pen."""
    return _read(text) is not None


def _read(text: str) -> Share | None:
    found = _FORM.fullmatch(_PARTING.sub("", text).lower())
    if found is None:
        return None
    share = Share(found[1], int(found[2]), bytes.fromhex(found[3]))
    return share if _check(share) == found[4] else None


def _check(share: Share) -> str:
    return hashlib.sha256(f"{share.set}-{share.number}-{share.piece.hex()}".encode()).hexdigest()[:4]
