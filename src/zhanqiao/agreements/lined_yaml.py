# SPDX-License-Identifier: Apache-2.0
"""YAML for people's drafts: mappings, lists and plain values, each with its line. Nothing else of YAML.

Tags, anchors, aliases, merge keys, repeated keys, several documents, deep nesting and large files are refused before a
tree is built, so that no draft can say one thing to a reader and another to us, or blow up.
"""

from dataclasses import dataclass

import yaml

MAX_BYTES = 65_536
MAX_DEPTH = 12
_OPENS = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSES = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
_BANNED = {
    yaml.TagToken: "tags are not used here",
    yaml.AnchorToken: "anchors are not used here",
    yaml.AliasToken: "aliases are not used here",
    yaml.DirectiveToken: "directives are not used here",
    yaml.DocumentStartToken: "one document, without ---",
}


@dataclass(frozen=True)
class Word:
    """A plain value as it was written."""

    text: str
    line: int


@dataclass(frozen=True)
class Row:
    """A list."""

    parts: tuple["Node", ...]
    line: int


@dataclass(frozen=True)
class Table:
    """A mapping, in the order it was written; keys are distinct."""

    entries: tuple[tuple[Word, "Node"], ...]
    line: int

    def get(self, key: str) -> "Node | None":
        return next((value for name, value in self.entries if name.text == key), None)


Node = Word | Row | Table


@dataclass(frozen=True)
class Trouble:
    """Why a text is not read: the first place where it stops being plain YAML."""

    line: int
    problem: str


def read(text: str) -> Node | Trouble:
    """Read one plain YAML document, or say where it is none."""
    if len(text.encode()) > MAX_BYTES:
        return Trouble(1, f"more than {MAX_BYTES} bytes")
    try:
        if (trouble := _scan(text)) is not None:
            return trouble
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return Trouble(mark.line + 1 if mark else 1, error.problem or "not YAML")
    except yaml.YAMLError:
        return Trouble(1, "characters that YAML does not have")
    return Trouble(1, "nothing is written") if root is None else _node(root)


def _scan(text: str) -> Trouble | None:
    """Look at the tokens alone: what is banned, and how deep it goes."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        line = token.start_mark.line + 1
        if (problem := _BANNED.get(type(token))) is not None:
            return Trouble(line, problem)
        depth += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
        if depth > MAX_DEPTH:
            return Trouble(line, f"nested deeper than {MAX_DEPTH}")
    return None


def _node(node: yaml.Node) -> Node | Trouble:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return Word("" if node.tag.endswith(":null") else str(node.value), line)
    if isinstance(node, yaml.SequenceNode):
        parts: list[Node] = []
        for inner in node.value:
            if isinstance(part := _node(inner), Trouble):
                return part
            parts.append(part)
        return Row(tuple(parts), line)
    return _table(node, line)


def _table(node: yaml.Node, line: int) -> Table | Trouble:
    entries: list[tuple[Word, Node]] = []
    seen: set[str] = set()
    for key, inner in node.value:
        at = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
            return Trouble(at, "a key is one plain word")
        if key.value in seen:
            return Trouble(at, f"{key.value} stands twice")
        seen.add(key.value)
        if isinstance(value := _node(inner), Trouble):
            return value
        entries.append((Word(key.value, at), value))
    return Table(tuple(entries), line)
