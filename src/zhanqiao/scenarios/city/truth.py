# SPDX-License-Identifier: Apache-2.0
"""The planted truth, written apart from every delivery: nobody but a judge may read it.

pensioners.csv    for everybody who draws or drew a pension: alive or dead since when, whether any department knows,
                  whether the death register is wrong, and the newest day in each source that keeps life signs
enterprises.csv   for every enterprise: latent risk, and whether it defaults in the coming twelve months
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
from numpy.typing import NDArray

from zhanqiao.scenarios.city.city import City
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.subjects import SubjectKind


@dataclass(frozen=True)
class Truth:
    """What is true of a city, or of one shard of it."""

    pensioners: pa.Table
    enterprises: pa.Table


def newest_days(city: City, dataset: Dataset, table: pa.Table) -> NDArray[np.datetime64]:
    """Return the newest day of each person in a dataset that keeps one, NaT without any."""
    key, latest = dataset.key_of(SubjectKind.PERSON), dataset.item(dataset.latest or "")
    assert key is not None, "maintained state belongs to people"
    assert latest is not None, "maintained state is a date"
    person = pc.index_in(table[key.header].combine_chunks(), pa.array(city.people.citizen_id)).to_numpy()
    day = table[latest.header].to_numpy().astype("datetime64[D]").astype(np.int64)
    newest = np.full(len(city.people), np.iinfo(np.int64).min)
    np.maximum.at(newest, person, day)
    # The smallest integer is what numpy calls NaT.
    return newest.astype("datetime64[D]")


def pensioners(city: City, traces: Mapping[str, NDArray[np.datetime64]]) -> pa.Table:
    """Return what is true of each pensioner, with the newest day in each source."""
    rows = np.flatnonzero(city.lives.pensioner)
    people, lives = city.people, city.lives
    return pa.table(
        {
            "citizen_id": pa.array(people.citizen_id[rows]),
            "alive": pa.array(people.alive[rows]),
            "died_on": pa.array(people.death[rows]),
            "reported_on": pa.array(lives.reported[rows]),
            "mistakenly_reported": pa.array(lives.mistaken[rows]),
            "lives_elsewhere": pa.array(lives.away[rows]),
        }
        | {source: pa.array(newest[rows]) for source, newest in sorted(traces.items())}
    )


def enterprises(city: City) -> pa.Table:
    """Return what is true of each enterprise."""
    return pa.table(
        {
            "uscc": pa.array(city.enterprises.uscc),
            "risk": pa.array(np.round(city.enterprises.risk, 6)),
            "will_default": pa.array(city.enterprises.will_default),
        }
    )


def truth_of(city: City, traces: Mapping[str, NDArray[np.datetime64]]) -> Truth:
    """Return everything that is written down of the truth."""
    return Truth(pensioners(city, traces), enterprises(city))


def write_truth(folder: Path, shards: Sequence[Truth]) -> None:
    """Write the truth of all shards into a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("pensioners", "enterprises"):
        table = pa.concat_tables(getattr(shard, name) for shard in shards)
        pcsv.write_csv(table, folder / f"{name}.csv", pcsv.WriteOptions(quoting_style="none", quoting_header="none"))
