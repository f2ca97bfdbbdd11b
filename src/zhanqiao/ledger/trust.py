# SPDX-License-Identifier: Apache-2.0
"""Trust files: the keys a verifier starts from. Small text, in the manner of C2SP tlog-policy, read line by line.

    # comment
    log <vkey> [<url>]                          a log whose checkpoints count; one at least
    envelope <key id> <base64 of 32 bytes>      a key that signs release statements (ours, not in tlog-policy); one at least
    witness <name> <vkey> [<url>]               a witness; the name counts in this file only
    group <name> all|any|<k> <name>...          k of these witnesses and groups
    quorum <name>|none                          which witness or group must have signed

tlog-policy demands a quorum line. Here it may be left out where there are no groups, which means `none`; `verify` then
says that no witness was asked for. Whatever else is odd (an unknown word, a key twice, a name before its definition)
makes the file unusable: trust that was misread is worse than none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.ledger.exact import exact_base64, exact_decimal, in_base64
from zhanqiao.ledger.note import COSIGNATURE, ED25519, NoteVerifier
from zhanqiao.ledger.problems import Unsound
from zhanqiao.ledger.public_key import read_public_key

MAX_TRUST_BYTES = 256 * 1024
_NOBODY = "none"


@dataclass(frozen=True)
class Quorum:
    """`threshold` of `members` must have signed; a member is a witness or another group."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Trust:
    """A trust file as read.

    envelopes   key id -> key
    witnesses   name in the file -> key
    quorum      name of a witness or group, None when no witness is asked for
    """

    logs: tuple[NoteVerifier, ...]
    envelopes: Mapping[str, Ed25519PublicKey]
    witnesses: Mapping[str, NoteVerifier] = field(default_factory=dict)
    groups: Mapping[str, Quorum] = field(default_factory=dict)
    quorum: str | None = None

    @classmethod
    def parse(cls, content: bytes, *, published: bool = False) -> "Trust":
        """Read a trust file; raises `Unsound` with the line that is wrong.

        published  by who runs the log, where a quorum is nobody's: no verifier believes that it protects him
        """
        return _Reader(published=published).read(content)

    def reached_by(self, signed: set[str]) -> bool:
        """Tell whether the witnesses named in `signed` make the quorum."""
        return self.quorum is None or self._counts(self.quorum, signed)

    def _counts(self, name: str, signed: set[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in signed
        return sum(self._counts(member, signed) for member in group.members) >= group.threshold


def trust_text(
    log: NoteVerifier, *envelopes: Ed25519PublicKey, witnesses: Iterable[tuple[str, NoteVerifier, str]] = ()
) -> str:
    """Return a trust file for one log and the keys that sign its statements.

    `witnesses` are name, key and address. It asks for no quorum: whom to believe is for who verifies to write.
    """
    lines = [f"log {log.vkey}"]
    for key in envelopes:
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        lines.append(f"envelope {key_id_of(key)} {in_base64(raw)}")
    lines += [f"witness {name} {witness.vkey} {url}" for name, witness, url in witnesses]
    return "".join(line + "\n" for line in lines)


class _Reader:
    """Collects the lines of one file. A name must be defined on an earlier line, so that groups cannot go in circles."""

    def __init__(self, *, published: bool) -> None:
        self._published = published
        self._line = 0
        self._logs: list[NoteVerifier] = []
        self._envelopes: dict[str, Ed25519PublicKey] = {}
        self._witnesses: dict[str, NoteVerifier] = {}
        self._groups: dict[str, Quorum] = {}
        self._quorum: str | None = None
        self._members: set[str] = set()  # each name counts in one group only, else one witness would count twice
        self._quorum_line = False

    def read(self, content: bytes) -> Trust:
        try:
            for line in _lines(content):
                self._line += 1
                words = line.replace("\t", " ").split(" ")
                self._take([word for word in words if word])
            self._check_whole()
        except ValueError as cause:
            raise Unsound("trust-malformed", line=self._line, cause=cause) from cause
        return Trust(tuple(self._logs), self._envelopes, self._witnesses, self._groups, self._quorum)

    def _take(self, words: list[str]) -> None:
        match words:
            case []:
                pass
            case [first, *_] if first.startswith("#"):
                pass
            case ["log", vkey] | ["log", vkey, _]:
                self._take_log(NoteVerifier.from_vkey(vkey))
            case ["envelope", key_id, key]:
                self._take_envelope(key_id, exact_base64(key))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._take_witness(name, NoteVerifier.from_vkey(vkey))
            case ["group", name, threshold, *members] if members:
                self._take_group(name, threshold, members)
            case ["quorum", name]:
                self._take_quorum(name)
            case _:
                raise ValueError("no such line in a trust file")

    def _take_log(self, log: NoteVerifier) -> None:
        if log.kind != ED25519:
            raise ValueError("a log signs with a plain Ed25519 key")
        self._expect_new(log)
        self._logs.append(log)

    def _take_envelope(self, key_id: str, raw: bytes) -> None:
        key = read_public_key(raw)
        if key_id_of(key) != key_id:
            raise ValueError("the key id is not the key's")
        if key_id in self._envelopes:
            raise ValueError("the key stands there twice")
        self._envelopes[key_id] = key

    def _take_witness(self, name: str, witness: NoteVerifier) -> None:
        if witness.kind != COSIGNATURE:
            raise ValueError("a witness signs with a cosignature/v1 key")
        self._expect_new(witness)
        self._expect_free(name)
        self._witnesses[name] = witness

    def _take_group(self, name: str, threshold: str, members: list[str]) -> None:
        self._expect_free(name)
        for member in members:
            self._expect_defined(member)
            if member in self._members:
                raise ValueError(f"{member} would count twice")
            self._members.add(member)
        least = {"any": 1, "all": len(members)}.get(threshold) or exact_decimal(threshold, len(members))
        if least == 0:
            raise ValueError("a group asks for one member at least")
        self._groups[name] = Quorum(least, tuple(members))

    def _take_quorum(self, name: str) -> None:
        if self._quorum_line:
            raise ValueError("the quorum is set twice")
        self._quorum_line = True
        if name != _NOBODY:
            self._expect_defined(name)
            self._quorum = name

    def _check_whole(self) -> None:
        if not self._logs or not self._envelopes:
            raise ValueError("the file ends without a log and an envelope key")
        # Whoever wrote it believes that it protects him.
        if self._groups and not self._quorum_line and not self._published:
            raise ValueError(
                "the file ends without a quorum line, so that no group counts: add `quorum NAME` or `quorum none`"
            )

    def _expect_new(self, key: NoteVerifier) -> None:
        """No key stands there twice, nor does a log witness itself, under whatever name."""
        if any(key.public == other.public for other in (*self._logs, *self._witnesses.values())):
            raise ValueError("the key stands there twice")

    def _expect_free(self, name: str) -> None:
        if name == _NOBODY or name in self._witnesses or name in self._groups:
            raise ValueError(f"the name {name} is taken")

    def _expect_defined(self, name: str) -> None:
        if name not in self._witnesses and name not in self._groups:
            raise ValueError(f"{name} is not defined above")


def _lines(content: bytes) -> list[str]:
    if len(content) > MAX_TRUST_BYTES:
        raise ValueError(f"more than {MAX_TRUST_BYTES} bytes")
    text = content.decode("utf-8")
    if any(letter < " " and letter not in "\n\t" for letter in text):
        raise ValueError("a control character other than tab and newline")
    return text.split("\n")
