# SPDX-License-Identifier: Apache-2.0
"""From text to value, exactly: days, scaled integers, yes and no. Each reader returns values and where it could not read.

A value is read whole or not at all: no blanks are trimmed, no digits dropped, nothing is rounded, no float is involved.
All work on the bytes of whole columns. What is not in the form that programs write is respelt where only one reading is
possible (full-width digits, a spreadsheet's days), and read once more.
"""

from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from zhanqiao.intake.texts import Mask, Texts

MAX_DIGITS = 18  # DECIMAL(18, scale); also what int64 holds for sure
_LONGEST = 40  # a text that long with leading or trailing zeros is still a number
_MINUS, _POINT, _ZERO = 45, 46, 48
_MONTH_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int32)
YES, NO = "是", "否"


def read_days(texts: Texts) -> tuple[NDArray[np.int32], Mask, Mask]:
    """Read dates as days since 1970-01-01; return days, where the form is wrong, where there is no such day.

    Forms: 2026-11-25, 2026/11/25, 20261125, 2026/1/5, 2026年1月5日, each with midnight behind it or without. The year
    comes first, so none reads in two ways. A time of day is refused: it would be lost.
    """
    days, malformed, impossible = _read_padded(texts)
    other = np.flatnonzero(malformed)
    if len(other):
        respelt = Texts(_padded(_narrow(texts.array.take(pa.array(other)))))
        days[other], malformed[other], impossible[other] = _read_padded(respelt)
    return days, malformed, impossible


def _padded(days: pa.StringArray) -> pa.StringArray:
    """Return days as programs write them, where a spreadsheet or a database wrote them; others as they are."""
    for form, padded in (
        (r"[ T]0?0:00(:00(\.0{1,6})?)?\z", ""),
        (r"\A([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})日\z", r"\1-\2-\3"),
        (r"\A([0-9]{4})([-/])([0-9])([-/])", r"\1\20\3\4"),
        (r"\A([0-9]{4}[-/][0-9]{2}[-/])([0-9])\z", r"\10\2"),
    ):
        days = pc.replace_substring_regex(days, form, padded)
    return days


def _narrow(texts: pa.StringArray) -> pa.StringArray:
    """Return texts of full-width forms in half width. Others are left: ² is no 2."""
    wide = pc.match_substring_regex(texts, r"\A[ -~年月日\x{ff01}-\x{ff5e}]+\z")
    return pc.if_else(wide, pc.utf8_normalize(texts, "NFKC"), texts)


def _read_padded(texts: Texts) -> tuple[NDArray[np.int32], Mask, Mask]:
    """Read dates in the forms that programs write."""
    days = np.zeros(len(texts), np.int32)
    malformed = ~texts.missing
    impossible = np.zeros(len(texts), np.bool_)
    for width in (10, 8):
        fits = texts.lengths == width
        if not fits.any():
            continue
        places = None if fits.all() else np.flatnonzero(fits)
        year, month, day, formed = _date_parts(texts.matrix(places, width), width)
        exists = is_day(year, month, day)
        where: slice | NDArray[np.intp] = slice(None) if places is None else places
        days[where] = np.where(formed & exists, _days_since_1970(year, month, day), 0)
        malformed[where] = ~formed
        impossible[where] = formed & ~exists
    return days, malformed, impossible


def _date_parts(
    octets: NDArray[np.uint8], width: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], Mask]:
    columns = [0, 1, 2, 3, 5, 6, 8, 9] if width == 10 else list(range(8))
    digits = [octets[:, place] - np.uint8(_ZERO) for place in columns]  # below "0" wraps to something large
    formed = digits[0] <= 9
    for digit in digits[1:]:
        formed &= digit <= 9
    if width == 10:
        first, second = octets[:, 4], octets[:, 7]
        formed &= (first == second) & ((first == ord("-")) | (first == ord("/")))
    y0, y1, y2, y3, m0, m1, d0, d1 = (digit.astype(np.int32) for digit in digits)
    return y0 * 1000 + y1 * 100 + y2 * 10 + y3, m0 * 10 + m1, d0 * 10 + d1, formed


def is_day(year: NDArray[np.int32], month: NDArray[np.int32], day: NDArray[np.int32]) -> Mask:
    """Whether the calendar has that day (years from 1 on)."""
    common = (year % 4 != 0) | ((year % 100 == 0) & (year % 400 != 0))
    longest = _MONTH_DAYS[np.where(month <= 12, month, 0)] - ((month == 2) & common)
    return cast("Mask", (year >= 1) & (day >= 1) & (day <= longest))


def _days_since_1970(year: NDArray[np.int32], month: NDArray[np.int32], day: NDArray[np.int32]) -> NDArray[np.int32]:
    """Count days in the proleptic Gregorian calendar; years begin in March, so that the leap day comes last."""
    year = year - (month <= 2)
    era, month = year // 400, (month + 9) % 12
    of_era = year - era * 400
    day_of_year = (153 * month + 2) // 5 + day - 1
    return cast("NDArray[np.int32]", era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + day_of_year - 719_468)


def read_scaled(texts: Texts, scale: int) -> tuple[NDArray[np.int64], Mask, Mask]:
    """Read plain decimals as integers of 10**-scale; return them, where the form is wrong, where digits are too many.

    Forms: 12, -12, 12.5, 012.50, in half or full width. Neither +, blanks, separators nor exponents; a point stands
    between digits.
    """
    value, malformed, too_large = _read_narrow(texts, scale)
    other = np.flatnonzero(malformed)
    if len(other):
        respelt = Texts(_narrow(texts.array.take(pa.array(other))))
        value[other], malformed[other], too_large[other] = _read_narrow(respelt, scale)
    return value, malformed, too_large


def _read_narrow(texts: Texts, scale: int) -> tuple[NDArray[np.int64], Mask, Mask]:
    """Read numbers in half width."""
    value, uniform = _read_uniform(texts, scale)
    malformed, too_large = np.zeros(len(texts), np.bool_), np.zeros(len(texts), np.bool_)
    other = np.flatnonzero(~(uniform | texts.missing))
    if len(other):
        some = texts if len(other) == len(texts) else Texts(texts.array.take(pa.array(other)))
        value[other], malformed[other], too_large[other] = _read_each(some, scale)
    return value, malformed, too_large


def _read_each(texts: Texts, scale: int) -> tuple[NDArray[np.int64], Mask, Mask]:
    """Read values of any form, place by place."""
    lengths = texts.lengths
    malformed = np.zeros(len(texts), np.bool_)
    value = np.zeros(len(texts), np.int64)
    too_fine = np.zeros(len(texts), np.bool_)
    longest = int(lengths.max(initial=0))
    if longest > _LONGEST:
        malformed |= lengths > _LONGEST
        longest = _LONGEST
    starts = texts.offsets[:-1]
    last_octet = max(len(texts.octets) - 1, 0)
    fraction = np.full(len(texts), -1, np.int8)  # digits after the point so far; -1: no point yet
    count = np.zeros(len(texts), np.int8)
    negative = np.zeros(len(texts), np.bool_)
    after_digit = np.zeros(len(texts), np.bool_)
    pointed = not _only_digits(texts)
    for place in range(longest):
        within = lengths > place
        octet = texts.octets[np.minimum(starts + place, last_octet)]
        digit = octet - np.uint8(_ZERO)
        is_digit = (digit <= 9) & within
        if pointed:
            is_point = (octet == _POINT) & within & (fraction < 0) & after_digit
            is_minus = (octet == _MINUS) & within if place == 0 else None
            fine = is_digit & (fraction >= scale)
            too_fine |= fine & (digit != 0)
            is_value = is_digit & ~fine
            fraction += (is_digit & (fraction >= 0)).astype(np.int8)
            fraction[is_point] = 0
            known = is_digit | is_point
            if is_minus is not None:
                negative = is_minus
                known |= is_minus
            malformed |= within & ~known
            after_digit = np.where(within, is_digit, after_digit)
        else:
            is_value = is_digit
        np.multiply(value, 10, out=value, where=is_value)
        np.add(value, digit, out=value, where=is_value)
        count += is_value & ((count > 0) | (digit != 0))  # leading zeros do not count
    if pointed:
        malformed |= ~after_digit & ~texts.missing
        value *= _POWERS[scale - np.clip(fraction, 0, scale)]
        value[negative] *= -1
    elif scale:
        value *= 10**scale
    whole = count - np.clip(fraction, 0, scale)
    too_large = (whole > MAX_DIGITS - scale) & ~malformed
    return value, malformed, (too_fine & ~malformed) | too_large


def _read_uniform(texts: Texts, scale: int) -> tuple[NDArray[np.int64], Mask]:
    """Read the values that are written as programs write them: digits, a point, `scale` digits; say which are.

    Counted from their end all their digits stand in the same places, so that few need a look of their own.
    """
    tail = scale + (scale > 0)  # what stands behind the last whole digit
    lengths, ends = texts.lengths, texts.offsets[1:].astype(np.intp)
    value = np.zeros(len(texts), np.int64)
    uniform = (lengths > tail) & (lengths <= MAX_DIGITS + (scale > 0))
    if not uniform.any():
        return value, uniform
    fitting = lengths[uniform]
    shortest, longest = int(fitting.min()), int(fitting.max())
    if scale:
        uniform &= np.take(texts.octets, ends - tail, mode="clip") == _POINT
    for place in (*range(scale), *range(tail, longest)):
        digit = np.take(texts.octets, ends - 1 - place, mode="clip") - np.uint8(_ZERO)
        if place >= shortest:
            digit[lengths <= place] = 0
        uniform &= digit <= 9  # below "0" wraps to something large
        value += np.multiply(digit, _POWERS[place - (place >= tail > 0)], dtype=np.int64)
    value[~uniform] = 0
    return value, uniform


_POWERS = np.array([10**n for n in range(MAX_DIGITS + 1)], np.int64)


def _only_digits(texts: Texts) -> bool:
    return bool(((texts.used - np.uint8(_ZERO)) <= 9).all())


def read_booleans(texts: Texts) -> tuple[pa.Array, Mask]:
    """Read 是 and 否; return booleans (null where missing or wrong) and where the form is wrong."""
    place = pc.index_in(texts.array, value_set=pa.array([NO, YES]))
    codes = place.fill_null(2).to_numpy(zero_copy_only=False)
    malformed = (codes == 2) & ~texts.missing
    return pa.array(codes == 1, pa.bool_(), mask=codes == 2), malformed


def matches(texts: Texts, pattern: str) -> Mask:
    """Return where the whole value matches; RE2, so that no pattern can take longer than its text."""
    return cast("Mask", pc.match_substring_regex(texts.array, rf"\A(?:{pattern})\z").to_numpy(zero_copy_only=False))
