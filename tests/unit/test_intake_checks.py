# SPDX-License-Identifier: Apache-2.0
"""Each check with good, bad and edge values; python-stdnum, Decimal and datetime are the judges."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric, uscc

from lib.described import dataset
from zhanqiao.intake import checks
from zhanqiao.intake.checks import CODES, FORMS, MAX_TEXT, check, check_column, scaled_bounds
from zhanqiao.intake.ids import check_ids
from zhanqiao.intake.parser_process import Rows
from zhanqiao.intake.report import Count, describe
from zhanqiao.intake.texts import Texts
from zhanqiao.intake.unique import known_before, repeated
from zhanqiao.intake.values import read_days, read_scaled
from zhanqiao.terms.datasets import (
    Bounds,
    Item,
    LogicalType,
    Mask,
)
from zhanqiao.terms.subjects import SubjectKind


def texts(*values: str) -> Texts:
    return Texts(pa.array(values, pa.string()))


def item(kind: LogicalType, **more: object) -> Item:
    return Item(name="it", zh="项", header="项", type=kind, mask=Mask.KEEP, **more)  # type: ignore[arg-type]


def checked(one: Item, *values: str, **options: object) -> tuple[list[object], dict[str, list[str]]]:
    """Return the typed values and, by code, the texts that broke it."""
    column, broken = check_column(one, texts(*values), **options)  # type: ignore[arg-type]
    found = {code: [values[at] for at in np.flatnonzero(where)] for code, where in broken.items() if where.any()}
    return column.to_pylist(), found


# --- required, text -------------------------------------------------------------------------------


def test_a_missing_value_is_null_and_no_error():
    for kind in LogicalType:
        assert checked(item(kind), "", "") == ([None, None], {})


def test_a_required_value_must_be_there():
    assert checked(item(LogicalType.STRING, required=True), "a", "") == (["a", None], {"required": [""]})


def test_text_is_kept_to_the_last_character():
    odd_but_fine = [" a ", "䶮", "𠮷田", "a,b", 'say "x"', "·阿依古丽·买买提", "０１２"]
    assert checked(item(LogicalType.STRING), *odd_but_fine) == (odd_but_fine, {})


def test_length_counts_characters_not_bytes():
    _, found = checked(item(LogicalType.STRING, max_length=3), "王小明", "𠮷𠮷𠮷", "欧阳小明")
    assert found == {"length": ["欧阳小明"]}


def test_a_text_without_declared_length_has_a_limit_all_the_same():
    _, found = checked(item(LogicalType.STRING), "a" * MAX_TEXT, "a" * (MAX_TEXT + 1))
    assert found == {"length": ["a" * (MAX_TEXT + 1)]}


def test_a_pattern_matches_the_whole_value():
    one = item(LogicalType.STRING, pattern="1[0-9]{2}|abc")
    _, found = checked(one, "123", "abc", "1234", "x123", "123\n", "")
    assert found["pattern"] == ["1234", "x123", "123\n"]


def test_a_pattern_cannot_take_long():
    bait = "a" * 30_000 + "!"
    _, found = checked(item(LogicalType.STRING, pattern="(a+)+"), bait)
    assert "pattern" in found


def test_a_domain_is_exact():
    one = item(LogicalType.STRING, domain=("市南区", "市北区"))
    assert checked(one, "市南区", "市南", "市南区 ", "") == (
        ["市南区", "市南", "市南区 ", None],
        {"domain": ["市南", "市南区 "], "spaces": ["市南区 "]},
    )


@pytest.mark.parametrize("space", [" ", "\t", "\u3000", "\u00a0", "\r\n"])
@pytest.mark.parametrize("around", ["{0}{1}", "{1}{0}", "{0}{1}{0}"])
def test_spaces_around_a_value_that_does_not_fit_are_named(space, around):
    for one, value, code in (
        (item(LogicalType.STRING, domain=("市南区", "市 北 区")), "市南区", "domain"),
        (item(LogicalType.STRING, pattern="[a-z]{3}"), "abc", "pattern"),
        (item(LogicalType.STRING, max_length=3), "abc", "length"),
        (item(LogicalType.INTEGER), "12", "type"),
        (item(LogicalType.NUMBER, scale=1), "1.5", "type"),
        (item(LogicalType.DATE), "2026-11-25", "type"),
        (item(LogicalType.BOOLEAN), "是", "type"),
    ):
        spaced = around.format(space, value)
        _, found = checked(one, value, spaced, "a b c", "")
        assert found["spaces"] == [spaced]
        assert spaced in found[code]


def test_spaces_around_a_value_that_fits_are_its_own():
    assert checked(item(LogicalType.STRING, domain=(" a",)), " a")[1] == {}
    assert "spaces" not in checked(item(LogicalType.STRING), " a ", " =1", "a\x07 ")[1]


@pytest.mark.parametrize("bait", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd", "\t=1", "\r=1", "+A1"])
def test_formulas_are_found(bait):
    assert checked(item(LogicalType.STRING), bait, "fine")[1]["formula"] == [bait]


@pytest.mark.parametrize("fine", ["-", "+", "+86 532 8888-0000", "-5", "-5.00", "a=b", "x@y", "1+1", "—"])
def test_what_is_no_formula_stays(fine):
    assert checked(item(LogicalType.STRING), fine)[1] == {}


@pytest.mark.parametrize("mark", ["\x00", "\x07", "\x1b[31m", "\x7f", "\ufeff", "\ufffd", "\u0085", "\u009f"])
def test_odd_characters_are_found(mark):
    assert checked(item(LogicalType.STRING), f"a{mark}b", "a\tb", "a\nb")[1] == {"character": [f"a{mark}b"]}


def test_a_doubtful_encoding_is_named_as_such():
    assert checked(item(LogicalType.STRING), "\x00甯傚崡", "a", encoding="gb18030")[1] == {"encoding": ["\x00甯傚崡"]}


# --- numbers --------------------------------------------------------------------------------------


def number(scale: int, low: str = "-1e15", high: str = "1e15") -> Item:
    return item(LogicalType.NUMBER, scale=scale, bounds=Bounds(Decimal(low), Decimal(high)))


def test_full_width_digits_are_digits():
    values, found = checked(number(2), "１２", "－３．５０", "1２.5", "7")
    assert (values, found) == ([Decimal(v) for v in ("12.00", "-3.50", "12.50", "7.00")], {})


def test_numbers_are_exact():
    values, found = checked(number(2), "0.1", "0.10", "12", "-3.5", "012.50", "-0", "999999999999999.99")
    assert found == {}
    assert values == [Decimal(v) for v in ("0.10", "0.10", "12.00", "-3.50", "12.50", "0.00", "999999999999999.99")]


@pytest.mark.parametrize(
    "bad",
    [
        " 1",
        "1 ",
        "1,000",
        "1e5",
        "0x10",
        "1.",
        ".5",
        "--1",
        "1-",
        "-",
        ".",
        "1.2.3",
        "＋1",
        "１²",
        "①",
        "NaN",
        "inf",
        "壹",
        "+1",
        "1.-2",
        "-.5",
        "1_000",
        "5%",
        "￥5",
    ],
)
def test_what_is_no_number_is_found(bad):
    expected = {"type": [bad]} | ({"spaces": [bad]} if bad != bad.strip() else {})
    assert checked(number(2), "1.00", bad, "7")[1] == expected
    assert checked(item(LogicalType.INTEGER), "1", bad, "7")[1] == expected


def test_digits_that_would_be_lost_are_found():
    _, found = checked(number(2), "1.230", "1.239", "0.001", "1.000000000000000")
    assert found == {"scale": ["1.239", "0.001"]}
    assert checked(item(LogicalType.INTEGER), "5.0", "5.5") == ([5, None], {"scale": ["5.5"]})


def test_digits_that_do_not_fit_are_found():
    one = item(LogicalType.NUMBER, scale=2)
    values, found = checked(
        one, "9999999999999999.99", "10000000000000000.00", "99999999999999999999", "1" * 40, "1" * 41
    )
    assert found == {"scale": ["10000000000000000.00", "99999999999999999999", "1" * 40], "type": ["1" * 41]}
    assert values == [Decimal("9999999999999999.99"), None, None, None, None]


def test_bounds_are_closed():
    _, found = checked(number(2, "0", "100.5"), "0", "-0.01", "100.50", "100.51")
    assert found == {"range": ["-0.01", "100.51"]}


def test_bounds_finer_than_the_scale():
    assert scaled_bounds(Bounds(Decimal("0.001"), Decimal("0.999")), 2) == (1, 99)


@given(
    st.integers(0, 6),
    st.lists(st.from_regex(r"\A-?[0-9]{0,12}(\.[0-9]{0,8})?\Z") | st.text("0123456789.-+e ", max_size=12), min_size=1),
)
def test_numbers_are_what_decimal_says(scale, values):
    scaled, malformed, lossy = read_scaled(texts(*values), scale)
    for at, text in enumerate(values):
        formed = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text, re.ASCII) is not None
        if not text:
            assert not malformed[at]
        elif not formed:
            assert malformed[at]
        else:
            exact = Decimal(text).scaleb(scale)
            fits = exact == exact.to_integral_value() and abs(exact) < 10**18
            assert not malformed[at]
            assert lossy[at] == (not fits)
            if fits:
                assert scaled[at] == int(exact)


@given(st.integers(1, 4), st.lists(st.from_regex(r"\A[0-9]{1,9}\.[0-9]{2}\Z") | st.just(""), min_size=1))
def test_amounts_that_are_written_alike_are_what_decimal_says(scale, values):
    scaled, malformed, lossy = read_scaled(texts(*values), scale)
    assert not malformed.any()
    for text, value, lost in zip(values, scaled, lossy, strict=True):
        exact = Decimal(text or "0").scaleb(scale)
        assert lost == (exact != exact.to_integral_value())
        assert lost or int(value) == int(exact)


# --- dates, booleans ------------------------------------------------------------------------------


def test_dates_in_their_three_forms():
    values, found = checked(item(LogicalType.DATE), "2026-11-25", "2026/11/25", "20261125", "0001-01-01", "9999-12-31")
    assert found == {}
    assert values == [date(2026, 11, 25)] * 3 + [date.min, date.max]


@pytest.mark.parametrize(
    "bad", ["2026-13-01", "2026-02-29", "1900-02-29", "2026-00-10", "2026-01-00", "20260231", "00000101"]
)
def test_days_that_never_were_are_found(bad):
    assert checked(item(LogicalType.DATE), "2024-02-29", bad) == ([date(2024, 2, 29), None], {"date": [bad]})


@pytest.mark.parametrize(
    "written",
    [
        "2026/1/5",
        "2026-1-5",
        "2026/01/5",
        "2026/1/05",
        "2026年1月5日",
        "2026年01月05日",
        "２０２６/１/５",
        "２０２６－０１－０５",
        "2026/1/5 0:00",
        "2026-01-05 00:00:00",
        "2026-01-05T00:00",
        "2026-01-05 00:00:00.000",
        "20260105 00:00:00",
    ],
)
def test_days_as_spreadsheets_and_databases_write_them_are_read(written):
    assert checked(item(LogicalType.DATE), written, "2024-02-29") == ([date(2026, 1, 5), date(2024, 2, 29)], {})


def test_a_respelt_day_must_be_one():
    assert checked(item(LogicalType.DATE), "2026/2/29", "2026年13月1日")[1] == {"date": ["2026/2/29", "2026年13月1日"]}


@pytest.mark.parametrize(
    "bad",
    [
        "25-11-2026",
        "26-1-5",
        "2026-1/5",
        "2026年1月",
        "2026年11月25",
        "2026-001-05",
        "2026-11/25",
        "2026.11.25",
        "2026-11-25 ",
        "2026-11-25T08:00",
        "2026-11-25 00:00:01",
        "2026-11-25 0",
        "202611",
        "今天",
        "２０２６-1",
        "-026-11-25",
        "abcd-ef-gh",
    ],
)
def test_other_forms_of_dates_are_found(bad):
    found = checked(item(LogicalType.DATE), bad, "2024-02-29")[1]
    assert found == {"type": [bad]} | ({"spaces": [bad]} if bad != bad.strip() else {})


@given(st.lists(st.dates() | st.none(), min_size=1), st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"]))
def test_dates_are_what_datetime_says(days, form):
    written = [
        ""
        if day is None
        else form.replace("%Y", f"{day.year:04d}").replace("%m", f"{day.month:02d}").replace("%d", f"{day.day:02d}")
        for day in days
    ]
    found, malformed, impossible = read_days(texts(*written))
    assert not malformed.any()
    assert not impossible.any()
    assert [int(n) for n, day in zip(found, days, strict=True) if day] == [
        (day - date(1970, 1, 1)).days for day in days if day
    ]


@given(st.lists(st.text("0123456789", min_size=8, max_size=8), min_size=1))
def test_impossible_days_are_what_datetime_says(values):
    _, _, impossible = read_days(texts(*values))
    for text, wrong in zip(values, impossible, strict=True):
        try:
            date(int(text[:4]), int(text[4:6]), int(text[6:]))
            assert not wrong
        except ValueError:
            assert wrong


def test_yes_and_no():
    values, found = checked(item(LogicalType.BOOLEAN), "是", "否", "", "Y", "true", "1", "是 ")
    assert values == [True, False, None, None, None, None, None]
    assert found == {"type": ["Y", "true", "1", "是 "], "spaces": ["是 "]}


# --- identifiers ----------------------------------------------------------------------------------

CITIZEN, CITIZEN_X = "370202194912310032", "11010119800101001X"
COMPANY = "91110000600037341L"


def test_valid_identifiers_pass():
    assert _is_ric(CITIZEN)
    assert check_ids(SubjectKind.PERSON, texts(CITIZEN))[1].tolist() == [False]
    assert check_ids(SubjectKind.ENTERPRISE, texts(COMPANY))[1].tolist() == [False]


@pytest.mark.parametrize(
    "spelling",
    ["３７０２０２１９４９１２３１００３２", "370202 19491231 0032", "370202-19491231-0032", " 370202194912310032"],
)
def test_other_spellings_become_the_one(spelling):
    column, wrong = check_ids(SubjectKind.PERSON, texts(CITIZEN, spelling))
    assert column.to_pylist() == [CITIZEN, CITIZEN]
    assert not wrong.any()


def test_lower_case_x_is_x():
    valid = "11010119800101001" + ric.calc_check_digit("11010119800101001X")
    lower = next(
        f"1101011980010100{n:01d}{ric.calc_check_digit(f'1101011980010100{n:01d}X')}"
        for n in range(10)
        if ric.calc_check_digit(f"1101011980010100{n:01d}X") == "X"
    )
    column, wrong = check_ids(SubjectKind.PERSON, texts(valid, lower.lower()))
    assert column.to_pylist() == [valid, lower]
    assert not wrong.any()


def test_fifteen_digits_become_eighteen():
    column, wrong = check_ids(SubjectKind.PERSON, texts("370202491231003", "370202491231996"))
    assert column.to_pylist() == [CITIZEN, None]
    assert wrong.tolist() == [False, True]


LAST_X = "11010519491231002X"


@pytest.mark.parametrize(
    "text",
    [
        CITIZEN,
        LAST_X.lower(),
        f"同户{CITIZEN}，已迁出",
        f"单号{'1' * 18}，办理人 {LAST_X}",
        f"{'1' * 18},{'2' * 18},{CITIZEN}",
        "代办人３７０２０２１９４９１２３１００３２",
        f"①{CITIZEN}²",
        "①３７０２０２１９４９１２３１００３２",
    ],
)
def test_a_citizen_id_is_not_stored_as_it_stands(text):
    remark = item(LogicalType.STRING)
    assert checked(remark, "晚交", text, "")[1] == {"citizen": [text]}
    assert checked(remark, *["晚交", text] * 2_000)[1] == {"citizen": [text] * 2_000}, "each value is looked at once"


@pytest.mark.parametrize(
    "text", [f"{CITIZEN}0", f"1{CITIZEN}", f"{CITIZEN[:-1]}3", "370202194913310032", "0" * 18, "青岛海湾化学有限公司"]
)
def test_what_is_no_citizen_id_stays(text):
    assert checked(item(LogicalType.STRING), text)[1] == {}


def test_a_declared_form_says_that_it_is_none():
    """Numbers of cases may pass the check of a citizen's: one in eleven of those that hold a day in its place."""
    assert checked(item(LogicalType.STRING, pattern=r"\d{18}"), CITIZEN)[1] == {}
    assert checked(item(LogicalType.STRING, domain=(CITIZEN,)), CITIZEN)[1] == {}


@pytest.mark.parametrize(
    "bad",
    [
        "370202194912310033",
        "370202194913310032",
        "37020219491231003",
        "3702021949123100321",
        "X" * 18,
        "王" * 6,
        "张伟",
        "-",
        "0" * 18,
    ],
)
def test_bad_citizen_ids_are_found(bad):
    column, wrong = check_ids(SubjectKind.PERSON, texts(bad, CITIZEN, ""))
    assert wrong.tolist() == [True, False, False]
    assert column.to_pylist() == [None, CITIZEN, None]


@pytest.mark.parametrize(
    "bad",
    [
        "91110000600037341M",
        "A1110000600037341L",
        "9111000060003734IL",
        "91110000600037341",
        "37020219491231003X",
        "0" * 18,
    ],
)
def test_bad_company_codes_are_found(bad):
    assert check_ids(SubjectKind.ENTERPRISE, texts(bad, COMPANY))[1].tolist() == [True, False]


@given(
    st.lists(
        st.from_regex(r"\A3702(02|03|12)(19[0-9]{2}|20[01][0-9])(0[0-9]|1[0-3])[0-3][0-9][0-9]{3}[0-9X]\Z"), min_size=1
    )
)
def test_citizen_ids_are_what_stdnum_says(ids):
    ids += [one[:17] + ric.calc_check_digit(one) for one in ids]
    _, wrong = check_ids(SubjectKind.PERSON, texts(*ids))
    assert wrong.tolist() == [not _is_ric(one) for one in ids]


def _is_ric(text: str) -> bool:
    """python-stdnum without its table of places, which knows when a county had its number."""
    try:
        ric.get_birth_date(text)
    except ric.ValidationError:
        return False
    return text[-1] == ric.calc_check_digit(text)


@given(st.lists(st.text("0123456789ABCDEFGHJKLMNPQRTUWXYIOSVZ", min_size=9, max_size=9), min_size=1))
def test_company_codes_are_what_stdnum_says(tails):
    codes = ["91370200" + tail for tail in tails]
    full = [code + (uscc.calc_check_digit(code) if uscc_known(code) else "0") for code in codes]
    _, wrong = check_ids(SubjectKind.ENTERPRISE, texts(*full, *[code + "7" for code in codes]))
    assert wrong.tolist() == [not uscc.is_valid(code) for code in (*full, *[code + "7" for code in codes])]


def uscc_known(code: str) -> bool:
    return all(c in "0123456789ABCDEFGHJKLMNPQRTUWXY" for c in code)


# --- rows, slices, uniqueness ---------------------------------------------------------------------


def test_findings_carry_row_numbers_and_no_values():
    first = Item(name="a", zh="a", header="a", type=LogicalType.INTEGER, required=True)
    second = Item(name="b", zh="b", header="b", type=LogicalType.DATE)
    rows = Rows(
        (pa.array(["1", "x", "", ""]), pa.array(["2026-01-01", "2026-02-30", "", "20260101"])),
        np.array([2, 3, 4, 7], np.int32),
        "utf-8",
        odd=False,
    )
    result = check(dataset("d", first, second), rows)
    found = {(finding.item, finding.code): finding.rows.tolist() for finding in result.findings}
    assert found == {("a", "type"): [3], ("a", "required"): [7], ("b", "date"): [3]}
    assert result.bad.tolist() == [False, True, False, True]
    assert result.good.tolist() == [True, False, False, False], "what has no value is no row, neither good nor bad"
    assert "x" not in repr(result.findings)


def test_of_several_files_each_row_says_in_which_it_is() -> None:
    found = (Count("it", "type", 2, ((1, 20), (1, 21))),)
    items = {"it": item(LogicalType.INTEGER)}
    assert "(row 20, row 21)" in describe(found, items, "en")[0]
    assert "(file 1 row 20, file 1 row 21)" in describe(found, items, "en", 2)[0]
    assert "第 文件1:20、文件1:21 行" in describe(found, items, "zh", 2)[0]


def test_every_code_has_its_sentences():
    source = Path(checks.__file__).read_text(encoding="utf-8")
    used = set(re.findall(r'broken\["(\w+)"\]', source)) | {"fields", "unfinished", "unique", "blank"}
    assert used == set(CODES)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_value_of_another_type_gets_the_forms_of_its_own(lang):
    assert set(FORMS) == set(LogicalType) - {LogicalType.STRING}
    for kind in FORMS:
        (line,) = describe((Count("it", "type", 1, ((1, 2),)),), {"it": item(kind)}, lang)
        assert ("2026/11/5" in line) == (kind is LogicalType.DATE), line
        assert ("否" in line) == (kind is LogicalType.BOOLEAN), line
        assert ("-5" in line) == (kind in {LogicalType.INTEGER, LogicalType.NUMBER}), line
        assert ("1200.5" in line) == (kind is LogicalType.NUMBER), line
        # What is said to be a form is one.
        forms = re.findall(r"[0-9][0-9./年月日-]*|-[0-9]|[是否]", FORMS[kind][lang == "zh"])
        assert forms
        assert checked(item(kind, **({"scale": 1} if kind is LogicalType.NUMBER else {})), *forms)[1] == {}


def test_checks_work_on_slices():
    whole = pa.array(["x" * 40, CITIZEN, "", "12.5", "2026-01-01", "市南区"])
    for kind in LogicalType:
        one = item(kind, **({"scale": 1} if kind is LogicalType.NUMBER else {}))
        for start in range(6):
            part = Texts(whole.slice(start))
            column, broken = check_column(one, part)
            alone, alone_broken = check_column(one, texts(*whole.slice(start).to_pylist()))
            assert column.to_pylist() == alone.to_pylist()
            assert {code: where.tolist() for code, where in broken.items()} == {
                code: where.tolist() for code, where in alone_broken.items()
            }


@pytest.mark.parametrize("kind", LogicalType)
def test_values_that_repeat_are_read_like_single_ones(kind):
    values = ["x" * 40, "", "12.5", "-3", "=1", "2026-01-01", "2026-02-30", "是", "市南区", "", "1" * 20]
    one = item(kind, required=True, max_length=30, **({"scale": 1} if kind is LogicalType.NUMBER else {}))
    many = texts(*(values * 1_000)[3:])
    assert many.distinct() is not None
    column, broken = check_column(one, many)
    single, each = check_column(one, texts(*values))
    assert column.to_pylist() == (single.to_pylist() * 1_000)[3:]
    assert {code: where.tolist() for code, where in broken.items()} == {
        code: (where.tolist() * 1_000)[3:] for code, where in each.items() if where.any()
    }


def test_values_that_hardly_repeat_are_not_gathered_first():
    assert texts(*map(str, range(4_000))).distinct() is None
    assert texts("a", "a").distinct() is None


def test_repeated_values_are_all_found():
    columns = [pa.array(["a", "b", None]), pa.array(["c", "a", None])]
    found = repeated(columns)
    assert found is not None
    assert found.tolist() == [True, False, False, False, True, False]
    assert repeated([pa.array(["a", None, None])]) is None


def test_known_subjects_are_found():
    known = known_before(np.array([3, -1, 5, 9], np.int32), np.array([5, 3], np.int32))
    assert known.tolist() == [True, False, True, False]
    assert known_before(np.array([-1], np.int32), np.array([], np.int32)).tolist() == [False]
