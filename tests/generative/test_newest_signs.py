# SPDX-License-Identifier: Apache-2.0
"""Any list of pensioners: whoever is decided together would have been decided so alone."""

from datetime import date

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st

from zhanqiao.desk.scenarios import all_services
from zhanqiao.doors.decisions import decide_list, shaped
from zhanqiao.vault.traces import NOBODY, RosterEvidence

AT = date(2026, 11, 25)
TODAY = (AT - date(1970, 1, 1)).days
SERVICES = [service for service in all_services() if service.newest_signs]
# None; both ends of the term, today and its neighbours; both ends of the calendar. Few, so that many fall together.
DAYS = st.sampled_from([0, 0, 0, 1, TODAY - 366, TODAY - 365, TODAY - 31, TODAY - 30, TODAY, TODAY + 1, 65_535])


@given(st.sampled_from(SERVICES), st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_list_is_decided_as_each_of_it_alone(service, data) -> None:
    subjects = data.draw(st.lists(st.tuples(st.booleans(), *[DAYS] * len(service.traces)), max_size=40))
    columns = list(zip(*subjects, strict=True)) or [()] * (1 + len(service.traces))
    answerable = np.array(columns[0], np.bool_)
    days = {
        trace.dataset: np.array(column, np.uint16) * answerable
        for trace, column in zip(service.traces, columns[1:], strict=True)
    }
    read = RosterEvidence(answerable, days)
    decided = decide_list(read, service, AT)
    event("together" if len(decided.outcomes) < answerable.sum() else "apart")
    for place, which in enumerate(decided.which.tolist()):
        evidence = read.of(place)
        if evidence is None:
            assert which == NOBODY
        else:
            assert decided.outcomes[which] == shaped(service.decide(evidence, AT), service)


def test_some_service_is_decided_so() -> None:
    assert "silent-certification" in [service.name for service in SERVICES]
