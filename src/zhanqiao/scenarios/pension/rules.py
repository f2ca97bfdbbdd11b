# SPDX-License-Identifier: Apache-2.0
"""Silent certification: which sign says that this pensioner lives, and until when it counts.

(1) Any negative trace -> `suspect`, for a person to look at; a pension is never stopped by this rule. A sign of life
after the negative one is a contradiction between departments: `conflict`. (2) A positive trace not older than the term
-> `certified` until it ends. (3) Otherwise `undetermined`: reminded, then asked by other means. Silence is no sign.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from zhanqiao.terms.services import Trace, Value

PACK = "silent-certification/1.0.0"
TERM_MONTHS = 12

CERTIFIED, SUSPECT, UNDETERMINED = "certified", "suspect", "undetermined"
NEGATIVE, CONFLICT, NO_EVIDENCE, EXPIRED = "negative", "conflict", "no_evidence", "expired"
REASONS = {
    NEGATIVE: "有死亡或服刑记录",
    CONFLICT: "记录相互矛盾",
    NO_EVIDENCE: "没有依据",
    EXPIRED: "依据已过期",
}
# Next steps, each with a person or by the pensioner: nothing, a look by an officer, or self-certification (face) with
# community service and a visit after it, within the three months of the warning period.
NOTHING, OFFICER_REVIEWS, SELF_CERTIFICATION = "none", "officer_reviews", "self_certification"
STEPS = {NOTHING: "无需办理", OFFICER_REVIEWS: "经办人员核实", SELF_CERTIFICATION: "本人自助认证"}

# In order of preference where two traces fall on the same day: the body itself, a visit, care, a checked passage. Taps of
# a transit card and purchases at a pharmacy are left out: a relative may run the errand.
TRACES: tuple[Trace, ...] = (
    Trace("death_register", "death", negative=True),
    Trace("cremation_record", "death", negative=True),
    Trace("serving_sentence", "sentence", negative=True),
    Trace("pension_certification", "biometric"),
    Trace("senior_allowance", "community"),
    Trace("medical_settlement", "medical"),
    Trace("health_check", "medical"),
    Trace("vaccination", "medical"),
    Trace("rail_air_trip", "travel"),
)
CLASSES = {
    "death": "死亡",
    "sentence": "服刑",
    "biometric": "生物特征认证",
    "community": "社区",
    "medical": "医疗",
    "travel": "出行",
}
WEAK = ("transit_trip", "pharmacy_purchase")

# Who must be certified: those paid or suspended, not those whose pension has ended.
ROSTER = "pension_roster"
ROSTER_WHERE = (("benefit_state", ("正常发放", "暂停发放")),)


@dataclass(frozen=True)
class _Sign:
    day: date
    evidence_class: str


def decide(evidence: dict[str, Value], at: date) -> dict[str, object]:
    """Return the outcome from the newest date of each trace, by dataset; a trace without a date says nothing."""
    positive = _latest(evidence, at, negative=False)
    negative = _latest(evidence, at, negative=True)
    if negative is not None:
        contradicted = positive is not None and positive.day > negative.day
        return _answer(SUSPECT, negative, OFFICER_REVIEWS, CONFLICT if contradicted else NEGATIVE)
    if positive is None:
        return _answer(UNDETERMINED, None, SELF_CERTIFICATION, NO_EVIDENCE)
    until = months_after(positive.day, TERM_MONTHS)
    if until < at:
        return _answer(UNDETERMINED, positive, SELF_CERTIFICATION, EXPIRED)
    return {**_answer(CERTIFIED, positive, NOTHING), "valid_until": until}


def months_after(day: date, months: int) -> date:
    """Return the same day so many months later, or the last day of that month if it is too short."""
    month = day.year * 12 + day.month - 1 + months
    year, month = month // 12, month % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _latest(evidence: dict[str, Value], at: date, *, negative: bool) -> _Sign | None:
    """Return the newest sign of that kind. What is dated in the future proves no life, but still needs a look."""
    signs = [
        _Sign(day, trace.evidence_class)
        for trace in TRACES
        if trace.negative is negative
        and isinstance(day := evidence.get(trace.dataset), date)
        and (negative or day <= at)
    ]
    # The first of equals: max keeps the order of TRACES.
    return max(signs, key=lambda sign: sign.day, default=None)


def _answer(outcome: str, sign: _Sign | None, next_step: str, *reasons: str) -> dict[str, object]:
    return {
        "outcome": outcome,
        "valid_until": None,
        "evidence_class": sign.evidence_class if sign else None,
        "evidence_month": sign.day if sign else None,
        "reasons": list(reasons),
        "next_step": next_step,
    }
