# SPDX-License-Identifier: Apache-2.0
"""What a deployment is told: `zhanqiao.toml`, by one table of settings. There is no other place for one.

The table names each setting with its kind, what it is when left out, and what it means; the file is read and written by
it, and `docs/reference/settings.md` is generated from it. Whatever the file says that nobody meant is named, and opens
nothing.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from zhanqiao.identity.keys import DEMO
from zhanqiao.ledger import durable
from zhanqiao.ledger.regular_file import read_bounded
from zhanqiao.ledger.witnesses import Patience, Seat
from zhanqiao.terms.refusals import Reason, Refusal, refuse

SETTINGS_FILE = "zhanqiao.toml"
# Settings that have not got their name: who makes a deployment begins with them, and ends with the name.
UNFINISHED = SETTINGS_FILE + durable.PART
# It holds a few lines.
MOST_SETTINGS = 65_536
PROFILES = (DEMO, "laptop", "production")
PRODUCTION = PROFILES[-1]
ENGINES = ("duckdb", "spark")
SPARK = ENGINES[-1]
_DEPLOYMENT, _SERVE, _WITNESS = "deployment", "serve", "witness"


def utc_now() -> datetime:
    """The system's clock; everything below the desk takes it as an argument."""
    return datetime.now(UTC)


def seconds_since(day: date) -> int:
    """Return how far a clock must lag that shows the morning of that day now."""
    return int((utc_now() - datetime.combine(day, time(1), UTC)).total_seconds())


@dataclass(frozen=True)
class Serving:
    """How a running deployment is reached: the settings `[serve]`."""

    listen: str = "127.0.0.1:8443"
    metrics: str = ""
    socket: str = ""
    gateway_user: str = ""
    tls_certificate: str = ""
    tls_key: str = ""


@dataclass(frozen=True)
class Deployment:
    """What `zhanqiao.toml` says; what each field means stands in `SETTINGS`."""

    city: str
    profile: str
    origin: str
    clock_behind_seconds: int = 0
    quorum: int = Patience.quorum
    quorum_seconds: int = Patience.seconds
    engine: str = ENGINES[0]
    witnesses: tuple[Seat, ...] = ()
    serving: Serving = field(default_factory=Serving)

    def clock(self) -> datetime:
        """The deployment's clock."""
        return utc_now() - timedelta(seconds=self.clock_behind_seconds)


@dataclass(frozen=True)
class Setting:
    """One setting.

    default     what it is when left out; None: it has to be given
    choices     the only values, where there are only some
    """

    table: str
    key: str
    default: str | int | None
    en: str
    zh: str
    choices: tuple[str, ...] = ()

    @property
    def kind(self) -> type:
        return str if self.default is None else type(self.default)


_SERVING = Serving()
SETTINGS = (
    Setting(_DEPLOYMENT, "city", None, "The city whose platform this is.", "城市名称。"),
    Setting(_DEPLOYMENT, "profile", None, "What the deployment is for.", "运行模式。", PROFILES),
    Setting(
        _DEPLOYMENT,
        "origin",
        None,
        "Name of the log in checkpoints and certificates; never changed.",
        "账本在检查点与凭证中的名称；不可更改。",
    ),
    Setting(
        _DEPLOYMENT,
        "clock_behind_seconds",
        0,
        "How far the clock lags, so that a tour of a chosen day prints the same again; demo only.",
        "时钟落后的秒数，使演示可重现所选日期；仅限 demo。",
    ),
    Setting(
        _DEPLOYMENT,
        "quorum",
        Patience.quorum,
        "How many of the witnesses, or all where there are fewer, must cosign; 0: nothing waits for them.",
        "至少须有几个见证方联署；0 表示不等待。",
    ),
    Setting(
        _DEPLOYMENT,
        "quorum_seconds",
        Patience.seconds,
        "How long releases go on when they did not.",
        "未达联署数时仍可出库的秒数。",
    ),
    Setting(
        _DEPLOYMENT,
        "engine",
        ENGINES[0],
        "What computes over the vault's rows; spark needs the extra of that name and bubblewrap. Answers are the same.",
        "库房数据的计算引擎；spark 需安装同名扩展包与 bubblewrap。结果完全一致。",
        ENGINES,
    ),
    Setting(_SERVE, "listen", _SERVING.listen, "HOST:PORT of the gateway.", "网关监听地址。"),
    Setting(
        _SERVE,
        "metrics",
        _SERVING.metrics,
        "HOST:PORT where Prometheus reads /metrics, on loopback only: it is plain HTTP; none when empty.",
        "Prometheus 读取 /metrics 的地址，仅限本机（明文 HTTP）；空则不提供。",
    ),
    Setting(
        _SERVE,
        "socket",
        _SERVING.socket,
        "The vault worker's Unix socket. When empty: run/vault.sock in the deployment's folder, or, with a gateway_user, /run/zhanqiao/vault.sock.",
        "库房进程的 Unix 套接字；空则为部署目录中的 run/vault.sock，设有 gateway_user 时为 /run/zhanqiao/vault.sock。",
    ),
    Setting(
        _SERVE,
        "gateway_user",
        _SERVING.gateway_user,
        "User that the gateway runs as, another than the deployment's owner; needs a start by root.",
        "网关进程的运行用户，须与部署所有者不同；须由 root 启动。",
    ),
    Setting(
        _SERVE,
        "tls_certificate",
        _SERVING.tls_certificate,
        "Certificate chain (PEM) that the gateway's user can read; plain HTTP, on loopback only, when empty.",
        "证书链（PEM），网关用户可读；空则为明文 HTTP，仅限本机。",
    ),
    Setting(_SERVE, "tls_key", _SERVING.tls_key, "Private key (PEM) of that certificate.", "该证书的私钥（PEM）。"),
)
_KNOWN = {table: {one.key: one for one in SETTINGS if one.table == table} for table in (_DEPLOYMENT, _SERVE)}
# What is wanted, said in the file's own words, which are the same in every language.
_SPELT = {str: '"…"', int: "0, 1, 2 …"}
_MOST_BEHIND = 10_000_000_000
# TOML's own. Python reads greater ones, and spells none of thousands of digits.
_MOST_NUMBER = (1 << 63) - 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_WITNESS_KINDS = {"name": str, "url": str, "vkey": str}
_FIELDS = {
    _DEPLOYMENT: {one.name for one in fields(Deployment)} - {"witnesses", "serving"},
    _SERVE: {one.name for one in fields(Serving)},
}
assert {table: set(known) for table, known in _KNOWN.items()} == _FIELDS, "every setting stands in the table"


def read_settings(path: Path) -> Deployment | Refusal:
    """Read `zhanqiao.toml`; whatever it says that nobody meant is named and not guessed at."""
    try:
        return parse_settings(read_bounded(path, MOST_SETTINGS))
    except OSError as cause:
        return refuse("settings-unreadable", cause=cause.strerror or "-")


def parse_settings(content: bytes) -> Deployment | Refusal:
    """Read what the file holds, or would hold; as `read_settings`."""
    if len(content) > MOST_SETTINGS:
        return refuse("settings-unreadable", cause=f"more than {MOST_SETTINGS} bytes")
    try:
        said = tomllib.loads(content.decode())
    except UnicodeDecodeError as flaw:
        return refuse("file-not-utf8", file=SETTINGS_FILE, line=str(content.count(b"\n", 0, flaw.start) + 1))
    except (ValueError, RecursionError) as cause:
        return refuse("settings-unreadable", cause=str(cause))
    wrong = [Reason("settings-wrong", {"key": key, "wanted": wanted}) for key, wanted in _wrong(said)]
    if wrong:
        return Refusal(tuple(wrong))
    seats = tuple(Seat.read(**row) for row in said.get(_WITNESS, []))
    return Deployment(**said[_DEPLOYMENT], witnesses=seats, serving=Serving(**said.get(_SERVE, {})))


def write_settings(path: Path, deployment: Deployment) -> None:
    """Write the file whole."""
    durable.write_whole(path, settings_text(deployment))


def settings_text(deployment: Deployment) -> bytes:
    """Return what the file says; tables that say nothing new are left out."""
    lines = [f"[{_DEPLOYMENT}]", *_toml({key: getattr(deployment, key) for key in _KNOWN[_DEPLOYMENT]})]
    if deployment.serving != _SERVING:
        lines += ["", f"[{_SERVE}]", *_toml(vars(deployment.serving))]
    for seat in deployment.witnesses:
        lines += ["", f"[[{_WITNESS}]]", *_toml({"name": seat.name, "url": seat.url, "vkey": seat.verifier.vkey})]
    return "\n".join([*lines, ""]).encode()


def _toml(said: dict[str, object]) -> list[str]:
    # A text of JSON is one of TOML but for DEL, which TOML wants spelt.
    spelt = {name: json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") for name, value in said.items()}
    return [f"{name} = {value}" for name, value in spelt.items()]


def _wrong(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each key that is unknown, missing or of a wrong kind, with what is wanted there."""
    if not isinstance(said.get(_DEPLOYMENT), dict):
        yield _DEPLOYMENT, f"[{_DEPLOYMENT}]"
        return
    for key in sorted(said.keys() - {_DEPLOYMENT, _SERVE, _WITNESS}):
        yield key, f"[{_DEPLOYMENT}] | [{_SERVE}] | [[{_WITNESS}]]"
    yield from _wrong_in(_DEPLOYMENT, said[_DEPLOYMENT])
    if _SERVE in said:
        yield from _wrong_in(_SERVE, said[_SERVE])
    yield from _wrong_witnesses(said.get(_WITNESS, []))


def _wrong_in(table: str, said: object) -> Iterator[tuple[str, str]]:
    known = _KNOWN[table]
    if not isinstance(said, dict):
        yield table, f"[{table}]"
        return
    for key in sorted(said.keys() - known.keys()):
        yield key, " | ".join(known)
    for key, setting in known.items():
        if key not in said:
            if setting.default is None:
                yield key, _SPELT[setting.kind]
        # Exactly of its kind: for Python, true is a number.
        elif type(value := said[key]) is not setting.kind:
            yield key, _SPELT[setting.kind]
        # A clock that runs ahead would sign what nobody can believe yet.
        elif isinstance(value, int) and value < 0:
            yield key, "0 <= …"
        elif isinstance(value, int) and value > (most := _most_of(key)):
            yield key, f"… <= {most}"
        elif table == _SERVE and isinstance(value, str) and _CONTROL.search(value):
            yield key, r'"…", no \n \t \u0000 …'
        elif setting.choices and value not in setting.choices:
            yield key, " | ".join(setting.choices)


def _most_of(key: str) -> int:
    # Further back there are no days.
    return _MOST_BEHIND if key == "clock_behind_seconds" else _MOST_NUMBER


def _wrong_witnesses(rows: object) -> Iterator[tuple[str, str]]:
    if not isinstance(rows, list):
        yield _WITNESS, f"[[{_WITNESS}]]"
        return
    seats: list[Seat] = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or {name: type(value) for name, value in row.items()} != _WITNESS_KINDS:
            yield f"{_WITNESS} {number}", ", ".join(f"{key} = {_SPELT[str]}" for key in _WITNESS_KINDS)
            continue
        try:
            seat = Seat.read(**row)
        except ValueError as cause:
            yield f"{_WITNESS} {number}", str(cause)
            continue
        if any(seat.rivals(other) for other in seats):
            yield f"{_WITNESS} {number}", "a name and a key that no other witness has"
        seats.append(seat)
