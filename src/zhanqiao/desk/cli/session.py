# SPDX-License-Identifier: Apache-2.0
"""What every command that works in a deployment has in common, in one place.

`command` adds the options, opens the deployment, settles language and speaker, and hands the command a `Call`.

Who speaks is proven by a key file that opens (`--key`), whose public half the register knows. `--as` names a person
without proof, and works in the demo profile only. A passphrase is typed at the terminal, or read from a file
descriptor; it is never an argument, which process lists and shell histories would keep.
"""

import getpass
import inspect
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connections
from rich.text import Text

from zhanqiao.desk import damage
from zhanqiao.desk.cli.given import is_text
from zhanqiao.desk.cli.output import (
    DEFAULT_HOME,
    FdOption,
    HomeOption,
    JsonOption,
    KeyOption,
    LangOption,
    WhoOption,
    language,
    refused,
    say,
)
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.personas import key_of
from zhanqiao.identity.keys import DEMO, is_locked, public_bytes, read_key_file
from zhanqiao.identity.proofs import proof_by
from zhanqiao.ledger.proof import KeyProof, acting
from zhanqiao.terms.refusals import Lang, Refusal, refuse
from zhanqiao.vault.house import House

T = TypeVar("T")
P = ParamSpec("P")

# The longest passphrase that is read from a file descriptor.
_LONGEST = 1_024


@dataclass(frozen=True)
class Voice:
    """How a command speaks, in words or data."""

    lang: Lang
    as_json: bool

    def unwrap(self, outcome: T | Refusal) -> T:
        """Return what was done, or print the refusal and end."""
        return unwrap(outcome, self.lang, as_json=self.as_json)

    def refuse(self, code: str, **facts: str) -> NoReturn:
        """Print a refusal with one reason and end."""
        refused(refuse(code, **facts), self.lang, as_json=self.as_json)

    def done(self, refusal: Refusal | None) -> None:
        """Go on when nothing was refused."""
        if refusal is not None:
            refused(refusal, self.lang, as_json=self.as_json)

    def say(self, zh: str, en: str, *, mark: Text | None = None) -> None:
        """Print one line of words."""
        say(self.lang, zh, en, mark=mark)


@dataclass(frozen=True)
class Call(Voice):
    """One command as it was given, in an open deployment.

    by          who acts; empty where a command takes nobody
    own_key     the private key that proved it, when one did
    proof       how it proved it
    """

    house: House
    by: str = ""
    own_key: Ed25519PrivateKey | None = None
    proof: KeyProof | None = None

    def signing_key(self) -> Ed25519PrivateKey:
        """Return the key that signs for `by`: the one that was given, or a persona's of the demo profile."""
        if self.own_key is not None:
            return self.own_key
        return self.unwrap(key_of(self.house.home, self.by))


Options = dict[str, tuple[Any, Any]]
HERE: Options = {
    "home": (HomeOption, DEFAULT_HOME),
    "lang": (LangOption, ""),
    "as_json": (JsonOption, False),
}
SPEAKER: Options = {"who": (WhoOption, ""), "key": (KeyOption, None), "fd": (FdOption, None)}
V = TypeVar("V", bound=Voice)


def command(
    group: typer.Typer, name: str | None = None, *, acts: bool = False, about: str | None = None
) -> Callable[[Callable[Concatenate[Call, P], None]], Callable[Concatenate[Call, P], None]]:
    """Add a command that works in a deployment; `acts` when it acts in somebody's name."""

    def add(body: Callable[Concatenate[Call, P], None]) -> Callable[Concatenate[Call, P], None]:
        add_command(group, name, body, {**(SPEAKER if acts else {}), **HERE}, in_deployment, about)
        return body

    return add


def add_command(
    group: typer.Typer,
    name: str | None,
    body: Callable[Concatenate[V, P], None],
    shared: Options,
    begun: Callable[[dict[str, Any], dict[str, Any]], AbstractContextManager[V]],
    about: str | None = None,
) -> None:
    """Add a command with options that it shares with others.

    shared  option -> kind and default
    begun   makes of the shared options, and those of the command's own, what the command gets first
    """

    def run(**given: Any) -> None:
        common = {option: given.pop(option) for option in shared}
        with begun(common, given) as first:
            body(first, **given)  # type: ignore[call-arg]  # typer hands over what the signature asks for

    own = list(inspect.signature(body).parameters.values())[1:]
    added = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for option, (kind, default) in shared.items()
    ]
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + added
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__name__ = body.__name__
    group.command(name, help=about or inspect.getdoc(body))(run)


@contextmanager
def in_deployment(common: dict[str, Any], given: dict[str, Any]) -> Iterator[Call]:
    """Open the deployment that was named, and settle in whose name the command acts, if it acts."""
    lang, as_json = language(common["lang"]), common["as_json"]
    with opened(common["home"], lang, as_json=as_json) as house:
        call = Call(lang, as_json, house)
        expect_text(call, {**given, "as": common.get("who", "")})
        spoken = _spoken(call, common["who"], common["key"], common["fd"]) if "who" in common else call
        with acting(spoken.proof):
            yield spoken


@contextmanager
def opened(home: Path, lang: Lang, *, as_json: bool) -> Iterator[House]:
    """Open the deployment, and give what is damaged its own sentence. Nothing is repaired, and the command ends."""
    house = open_house(home)
    if isinstance(house, Refusal):
        refused(house, lang, as_json=as_json)
    try:
        yield house
    except Exception as fault:
        if (refusal := damage.named(fault)) is None:
            raise
        # Whatever was half read is let go of before the connection is: else Python complains of it on the screen.
        traceback.clear_frames(fault.__traceback__)
        refused(refusal, lang, as_json=as_json)
    finally:
        connections.close_all()


def unwrap(outcome: T | Refusal, lang: Lang, *, as_json: bool) -> T:
    """Return what was done, or print the refusal and end."""
    if isinstance(outcome, Refusal):
        refused(outcome, lang, as_json=as_json)
    return outcome


def passphrase_of(fd: int | None, prompt: str) -> str | Refusal:
    """Read a passphrase: a line of an open file descriptor, or typed at the terminal."""
    if fd is not None:
        return _line_of(fd)
    return getpass.getpass(prompt) if has_terminal() else refuse("passphrase-not-asked")


def has_terminal() -> bool:
    """Whether a secret can be asked for; else getpass would read standard input, with echo, and that may hold a subject."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def open_key(path: Path, fd: int | None, profile: str) -> Ed25519PrivateKey | Refusal:
    """Open a key file, with its passphrase where it has one."""
    passphrase = passphrase_of(fd, f"{path.name}: ") if is_locked(path) else None
    if isinstance(passphrase, Refusal):
        return passphrase
    return read_key_file(path, passphrase=passphrase, profile=profile)


def expect_text(call: Voice, given: dict[str, Any]) -> None:
    """Refuse words that are no text: they could be neither asked, logged nor printed. File names may be any bytes."""
    for option, said in given.items():
        words = said if isinstance(said, list) else [said]
        if not all(is_text(word) for word in words if isinstance(word, str)):
            call.refuse("argument-not-text", argument=option)


def _spoken(call: Call, who: str, key: Path | None, fd: int | None) -> Call:
    """Settle in whose name the command acts."""
    if key is None:
        if not who:
            call.refuse("who-missing")
        if call.house.profile != DEMO:
            call.refuse("as-outside-demo", profile=call.house.profile)
        return replace(call, by=who)
    if who:
        raise typer.BadParameter("--key proves who acts, --as only says it: give one of them")
    own = call.unwrap(open_key(key, fd, call.house.profile))
    proof = proof_by(public_bytes(own))
    if proof is None:
        call.refuse("key-not-registered", file=key.name)
    return replace(call, by=proof.by, own_key=own, proof=proof)


def _line_of(fd: int) -> str | Refusal:
    # Byte by byte: what follows the line, a subject for example, is somebody else's to read.
    line = bytearray()
    try:
        while (byte := os.read(fd, 1)) not in {b"", b"\n"} and len(line) < _LONGEST:
            line += byte
    except OSError:
        return refuse("passphrase-not-asked")
    return line.decode("utf-8", errors="surrogateescape").removesuffix("\r")
