# SPDX-License-Identifier: Apache-2.0
"""One row for each figure: its value, its goal, whether the goal holds. Printed as a table and written as JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import east_asian_width


@dataclass(frozen=True)
class Goal:
    """What a value should be: at most, or at least, a limit."""

    limit: float
    at_most: bool

    def holds(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit


def at_most(limit: float) -> Goal:
    return Goal(limit, at_most=True)


def at_least(limit: float) -> Goal:
    return Goal(limit, at_most=False)


@dataclass(frozen=True)
class Figure:
    """One measured value.

    group  the module that measured it
    runs   how many runs the value is the median of
    note   what it was measured against, and on what
    """

    group: str
    name: str
    value: float
    unit: str
    runs: int
    goal: Goal | None = None
    note: str = ""

    @property
    def held(self) -> bool | None:
        """Say whether the goal holds; None where there is none."""
        return None if self.goal is None else self.goal.holds(self.value)


def as_text(figures: Sequence[Figure]) -> str:
    """Return the table; the note of a figure stands under it."""
    rows = [("figure", "value", "goal", "")]
    rows += [(one.name, _measured(one), _goal(one), _HELD[one.held]) for one in figures]
    widths = [max(_width(row[place]) for row in rows) for place in range(4)]
    lines = []
    for at, row in enumerate(rows):
        group = figures[at - 1].group if at else ""
        if at and (at == 1 or figures[at - 2].group != group):
            lines += ["", group]
        lines.append("  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if at and figures[at - 1].note:
            lines.append(f"    {figures[at - 1].note}")
    return "\n".join(lines)


def as_json(figures: Sequence[Figure], machine: dict[str, object], seconds: float) -> str:
    """Return everything for a program: figures, goals, whether they hold, and the machine without its name."""
    content = {
        "version": 1,
        "machine": machine,
        "seconds": round(seconds, 1),
        "figures": [
            {
                "group": one.group,
                "name": one.name,
                "value": float(f"{one.value:.6g}"),
                "unit": one.unit,
                "runs": one.runs,
                "goal": None if one.goal is None else {_KIND[one.goal.at_most]: one.goal.limit},
                "held": one.held,
                "note": one.note,
            }
            for one in figures
        ],
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def write(path: Path, figures: Sequence[Figure], machine: dict[str, object], seconds: float) -> None:
    """Put the JSON in its place, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(as_json(figures, machine, seconds), encoding="utf-8")
    part.replace(path)


_HELD = {True: "held", False: "NOT HELD", None: ""}
_KIND = {True: "at_most", False: "at_least"}


def _measured(figure: Figure) -> str:
    return f"{_number(figure.value)} {figure.unit}"


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    return f"{'<=' if figure.goal.at_most else '>='} {_number(figure.goal.limit)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
