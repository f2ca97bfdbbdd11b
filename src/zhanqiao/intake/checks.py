# SPDX-License-Identifier: Apache-2.0
"""Checks: does every value fit its contract? Text columns become typed columns, and what does not fit is named.

A finding is a code, an item and row numbers; it never holds a value. Codes and their sentences stand in CODES, and one
row can break several. Checks look at whole columns (numpy, Arrow), so that they cost less than parsing did. What only
the whole delivery shows, or what is published already (`unique`), is in `unique.py`.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Any, assert_never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from zhanqiao.intake.ids import check_ids, hold_citizen_ids
from zhanqiao.intake.parser_process import Rows
from zhanqiao.intake.texts import Mask, Texts, with_nulls
from zhanqiao.intake.values import matches, read_booleans, read_days, read_scaled
from zhanqiao.terms.datasets import Bounds, Dataset, Item, LogicalType

# code -> what is wrong, in the two languages of the report
CODES: dict[str, tuple[str, str]] = {
    "fields": ("too few or too many fields", "字段数不符"),
    "unfinished": ("the last line has no end and may be cut off", "最后一行没有换行，可能不完整"),
    "required": ("a required value is missing", "缺少必填值"),
    "type": ("not of the item's type or form", "类型或格式不符"),
    "date": ("a day that does not exist", "日期不存在"),
    "scale": (
        "more digits than the item stores (multipleOf in its contract)",
        "数字位数超限（见数据契约的 multipleOf）",
    ),
    "range": ("outside the declared range", "超出取值范围"),
    "length": ("longer than declared", "超过最大长度"),
    "pattern": ("not of the declared pattern", "不符合规定格式"),
    "domain": ("not one of the declared values", "不在值域内"),
    "spaces": ("spaces stand around the value", "值的前后有空格"),
    "identifier": (
        "no valid identifier (length, form, date or check character)",
        "标识号码无效（长度、格式、日期或校验码）",
    ),
    "citizen": (
        "holds a citizen id, in an item that is stored as it is (give the item a mask, or declare its pattern)",
        "含公民身份号码，而该数据项原样保存（请脱敏，或声明 pattern）",
    ),
    "formula": ("begins like a spreadsheet formula", "以电子表格公式符号开头"),
    "character": ("a control character or a character lost earlier", "含控制字符或已丢失的字符"),
    "encoding": ("reads as two encodings with different characters", "同时符合两种编码，字符无法确定"),
    # Told by former versions of a line that is no row now; their quarantines say so still.
    "blank": ("a line without any value", "没有任何值的行"),
    "unique": ("stands more than once where it must be unique", "应唯一的值重复出现"),
}
# type -> how its values are written, for who broke the code `type`; a text has no form but its own
FORMS: dict[LogicalType, tuple[str, str]] = {
    LogicalType.INTEGER: ("whole numbers: 1200, -5", "整数写作 1200 或 -5"),
    LogicalType.NUMBER: ("numbers: 1200, 1200.5, -5", "数字写作 1200、1200.5 或 -5"),
    LogicalType.DATE: (
        "days, the year first: 2026-11-05, 2026/11/5, 20261105, 2026年11月5日",
        "日期写作 2026-11-05、2026/11/5、20261105 或 2026年11月5日",
    ),
    LogicalType.BOOLEAN: ("是, 否", "写作“是”或“否”"),
}

MAX_TEXT = 32_768  # bytes of a text for which the contract sets no length
# What a space too many can break, and the spaces themselves: those of ASCII and of other scripts, full width among them.
_BROKEN_BY_SPACES = ("type", "length", "pattern", "domain")
_SPACES_AROUND = r"\A[\s\p{Z}]|[\s\p{Z}]\z"
_FORMULA_STARTS = np.frombuffer(b"=@", np.uint8)
_SIGNS = np.frombuffer(b"+-", np.uint8)
# Controls except tab and line ends, delete, byte order mark, replacement character. NUL marks a doubtful encoding.
_ODD = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}\x{feff}\x{fffd}]"


@dataclass(frozen=True)
class Finding:
    """Rows of one batch that break one rule. `item` is "" when it is about the row as a whole."""

    item: str
    code: str
    rows: NDArray[np.int32]


@dataclass(frozen=True)
class Checked:
    """One batch after its checks: a typed column per item (null where missing or wrong), and what was found.

    blank  where no item has a value: a line of separators in a spreadsheet's export, which is no row; or None
    """

    columns: dict[str, pa.Array]
    bad: Mask
    blank: Mask | None
    findings: tuple[Finding, ...]

    @property
    def good(self) -> Mask:
        return ~self.bad if self.blank is None else ~(self.bad | self.blank)


def check(dataset: Dataset, rows: Rows) -> Checked:
    """Check one batch against its contract."""
    bad = np.zeros(len(rows), np.bool_)
    columns: dict[str, pa.Array] = {}
    findings: list[Finding] = []
    texts = [Texts(array) for array in rows.texts]
    blank = _blank(texts)
    for item, column in zip(dataset.items, texts, strict=True):
        columns[item.name], broken = check_column(item, column, odd=rows.odd, encoding=rows.encoding)
        for code, where in broken.items():
            _note(findings, rows, bad, item.name, code, where if blank is None else where & ~blank)
    return Checked(columns, bad, blank, tuple(findings))


def _note(findings: list[Finding], rows: Rows, bad: Mask, item: str, code: str, where: Mask) -> None:
    if where.any():
        findings.append(Finding(item, code, rows.numbers[where]))
        bad |= where


def _blank(texts: list[Texts]) -> Mask | None:
    """Return where no item has a value, or None when there is no such row."""
    if not all(column.any_missing for column in texts):
        return None
    blank = np.logical_and.reduce([column.missing for column in texts])
    return blank if blank.any() else None


def check_column(
    item: Item, texts: Texts, *, odd: bool = True, encoding: str = "utf-8"
) -> tuple[pa.Array, dict[str, Mask]]:
    """Return one item's typed column and, by code, where it is broken.

    odd  whether the file holds characters at all that a text should not hold; the parser has looked
    """
    if item.subject is None and (repeated := texts.distinct()) is not None:
        distinct, places = repeated
        values, broken = _check_values(item, distinct, odd=odd, encoding=encoding)
        column = texts.nulled() if item.type is LogicalType.STRING else values.take(pa.array(places))
        return column, {code: where[places] for code, where in broken.items() if where.any()}
    return _check_values(item, texts, odd=odd, encoding=encoding)


def _check_values(item: Item, texts: Texts, *, odd: bool, encoding: str) -> tuple[pa.Array, dict[str, Mask]]:
    broken: dict[str, Mask] = {}
    if item.required and texts.any_missing:
        broken["required"] = texts.missing
    if item.subject is not None:
        values, wrong = check_ids(item.subject, texts)
        broken["identifier"] = wrong
        return values, broken
    match item.type:
        case LogicalType.STRING:
            values = _check_text(item, texts, broken, odd=odd, encoding=encoding)
        case LogicalType.INTEGER | LogicalType.NUMBER:
            values = _check_number(item, texts, broken)
        case LogicalType.DATE:
            days, broken["type"], broken["date"] = read_days(texts)
            valid = ~(texts.missing | broken["type"] | broken["date"])
            values = with_nulls(pa.date32(), len(texts), [pa.py_buffer(days)], valid)
        case LogicalType.BOOLEAN:
            values, broken["type"] = read_booleans(texts)
        case _:
            assert_never(item.type)
    _find_spaces(texts, broken)
    return values, broken


def _find_spaces(texts: Texts, broken: dict[str, Mask]) -> None:
    """Say of values that do not fit where spaces stand around them: nobody sees those, and they may be all that is wrong."""
    wrong = [broken[code] for code in _BROKEN_BY_SPACES if code in broken]
    places = np.flatnonzero(np.logical_or.reduce(wrong)) if wrong else ()
    if not len(places):
        return
    around = pc.match_substring_regex(texts.array.take(pa.array(places)), _SPACES_AROUND)
    broken["spaces"] = np.zeros(len(texts), np.bool_)
    broken["spaces"][places] = around.to_numpy(zero_copy_only=False)


def _check_text(item: Item, texts: Texts, broken: dict[str, Mask], *, odd: bool, encoding: str) -> pa.Array:
    there = ~texts.missing
    if item.max_length is not None and int(texts.lengths.max(initial=0)) > item.max_length:
        characters = pc.utf8_length(texts.array).to_numpy(zero_copy_only=False)
        broken["length"] = characters > item.max_length
    if item.max_length is None and int(texts.lengths.max(initial=0)) > MAX_TEXT:
        broken["length"] = texts.lengths > MAX_TEXT
    if item.domain:
        known = pc.is_in(texts.array, value_set=_values(item.domain)).to_numpy(zero_copy_only=False)
        broken["domain"] = ~known & there
        return texts.nulled()  # what stands in the list is public, and no formula unless the contract says so
    if item.pattern is not None:
        broken["pattern"] = ~matches(texts, item.pattern) & there
    elif item.free_text:
        broken["citizen"] = hold_citizen_ids(texts)
    broken["formula"] = _is_formula(texts)
    if odd and len(texts.used):
        where = pc.match_substring_regex(texts.array, _ODD).to_numpy(zero_copy_only=False)
        if where.any():
            doubtful = pc.match_substring(texts.array, "\0").to_numpy(zero_copy_only=False)
            broken["encoding"] = doubtful if encoding == "gb18030" else np.zeros_like(doubtful)
            broken["character"] = where & ~broken["encoding"]
    return texts.nulled()


@lru_cache(maxsize=1_024)
def _values(domain: tuple[str, ...]) -> pa.Array:
    return pa.array(domain, pa.string())


def _is_formula(texts: Texts) -> Mask:
    """= and @ open a formula in a spreadsheet; + and - do, unless a plain number follows. So do tab and line ends."""
    firsts = texts.firsts()
    suspect = np.isin(firsts, _FORMULA_STARTS) | ((firsts >= 9) & (firsts <= 13))
    signed = np.flatnonzero(np.isin(firsts, _SIGNS) & (texts.lengths > 1))
    if len(signed):
        some = Texts(texts.array.take(pa.array(signed)))
        suspect[signed] = ~matches(some, r"[+-][0-9][0-9 .-]*")
    return suspect


def _check_number(item: Item, texts: Texts, broken: dict[str, Mask]) -> pa.Array:
    scale = item.scale if item.type is LogicalType.NUMBER else 0
    values, broken["type"], broken["scale"] = read_scaled(texts, scale)
    valid = ~(texts.missing | broken["type"] | broken["scale"])
    if item.bounds is not None:
        low, high = scaled_bounds(item.bounds, scale)
        broken["range"] = ((values < low) | (values > high)) & valid
        valid &= ~broken["range"]
    if item.domain:
        known = np.isin(values, [_scaled(Decimal(value), scale) for value in item.domain])
        broken["domain"] = ~known & valid
    return integers(values, valid) if item.type is LogicalType.INTEGER else decimals(values, valid, scale)


def scaled_bounds(bounds: Bounds, scale: int) -> tuple[int, int]:
    """Return the least and the greatest scaled integer within closed bounds, as far as int64 goes."""
    limit = 2**63 - 1
    low = int((bounds.low.scaleb(scale)).to_integral_value(ROUND_CEILING))
    high = int((bounds.high.scaleb(scale)).to_integral_value(ROUND_FLOOR))
    return max(low, -limit), min(high, limit)


def _scaled(value: Decimal, scale: int) -> int:
    return int(value.scaleb(scale))


def integers(values: NDArray[np.int64], valid: Mask) -> pa.Array:
    """Return an int64 column."""
    return with_nulls(pa.int64(), len(values), [pa.py_buffer(values)], valid)


def decimals(values: NDArray[np.int64], valid: Mask, scale: int) -> pa.Array:
    """Return a DECIMAL(18, scale) column of scaled integers: the low word is the value, the high word its sign."""
    words = np.empty((len(values), 2), np.int64)
    words[:, 0] = values
    words[:, 1] = values >> 63
    kind: Any = pa.decimal128(18, scale)
    return with_nulls(kind, len(values), [pa.py_buffer(words)], valid)
