# SPDX-License-Identifier: Apache-2.0
"""The vault worker as a process of its own: `python -m zhanqiao.desk.serving.worker_process --home FOLDER`.

Says `ready` on standard output when it takes questions. Nobody else of its user can look into it, it gains no rights by
what it starts, and it leaves no core: what it holds in memory are the keys.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from zhanqiao.desk import state

state.prepare()

from zhanqiao.desk.configuration import utc_now  # noqa: E402
from zhanqiao.desk.deployment import open_house  # noqa: E402
from zhanqiao.desk.private_memory import gain_no_rights, keep_memory_private  # noqa: E402
from zhanqiao.desk.serving import walls  # noqa: E402
from zhanqiao.desk.serving.away import leave_mark  # noqa: E402
from zhanqiao.desk.serving.journal import Journal  # noqa: E402
from zhanqiao.desk.serving.plan import plan  # noqa: E402
from zhanqiao.desk.serving.worker import AlreadyServed, Worker, serving  # noqa: E402
from zhanqiao.terms.refusals import Refusal, refuse  # noqa: E402


def main(arguments: Sequence[str]) -> int:
    """Run the worker; returns the exit status: 0 stopped, else that of the refusal."""
    parser = argparse.ArgumentParser(prog="python -m zhanqiao.desk.serving.worker_process", description="Serve.")
    parser.add_argument("--home", required=True, type=Path, metavar="FOLDER", help="the deployment's folder")
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="what it says is said in")
    parser.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    options = parser.parse_args(arguments)
    close_off()
    refusal = _served(options.home, lifeline=options.lifeline)
    if refusal is None:
        return 0
    for reason in refusal.reasons:
        sys.stderr.write(f"{reason.code}: {reason.message(options.lang)} {reason.remedy(options.lang)}\n")
    return refusal.exit_status


def close_off() -> None:
    """Keep the process's memory from cores and from others of its user, and its rights from growing."""
    os.umask(0o077)
    keep_memory_private()
    gain_no_rights()


def _served(home: Path, *, lifeline: bool) -> Refusal | None:
    planned = plan(home)
    if isinstance(planned, Refusal):
        return planned
    house = open_house(planned.home)
    sealed = isinstance(house, Refusal) and "keys-sealed" in {reason.code for reason in house.reasons}
    leave_mark(planned.socket, sealed=sealed)
    if isinstance(house, Refusal):
        return house
    if (refusal := walls.missing(planned)) is not None:
        return refusal
    try:
        journal = Journal("worker", utc_now)
        with serving(house, planned.deployment.origin, planned.socket, planned.passers, journal) as worker:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            _stop_when_told(worker, lifeline=lifeline)
            worker.serve_forever(poll_interval=0.2)
    except AlreadyServed:
        return refuse("served-already", socket=str(planned.socket))
    except OSError as cause:
        return refuse("socket-unusable", socket=str(planned.socket), cause=cause.strerror or "-")
    return None


def _stop_when_told(worker: Worker, *, lifeline: bool) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    if lifeline:
        threading.Thread(target=_stop_when_let_go, args=[worker], daemon=True).start()


def _stop_when_let_go(worker: Worker) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    worker.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
