# SPDX-License-Identifier: Apache-2.0
"""A process that loads a delivery and kills itself at a named point: `python crashing_load.py HOME FILE POINT`.

Points: `rename:N` just before the Nth rename of a file that was written; `rows:N` while the Nth batch goes into the
segment; `publish` inside the transaction before its commit; `committed` right after it. Ends with 0 if the point was
never reached.
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    home, file, point = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    os.environ["DJANGO_SETTINGS_MODULE"] = "zhanqiao.desk.settings"
    os.environ["ZHANQIAO_HOME"] = str(home)
    import django

    django.setup()
    from lib.deliveries import load
    from zhanqiao.desk.deployment import open_house
    from zhanqiao.vault.house import House

    house = open_house(home)
    assert isinstance(house, House)
    arm(house, point)
    load(house, file, max_bad_percent=50)


def arm(house: object, point: str) -> None:
    from zhanqiao.catalogue import shelf
    from zhanqiao.intake import load as route

    what, _, number = point.partition(":")
    left = [int(number or 1)]

    def strike() -> None:
        left[0] -= 1
        if left[0] == 0:
            die()

    if what == "rename":
        sys.addaudithook(lambda event, _: strike() if event == "os.rename" else None)
    elif what == "rows":
        whole = sys.modules["zhanqiao.intake.load"]._stored

        def stored(*arguments: object):
            for batch in whole(*arguments):
                strike()
                yield batch

        sys.modules["zhanqiao.intake.load"]._stored = stored
    elif what == "publish":
        whole_publish = shelf.publish

        def publish(*arguments: object) -> None:
            whole_publish(*arguments)
            die()

        shelf.publish = publish
    elif what == "committed":
        house.book.publish = die
    else:
        raise ValueError(point)
    assert route


if __name__ == "__main__":
    main()
