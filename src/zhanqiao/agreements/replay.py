# SPDX-License-Identifier: Apache-2.0
"""Agreements, their meters and the consents as the log tells them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from zhanqiao.agreements.contract import read_contract
from zhanqiao.agreements.models import AgreementRow, ConsentRow, HoldRow, SealRow
from zhanqiao.agreements.states import TRANSITIONS, Verb
from zhanqiao.ledger.entries import CERTIFIED, RESERVED, LoggedEvent
from zhanqiao.ledger.replay import Comparison, Facts, places, second
from zhanqiao.terms.agreements import AgreementState
from zhanqiao.terms.canonical import digest_bytes


@dataclass(frozen=True)
class _Agreement:
    digest: str
    kept: str
    filed: bool
    spent: int


@dataclass(frozen=True)
class _Copied:
    """What the columns of an agreement copy out of its contract."""

    id: str
    issuer: str
    resident: str
    begins: str | None
    ends: str | None
    limit: int | None


@dataclass(frozen=True)
class _Seal:
    person: str
    key: str
    signature: str
    at: str | None


@dataclass(frozen=True)
class _Hold:
    whole: bool
    at: str | None


@dataclass(frozen=True)
class _Consent:
    used: int
    withdrawn: str | None


class AgreementsReplay:
    """Replays `agreement.*`, `consent.*`, and every charge."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}
        self._kept: dict[str, AgreementState] = {}
        self._filed: set[str] = set()
        self._seals: dict[tuple[str, str], _Seal] = {}  # by agreement and organisation
        self._holds: dict[tuple[str, str], _Hold] = {}  # likewise
        self._spent = Counter[str]()
        self._paid: set[str] = set()  # requests that are charged and not released yet
        self._consents: dict[tuple[str, str], _Consent] = {}  # by issuer and nonce

    def take(self, event: LoggedEvent, facts: Facts) -> None:
        """Do once more what the event says."""
        floor, _, act = event.kind.partition(".")
        if event.kind.endswith(RESERVED):
            self._paid.add(event.request)
            self._charge(facts["agreement"], facts["charge"])
        elif event.kind.endswith(CERTIFIED):
            self._certify(event.request, facts)
        elif floor == "agreement" and act != "refused":
            self._change(act, str(facts["agreement"]), event, facts)
        elif floor == "consent" and act != "refused":
            self._count_consent(act, event, facts)

    def _certify(self, request: str, predicate: Facts) -> None:
        """Count the charge of a release that was not charged before: where nothing runs, both are one transaction."""
        if request in self._paid:
            self._paid.remove(request)
            return
        charge = predicate["charge"]
        assert isinstance(charge, dict), "a statement that was signed is whole"
        self._charge(predicate["agreement"], charge["answers"])

    def _charge(self, agreement: object, answers: object) -> None:
        assert isinstance(answers, int), "charges are counts"
        self._spent[str(agreement)] += answers

    def _change(self, act: str, agreement: str, event: LoggedEvent, facts: Facts) -> None:
        named = (agreement, str(facts.get("organisation", "")))
        at = second(event.time)
        match act:
            case "drafted":
                self._kept[agreement] = AgreementState.INITIATED
                self._digests[agreement] = str(facts["digest"])
                self._spent[agreement] = 0
            case "sealed":
                self._seals[named] = _Seal(event.by, str(facts["key"]), str(facts["signature"]), at)
                self._move(agreement, Verb.SEAL)
            case "filed":
                self._filed.add(agreement)
            case "suspended":
                self._holds[named] = _Hold(facts["whole"] is True, at)
                if facts["whole"] is True:
                    self._move(agreement, Verb.SUSPEND)
            case "resumed":
                holders = {holder for holder, hold in self._holds.items() if holder[0] == agreement and hold.whole}
                del self._holds[named]
                if holders == {named}:
                    self._move(agreement, Verb.RESUME)
            case "terminated":
                self._move(agreement, Verb.TERMINATE)

    def _move(self, agreement: str, verb: Verb) -> None:
        self._kept[agreement] = TRANSITIONS[self._kept[agreement], verb]

    def _count_consent(self, act: str, event: LoggedEvent, facts: Facts) -> None:
        name = (str(facts["issuer"]), str(facts["nonce"]))
        before = self._consents.get(name, _Consent(0, None))
        if act == "used":
            self._consents[name] = replace(before, used=before.used + 1)
        else:
            # Who withdraws twice changes nothing.
            self._consents[name] = replace(before, withdrawn=before.withdrawn or second(event.time))

    def comparisons(self) -> Iterator[Comparison]:
        """Set the outcome beside the rows."""
        rows = {row.id: row for row in AgreementRow.objects.all()}
        said = {
            name: _Agreement(digest, self._kept[name].value, name in self._filed, self._spent[name])
            for name, digest in self._digests.items()
        }
        held = {name: _Agreement(row.digest, row.kept, row.filed, row.spent) for name, row in rows.items()}
        yield Comparison("agreement", said, held)
        contracts = {name: digest_bytes(bytes(row.contract)) for name, row in rows.items()}
        yield Comparison("the contract of", self._digests, contracts)
        # The bytes are those that the log names the digest of: they say what the columns copy.
        sealed = {name: _said_by(bytes(row.contract)) for name, row in rows.items()}
        yield Comparison("agreement", sealed, {name: _copied(row) for name, row in rows.items()})
        yield from _compare("the seal of", self._seals, _held_seals())
        yield from _compare("the suspension of", self._holds, _held_holds())
        yield from _compare("consent", self._consents, _held_consents(), between=" ")


def _said_by(content: bytes) -> _Copied:
    contract = read_contract(content)
    return _Copied(
        contract.id,
        contract.issuer,
        contract.resident,
        contract.begins.isoformat(),
        contract.ends.isoformat(),
        contract.count,
    )


def _copied(row: AgreementRow) -> _Copied:
    begins, ends = (None if at is None else at.isoformat() for at in (row.begins, row.ends))
    return _Copied(row.id, row.issuer, row.resident, begins, ends, row.limit)


def _held_seals() -> dict[tuple[str, str], _Seal]:
    return {
        (row.agreement_id, row.organisation): _Seal(row.person, row.key, bytes(row.signature).hex(), second(row.at))
        for row in SealRow.objects.order_by("id")
    }


def _held_holds() -> dict[tuple[str, str], _Hold]:
    return {
        (row.agreement_id, row.organisation): _Hold(row.whole, second(row.at)) for row in HoldRow.objects.order_by("id")
    }


def _held_consents() -> dict[tuple[str, str], _Consent]:
    return {
        (row.issuer, row.nonce): _Consent(row.used, second(row.withdrawn)) for row in ConsentRow.objects.order_by("id")
    }


def _compare(
    what: str, said: Mapping[tuple[str, str], object], held: Mapping[tuple[str, str], object], between: str = " by "
) -> Iterator[Comparison]:
    """Compare rows that have two names, and then the order in which they were made."""
    named_said = {between.join(name): row for name, row in said.items()}
    named_held = {between.join(name): row for name, row in held.items()}
    yield Comparison(what, named_said, named_held)
    yield Comparison(f"the place of {what.removeprefix('the ')}", places(named_said), places(named_held))
