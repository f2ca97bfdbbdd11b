# SPDX-License-Identifier: Apache-2.0
"""systemd units for a deployment: the same two processes, started and watched by systemd instead of the supervisor.

Timers beside them do what is done again and again without a person: backups, and asking the witnesses.

Each line that takes something away from a process is there because the process does not need it.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import join

import zhanqiao
from zhanqiao.desk.configuration import SPARK
from zhanqiao.desk.paths import lies_inside
from zhanqiao.desk.serving.plan import Plan
from zhanqiao.desk.serving.socket_folder import FOR_GATEWAY, FOR_OWNER, is_roots_to_make
from zhanqiao.terms.refusals import Lang, Reason

_CLOSED = """\
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectProc=invisible
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
LimitCORE=0
UMask=0077
"""
# By ProtectHome and PrivateTmp.
_UNSEEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108  nothing is written there
_AGAIN = """\
Restart=on-failure
RestartSec=5
"""

# No rights, no namespaces, and /proc in which nothing can be changed.
_ALONE = """\
CapabilityBoundingSet=
RestrictNamespaces=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelLogs=yes
"""
# What bubblewrap does to make a room: namespaces, their loopback by netlink, and a /proc of its own, which the kernel
# gives only to who sees all of the one outside: no line may mount over a part of it. As root, `spark_drop` binds paths and becomes somebody else first.
_WITH_ROOMS = """\
CapabilityBoundingSet={rights}
RestrictNamespaces=user mnt pid net ipc uts cgroup
RestrictAddressFamilies=AF_NETLINK
"""
# Witnesses are asked over the network.
_REACHING = "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n"
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+=,-]+")
_SPELT = {"\\": r"\\", '"': r"\"", "%": "%%"}
_RIGHTS_OF_ROOT = "CAP_SYS_ADMIN CAP_SETUID CAP_SETGID"


def text(plan: Plan, lang: Lang) -> str:
    """Return all units, each under the name of its file."""
    return "\n".join(f"# /etc/systemd/system/{name}\n{unit}" for name, unit in units(plan, lang).items())


def units(plan: Plan, lang: Lang = "en") -> dict[str, str]:
    """Return the units by file name; `lang` is what the processes say in."""
    return {
        "zhanqiao-worker.service": f"""\
[Unit]
Description=Zhanqiao vault worker
After=local-fs.target
# While the keys are sealed it ends at once, and is to be there when they are open.
StartLimitIntervalSec=0

[Service]
User={plan.owner.name}
ExecStartPre={_prepared(plan)}
ExecStart={_line(plan.worker_command(lang))}
ReadWritePaths={_writable(plan)}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
{_around(plan)}{_CLOSED}{_AGAIN}
[Install]
WantedBy=multi-user.target
""",
        "zhanqiao-gateway.service": f"""\
[Unit]
Description=Zhanqiao gateway
After=network.target zhanqiao-worker.service
Wants=zhanqiao-worker.service

[Service]
User={plan.gateway.name}
ExecStart={_line(plan.gateway_command(lang))}
{_hidden(plan)}RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
MemoryDenyWriteExecute=yes
{_ALONE}{_CLOSED}{_AGAIN}
[Install]
WantedBy=multi-user.target
""",
        **_timed("backup", "nightly backup", _backup(plan), "OnCalendar=*-*-* 02:30:00\nPersistent=yes"),
        **(_cosigning(plan) if plan.deployment.witnesses else {}),
    }


def out_of_sight(plan: Plan) -> Iterator[Reason]:
    """Name what lies where these units show their processes nothing: in homes, and in folders for temporary files."""
    needed = (plan.home, plan.socket.parent, Path(_command_line()), Path(sys.executable), Path(zhanqiao.__file__))
    for path in (*needed, *plan.tls.values()):
        # By its name, which the unit has, and where that leads: an environment's Python is a link.
        ways = (path.absolute(), Path(os.path.realpath(path)))
        if unseen := [way for way in ways if any(way.is_relative_to(folder) for folder in _UNSEEN)]:
            yield Reason("unit-hides", {"path": str(unseen[0])})


def _backup(plan: Plan) -> str:
    command = join([_command_line(), "backup", "--home", str(plan.home)])
    script = f'exec {command} "$BACKUPS/zhanqiao-$(date -u +%FT%H%M%SZ).backup"'
    closed = _CLOSED.replace("ProtectSystem=strict", "ProtectSystem=full")
    return f"""\
User={plan.owner.name}
# A folder that you make for this user, on another disk than the deployment's; what is old there nobody here removes.
Environment=BACKUPS=/var/backups/zhanqiao
ExecStart={_line(["/bin/sh", "-c", script])}
{_REACHING}{_ALONE}{closed}"""


def _cosigning(plan: Plan) -> dict[str, str]:
    """Return units that ask the witnesses well before answers would wait for them, also while nobody asks."""
    command = _line([_command_line(), "ledger", "cosign", "--home", str(plan.home)])
    service = f"""\
User={plan.owner.name}
ExecStart={command}
ReadWritePaths={_path(plan.home)}
{_REACHING}{_ALONE}{_CLOSED}"""
    seconds = max(60, plan.deployment.quorum_seconds // 4)
    return _timed("cosign", "asking the witnesses", service, f"OnBootSec=60\nOnUnitActiveSec={seconds}")


def _timed(name: str, meaning: str, service: str, when: str) -> dict[str, str]:
    """Return a service that runs and ends, and the timer that starts it."""
    return {
        f"zhanqiao-{name}.service": f"""\
[Unit]
Description=Zhanqiao {meaning}
After=network.target

[Service]
Type=oneshot
{service}""",
        f"zhanqiao-{name}.timer": f"""\
[Unit]
Description=Zhanqiao {meaning}

[Timer]
{when}

[Install]
WantedBy=timers.target
""",
    }


def _command_line() -> str:
    """Return where this installation has its command."""
    return str(Path(sys.executable).with_name("zhanqiao"))


def _prepared(plan: Plan) -> str:
    """Return what makes the socket's folder: as root only where nobody else could exchange it for another meanwhile."""
    owner, folder = plan.owner, str(plan.socket.parent)
    rights = f"{FOR_GATEWAY if plan.apart else FOR_OWNER:04o}"
    if not is_roots_to_make(plan):
        return _line(["/usr/bin/install", "-d", "-m", rights, folder])
    return "+" + _line(["/usr/bin/install", "-d", "-o", owner.name, "-g", str(plan.gateway.gid), "-m", rights, folder])


def _writable(plan: Plan) -> str:
    """Return what the worker may write: what is not there when it starts is made by it, in what is."""
    folder = plan.socket.parent
    if lies_inside(folder, plan.home):
        return _path(plan.home)
    return f"{_path(plan.home)} {_path(folder if plan.apart or is_roots_to_make(plan) or folder.exists() else folder.parent)}"


def _hidden(plan: Plan) -> str:
    """Return what keeps the deployment from the gateway; a socket that lies in it would be hidden, too."""
    return "" if lies_inside(plan.socket, plan.home) else f"InaccessiblePaths={_path(plan.home)}\n"


def _line(command: list[str]) -> str:
    """Return a command as a unit has it, in which systemd puts nothing of its own."""
    return " ".join(_word(word.replace("$", "$$")) for word in command)


def _path(path: Path) -> str:
    return _word(str(path))


def _word(text: str) -> str:
    """Return one word of a unit, as systemd reads it: no line ends in it, and no specifier stands there."""
    if _PLAIN.fullmatch(text):
        return text
    spelt = "".join(_SPELT.get(letter) or _escaped(letter) for letter in text)
    return f'"{spelt}"'


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else "".join(f"\\x{byte:02x}" for byte in os.fsencode(letter))


def _around(plan: Plan) -> str:
    """Return what is kept from the worker, beside what nobody has: with Spark it makes rooms."""
    if plan.deployment.engine != SPARK:
        return _ALONE
    return _WITH_ROOMS.format(rights="" if plan.owner.uid else _RIGHTS_OF_ROOT)
