# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to a contract, reading it ends in a dataset or a refusal, never in an exception."""

import copy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhanqiao.catalogue import contracts
from zhanqiao.terms.datasets import Dataset, Level, Mask
from zhanqiao.terms.refusals import Refusal

GOOD = (Path(__file__).parents[1] / "lib" / "contracts" / "pension_enrolment.odcs.yaml").read_text(encoding="utf-8")
TREE = yaml.safe_load(GOOD)
BY_DAY = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

WORDS = sorted({word.strip("[]{},:'\"") for word in GOOD.split()} - {""})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=12),
    st.sampled_from(WORDS),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner),
    max_leaves=6,
)


def paths_of(node: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    match node:
        case dict():
            inner = [path for key, value in node.items() for path in paths_of(value, (*here, key))]
        case list():
            inner = [path for position, value in enumerate(node) for path in paths_of(value, (*here, position))]
        case _:
            inner = []
    return [here, *inner]


PATHS = paths_of(TREE)[1:]


def check(result: Dataset | Refusal) -> None:
    """A refusal can be printed; a dataset keeps what the vault and the guard rely on."""
    if isinstance(result, Refusal):
        assert result.as_data("zh")
        assert result.as_data("en")
        return
    assert isinstance(result, Dataset)
    names = [item.name for item in result.items]
    assert len(set(names)) == len(names) > 0
    for item in result.items:
        assert (item.mask is Mask.TOKEN) == (item.subject is not None)
        assert not (item.identifier and item.stored)
        assert item.stored or not item.capabilities
        assert item.level is not Level.MEASURE or item.bounds is not None
    for cube in result.cubes:
        assert {result.item(name).level for name in cube.dims} <= {Level.DIM, Level.QUASI}  # type: ignore[union-attr]
        assert {result.item(name).level for name in cube.measures} <= {Level.MEASURE}  # type: ignore[union-attr]


@BY_DAY
@given(
    st.lists(
        st.tuples(st.sampled_from(PATHS), st.sampled_from(["set", "drop", "twice"]), VALUES), min_size=1, max_size=4
    )
)
def test_any_change_of_the_tree(changes: list[tuple[tuple[Any, ...], str, Any]]) -> None:
    tree = copy.deepcopy(TREE)
    for path, verb, value in changes:
        holder = tree
        try:
            for step in path[:-1]:
                holder = holder[step]
            _change(holder, path[-1], verb, value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took that place away
    check(contracts.parse(yaml.dump(tree, allow_unicode=True, sort_keys=False)))


def _change(holder: Any, step: Any, verb: str, value: Any) -> None:
    match verb:
        case "set":
            holder[step] = value
        case "drop":
            del holder[step]
        case "twice" if isinstance(holder, list):
            holder.append(holder[step])
        case _:
            holder[str(step) + "2"] = holder[step]


@BY_DAY
@given(st.data())
def test_any_change_of_the_text(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    length = data.draw(st.integers(0, 40))
    insert = data.draw(st.text(max_size=8) | st.text(alphabet="[]{}:,&*!|>-?#%@`'\"\n\t \\", max_size=8))
    check(contracts.parse(GOOD[:start] + insert + GOOD[start + length :]))


@BY_DAY
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(contracts.parse(text))


@BY_DAY
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    check(contracts.read(content))
