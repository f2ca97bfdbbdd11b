# SPDX-License-Identifier: Apache-2.0
"""Starts the processes of a deployment, each as its own user, and starts again what ends.

Holds nothing itself: no key, no connection, no data. The children live on its lifeline, a pipe to their standard input:
when the supervisor goes, however it goes, they end. They start with an empty environment and no more rights than a user
has; what ends by itself is started again, after a pause that grows while it keeps ending.
"""

import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zhanqiao.desk.serving import socket_folder
from zhanqiao.desk.serving.journal import Journal
from zhanqiao.desk.serving.plan import Plan
from zhanqiao.desk.serving.users import User
from zhanqiao.terms.refusals import Lang, Refusal, refuse

_START_SECONDS, _STOP_SECONDS = 120, 40
_PAUSES = (0.5, 1.0, 2.0, 5.0, 15.0)
# Whoever ran this long is not one that keeps ending.
_STEADY_SECONDS = 60


@dataclass
class Child:
    """One process, and how often it ended lately."""

    name: str
    command: Sequence[str]
    user: User
    running: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    ended: int = 0
    again_at: float = 0.0
    ready: str = ""

    def start(self) -> bool:
        """Start it and wait until it says that it is ready; False when it ended before."""
        switch = (
            {"user": self.user.uid, "group": self.user.gid, "extra_groups": self.user.groups}
            if os.geteuid() == 0
            else {}
        )
        self.running = subprocess.Popen(
            [*self.command, "--lifeline"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
            umask=0o077,
            cwd="/",
            start_new_session=True,
            **switch,  # type: ignore[call-overload]
        )
        self.since = time.monotonic()
        self.ready = _first_line(self.running, _START_SECONDS)
        return bool(self.ready)

    def stop(self) -> None:
        """Ask it to end, and make it end."""
        if self.running is None:
            return
        self.running.terminate()
        try:
            self.running.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.running.kill()
        self.forget()

    def forget(self) -> None:
        """Let go of a process that ended, or is about to."""
        if self.running is not None:
            # Closes the lifeline, and waits.
            with self.running:
                pass
            self.running = None


def supervise(plan: Plan, journal: Journal, ready: Callable[[str], None], lang: Lang) -> Refusal | None:
    """Run worker and gateway until told to stop by SIGTERM or SIGINT; a refusal when they do not start.

    ready   is told where the gateway listens
    lang    in which the processes say on standard error why they do not start
    """
    if plan.apart and os.geteuid() != 0:
        return refuse("user-not-changed", user=plan.gateway.name)
    try:
        socket_folder.make(plan)
    except OSError as cause:
        return refuse("socket-unusable", socket=str(plan.socket), cause=cause.strerror or "-")
    children = [
        Child("worker", plan.worker_command(lang), plan.owner),
        Child("gateway", plan.gateway_command(lang), plan.gateway),
    ]
    stopping = _told_to_stop()
    try:
        for child in children:
            try:
                started = child.start()
            except PermissionError:
                return refuse("user-cannot-run", user=child.user.name, program=child.command[0])
            if not started:
                # It has said on standard error why, in its own words.
                return refuse(f"{child.name}-ended")
            journal.note("started", kind=child.name, pid=child.running.pid if child.running else 0)
        ready(children[-1].ready.removeprefix("listens on "))
        _notify("READY=1")
        _watch(children, journal, stopping)
    finally:
        _notify("STOPPING=1")
        # The gateway first: what it took still gets its answer.
        for child in reversed(children):
            child.stop()
            journal.note("stopped", kind=child.name)
    return None


def _watch(children: Sequence[Child], journal: Journal, stopping: Callable[[float], bool]) -> None:
    while not stopping(0.2):
        now = time.monotonic()
        for child in children:
            if child.running is not None and (status := child.running.poll()) is not None:
                steady = now - child.since > _STEADY_SECONDS
                child.ended = 1 if steady else child.ended + 1
                child.again_at = now + _PAUSES[min(child.ended, len(_PAUSES)) - 1]
                child.forget()
                journal.note("ended", kind=child.name, status=status)
            if child.running is None and now >= child.again_at:
                journal.note("started-again" if child.start() else "not-started", kind=child.name)


def _told_to_stop() -> Callable[[float], bool]:
    """Return what waits for a while and tells whether a signal came."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(reader, selectors.EVENT_READ)

    def told(seconds: float) -> bool:
        if not selector.select(seconds):
            return False
        return bool({signal.SIGTERM, signal.SIGINT} & set(os.read(reader, 4096)))

    return told


def _first_line(process: subprocess.Popen[bytes], seconds: float) -> str:
    """Return the first line that a process says, or nothing when it ends, or takes too long."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(seconds):
            return ""
    return process.stdout.readline().decode(errors="replace").strip()


def _notify(state: str) -> None:
    """Tell systemd, where it asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.connect("\0" + address[1:] if address.startswith("@") else address)
        told.send(state.encode())
