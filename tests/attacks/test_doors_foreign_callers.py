# SPDX-License-Identifier: Apache-2.0
"""Whoever has no business under an agreement and asks all the same, with everything else in hand.

The worst case: the foreign caller read agreement, request id and question of somebody else's answer from a screen, and
sends the very same request. What was answered to one is not handed to another.
"""

from collections.abc import Callable

import pytest

from lib.pier import CITIZEN_CREDIT, WAGES, Pier, released
from lib.town import codes, done
from zhanqiao.desk.scenarios import find_service
from zhanqiao.doors.release import Release
from zhanqiao.identity import register
from zhanqiao.identity.people import Role
from zhanqiao.identity.register import NewPerson
from zhanqiao.terms.refusals import Refusal

STATEMENT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"
KNOWN = WAGES[60].id
Asking = Callable[[str, str], Release | Refusal]

# who -> what they are told. None of them acts for the bank.
STRANGERS = {
    "rival-analyst": ["agreement-unknown"],  # another organisation's analyst
    "hrss-officer": ["agreement-unknown"],  # the very source of the data
    "bureau-officer": ["agreement-unknown"],  # the issuer
    "sysadmin": ["agreement-unknown"],
    "auditadmin": ["agreement-unknown"],
    "bank-officer": ["role-missing"],  # the bank's own people, in another role
    "bank-signatory": ["role-missing"],
    "nobody": ["person-unknown"],
    "": ["person-unknown"],
    "BANK-ANALYST": ["person-unknown"],
    "bank-analyst ": ["person-unknown"],
}


def _doors(pier: Pier) -> dict[str, Asking]:
    """Return each door with one question, asked by whom under which request id."""
    service = find_service("silent-certification")
    assert service is not None
    token, ids = pier.consent(CITIZEN_CREDIT, KNOWN, uses=9), pier.pensioners()[:3]
    return {
        "statistics": lambda by, request: pier.ask(STATEMENT, by=by, request=request),
        "decisions": lambda by, request: pier.decide(CITIZEN_CREDIT, KNOWN, consent=token, by=by, request=request),
        "batch": lambda by, request: pier.batch(service, ids, by=by, request=request),
    }


@pytest.mark.parametrize("door", ["statistics", "decisions"])
@pytest.mark.parametrize("by", STRANGERS, ids=repr)
def test_a_stranger_gets_neither_an_answer_nor_the_answer_of_another(pier: Pier, door: str, by: str) -> None:
    asking, request = _doors(pier)[door], pier.number()
    told = asking(by, pier.number())
    assert codes(told) == STRANGERS[by]
    assert not any(pier.spent(agreement) for agreement in ("statistics", "credit"))
    first = released(asking("bank-analyst", request))
    again = asking(by, request)
    assert codes(again) == STRANGERS[by], "the same words before and after: no hint that the request exists"
    assert asking("bank-analyst", request) == first


def test_a_batch_is_not_handed_to_strangers_either(pier: Pier) -> None:
    asking, request = _doors(pier)["batch"], pier.number()
    first = released(asking("hrss-officer", request))
    for by in ("bank-analyst", "rival-analyst", "hrss-signatory", "bureau-officer", "nobody"):
        assert isinstance(asking(by, request), Refusal), by
    assert asking("hrss-officer", request) == first


@pytest.mark.parametrize("door", ["statistics", "decisions"])
def test_whoever_was_dismissed_gets_nothing_any_more_not_even_the_own_former_answer(pier: Pier, door: str) -> None:
    asking, request = _doors(pier)[door], pier.number()
    released(asking("bank-analyst", request))
    done(register.dismiss(pier.house.book, "bank-analyst", "sysadmin"))
    assert codes(asking("bank-analyst", request)) == ["person-inactive"]
    assert codes(asking("bank-analyst", pier.number())) == ["person-inactive"]


def test_whoever_lost_the_role_gets_nothing_any_more(pier: Pier) -> None:
    asking, request = _doors(pier)["statistics"], pier.number()
    released(asking("bank-analyst", request))
    done(register.take_role(pier.house.book, "bank-analyst", Role.ANALYST, "secadmin"))
    assert codes(asking("bank-analyst", request)) == ["role-missing"]


def test_a_colleague_reads_the_answer_that_the_organisation_paid_for(pier: Pier) -> None:
    from zhanqiao.identity.keys import make_key, public_bytes

    public = public_bytes(make_key())
    colleague = NewPerson("bank-colleague", "bank", "colleague", "certificate of a colleague", public, frozenset())
    done(register.register_person(pier.house.book, colleague, "sysadmin"))
    asking, request = _doors(pier)["statistics"], pier.number()
    first = released(asking("bank-analyst", request))
    assert codes(asking("bank-colleague", request)) == ["role-missing"]
    done(register.give_role(pier.house.book, "bank-colleague", Role.ANALYST, "secadmin"))
    assert asking("bank-colleague", request) == first
    assert pier.spent() == 1


def test_an_agreement_of_another_organisation_looks_like_none(pier: Pier) -> None:
    foreign = pier.ask(STATEMENT, by="rival-analyst", agreement="statistics")
    invented = pier.ask(STATEMENT, by="rival-analyst", agreement=_unused(pier))
    assert isinstance(foreign, Refusal)
    assert isinstance(invented, Refusal)
    for lang in ("zh", "en"):
        said = str(foreign.as_data(lang)).replace(pier.agreements["statistics"], "…")
        assert said == str(invented.as_data(lang)).replace(_unused(pier), "…")


def test_a_request_id_of_another_organisation_gives_nothing_under_the_own_agreement(pier: Pier) -> None:
    """The same statement, the same id, one's own agreement: it is another question."""
    request = pier.number()
    released(pier.ask(STATEMENT, request=request))
    other = pier.ask(STATEMENT, by="rival-analyst", agreement="rival", request=request)
    assert codes(other) == ["request-id-taken"]
    assert pier.spent("rival") == 0


def test_a_consent_in_foreign_hands_opens_nothing(pier: Pier) -> None:
    """The rival stole the bank's consent token: under its own agreement, and under the bank's."""
    token = pier.consent(CITIZEN_CREDIT, KNOWN)
    own = pier.decide(CITIZEN_CREDIT, KNOWN, consent=token, by="rival-analyst", agreement="rival-credit")
    assert codes(own) == ["not-answered"]
    assert codes(pier.decide(CITIZEN_CREDIT, KNOWN, consent=token, by="rival-analyst")) == ["agreement-unknown"]
    released(pier.decide(CITIZEN_CREDIT, KNOWN, consent=token))


def _unused(pier: Pier) -> str:
    agreement = pier.agreements["statistics"]
    return agreement[:-1] + ("A" if agreement[-1] != "A" else "B")
