# SPDX-License-Identifier: Apache-2.0
"""The first register as a file: organisations and people, each with the line where it stands.

    organisations:
      - {id: bigdata-bureau, kind: authority, name: 大数据发展管理局, code: 11370200MB2F00001J}
    people:
      - {id: liu-secadmin, organisation: bigdata-bureau, name: 刘安全, natural: <citizen id>, public: <hex>,
         roles: [secadmin]}

The file is read with the plain part of YAML; every problem is named at once. Whether the people may hold those roles is
the register's to judge.
"""

from zhanqiao.catalogue.plain_yaml import Listing, Mapping, Node, Scalar, compose, speaks_of
from zhanqiao.identity.keys import parse_public
from zhanqiao.identity.people import OrganisationKind, Role
from zhanqiao.identity.register import NewOrganisation, NewPerson
from zhanqiao.terms.refusals import Reason, Refusal, refuse

# A register of some thousand people.
MAX_BYTES = 1 << 20

Founding = tuple[list[NewOrganisation], list[NewPerson]]

_TABLES = ("organisations", "people")
_ORGANISATION = ("id", "kind", "name", "code")
_PERSON = ("id", "organisation", "name", "natural", "public", "roles")
_OPTIONAL = {"code", "roles"}


def read(text: str) -> Founding | Refusal:
    """Read a register, or name every problem with its line."""
    root, flaws = compose(text)
    # A flaw names what it met: of a file of rows that was given by mistake nothing is repeated.
    if not speaks_of(_TABLES, root, text):
        return refuse("draft-not-described", line="1", known=", ".join(_TABLES))
    reader = _Reader([Reason("draft-not-yaml", {"line": str(one.line), "problem": one.detail}) for one in flaws])
    tables = reader.table(root, "the register", _TABLES) if root is not None else {}
    organisations = [reader.organisation(node) for node in reader.entries(tables.get("organisations"))]
    people = [reader.person(node) for node in reader.entries(tables.get("people"))]
    if reader.reasons:
        return Refusal(tuple(reader.reasons))
    return [one for one in organisations if one], [one for one in people if one]


class _Reader:
    """Collects reasons while it reads; every method returns what it could read."""

    def __init__(self, reasons: list[Reason]) -> None:
        self.reasons = reasons

    def wrong(self, line: int, key: str, wanted: str) -> None:
        self.reasons.append(Reason("draft-value-wrong", {"line": str(line), "key": key, "wanted": wanted}))

    def table(self, node: Node, what: str, known: tuple[str, ...]) -> dict[str, Node]:
        if not isinstance(node, Mapping):
            self.wrong(node.line, what, "a mapping")
            return {}
        for name, line in node.key_lines.items():
            if name not in known:
                facts = {"line": str(line), "key": name[:64], "known": ", ".join(known)}
                self.reasons.append(Reason("draft-key-unknown", facts))
        for name in known:
            if name not in node.entries and name not in _OPTIONAL:
                self.reasons.append(Reason("draft-key-missing", {"line": str(node.line), "key": name}))
        return dict(node.entries)

    def entries(self, node: Node | None) -> list[Node]:
        if node is None:
            return []
        if not isinstance(node, Listing):
            self.wrong(node.line, "organisations, people", "lists")
            return []
        return node.entries

    def words(self, table: dict[str, Node], keys: tuple[str, ...]) -> dict[str, str]:
        said = {}
        for key in keys:
            node = table.get(key)
            if isinstance(node, Scalar) and node.text.strip():
                said[key] = node.text
            elif node is not None:
                self.wrong(node.line, key, "one text")
        return said

    def organisation(self, node: Node) -> NewOrganisation | None:
        said = self.words(self.table(node, "an organisation", _ORGANISATION), _ORGANISATION)
        kind = said.get("kind", "")
        if "kind" in said and kind not in set(OrganisationKind):
            self.wrong(node.line, "kind", f"one of {', '.join(OrganisationKind)}")
        elif {"id", "kind", "name"} <= said.keys():
            return NewOrganisation(said["id"], OrganisationKind(kind), said["name"], said.get("code"))
        return None

    def person(self, node: Node) -> NewPerson | None:
        table = self.table(node, "a person", _PERSON)
        said = self.words(table, _PERSON[:-1])
        roles = self.roles(table.get("roles"))
        public = parse_public(said["public"]) if "public" in said else b""
        if isinstance(public, Refusal):
            self.wrong(
                node.line, "public", "a public key of 64 hexadecimal digits, as `zhanqiao people key new` prints it"
            )
        elif said.keys() == set(_PERSON[:-1]):
            return NewPerson(said["id"], said["organisation"], said["name"], said["natural"], public, roles)
        return None

    def roles(self, node: Node | None) -> frozenset[Role]:
        if node is None:
            return frozenset()
        words = node.entries if isinstance(node, Listing) else []
        texts = [word.text for word in words if isinstance(word, Scalar)]
        if not isinstance(node, Listing) or len(texts) != len(words) or not set(texts) <= set(Role):
            self.wrong(node.line, "roles", f"a list of: {', '.join(Role)}")
            return frozenset()
        return frozenset(Role(text) for text in texts)
