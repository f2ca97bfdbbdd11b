# SPDX-License-Identifier: Apache-2.0
"""Somebody types an identifier, a name or a page of text where a name belongs. The log keeps none of it."""

import pytest

from lib.pier import WAGES, Pier
from lib.town import codes
from zhanqiao.agreements import lifecycle
from zhanqiao.identity import consent_keys, register
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.identity.people import Role
from zhanqiao.terms.events import as_named
from zhanqiao.terms.subjects import Subject, SubjectKind

STATEMENT = "SELECT count(*) AS people FROM pension_enrolment"
PERSON = Subject(SubjectKind.PERSON, WAGES[0].id)
WRITTEN = [
    "370223194304301361",
    "37022319430430136X",
    "370223430430136",
    "13805320000",
    "张三",
    "zhang san",
    "91370200MB2F00001J",
    "x" * 90_000,
    "a\nforged: line",
    "",
]


@pytest.mark.parametrize("text", WRITTEN, ids=lambda text: repr(text[:20]))
def test_what_is_no_name_is_not_logged(pier: Pier, text: str) -> None:
    agreement = pier.agreements["statistics"]
    book = pier.house.book
    tried = [
        pier.ask(STATEMENT, agreement=text),
        pier.ask(STATEMENT, by=text),
        lifecycle.suspend(pier.house.book, text, "bureau-officer"),
        lifecycle.suspend(pier.house.book, agreement, text),
        register.give_role(pier.house.book, text, Role.ANALYST, "secadmin"),
        register.give_role(pier.house.book, "bank-analyst", Role.ANALYST, text),
        consent_keys.register_subject_key(
            book, text, PERSON, public_bytes(make_key()), "bureau-officer", salt=bytes(16)
        ),
        consent_keys.register_consent_authority(book, text, "bureau", public_bytes(make_key()), "secadmin"),
        consent_keys.revoke_consent_key(book, text, "secadmin"),
    ]
    assert all(codes(one) for one in tried)
    logged = b"\n".join(entry.leaf + entry.by.encode() for entry in pier.house.book.events())
    assert not text or text.encode() not in logged
    assert b".refused" in logged, "that somebody tried is kept"
    pier.house.book.publish()
    pier.house.book.audit()


def test_names_are_logged_as_they_are() -> None:
    for name in ("bay-analyst", "pension_enrolment", "0" * 32, "C111370200MB2F00001J370220261102090029YPTM9NOC9"):
        assert as_named(name) == name
    for text in WRITTEN:
        assert as_named(text) == "-"
