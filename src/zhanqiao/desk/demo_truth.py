# SPDX-License-Identifier: Apache-2.0
"""Scoring the demo against the planted truth, which the platform never sees, and picking its examples."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from zhanqiao.terms.services import Service

# States of the roster in which a pension is drawn, as the service's declaration has them.
_DRAWN = {"正常发放", "暂停发放"}


@dataclass
class Score:
    """How silent certification did. Shares are of the living on the roster.

    missed      living, not certified although a source of life signs has one of the last twelve months
    """

    living: int = 0
    certified: int = 0
    dead: int = 0
    dead_certified: int = 0
    missed: int = 0

    @property
    def coverage(self) -> float:
        return self.certified / self.living if self.living else 0.0


def score(city: Path, results: list[dict[str, object]], service: Service, today: date) -> Score:
    """Compare the outcomes with what is true."""
    outcome = {str(result["id"]): result.get("outcome") for result in results}
    positive = [trace.dataset for trace in service.traces if not trace.negative]
    # A text, and no date: a year before 29 February there is none.
    since = f"{today.year - 1}{today:-%m-%d}"
    score = Score()
    for who, alive, *newest in _columns(city / "truth" / "pensioners.csv", "utf-8", "citizen_id", "alive", *positive):
        if who not in outcome:
            continue
        certified = outcome[who] == "certified"
        if alive == "true":
            score.living += 1
            score.certified += certified
            score.missed += not certified and max(newest) >= since
        else:
            score.dead += 1
            score.dead_certified += certified
    return score


def roster_ids(city: Path) -> list[str]:
    """Return the identifiers of the pension agency's own list, in its order, each once."""
    rows = _delivered(city, "pension_roster", "公民身份号码", "领取状态")
    return list(dict.fromkeys(who for who, state in rows if state in _DRAWN))


def example_enterprise(city: Path) -> str:
    """Return an enterprise that stands in the register: the first one that paid tax."""
    paid = set(_delivered(city, "tax_payment", "统一社会信用代码"))
    return next(code for (code,) in _delivered(city, "enterprise_registration", "统一社会信用代码") if (code,) in paid)


def _delivered(city: Path, dataset: str, *headers: str) -> Iterator[tuple[str, ...]]:
    """Read columns of a delivery as its department has it, row by row: that of a large city is larger than the memory."""
    manifest = json.loads((city / "deliveries" / "manifest.json").read_text(encoding="utf-8"))
    delivery = next(one for one in manifest["datasets"] if one["dataset"] == dataset)
    for name in delivery["files"]:
        yield from _columns(city / name, delivery["encoding"], *headers)


def _columns(path: Path, encoding: str, *headers: str) -> Iterator[tuple[str, ...]]:
    """Read columns of one file; a row that ends before the last of them is passed over."""
    with path.open(encoding=encoding, newline="") as file:
        rows = csv.reader(file)
        names = next(rows)
        places = [names.index(header) for header in headers]
        for row in rows:
            if len(row) > max(places):
                yield tuple(row[place] for place in places)
