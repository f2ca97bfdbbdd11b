# SPDX-License-Identifier: Apache-2.0
"""One ODCS property becomes one item, or a list of what is wrong with it.

Reading and judging are apart. Reading takes the values out; the rules below then judge whether mask, capabilities and
the rest fit together. A rule names what it looks at and stays silent when that could not be read, so that one slip
gives one problem.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from zhanqiao.catalogue.credit_law import CATEGORIES
from zhanqiao.catalogue.plain_yaml import Mapping, Node, Scalar
from zhanqiao.catalogue.reading import Keys, Reading
from zhanqiao.terms.datasets import Bounds, Capability, Generaliser, Item, LogicalType, Mask
from zhanqiao.terms.subjects import SubjectKind

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
NAME_WANTED = (
    "小写字母开头，其余为小写字母、数字或 _，至多 63 个字符，如 street_tree",
    "a lower-case letter, then lower-case letters, digits or _, 63 characters at most, e.g. street_tree",
)

# Columns that the vault adds to an answer beside the items: counts and sums, and what a filter keeps.
_RESERVED = re.compile(r"rows|kept|(sum|n|units)_.*", re.ASCII)

MAX_DIGITS = 18  # numbers are stored as DECIMAL(18, scale)
MAX_SCALE = 9
MAX_DOMAIN = 5_000

ITEM_KEYS = Keys(
    read=frozenset(
        {
            "name",
            "businessName",
            "physicalName",
            "logicalType",
            "logicalTypeOptions",
            "required",
            "unique",
            "description",
            "customProperties",
        }
    ),
    required=("name", "businessName", "logicalType"),
    descriptive=frozenset(
        {
            "id",
            "physicalType",
            "deprecated",
            "synonyms",
            "authoritativeDefinitions",
            "tags",
            "semanticType",
            "classification",
            "criticalDataElement",
            "examples",
        }
    ),
    elsewhere={
        "enum": "customProperties: domain",
        "primaryKey": "required: true, unique: true",
        "primaryKeyPosition": "required: true, unique: true",
        "quality": "required, unique, logicalTypeOptions, customProperties: domain",
        "relationships": "customProperties: subject",
        "properties": "-",
        "items": "-",
        "map": "-",
        "partitioned": "-",
        "partitionKeyPosition": "-",
        "encryptedName": "-",
        "transformLogic": "customProperties: generaliser",
        "transformSourceObjects": "customProperties: generaliser",
        "transformDescription": "customProperties: generaliser",
    },
)

# What logicalTypeOptions each type has; all of them are checked when a delivery is loaded.
_OPTIONS: dict[LogicalType, frozenset[str]] = {
    LogicalType.STRING: frozenset({"maxLength", "pattern"}),
    LogicalType.INTEGER: frozenset({"minimum", "maximum"}),
    LogicalType.NUMBER: frozenset({"minimum", "maximum", "multipleOf"}),
    LogicalType.DATE: frozenset(),
    LogicalType.BOOLEAN: frozenset(),
}

CUSTOM = ("subject", "identifier", "mask", "grade", "category", "capabilities", "generaliser", "grid", "domain")
_CUSTOM_KEYS = Keys(
    read=frozenset({"property", "value"}),
    required=("property", "value"),
    descriptive=frozenset({"id", "description", "vendor"}),
)

_NUMERIC = frozenset({LogicalType.INTEGER, LogicalType.NUMBER})
_GENERALISED_FROM: dict[Generaliser, frozenset[LogicalType]] = {
    Generaliser.YEAR: frozenset({LogicalType.DATE}),
    Generaliser.MONTH: frozenset({LogicalType.DATE}),
    Generaliser.QUARTER: frozenset({LogicalType.DATE}),
    Generaliser.REGION: frozenset({LogicalType.STRING}),
    Generaliser.BAND: _NUMERIC,
}


@dataclass
class Entry:
    """An item as far as it could be read, with the lines of its parts.

    values      keyword arguments of Item that were read
    unread      keys that stand in the file but could not be read
    """

    line: int
    path: str
    values: dict[str, object] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)

    @property
    def item(self) -> Item:
        """The item, with defaults for what could not be read. It leaves this floor only when nothing was wrong."""
        defaults = {"name": "", "zh": "", "header": "", "type": LogicalType.STRING}
        return Item(**{**defaults, **self.values})  # type: ignore[arg-type]

    def line_of(self, key: str) -> int:
        return self.lines.get(key, self.line)

    def at(self, key: str) -> str:
        return f"{self.path}.{key}"

    def keep(self, key: str, line: int, value: object, *, name: str | None = None) -> None:
        """Take over what a reader gave; None means that it could not be read."""
        self.lines[key] = line
        if value is None:
            self.unread.add(key)
        else:
            self.values[name or key] = value


def read_custom(node: Node, path: str, known: tuple[str, ...], reading: Reading) -> dict[str, tuple[int, Node]]:
    """Return `property -> (line, value)` of a customProperties list whose names are all known."""
    found: dict[str, tuple[int, Node]] = {}
    for number, entry in enumerate(reading.listing(node, path) or ()):
        here = f"{path}[{number}]"
        mapping = reading.mapping(entry, here, _CUSTOM_KEYS)
        if mapping is None or "property" not in mapping.entries or "value" not in mapping.entries:
            continue
        name = reading.text(mapping.entries["property"], f"{here}.property")
        if name is None:
            continue
        if name not in known:
            reading.wrong("contract-custom-unknown", mapping.line, path, property=name, known=", ".join(known))
        elif name in found:
            reading.wrong("contract-custom-twice", mapping.line, path, property=name, first=str(found[name][0]))
        else:
            found[name] = (mapping.line, mapping.entries["value"])
    return found


def read_item(node: Node, position: int, reading: Reading) -> Entry | None:
    """Read one property and judge it; None when it is no mapping at all."""
    mapping = reading.mapping(node, f"properties[{position}]", ITEM_KEYS)
    if mapping is None:
        return None
    label = mapping.entries.get("name")
    named = isinstance(label, Scalar) and NAME.fullmatch(label.text)
    path = f"properties.{label.text}" if isinstance(label, Scalar) and named else f"properties[{position}]"
    entry = Entry(mapping.line, path)
    _read_standard(mapping, entry, reading)
    _read_options(mapping, entry, reading)
    if "customProperties" in mapping.entries:
        before = reading.problems
        custom = read_custom(mapping.entries["customProperties"], f"{path}.customProperties", CUSTOM, reading)
        if reading.problems > before:
            # A name that could not be read may be the one that seems to be missing.
            entry.unread |= set(CUSTOM) - set(custom)
        for key, (line, value) in custom.items():
            name, reader = _CUSTOM_READERS[key]
            entry.keep(key, line, reader(value, entry.at(key), reading), name=name)
    # A required key that is missing could not be read either: no rule guesses about it.
    entry.unread |= {key for key in ITEM_KEYS.required if key not in mapping.entries}
    for looks_at, rule in _RULES:
        if entry.unread.isdisjoint(looks_at):
            rule(entry, entry.item, reading)
    return entry


def _read_standard(mapping: Mapping, entry: Entry, reading: Reading) -> None:
    readers: dict[str, tuple[str, Callable[[Node, str], object]]] = {
        "name": ("name", lambda node, path: reading.word(node, path, NAME, NAME_WANTED)),
        "businessName": ("zh", reading.text),
        "physicalName": ("header", reading.text),
        "logicalType": ("type", lambda node, path: reading.code(node, path, LogicalType)),
        "required": ("required", reading.flag),
        "unique": ("unique", reading.flag),
        "description": ("description", reading.prose),
    }
    for key, (name, reader) in readers.items():
        if key in mapping.entries:
            node = mapping.entries[key]
            entry.keep(key, mapping.key_lines[key], reader(node, entry.at(key)), name=name)
    if "physicalName" not in mapping.entries and "zh" in entry.values:
        entry.values["header"] = entry.values["zh"]
        entry.lines["physicalName"] = entry.line_of("businessName")


def _read_options(mapping: Mapping, entry: Entry, reading: Reading) -> None:
    node = mapping.entries.get("logicalTypeOptions")
    if node is None or "type" not in entry.values:
        return
    kind = entry.item.type
    path = entry.at("logicalTypeOptions")
    options = reading.mapping(node, path, Keys(read=_OPTIONS[kind]))
    if options is None:
        entry.unread |= {"bounds", "scale"}
        return
    present = {key: value for key, value in options.entries.items() if key in _OPTIONS[kind]}
    for key in present:
        entry.lines[key] = options.key_lines[key]
    if "maxLength" in present:
        length = reading.whole(present["maxLength"], f"{path}.maxLength", 1, 100_000)
        entry.keep("maxLength", entry.lines["maxLength"], length, name="max_length")
    if "pattern" in present:
        entry.keep("pattern", entry.lines["pattern"], _pattern(present["pattern"], f"{path}.pattern", reading))
    if "multipleOf" in present:
        scale = _scale(present["multipleOf"], f"{path}.multipleOf", reading)
        entry.keep("scale", entry.lines["multipleOf"], scale)
    if "minimum" in present or "maximum" in present:
        entry.keep("bounds", options.line, _bounds(options, path, reading))


def _pattern(node: Node, path: str, reading: Reading) -> str | None:
    """A pattern is RE2: its running time grows with the text only, whatever the pattern is."""
    pattern = reading.text(node, path)
    if pattern is None:
        return None
    try:
        # Alone and as intake uses it: an open quotation (\\Q) would swallow what stands behind the pattern.
        for form in (pattern, rf"\A(?:{pattern})\z"):
            pc.match_substring_regex(pa.array([""]), form)
    except pa.ArrowInvalid as error:
        cause = str(error).splitlines()[0]
        reading.wrong("contract-pattern-invalid", node.line, path, value=pattern, problem=cause)
        return None
    return pattern


def _scale(node: Node, path: str, reading: Reading) -> int | None:
    """Return the digits after the point that `multipleOf` (1, 0.1, 0.01 ...) states."""
    step = reading.decimal(node, path)
    if step is None:
        return None
    for scale in range(MAX_SCALE + 1):
        if step == Decimal(1).scaleb(-scale):
            return scale
    reading.form(node, path, str(step), ("1、0.1、0.01……", "1, 0.1, 0.01 ..."))
    return None


def _bounds(options: Mapping, path: str, reading: Reading) -> Bounds | None:
    ends = {}
    for key in ("minimum", "maximum"):
        if key not in options.entries:
            reading.wrong("contract-bounds-half", options.line, path, missing=key)
            return None
        ends[key] = reading.decimal(options.entries[key], f"{path}.{key}")
    low, high = ends["minimum"], ends["maximum"]
    if low is None or high is None:
        return None
    if low > high:
        line = options.key_lines["minimum"]
        reading.wrong("contract-bounds-order", line, path, low=format(low, "f"), high=format(high, "f"))
        return None
    return Bounds(low, high)


def _grid(node: Node, path: str, reading: Reading) -> tuple[Decimal, ...] | None:
    nodes = reading.listing(node, path)
    if nodes is None:
        return None
    steps = [reading.decimal(step, f"{path}[{number}]") for number, step in enumerate(nodes)]
    known = [step for step in steps if step is not None]
    if len(known) < len(steps):
        return None
    if len(known) < 2 or any(low >= high for low, high in pairwise(known)):
        reading.wrong("contract-grid-order", node.line, path)
        return None
    return tuple(known)


def _domain(node: Node, path: str, reading: Reading) -> tuple[str, ...] | None:
    nodes = reading.listing(node, path)
    if nodes is None:
        return None
    if not 1 <= len(nodes) <= MAX_DOMAIN:
        reading.wrong("contract-domain-size", node.line, path, count=str(len(nodes)), limit=str(MAX_DOMAIN))
        return None
    values = [reading.text(value, f"{path}[{number}]") for number, value in enumerate(nodes)]
    known = [(value, node.line) for value, node in zip(values, nodes, strict=True) if value is not None]
    reading.distinct(known, "contract-value-twice", path)
    # To YAML it is a letter like any other: what somebody meant as two values would be a third one.
    unparted = [one for one in nodes if isinstance(one, Scalar) and "，" in one.text and not one.quoted]
    for one in unparted:
        reading.wrong("contract-domain-comma", one.line, path, value=one.text)
    return tuple(value for value, _ in known) if len(known) == len(nodes) and not unparted else None


def _capabilities(node: Node, path: str, reading: Reading) -> frozenset[Capability] | None:
    nodes = reading.listing(node, path)
    if nodes is None:
        return None
    codes = [reading.code(code, f"{path}[{number}]", Capability) for number, code in enumerate(nodes)]
    known = [(code.value, node.line) for code, node in zip(codes, nodes, strict=True) if code is not None]
    reading.distinct(known, "contract-value-twice", path)
    return frozenset(code for code in codes if code is not None) if None not in codes else None


def _category(node: Node, path: str, reading: Reading) -> str | None:
    word = reading.text(node, path)
    if word is not None and word not in CATEGORIES:
        reading.wrong("contract-code-unknown", node.line, path, value=word, known=", ".join(CATEGORIES))
        return None
    return word


_CUSTOM_READERS: dict[str, tuple[str, Callable[[Node, str, Reading], object]]] = {
    "subject": ("subject", lambda node, path, reading: reading.code(node, path, SubjectKind)),
    "identifier": ("identifier", lambda node, path, reading: reading.flag(node, path)),
    "mask": ("mask", lambda node, path, reading: reading.code(node, path, Mask)),
    "grade": ("grade", lambda node, path, reading: reading.whole(node, path, 1, 5)),
    "category": ("category", _category),
    "capabilities": ("capabilities", _capabilities),
    "generaliser": ("generaliser", lambda node, path, reading: reading.code(node, path, Generaliser)),
    "grid": ("grid", _grid),
    "domain": ("domain", _domain),
}


# --- rules: what must fit together -----------------------------------------------------------------


def _name_is_free(entry: Entry, item: Item, reading: Reading) -> None:
    if _RESERVED.fullmatch(item.name):
        reading.wrong("contract-name-reserved", entry.line_of("name"), entry.at("name"), value=item.name)


def _subject_is_tokenised(entry: Entry, item: Item, reading: Reading) -> None:
    if item.subject is None:
        if item.mask is Mask.TOKEN:
            reading.wrong("contract-token-without-subject", entry.line_of("mask"), entry.at("mask"))
        return
    if item.mask is not Mask.TOKEN:
        reading.wrong("contract-subject-exposed", entry.line_of("mask"), entry.at("mask"), mask=item.mask.value)
    if item.type is not LogicalType.STRING:
        reading.wrong("contract-subject-type", entry.line_of("logicalType"), entry.at("logicalType"))
    for key in ("identifier", "generaliser", "grid", "domain"):
        if key in entry.lines:
            reading.wrong("contract-subject-extra", entry.line_of(key), entry.at(key), key=key)


def _identifier_stays_apart(entry: Entry, item: Item, reading: Reading) -> None:
    # Under the mask token the rule above speaks.
    if item.identifier and item.mask in {Mask.KEEP, Mask.GENERALISE} and item.subject is None:
        reading.wrong("contract-identifier-exposed", entry.line_of("mask"), entry.at("mask"), mask=item.mask.value)
    if item.mask is Mask.IDENTITY:
        if not item.identifier:
            reading.wrong("contract-identity-without-identifier", entry.line_of("mask"), entry.at("mask"))
        if item.type is not LogicalType.STRING:
            reading.wrong("contract-identity-type", entry.line_of("logicalType"), entry.at("logicalType"))


def _capabilities_need_a_mask(entry: Entry, item: Item, reading: Reading) -> None:
    if item.capabilities and not item.stored:
        facts = {"mask": item.mask.value, "capabilities": _names(item.capabilities)}
        reading.wrong("contract-capability-without-mask", entry.line_of("capabilities"), entry.at("mask"), **facts)


def _capabilities_fit_the_level(entry: Entry, item: Item, reading: Reading) -> None:
    """A key only joins; a measure is not grouped or filtered by; text has no order."""
    line, path = entry.line_of("capabilities"), entry.at("capabilities")
    if item.subject is not None:
        if surplus := item.capabilities - {Capability.JOIN}:
            reading.wrong("contract-subject-capability", line, path, capabilities=_names(surplus))
        return
    if Capability.JOIN in item.capabilities:
        reading.wrong("contract-join-without-subject", line, path)
    if Capability.AGGREGATE in item.capabilities:
        if surplus := item.capabilities & {Capability.GROUP, Capability.FILTER}:
            reading.wrong("contract-aggregate-exclusive", line, path, capabilities=_names(surplus))
        return
    unordered = item.type in {LogicalType.STRING, LogicalType.BOOLEAN} and item.generaliser in {
        None,
        Generaliser.REGION,
    }
    if Capability.COMPARE in item.capabilities and item.generaliser is Generaliser.BAND:
        # What is stored is the band's label; of two labels none is less.
        reading.wrong("contract-compare-unordered", line, path, type=Generaliser.BAND.value)
    elif Capability.COMPARE in item.capabilities and unordered:
        reading.wrong("contract-compare-unordered", line, path, type=item.type.value)


def _aggregate_is_bounded(entry: Entry, item: Item, reading: Reading) -> None:
    if Capability.AGGREGATE not in item.capabilities or item.subject is not None:
        return
    line, path = entry.line_of("capabilities"), entry.at("capabilities")
    if item.type not in _NUMERIC:
        reading.wrong("contract-aggregate-type", line, path, type=item.type.value)
        return
    if item.mask is Mask.GENERALISE:
        reading.wrong("contract-aggregate-generalised", line, path)
    if item.bounds is None:
        reading.wrong("contract-aggregate-without-bounds", line, path)
    if Capability.COMPARE in item.capabilities and not item.grid:
        reading.wrong("contract-compare-without-grid", line, path)


def _dimension_is_public(entry: Entry, item: Item, reading: Reading) -> None:
    """Free text must not become a group: its values would tell what nobody declared public."""
    dimension = item.capabilities & {Capability.GROUP, Capability.FILTER} and item.subject is None
    free = item.type is LogicalType.STRING and item.generaliser is None and not item.domain
    if dimension and free and item.mask is Mask.KEEP:
        reading.wrong("contract-group-without-domain", entry.line_of("capabilities"), entry.at("capabilities"))


def _generaliser_fits(entry: Entry, item: Item, reading: Reading) -> None:
    if item.mask is Mask.GENERALISE and item.generaliser is None:
        reading.wrong("contract-generaliser-missing", entry.line_of("mask"), entry.at("mask"))
    if item.generaliser is None or item.subject is not None:
        return
    line, path = entry.line_of("generaliser"), entry.at("generaliser")
    if item.mask is not Mask.GENERALISE:
        reading.wrong("contract-generaliser-idle", line, path, mask=item.mask.value)
    allowed = _GENERALISED_FROM[item.generaliser]
    if item.type not in allowed:
        names = ", ".join(sorted(kind.value for kind in allowed))
        facts = {"generaliser": item.generaliser.value, "type": item.type.value, "known": names}
        reading.wrong("contract-generaliser-type", line, path, **facts)


def _grid_has_a_use(entry: Entry, item: Item, reading: Reading) -> None:
    band = item.generaliser is Generaliser.BAND
    if band and not item.grid:
        reading.wrong("contract-band-without-grid", entry.line_of("generaliser"), entry.at("generaliser"))
    compared = Capability.COMPARE in item.capabilities and item.type in _NUMERIC
    mistaken = item.generaliser is not None and item.type not in _GENERALISED_FROM[item.generaliser]
    if item.grid and not band and not compared and not mistaken and item.subject is None:
        reading.wrong("contract-grid-idle", entry.line_of("grid"), entry.at("grid"))


def _number_has_a_scale(entry: Entry, item: Item, reading: Reading) -> None:
    if item.type is LogicalType.NUMBER and item.stored and "scale" not in entry.values:
        path = entry.at("logicalTypeOptions")
        reading.wrong("contract-scale-missing", entry.line_of("logicalType"), path)


def _figures_fit_the_store(entry: Entry, item: Item, reading: Reading) -> None:
    """Bounds and grid steps are values of the item: no more digits after the point, none before that do not fit."""
    if item.type not in _NUMERIC or (item.type is LogicalType.NUMBER and "scale" not in entry.values):
        return
    ends = () if item.bounds is None else (("minimum", item.bounds.low), ("maximum", item.bounds.high))
    for key, value in (*ends, *(("grid", step) for step in item.grid)):
        digits = -int(value.normalize().as_tuple().exponent)
        if digits > item.scale or abs(value) >= Decimal(10) ** (MAX_DIGITS - item.scale):
            facts = {"value": format(value, "f"), "scale": str(item.scale), "digits": str(MAX_DIGITS - item.scale)}
            reading.wrong("contract-figure-does-not-fit", entry.line_of(key), entry.at(key), **facts)


def _domain_is_text(entry: Entry, item: Item, reading: Reading) -> None:
    if item.domain and item.type is not LogicalType.STRING:
        line, path = entry.line_of("domain"), entry.at("domain")
        reading.wrong("contract-domain-not-text", line, path, type=item.type.value)


def _names(capabilities: frozenset[Capability]) -> str:
    return ", ".join(capability.value for capability in Capability if capability in capabilities)


_RULES: tuple[tuple[frozenset[str], Callable[[Entry, Item, Reading], None]], ...] = tuple(
    (frozenset(looks_at.split()), rule)
    for looks_at, rule in (
        ("name", _name_is_free),
        ("subject mask logicalType", _subject_is_tokenised),
        ("subject identifier mask logicalType", _identifier_stays_apart),
        ("capabilities mask", _capabilities_need_a_mask),
        ("subject capabilities generaliser logicalType", _capabilities_fit_the_level),
        ("subject capabilities mask bounds grid logicalType", _aggregate_is_bounded),
        ("subject capabilities mask generaliser domain logicalType", _dimension_is_public),
        ("subject mask generaliser logicalType", _generaliser_fits),
        ("subject generaliser grid capabilities logicalType", _grid_has_a_use),
        ("mask scale logicalType", _number_has_a_scale),
        ("bounds grid scale logicalType", _figures_fit_the_store),
        ("domain logicalType", _domain_is_text),
    )
)
