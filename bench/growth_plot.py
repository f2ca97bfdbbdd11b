# SPDX-License-Identifier: Apache-2.0
"""`python -m bench.growth_plot`: draw `bench/growth.json` as `docs/reference/growth.svg`.

Both axes are logarithmic, so that what grows with the city is a straight line that rises as the dotted one does.
"""

import json
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.growth import ARTICLE_PEOPLE, LATEST

PICTURE = LATEST.parent.parent / "docs" / "reference" / "growth.svg"
# What may be spent: (people, seconds, GiB).
_LIMITS = ((ARTICLE_PEOPLE, 300, 4), (10_000_000, 900, 10))
_STAGES = {"build": "build the city's files", "load": "load them", "certify": "certify all pensioners"}


def main() -> None:
    """Draw seconds, memory and bytes on disk against the size of the city."""
    # Letters stay letters, and the same figures give the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "zhanqiao", "font.size": 9})
    costs = json.loads(LATEST.read_text(encoding="utf-8"))["costs"]
    figure, (seconds, memory, disk) = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
    people = [cost["people"] for cost in costs]
    _line(seconds, costs, [cost["seconds"] for cost in costs], "the whole story", width=2.4)
    for stage, name in _STAGES.items():
        _line(seconds, costs, [cost["stages"][stage] for cost in costs], name)
    _line(memory, costs, [cost["peak"] / 2**30 for cost in costs], "at the worst moment", width=2.4)
    _line(disk, costs, [cost["delivered"] / 2**30 for cost in costs], "the departments' files")
    _line(disk, costs, [cost["kept"] / 2**30 for cost in costs], "the deployment, encrypted")
    for axes, place in ((seconds, 1), (memory, 2)):
        axes.plot([limit[0] for limit in _LIMITS], [limit[place] for limit in _LIMITS], "kx", label="limit")
    for axes, title in ((seconds, "seconds"), (memory, "memory, GiB"), (disk, "disk, GiB")):
        axes.set(xscale="log", yscale="log", title=title, xlabel="people")
        low, high = axes.get_ylim()
        axes.plot(people, [high * size / people[-1] for size in people], ":", color="grey", label="as the city grows")
        axes.set_ylim(low, high * 1.1)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(PICTURE, metadata={"Date": None})


def _line(axes: Axes, costs: list[dict[str, Any]], values: list[float], label: str, width: float = 1.4) -> None:
    axes.plot([cost["people"] for cost in costs], values, "o-", markersize=3, linewidth=width, label=label)


if __name__ == "__main__":
    main()
