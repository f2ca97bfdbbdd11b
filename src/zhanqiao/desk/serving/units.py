# SPDX-License-Identifier: Apache-2.0
"""systemd units for a deployment: the same two processes, started and watched by systemd instead of the supervisor.

Each line that takes something away from a process is there because the process does not need it.
"""

from shlex import join

from zhanqiao.desk.serving.plan import Plan

_CLOSED = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
LimitCORE=0
UMask=0077
Restart=on-failure
RestartSec=5
"""


def text(plan: Plan) -> str:
    """Return both units, each under the name of its file."""
    return "\n".join(f"# /etc/systemd/system/{name}\n{unit}" for name, unit in units(plan).items())


def units(plan: Plan) -> dict[str, str]:
    """Return the units by file name."""
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
ExecStart={join(plan.worker_command())}
ReadWritePaths={plan.home} {folder}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
{_CLOSED}
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
ExecStart={join(plan.gateway_command())}
InaccessiblePaths={plan.home}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
MemoryDenyWriteExecute=yes
{_CLOSED}
[Install]
WantedBy=multi-user.target
""",
    }
