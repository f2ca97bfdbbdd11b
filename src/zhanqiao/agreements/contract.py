# SPDX-License-Identifier: Apache-2.0
"""The digital contract (数字合约) as a frozen value with one byte form: what is shown, sealed and enforced is the same.

The bytes are canonical JSON; their SHA-256 is what both seals sign. Nothing that a grant is made of stands elsewhere.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zhanqiao.terms.agreements import Door
from zhanqiao.terms.canonical import canonical, digest_bytes
from zhanqiao.terms.datasets import Capability

SIGN_MODE = "02"  # the platform takes part


@dataclass(frozen=True)
class Granted:
    """One dataset of a contract.

    department      who may hold these items back, as the catalogue said when the contract was drafted
    capabilities    items of which the contract gives less than the catalogue: item -> what it gives
    """

    dataset: str
    department: str
    items: tuple[str, ...]
    capabilities: tuple[tuple[str, tuple[Capability, ...]], ...] = ()


@dataclass(frozen=True)
class Constraint:
    left: str
    operator: str
    right: str | tuple[str, ...]


@dataclass(frozen=True)
class UsageRule:
    """One ODRL rule: permission, prohibition or obligation of an action, under constraints."""

    kind: str
    action: str
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True)
class Contract:
    """A drafted contract. begins is the first instant of the term, ends the first one after it.

    granted   what statements may touch
    reads     what the named services may read, as their declarations said when the contract was drafted
    """

    id: str
    name: str
    abstract: str
    issuer: str
    resident: str
    purpose: str
    doors: tuple[Door, ...]
    granted: tuple[Granted, ...]
    services: tuple[str, ...]
    reads: tuple[Granted, ...]
    begins: datetime
    ends: datetime
    count: int | None
    rules: tuple[UsageRule, ...]
    issued: datetime
    drafter: str

    def as_data(self) -> dict[str, object]:
        """Return the national field names, and ours for what they lack (domain.md 5)."""
        return {
            "contractId": self.id,
            "contractName": self.name,
            "contractAbstract": self.abstract,
            "issuerId": self.issuer,
            "residentId": self.resident,
            "drafter": self.drafter,
            "issueTime": self.issued,
            "activationTime": self.begins,
            "endTime": self.ends,
            "signMode": SIGN_MODE,
            "purpose": self.purpose,
            "doors": self.doors,
            "datasets": [_granted_data(part) for part in self.granted],
            "services": self.services,
            "serviceReads": [_granted_data(part) for part in self.reads],
            "limits": {"count": self.count},
            "policy": [
                {
                    "kind": rule.kind,
                    "action": rule.action,
                    "constraint": [
                        {"leftOperand": each.left, "operator": each.operator, "rightOperand": each.right}
                        for each in rule.constraints
                    ],
                }
                for rule in self.rules
            ],
        }

    def to_bytes(self) -> bytes:
        return canonical(self.as_data())

    @property
    def digest(self) -> str:
        return digest_bytes(self.to_bytes())

    def items(self) -> dict[str, frozenset[str]]:
        return {part.dataset: frozenset(part.items) for part in self.granted}


def read_contract(content: bytes) -> Contract:
    """Read what `to_bytes` wrote; raises ValueError when that is not what stands there."""
    try:
        contract = _read(json.loads(content))
    except (KeyError, TypeError, ValueError) as cause:
        raise ValueError(f"couldn't read a contract: {cause!r}") from cause
    if contract.to_bytes() != content:
        raise ValueError("couldn't read a contract: its bytes are not the canonical form")
    return contract


def _read(data: dict[str, Any]) -> Contract:
    return Contract(
        id=data["contractId"],
        name=data["contractName"],
        abstract=data["contractAbstract"],
        issuer=data["issuerId"],
        resident=data["residentId"],
        purpose=data["purpose"],
        doors=tuple(Door(door) for door in data["doors"]),
        granted=tuple(map(_read_granted, data["datasets"])),
        services=tuple(data["services"]),
        reads=tuple(map(_read_granted, data["serviceReads"])),
        begins=datetime.fromisoformat(data["activationTime"]),
        ends=datetime.fromisoformat(data["endTime"]),
        count=data["limits"]["count"],
        rules=tuple(
            UsageRule(
                rule["kind"],
                rule["action"],
                tuple(
                    Constraint(each["leftOperand"], each["operator"], _right(each["rightOperand"]))
                    for each in rule["constraint"]
                ),
            )
            for rule in data["policy"]
        ),
        issued=datetime.fromisoformat(data["issueTime"]),
        drafter=data["drafter"],
    )


def _granted_data(part: Granted) -> dict[str, object]:
    return {
        "dataset": part.dataset,
        "department": part.department,
        "items": part.items,
        "capabilities": dict(part.capabilities),
    }


def _read_granted(part: dict[str, Any]) -> Granted:
    return Granted(
        part["dataset"],
        part["department"],
        tuple(part["items"]),
        tuple(
            (item, tuple(Capability(each) for each in given)) for item, given in sorted(part["capabilities"].items())
        ),
    )


def _right(value: str | list[str]) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else tuple(value)
