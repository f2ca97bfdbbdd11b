# SPDX-License-Identifier: Apache-2.0
"""Refusals: one table of codes, each with sentence, remedy, exit status and HTTP status, in both languages.

A refusal is a value and travels as data; an exception is a fault. CLI, API and console print from this table only.
Sentences speak of the question, the catalogue and earlier answers, never of rows. Placeholders in braces are filled
from `Reason.facts`; no logic anywhere depends on the printed text.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from zhanqiao.terms.refusals import agreements, catalogue, decisions, house, intake, operation, serving, statistics
from zhanqiao.terms.refusals.meant import meant
from zhanqiao.terms.refusals.rule import DONE, FAULT, NOT_FOUND, REFUSED, USAGE, Rule

__all__ = [
    "DONE",
    "FAULT",
    "NOT_FOUND",
    "REFUSED",
    "RULES",
    "USAGE",
    "Lang",
    "Reason",
    "Refusal",
    "Rule",
    "meant",
    "refuse",
]

Lang = Literal["zh", "en"]

_FAMILIES = (house, operation, serving, catalogue, agreements, intake, statistics, decisions)
_TWICE = [code for code, n in Counter(code for family in _FAMILIES for code in family.ROWS).items() if n > 1]
assert not _TWICE, f"refusal codes defined twice: {_TWICE}"

RULES: dict[str, Rule] = {code: rule for family in _FAMILIES for code, rule in family.ROWS.items()}


@dataclass(frozen=True)
class Reason:
    """Why a request was refused: a code of the table and the public facts that fill its sentence."""

    code: str
    facts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.code in RULES, f"unknown refusal code {self.code}"

    @property
    def rule(self) -> Rule:
        return RULES[self.code]

    def message(self, lang: Lang) -> str:
        """Return the sentence in `lang`."""
        return (self.rule.zh if lang == "zh" else self.rule.en).format_map(self.facts)

    def remedy(self, lang: Lang) -> str:
        """Return what would work, in `lang`."""
        return (self.rule.remedy_zh if lang == "zh" else self.rule.remedy_en).format_map(self.facts)

    def as_data(self, lang: Lang) -> dict[str, str]:
        """Return the form of `--json` output."""
        return {"code": self.code, "message": self.message(lang), "remedy": self.remedy(lang)}


@dataclass(frozen=True)
class Refusal:
    """All reasons at once; at least one."""

    reasons: tuple[Reason, ...]

    def __post_init__(self) -> None:
        assert self.reasons, "a refusal names its reasons"

    @property
    def exit_status(self) -> int:
        """Not found wins only when nothing else is wrong."""
        statuses = {reason.rule.exit_status for reason in self.reasons}
        return statuses.pop() if len(statuses) == 1 else REFUSED

    def as_data(self, lang: Lang) -> dict[str, object]:
        """Return the form of `--json` output."""
        return {
            "status": "refused",
            "reasons": [reason.as_data(lang) for reason in self.reasons],
        }


def refuse(code: str, **facts: str) -> Refusal:
    """Return a refusal with one reason."""
    return Refusal((Reason(code, facts),))
