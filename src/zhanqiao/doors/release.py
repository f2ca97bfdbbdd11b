# SPDX-License-Identifier: Apache-2.0
"""The one step through which every answer leaves.

    reserve    one transaction: the charge and the event `<door>.reserved` under the request id; never refunded
    (run)      the door's own business
    hand_over  one transaction: the grant is looked up again, the statement is signed, the answer is kept as a sealed
               memo. COMMIT is the point of no return. Then tiles, checkpoint and certificate, each repeatable.

A crash after `reserve` leaves the charge spent and the request repeatable; a crash after `hand_over`'s commit is
answered from the memo. The same request id gets the same bytes and no second charge; the log says to whom they went
again (`<door>.repeated`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.db import IntegrityError

from zhanqiao.agreements import grants
from zhanqiao.catalogue import shelf
from zhanqiao.ledger import certificate
from zhanqiao.ledger.book import AlreadyReleased, Recording, RequestRecord
from zhanqiao.ledger.entries import REPEATED
from zhanqiao.terms.agreements import Door, Grant
from zhanqiao.terms.canonical import canonical, object_of
from zhanqiao.terms.events import Event, as_named
from zhanqiao.terms.refusals import Reason, Refusal, refuse
from zhanqiao.terms.requests import RequestId
from zhanqiao.vault.house import House
from zhanqiao.vault.keys import Sealed
from zhanqiao.vault.safety import RULE_PACK


@dataclass(frozen=True)
class Asked:
    """What a door was asked, as the release step needs it.

    digest  of the question itself, so that one request id cannot stand for two questions
    """

    id: RequestId
    door: Door
    agreement: str
    by: str
    digest: str
    charge: int = 1


@dataclass(frozen=True)
class Release:
    """An answer that left, with what its receiver needs to check it.

    answer_file  canonical JSON {"salt", "answer"}: the salt goes to the receiver only, never into the log
    certificate  tlog-proof@v1
    """

    request: RequestId
    answer_file: bytes
    certificate: bytes

    @cached_property
    def answer(self) -> dict[str, object]:
        """What the file says. Read when somebody looks at it: that of a long list is for the file alone."""
        answer: dict[str, object] = json.loads(self.answer_file)["answer"]
        return answer


@dataclass(frozen=True)
class Sealing:
    """What the certificate says besides the answer itself.

    contract    digest of the one that the question was judged by: beside the certificate in the log, not in it
    commitment  to the exact result before protection, under the auditor's key
    pack        rule pack under which the answer was protected
    read        dataset -> digest of the contract that it was read under: both have to stand still when the answer leaves,
                and the snapshot has to be one that was loaded under it
    permitted   when the permit was made: which snapshot was the published one then, the audit asks
    """

    purpose: str
    contract: str
    statement_digest: str
    snapshot: dict[str, str]
    rules: list[dict[str, object]]
    withheld: list[dict[str, object]]
    commitment: str
    read: dict[str, str]
    permitted: datetime
    service: str | None = None
    rung: str | None = None
    pack: str = RULE_PACK


@dataclass(frozen=True)
class AlsoSpends:
    """What else a door spends in the charging transaction, e.g. one use of a consent.

    spend    spends it; False when nothing is left
    if_not   notes that nothing was left, and says so
    """

    spend: Callable[[Recording], bool]
    if_not: Callable[[], Refusal]


class _NotSpent(Exception):  # noqa: N818
    """Rolls a recording back because nothing was left to spend."""


class _TurnedDown(Exception):  # noqa: N818  rolls a recording back and carries the refusal out of it
    def __init__(self, refusal: Refusal) -> None:
        super().__init__()
        self.refusal = refusal


def opening(asked: Asked, house: House) -> Grant | Release | Refusal:
    """Return the grant that the request stands on, or what settles it: a refusal, or the answer it got before.

    Who asks, what this id was charged and what the agreement allows are read as of one moment. Else a twin that takes
    the agreement's last answer in between would leave this one without a grant that both have paid for.
    """
    # Types say so already; what comes from outside of our own code (a wire protocol) may not hold to them. Not logged:
    # there is no id to log it under.
    if not isinstance(asked.id, RequestId):
        return refuse("request-id-malformed")
    at = house.clock()
    with house.book.moment():
        strange = grants.check_caller(asked.agreement, asked.by)
        record = house.book.request(asked.id)
        # Whoever charged it, an attempt that crashed or a twin at work: the charge is this very request's.
        charged = asked.charge if record is not None and record.digest == asked.digest else 0
        grant = grants.find_grant(asked.agreement, at, charged=charged)
        fallen = grants.why_no_grant(asked.agreement, at, charged=charged) if grant is None else None
    if strange:
        return note_refusal(asked, Refusal(strange), house)
    if record is not None and (before := _settled(asked, record, house)) is not None:
        return before
    if grant is None:
        assert fallen is not None, "read in the same moment"
        return note_refusal(asked, fallen, house)
    # Before anything is charged or read: without witnesses nobody outside could tell whether this is the only log.
    if house.book.out_of_touch():
        witnesses = house.book.witnesses
        away = refuse("witnesses-away", quorum=str(witnesses.needed), seconds=str(witnesses.patience.seconds))
        return note_refusal(asked, away, house)
    return grant


def earlier(asked: Asked, house: House) -> Release | Refusal | None:
    """Return the answer that this request id got before, a refusal if the id stands for another question, or None."""
    record = house.book.request(asked.id)
    return None if record is None else _settled(asked, record, house)


def _settled(asked: Asked, record: RequestRecord, house: House) -> Release | Refusal | None:
    if record.digest != asked.digest:
        return note_refusal(asked, refuse("request-id-taken", request=asked.id), house)
    kept = _kept(asked, record, house)
    return None if kept is None else _handed_again(asked, kept, house)


def _handed_again(asked: Asked, kept: Release, house: House) -> Release | Refusal:
    """Log who gets a kept answer now: nothing else says so, for it costs nothing and changes no row."""
    event = Event(f"{asked.door.value}{REPEATED}", asked.by, asked.id, {"agreement": asked.agreement})
    try:
        with house.book.recording(event):
            if strange := grants.check_caller(asked.agreement, asked.by):
                raise _TurnedDown(Refusal(strange))
    except _TurnedDown as turned:
        return note_refusal(asked, turned.refusal, house)
    return kept


def _kept(asked: Asked, record: RequestRecord, house: House) -> Release | None:
    if record.memo is None or record.index is None:
        return None
    answer_file = house.vault.open(Sealed.MEMO, record.memo, _what_it_answers(asked))
    return Release(asked.id, answer_file, house.book.certificate(record.index))


def reserve(asked: Asked, house: House) -> Refusal | None:
    """Charge the agreement, once per request id."""
    facts: dict[str, object] = {"agreement": asked.agreement, "charge": asked.charge, "digest": asked.digest}
    if house.book.request(asked.id) is None:
        try:
            with house.book.recording(Event(f"{asked.door.value}.reserved", asked.by, asked.id, facts)) as tx:
                # As of this very transaction: what is charged is spent, whether or not anything is released.
                if strange := grants.check_caller(asked.agreement, asked.by):
                    raise _TurnedDown(Refusal(strange))
                tx.reserve(asked.id, asked.digest)
                _spend(asked, tx)
                return None
        except IntegrityError:
            pass  # another attempt reserved this id first
        except _TurnedDown as turned:
            return turned.refusal
    # The charge of a crashed attempt, or of a twin, stands, and the work is repeated. Another question under the same id
    # must not go on: it would be free, and its answer could be handed over as that of the first.
    record = house.book.request(asked.id)
    same = record is not None and record.digest == asked.digest
    return None if same else refuse("request-id-taken", request=asked.id)


def hand_over(asked: Asked, answer: bytes, sealing: Sealing, house: House) -> Release | Refusal:
    """Log, sign and keep the answer (in canonical form), then let it go.

    An answer names its request: so who passes it on cannot hand out another's answer for it, certificate and all.
    """
    salt = house.dice(16)
    memo = _memo(asked, answer, salt, house)
    try:
        with house.book.recording() as tx:
            _check_grant_again(asked, sealing, tx.at)
            _release(asked, answer, salt, memo, sealing, tx)
    except AlreadyReleased:
        return _twins(asked, house)
    except _TurnedDown as turned:
        return note_refusal(asked, turned.refusal, house)
    return _own(asked, house)


def charge_and_hand_over(
    asked: Asked,
    answer: bytes,
    sealing: Sealing,
    house: House,
    also: AlsoSpends | None = None,
) -> Release | Refusal:
    """Reserve and release in one transaction, for doors where nothing runs in between (decisions)."""
    salt = house.dice(16)
    memo = _memo(asked, answer, salt, house)
    try:
        with house.book.recording() as tx:
            tx.reserve(asked.id, asked.digest)
            _spend(asked, tx)
            if also is not None and not also.spend(tx):
                raise _NotSpent
            _check_grant_again(asked, sealing, tx.at)
            _release(asked, answer, salt, memo, sealing, tx)
    except IntegrityError:
        return _twins(asked, house)  # it came first, and its whole transaction with it
    except _NotSpent:
        assert also is not None, "nothing else was to be spent"
        return also.if_not()
    except _TurnedDown as turned:
        return note_refusal(asked, turned.refusal, house)
    return _own(asked, house)


def note_refusal(asked: Asked, refusal: Refusal, house: House, *, sealed_reason: str | None = None) -> Refusal:
    """Log that a request was refused: codes only, no text of the request. Refusals cost nothing."""
    facts: dict[str, object] = {
        "agreement": as_named(asked.agreement),
        "codes": [reason.code for reason in refusal.reasons],
    }
    if sealed_reason is not None:
        facts["sealed_reason"] = sealed_reason
    with house.book.recording(Event(f"{asked.door.value}.refused", as_named(asked.by), asked.id, facts)):
        pass
    return refusal


def _spend(asked: Asked, tx: Recording) -> None:
    if grants.spend(tx, asked.agreement, asked.charge):
        return
    if grants.find_grant(asked.agreement, tx.at) is None:  # it fell since it was looked at
        raise _TurnedDown(grants.why_no_grant(asked.agreement, tx.at))
    raise _TurnedDown(refuse("count-exhausted", agreement=asked.agreement))


def _check_grant_again(asked: Asked, sealing: Sealing, at: datetime) -> None:
    """Revocation acts at once: what fell while the answer was computed (agreement, dataset, caller) lets nothing out.

    Runs after the charge, which is this request's own: the last answer of a count is still an answer.
    """
    grant = grants.find_grant(asked.agreement, at, charged=asked.charge)
    if grant is None:
        raise _TurnedDown(grants.why_no_grant(asked.agreement, at, charged=asked.charge))
    if strange := grants.check_caller(asked.agreement, asked.by):
        raise _TurnedDown(Refusal(strange))
    if grant.contract_digest != sealing.contract:
        raise _TurnedDown(refuse("agreement-changed", agreement=asked.agreement))
    covered = grant.covers(asked.door)
    if gone := [grant.beyond(dataset, asked.door) for dataset in sealing.read if dataset not in covered]:
        raise _TurnedDown(Refusal(tuple(gone)))
    now = {name: dataset.digest for name, dataset in shelf.among(sealing.read).items()}
    loaded = shelf.contracts_of(sealing.snapshot)
    if moved := [name for name, contract in sealing.read.items() if {now.get(name), loaded.get(name)} != {contract}]:
        raise _TurnedDown(Refusal(tuple(Reason("dataset-changed", {"dataset": dataset}) for dataset in moved)))


def _memo(asked: Asked, answer: bytes, salt: bytes, house: House) -> bytes:
    answer_file = object_of({"answer": answer, "salt": canonical(salt.hex())})
    return house.vault.seal(Sealed.MEMO, answer_file, _what_it_answers(asked))


def _what_it_answers(asked: Asked) -> bytes:
    """Return what a kept answer is bound to: who edits the row of a request cannot have it opened for another question."""
    return canonical([asked.id, asked.door.value, asked.agreement, asked.digest])


def _release(asked: Asked, answer: bytes, salt: bytes, memo: bytes, sealing: Sealing, tx: Recording) -> None:
    assert sealing.read.keys() == sealing.snapshot.keys(), "whatever answers was read under a contract"
    permitted = sealing.permitted.isoformat(timespec="seconds")
    tx.release(
        Event(
            f"{asked.door.value}.released",
            asked.by,
            asked.id,
            {"contract": sealing.contract, "read": sealing.read, "permitted": permitted},
        ),
        _predicate(asked, sealing, tx.at),
        certificate.canonical_digest(salt, answer),
        memo,
    )


def _predicate(asked: Asked, sealing: Sealing, issued: datetime) -> dict[str, object]:
    return {
        "version": certificate.PREDICATE_VERSION,
        "door": asked.door.value,
        "service_or_null": sealing.service,
        "agreement": asked.agreement,
        "purpose": sealing.purpose,
        "policy": {"version": "1", "pack": sealing.pack},
        "statement_or_artifact_digest": sealing.statement_digest,
        "snapshot": sealing.snapshot,
        "rung_or_null": sealing.rung,
        "rules": sealing.rules,
        "withheld": sealing.withheld,
        "charge": {"answers": asked.charge},
        "commitment": sealing.commitment,
        "approvals": [],
        "group": None,
        "issued": issued,
    }


def _own(asked: Asked, house: House) -> Release:
    """Return what was just released, as it is kept."""
    record = house.book.request(asked.id)
    kept = None if record is None else _kept(asked, record, house)
    assert kept is not None, "a released request is in the book"
    return kept


def _twins(asked: Asked, house: House) -> Release | Refusal:
    """Return what another attempt at the same request got."""
    release = earlier(asked, house)
    assert release is not None, "a released request is in the book"
    return release
