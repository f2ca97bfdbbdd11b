# SPDX-License-Identifier: Apache-2.0
"""The lexer: decides which texts are looked at by a parser at all, and lifts every quoted text out of them.

What a parser sees is plain ASCII of bounded length and depth, without comments and with at most one statement. Quoted
text (literals and names, where Chinese is at home) is kept aside and stands in the text as an ASCII placeholder that
nobody else can write: bare words with the placeholder's prefix are refused, quoted ones are lifted out themselves.
So no parser ever meets an escape, an odd quote, a letter that looks like another one, or white space of its own kind.
"""

import re
import unicodedata
from dataclasses import dataclass, field

from zhanqiao.terms.refusals import Reason

SIZE_LIMIT = 8_192  # bytes
DEPTH_LIMIT = 60
NAME_LIMIT = 64
_PREFIX = "zq__"

# One alternative per kind of token, longest first. What matches none is a character without a place.
_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<comment>--|/\*|\*/)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>[0-9][0-9A-Za-z_]*(?:\.[0-9A-Za-z_]*)?)
    | (?P<text>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*")
    | (?P<open>\()
    | (?P<close>\))
    | (?P<semicolon>;)
    | (?P<sign>[-,.*=<>!+/%:|&^~])
    | (?P<unclosed>['"])
    | (?P<stray>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTED = frozenset({"text", "name"})
_BARE = frozenset({"word", "number"})
_PLAIN_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
# Words and signs that nest without brackets; a run of them is as deep as it is long.
_PREFIXES = frozenset({"not", "case", "-", "+", "~"})
# Letters and marks that print nothing, besides the categories below (Unicode: Default_Ignorable_Code_Point).
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(code) for code in range(0xFE00, 0xFE10)
}
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# What a Chinese keyboard writes in the place of signs -> what is meant.
_PLAIN_FORMS = dict(zip("，；（）＝＊＜＞．、“”‘’", [*",;()=*<>.,", "'", "'", "'", "'"], strict=True))
_REASONS_LIMIT = 20  # a text of 8,000 invisible characters is one mistake, not 8,000


@dataclass(frozen=True)
class Lexed:
    """A text for the parsers, and what its placeholders stand for."""

    text: str
    texts: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def name(self, token: str) -> str:
        """Return the name that an identifier of the text stands for: quoted as written, bare in lower case."""
        return self.names[token] if token in self.names else token.lower()

    def alias(self, token: str) -> str:
        """Return an alias as its writer wants to see it."""
        return self.names.get(token, token)


def lex(text: str) -> Lexed | tuple[Reason, ...]:
    """Return the text for the parsers, or every reason why none of them shall see it."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > SIZE_LIMIT:
        return (Reason("text-too-long", {"size": str(size), "limit": str(SIZE_LIMIT)}),)
    lexing = _Lexing()
    for match in _TOKEN.finditer(text):
        assert match.lastgroup is not None, "every token has a kind"
        lexing.take(match.lastgroup, match.group(), match.start() + 1)
    return lexing.result()


class _Lexing:
    """One pass over one text: what was put out, what was lifted out, and what was wrong."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._texts: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._reasons: list[Reason] = []
        self._depth = 0
        self._prefixes = 0
        self._last = "space"
        self._ended_at: int | None = None

    def result(self) -> Lexed | tuple[Reason, ...]:
        text = "".join(self._out).strip()
        if not text and not self._reasons:
            self._refuse("text-empty")
        return tuple(self._reasons) or Lexed(text, self._texts, self._names)

    def take(self, kind: str, token: str, position: int) -> None:
        if self._ended_at is not None and kind not in {"space", "comment"}:
            self._refuse("text-many-statements", position=str(self._ended_at))
        self._measure_depth(kind, token)
        if {kind, self._last} & _QUOTED and {kind, self._last} <= _QUOTED | _BARE:
            self._refuse("text-quote-prefix", position=str(position))
        match kind:
            case "text":
                self._lift(self._texts, "s", "'", token, position)
            case "name":
                self._check_name(token, position)
                self._lift(self._names, "n", '"', token, position)
            case "semicolon":
                self._ended_at = position
            case "comment":
                self._refuse("text-comment", position=str(position))
            case "unclosed":
                self._refuse("text-quote-open", position=str(position))
            case "stray":
                self._refuse_stray(token, position)
            case _:
                self._check_bare(kind, token)
                self._out.append(token)
        self._last = kind

    def _measure_depth(self, kind: str, token: str) -> None:
        self._depth += {"open": 1, "close": -1}.get(kind, 0)
        if token.lower() in _PREFIXES:
            self._prefixes += 1
        elif kind not in {"space", "open"}:
            self._prefixes = 0
        if max(self._depth, self._prefixes) > DEPTH_LIMIT:
            self._refuse("text-too-deep", limit=str(DEPTH_LIMIT))

    def _check_bare(self, kind: str, token: str) -> None:
        if kind == "word" and token.lower().startswith(_PREFIX):
            self._refuse("text-reserved-word", word=token[:NAME_LIMIT])
        if kind == "number" and not _PLAIN_NUMBER.fullmatch(token):
            self._refuse("text-number", word=token[:NAME_LIMIT])

    def _check_name(self, token: str, position: int) -> None:
        if not token[1:-1].strip():
            self._refuse("text-quote-empty", position=str(position))
        if len(token) > NAME_LIMIT + 2:
            self._refuse("text-quote-long", position=str(position), limit=str(NAME_LIMIT))

    def _lift(self, store: dict[str, str], letter: str, quote: str, token: str, position: int) -> None:
        inner = token[1:-1].replace(quote * 2, quote)
        for character in _unseen(inner):
            self._refuse("text-quote-character", character=_printable(character), position=str(position))
        placeholder = f"{_PREFIX}{letter}{len(store)}"
        store[placeholder] = inner
        self._out.append(f"{quote}{placeholder}{quote}")

    def _refuse_stray(self, character: str, position: int) -> None:
        shown, at = _printable(character), str(position)
        if plain := _PLAIN_FORMS.get(character):
            self._refuse("text-full-width", character=shown, position=at, plain=plain)
        elif _is_han(character):
            # One reason for all of them: they are one mistake.
            if not any(reason.code == "text-han" for reason in self._reasons):
                self._refuse("text-han", character=shown, position=at)
        else:
            self._refuse("text-character", character=shown, position=at)

    def _refuse(self, code: str, **facts: str) -> None:
        # One reason for each kind of mistake and character; the first place stands for all.
        known = {(reason.code, reason.facts.get("character")) for reason in self._reasons}
        if (code, facts.get("character")) not in known and len(self._reasons) < _REASONS_LIMIT:
            self._reasons.append(Reason(code, facts))


def _unseen(text: str) -> list[str]:
    """Return the characters of a quoted text that cannot be seen or that have another spelling."""
    unseen = [c for c in text if c in _INVISIBLE or unicodedata.category(c) in _UNSEEN_CATEGORIES]
    unseen += [c for c in text if c != " " and unicodedata.category(c) == "Zs"]
    if not unseen and not unicodedata.is_normalized("NFC", text):
        unseen = [c for c in text if not unicodedata.is_normalized("NFC", c) or unicodedata.combining(c)][:1]
        return unseen or [text[:1]]
    return unseen


def _is_han(character: str) -> bool:
    return unicodedata.name(character, "").startswith("CJK UNIFIED IDEOGRAPH")


def _printable(character: str) -> str:
    """Return the character itself where it is harmless to print, and always its code point."""
    code = f"U+{ord(character):04X}"
    return f"{character} ({code})" if character.isprintable() and character not in _INVISIBLE else code
