# SPDX-License-Identifier: Apache-2.0
"""One pass over a contract: typed values come out, problems stay behind, each with its line and its place.

Every reader returns None where the value cannot be used, after it has noted why. So the pass goes on and finds the
other problems as well.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from zhanqiao.catalogue.plain_yaml import Kind, Listing, Mapping, Node, Scalar
from zhanqiao.terms.refusals import Reason, Refusal

MAX_TEXT = 200
MAX_PROSE = 4_000
# More reasons than this help nobody, and a hostile file could ask for a million.
MAX_REASONS = 500

# The plain decimal spellings; YAML's octal, sexagesimal and underscored forms are read differently by different tools.
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?", re.ASCII)

Code = TypeVar("Code", bound=StrEnum)

# What a value may be, and what was found in its place, in words.
_ZH = {
    "text": "文本",
    "list": "列表",
    "mapping": "键值组",
    "integer": "整数",
    "number": "数字",
    "boolean": "布尔值",
    "date": "日期",
    "nothing": "空",
    "true or false": "true 或 false",
}
# A form that a value must have, in words: Chinese, then English.
Form = tuple[str, str]


@dataclass(frozen=True)
class Keys:
    """The closed list of keys of one part of a contract.

    read        what we read
    required    what must be there
    descriptive keys of the standard that change nothing here: they may stand, and are not read
    elsewhere   keys of the standard that would promise something we keep in another way -> where to say it instead
    """

    read: frozenset[str]
    required: tuple[str, ...] = ()
    descriptive: frozenset[str] = frozenset()
    elsewhere: dict[str, str] = field(default_factory=dict)


class Reading:
    """Collects what is wrong while values are read.

    kept  of a contract that was taken once: a rule that came later does not bind it
    """

    def __init__(self, *, kept: bool = False) -> None:
        self.kept = kept
        self._found: list[tuple[int, int, Reason]] = []

    def wrong(self, code: str, line: int, path: str, **facts: str) -> None:
        """Note one problem."""
        shown = {name: _shown(value) for name, value in facts.items()}
        self._found.append((line, len(self._found), Reason(code, {"line": str(line), "path": _shown(path), **shown})))

    @property
    def problems(self) -> int:
        return len(self._found)

    def refusal(self) -> Refusal | None:
        """Return every problem in the order of lines, or None when nothing is wrong."""
        if not self._found:
            return None
        reasons = [reason for _, _, reason in sorted(self._found, key=lambda found: found[:2])]
        if len(reasons) > MAX_REASONS:
            rest = Reason("contract-more-problems", {"count": str(len(reasons) - MAX_REASONS)})
            reasons = [*reasons[:MAX_REASONS], rest]
        return Refusal(tuple(reasons))

    # --- collections ------------------------------------------------------------------------------

    def mapping(self, node: Node, path: str, keys: Keys) -> Mapping | None:
        """Return a mapping whose keys are all known; missing required keys are noted at the mapping's line."""
        if not isinstance(node, Mapping):
            self._type(node, path, "mapping", "{key: value}")
            return None
        for key, line in node.key_lines.items():
            if key in keys.elsewhere:
                self.wrong("contract-key-not-kept", line, path, key=key, instead=keys.elsewhere[key])
            elif key not in keys.read and key not in keys.descriptive:
                self.wrong("contract-key-unknown", line, path, key=key, known=_listed(keys.read))
        for key in keys.required:
            if key not in node.entries:
                self.wrong("contract-key-missing", node.line, path, key=key)
        return node

    def listing(self, node: Node, path: str) -> list[Node] | None:
        if isinstance(node, Listing):
            return node.entries
        self._type(node, path, "list", f"[{node.text}]" if isinstance(node, Scalar) and node.text else "[a, b]")
        return None

    # --- scalars ----------------------------------------------------------------------------------

    def text(self, node: Node, path: str, example: str = "") -> str | None:
        """Return one line of visible text: no control, zero-width or direction-changing characters."""
        return self._written(node, path, MAX_TEXT, invisible_but_allowed="", example=example)

    def prose(self, node: Node, path: str) -> str | None:
        """Return text that may have several lines."""
        return self._written(node, path, MAX_PROSE, invisible_but_allowed="\n\t\u3000")

    def _written(
        self, node: Node, path: str, limit: int, *, invisible_but_allowed: str, example: str = ""
    ) -> str | None:
        if not isinstance(node, Scalar) or node.kind is not Kind.TEXT:
            as_it_is = f'"{node.text}"' if isinstance(node, Scalar) and node.text else '"..."'
            self._type(node, path, "text", example or as_it_is)
            return None
        text = node.text.strip()
        if not text:
            self.wrong("contract-value-empty", node.line, path)
        elif len(text) > limit:
            self.wrong("contract-text-too-long", node.line, path, length=str(len(text)), limit=str(limit))
        elif not all(character.isprintable() or character in invisible_but_allowed for character in text):
            self.wrong("contract-text-invisible", node.line, path)
        else:
            return text
        return None

    def word(self, node: Node, path: str, form: re.Pattern[str], wanted: Form, example: str = "") -> str | None:
        """Return text of one exact form; `example` is one that is of it, where what is written may not be."""
        text = self.text(node, path, example)
        if text is not None and not form.fullmatch(text):
            self.form(node, path, text, wanted)
            return None
        return text

    def code(self, node: Node, path: str, codes: type[Code]) -> Code | None:
        """Return the member that the text names."""
        if isinstance(node, Scalar) and node.kind is not Kind.TEXT:
            self._type(node, path, "text", " | ".join(code.value for code in codes))
            return None
        text = self.text(node, path)
        if text is None:
            return None
        known = {code.value: code for code in codes}
        if text not in known:
            self.wrong("contract-code-unknown", node.line, path, value=text, known=_listed(known, keep_order=True))
            return None
        return known[text]

    def flag(self, node: Node, path: str) -> bool | None:
        if isinstance(node, Scalar) and node.kind is Kind.FLAG and node.text.lower() in {"true", "false"}:
            return node.text.lower() == "true"
        said_no = isinstance(node, Scalar) and node.text.lower() in {"no", "off", "n", "0"}
        self._type(node, path, "true or false", "false" if said_no else "true")
        return None

    def whole(self, node: Node, path: str, low: int, high: int) -> int | None:
        if not isinstance(node, Scalar) or node.kind is not Kind.WHOLE or not _WHOLE.fullmatch(node.text):
            self._type(node, path, "integer", "3")
            return None
        number = int(node.text)
        if not low <= number <= high:
            self.wrong("contract-number-outside", node.line, path, value=node.text, low=str(low), high=str(high))
            return None
        return number

    def decimal(self, node: Node, path: str) -> Decimal | None:
        """Return the exact number that is written, never its nearest float."""
        plain = isinstance(node, Scalar) and node.kind in {Kind.WHOLE, Kind.DECIMAL} and _DECIMAL.fullmatch(node.text)
        if not isinstance(node, Scalar) or not plain:
            self._type(node, path, "number", "0.5")
            return None
        return Decimal(node.text)

    def distinct(self, values: Iterable[tuple[str, int]], code: str, path: str) -> None:
        """Note every repetition, with the line of the first."""
        first: dict[str, int] = {}
        for value, line in values:
            if value in first:
                self.wrong(code, line, path, value=value, first=str(first[value]))
            first.setdefault(value, line)

    def form(self, node: Node, path: str, value: str, wanted: Form) -> None:
        """Note a value that does not have the form that is wanted."""
        self.wrong("contract-form-wrong", node.line, path, value=value, wanted_zh=wanted[0], wanted_en=wanted[1])

    def _type(self, node: Node, path: str, wanted: str, example: str) -> None:
        found, text = _found(node)
        facts = {"wanted_zh": _ZH[wanted], "wanted_en": wanted, "example": example}
        facts |= {"found_zh": f"{_ZH[found]} {text}".rstrip(), "found_en": f"{found} {text}".rstrip()}
        self.wrong("contract-type-wrong", node.line, path, **facts)


def _found(node: Node) -> tuple[str, str]:
    """Return what a value is, and as far as it is one word, how it is written."""
    match node:
        case Listing():
            return "list", ""
        case Mapping():
            return "mapping", ""
        case Scalar(text=text, kind=kind):
            return kind.value, text


def _listed(words: Iterable[str], *, keep_order: bool = False) -> str:
    return ", ".join(words if keep_order else sorted(words))


def _shown(value: str) -> str:
    """What a message may repeat of a file: one short line, nothing invisible."""
    visible = "".join(character if character.isprintable() else "�" for character in value)
    return visible if len(visible) <= MAX_TEXT * 2 else visible[: MAX_TEXT * 2] + "…"
