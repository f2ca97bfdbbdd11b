# SPDX-License-Identifier: Apache-2.0
"""Attack: one human gathers powers that three should hold."""

from dataclasses import replace
from itertools import permutations

import pytest

from lib.town import Town, build, codes, done
from zhanqiao.identity import register
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.identity.people import ADMINISTRATORS, Role
from zhanqiao.identity.register import NewPerson


@pytest.fixture
def town(book) -> Town:
    return build(book)


HOLDERS = {Role.SYSTEM_ADMIN: "sysadmin", Role.SECURITY_ADMIN: "secadmin", Role.AUDIT_ADMIN: "auditadmin"}


def test_an_administrator_takes_a_second_office(town: Town):
    for held, wanted in permutations(ADMINISTRATORS, 2):
        assert "roles-incompatible" in codes(register.give_role(town.book, HOLDERS[held], wanted, "secadmin"))


def test_the_security_administrator_helps_himself(town: Town):
    for wanted in Role:
        found = codes(register.give_role(town.book, "secadmin", wanted, "secadmin"))
        assert {"roles-incompatible", "role-held"} & set(found)


def test_a_human_opens_a_second_account(town: Town):
    second = NewPerson("sys-again", "bureau", "又一个", "certificate of sysadmin", public_bytes(make_key()))
    assert codes(register.register_person(town.book, second, "sysadmin")) == ["natural-person-taken"]
    for written in (" certificate of sysadmin ", "CERTIFICATE OF  SYSADMIN", "certificate\u3000ｏｆ sysadmin\n"):
        again = NewPerson("sys-again", "bureau", "又一个", written, public_bytes(make_key()))
        assert codes(register.register_person(town.book, again, "sysadmin")) == ["natural-person-taken"]


def test_who_may_not_register_is_not_told_who_has_an_account(town: Town):
    known = NewPerson("asking", "nowhere", "问", "certificate of sysadmin", b"short")
    unknown = replace(known, natural="certificate of nobody")
    for by, code in (("secadmin", "role-missing"), ("nobody", "person-unknown")):
        assert codes(register.register_person(town.book, known, by)) == [code]
        assert codes(register.register_person(town.book, unknown, by)) == [code]


CARD = "11010519491231002X"
SPELLINGS = {
    "unseen characters": "11010519\u200b491231\u00ad002X",
    "dashes and dots": "110105-19491231-002X.",
    "full width": "１１０１０５１９４９１２３１００２ｘ",
    "digits of another script": "\u0661\u0661\u0660\u0661\u0660\u0665\u0661\u0669\u0664\u0669\u0661\u0662\u0663\u0661\u0660\u0660\u0662X",
    "fifteen digits": "110105491231002",
    "combining marks": "1\u03011010519491231002X",
}
NOBODY = {
    "a wrong check digit": "110105194912310021",
    "a wrong date": "110105194913310020",
    "a letter more": "11010519491231002XA",
    "a look-alike": "11010519491231002\u0425",
    "a letter inside": "110105A19491231002X",
    "Chinese numerals": "一一〇一〇五一九四九一二三一〇〇二X",
    "a word before": "id 11010519491231002X",
    "nothing": " \u200b\u00ad-",
}


def _account(natural: str) -> NewPerson:
    return NewPerson("twin", "bureau", "孪生", natural, public_bytes(make_key()))


def test_a_citizen_id_is_one_person_however_it_is_written(town: Town):
    new = NewPerson("first", "bureau", "第一个", CARD, public_bytes(make_key()))
    done(register.register_person(town.book, new, "sysadmin"))
    for how, written in SPELLINGS.items():
        assert codes(register.register_person(town.book, _account(written), "sysadmin")) == ["natural-person-taken"], (
            how
        )


def test_what_is_no_citizen_id_but_looks_like_one_names_nobody(town: Town):
    for how, written in NOBODY.items():
        found = codes(register.register_person(town.book, _account(written), "sysadmin"))
        assert found == ["natural-person-unclear"], how


def test_two_accounts_share_a_key(town: Town):
    shared = NewPerson("twin", "bank", "孪生", "twin", public_bytes(town.keys["bank-signatory"]))
    assert codes(register.register_person(town.book, shared, "sysadmin")) == ["key-taken"]
    found = codes(
        register.replace_key(town.book, "bank-officer", public_bytes(town.keys["bank-signatory"]), "sysadmin")
    )
    assert found == ["key-taken"]


def test_the_system_administrator_makes_an_account_with_roles(town: Town):
    new = NewPerson("puppet", "bureau", "木偶", "puppet", public_bytes(make_key()), frozenset({Role.SIGNATORY}))
    assert codes(register.register_person(town.book, new, "sysadmin")) == ["role-missing"]


def test_the_system_administrator_puts_his_key_in_a_signatorys_place(town: Town):
    agreement = town.draft()
    thief = make_key()
    done(register.replace_key(town.book, "bank-signatory", public_bytes(thief), "sysadmin"))
    town.keys["bank-signatory"] = thief
    assert codes(town.seal(agreement, "bank-signatory")) == ["role-missing"]
