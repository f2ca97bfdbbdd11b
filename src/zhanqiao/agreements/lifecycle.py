# SPDX-License-Identifier: Apache-2.0
"""The life of an agreement as acts of people: draft, seal, file, suspend, resume, terminate, show.

Each act is one recording: look at what stands, give every reason against it, then change rows and log, together. Who
may do what:

    seal                    a signatory of a party that has not sealed yet, with the registered key; never the same person twice
    file                    an officer of the authority
    suspend, resume         an officer of the authority or of the issuer: the whole; of another source department: its own
                            items. Only who suspended resumes
    terminate               an officer of the authority, the issuer or the resident
"""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zhanqiao.agreements import contract_id
from zhanqiao.agreements.contract import Contract
from zhanqiao.agreements.draft_checks import World, check_draft, settle
from zhanqiao.agreements.drafting import parse
from zhanqiao.agreements.grants import Standing, check_recipient, missing_seals, stands
from zhanqiao.agreements.models import AgreementRow, HoldRow, SealRow
from zhanqiao.agreements.seals import Seal, holds, seal_statement, sign_seal
from zhanqiao.agreements.states import NAMES, TRANSITIONS, Verb, check_step
from zhanqiao.agreements.usage import STATED
from zhanqiao.catalogue import shelf
from zhanqiao.identity.attempts import note_refusal
from zhanqiao.identity.directory import NOW, Directory, find_organisation, find_person, organisations
from zhanqiao.identity.people import OrganisationKind, Person, Role, check_acts
from zhanqiao.ledger.book import Book
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.terms.agreements import AgreementState
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import Reason, Refusal
from zhanqiao.terms.services import Service

# A node without a registered authority that has a credit code numbers its contracts under this fictional one.
_NO_AUTHORITY = contract_id.Node("1", "000000000000000000", "0000")


@dataclass(frozen=True)
class Agreement:
    """An agreement as it is shown: the contract, where it stands, who sealed it, what is left.

    state           at the moment of looking
    held_items_by   departments that hold their own datasets back
    remaining       answers left, None when no count was agreed
    recipient_out   why its recipient gets nothing whatever the state: it left, or is not admitted
    """

    contract: Contract
    digest: str
    state: AgreementState
    filed: bool
    seals: tuple[Seal, ...]
    missing_seals: tuple[str, ...]
    held_by: tuple[str, ...]
    held_items_by: tuple[str, ...]
    spent: int
    remaining: int | None
    recipient_out: tuple[Reason, ...] = ()

    @property
    def id(self) -> str:
        return self.contract.id

    def as_data(self) -> dict[str, object]:
        """Return the form of `--json` output."""
        zh, en = NAMES[self.state]
        return {
            "agreement": self.id,
            "state": self.state,
            "state_zh": zh,
            "state_en": en,
            "filed": self.filed,
            "digest": self.digest,
            "contract": self.contract.as_data(),
            "not_enforced_by_machine": [
                f"{rule.kind} {rule.action}" for rule in self.contract.rules if (rule.kind, rule.action) in STATED
            ],
            "seals": [
                {"organisation": seal.organisation, "person": seal.person, "key": seal.key, "at": seal.at}
                for seal in self.seals
            ],
            "missing_seals": self.missing_seals,
            "suspended_by": self.held_by,
            "items_held_by": self.held_items_by,
            "spent": self.spent,
            "remaining": self.remaining,
            "recipient_out": [reason.code for reason in self.recipient_out],
        }


@dataclass(frozen=True)
class Altered:
    """An agreement whose stored text is not what was sealed: nothing of it is believed but its number."""

    id: str

    @property
    def refusal(self) -> Refusal:
        """Say so, as every act on it does."""
        return Refusal((Reason("agreement-altered", {"agreement": self.id}),))


def draft(
    book: Book,
    text: str,
    by: str,
    *,
    services: Collection[Service] = (),
    node: contract_id.Node | None = None,
    dice: Callable[[int], bytes] = secrets.token_bytes,
) -> Agreement | Refusal:
    """Make a contract from a YAML draft, or name every problem with its line. `services`: all that are published."""
    # (1) Read the text; go on as far as it could be read, so that all reasons come at once.
    found, reasons = parse(text)
    with book.recording() as tx:
        # (2) Judge it against register, catalogue and calendar as they are in this transaction.
        world = World(find_organisation, shelf.find, shelf.open_names, services, tx.at)
        if found is not None:
            reasons = (*reasons, *check_draft(found, world))
        parties = {word.text for word in (found.issuer, found.resident) if word is not None} if found else set()
        reasons = (*check_drafter(by, parties), *sorted(reasons, key=_line_of))
        if reasons or found is None:
            return note_refusal(tx, "agreement.draft", by, "draft", reasons)
        # (3) Number it, and keep exactly the bytes that will be sealed.
        contract = settle(found, world, contract_id.make(node or _node(), tx.at, dice), by)
        AgreementRow.objects.create(
            id=contract.id,
            kept=AgreementState.INITIATED.value,
            contract=contract.to_bytes(),
            digest=contract.digest,
            issuer=contract.issuer,
            resident=contract.resident,
            begins=contract.begins,
            ends=contract.ends,
            limit=contract.count,
        )
        tx.add(_event("drafted", by, contract.id, digest=contract.digest))
        return _shown(contract.id, tx.at)


def seal(book: Book, agreement: str, by: str, key: Ed25519PrivateKey) -> Agreement | Refusal:
    """Seal with a private key at hand: sign what `statement_for` shows, then let the signature stand."""
    statement = statement_for(agreement, by)
    if isinstance(statement, Refusal):
        return statement
    return seal_with(book, agreement, by, sign_seal(statement, key))


def statement_for(agreement: str, by: str) -> bytes | Refusal:
    """Return the exact bytes that `by` signs to seal the agreement for its organisation."""
    standing, person = stands(agreement), find_person(by)
    missing = [] if standing is not None else [Reason("agreement-unknown", {"agreement": agreement})]
    missing += [] if person is not None else [Reason("person-unknown", {"person": by})]
    if standing is None or person is None:
        return Refusal(tuple(missing))
    return seal_statement(agreement, standing.digest, person.organisation.id, person.id)


def seal_with(book: Book, agreement: str, by: str, signature: bytes) -> Agreement | Refusal:
    """Let a signature made elsewhere stand as the seal of `by`'s organisation. The second seal signs the contract."""
    with book.recording() as tx:
        standing, person, reasons = _look(agreement, by, Verb.SEAL, tx.at)
        if standing is not None and person is not None:
            statement = seal_statement(agreement, standing.digest, person.organisation.id, person.id)
            if standing.contract is None or not holds(statement, signature, person.key):
                reasons.append(Reason("seal-invalid", {"person": by, "agreement": agreement}))
        if reasons or standing is None or person is None:
            return note_refusal(tx, "agreement.seal", by, agreement, reasons)
        SealRow.objects.create(
            agreement_id=agreement,
            organisation=person.organisation.id,
            person=person.id,
            key=key_id_of(person.key),
            signature=signature,
            at=tx.at,
        )
        _move(agreement, standing, Verb.SEAL)
        tx.add(
            _event(
                "sealed",
                by,
                agreement,
                digest=standing.digest,
                organisation=person.organisation.id,
                key=key_id_of(person.key),
                signature=signature.hex(),
            )
        )
        return _shown(agreement, tx.at)


def file(book: Book, agreement: str, by: str) -> Agreement | Refusal:
    """Set the filing flag (备案)."""
    with book.recording() as tx:
        standing, _, reasons = _look(agreement, by, Verb.FILE, tx.at)
        if reasons or standing is None:
            return note_refusal(tx, "agreement.file", by, agreement, reasons)
        AgreementRow.objects.filter(pk=agreement).update(filed=True)
        tx.add(_event("filed", by, agreement, digest=standing.digest))
        return _shown(agreement, tx.at)


def suspend(book: Book, agreement: str, by: str) -> Agreement | Refusal:
    """Suspend the whole, or a source department's items; acts at the next look at the grant."""
    with book.recording() as tx:
        standing, person, reasons = _look(agreement, by, Verb.SUSPEND, tx.at)
        if reasons or standing is None or person is None:
            return note_refusal(tx, "agreement.suspend", by, agreement, reasons)
        whole = rules_the_whole(standing, person)
        HoldRow.objects.create(agreement_id=agreement, organisation=person.organisation.id, whole=whole, at=tx.at)
        if whole:
            _move(agreement, standing, Verb.SUSPEND)
        tx.add(_event("suspended", by, agreement, organisation=person.organisation.id, whole=whole))
        return _shown(agreement, tx.at)


def resume(book: Book, agreement: str, by: str) -> Agreement | Refusal:
    """Lift one's own suspension; the agreement goes on when no other stands."""
    with book.recording() as tx:
        standing, person, reasons = _look(agreement, by, Verb.RESUME, tx.at)
        if reasons or standing is None or person is None:
            return note_refusal(tx, "agreement.resume", by, agreement, reasons)
        HoldRow.objects.filter(agreement_id=agreement, organisation=person.organisation.id).delete()
        if standing.held_by == (person.organisation.id,):
            _move(agreement, standing, Verb.RESUME)
        tx.add(_event("resumed", by, agreement, organisation=person.organisation.id))
        return _shown(agreement, tx.at)


def terminate(book: Book, agreement: str, by: str) -> Agreement | Refusal:
    """End the agreement for good."""
    with book.recording() as tx:
        standing, _, reasons = _look(agreement, by, Verb.TERMINATE, tx.at)
        if reasons or standing is None:
            return note_refusal(tx, "agreement.terminate", by, agreement, reasons)
        _move(agreement, standing, Verb.TERMINATE)
        tx.add(_event("terminated", by, agreement))
        return _shown(agreement, tx.at)


def show(agreement: str, at: datetime) -> Agreement | Refusal:
    """Return the agreement as it stands at `at`."""
    standing = stands(agreement)
    if standing is None:
        return Refusal((Reason("agreement-unknown", {"agreement": agreement}),))
    contract = standing.contract
    if contract is None:
        return Altered(agreement).refusal
    return Agreement(
        contract=contract,
        digest=standing.digest,
        state=standing.state(at),
        filed=standing.filed,
        seals=standing.seals,
        missing_seals=missing_seals(standing, agreement),
        held_by=standing.held_by,
        held_items_by=standing.held_items_by,
        spent=standing.spent,
        remaining=None if contract.count is None else max(0, contract.count - standing.spent),
        recipient_out=check_recipient(contract.resident),
    )


def listing(at: datetime) -> tuple[Agreement | Altered, ...]:
    """Return all agreements, by number."""
    shown = ((row.id, show(row.id, at)) for row in AgreementRow.objects.only("id").order_by("id"))
    return tuple(Altered(number) if isinstance(one, Refusal) else one for number, one in shown)


# --- checks -----------------------------------------------------------------------------------------


def _look(agreement: str, by: str, verb: Verb, at: datetime) -> tuple[Standing | None, Person | None, list[Reason]]:
    standing, person = stands(agreement), find_person(by)
    reasons: list[Reason] = []
    if standing is None:
        reasons.append(Reason("agreement-unknown", {"agreement": agreement}))
    else:
        reasons += check_step(agreement, standing.state(at), verb)
    if person is None:
        reasons.append(Reason("person-unknown", {"person": by}))
    if standing is not None and person is not None:
        reasons += check_act(agreement, standing, person, verb)
    return standing, person, reasons


def check_act(agreement: str, standing: Standing, person: Person, verb: Verb) -> list[Reason]:
    """Give every reason why this person cannot do this to an agreement that stands so, whatever its state."""
    match verb:
        case Verb.SEAL:
            return _check_seal(agreement, standing, person)
        case Verb.FILE:
            return _check_file(agreement, standing, person)
        case Verb.SUSPEND | Verb.RESUME:
            return _check_hold(agreement, standing, person, verb)
        case Verb.TERMINATE:
            return _check_entitled(
                agreement,
                person,
                verb,
                entitled=_is_authority(person) or person.organisation.id in standing.parties,
                who=("officers of the authority, the issuer and the resident", "主管部门及双方的经办人"),
            )
        case _:
            assert_never(verb)


def _check_seal(agreement: str, standing: Standing, person: Person) -> list[Reason]:
    organisation = person.organisation.id
    reasons = list(check_acts(person, Role.SIGNATORY))
    if organisation not in standing.parties:
        facts = {"organisation": organisation, "agreement": agreement, "parties": ", ".join(standing.parties)}
        reasons.append(Reason("seal-not-a-party", facts))
    if organisation in {seal.organisation for seal in standing.seals}:
        reasons.append(Reason("seal-standing", {"organisation": organisation, "agreement": agreement}))
    if person.id in {seal.person for seal in standing.seals}:
        reasons.append(Reason("seal-same-person", {"person": person.id, "agreement": agreement}))
    return reasons


def _check_file(agreement: str, standing: Standing, person: Person) -> list[Reason]:
    reasons = _check_entitled(
        agreement,
        person,
        Verb.FILE,
        entitled=_is_authority(person),
        who=("officers of the authority", "主管部门的经办人"),
    )
    if standing.filed:
        reasons.append(Reason("filed-already", {"agreement": agreement}))
    return reasons


def _check_hold(agreement: str, standing: Standing, person: Person, verb: Verb) -> list[Reason]:
    organisation = person.organisation.id
    contract = standing.contract
    sources = {part.department for part in (*contract.granted, *contract.reads)} if contract else set()
    reasons = _check_entitled(
        agreement,
        person,
        verb,
        entitled=rules_the_whole(standing, person) or organisation in sources,
        who=("officers of the authority, the issuer and the source departments", "主管部门、授权方和数源部门的经办人"),
    )
    held = organisation in {*standing.held_by, *standing.held_items_by}
    facts = {"organisation": organisation, "agreement": agreement}
    if verb is Verb.SUSPEND and held:
        reasons.append(Reason("hold-standing", facts))
    if verb is Verb.RESUME and not held:
        reasons.append(Reason("hold-missing", facts))
    return reasons


def _check_entitled(
    agreement: str, person: Person, verb: Verb, *, entitled: bool, who: tuple[str, str]
) -> list[Reason]:
    reasons = list(check_acts(person, Role.OFFICER))
    if not entitled:
        facts = {
            "person": person.id,
            "organisation": person.organisation.id,
            "verb": verb.value,
            "agreement": agreement,
            "who_en": who[0],
            "who_zh": who[1],
        }
        reasons.append(Reason("not-entitled", facts))
    return reasons


def check_drafter(by: str, parties: Collection[str], directory: Directory = NOW) -> tuple[Reason, ...]:
    """Let an officer of either party draft, and one of the authority, which answers for the platform."""
    person = directory.person(by)
    if person is None:
        return (Reason("person-unknown", {"person": by}),)
    reasons = check_acts(person, Role.OFFICER)
    if _is_authority(person) or person.organisation.id in parties or not parties:
        return reasons
    return (*reasons, Reason("not-of-organisation", {"person": by, "organisation": ", ".join(sorted(parties))}))


def rules_the_whole(standing: Standing, person: Person) -> bool:
    """Whether this person suspends the whole agreement, and not one department's items."""
    issuer = None if standing.contract is None else standing.contract.issuer
    return _is_authority(person) or person.organisation.id == issuer


def _is_authority(person: Person) -> bool:
    return person.organisation.kind is OrganisationKind.AUTHORITY


# --- rows -------------------------------------------------------------------------------------------


def _move(agreement: str, standing: Standing, verb: Verb) -> None:
    """Store what the verb makes of the kept state. A kept SIGNED is what PERFORMING is made of."""
    after = TRANSITIONS[standing.kept, verb]
    moved = AgreementRow.objects.filter(pk=agreement, kept=standing.kept.value).update(kept=after.value)
    if moved != 1:  # only where transactions do not queue up: nothing is written, the act is repeated
        raise RuntimeError(f"couldn't {verb.value} {agreement}: it changed meanwhile")


def _event(act: str, by: str, agreement: str, **facts: object) -> Event:
    return Event(f"agreement.{act}", by, facts={"agreement": agreement, **facts})


def _shown(agreement: str, at: datetime) -> Agreement:
    found = show(agreement, at)
    assert isinstance(found, Agreement), "just written"
    return found


def _node() -> contract_id.Node:
    """The authority numbers contracts: a region's node under its credit code, whose third to sixth place is the area."""
    for authority in organisations(OrganisationKind.AUTHORITY):
        if authority.code is not None:
            return contract_id.Node("1", authority.code, authority.code[2:6])
    return _NO_AUTHORITY


def _line_of(reason: Reason) -> int:
    return int(reason.facts.get("line", "0"))
