# SPDX-License-Identifier: Apache-2.0
"""Agreements, their meters and the consents as the log tells them."""

from collections import Counter
from collections.abc import Iterator

from zhanqiao.agreements.models import AgreementRow, ConsentRow, HoldRow, SealRow
from zhanqiao.agreements.states import TRANSITIONS, Verb
from zhanqiao.ledger.entries import CERTIFIED, RESERVED, LoggedEvent
from zhanqiao.ledger.replay import Comparison, Facts
from zhanqiao.terms.agreements import AgreementState


class AgreementsReplay:
    """Replays `agreement.*`, `consent.*`, and every charge."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}
        self._kept: dict[str, AgreementState] = {}
        self._filed: set[str] = set()
        self._seals: dict[str, tuple[str, str, str]] = {}  # agreement by organisation -> person, key, signature
        self._holds: dict[str, dict[str, bool]] = {}  # agreement -> organisation -> of the whole
        self._spent = Counter[str]()
        self._paid: set[str] = set()  # requests that are charged and not released yet
        self._consents: dict[str, tuple[int, bool]] = {}  # issuer and nonce -> uses, withdrawn

    def take(self, event: LoggedEvent, facts: Facts) -> None:
        """Do once more what the event says."""
        floor, _, act = event.kind.partition(".")
        if event.kind.endswith(RESERVED):
            self._paid.add(event.request)
            self._charge(facts["agreement"], facts["charge"])
        elif event.kind.endswith(CERTIFIED):
            self._certify(event.request, facts)
        elif floor == "agreement" and act != "refused":
            self._change(act, str(facts["agreement"]), event.by, facts)
        elif floor == "consent" and act != "refused":
            self._count_consent(act, facts)

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

    def _change(self, act: str, agreement: str, by: str, facts: Facts) -> None:
        organisation = str(facts.get("organisation", ""))
        match act:
            case "drafted":
                self._kept[agreement] = AgreementState.INITIATED
                self._digests[agreement] = str(facts["digest"])
                self._spent[agreement], self._holds[agreement] = 0, {}
            case "sealed":
                self._seals[f"{agreement} by {organisation}"] = (by, str(facts["key"]), str(facts["signature"]))
                self._move(agreement, Verb.SEAL)
            case "filed":
                self._filed.add(agreement)
            case "suspended":
                self._holds[agreement][organisation] = facts["whole"] is True
                if facts["whole"] is True:
                    self._move(agreement, Verb.SUSPEND)
            case "resumed":
                whole = {holder for holder, of_whole in self._holds[agreement].items() if of_whole}
                del self._holds[agreement][organisation]
                if whole == {organisation}:
                    self._move(agreement, Verb.RESUME)
            case "terminated":
                self._move(agreement, Verb.TERMINATE)

    def _move(self, agreement: str, verb: Verb) -> None:
        self._kept[agreement] = TRANSITIONS[self._kept[agreement], verb]

    def _count_consent(self, act: str, facts: Facts) -> None:
        name = f"{facts['issuer']} {facts['nonce']}"
        used, withdrawn = self._consents.get(name, (0, False))
        self._consents[name] = (used + 1, withdrawn) if act == "used" else (used, True)

    def comparisons(self) -> Iterator[Comparison]:
        """Set the outcome beside the rows."""
        rows = AgreementRow.objects.values_list("id", "digest", "kept", "filed", "spent")
        said = {
            name: (digest, self._kept[name].value, name in self._filed, self._spent[name])
            for name, digest in self._digests.items()
        }
        yield Comparison("agreement", said, {row[0]: row[1:] for row in rows})
        seals = {
            f"{seal.agreement_id} by {seal.organisation}": (seal.person, seal.key, bytes(seal.signature).hex())
            for seal in SealRow.objects.all()
        }
        yield Comparison("the seal of", self._seals, seals)
        holds = {f"{hold.agreement_id} by {hold.organisation}": hold.whole for hold in HoldRow.objects.all()}
        yield Comparison("the suspension of", self._said_holds(), holds)
        consents = ConsentRow.objects.values_list("issuer", "nonce", "used", "withdrawn")
        held = {f"{issuer} {nonce}": (used, at is not None) for issuer, nonce, used, at in consents}
        yield Comparison("consent", self._consents, held)

    def _said_holds(self) -> dict[str, bool]:
        return {
            f"{agreement} by {organisation}": whole
            for agreement, holds in self._holds.items()
            for organisation, whole in holds.items()
        }
