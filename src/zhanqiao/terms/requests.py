# SPDX-License-Identifier: Apache-2.0
"""Requests at the doors, parsed once at the border."""

import re
from dataclasses import dataclass
from typing import Self

from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.terms.subjects import Subject

_FORM = re.compile(r"[0-9a-f]{32}", re.ASCII)


class RequestId(str):
    """128 random bits as 32 lower-case hexadecimal digits: nobody guesses another's, and it is a safe file name.

    No other text can become one, so that whoever holds one (book, answer files, certificates) checks nothing again.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _FORM.fullmatch(text):
            raise ValueError("couldn't take a request id: it is not 32 hexadecimal digits")
        return super().__new__(cls, text)

    @classmethod
    def parse(cls, text: str) -> "RequestId | Refusal":
        """Read an id at the border. The refusal does not repeat the text, which could be anything.

        The log keeps ids for ever, and decimal digits alone are somebody's numbers rather than random: of random ids
        three in ten million have no letter.
        """
        if not _FORM.fullmatch(text):
            return refuse("request-id-malformed")
        return cls(text) if not text.isdecimal() else refuse("request-id-not-random")


@dataclass(frozen=True)
class StatisticsRequest:
    """A statement under an agreement. The same request id always gets the same bytes and one charge."""

    id: RequestId
    agreement: str
    by: str
    statement: str


@dataclass(frozen=True)
class DecisionRequest:
    """A service called for one subject. `consent` is the signed consent token, where the service needs one."""

    id: RequestId
    agreement: str
    by: str
    service: str
    subject: Subject
    consent: str | None = None


@dataclass(frozen=True)
class BatchDecisionRequest:
    """A service called for every subject of the agreed roster (a duty-based list held inside)."""

    id: RequestId
    agreement: str
    by: str
    service: str
