# SPDX-License-Identifier: Apache-2.0
"""From names to meaning: every item against catalogue and agreement, every value against the item's stored type.

What an item may do follows from its level. Nothing is cast, nothing is looked up in an engine, and each rule that is
broken gives its own reason.
"""

import re
from collections.abc import Iterable

from zhanqiao.policy.guard.canonical import Vacuous, canonical_where
from zhanqiao.policy.guard.parsed import CountDistinct, Parsed, ParsedOutput
from zhanqiao.policy.ir import (
    And,
    Average,
    Compare,
    Count,
    CountUnits,
    Dim,
    Literal,
    Not,
    Operator,
    Or,
    Output,
    Predicate,
    Statement,
    Sum,
    Within,
)
from zhanqiao.terms.datasets import Capability, Dataset, Generaliser, Item, Level, LogicalType
from zhanqiao.terms.refusals import Reason, meant

_EQUALITIES = frozenset({Operator.EQ, Operator.NE})
_SHOWN = 12  # names listed in a remedy

# Generalised values that have an order, with the form of their text.
_FORMS = {
    Generaliser.MONTH: (re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])"), "'2026-01'"),
    Generaliser.QUARTER: (re.compile(r"[0-9]{4}Q[1-4]"), "'2026Q1'"),
}


def stored_type(item: Item) -> LogicalType:
    """Return the type of what the store holds for an item, after its generaliser."""
    if item.generaliser is None:
        return item.type
    return LogicalType.INTEGER if item.generaliser is Generaliser.YEAR else LogicalType.STRING


def _known_values(item: Item) -> tuple[str, ...]:
    """Return the values that the contract says a stored item has; none where it does not say."""
    match item.generaliser:
        case None:
            return item.domain
        case Generaliser.BAND:
            return item.bands
        case _:  # years, months, regions: their form is checked
            return ()


def is_ordered(item: Item) -> bool:
    """Whether `<` says something about an item's stored values: whole numbers, months, quarters."""
    return stored_type(item) is LogicalType.INTEGER or item.generaliser in _FORMS


def check_names(named: Iterable[str], dataset: Dataset, granted: frozenset[str]) -> list[Reason]:
    """Return what is wrong with the names that a statement mentions anywhere, even in a part that is not read."""
    reasons = []
    for name in sorted(named):
        item = dataset.item(name)
        facts = {"dataset": dataset.name, "item": name, "granted": listed(sorted(granted))}
        if item is None:
            usable = granted & {
                each.name for each in dataset.items if each.stored and each.level is not Level.FORBIDDEN
            }
            reasons.append(Reason("statement-item-unknown", {**facts, **meant(name, usable)}))
        elif item.level is Level.FORBIDDEN or not item.stored:
            reasons.append(Reason("statement-item-forbidden", {"dataset": dataset.name, "item": name}))
        elif name not in granted:
            reasons.append(Reason("statement-item-not-granted", facts))
    return reasons


def resolve(parsed: Parsed, dataset: Dataset) -> Statement | list[Reason]:
    """Return the typed statement in canonical form, or every rule that it breaks. Its names are known."""
    resolving = _Resolving(parsed, dataset, frozenset())
    outputs, dims = resolving.outputs(), resolving.dims()
    resolving.check_where()
    where = None if resolving.reasons else resolving.where()
    return resolving.reasons or Statement(dataset.name, outputs, dims, where)


def problems(parsed: Parsed, dataset: Dataset, wrong_names: frozenset[str]) -> list[Reason]:
    """Return the rules that the readable part of a refused statement breaks besides.

    wrong_names  have their reason already: what they stand in is looked at no further
    """
    resolving = _Resolving(parsed, dataset, wrong_names)
    resolving.outputs()
    resolving.dims()
    resolving.check_where()
    return resolving.reasons


class _Resolving:
    """One statement against one dataset; gathers reasons."""

    def __init__(self, parsed: Parsed, dataset: Dataset, wrong_names: frozenset[str]) -> None:
        self._parsed = parsed
        self._dataset = dataset
        self._wrong = wrong_names
        self.reasons: list[Reason] = []

    # --- SELECT and GROUP BY ---

    def outputs(self) -> tuple[Output, ...]:
        outputs = []
        taken: set[str] = set()
        for written in self._parsed.outputs:
            alias = written.alias or _default_alias(written)
            if alias.lower() in taken:
                self._refuse("statement-alias-twice", alias=alias)
            taken.add(alias.lower())
            term = None if _name_in(written) in self._wrong else self._term(written)
            if term is not None:
                outputs.append(Output(alias, term))
        return tuple(outputs)

    def dims(self) -> tuple[str, ...]:
        """Return the grouping dimensions: those shown in the order shown, then the others by name."""
        shown = [output.term.item for output in self._parsed.outputs if isinstance(output.term, Dim)]
        for name in dict.fromkeys(shown):
            if name in self._wrong:
                continue
            if name not in self._parsed.group and self._item(name).level not in {Level.MEASURE, Level.KEY}:
                self._refuse("statement-not-grouped", item=name)
        for name in self._parsed.group:
            if name in self._wrong:
                continue
            self._check_groups(self._item(name))
        return tuple(dict.fromkeys([*shown, *sorted(self._parsed.group)]))

    def _term(self, written: ParsedOutput) -> Dim | Count | CountUnits | Sum | Average | None:
        match written.term:
            case Dim(name):
                self._check_groups(self._item(name))
                return Dim(name)
            case Count():
                return Count()
            case Sum(name):
                self._check_aggregates("sum", self._item(name))
                return Sum(name)
            case Average(name):
                self._check_aggregates("avg", self._item(name))
                return Average(name)
            case CountDistinct(name):
                return self._units(self._item(name))

    def _units(self, item: Item) -> CountUnits | None:
        if item.subject is None:
            self._refuse("statement-count-not-key", item=item.name)
            return None
        if not item.unique:
            self._refuse("statement-units-not-unique", item=item.name, dataset=self._dataset.name)
            return None
        return CountUnits(item.subject)

    def _check_groups(self, item: Item) -> None:
        if item.level is Level.KEY:
            self._refuse("statement-item-key", item=item.name)
        elif item.level is Level.MEASURE:
            self._refuse("statement-measure-group", item=item.name)
        else:
            self._check_capability(item, Capability.GROUP)

    def _check_aggregates(self, function: str, item: Item) -> None:
        if item.level is Level.KEY:
            self._refuse("statement-item-key", item=item.name)
        elif item.level is not Level.MEASURE or stored_type(item) not in {LogicalType.INTEGER, LogicalType.NUMBER}:
            measures = [each.name for each in self._dataset.items if each.level is Level.MEASURE]
            self._refuse("statement-not-a-measure", function=function, item=item.name, measures=listed(measures))

    # --- WHERE ---

    def check_where(self) -> None:
        if self._parsed.where is not None:
            self._check(self._parsed.where)

    def where(self) -> Predicate | None:
        """Return the condition in its one spelling; its values have the right types by now."""
        if self._parsed.where is None:
            return None
        where = canonical_where(self._parsed.where)
        if isinstance(where, Vacuous):
            self._refuse("statement-contradiction" if where is Vacuous.NEVER else "statement-tautology")
            return None
        return where

    def _check(self, where: Predicate) -> None:
        match where:
            case And(parts) | Or(parts):
                for part in parts:
                    self._check(part)
            case Not(inner):
                self._check(inner)
            case Compare(name) | Within(name) if name in self._wrong:
                pass
            case Compare(name, operator, value):
                if self._filters(item := self._item(name), operator):
                    self._check_value(item, value)
            case Within(name, values):
                if self._filters(item := self._item(name), Operator.EQ):
                    for value in values:
                        self._check_value(item, value)

    def _filters(self, item: Item, operator: Operator) -> bool:
        """Whether values of the item are worth a look, after its level and capabilities."""
        if item.level is Level.KEY:
            self._refuse("statement-item-key", item=item.name)
        elif item.level is Level.MEASURE:
            self._refuse("statement-measure-filter", item=item.name)
        elif stored_type(item) not in {LogicalType.STRING, LogicalType.INTEGER}:
            self._refuse("statement-not-filtered", item=item.name, stored=stored_type(item).value)
        else:
            if operator in _EQUALITIES:
                self._check_capability(item, Capability.FILTER)
            elif not is_ordered(item):
                self._refuse("statement-not-ordered", item=item.name, operator=operator.value)
            else:
                self._check_capability(item, Capability.COMPARE)
            return True
        return False

    def _check_value(self, item: Item, value: Literal) -> None:
        stored = stored_type(item)
        given = LogicalType.STRING if isinstance(value, str) else LogicalType.INTEGER
        form, sample = _FORMS.get(item.generaliser, (None, "")) if item.generaliser else (None, "")
        if given is not stored:
            sample = "2026" if stored is LogicalType.INTEGER else sample or "'…'"
            self._refuse(
                "statement-literal-type", item=item.name, stored=stored.value, given=given.value, sample=sample
            )
        elif form is not None and not form.fullmatch(str(value)):
            self._refuse("statement-literal-form", item=item.name, value=str(value), sample=sample)
        elif (known := _known_values(item)) and value not in known:
            self._refuse("statement-literal-domain", item=item.name, value=str(value), domain=listed(known))

    # --- small things ---

    def _check_capability(self, item: Item, capability: Capability) -> None:
        if capability not in item.capabilities:
            has = listed(sorted(each.value for each in item.capabilities))
            self._refuse("statement-no-capability", item=item.name, capability=capability.value, capabilities=has)

    def _item(self, name: str) -> Item:
        item = self._dataset.item(name)
        assert item is not None, "names were checked before"
        return item

    def _refuse(self, code: str, **facts: str) -> None:
        reason = Reason(code, facts)
        if reason not in self.reasons:
            self.reasons.append(reason)


def _name_in(output: ParsedOutput) -> str:
    return "" if isinstance(output.term, Count) else output.term.item


def listed(words: Iterable[str]) -> str:
    """Return words in one line, shortened where there are many."""
    every = list(words)
    text = ", ".join(every[:_SHOWN])
    return (text if len(every) <= _SHOWN else f"{text}, … ({len(every)})") or "-"


def _default_alias(output: ParsedOutput) -> str:
    match output.term:
        case Dim(item):
            return item
        case Count():
            return "count"
        case CountDistinct(item):
            return f"count_{item}"
        case Sum(item):
            return f"sum_{item}"
        case Average(item):
            return f"avg_{item}"
