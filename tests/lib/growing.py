# SPDX-License-Identifier: Apache-2.0
"""A program that lets a log grow and shows it: `python growing.py HOME REQUESTS`, three entries for each request.

Every request is reserved, released and certified, as a door does it, and each fourth group is shown at once, so that tiles
grow by one entry, by a few and over their full width.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    home, requests = Path(sys.argv[1]), int(sys.argv[2])
    from zhanqiao.desk import state

    state.prepare()
    from lib.ledger_cases import reserve, work
    from zhanqiao.desk.deployment import open_house
    from zhanqiao.vault.house import House

    house = open_house(home)
    assert isinstance(house, House)
    for number in range(requests):
        reserve(house.book, number)
        if number % 4 == 3:
            for one in range(number - 3, number + 1):
                work(house.book, one)
    house.book.publish()


if __name__ == "__main__":
    main()
