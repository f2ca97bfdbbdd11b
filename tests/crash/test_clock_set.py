# SPDX-License-Identifier: Apache-2.0
"""The clock is set back and forward while people work: agreements and consents are judged by it, and the log stays whole."""

from datetime import timedelta

import pytest

from lib.accidents import BY_DISTRICT
from lib.pier import CITIZEN_CREDIT, WAGES, Pier, released
from lib.town import codes
from zhanqiao.desk.audit import audit
from zhanqiao.terms.refusals import Refusal


@pytest.mark.parametrize("days", [-1, -30, 1, 30, 400])
def test_within_the_term_answers_go_on_and_the_log_is_whole(pier: Pier, clock, days):
    first = released(pier.ask(BY_DISTRICT))
    clock.forward(days=days)
    second = released(pier.ask(BY_DISTRICT))
    clock.forward(days=-days)
    third = released(pier.ask(BY_DISTRICT))
    after = pier.reopened()
    assert after.spent() == 3
    assert audit(after.house) == after.house.book.publish().size
    assert all(after.verify(one).valid for one in (first, second, third))
    # The same id brings the same bytes, whatever the clock shows.
    clock.forward(days=days)
    assert released(after.ask(BY_DISTRICT, request=first.request)).answer_file == first.answer_file


@pytest.mark.parametrize(("days", "code"), [(-400, "agreement-not-started"), (5 * 365, "agreement-ended")])
def test_outside_of_the_term_nothing_is_answered(pier: Pier, clock, days, code):
    clock.forward(days=days)
    assert codes(pier.ask(BY_DISTRICT)) == [code]
    clock.forward(days=-days)
    released(pier.ask(BY_DISTRICT))
    assert pier.spent() == 1
    audit(pier.reopened().house)


def test_a_consent_is_judged_by_the_clock(pier: Pier, clock):
    now = clock()
    token = pier.consent(CITIZEN_CREDIT, WAGES[0].id, begins=now - timedelta(days=1), ends=now + timedelta(days=1))
    for days in (-3, 6):
        clock.forward(days=days)
        assert isinstance(pier.decide(CITIZEN_CREDIT, WAGES[0].id, consent=token), Refusal)
    clock.forward(days=-3)
    released(pier.decide(CITIZEN_CREDIT, WAGES[0].id, consent=token))
    audit(pier.reopened().house)
