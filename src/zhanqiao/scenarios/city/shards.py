# SPDX-License-Identifier: Apache-2.0
"""Parts of a city that are built apart, side by side and each in little memory.

A shard's people live in all districts, and live, work and own among themselves. What is given once in the whole city (a
citizen id, a code, the number of a document) is dealt out to the shards like cards, so that none is given twice.
"""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

# A shard of so many takes about 0.7 GB to build and to write.
MOST_PEOPLE = 500_000


@dataclass(frozen=True)
class Shard:
    """One of `of` shards of the city of a seed; `number` is from 0.

    Every part has its own dice, made from the seed and the part's name, so that a change in one part leaves the others
    as they were.
    """

    seed: int
    number: int = 0
    of: int = 1

    def dice(self, part: str) -> np.random.Generator:
        """Return this shard's dice of one part of the city."""
        return np.random.default_rng([self.seed, crc32(part.encode()), self.number])

    def dice_of_all(self, part: str) -> np.random.Generator:
        """Return dice that fall alike in every shard."""
        return np.random.default_rng([self.seed, crc32(part.encode())])

    def dealt(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return numbers of this shard, from 0, as numbers that no other shard has."""
        return numbers * self.of + self.number


def shards_of(people: int, seed: int) -> list[tuple[Shard, int]]:
    """Return the shards of a city of so many people, with how many each has: as equal as can be."""
    of = -(-people // MOST_PEOPLE)
    return [(Shard(seed, number, of), (people + number) // of) for number in range(of)]
