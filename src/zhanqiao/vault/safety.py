# SPDX-License-Identifier: Apache-2.0
"""When a cell may be published: the platform's rule pack for cubes (disclosure handbook, section 3, "ours").

For every subject key that the table has, a cell needs

    units       at least 10 persons, at least 5 enterprises; of those with a value in a measure, none or as many
    p 15 %      T - x1 - x2 >= 15 % of x1: the second largest cannot estimate the largest more closely than that
    NK(2, 90)   x1 + x2 <= 90 % of T

where x are the sums of absolute values per unit in the cell, x1 and x2 the largest two and T all of them together. Each
condition that holds in two cells holds in their union, so roll-ups of safe cells are safe. Whole numbers throughout.
"""

from dataclasses import dataclass

from zhanqiao.terms.subjects import SubjectKind

RULE_PACK = "zhanqiao-default-1"
THRESHOLD = {SubjectKind.PERSON: 10, SubjectKind.ENTERPRISE: 5}
P_PERCENT = 15
NK_N, NK_PERCENT = 2, 90


def rule_figures() -> list[dict[str, object]]:
    """Return the rules with their figures, as a cube that is built now keeps them and certificates state them."""
    units = {"persons": THRESHOLD[SubjectKind.PERSON], "enterprises": THRESHOLD[SubjectKind.ENTERPRISE]}
    dominance = {"p_percent": P_PERCENT, "nk_n": NK_N, "nk_k_percent": NK_PERCENT}
    return [{"rule": "threshold", "figures": units}, {"rule": "dominance", "figures": dominance}]


@dataclass(frozen=True)
class Contributions:
    """What the units of one key contribute to one measure of one cell, in units of the measure's last digit.

    valued  units with at least one value
    """

    total: int
    first: int
    second: int
    valued: int


@dataclass(frozen=True)
class UnitFigures:
    """Distinct units of one subject key in one cell, and what they contribute to each measure."""

    kind: SubjectKind
    units: int
    measures: tuple[Contributions, ...]


def is_safe(figures: tuple[UnitFigures, ...]) -> bool:
    """Whether a cell with these figures, one per subject key, may be published."""
    return all(_enough(one) and all(not _dominated(measure) for measure in one.measures) for one in figures)


def _enough(figures: UnitFigures) -> bool:
    threshold = THRESHOLD[figures.kind]
    return figures.units >= threshold and all(not 0 < one.valued < threshold for one in figures.measures)


def _dominated(one: Contributions) -> bool:
    rest = one.total - one.first - one.second
    fails_p = 100 * rest < P_PERCENT * one.first
    fails_nk = 100 * (one.first + one.second) > NK_PERCENT * one.total
    return fails_p or fails_nk
