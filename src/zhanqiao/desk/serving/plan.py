# SPDX-License-Identifier: Apache-2.0
"""What runs, as whom, and how it is reached: a deployment's settings, checked before anything is started."""

import ipaddress
import os
import pwd
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zhanqiao
from zhanqiao.desk.configuration import SETTINGS_FILE, Deployment, Serving, read_settings
from zhanqiao.desk.presence import absent
from zhanqiao.desk.serving.users import READ, RUN, User, reaches, user_of
from zhanqiao.identity.keys import DEMO
from zhanqiao.terms.refusals import Lang, Reason, Refusal, refuse

CERTIFICATE, KEY = "tls_certificate", "tls_key"
_APART = Path("/run/zhanqiao/vault.sock")
# sun_path, less its closing zero.
_MOST_PATH_BYTES = 107
_LAST_PORT = 65_535


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

    def worker_command(self, lang: Lang = "en") -> list[str]:
        """Return how the vault worker is started alone; `lang` is what it says is said in."""
        module = "zhanqiao.desk.serving.worker_process"
        return [sys.executable, "-m", module, "--home", str(self.home), "--lang", lang]

    def gateway_command(self, lang: Lang = "en") -> list[str]:
        """Return how the gateway is started alone: it can read no settings, and is told."""
        serving = self.deployment.serving
        command = [sys.executable, "-m", "zhanqiao.desk.serving.gateway", "--socket", str(self.socket)]
        command += ["--listen", serving.listen, "--lang", lang]
        if serving.metrics:
            command += ["--metrics", serving.metrics]
        if self.tls:
            command += ["--tls-cert", str(self.tls[CERTIFICATE]), "--tls-key", str(self.tls[KEY])]
        return command

    @property
    def tls(self) -> dict[str, Path]:
        """What the gateway shows, by its settings: both files, or none. Processes are started in the root folder."""
        return {setting: Path("/", file) for setting, file in _tls_of(self.deployment.serving).items() if file}


def plan(home: Path) -> Plan | Refusal:
    """Read the settings and check what they ask for; nothing is started."""
    if (refusal := absent(home)) is not None:
        return refusal
    deployment = read_settings(home / SETTINGS_FILE)
    if isinstance(deployment, Refusal):
        return deployment
    owner = user_of(home.stat().st_uid)
    gateway = _gateway_of(deployment, owner)
    if isinstance(gateway, Refusal):
        return gateway
    if (refusal := _malformed(deployment.serving) or _too_open(deployment)) is not None:
        return refusal
    made = Plan(home.resolve(), deployment, _socket_of(home.resolve(), deployment, gateway, owner), owner, gateway)
    if len(os.fsencode(made.socket)) > _MOST_PATH_BYTES:
        return refuse("socket-unusable", socket=str(made.socket), cause="its path is too long")
    return made


def _socket_of(home: Path, deployment: Deployment, gateway: User, owner: User) -> Path:
    if deployment.serving.socket:
        return Path(deployment.serving.socket)
    return home / "run" / "vault.sock" if gateway == owner else _APART


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


def _malformed(serving: Serving) -> Refusal | None:
    """Refuse what is no address, one address for two things, and half of what TLS takes."""
    for address in _addresses(serving):
        host, _, port = address.rpartition(":")
        if not host or not (port.isascii() and port.isdecimal()):
            return refuse("listen-malformed", listen=address)
        # Of thousands of digits Python makes no number.
        if len(port) > len(str(_LAST_PORT)) or int(port) > _LAST_PORT:
            return refuse("port-out-of-range", listen=address, last=str(_LAST_PORT))
    if serving.metrics and _same(serving.listen, serving.metrics):
        return refuse("listen-twice", listen=serving.listen, metrics=serving.metrics)
    # The processes run in the root folder, whoever starts them where.
    if serving.socket and not Path(serving.socket).is_absolute():
        return refuse("socket-unusable", socket=serving.socket, cause="its path is not absolute")
    tls = _tls_of(serving)
    if sum(map(bool, tls.values())) == 1:
        given, missing = sorted(tls, key=lambda setting: not tls[setting])
        return refuse("tls-half", given=given, missing=missing)
    return None


def _tls_of(serving: Serving) -> dict[str, str]:
    return {CERTIFICATE: serving.tls_certificate, KEY: serving.tls_key}


def _addresses(serving: Serving) -> list[str]:
    return [serving.listen, *([serving.metrics] if serving.metrics else [])]


def _same(one: str, other: str) -> bool:
    """Whether two addresses cannot both be listened at; port 0 is another each time."""
    (host, _, port), (other_host, _, other_port) = one.rpartition(":"), other.rpartition(":")
    if int(port) != int(other_port) or int(port) == 0:
        return False
    # Of one family: who listens at all addresses has each of them.
    every = {"0.0.0.0", "[::]"} & {host, other_host}  # noqa: S104  compared, not bound
    return host == other_host or (bool(every) and (":" in host) == (":" in other_host))


def _too_open(deployment: Deployment) -> Refusal | None:
    """Refuse to be reached from elsewhere without TLS, or with keys that are plain files."""
    serving = deployment.serving
    addresses = _addresses(serving)
    beyond = [address for address in addresses if not is_loopback(address.rpartition(":")[0])]
    if beyond and deployment.profile == DEMO:
        return refuse("demo-beyond-loopback", listen=beyond[0])
    if serving.listen in beyond and not (serving.tls_certificate and serving.tls_key):
        return refuse("plain-beyond-loopback", listen=serving.listen)
    # They have no TLS of their own, and whoever reads them is not asked who he is.
    if serving.metrics in beyond:
        return refuse("metrics-beyond-loopback", metrics=serving.metrics)
    return None


def unrunnable(planned: Plan) -> Iterator[Reason]:
    """Name each user who may not run what would be started as him: the interpreter, or read the product."""
    for user in dict.fromkeys((planned.owner, planned.gateway)):
        for file, wanted in ((sys.executable, RUN), (zhanqiao.__file__, READ)):
            if not reaches(user, Path(file), wanted):
                # What an environment links to may be what is closed.
                target = os.path.realpath(file)
                named = file if reaches(user, Path(target), wanted) else target
                yield Reason("user-cannot-run", {"user": user.name, "program": named})
                break


def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's own; a name could lead anywhere."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
