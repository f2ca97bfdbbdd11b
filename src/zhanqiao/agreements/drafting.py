# SPDX-License-Identifier: Apache-2.0
"""Drafts of contracts: from a person's YAML to a `Draft` whose every word knows its line. `draft_keys` has all keys.

    name: 个人信用贷款预审
    abstract: ...
    resident: qingdao-bank            # who will ask
    issuer: authority                 # who grants: a department for its own datasets, or the authority
    purpose: credit-precheck
    doors: [statistics, decisions]
    datasets:
      pension_enrolment: [district, birth_year]
      housing_fund:
        items: [district, deposit_base]
        capabilities: {deposit_base: [aggregate]}      # less than the catalogue gives
    services: [citizen_credit]
    term: {from: 2026-12-01, until: 2027-11-30}        # both days included, at most five years
    limits: {count: 1000}
    policy:
      permission:
        - action: use
          constraint: [{leftOperand: purpose, operator: eq, rightOperand: credit-precheck}]
      prohibition: [{action: sell}]

Reading goes on after a problem, so that a draft gets all of its reasons at once; what could not be read is None. Of
what is no draft nothing is repeated: it may be a file of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from zhanqiao.agreements.draft_keys import below
from zhanqiao.agreements.identifying import is_identifying
from zhanqiao.agreements.legal_time import after_instant, first_instant
from zhanqiao.agreements.usage import KINDS, DraftConstraint, DraftRule
from zhanqiao.catalogue.plain_yaml import Flaw, Kind, Listing, Mapping, Node, Scalar, compose, speaks_of
from zhanqiao.terms.agreements import Door
from zhanqiao.terms.refusals import Reason

MAX_DRAFT = 65_536
# As many characters of four bytes each.
MAX_BYTES = 4 * MAX_DRAFT
MAX_TEXT = 2_000
# What an abstract of several lines has besides words.
_PROSE = "\n\t\u3000"
# What nothing but a draft says; rows have a `name` as well.
_SIGNS = ("doors", "datasets")


@dataclass(frozen=True)
class DraftDataset:
    name: Scalar
    items: tuple[Scalar, ...]
    capabilities: tuple[tuple[Scalar, tuple[Scalar, ...]], ...] = ()


@dataclass(frozen=True)
class DraftTerm:
    line: int
    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class Draft:
    """What a draft says, as far as it could be read."""

    name: Scalar | None
    abstract: Scalar | None
    resident: Scalar | None
    issuer: Scalar | None
    purpose: Scalar | None
    doors: tuple[tuple[Door, int], ...]
    datasets: tuple[DraftDataset, ...]
    services: tuple[Scalar, ...]
    term: DraftTerm | None
    count: int | None
    rules: tuple[DraftRule, ...]


def parse(text: str) -> tuple[Draft | None, tuple[Reason, ...]]:
    """Read a draft. The draft is None only when the text is no draft, or no plain YAML."""
    if len(text) > MAX_DRAFT:
        return None, (_not_yaml(1, f"more than {MAX_DRAFT} characters"),)
    root, flaws = compose(text)
    if not speaks_of(_SIGNS, root, text):
        return None, (Reason("draft-not-described", {"line": "1", "known": ", ".join(_SIGNS)}),)
    reader = _Reader(flaws)
    table = reader.table(root, "draft", below())
    if table is None:
        return None, tuple(reader.reasons)
    draft = Draft(
        name=reader.public_word(table, "name"),
        abstract=reader.word(table, "abstract", needed=False),
        resident=reader.word(table, "resident"),
        issuer=reader.word(table, "issuer"),
        purpose=reader.public_word(table, "purpose"),
        doors=reader.doors(table),
        datasets=reader.datasets(table),
        services=reader.words(table.entries.get("services"), "services"),
        term=reader.term(table),
        count=reader.count(table),
        rules=reader.rules(table),
    )
    return draft, tuple(reader.reasons)


class _Reader:
    """Collects reasons while it reads; every method returns what it could read."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        self.reasons: list[Reason] = [_not_yaml(flaw.line, flaw.detail) for flaw in flaws]

    def wrong(self, line: int, key: str, wanted: str) -> None:
        self.reasons.append(Reason("draft-value-wrong", {"line": str(line), "key": key, "wanted": wanted}))

    def missing(self, line: int, key: str) -> None:
        self.reasons.append(Reason("draft-key-missing", {"line": str(line), "key": key}))

    def table(self, node: Node | None, key: str, known: tuple[str, ...] | None = None) -> Mapping | None:
        if node is None:
            return None
        if not isinstance(node, Mapping):
            self.wrong(node.line, key, "a mapping")
            return None
        if known is not None:
            self.reasons += [
                Reason("draft-key-unknown", {"line": str(line), "key": name[:64], "known": ", ".join(known)})
                for name, line in node.key_lines.items()
                if name not in known
            ]
        return node

    def named(self, node: Node | None, key: str) -> list[tuple[Scalar, Node]]:
        """Read a mapping from names that the draft chooses."""
        table = self.table(node, key)
        if table is None:
            return []
        names = [Scalar(table.key_lines[name], name, Kind.TEXT) for name in table.entries]
        for name in names:
            self.seen(name, key)
        return list(zip(names, table.entries.values(), strict=True))

    def word(self, table: Mapping, key: str, *, needed: bool = True) -> Scalar | None:
        node = table.entries.get(key)
        if node is None:
            if needed:
                self.missing(table.line, key)
            return None
        said = isinstance(node, Scalar) and node.kind is not Kind.NOTHING and node.text.strip()
        if not isinstance(node, Scalar) or not said or len(node.text) > MAX_TEXT:
            self.wrong(node.line, key, f"one text of at most {MAX_TEXT} characters")
            return None
        self.seen(node, key, hidden_but_allowed="" if needed else _PROSE)
        return node

    def public_word(self, table: Mapping, key: str) -> Scalar | None:
        """Read a word that others come to read: nobody's number stands in it. What it was is not repeated."""
        word = self.word(table, key)
        if word is not None and is_identifying(word.text):
            self.reasons.append(Reason("draft-text-identifying", {"line": str(word.line), "key": key}))
        return word

    def seen(self, word: Scalar, key: str, *, hidden_but_allowed: str = "") -> None:
        """Note a word with characters that nobody sees: who seals a contract must see all of it."""
        if not all(letter.isprintable() or letter in hidden_but_allowed for letter in word.text):
            self.reasons.append(Reason("draft-text-invisible", {"line": str(word.line), "key": key}))

    def words(self, node: Node | None, key: str, *, filled: bool = False) -> tuple[Scalar, ...]:
        """Read a list of distinct words; a list that must be filled names at least one."""
        if node is None:
            return ()
        if not isinstance(node, Listing) or not all(isinstance(part, Scalar) and part.text for part in node.entries):
            self.wrong(node.line, key, "a list of words")
            return ()
        words = tuple(part for part in node.entries if isinstance(part, Scalar))
        for word in words:
            self.seen(word, key)
        if filled and not words:
            self.wrong(node.line, key, "a list with at least one word")
        texts = [word.text for word in words]
        for at, word in enumerate(words):
            if word.text in texts[:at]:
                self.wrong(word.line, key, f"a list of distinct words: {word.text[:64]} stands twice")
        return words

    def doors(self, table: Mapping) -> tuple[tuple[Door, int], ...]:
        node = table.entries.get("doors")
        if node is None:
            self.missing(table.line, "doors")
        doors = []
        for word in self.words(node, "doors", filled=True):
            if word.text in set(Door):
                doors.append((Door(word.text), word.line))
            else:
                self.wrong(word.line, "doors", f"among {', '.join(Door)}")
        return tuple(doors)

    def datasets(self, table: Mapping) -> tuple[DraftDataset, ...]:
        node = table.entries.get("datasets")
        if node is None and table.entries.get("services") is None:
            # A service's declaration says what it reads; a contract about services alone lists no items.
            self.missing(table.line, "datasets")
        datasets = []
        for name, value in self.named(node, "datasets"):
            if not isinstance(value, Mapping):
                datasets.append(DraftDataset(name, self.words(value, name.text[:64], filled=True)))
                continue
            self.table(value, name.text[:64], below("datasets.*"))
            if value.entries.get("items") is None:
                self.missing(value.line, "items")
            items = self.words(value.entries.get("items"), "items", filled=True)
            narrowed = self.named(value.entries.get("capabilities"), "capabilities")
            given = tuple((item, self.words(caps, item.text[:64])) for item, caps in narrowed)
            datasets.append(DraftDataset(name, items, given))
        return tuple(datasets)

    def term(self, table: Mapping) -> DraftTerm | None:
        if table.entries.get("term") is None:
            self.missing(table.line, "term")
        term = self.table(table.entries.get("term"), "term", below("term"))
        if term is None:
            return None
        begins, ends = self._edge(term, "from"), self._edge(term, "until")
        return None if begins is None or ends is None else DraftTerm(term.line, begins, ends)

    def _edge(self, term: Mapping, key: str) -> datetime | None:
        word = self.word(term, key)
        if word is None:
            return None
        edge = (first_instant if key == "from" else after_instant)(word.text)
        if edge is None:
            self.wrong(word.line, key, "a date, or a time with its offset in whole seconds")
        return edge

    def count(self, table: Mapping) -> int | None:
        limits = self.table(table.entries.get("limits"), "limits", below("limits"))
        node = None if limits is None else limits.entries.get("count")
        if node is None:
            return None
        text = node.text if isinstance(node, Scalar) else ""
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0):
            self.wrong(node.line, "count", "a whole number from 1")
            return None
        return int(text)

    def rules(self, table: Mapping) -> tuple[DraftRule, ...]:
        policy = self.table(table.entries.get("policy"), "policy", below("policy"))
        rules: list[DraftRule] = []
        for kind in KINDS:
            for part in self._parts(policy.entries.get(kind) if policy else None, kind):
                entry = self.table(part, kind, below("policy.*[]"))
                action = None if entry is None else self.word(entry, "action")
                if entry is None or action is None:
                    continue
                constraints = [
                    self._constraint(each)
                    for each in self._parts(entry.entries.get("constraint"), f"{kind} constraint")
                ]
                rules.append(DraftRule(kind, action, tuple(each for each in constraints if each is not None)))
        return tuple(rules)

    def _parts(self, node: Node | None, key: str) -> list[Node]:
        if node is None:
            return []
        if not isinstance(node, Listing) or not node.entries:
            self.wrong(node.line, key, "a list with at least one entry")
            return []
        return node.entries

    def _constraint(self, node: Node) -> DraftConstraint | None:
        table = self.table(node, "constraint", below("policy.*[].constraint[]"))
        if table is None:
            return None
        left, operator = self.word(table, "leftOperand"), self.word(table, "operator")
        right = table.entries.get("rightOperand")
        words = self.words(right, "rightOperand", filled=True) if isinstance(right, Listing) else ()
        if not isinstance(right, Listing):
            one = self.word(table, "rightOperand")
            words = () if one is None else (one,)
        return None if left is None or operator is None or not words else DraftConstraint(left, operator, words)


def _not_yaml(line: int, problem: str) -> Reason:
    return Reason("draft-not-yaml", {"line": str(line), "problem": problem})
