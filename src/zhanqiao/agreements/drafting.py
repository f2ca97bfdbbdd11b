# SPDX-License-Identifier: Apache-2.0
"""Drafts of contracts: from a person's YAML to a `Draft` whose every word knows its line.

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

Reading goes on after a problem, so that a draft gets all of its reasons at once; what could not be read is None.
"""

from dataclasses import dataclass
from datetime import datetime

from zhanqiao.agreements.legal_time import after_instant, first_instant
from zhanqiao.agreements.lined_yaml import Node, Row, Table, Trouble, Word, read
from zhanqiao.agreements.usage import KINDS, DraftConstraint, DraftRule
from zhanqiao.terms.agreements import Door
from zhanqiao.terms.refusals import Reason

MAX_TEXT = 2_000
_KEYS = (
    "name",
    "abstract",
    "resident",
    "issuer",
    "purpose",
    "doors",
    "datasets",
    "services",
    "term",
    "limits",
    "policy",
)


@dataclass(frozen=True)
class DraftDataset:
    name: Word
    items: tuple[Word, ...]
    capabilities: tuple[tuple[Word, tuple[Word, ...]], ...] = ()


@dataclass(frozen=True)
class DraftTerm:
    line: int
    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class Draft:
    """What a draft says, as far as it could be read."""

    name: Word | None
    abstract: Word | None
    resident: Word | None
    issuer: Word | None
    purpose: Word | None
    doors: tuple[tuple[Door, int], ...]
    datasets: tuple[DraftDataset, ...]
    services: tuple[Word, ...]
    term: DraftTerm | None
    count: int | None
    rules: tuple[DraftRule, ...]


def parse(text: str) -> tuple[Draft | None, tuple[Reason, ...]]:
    """Read a draft. The draft is None only when the text is no plain YAML mapping."""
    root = read(text)
    if isinstance(root, Trouble):
        return None, (Reason("draft-not-yaml", {"line": str(root.line), "problem": root.problem}),)
    reader = _Reader()
    table = reader.table(root, "draft", _KEYS)
    if table is None:
        return None, tuple(reader.reasons)
    draft = Draft(
        name=reader.word(table, "name"),
        abstract=reader.word(table, "abstract", needed=False),
        resident=reader.word(table, "resident"),
        issuer=reader.word(table, "issuer"),
        purpose=reader.word(table, "purpose"),
        doors=reader.doors(table),
        datasets=reader.datasets(table),
        services=reader.words(table.get("services"), "services"),
        term=reader.term(table),
        count=reader.count(table),
        rules=reader.rules(table),
    )
    return draft, tuple(reader.reasons)


class _Reader:
    """Collects reasons while it reads; every method returns what it could read."""

    def __init__(self) -> None:
        self.reasons: list[Reason] = []

    def wrong(self, line: int, key: str, wanted: str) -> None:
        self.reasons.append(Reason("draft-value-wrong", {"line": str(line), "key": key, "wanted": wanted}))

    def missing(self, line: int, key: str) -> None:
        self.reasons.append(Reason("draft-key-missing", {"line": str(line), "key": key}))

    def table(self, node: Node | None, key: str, known: tuple[str, ...] | None = None) -> Table | None:
        if node is None:
            return None
        if not isinstance(node, Table):
            self.wrong(node.line, key, "a mapping")
            return None
        if known is not None:
            self.reasons += [
                Reason(
                    "draft-key-unknown",
                    {"line": str(name.line), "key": name.text[:64], "known": ", ".join(known)},
                )
                for name, _ in node.entries
                if name.text not in known
            ]
        return node

    def word(self, table: Table, key: str, *, needed: bool = True) -> Word | None:
        node = table.get(key)
        if node is None:
            if needed:
                self.missing(table.line, key)
            return None
        if not isinstance(node, Word) or not node.text.strip() or len(node.text) > MAX_TEXT:
            self.wrong(node.line, key, f"one text of at most {MAX_TEXT} characters")
            return None
        return node

    def words(self, node: Node | None, key: str, *, filled: bool = False) -> tuple[Word, ...]:
        """Read a list of distinct words; a list that must be filled names at least one."""
        if node is None:
            return ()
        if not isinstance(node, Row) or not all(isinstance(part, Word) and part.text for part in node.parts):
            self.wrong(node.line, key, "a list of words")
            return ()
        words = tuple(part for part in node.parts if isinstance(part, Word))
        if filled and not words:
            self.wrong(node.line, key, "a list with at least one word")
        texts = [word.text for word in words]
        for at, word in enumerate(words):
            if word.text in texts[:at]:
                self.wrong(word.line, key, f"a list of distinct words: {word.text[:64]} stands twice")
        return words

    def doors(self, table: Table) -> tuple[tuple[Door, int], ...]:
        node = table.get("doors")
        if node is None:
            self.missing(table.line, "doors")
        doors = []
        for word in self.words(node, "doors", filled=True):
            if word.text in set(Door):
                doors.append((Door(word.text), word.line))
            else:
                self.wrong(word.line, "doors", f"among {', '.join(Door)}")
        return tuple(doors)

    def datasets(self, table: Table) -> tuple[DraftDataset, ...]:
        node = table.get("datasets")
        if node is None:
            self.missing(table.line, "datasets")
        datasets = []
        for name, value in (self.table(node, "datasets") or Table((), 0)).entries:
            if not isinstance(value, Table):
                datasets.append(DraftDataset(name, self.words(value, name.text[:64], filled=True)))
                continue
            self.table(value, name.text[:64], ("items", "capabilities"))
            if value.get("items") is None:
                self.missing(value.line, "items")
            items = self.words(value.get("items"), "items", filled=True)
            narrowed = self.table(value.get("capabilities"), "capabilities") or Table((), 0)
            given = tuple((item, self.words(caps, item.text[:64])) for item, caps in narrowed.entries)
            datasets.append(DraftDataset(name, items, given))
        return tuple(datasets)

    def term(self, table: Table) -> DraftTerm | None:
        if table.get("term") is None:
            self.missing(table.line, "term")
        term = self.table(table.get("term"), "term", ("from", "until"))
        if term is None:
            return None
        begins, ends = self._edge(term, "from"), self._edge(term, "until")
        return None if begins is None or ends is None else DraftTerm(term.line, begins, ends)

    def _edge(self, term: Table, key: str) -> datetime | None:
        word = self.word(term, key)
        if word is None:
            return None
        edge = (first_instant if key == "from" else after_instant)(word.text)
        if edge is None:
            self.wrong(word.line, key, "a date, or a time with its offset in whole seconds")
        return edge

    def count(self, table: Table) -> int | None:
        limits = self.table(table.get("limits"), "limits", ("count",))
        node = None if limits is None else limits.get("count")
        if node is None:
            return None
        text = node.text if isinstance(node, Word) else ""
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0):
            self.wrong(node.line, "count", "a whole number from 1")
            return None
        return int(text)

    def rules(self, table: Table) -> tuple[DraftRule, ...]:
        policy = self.table(table.get("policy"), "policy", KINDS)
        rules: list[DraftRule] = []
        for kind in KINDS:
            for part in self._parts(policy.get(kind) if policy else None, kind):
                entry = self.table(part, kind, ("action", "constraint"))
                action = None if entry is None else self.word(entry, "action")
                if entry is None or action is None:
                    continue
                constraints = [
                    self._constraint(each) for each in self._parts(entry.get("constraint"), f"{kind} constraint")
                ]
                rules.append(DraftRule(kind, action, tuple(each for each in constraints if each is not None)))
        return tuple(rules)

    def _parts(self, node: Node | None, key: str) -> tuple[Node, ...]:
        if node is None:
            return ()
        if not isinstance(node, Row) or not node.parts:
            self.wrong(node.line, key, "a list with at least one entry")
            return ()
        return node.parts

    def _constraint(self, node: Node) -> DraftConstraint | None:
        table = self.table(node, "constraint", ("leftOperand", "operator", "rightOperand"))
        if table is None:
            return None
        left, operator = self.word(table, "leftOperand"), self.word(table, "operator")
        right = table.get("rightOperand")
        words = self.words(right, "rightOperand", filled=True) if isinstance(right, Row) else ()
        if not isinstance(right, Row):
            one = self.word(table, "rightOperand")
            words = () if one is None else (one,)
        return None if left is None or operator is None or not words else DraftConstraint(left, operator, words)
