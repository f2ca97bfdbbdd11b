# SPDX-License-Identifier: Apache-2.0
"""Truth tables of an agreement's states: every state by every verb, every date."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from zhanqiao.agreements.states import NAMES, TRANSITIONS, Verb, check_step, state_at
from zhanqiao.terms.agreements import AgreementState as State

BEGINS, ENDS = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 12, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

#                      seal              file              suspend          resume        terminate
TRUTH = {
    State.INITIATED: (State.NEGOTIATING, None, None, None, State.TERMINATED),
    State.NEGOTIATING: (State.SIGNED, None, None, None, State.TERMINATED),
    State.SIGNED: (None, State.SIGNED, State.SUSPENDED, State.SIGNED, State.TERMINATED),
    State.PERFORMING: (None, State.PERFORMING, State.SUSPENDED, State.SIGNED, State.TERMINATED),
    State.SUSPENDED: (None, State.SUSPENDED, State.SUSPENDED, State.SIGNED, State.TERMINATED),
    State.TERMINATED: (None, None, None, None, None),
}


@pytest.mark.parametrize(("state", "verb"), list(product(State, Verb)))
def test_every_state_by_every_verb(state: State, verb: Verb):
    expected = TRUTH[state][list(Verb).index(verb)]
    assert TRANSITIONS.get((state, verb)) is expected
    reasons = check_step("C1", state, verb)
    assert (reasons == ()) is (expected is not None)
    for reason in reasons:
        assert reason.code == "agreement-step"
        assert NAMES[state][0] in reason.message("zh")
        assert NAMES[state][1] in reason.message("en")


@pytest.mark.parametrize("kept", State)
def test_dates_begin_and_end_a_term_by_themselves(kept: State):
    assert state_at(kept, BEGINS, ENDS, ENDS) is State.TERMINATED
    assert state_at(kept, BEGINS, ENDS, BEGINS - SECOND) is kept
    inside = State.PERFORMING if kept is State.SIGNED else kept
    assert state_at(kept, BEGINS, ENDS, BEGINS) is inside
    assert state_at(kept, BEGINS, ENDS, ENDS - SECOND) is inside


def test_only_a_signed_contract_ever_performs():
    reaching = {state for (state, _), after in TRANSITIONS.items() if after is State.SIGNED}
    assert reaching == {State.NEGOTIATING, State.SIGNED, State.PERFORMING, State.SUSPENDED}
