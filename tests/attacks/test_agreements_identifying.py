# SPDX-License-Identifier: Apache-2.0
"""Somebody's number where words belong: a contract's purpose stands in the public log for ever."""

import pytest

from lib.town import CITIZEN_CREDIT, DRAFT, Town, build, codes
from zhanqiao.agreements import lifecycle
from zhanqiao.agreements.drafting import parse

NUMBERS = {
    "citizen id": "370202194001011234",
    "citizen id with X": "11010519491231002X",
    "in lower case, with words around it": "check of 11010519491231002x today",
    "full-width": "３７０２０２１９４００１０１１２３４",
    "in groups": "370202 19400101 1234",
    "with dashes": "370202-19400101-1234",
    "id of the first generation": "370202400101123",
    "credit code": "11370200MB2F00001J",
    "credit code in groups": "1137 0200 MB2F 0000 1J",
    "mobile number": "call 13805321234",
    "landline": "0532-85911234",
    "bank card": "6222020200112233445",
}
WORDS = {
    "a word": "credit-precheck",
    "words": "小微企业贷款预审",
    "days": "2026-11-25 - 2027-11-30",
    "a version": "pension 2026.11.25 v1.10.3",
    "a law's number": "GB/T 39477-2020, GB 11643-1999",
}


def reasons_for(key: str, text: str) -> list[tuple[str, dict[str, str]]]:
    said = {"name": "贷款预审", "purpose": "credit-precheck", "doors": "-"} | {key: text}
    draft, reasons = parse("".join(f'{word}: "{value}"\n' for word, value in said.items()))
    assert draft is not None
    found = getattr(draft, key)
    assert (found.line, found.text) == ({"name": 1, "purpose": 2}[key], text), "it was read"
    return [(reason.code, dict(reason.facts)) for reason in reasons if reason.code == "draft-text-identifying"]


@pytest.mark.parametrize("key", ["name", "purpose"])
@pytest.mark.parametrize("text", NUMBERS.values(), ids=NUMBERS)
def test_a_number_that_names_somebody_is_refused_and_not_repeated(key: str, text: str):
    line = {"name": "1", "purpose": "2"}[key]
    assert reasons_for(key, text) == [("draft-text-identifying", {"line": line, "key": key})]


@pytest.mark.parametrize("key", ["name", "purpose"])
@pytest.mark.parametrize("text", WORDS.values(), ids=WORDS)
def test_words_days_and_versions_are_taken(key: str, text: str):
    assert reasons_for(key, text) == []


def test_no_agreement_is_made_of_it_and_nothing_keeps_it(book):
    town: Town = build(book)
    text = DRAFT.format(issuer="bureau", begins="2026-11-01", ends="2027-10-31", count=5)
    number = NUMBERS["citizen id"]
    found = lifecycle.draft(
        town.book, text.replace("credit-precheck", number), "bank-officer", services=(CITIZEN_CREDIT,)
    )
    assert "draft-text-identifying" in codes(found)
    assert all(number not in str(event) for event in town.book.events())
