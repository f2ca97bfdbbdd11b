# SPDX-License-Identifier: Apache-2.0
"""Usage control in ODRL terms: what a contract may say, and how the platform makes each word true.

A term that the platform cannot make true is not promised: it is refused, not ignored. Three tables say which is which:
`ACTIONS` the rules that are enforced, and by what; `STATED` the prohibitions that bind the resident by its seal and are
shown as not enforced by machine; `CONSTRAINTS` the constraints of a permission that are enforced. `spatial` has no row:
neither rows nor recipients are filtered by place.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from zhanqiao.agreements.contract import Constraint, UsageRule
from zhanqiao.agreements.legal_time import after_instant, first_instant
from zhanqiao.catalogue.plain_yaml import Scalar
from zhanqiao.terms.agreements import Door
from zhanqiao.terms.refusals import Reason

PERMISSION, PROHIBITION, OBLIGATION = "permission", "prohibition", "obligation"
KINDS = (PERMISSION, PROHIBITION, OBLIGATION)

# What goes through a door is this action.
DOOR_ACTION: dict[Door, str] = {
    Door.STATISTICS: "use",
    Door.DECISIONS: "use",
    Door.OPENDATA: "use",
    Door.ARTIFACTS: "derive",
    Door.EXCHANGE: "read",
}

ACTIONS: dict[tuple[str, str], str] = {
    (PERMISSION, "use"): "the grant names the doors statistics, decisions, opendata",
    (PERMISSION, "derive"): "the grant names the door artifacts",
    (PERMISSION, "read"): "the grant names the door exchange",
    (PROHIBITION, "use"): "the grant names none of the doors statistics, decisions, opendata",
    (PROHIBITION, "derive"): "the grant does not name the door artifacts",
    (PROHIBITION, "read"): "the grant does not name the door exchange",
    (OBLIGATION, "anonymize"): "only doors whose answers are tables over many subjects",
    (OBLIGATION, "tdp:desensitize"): "intake masks every item before it is stored",
}
STATED: dict[tuple[str, str], str] = {
    (PROHIBITION, "sell"): "binds the resident by its seal",
    (PROHIBITION, "track"): "binds the resident by its seal",
}
CONSTRAINTS: dict[tuple[str, str], str] = {
    ("count", "lt"): "the meter of the agreement",
    ("count", "lteq"): "the meter of the agreement",
    ("dateTime", "gt"): "the term of the agreement",
    ("dateTime", "gteq"): "the term of the agreement",
    ("dateTime", "lt"): "the term of the agreement",
    ("dateTime", "lteq"): "the term of the agreement",
    ("purpose", "eq"): "the purpose of the grant",
    ("purpose", "isAnyOf"): "the purpose of the grant",
    ("recipient", "eq"): "the organisation of the grant",
    ("recipient", "isAnyOf"): "the organisation of the grant",
}
_MANY_SUBJECTS = {Door.STATISTICS, Door.OPENDATA}


@dataclass(frozen=True)
class DraftConstraint:
    left: Scalar
    operator: Scalar
    right: tuple[Scalar, ...]


@dataclass(frozen=True)
class DraftRule:
    kind: str
    action: Scalar
    constraints: tuple[DraftConstraint, ...]

    def settled(self) -> UsageRule:
        """Return the rule without its lines, as the contract holds it."""
        return UsageRule(
            self.kind,
            self.action.text,
            tuple(
                Constraint(
                    each.left.text,
                    each.operator.text,
                    tuple(word.text for word in each.right) if each.operator.text == "isAnyOf" else each.right[0].text,
                )
                for each in self.constraints
            ),
        )


@dataclass(frozen=True)
class Narrowing:
    """What the constraints take away from term and count."""

    begins: datetime | None = None
    ends: datetime | None = None
    count: int | None = None


def default_rules(doors: Collection[Door]) -> tuple[UsageRule, ...]:
    """Return the permissions of a contract that writes none: what its doors do, no more."""
    return tuple(UsageRule(PERMISSION, action) for action in sorted({DOOR_ACTION[door] for door in doors}))


def check_rules(
    rules: Collection[DraftRule], doors: Collection[Door], purpose: str | None, resident: str | None
) -> tuple[Reason, ...]:
    """Give every reason why these rules cannot be promised for a contract through `doors`."""
    reasons: list[Reason] = []
    for rule in rules:
        reasons += _check_action(rule, doors)
        for constraint in rule.constraints:
            reasons += _check_constraint(rule, constraint, purpose, resident)
    permitted = {rule.action.text for rule in rules if rule.kind == PERMISSION}
    if permitted:
        line = min(rule.action.line for rule in rules if rule.kind == PERMISSION)
        reasons += [
            _contradicts(line, f"permission {', '.join(sorted(permitted))}", f"doors {door.value}")
            for door in sorted(doors)
            if DOOR_ACTION[door] not in permitted
        ]
    return tuple(reasons)


def narrowing(rules: Collection[DraftRule]) -> Narrowing:
    """Return what the enforceable constraints take away; the strictest of each wins."""
    begins: list[datetime] = []
    ends: list[datetime] = []
    counts: list[int] = []
    for each in (constraint for rule in rules if rule.kind == PERMISSION for constraint in rule.constraints):
        match each.left.text, each.operator.text:
            case "count", operator:
                if (limit := _whole(each.right[0].text)) is not None:
                    counts.append(limit - (operator == "lt"))
            case "dateTime", "gteq" | "gt" as operator:
                edge = (first_instant if operator == "gteq" else after_instant)(each.right[0].text)
                begins += [edge] if edge is not None else []
            case "dateTime", operator:
                edge = (first_instant if operator == "lt" else after_instant)(each.right[0].text)
                ends += [edge] if edge is not None else []
    return Narrowing(max(begins, default=None), min(ends, default=None), min(counts, default=None))


def _check_action(rule: DraftRule, doors: Collection[Door]) -> list[Reason]:
    named = (rule.kind, rule.action.text)
    if named in STATED:
        return []
    if named not in ACTIONS:
        known = ", ".join(f"{kind} {action}" for kind, action in (*ACTIONS, *STATED))
        return [_unenforceable(rule.action.line, " ".join(named), known)]
    if rule.kind == PROHIBITION:
        closed = sorted(door for door in doors if DOOR_ACTION[door] == rule.action.text)
        return [_contradicts(rule.action.line, " ".join(named), f"doors {door.value}") for door in closed]
    if named == (OBLIGATION, "anonymize"):
        single = sorted(door for door in doors if door not in _MANY_SUBJECTS)
        return [_contradicts(rule.action.line, " ".join(named), f"doors {door.value}") for door in single]
    return []


def _check_constraint(
    rule: DraftRule, constraint: DraftConstraint, purpose: str | None, resident: str | None
) -> list[Reason]:
    left, operator, line = constraint.left.text, constraint.operator.text, constraint.left.line
    term = f"{left} {operator}"
    if rule.kind != PERMISSION or (left, operator) not in CONSTRAINTS:
        known = ", ".join(f"{PERMISSION} {name} {how}" for name, how in CONSTRAINTS)
        return [_unenforceable(line, f"{rule.kind} {term}", known)]
    texts = [word.text for word in constraint.right]
    if operator != "isAnyOf" and len(texts) != 1:
        return [_wrong(line, term, "one value")]
    match left:
        case "count":
            return [] if _whole(texts[0]) is not None else [_wrong(line, term, "a whole number from 1")]
        case "dateTime":
            wanted = "a date, or a time with its offset in whole seconds"
            return [] if first_instant(texts[0]) is not None else [_wrong(line, term, wanted)]
        case "purpose":
            return [] if purpose is None or purpose in texts else [_contradicts(line, term, f"purpose {purpose}")]
        case _:
            return [] if resident is None or resident in texts else [_contradicts(line, term, f"resident {resident}")]


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0 else None


def _unenforceable(line: int, term: str, known: str) -> Reason:
    return Reason("draft-policy-unenforceable", {"line": str(line), "term": term, "known": known})


def _contradicts(line: int, term: str, other: str) -> Reason:
    return Reason("draft-policy-contradicts", {"line": str(line), "term": term, "other": other})


def _wrong(line: int, key: str, wanted: str) -> Reason:
    return Reason("draft-value-wrong", {"line": str(line), "key": key, "wanted": wanted})
