# SPDX-License-Identifier: Apache-2.0
"""Scoring the demo against the planted truth, which the platform never sees, and picking its examples."""

import csv
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from zhanqiao.terms.services import Service

# States of the roster in which a pension is drawn, as the service's declaration has them.
_DRAWN = {"正常发放", "暂停发放"}


@dataclass(frozen=True)
class Score:
    """How silent certification did. Shares are of the living on the roster.

    missed      living, not certified although a source of life signs has one of the last twelve months
    """

    living: int
    certified: int
    dead: int
    dead_certified: int
    missed: int

    @property
    def coverage(self) -> float:
        return self.certified / self.living if self.living else 0.0


def score(city: Path, results: list[dict[str, object]], service: Service, today: date) -> Score:
    """Compare the outcomes with what is true."""
    outcome = {str(result["id"]): result.get("outcome") for result in results}
    with (city / "truth" / "pensioners.csv").open(encoding="utf-8", newline="") as file:
        truth = [row for row in csv.DictReader(file) if row["citizen_id"] in outcome]
    living = [row for row in truth if row["alive"] == "true"]
    dead = [row for row in truth if row["alive"] != "true"]
    positive = [trace.dataset for trace in service.traces if not trace.negative]
    since = date(today.year - 1, today.month, today.day).isoformat()
    missed = [
        row
        for row in living
        if outcome[row["citizen_id"]] != "certified" and any(row.get(source, "") >= since for source in positive)
    ]
    certified = sum(outcome[row["citizen_id"]] == "certified" for row in living)
    dead_certified = sum(outcome[row["citizen_id"]] == "certified" for row in dead)
    return Score(len(living), certified, len(dead), dead_certified, len(missed))


def roster_ids(city: Path) -> list[str]:
    """Return the identifiers of the pension agency's own list, in its order, each once."""
    rows = _delivered(city, "pension_roster")
    ids = [row["公民身份号码"] for row in rows if row.get("领取状态") in _DRAWN]
    return list(dict.fromkeys(ids))


def example_enterprise(city: Path) -> str:
    """Return an enterprise that stands in the register: the first one that paid tax."""
    paid = {row["统一社会信用代码"] for row in _delivered(city, "tax_payment")}
    return next(
        row["统一社会信用代码"]
        for row in _delivered(city, "enterprise_registration")
        if row["统一社会信用代码"] in paid
    )


def _delivered(city: Path, dataset: str) -> list[dict[str, str]]:
    """Read a delivery as its department has it."""
    manifest = json.loads((city / "deliveries" / "manifest.json").read_text(encoding="utf-8"))
    delivery = next(one for one in manifest["datasets"] if one["dataset"] == dataset)
    rows: list[dict[str, str]] = []
    for name in delivery["files"]:
        with (city / name).open(encoding=delivery["encoding"], newline="") as file:
            rows += csv.DictReader(file)
    return rows
