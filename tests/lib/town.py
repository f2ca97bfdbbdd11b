# SPDX-License-Identifier: Apache-2.0
"""A small town for tests of agreements: a bureau, two departments, two banks, an operator, and everybody's keys.

Built through the front door: found, assess, admit, draft, seal. No state here is one that people could not reach.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connections

from zhanqiao.agreements import consents, lifecycle
from zhanqiao.agreements.lifecycle import Agreement
from zhanqiao.catalogue import shelf
from zhanqiao.identity import consent_keys, register, residents
from zhanqiao.identity.admission import CRITERIA
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.identity.people import OrganisationKind, Role
from zhanqiao.identity.register import NewOrganisation, NewPerson
from zhanqiao.ledger.book import Book
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.services import Evidence, Field, Operation, Service
from zhanqiao.terms.subjects import Subject, SubjectKind

CONTRACTS = Path(__file__).parent / "contracts"
_K, _R = OrganisationKind, Role
T = TypeVar("T")

ORGANISATIONS = (
    NewOrganisation("bureau", _K.AUTHORITY, "大数据局", "11370200MB2F00001J"),
    NewOrganisation("hrss", _K.DEPARTMENT, "人社局"),
    NewOrganisation("tax", _K.DEPARTMENT, "税务局"),
    NewOrganisation("runner", _K.OPERATOR, "运营公司", "91370200MA3QDQH018"),
    NewOrganisation("watch", _K.REGULATOR, "监管办", "11370200MB2F00002M"),
    NewOrganisation("bank", _K.RESIDENT, "海湾银行"),
    NewOrganisation("rival", _K.RESIDENT, "崂山银行"),
)
PEOPLE: dict[str, tuple[str, frozenset[Role]]] = {
    "sysadmin": ("runner", frozenset({_R.SYSTEM_ADMIN})),
    "secadmin": ("bureau", frozenset({_R.SECURITY_ADMIN})),
    "auditadmin": ("watch", frozenset({_R.AUDIT_ADMIN})),
    "auditor": ("watch", frozenset({_R.AUDITOR})),
    "first-assessor": ("bureau", frozenset({_R.ASSESSOR})),
    "second-assessor": ("bureau", frozenset({_R.ASSESSOR})),
    "bureau-officer": ("bureau", frozenset({_R.OFFICER, _R.STEWARD})),
    "bureau-signatory": ("bureau", frozenset({_R.SIGNATORY})),
    "bureau-deputy": ("bureau", frozenset({_R.SIGNATORY})),
    "hrss-officer": ("hrss", frozenset({_R.OFFICER, _R.STEWARD})),
    "hrss-signatory": ("hrss", frozenset({_R.SIGNATORY})),
    "tax-officer": ("tax", frozenset({_R.OFFICER})),
    "bank-officer": ("bank", frozenset({_R.OFFICER})),
    "bank-signatory": ("bank", frozenset({_R.SIGNATORY})),
    "bank-analyst": ("bank", frozenset({_R.ANALYST})),
    "rival-officer": ("rival", frozenset({_R.OFFICER})),
    "rival-signatory": ("rival", frozenset({_R.SIGNATORY})),
    "rival-analyst": ("rival", frozenset({_R.ANALYST})),
}

DRAFT = """\
name: 个人信用贷款预审
abstract: 以社保缴存情况辅助授信
resident: bank
issuer: {issuer}
purpose: credit-precheck
doors: [statistics, decisions]
datasets:
  pension_enrolment:
    items: [person_id, district, birth_year, contribution_base]
    capabilities: {{birth_year: [group]}}
services: [citizen_credit]
term: {{from: {begins}, until: {ends}}}
limits: {{count: {count}}}
policy:
  permission: [{{action: use}}]
  prohibition: [{{action: sell}}]
"""

CITIZEN_CREDIT = Service(
    name="citizen_credit",
    zh="个人信用预审",
    en="Citizen credit pre-check",
    subject=SubjectKind.PERSON,
    purposes=("credit-precheck",),
    needs_consent=True,
    output=(Field("outcome", "结论", ("pass", "manual")),),
    pack="citizen_credit/1",
    decide=lambda _, __: {"outcome": "manual"},
    evidence=(Evidence("base", "pension_enrolment", Operation.SUM, item="contribution_base"),),
)

SUBJECT = Subject(SubjectKind.PERSON, "11010519491231002X")
ITEMS = {"pension_enrolment": frozenset({"contribution_base"})}


@dataclass
class Town:
    """Everybody, with the private keys that only they would have."""

    book: Book
    clock: Callable[[], datetime]
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)

    def draft(
        self,
        *,
        issuer: str = "bureau",
        begins: str = "2026-11-01",
        ends: str = "2027-10-31",
        count: int = 5,
        by: str = "bank-officer",
    ) -> str:
        text = DRAFT.format(issuer=issuer, begins=begins, ends=ends, count=count)
        return done(lifecycle.draft(self.book, text, by, services=(CITIZEN_CREDIT,))).id

    def seal(self, agreement: str, by: str) -> Agreement | Refusal:
        return lifecycle.seal(self.book, agreement, by, self.keys[by])

    def signed(self, **terms: object) -> str:
        """Return an agreement that both parties have sealed."""
        agreement = self.draft(**terms)
        issuer = terms.get("issuer", "bureau")
        done(self.seal(agreement, f"{issuer}-signatory"))
        done(self.seal(agreement, "bank-signatory"))
        return agreement

    def consent(self, key: str = "app", **changed: object) -> str:
        """Return a signed token for SUBJECT's use by the bank."""
        terms: dict[str, object] = {
            "recipient": "bank",
            "service": "citizen_credit",
            "purpose": "credit-precheck",
            "items": ITEMS,
            "begins": datetime.fromisoformat("2026-11-01T00:00:00+00:00"),
            "ends": datetime.fromisoformat("2026-12-31T00:00:00+00:00"),
            "salt": bytes(16),
            "nonce": bytes(range(16)),
            **changed,
        }
        subject = terms.pop("subject", SUBJECT)
        return consents.sign(self.keys[key], key, subject, **terms)  # type: ignore[arg-type]


def done(outcome: T | Refusal) -> T:
    """Return what an act gave; a refusal fails the test with its reasons."""
    assert not isinstance(outcome, Refusal), [reason.message("en") for reason in outcome.reasons]
    return outcome


def codes(outcome: object) -> list[str]:
    """Return the codes of a refusal, each of which prints in both languages."""
    assert isinstance(outcome, Refusal), outcome
    for reason in outcome.reasons:
        for lang in ("zh", "en"):
            assert reason.message(lang)
            assert reason.remedy(lang)
    return [reason.code for reason in outcome.reasons]


# What `_settle` reached the first time under each log's keys, and everybody's: the next towns start from a copy of both.
_settled: dict[bytes, tuple[bytes, dict[str, Ed25519PrivateKey]]] = {}


def build(book: Book) -> Town:
    """Return a settled town on a fresh home."""
    path = Path(connections.settings["default"]["NAME"])
    log = (path.parent / "public" / "trust.txt").read_bytes()
    if log in _settled:
        state, keys = _settled[log]
        connections.close_all()
        path.write_bytes(state)
        return Town(book, book.clock, dict(keys))
    town = _settle(book)
    connections.close_all()  # the last connection brings the write-ahead log home
    _settled[log] = (path.read_bytes(), dict(town.keys))
    return town


def _settle(book: Book) -> Town:
    """Found the register, admit the banks, put a dataset on the shelf, register the keys that sign consents."""
    town = Town(book, book.clock)
    people = []
    for person, (organisation, roles) in PEOPLE.items():
        town.keys[person] = make_key()
        public = public_bytes(town.keys[person])
        people.append(NewPerson(person, organisation, person, f"certificate of {person}", public, roles))
    done(register.found(book, ORGANISATIONS, people, profile="demo"))
    for bank in ("bank", "rival"):
        done(residents.assess(book, bank, {each.code: f"doc {each.code}" for each in CRITERIA}, "first-assessor"))
        done(residents.admit(book, bank, "second-assessor"))
    done(shelf.add(book, (CONTRACTS / "pension_enrolment.odcs.yaml").read_text(encoding="utf-8"), "hrss-officer"))
    for issuer in ("app", "own"):
        town.keys[issuer] = make_key()
    public = public_bytes(town.keys["app"])
    done(consent_keys.register_consent_authority(book, "app", "bureau", public, "secadmin"))
    public = public_bytes(town.keys["own"])
    done(consent_keys.register_subject_key(book, "own", SUBJECT, public, "bureau-officer", salt=b"s" * 16))
    return town
