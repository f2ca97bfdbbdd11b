# SPDX-License-Identifier: Apache-2.0
"""Data contracts: one ODCS 3 file in, one frozen dataset out, or every problem at once.

(1) Is it a text of bearable size, and a contract at all? (2) Is it plain YAML? (3) Are all keys known and all values of their type and code?
(4) Do the parts of each item fit together? (5) Do items, subjects, cubes and maintained state fit together?
A step goes on past what it finds, except for (1) and (2), which leave nothing to go on with. Each problem names its
line, its place, what is wrong and what would be right. Nothing is corrected silently: what is not understood is refused,
because a protection that was misspelt would otherwise not be there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from zhanqiao.catalogue.items import NAME, NAME_WANTED, Entry, read_custom, read_item
from zhanqiao.catalogue.plain_yaml import Mapping, Node, compose, speaks_of
from zhanqiao.catalogue.reading import Keys, Reading
from zhanqiao.terms.canonical import digest_bytes
from zhanqiao.terms.datasets import (
    Capability,
    CubeSpec,
    Dataset,
    Delivery,
    Level,
    LogicalType,
    Mask,
    Opening,
    Sharing,
    UpdateCycle,
)
from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.terms.subjects import SubjectKind

MAX_BYTES = 1 << 20

_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})", re.ASCII)
_CATALOGUE_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,63}", re.ASCII)
_DEPARTMENT = re.compile(r"[a-z][a-z0-9_-]{1,62}", re.ASCII)
_CATALOGUE_CODE_WANTED = (
    "字母、数字与 . _ / -，至多 64 个字符，如 370202-garden-001",
    "letters, digits and . _ / -, 64 characters at most, e.g. 370202-garden-001",
)
_DEPARTMENT_WANTED = (
    "部门编号，见 zhanqiao people show，如 hrss",
    "the id of a department as `zhanqiao people show` lists it, e.g. hrss",
)


class _Kind(StrEnum):
    DATA_CONTRACT = "DataContract"


class _Status(StrEnum):
    """Only what a department has put in force is described."""

    ACTIVE = "active"


class _ApiVersion(StrEnum):
    """The versions of the standard whose keys we know."""

    V3_0_0 = "v3.0.0"
    V3_0_1 = "v3.0.1"
    V3_0_2 = "v3.0.2"
    V3_1_0 = "v3.1.0"
    V3_2_0 = "v3.2.0"


_TOP = Keys(
    read=frozenset({"apiVersion", "kind", "id", "name", "version", "status", "domain", "description", "schema"}),
    required=("apiVersion", "kind", "id", "name", "version", "status", "domain", "description", "schema"),
    descriptive=frozenset(
        {
            "tenant",
            "tags",
            "dataProduct",
            "support",
            "team",
            "authoritativeDefinitions",
            "contractCreatedTs",
        }
    ),
    elsewhere={
        "customProperties": "schema: customProperties",
        "servers": "-",
        "price": "agreement draft",
        "roles": "agreement draft",
        "slaProperties": "customProperties: updateCycle",
        "slaDefaultElement": "customProperties: updateCycle",
        "context": "description",
    },
)
# What nothing but a contract says. Rows have an `id`, a `name`, a `kind` as well.
_SIGNS = ("apiVersion", "schema")
_DESCRIPTION = Keys(
    read=frozenset({"purpose"}),
    required=("purpose",),
    descriptive=frozenset({"usage", "limitations", "authoritativeDefinitions"}),
)
_SCHEMA = Keys(
    read=frozenset({"name", "businessName", "description", "customProperties", "properties"}),
    required=("name", "businessName", "description", "customProperties", "properties"),
    descriptive=frozenset(
        {
            "id",
            "physicalType",
            "physicalName",
            "logicalType",
            "deprecated",
            "synonyms",
            "authoritativeDefinitions",
            "tags",
            "dataGranularityDescription",
        }
    ),
    elsewhere={
        "quality": "required, unique, logicalTypeOptions, customProperties: domain",
        "relationships": "customProperties: subject",
        "context": "description",
    },
)
CUSTOM = (
    "department",
    "subjectKinds",
    "sharing",
    "sharingCondition",
    "opening",
    "openingCondition",
    "updateCycle",
    "delivery",
    "formatCode",
    "cubes",
    "latest",
)
_NOT_FOR_ALL = {Opening.CONDITIONAL, Opening.CLOSED}
_CUSTOM_REQUIRED = ("department", "subjectKinds", "sharing", "opening", "updateCycle")
_CUBE = Keys(read=frozenset({"name", "dims", "measures"}), required=("name", "dims", "measures"))


def read(content: bytes) -> Dataset | Refusal:
    """Read a contract from the bytes of a file."""
    if len(content) > MAX_BYTES:
        return refuse("contract-too-large", size=str(len(content)), limit=str(MAX_BYTES))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return refuse("contract-not-utf8", line=str(line))
    return parse(text)


def text_of(content: str | bytes) -> str:
    """Return the text of a contract that was read."""
    return content.decode("utf-8-sig") if isinstance(content, bytes) else content


def parse(text: str, *, kept: bool = False) -> Dataset | Refusal:
    """Read a contract; a refusal names every problem with its line.

    kept  it was taken before, maybe by an older version: what was refused only later stays readable
    """
    # A text of bearable size: only such a one is kept in memory. One that has no UTF-8 form has no digest either.
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        return refuse("contract-not-utf8", line=str(text.count("\n", 0, error.start) + 1))
    if len(content) > MAX_BYTES:
        return refuse("contract-too-large", size=str(len(content)), limit=str(MAX_BYTES))
    return _parse(text, digest_bytes(content), kept=kept)


# A contract that is being described is read three times: to check the right to, to shelve it, and as it was kept.
@lru_cache(maxsize=128)
def _parse(text: str, digest: str, *, kept: bool) -> Dataset | Refusal:
    # (1) A contract. A flaw names what it met, and of a file of rows that was given by mistake nothing is repeated.
    reading = Reading(kept=kept)
    tree, flaws = compose(text)
    if not speaks_of(_SIGNS, tree, text):
        return refuse("contract-not-described", line="1", path="contract")
    # (2) Plain YAML.
    for flaw in flaws:
        reading.wrong(flaw.code, flaw.line, "contract", problem=flaw.detail)
    # (3) Known keys, typed values, sound items; (4) and (5) whether they fit together.
    draft = None if tree is None else _read_contract(tree, reading)
    if (refusal := reading.refusal()) is not None:
        return refusal
    assert draft is not None, "a contract without a problem was read"
    return draft.dataset(digest)


@dataclass
class _Draft:
    """The dataset as far as it could be read."""

    values: dict[str, object] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    def dataset(self, digest: str) -> Dataset:
        items = tuple(entry.item for entry in self.entries)
        return Dataset(**self.values, items=items, digest=digest)  # type: ignore[arg-type]

    def keep(self, name: str, value: object) -> None:
        if value is not None:
            self.values[name] = value


def _read_contract(tree: Node, reading: Reading) -> _Draft:
    top = reading.mapping(tree, "contract", _TOP)
    assert top is not None, "a mapping"
    draft = _Draft()
    readers: dict[str, tuple[str, Callable[[Node, str], object]]] = {
        "apiVersion": ("", lambda node, path: reading.code(node, path, _ApiVersion)),
        "kind": ("", lambda node, path: reading.code(node, path, _Kind)),
        "status": ("", lambda node, path: reading.code(node, path, _Status)),
        "id": ("code", lambda node, path: reading.word(node, path, _CATALOGUE_CODE, _CATALOGUE_CODE_WANTED)),
        "name": ("category", reading.text),
        "version": (
            "version",
            lambda node, path: reading.word(
                node, path, _VERSION, ("三段版本号，如 1.0.0", "three numbers, e.g. 1.0.0"), "1.0.0"
            ),
        ),
        "domain": ("domain", reading.text),
        "description": ("abstract", lambda node, path: _abstract(node, path, reading)),
    }
    for key, (name, reader) in readers.items():
        if key in top.entries:
            value = reader(top.entries[key], key)
            if name:
                draft.keep(name, value)
    if "schema" in top.entries:
        _read_schema(top.entries["schema"], draft, reading)
    return draft


def _abstract(node: Node, path: str, reading: Reading) -> str | None:
    description = reading.mapping(node, path, _DESCRIPTION)
    if description is None or "purpose" not in description.entries:
        return None
    return reading.prose(description.entries["purpose"], f"{path}.purpose")


def _read_schema(node: Node, draft: _Draft, reading: Reading) -> None:
    objects = reading.listing(node, "schema")
    if objects is None:
        return
    if len(objects) != 1:
        line = objects[1].line if len(objects) > 1 else node.line
        reading.wrong("contract-one-schema", line, "schema", count=str(len(objects)))
        return
    schema = reading.mapping(objects[0], "schema", _SCHEMA)
    if schema is None:
        return
    readers: dict[str, tuple[str, Callable[[Node, str], object]]] = {
        "name": ("name", lambda node, path: reading.word(node, path, NAME, NAME_WANTED)),
        "businessName": ("zh", reading.text),
        "description": ("en", reading.text),
    }
    for key, (name, reader) in readers.items():
        if key in schema.entries:
            draft.keep(name, reader(schema.entries[key], f"schema.{key}"))
    if "properties" in schema.entries:
        _read_items(schema.entries["properties"], draft, reading)
    if "customProperties" in schema.entries:
        _read_custom(schema.entries["customProperties"], draft, reading)


def _read_items(node: Node, draft: _Draft, reading: Reading) -> None:
    nodes = reading.listing(node, "properties")
    if nodes is None:
        return
    if not nodes:
        reading.wrong("contract-value-empty", node.line, "properties")
    found = [read_item(item, position, reading) for position, item in enumerate(nodes)]
    draft.entries = [entry for entry in found if entry is not None]
    for key, code in (("name", "contract-name-twice"), ("physicalName", "contract-header-twice")):
        values = [
            (str(entry.values["name" if key == "name" else "header"]), entry.line_of(key))
            for entry in draft.entries
            if ("name" if key == "name" else "header") in entry.values
        ]
        reading.distinct(values, code, "properties")


# --- the dataset's own properties -------------------------------------------------------------------


def _read_custom(node: Node, draft: _Draft, reading: Reading) -> None:
    path = "schema.customProperties"
    before = reading.problems
    custom = read_custom(node, path, CUSTOM, reading)
    readable = reading.problems == before
    for key in _CUSTOM_REQUIRED:
        # A name that could not be read may be the one that seems to be missing.
        if key not in custom and readable:
            reading.wrong("contract-custom-missing", node.line, path, property=key)
    readers: dict[str, tuple[str, Callable[[Node, str], object]]] = {
        "department": ("department", lambda node, path: reading.word(node, path, _DEPARTMENT, _DEPARTMENT_WANTED)),
        "subjectKinds": ("subject_kinds", lambda node, path: _subject_kinds(node, path, reading)),
        "sharing": ("sharing", lambda node, path: reading.code(node, path, Sharing)),
        "sharingCondition": ("sharing_condition", reading.prose),
        "opening": ("opening", lambda node, path: reading.code(node, path, Opening)),
        "openingCondition": ("opening_condition", reading.prose),
        "updateCycle": ("update_cycle", lambda node, path: reading.code(node, path, UpdateCycle)),
        "delivery": ("delivery", lambda node, path: reading.code(node, path, Delivery)),
        "formatCode": ("format_code", lambda node, path: reading.whole(node, path, 1, 7)),
    }
    for key, (name, reader) in readers.items():
        if key in custom:
            draft.keep(name, reader(custom[key][1], f"{path}.{key}"))
    _check_conditions(custom, draft, reading)
    if "subject_kinds" in draft.values:
        _check_subjects(custom["subjectKinds"][0], draft, reading)
    if "cubes" in custom:
        draft.keep("cubes", _cubes(custom["cubes"][1], draft, reading))
        about_nobody = draft.values.get("subject_kinds") == () and draft.values.get("opening") in _NOT_FOR_ALL
        if about_nobody and not reading.kept:
            # Nobody is counted in it, so that its smallest groups are shown. Former versions took it.
            reading.wrong("contract-cube-about-nobody", custom["opening"][0], f"{path}.opening")
    if "latest" in custom:
        draft.keep("latest", _latest(custom["latest"][1], draft, reading))


def _subject_kinds(node: Node, path: str, reading: Reading) -> tuple[SubjectKind, ...] | None:
    nodes = reading.listing(node, path)
    if nodes is None:
        return None
    kinds = [reading.code(kind, f"{path}[{number}]", SubjectKind) for number, kind in enumerate(nodes)]
    known = [(kind.value, node.line) for kind, node in zip(kinds, nodes, strict=True) if kind is not None]
    reading.distinct(known, "contract-value-twice", path)
    return tuple(kind for kind in kinds if kind is not None) if None not in kinds else None


def _check_conditions(custom: dict[str, tuple[int, Node]], draft: _Draft, reading: Reading) -> None:
    for key, conditional in (("sharing", Sharing.CONDITIONAL), ("opening", Opening.CONDITIONAL)):
        condition = f"{key}Condition"
        if draft.values.get(key) is conditional and condition not in custom:
            path = f"schema.customProperties.{key}"
            reading.wrong("contract-condition-missing", custom[key][0], path, property=condition)


def _check_subjects(line: int, draft: _Draft, reading: Reading) -> None:
    """Every kind has its key, every key its kind; names and addresses need a subject to belong to."""
    declared = draft.values["subject_kinds"]
    assert isinstance(declared, tuple)
    for entry in draft.entries:
        kind = entry.item.subject
        if kind is not None and kind not in declared:
            path = entry.at("subject")
            reading.wrong("contract-subject-not-declared", entry.line_of("subject"), path, subject=kind.value)
        if entry.item.mask is Mask.IDENTITY and not declared:
            reading.wrong("contract-identity-without-subject", entry.line_of("mask"), entry.at("mask"))
        elif entry.item.identifier and not declared:
            # Whom it identifies, the rows are about: uncounted, they would come out one by one.
            path = entry.at("identifier")
            reading.wrong("contract-identifier-without-subject", entry.line_of("identifier"), path)
    # A column whose kind could not be read, or is not the declared one, may be the one that is meant.
    if any("subject" in entry.unread or entry.item.subject not in {None, *declared} for entry in draft.entries):
        return
    for kind in declared:
        if not any(entry.item.subject is kind for entry in draft.entries):
            path = "schema.customProperties.subjectKinds"
            reading.wrong("contract-subject-without-key", line, path, subject=kind.value)


def _cubes(node: Node, draft: _Draft, reading: Reading) -> tuple[CubeSpec, ...] | None:
    path = "schema.customProperties.cubes"
    nodes = reading.listing(node, path)
    if nodes is None:
        return None
    found = [_cube(cube, f"{path}[{number}]", draft, reading) for number, cube in enumerate(nodes)]
    cubes = [(cube, line) for cube, line in found if cube is not None]
    reading.distinct([(cube.name, line) for cube, line in cubes], "contract-name-twice", path)
    for _, line in cubes[1:]:
        # Two partitions of the same subjects can be subtracted from one another; one alone is safe by itself.
        reading.wrong("contract-cubes-stacked", line, path)
    _check_keys_filled(draft, reading)
    return tuple(cube for cube, _ in cubes)


def _check_keys_filled(draft: _Draft, reading: Reading) -> None:
    """A row that names nobody would stand in an atom unprotected: thresholds and dominance look at subjects."""
    for entry in draft.entries:
        if entry.item.subject is not None and not entry.item.required and "required" not in entry.unread:
            kind = entry.item.subject.value
            reading.wrong("contract-cube-key-optional", entry.line_of("subject"), entry.at("subject"), subject=kind)


def _cube(node: Node, path: str, draft: _Draft, reading: Reading) -> tuple[CubeSpec | None, int]:
    cube = reading.mapping(node, path, _CUBE)
    if cube is None or any(key not in cube.entries for key in _CUBE.required):
        return None, node.line
    name = reading.word(cube.entries["name"], f"{path}.name", NAME, NAME_WANTED)
    dims = _item_names(cube, "dims", path, draft, reading)
    measures = _item_names(cube, "measures", path, draft, reading)
    if dims == ():
        reading.wrong("contract-value-empty", cube.key_lines["dims"], f"{path}.dims")
    if name is None or dims is None or measures is None:
        return None, cube.line
    return CubeSpec(name, dims, measures), cube.line


def _item_names(cube: Mapping, key: str, path: str, draft: _Draft, reading: Reading) -> tuple[str, ...] | None:
    """Read a list of item names and check each item for the part that it plays in the cube."""
    path = f"{path}.{key}"
    nodes = reading.listing(cube.entries[key], path)
    if nodes is None:
        return None
    names = [(reading.text(name, f"{path}[{number}]"), name.line) for number, name in enumerate(nodes)]
    known = [(name, line) for name, line in names if name is not None]
    reading.distinct(known, "contract-value-twice", path)
    for name, line in known:
        entry = _entry(name, line, path, draft, reading)
        if entry is not None and entry.unread.isdisjoint(
            {"capabilities", "mask", "generaliser", "subject", "logicalType"}
        ):
            _PARTS[key](entry, line, path, reading)
    return tuple(name for name, _ in known) if len(known) == len(names) else None


def _entry(name: str, line: int, path: str, draft: _Draft, reading: Reading) -> Entry | None:
    found = next((entry for entry in draft.entries if entry.values.get("name") == name), None)
    # An item whose name could not be read may be the one that is meant.
    if found is None and not any("name" in entry.unread for entry in draft.entries):
        reading.wrong("contract-item-unknown", line, path, item=name)
    return found


def _check_dim(entry: Entry, line: int, path: str, reading: Reading) -> None:
    item = entry.item
    if Capability.GROUP not in item.capabilities or item.level not in {Level.DIM, Level.QUASI}:
        reading.wrong("contract-dim-without-group", line, path, item=item.name)
    elif (
        item.mask is Mask.KEEP
        and item.generaliser is None
        and item.type not in {LogicalType.STRING, LogicalType.INTEGER}
    ):
        reading.wrong("contract-dim-type", line, path, item=item.name, type=item.type.value)


def _check_measure(entry: Entry, line: int, path: str, reading: Reading) -> None:
    item = entry.item
    if item.level is not Level.MEASURE:
        reading.wrong("contract-measure-without-aggregate", line, path, item=item.name)


_PARTS: dict[str, Callable[[Entry, int, str, Reading], None]] = {"dims": _check_dim, "measures": _check_measure}


def _latest(node: Node, draft: _Draft, reading: Reading) -> str | None:
    path = "schema.customProperties.latest"
    name = reading.text(node, path)
    if name is None:
        return None
    entry = _entry(name, node.line, path, draft, reading)
    if entry is None:
        return None
    if entry.unread.isdisjoint({"logicalType", "mask"}):
        item = entry.item
        if item.type is not LogicalType.DATE:
            reading.wrong("contract-latest-not-date", node.line, path, item=name, type=item.type.value)
        elif item.mask is not Mask.KEEP:
            reading.wrong("contract-latest-not-kept", node.line, path, item=name, mask=item.mask.value)
    kinds = draft.values.get("subject_kinds")
    if isinstance(kinds, tuple) and SubjectKind.PERSON not in kinds:
        reading.wrong("contract-latest-without-person", node.line, path, item=name)
    return name
