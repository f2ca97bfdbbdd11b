# SPDX-License-Identifier: Apache-2.0
"""States of an agreement and what each verb makes of them: one table, from which checks and diagrams are made.

    01 initiated --seal--> 02 negotiating --seal--> 0301 signed --(start date)--> 05 performing --(end date)--> 06
    signed, performing <--resume-- suspended <--suspend-- signed, performing           terminate: from anywhere to 06

The first seal locks the text. Start and end are dates, not acts: the state in the database says what people did, and
`state_at` says what that is worth at a moment. So nothing has to run at midnight for a term to begin or to end.
"""

from datetime import datetime
from enum import StrEnum

from zhanqiao.terms.agreements import AgreementState
from zhanqiao.terms.refusals import Reason


class Verb(StrEnum):
    SEAL = "seal"
    FILE = "file"  # 备案: sets the flag, changes no state
    SUSPEND = "suspend"
    RESUME = "resume"
    TERMINATE = "terminate"


_S = AgreementState
TRANSITIONS: dict[tuple[AgreementState, Verb], AgreementState] = {
    (_S.INITIATED, Verb.SEAL): _S.NEGOTIATING,
    (_S.NEGOTIATING, Verb.SEAL): _S.SIGNED,
    (_S.SIGNED, Verb.FILE): _S.SIGNED,
    (_S.PERFORMING, Verb.FILE): _S.PERFORMING,
    (_S.SUSPENDED, Verb.FILE): _S.SUSPENDED,
    (_S.SIGNED, Verb.SUSPEND): _S.SUSPENDED,
    (_S.PERFORMING, Verb.SUSPEND): _S.SUSPENDED,
    # A second organisation suspends too, so that the first one's resuming does not reopen what the second closed.
    (_S.SUSPENDED, Verb.SUSPEND): _S.SUSPENDED,
    # A source department lifts the hold on its own items while the agreement itself goes on.
    (_S.SIGNED, Verb.RESUME): _S.SIGNED,
    (_S.PERFORMING, Verb.RESUME): _S.SIGNED,
    (_S.SUSPENDED, Verb.RESUME): _S.SIGNED,
    (_S.INITIATED, Verb.TERMINATE): _S.TERMINATED,
    (_S.NEGOTIATING, Verb.TERMINATE): _S.TERMINATED,
    (_S.SIGNED, Verb.TERMINATE): _S.TERMINATED,
    (_S.PERFORMING, Verb.TERMINATE): _S.TERMINATED,
    (_S.SUSPENDED, Verb.TERMINATE): _S.TERMINATED,
}

NAMES: dict[AgreementState, tuple[str, str]] = {
    _S.INITIATED: ("已发起", "initiated"),
    _S.NEGOTIATING: ("协商中", "negotiating"),
    _S.SIGNED: ("已签订", "signed"),
    _S.PERFORMING: ("履行中", "performing"),
    _S.SUSPENDED: ("已暂停", "suspended"),
    _S.TERMINATED: ("已终止", "terminated"),
}


def state_at(kept: AgreementState, begins: datetime, ends: datetime, at: datetime) -> AgreementState:
    """Return the state that `kept`, what people did, amounts to at a moment."""
    if at >= ends:
        return AgreementState.TERMINATED
    if kept is AgreementState.SIGNED and at >= begins:
        return AgreementState.PERFORMING
    return kept


def check_step(agreement: str, state: AgreementState, verb: Verb) -> tuple[Reason, ...]:
    """Give the reason why `verb` leads nowhere from `state`, if it does not."""
    if (state, verb) in TRANSITIONS:
        return ()
    zh, en = NAMES[state]
    facts = {
        "agreement": agreement,
        "state": state.value,
        "state_zh": zh,
        "state_en": en,
        "verb": verb.value,
        "possible": ", ".join(way.value for (origin, way) in TRANSITIONS if origin is state) or "-",
    }
    return (Reason("agreement-step", facts),)
