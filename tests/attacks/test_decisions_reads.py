# SPDX-License-Identifier: Apache-2.0
"""A service reads what both parties sealed, and nothing that its declaration was given later."""

from dataclasses import replace

from lib.pier import CITIZEN_CREDIT, WAGES, Pier, released
from lib.town import codes, done
from zhanqiao.agreements import lifecycle
from zhanqiao.desk.scenarios import find_service
from zhanqiao.terms.services import Evidence, Operation

KNOWN = WAGES[60].id


def _grown(item: str) -> object:
    more = Evidence("more", "pension_enrolment", Operation.NEWEST, item=item, date_item="settled_on")
    return replace(CITIZEN_CREDIT, evidence=(*CITIZEN_CREDIT.evidence, more))


def test_a_service_that_grew_since_the_seal_reads_nothing(pier: Pier) -> None:
    token = pier.consent(CITIZEN_CREDIT, KNOWN)
    released(pier.decide(CITIZEN_CREDIT, KNOWN, consent=token))
    for item in ("district", "birth_year"):
        grown = _grown(item)
        refused = pier.decide(grown, KNOWN, consent=pier.consent(grown, KNOWN))
        assert codes(refused) == ["service-reads-beyond-agreement"]
        assert f"pension_enrolment.{item}" in refused.reasons[0].message("en")


def test_a_service_over_another_dataset_reads_nothing(pier: Pier) -> None:
    pensions = find_service("silent-certification")
    assert pensions is not None
    other = Evidence("seen", pensions.traces[0].dataset, Operation.EXISTS)
    grown = replace(CITIZEN_CREDIT, evidence=(*CITIZEN_CREDIT.evidence, other))
    assert codes(pier.decide(grown, KNOWN, consent=pier.consent(grown, KNOWN))) == ["service-reads-beyond-agreement"]


def test_a_department_holds_its_traces_back_from_the_duty_too(pier: Pier) -> None:
    service = find_service("silent-certification")
    assert service is not None
    agreement, ids = pier.agreements["pension"], pier.pensioners()[:3]
    released(pier.batch(service, ids))
    done(lifecycle.suspend(pier.house.book, agreement, "hrss-officer"))
    assert set(codes(pier.batch(service, ids))) == {"dataset-held-back"}
    done(lifecycle.resume(pier.house.book, agreement, "hrss-officer"))
    released(pier.batch(service, ids))


def test_the_sealed_text_says_what_is_read(pier: Pier) -> None:
    contract = done(lifecycle.show(pier.agreements["credit"], pier.house.clock())).contract
    read = {part.dataset: set(part.items) for part in contract.reads}
    assert read["pension_enrolment"] >= {"contribution_base", "settled_on"}
    assert all(part.department for part in contract.reads)
