# SPDX-License-Identifier: Apache-2.0
"""systemd units for a deployment: the same two processes, started and watched by systemd instead of the supervisor.

Each line that takes something away from a process is there because the process does not need it.
"""

from shlex import join

from zhanqiao.desk.configuration import SPARK
from zhanqiao.desk.serving.plan import Plan
from zhanqiao.terms.refusals import Lang

_CLOSED = """\
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
LimitCORE=0
UMask=0077
Restart=on-failure
RestartSec=5
"""

# No rights, no namespaces, and /proc in which nothing can be changed.
_ALONE = """\
CapabilityBoundingSet=
RestrictNamespaces=yes
ProtectKernelTunables=yes
ProtectKernelLogs=yes
"""
# What bubblewrap does to make a room: namespaces, their loopback by netlink, and a /proc of its own, which the kernel
# gives only to who sees all of the one outside. As root, `spark_drop` binds paths and becomes somebody else first.
_WITH_ROOMS = """\
CapabilityBoundingSet={rights}
RestrictNamespaces=user mnt pid net ipc uts cgroup
RestrictAddressFamilies=AF_NETLINK
"""
_RIGHTS_OF_ROOT = "CAP_SYS_ADMIN CAP_SETUID CAP_SETGID"


def text(plan: Plan, lang: Lang) -> str:
    """Return both units, each under the name of its file."""
    return "\n".join(f"# /etc/systemd/system/{name}\n{unit}" for name, unit in units(plan, lang).items())


def units(plan: Plan, lang: Lang = "en") -> dict[str, str]:
    """Return the units by file name; `lang` is what the processes say in."""
    folder = plan.socket.parent
    prepare = join(
        ["/usr/bin/install", "-d", "-o", plan.owner.name, "-g", str(plan.gateway.gid), "-m", "0710", str(folder)]
    )
    return {
        "zhanqiao-worker.service": f"""\
[Unit]
Description=Zhanqiao vault worker
After=local-fs.target
# While the keys are sealed it ends at once, and is to be there when they are open.
StartLimitIntervalSec=0

[Service]
User={plan.owner.name}
ExecStartPre=+{prepare}
ExecStart={join(plan.worker_command(lang))}
ReadWritePaths={plan.home} {folder}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
{_around(plan)}{_CLOSED}
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
ExecStart={join(plan.gateway_command(lang))}
InaccessiblePaths={plan.home}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
MemoryDenyWriteExecute=yes
{_ALONE}{_CLOSED}
[Install]
WantedBy=multi-user.target
""",
    }


def _around(plan: Plan) -> str:
    """Return what is kept from the worker, beside what nobody has: with Spark it makes rooms."""
    if plan.deployment.engine != SPARK:
        return _ALONE
    return _WITH_ROOMS.format(rights="" if plan.owner.uid else _RIGHTS_OF_ROOT)
