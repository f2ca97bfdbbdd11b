# SPDX-License-Identifier: Apache-2.0
"""What runs, as whom, and how it is reached: a deployment's settings, checked before anything is started."""

import ipaddress
import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path

from zhanqiao.desk.configuration import SETTINGS_FILE, Deployment, read_settings
from zhanqiao.desk.file_systems import lies_inside
from zhanqiao.terms.refusals import Refusal, refuse

_APART = Path("/run/zhanqiao/vault.sock")
# sun_path, less its closing zero.
_MOST_PATH_BYTES = 107
_LAST_PORT = 65_535


@dataclass(frozen=True)
class User:
    """A user of the machine."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Plan:
    """How one deployment is served.

    owner       whose the deployment is; the vault worker runs as this user
    gateway     the user that the gateway runs as; the owner where no other was named
    """

    home: Path
    deployment: Deployment
    socket: Path
    owner: User
    gateway: User

    @property
    def apart(self) -> bool:
        """Whether gateway and vault worker are different users, so that who takes over the one does not have the other."""
        return self.owner.uid != self.gateway.uid

    @property
    def passers(self) -> frozenset[int]:
        """Whose processes may pass questions on."""
        return frozenset({self.owner.uid, self.gateway.uid})

    def worker_command(self) -> list[str]:
        """Return how the vault worker is started alone."""
        return [sys.executable, "-m", "zhanqiao.desk.serving.worker_process", "--home", str(self.home)]

    def gateway_command(self) -> list[str]:
        """Return how the gateway is started alone: it can read no settings, and is told."""
        serving = self.deployment.serving
        command = [sys.executable, "-m", "zhanqiao.desk.serving.gateway", "--socket", str(self.socket)]
        command += ["--listen", serving.listen]
        if serving.metrics:
            command += ["--metrics", serving.metrics]
        if serving.tls_certificate:
            command += ["--tls-cert", serving.tls_certificate, "--tls-key", serving.tls_key]
        return command


def plan(home: Path) -> Plan | Refusal:
    """Read the settings and check what they ask for; nothing is started."""
    if not (home / SETTINGS_FILE).exists():
        return refuse("no-deployment", home=str(home))
    deployment = read_settings(home / SETTINGS_FILE)
    if isinstance(deployment, Refusal):
        return deployment
    owner = _user_of(home.stat().st_uid)
    gateway = _gateway_of(deployment, owner)
    if isinstance(gateway, Refusal):
        return gateway
    if (refusal := _too_open(deployment)) is not None:
        return refusal
    made = Plan(home.resolve(), deployment, _socket_of(home.resolve(), deployment, gateway, owner), owner, gateway)
    if len(os.fsencode(made.socket)) > _MOST_PATH_BYTES:
        return refuse("socket-unusable", socket=str(made.socket), cause="its path is too long")
    return refuse("socket-folder-shared", socket=str(made.socket)) if _shares_folder(made) else made


def _shares_folder(made: Plan) -> bool:
    """Whether the socket's folder is anything else, too: it becomes one that the gateway's group may enter."""
    folder = made.socket.parent
    if made.apart and lies_inside(folder, made.home):
        return True
    try:
        return any(path.name != made.socket.name for path in folder.iterdir())
    except OSError:
        return False  # it is not there yet, or is said by whoever makes it


def _socket_of(home: Path, deployment: Deployment, gateway: User, owner: User) -> Path:
    if deployment.serving.socket:
        return Path(deployment.serving.socket)
    return home / "run" / "vault.sock" if gateway == owner else _APART


def _user_of(uid: int) -> User:
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return User(str(uid), uid, uid)
    return User(found.pw_name, uid, found.pw_gid)


def _gateway_of(deployment: Deployment, owner: User) -> User | Refusal:
    name = deployment.serving.gateway_user
    if not name:
        return owner
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return refuse("user-unknown", user=name)
    if found.pw_uid == 0:
        return refuse("gateway-root", user=name)
    return User(name, found.pw_uid, found.pw_gid)


def _too_open(deployment: Deployment) -> Refusal | None:
    """Refuse to be reached from elsewhere without TLS, or with keys that are plain files."""
    serving = deployment.serving
    addresses = [serving.listen, *([serving.metrics] if serving.metrics else [])]
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            return refuse("listen-malformed", listen=address)
        if int(port) > _LAST_PORT:
            return refuse("port-out-of-range", listen=address, last=str(_LAST_PORT))
    beyond = [address for address in addresses if not is_loopback(address.rpartition(":")[0])]
    if beyond and deployment.profile == "demo":
        return refuse("demo-beyond-loopback", listen=beyond[0])
    if serving.listen in beyond and not (serving.tls_certificate and serving.tls_key):
        return refuse("plain-beyond-loopback", listen=serving.listen)
    # They have no TLS of their own, and whoever reads them is not asked who he is.
    if serving.metrics in beyond:
        return refuse("metrics-beyond-loopback", metrics=serving.metrics)
    return None


def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's own; a name could lead anywhere."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
