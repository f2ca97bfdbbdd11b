# SPDX-License-Identifier: Apache-2.0
"""The plain part of YAML, as nodes that know their line: mappings, lists and scalars, and nothing that expands.

A contract comes from outside and is read before anybody trusts it. Anchors and aliases (the stuff of YAML bombs), tags,
merge keys, second documents and deep nesting are flaws, each named with its line. The tree is built from the event
stream in a loop, so that no input can exhaust the stack. Scalars keep their text; what a plain scalar means follows
the resolver that every `yaml.safe_load` uses, so that other tools read the same values.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

import yaml
from yaml.resolver import Resolver

# A contract of 400 items has about 12,000 nodes.
MAX_NODES = 50_000
MAX_DEPTH = 16

# libyaml reads twenty times faster and gives the same events; the pure parser is the fallback.
FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = Resolver()


class Kind(StrEnum):
    """What a scalar is to a YAML reader."""

    TEXT = "text"
    WHOLE = "integer"
    DECIMAL = "number"
    FLAG = "boolean"
    DATE = "date"
    NOTHING = "nothing"


_KINDS = {
    "tag:yaml.org,2002:str": Kind.TEXT,
    "tag:yaml.org,2002:int": Kind.WHOLE,
    "tag:yaml.org,2002:float": Kind.DECIMAL,
    "tag:yaml.org,2002:bool": Kind.FLAG,
    "tag:yaml.org,2002:timestamp": Kind.DATE,
    "tag:yaml.org,2002:null": Kind.NOTHING,
}


@dataclass(frozen=True)
class Scalar:
    line: int
    text: str
    kind: Kind
    quoted: bool = False


@dataclass
class Listing:
    line: int
    entries: list["Node"] = field(default_factory=list)


@dataclass
class Mapping:
    line: int
    entries: dict[str, "Node"] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)


Node = Scalar | Listing | Mapping


@dataclass(frozen=True)
class Flaw:
    """Why a text is no plain YAML. `code` is a row of the refusal table; `detail` fills it."""

    code: str
    line: int
    detail: str


def compose(text: str, loader: type[yaml.SafeLoader] = FAST_LOADER) -> tuple[Node | None, list[Flaw]]:
    """Return the tree and every flaw. A tree comes back only when nothing but repeated keys is wrong."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
            if builder.stopped:
                break
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        builder.flaws.append(Flaw("contract-not-yaml", line, str(error.problem or error.context)))
    except yaml.reader.ReaderError as error:
        # libyaml counts bytes and the pure parser characters; where the character stands is the same for both.
        forbidden = error.character if isinstance(error.character, int) else 0
        line = text.count("\n", 0, max(text.find(chr(forbidden)), 0)) + 1
        builder.flaws.append(Flaw("contract-not-yaml", line, f"U+{forbidden:04X}"))
    if builder.root is None and not builder.flaws:
        builder.flaws.append(Flaw("contract-not-yaml", 1, "-"))
    fatal = any(flaw.code != "contract-key-twice" for flaw in builder.flaws)
    return (None if fatal else builder.root), builder.flaws


def speaks_of(keys: Collection[str], tree: Node | None, text: str) -> bool:
    """Tell whether one of these keys stands at the top, of a text that gave no tree: wherever a key can begin.

    So a file of rows that was given by mistake is told from a description with a flaw: of rows nothing may be repeated.
    """
    if tree is not None:
        return isinstance(tree, Mapping) and not tree.entries.keys().isdisjoint(keys)
    # A colon of full width is a common flaw.
    words = "|".join(map(re.escape, keys))
    return re.search(rf"(^|[{{,])[ \t]*[\"']?({words})[\"']?[ \t]*[:：]", text, re.MULTILINE) is not None


class _Builder:
    """Builds one tree from events; open collections stand on a list, not on Python's stack."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.flaws: list[Flaw] = []
        self.stopped = False
        self._open: list[Listing | Mapping] = []
        self._keys: list[Scalar | None] = []  # the key that waits for its value, for each open collection
        self._nodes = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        line = 1 if event.start_mark is None else event.start_mark.line + 1
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._stop(line, "---")
            case yaml.AliasEvent():
                self._flaw(line, f"*{event.anchor}")
                self._place(Scalar(line, "", Kind.NOTHING))
            case yaml.ScalarEvent():
                self._declared(event, line)
                self._place(Scalar(line, event.value, _kind(event), quoted=not event.implicit[0]))
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._declared(event, line)
                self._enter(Listing(line) if isinstance(event, yaml.SequenceStartEvent) else Mapping(line))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._open.pop()
                self._keys.pop()

    def _declared(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, line: int) -> None:
        if event.anchor is not None:
            self._flaw(line, f"&{event.anchor}")
        if event.tag is not None:
            self._flaw(line, event.tag)

    def _enter(self, node: Listing | Mapping) -> None:
        self._place(node)
        self._open.append(node)
        self._keys.append(None)
        if len(self._open) > MAX_DEPTH:
            self._stop(node.line, f"> {MAX_DEPTH} levels")

    def _place(self, node: Node) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._stop(node.line, f"> {MAX_NODES} values")
            return
        if not self._open:
            self.root = node
            return
        match self._open[-1]:
            case Listing(entries=entries):
                entries.append(node)
            case Mapping() as mapping:
                self._place_in(mapping, node)

    def _place_in(self, mapping: Mapping, node: Node) -> None:
        key = self._keys[-1]
        if key is None:
            if isinstance(node, Scalar):
                self._keys[-1] = node
            else:
                self._stop(node.line, "? (complex key)")
            return
        self._keys[-1] = None
        if key.text in mapping.entries:
            self.flaws.append(Flaw("contract-key-twice", key.line, key.text))
            return
        mapping.entries[key.text] = node
        mapping.key_lines[key.text] = key.line

    def _flaw(self, line: int, detail: str) -> None:
        self.flaws.append(Flaw("contract-yaml-not-plain", line, detail))

    def _stop(self, line: int, detail: str) -> None:
        self._flaw(line, detail)
        self.stopped = True


def _kind(event: yaml.ScalarEvent) -> Kind:
    """Only a plain scalar can be anything but text."""
    if not event.implicit[0]:
        return Kind.TEXT
    tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, (True, False))  # type: ignore[no-untyped-call]
    return _KINDS.get(tag, Kind.TEXT)
