# SPDX-License-Identifier: Apache-2.0
"""Agreements, their meters and the consents as the log tells them.

The log has the digest of each contract; the text is the row's. Where that is another, the comparison says so, and what
was done under the agreement cannot be judged.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from zhanqiao.agreements.consents import check_left, check_term, check_withdrawer
from zhanqiao.agreements.contract import Contract, read_contract
from zhanqiao.agreements.grants import Standing, World, check_analyst, check_charge, grant_of
from zhanqiao.agreements.lifecycle import check_act, check_drafter, rules_the_whole
from zhanqiao.agreements.models import AgreementRow, ConsentRow, HoldRow, SealRow
from zhanqiao.agreements.seals import Seal, holds, seal_statement
from zhanqiao.agreements.states import TRANSITIONS, Verb, check_step
from zhanqiao.identity.people import Person
from zhanqiao.identity.replay import RegisterReplay
from zhanqiao.ledger.entries import CERTIFIED, RELEASED, REPEATED, RESERVED, LoggedEvent
from zhanqiao.ledger.replay import Comparison, Facts, places, second
from zhanqiao.policy.decide import check_grant
from zhanqiao.terms.agreements import AgreementState, Door, Grant
from zhanqiao.terms.canonical import digest_bytes
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.refusals import Reason, Refusal

_VERBS = {
    "sealed": Verb.SEAL,
    "filed": Verb.FILE,
    "suspended": Verb.SUSPEND,
    "resumed": Verb.RESUME,
    "terminated": Verb.TERMINATE,
}


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
    """Replays `agreement.*`, `consent.*`, and every charge and release.

    register    replayed up to the same place, as are the datasets that `described` gives: those in force there
    """

    def __init__(self, register: RegisterReplay, described: Callable[[Collection[str]], dict[str, Dataset]]) -> None:
        self._register = register
        self._world = World(register.directory, register.publics_of, described)
        self._texts = {row.id: bytes(row.contract) for row in AgreementRow.objects.only("id", "contract")}
        self._contracts: dict[str, Contract | None] = {}  # None where the text is not that of the log's digest
        self._stood: dict[str, Standing] = {}  # since the agreement last changed
        self._digests: dict[str, str] = {}
        self._kept: dict[str, AgreementState] = {}
        self._filed: set[str] = set()
        self._seals: dict[tuple[str, str], _Seal] = {}  # by agreement and organisation
        self._holds_now: dict[tuple[str, str], _Hold] = {}  # likewise
        self._spent = Counter[str]()
        self._paid: dict[str, tuple[str, int]] = {}  # charged and not released yet: request -> agreement and answers
        self._certified = ""  # the agreement of the envelope that a release stands behind
        self._consents: dict[tuple[str, str], _Consent] = {}  # by issuer and nonce

    def take(self, event: LoggedEvent, facts: Facts) -> Sequence[Reason]:
        """Judge what the event says, then do it once more."""
        if reasons := self._judge(event, facts):
            return reasons
        self._do(event, facts)
        return ()

    # --- judging --------------------------------------------------------------------------------------

    def _judge(self, event: LoggedEvent, facts: Facts) -> Sequence[Reason]:
        floor, _, act = event.kind.partition(".")
        if event.kind.endswith(RESERVED):
            return self._judge_charge(event, str(facts["agreement"]), _count(facts["charge"]))
        if event.kind.endswith(CERTIFIED):
            return self._judge_release(event, facts)
        if event.kind.endswith(RELEASED):
            return self._judge_contract(facts)
        if event.kind.endswith(REPEATED):
            return self._judge_repetition(event.by, str(facts["agreement"]))
        if floor == "agreement" and act == "drafted":
            return self._judge_draft(event, facts)
        if floor == "agreement" and act in _VERBS:
            return self._judge_act(event, facts, _VERBS[act])
        if floor == "consent" and act == "used":
            return self._judge_use(event, facts)
        if floor == "consent" and act == "withdrawn":
            issuer = str(facts["issuer"])
            home, directory = self._register.answers_for(issuer), self._register.directory
            return [*self._judge_consent(facts), *check_withdrawer(issuer, home, event.by, directory)]
        return ()

    def _judge_draft(self, event: LoggedEvent, facts: Facts) -> Sequence[Reason]:
        agreement = str(facts["agreement"])
        if agreement in self._contracts:
            return [Reason("id-taken", {"id": agreement})]
        contract = self._read(agreement, facts["digest"])
        parties = set() if contract is None else {contract.issuer, contract.resident}
        return check_drafter(event.by, parties, self._register.directory)

    def _read(self, agreement: str, digest: object) -> Contract | None:
        text = self._texts.get(agreement, b"")
        return read_contract(text) if digest_bytes(text) == digest else None

    def _judge_act(self, event: LoggedEvent, facts: Facts, verb: Verb) -> Sequence[Reason]:
        agreement = str(facts["agreement"])
        person = self._register.directory.person(event.by)
        if agreement not in self._contracts:
            return [Reason("agreement-unknown", {"agreement": agreement})]
        if person is None:
            return [Reason("person-unknown", {"person": event.by})]
        if (standing := self._standing(agreement)) is None:
            return ()
        reasons = [
            *check_step(agreement, standing.state(event.time), verb),
            *check_act(agreement, standing, person, verb),
        ]
        if verb is not Verb.FILE and verb is not Verb.TERMINATE and facts["organisation"] != person.organisation.id:
            said = {"person": person.id, "organisation": str(facts["organisation"])}
            reasons.append(Reason("not-of-organisation", said))
        if verb is Verb.SUSPEND and facts["whole"] is not rules_the_whole(standing, person):
            reasons.append(Reason("agreement-altered", {"agreement": agreement}))
        if verb is Verb.SEAL and not self._holds(standing, person, facts):
            reasons.append(Reason("seal-invalid", {"person": person.id, "agreement": agreement}))
        return reasons

    def _holds(self, standing: Standing, person: Person, facts: Facts) -> bool:
        statement = seal_statement(str(facts["agreement"]), standing.digest, person.organisation.id, person.id)
        used = facts["key"] == self._register.key_of(person.id)
        return used and holds(statement, bytes.fromhex(str(facts["signature"])), person.key)

    def _judge_charge(self, event: LoggedEvent, agreement: str, answers: int) -> Sequence[Reason]:
        """Judge as the charge does: by whom, too, for what is charged is spent though nothing is released."""
        if agreement not in self._contracts:
            return [Reason("agreement-unknown", {"agreement": agreement})]
        standing = self._standing(agreement)
        if standing is None or standing.contract is None:
            return ()
        reasons = [
            *check_analyst(agreement, event.by, standing.contract.resident, self._register.directory),
            *check_charge(standing, standing.contract, answers, event.time),
        ]
        if standing.kept is not AgreementState.SIGNED and not reasons:
            reasons.append(Reason("agreement-not-sealed", {"agreement": agreement, "missing": "-"}))
        return reasons

    def _judge_release(self, event: LoggedEvent, predicate: Facts) -> Sequence[Reason]:
        """Judge as the release step does: the charge counts as this request's own."""
        agreement, answers = str(predicate["agreement"]), _answers(predicate)
        paid = self._paid.get(event.request)
        if paid is None:
            if reasons := self._judge_charge(event, agreement, answers):
                return reasons
        elif paid != (agreement, answers):
            return [Reason("request-id-taken", {"request": event.request})]
        standing = self._standing(agreement)
        if standing is None or standing.contract is None:
            return ()
        spent = standing.spent - (answers if paid else 0)
        grant = grant_of(agreement, replace(standing, spent=spent), event.time, self._world)
        if isinstance(grant, Refusal):
            return grant.reasons
        directory = self._register.directory
        return [
            *check_analyst(agreement, event.by, standing.contract.resident, directory),
            *check_grant(grant, agreement, Door(str(predicate["door"])), event.time),
            *_beyond(grant, predicate),
        ]

    def _judge_contract(self, facts: Facts) -> Sequence[Reason]:
        """Judge by which contract the release was: its items, capabilities and reads are in no certificate."""
        drafted = self._digests[self._certified]
        return [] if facts["contract"] == drafted else [Reason("agreement-altered", {"agreement": self._certified})]

    def _judge_repetition(self, by: str, agreement: str) -> Sequence[Reason]:
        """Judge to whom a kept answer was handed out again; which request it answers, its seal is bound to."""
        if agreement not in self._contracts:
            return [Reason("agreement-unknown", {"agreement": agreement})]
        contract = self._contracts[agreement]
        return [] if contract is None else check_analyst(agreement, by, contract.resident, self._register.directory)

    def _judge_use(self, event: LoggedEvent, facts: Facts) -> Sequence[Reason]:
        issuer = str(facts["issuer"])
        if not self._register.is_consent_key(issuer):
            return [Reason("consent-issuer-unknown", {"issuer": issuer})]
        begins, ends = (datetime.fromisoformat(str(facts[name])) for name in ("begins", "ends"))
        before = self._consents.get((issuer, str(facts["nonce"])), _Consent(0, None))
        withdrawn = before.withdrawn is not None
        left = check_left(_count(facts["uses"]), before.used, withdrawn=withdrawn)
        return [*self._judge_consent(facts), *check_term(begins, ends, event.time), *left]

    def _judge_consent(self, facts: Facts) -> list[Reason]:
        """Judge which key verified the signature, and to whom it was bound then."""
        registered = self._register.consent_binding(str(facts["issuer"]))
        bound = registered is not None and facts["binding"] == registered
        return [] if bound else [Reason("consent-signature-wrong")]

    def _standing(self, agreement: str) -> Standing | None:
        """Return how an agreement stood, or None where its text is not the one that was drafted."""
        contract = self._contracts[agreement]
        if contract is None:
            return None
        if agreement not in self._stood:
            self._stood[agreement] = self._look_up(agreement, contract)
        return replace(self._stood[agreement], spent=self._spent[agreement])

    def _look_up(self, agreement: str, contract: Contract) -> Standing:
        seals = ((name[1], seal) for name, seal in self._seals.items() if name[0] == agreement)
        holders = sorted((name[1], hold.whole) for name, hold in self._holds_now.items() if name[0] == agreement)
        return Standing(
            kept=self._kept[agreement],
            filed=agreement in self._filed,
            digest=self._digests[agreement],
            contract=contract,
            seals=tuple(_seal(organisation, seal) for organisation, seal in seals),
            held_by=tuple(organisation for organisation, whole in holders if whole),
            held_items_by=tuple(organisation for organisation, whole in holders if not whole),
            begins=contract.begins,
            ends=contract.ends,
            spent=0,
        )

    # --- replaying ------------------------------------------------------------------------------------

    def _do(self, event: LoggedEvent, facts: Facts) -> None:
        floor, _, act = event.kind.partition(".")
        if event.kind.endswith(RESERVED):
            agreement, answers = str(facts["agreement"]), _count(facts["charge"])
            self._paid[event.request] = (agreement, answers)
            self._spent[agreement] += answers
        elif event.kind.endswith(CERTIFIED):
            self._certified = str(facts["agreement"])
            # Where nothing runs, charge and release are one transaction, and only the release is logged.
            if self._paid.pop(event.request, None) is None:
                self._spent[str(facts["agreement"])] += _answers(facts)
        elif floor == "agreement" and act != "refused":
            self._change(act, str(facts["agreement"]), event, facts)
        elif floor == "consent" and act != "refused":
            self._count_consent(act, event, facts)

    def _change(self, act: str, agreement: str, event: LoggedEvent, facts: Facts) -> None:
        named = (agreement, str(facts.get("organisation", "")))
        at = second(event.time)
        self._stood.pop(agreement, None)
        match act:
            case "drafted":
                self._kept[agreement] = AgreementState.INITIATED
                self._digests[agreement] = str(facts["digest"])
                self._contracts[agreement] = self._read(agreement, facts["digest"])
                self._spent[agreement] = 0
            case "sealed":
                self._seals[named] = _Seal(event.by, str(facts["key"]), str(facts["signature"]), at)
                self._move(agreement, Verb.SEAL)
            case "filed":
                self._filed.add(agreement)
            case "suspended":
                self._holds_now[named] = _Hold(facts["whole"] is True, at)
                if facts["whole"] is True:
                    self._move(agreement, Verb.SUSPEND)
            case "resumed":
                holders = {holder for holder, hold in self._holds_now.items() if holder[0] == agreement and hold.whole}
                self._holds_now.pop(named, None)
                if holders == {named}:
                    self._move(agreement, Verb.RESUME)
            case "terminated":
                self._move(agreement, Verb.TERMINATE)

    def _move(self, agreement: str, verb: Verb) -> None:
        # Where the text is another than the log's, the step was not judged, and may lead nowhere.
        kept = self._kept[agreement]
        self._kept[agreement] = TRANSITIONS.get((kept, verb), kept)

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
        yield from _compare("the suspension of", self._holds_now, _held_holds())
        yield from _compare("consent", self._consents, _held_consents(), between=" ")


def _count(said: object) -> int:
    assert isinstance(said, int), "charges and uses are counts"
    return said


def _answers(predicate: Facts) -> int:
    charge = predicate["charge"]
    assert isinstance(charge, dict), "a statement that was signed is whole"
    return _count(charge["answers"])


def _seal(organisation: str, seal: _Seal) -> Seal:
    return Seal(
        organisation, seal.person, seal.key, bytes.fromhex(seal.signature), datetime.fromisoformat(str(seal.at))
    )


def _beyond(grant: Grant, predicate: Facts) -> list[Reason]:
    """Give every reason why a release goes beyond its grant: dataset, service or purpose."""
    named = {"agreement": grant.agreement}
    door, service, purpose = Door(str(predicate["door"])), predicate["service_or_null"], str(predicate["purpose"])
    snapshots = predicate["snapshot"]
    assert isinstance(snapshots, dict), "a statement that was signed is whole"
    covered = grant.covers(door)
    reasons = [grant.beyond(name, door) for name in snapshots if name not in covered]
    if service is not None and service not in grant.services:
        services = ", ".join(sorted(grant.services)) or "-"
        reasons.append(Reason("service-not-granted", {**named, "service": str(service), "granted": services}))
    if purpose != grant.purpose:
        reasons.append(Reason("grant-other-agreement", named))
    return reasons


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
