# SPDX-License-Identifier: Apache-2.0
"""Admission of residents (入驻): published criteria, two stages by two people, and an exit.

    applicant --assess--> assessed --admit--> resident --leave--> exit
        ^____________return___|        (leave is possible from every state before exit)

Every market entity has equal access: who evidences each criterion is assessed, and nothing else is asked. The first
stage says what is missing, all at once; the second is decided by another person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from zhanqiao.terms.refusals import Reason


class Admission(StrEnum):
    APPLICANT = "applicant"
    ASSESSED = "assessed"
    RESIDENT = "resident"
    EXIT = "exit"


class Step(StrEnum):
    ASSESS = "assess"  # 初审
    ADMIT = "admit"  # 复审
    RETURN = "return"  # back to the applicant, who hands in evidence anew
    LEAVE = "leave"


TRANSITIONS: dict[tuple[Admission, Step], Admission] = {
    (Admission.APPLICANT, Step.ASSESS): Admission.ASSESSED,
    (Admission.ASSESSED, Step.ADMIT): Admission.RESIDENT,
    (Admission.ASSESSED, Step.RETURN): Admission.APPLICANT,
    (Admission.APPLICANT, Step.LEAVE): Admission.EXIT,
    (Admission.ASSESSED, Step.LEAVE): Admission.EXIT,
    (Admission.RESIDENT, Step.LEAVE): Admission.EXIT,
}


@dataclass(frozen=True)
class Criterion:
    """One published condition. Its evidence is a reference to a document: a number, or a digest."""

    code: str
    zh: str
    en: str


CRITERIA: tuple[Criterion, ...] = (
    Criterion("R1", "依法设立的法人证明", "proof of a lawfully founded legal entity"),
    Criterion(
        "R2", "无严重失信和重大数据违法记录的信用报告", "a credit report without serious dishonesty or data offences"
    ),
    Criterion("R3", "网络安全等级保护测评报告", "a report of graded network-security protection"),
    Criterion("R4", "数据安全负责人任命书", "the appointment of a named head of data security"),
    Criterion("R5", "应用场景和数据用途说明", "a description of the scenario and the purpose of the data"),
    Criterion("R6", "安全保密承诺书", "a signed letter of security and confidentiality"),
)


def check_step(organisation: str, state: Admission, step: Step) -> tuple[Reason, ...]:
    """Give the reason why `step` leads nowhere from `state`, if it does not."""
    if (state, step) in TRANSITIONS:
        return ()
    possible = ", ".join(verb.value for (at, verb) in TRANSITIONS if at is state) or "-"
    facts = {"organisation": organisation, "state": state.value, "verb": step.value, "possible": possible}
    return (Reason("admission-step", facts),)


def check_second(by: str, assessed_by: str | None) -> tuple[Reason, ...]:
    """Give the reason why `by` cannot decide the second stage: who decided the first."""
    return (Reason("second-person-needed", {"person": by}),) if by == assessed_by else ()


def check_evidence(evidence: Mapping[str, str]) -> tuple[Reason, ...]:
    """Give a reason for each criterion without evidence, and for each that is not published."""
    missing = [
        Reason("criterion-missing", {"criterion": criterion.code, "title_zh": criterion.zh, "title_en": criterion.en})
        for criterion in CRITERIA
        if not evidence.get(criterion.code, "").strip()
    ]
    known = {criterion.code for criterion in CRITERIA}
    unknown = [
        Reason("criterion-unknown", {"criterion": code, "known": ", ".join(sorted(known))})
        for code in sorted(set(evidence) - known)
    ]
    return (*missing, *unknown)
