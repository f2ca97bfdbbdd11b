# SPDX-License-Identifier: Apache-2.0
"""A delivery becomes a published snapshot, a report and a quarantine; or nothing changes."""

import json
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lib.deliveries import (
    GOOD,
    HEADER,
    HEADERS,
    LI,
    NEXT,
    QIAN,
    SUN,
    WANG,
    ZHAO,
    ZHOU,
    deliver,
    describe,
    load,
    loaded,
    number_of,
    published_rows,
    refused,
)
from lib.pier import citizen_id
from lib.vault_cases import identities_of
from zhanqiao import intake
from zhanqiao.catalogue import shelf
from zhanqiao.intake import quarantine
from zhanqiao.intake import report as report_module
from zhanqiao.terms.refusals import Reason, Refusal
from zhanqiao.terms.subjects import SubjectKind


@pytest.fixture
def enrolment(house):
    return describe(house)


# --- what is published ----------------------------------------------------------------------------


def test_a_delivery_is_published_with_a_report(house, enrolment, tmp_path):
    report = loaded(house, deliver(tmp_path, *GOOD))
    assert (report.rows, report.published, report.quarantined, report.encoding) == (5, 5, 0, "utf-8")
    snapshot = shelf.snapshot_of("enrolment")
    assert snapshot is not None
    assert (snapshot.id, snapshot.rows, snapshot.batch_digest) == (report.snapshot, 5, report.digest)
    assert snapshot.contract_digest == enrolment.digest


def test_stored_rows_are_masked(house, enrolment, tmp_path):
    loaded(house, deliver(tmp_path, *GOOD))
    rows = {row["person_id"]: row for row in published_rows(house)}
    assert set(rows) == {number_of(house, person) for person in (WANG, LI, ZHAO, QIAN, SUN)}
    li = rows[number_of(house, LI)]
    assert set(li) == {"person_id", "birth_year", "district", "base", "settled_on"}
    assert (li["birth_year"], li["district"], li["base"]) == (1960, "市北区", Decimal("6307.85"))
    assert rows[number_of(house, QIAN)]["base"] is None


def test_direct_identifiers_stand_apart(house, enrolment, tmp_path):
    loaded(house, deliver(tmp_path, *GOOD))
    number = number_of(house, LI)
    assert number is not None
    assert identities_of(house.vault, SubjectKind.PERSON, number) == {"full_name": "李秀英"}


def test_both_encodings_give_the_same_rows(house, enrolment, tmp_path):
    loaded(house, deliver(tmp_path, *GOOD))
    first = sorted(published_rows(house), key=lambda row: row["person_id"])
    report = loaded(house, deliver(tmp_path, *GOOD, encoding="gb18030"))
    assert report.encoding == "gb18030"
    assert sorted(published_rows(house), key=lambda row: row["person_id"]) == first


def test_parquet_meets_the_same_checks(house, enrolment, tmp_path):
    rows = [row.split(",") for row in (*GOOD, f"{ZHOU},周涛,1999-12-12,即墨区,1,,")]
    table = pa.table({header: pa.array([row[place] for row in rows]) for place, header in enumerate(HEADERS)})
    pq.write_table(table, tmp_path / "delivery.parquet")
    report = loaded(house, tmp_path / "delivery.parquet")
    assert (report.published, report.quarantined, report.encoding) == (5, 1, "parquet")
    assert [(count.item, count.code, count.first) for count in report.found] == [("district", "domain", ((1, 6),))]


def test_columns_may_come_in_another_order(house, enrolment, tmp_path):
    turned = [",".join(reversed(row.split(","))) for row in GOOD]
    loaded(house, deliver(tmp_path, *turned, header=",".join(reversed(HEADERS))))
    assert len(published_rows(house)) == 5


def test_several_files_are_one_delivery(house, enrolment, tmp_path):
    report = loaded(
        house, deliver(tmp_path, *GOOD, name="a.csv"), deliver(tmp_path, NEXT, name="b.csv", encoding="gb18030")
    )
    assert [(file.name, file.rows, file.encoding) for file in report.files] == [
        ("a.csv", 5, "utf-8"),
        ("b.csv", 1, "gb18030"),
    ]
    assert len(published_rows(house)) == 6


def test_quoted_fields_are_read_as_they_are(house, enrolment, tmp_path):
    loaded(house, deliver(tmp_path, f'"{WANG}","王 ""小"" 伟",1949-12-31,"市南区",5000,,"一,二\n三"'))
    assert identities_of(house.vault, SubjectKind.PERSON, number_of(house, WANG)) == {"full_name": '王 "小" 伟'}


def test_the_derived_things_are_there(house, enrolment, tmp_path):
    report = loaded(house, deliver(tmp_path, *GOOD))
    assert ("enrolment", report.snapshot) in set(house.vault._states.snapshots())


# --- full and append ------------------------------------------------------------------------------


def test_a_full_delivery_replaces_what_was_there(house, enrolment, tmp_path):
    loaded(house, deliver(tmp_path, *GOOD))
    loaded(house, deliver(tmp_path, NEXT))
    assert [row["person_id"] for row in published_rows(house)] == [number_of(house, ZHOU)]


def test_the_report_says_what_a_full_delivery_replaces(house, enrolment, tmp_path):
    """Half a file delivered as the whole is seen in the report, not in next month's statistics."""
    first = loaded(house, deliver(tmp_path, *GOOD))
    second = loaded(house, deliver(tmp_path, NEXT))
    assert [(one.replaced, one.total) for one in (first, second)] == [(None, 5), (5, 1)]
    assert "替换此前交付的 5 行，现发布 1 行" in second.as_text("zh")
    assert "5 rows of the former delivery replaced; 1 row published now" in second.as_text("en")
    assert {key: second.as_data()[key] for key in ("replaced", "total")} == {"replaced": 5, "total": 1}
    assert not any(word in first.as_text("zh") + first.as_text("en") for word in ("替换", "追加", "replaced", "added"))
    # Under a new contract nothing was published.
    describe(house, version="1.1.0")
    assert loaded(house, deliver(tmp_path, *GOOD)).replaced is None


def test_the_report_says_how_many_rows_an_appended_delivery_makes(house, tmp_path):
    describe(house, "append")
    first = loaded(house, deliver(tmp_path, *GOOD))
    second = loaded(house, deliver(tmp_path, NEXT))
    again = loaded(house, deliver(tmp_path, *GOOD))
    assert [(one.replaced, one.total) for one in (first, second, again)] == [(None, 5), (None, 6), (None, 6)]
    assert "追加于此前的 5 行之后，现共发布 6 行" in second.as_text("zh")
    assert "added to 5 rows; 6 rows published altogether now" in second.as_text("en")
    snapshot = shelf.snapshot_of("enrolment")
    assert snapshot is not None
    assert snapshot.rows == 6


def test_an_appended_delivery_is_added(house, tmp_path):
    describe(house, "append")
    first = loaded(house, deliver(tmp_path, *GOOD))
    second = loaded(house, deliver(tmp_path, NEXT))
    snapshot = shelf.snapshot_of("enrolment")
    assert snapshot is not None
    assert (snapshot.id, snapshot.rows, len(snapshot.segments)) == (second.snapshot, 6, 2)
    assert first.snapshot != second.snapshot
    assert len(published_rows(house)) == 6


def test_no_file_counts_twice_where_deliveries_are_appended(house, tmp_path):
    """Its rows would double in every answer, and nobody would see it: items that are not kept are not compared."""
    describe(house, "append")
    first, next_one = deliver(tmp_path, *GOOD), deliver(tmp_path, NEXT, name="next.csv")
    copy = deliver(tmp_path, *GOOD, name="copy.csv")
    assert refused(house, first, copy) == {"intake-file-twice"}
    loaded(house, first)
    for files in ((first, next_one), (next_one, first), (next_one, copy), (first, first)):
        assert refused(house, *files) <= {"intake-file-known", "intake-file-twice"}
    assert loaded(house, copy).recognised
    born = date(1988, 5, 5)
    third = deliver(tmp_path, f"{citizen_id(7, born)},吴用,{born},市南区,1,,", name="third.csv")
    assert loaded(house, next_one, third).total == 7
    assert refused(house, next_one) == {"intake-file-known"}, "a part of a delivery that stays"
    assert len(published_rows(house)) == 7
    # Under a new contract nothing is published, and all of it comes again.
    describe(house, "append", version="1.1.0")
    assert loaded(house, next_one, first).total == 6


def test_a_file_that_came_before_may_come_again_where_deliveries_replace(house, enrolment, tmp_path):
    first, next_one = deliver(tmp_path, *GOOD), deliver(tmp_path, NEXT, name="next.csv")
    loaded(house, first)
    assert loaded(house, first, next_one).total == 6
    assert refused(house, next_one, first, first) == {"intake-file-twice"}


def test_append_holds_unique_keys_against_what_is_published(house, tmp_path):
    describe(house, "append")
    loaded(house, deliver(tmp_path, *GOOD))
    again = [f"{QIAN},钱进,1988-05-05,市南区,1,,", NEXT]
    report = loaded(house, deliver(tmp_path, *again), max_bad_percent=50)
    assert (report.published, report.quarantined) == (1, 1)
    assert [(count.item, count.code, count.first) for count in report.found] == [("person_id", "unique", ((1, 2),))]


def test_the_same_delivery_is_recognised(house, enrolment, tmp_path):
    first = loaded(house, deliver(tmp_path, *GOOD))
    before = house.book.size
    again = loaded(house, deliver(tmp_path, *GOOD, name="other-name.csv"))
    assert again.recognised
    assert again.snapshot == first.snapshot
    assert house.book.size == before
    assert "未重复加载" in again.as_text("zh")
    assert again.as_data()["status"] == "recognised"


def test_a_new_contract_wants_the_data_again(house, enrolment, tmp_path):
    loaded(house, deliver(tmp_path, *GOOD))
    describe(house, version="1.1.0")
    assert not loaded(house, deliver(tmp_path, *GOOD)).recognised


# --- bad rows -------------------------------------------------------------------------------------

OTHERWISE = "Written in another way (spaces, line breaks, full width)"
BAD = (
    f"{WANG},王伟,1949-12-31,市南区,5000.00,,",  # 2 good
    f"{LI},李秀英,1960-02-30,市北区,6307.85,,",  # 3 no such day
    "370203196003040027,张三,1960-03-04,青岛市,12,,",  # 4 check character, district
    f"{ZHAO},赵敏,1970-01-01,崂山区",  # 5 too few fields
    f"{QIAN},钱进,1988-05-05,市南区,100000.01,,",  # 6 range
    f"{SUN},孙丽,1990-01-01,,1,,",  # 7 required
    f"{ZHOU},周涛,1999-12-12,崂山区,1,,",  # 8 unique
    f"{ZHOU},周滔,1999-12-12,崂山区,2,,",  # 9 unique
)


def test_bad_rows_go_to_quarantine_as_they_came(house, enrolment, tmp_path):
    report = loaded(house, deliver(tmp_path, *BAD), max_bad_percent=90)
    assert (report.rows, report.published, report.quarantined) == (8, 1, 7)
    rows = {row.row: row for row in quarantine.read(house, "enrolment", report.snapshot)}
    assert {number: set(row.faults) for number, row in rows.items()} == {
        3: {("birth_year", "date")},
        4: {("person_id", "identifier"), ("district", "domain")},
        5: {("", "fields")},
        6: {("base", "range")},
        7: {("district", "required")},
        8: {("person_id", "unique")},
        9: {("person_id", "unique")},
    }
    assert rows[4].values == dict(zip(HEADERS, BAD[2].split(","), strict=True))
    assert (rows[5].values, rows[5].raw) == (None, BAD[3])
    assert rows[9].values is not None
    assert rows[9].values["姓名"] == "周滔"
    assert [row["person_id"] for row in published_rows(house)] == [number_of(house, WANG)]


def test_quarantine_is_sealed_for_its_place(house, enrolment, tmp_path):
    report = loaded(house, deliver(tmp_path, *BAD), max_bad_percent=90)
    folder = house.home / "quarantine" / "enrolment"
    parts = list((folder / report.snapshot).glob("*"))
    assert parts
    for part in parts:
        content = part.read_bytes()
        assert not any(word.encode() in content for word in ("李秀英", "周滔", LI, "100000.01"))
    moved = folder / "elsewhere"
    (folder / report.snapshot).rename(moved)
    with pytest.raises(ValueError, match="couldn't open"):
        list(quarantine.read(house, "enrolment", "elsewhere"))


def test_the_report_tells_where_and_never_what(house, enrolment, tmp_path):
    report = loaded(house, deliver(tmp_path, *BAD), max_bad_percent=90)
    for text in (report.as_text("zh"), report.as_text("en"), json.dumps(report.as_data(), ensure_ascii=False)):
        assert not any(value in text for value in (LI, "李秀英", "青岛市", "100000.01", "1960-02-30"))
    assert "所属区市：不在值域内，1 行（第 4 行）" in report.as_text("zh")
    assert "月缴费基数: outside the declared range, 1 row (row 6)" in report.as_text("en")
    for lang, said in (("zh", "表头为第 1 行"), ("en", "the header is row 1")):
        assert said in report.as_text(lang).split("\n")[-2]


def test_the_report_tells_of_spaces_that_nobody_sees(house, enrolment, tmp_path):
    report = loaded(house, deliver(tmp_path, *GOOD, NEXT.replace("崂山区", " 崂山区")))
    assert "所属区市：不在值域内，1 行（第 7 行）" in report.as_text("zh")
    assert "所属区市：值的前后有空格，1 行（第 7 行）" in report.as_text("zh")
    assert report.quarantined == 1


def test_nothing_readable_is_left_on_the_disk(house, enrolment, tmp_path):
    loaded(house, deliver(tmp_path, *BAD), max_bad_percent=90)
    words = [word.encode() for word in (WANG, LI, "王伟", "李秀英", "周滔")]
    for path in house.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(word in content for word in words), path
    assert [path.name for path in (house.home / "landing").iterdir()] == [".enrolment.lock"]


def test_every_fault_is_listed_by_row_without_a_value(house, enrolment, tmp_path):
    tally = intake.Tally()
    refusal = load(house, deliver(tmp_path, *BAD), tally=tally)
    assert isinstance(refusal, Refusal)
    lines = intake.as_list(tally, intake.items_of(enrolment), "en").splitlines()
    assert lines[0] == "file,row,header,code,what is wrong"
    assert [",".join(line.split(",")[:4]) for line in lines[1:]] == [
        "1,3,出生日期,date",
        "1,4,公民身份号码,identifier",
        "1,4,所属区市,domain",
        "1,5,row,fields",
        "1,6,月缴费基数,range",
        "1,7,所属区市,required",
        "1,8,公民身份号码,unique",
        "1,9,公民身份号码,unique",
    ]
    assert not any(word in "\n".join(lines) for word in (WANG, "王伟", "青岛市", "100000.01"))


def test_a_part_of_a_delivery_does_not_replace_the_whole_of_it(house, enrolment, tmp_path):
    """Who corrects the bad rows may deliver them alone, and would throw the rest away."""
    many = [f"{citizen_id(n)},甲,1990-01-01,市南区,1,," for n in range(120)]
    loaded(house, deliver(tmp_path, *many))
    part = deliver(tmp_path, *many[:59], name="part.csv")
    assert refused(house, part) == {"intake-shrinks"}
    assert shelf.snapshot_of("enrolment").rows == 120
    assert loaded(house, deliver(tmp_path, *many[:60], name="half.csv")).total == 60
    assert loaded(house, deliver(tmp_path, *many[:9], name="few.csv"), fewer=True).total == 9


def test_where_deliveries_are_added_a_few_rows_are_no_part(house, tmp_path):
    describe(house, "append")
    many = [f"{citizen_id(n)},甲,1990-01-01,市南区,1,," for n in range(120)]
    loaded(house, deliver(tmp_path, *many[:110]))
    assert loaded(house, deliver(tmp_path, *many[110:], name="few.csv")).total == 120


def test_a_list_that_is_cut_says_so(house, enrolment, tmp_path, monkeypatch):
    monkeypatch.setattr(report_module, "LISTED_ROWS", 2)
    tally = intake.Tally()
    loaded(house, deliver(tmp_path, *GOOD, *["x,,,,,,"] * 3), tally=tally, max_bad_percent=90)
    lines = intake.as_list(tally, intake.items_of(enrolment), "en").splitlines()
    assert [line for line in lines if "公民身份号码,identifier" in line][-1].endswith(
        '1 rows more, which are not listed"'
    )
    assert lines[-1].startswith(",,")


def test_a_code_that_former_versions_kept_is_still_told(house, enrolment, tmp_path):
    report = loaded(house, deliver(tmp_path, *GOOD, "x,,,,,,"))
    old = quarantine.BadRow(1, 9, (("", "blank"),), {}, None)
    part = json.dumps(vars(old)).encode()
    quarantine.keep(house, "enrolment", report.snapshot, [part])
    told = quarantine.tell(house, "enrolment", report.snapshot, "officer")
    assert "a line without any value" in intake.as_list(told, intake.items_of(enrolment), "en")


def test_too_many_bad_rows_refuse_the_whole(house, enrolment, tmp_path):
    refusal = load(house, deliver(tmp_path, *BAD))
    assert isinstance(refusal, Refusal)
    assert [reason.code for reason in refusal.reasons] == ["intake-too-many-bad-rows"]
    assert "7 of 8 rows" in refusal.reasons[0].message("en")
    assert shelf.snapshot_of("enrolment") is None
    assert not (house.home / "quarantine").exists()
    assert house.vault._subjects.count(SubjectKind.PERSON) == 0
    assert house.vault._engine._store.names() == []


def test_empty_lines_of_a_spreadsheet_are_no_rows(house, enrolment, tmp_path):
    empty = "," * (len(HEADERS) - 1)
    report = loaded(house, deliver(tmp_path, *GOOD, *[empty] * 30))
    assert (report.rows, report.published, report.quarantined, report.blank) == (5, 5, 0, 0)
    between = loaded(house, deliver(tmp_path, *GOOD[:4], empty, "", GOOD[4], f"{SUN},孙丽,1990-01-01,,1,,", empty))
    assert (between.rows, between.published, between.quarantined, between.blank) == (6, 5, 1, 2)
    assert [count.first for count in between.found] == [((1, 9),)], "rows are numbered as the file has them"
    assert "Lines without any value, which are no rows: 2" in between.as_text("en")


def test_nothing_but_empty_lines_takes_the_place_of_nothing(house, enrolment, tmp_path):
    empty = "," * (len(HEADERS) - 1)
    before = loaded(house, deliver(tmp_path, *GOOD))
    assert refused(house, deliver(tmp_path, *[empty] * 3)) == {"intake-empty"}
    table = pa.table({name: ["", ""] for name in HEADERS})
    pq.write_table(table, tmp_path / "empty.parquet")
    assert refused(house, tmp_path / "empty.parquet") == {"intake-empty"}
    assert shelf.snapshot_of("enrolment").id == before.snapshot


def test_one_bad_row_in_five_is_still_published(house, enrolment, tmp_path):
    report = loaded(house, deliver(tmp_path, *GOOD[:4], f"{SUN},孙丽,1990-01-01,青岛市,1,,"))
    assert (report.published, report.quarantined) == (4, 1)


# --- refusals -------------------------------------------------------------------------------------


def test_an_unknown_dataset_is_not_found(house, tmp_path):
    refusal = intake.load(house, "nowhere", [deliver(tmp_path, *GOOD)], "officer")
    assert isinstance(refusal, Refusal)
    assert refusal.exit_status == 4


def test_a_missing_file_is_not_found(house, enrolment, tmp_path):
    assert refused(house, tmp_path / "none.csv") == {"intake-file-missing"}
    assert refused(house, tmp_path) == {"intake-file-missing"}


def test_no_file_is_a_usage_error(house, enrolment):
    assert refused(house) == {"intake-no-file"}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (HEADER.replace("姓名", "名字"), "Missing: 姓名. Unknown, by place: 2."),
        (HEADER + ",姓名", "Twice: 姓名."),
        (HEADER.replace(",备注", ""), "Missing: 备注."),
        (HEADER + ",手机", "Unknown, by place: 8."),
        (HEADER + ",", "Without a name, by place: 8."),
        (HEADER.replace("姓名", " 姓名"), f"{OTHERWISE}: 姓名. Unknown, by place: 2."),
        (HEADER.replace("姓名", "姓　名"), f"{OTHERWISE}: 姓名. Unknown, by place: 2."),
        (HEADER.replace("姓名", '"姓\n名"'), f"{OTHERWISE}: 姓名. Unknown, by place: 2."),
        (HEADER + ",姓名\u3000", "Unknown, by place: 8."),
        (HEADER.replace(",", ";"), "Unknown, by place: 1. There is no comma in the first line."),
    ],
)
def test_another_header_refuses_the_file(house, enrolment, tmp_path, header, says):
    refusal = load(house, deliver(tmp_path, header=header))
    assert isinstance(refusal, Refusal)
    assert refusal.reasons[0].message("en").endswith(says)
    assert refusal.reasons[0].message("zh").startswith("delivery.csv：表头")
    assert "{" not in refusal.reasons[0].message("zh")


def test_a_file_without_header_line_does_not_leak_its_first_row(house, enrolment, tmp_path):
    path = tmp_path / "delivery.csv"
    path.write_text("\n".join(GOOD) + "\n", encoding="utf-8")
    refusal = load(house, path)
    assert isinstance(refusal, Refusal)
    assert WANG not in refusal.reasons[0].message("zh")
    assert "王伟" not in json.dumps(refusal.as_data("zh"), ensure_ascii=False)


def test_a_refused_delivery_leaves_what_was_published(house, enrolment, tmp_path):
    loaded(house, deliver(tmp_path, *GOOD))
    before = shelf.snapshot_of("enrolment")
    assert refused(house, deliver(tmp_path, *GOOD, header=HEADER + ",x")) == {"intake-header"}
    assert shelf.snapshot_of("enrolment") == before


def test_load_and_refusal_are_events_without_values(house, enrolment, tmp_path):
    loaded(house, deliver(tmp_path, *GOOD))
    refused(house, deliver(tmp_path, *GOOD, header=HEADER + ",x"))
    events = {event.kind: event for event in house.book.events() if event.kind.startswith("intake.")}
    assert set(events) == {"intake.published", "intake.refused"}
    published = json.loads(events["intake.published"].leaf)
    assert published["facts"]["rows"] == 5
    assert not any(WANG.encode() in event.leaf or "王伟".encode() in event.leaf for event in events.values())


def test_one_bad_file_refuses_the_delivery_and_is_named(house, enrolment, tmp_path):
    refusal = load(house, deliver(tmp_path, *GOOD, name="a.csv"), deliver(tmp_path, NEXT, header="x", name="b.csv"))
    assert isinstance(refusal, Refusal)
    assert refusal.reasons[0].facts["file"] == "b.csv"
    assert shelf.snapshot_of("enrolment") is None


# --- superseded snapshots -----------------------------------------------------------------------------


def test_a_full_delivery_supersedes_and_the_operator_drops_what_was(house, enrolment, tmp_path, clock):
    old = loaded(house, deliver(tmp_path, *GOOD, "x,,,,,,")).snapshot
    new = loaded(house, deliver(tmp_path, *GOOD[:3])).snapshot
    # Until a moment ago the old one was published, and a permit for it may still run.
    assert intake.drop_superseded(house, "enrolment", "operator") == ()
    clock.forward(minutes=6)
    # Who waited and may not any more drops nothing.
    refusal = intake.drop_superseded(
        house, "enrolment", "operator", against=lambda: [Reason("person-unknown", {"person": "operator"})]
    )
    assert isinstance(refusal, Refusal)
    assert intake.drop_superseded(house, "enrolment", "operator") == (old,)
    event = next(one for one in house.book.events() if one.kind == "intake.dropped")
    assert json.loads(event.leaf)["facts"] == {"dataset": "enrolment", "snapshots": [old]}
    assert not (house.home / "quarantine" / "enrolment" / old).exists()
    assert {name.partition("/")[2].rpartition("-")[0] for name in house.vault._engine._store.names()} == {new}
    assert len(published_rows(house)) == 3
    assert intake.drop_superseded(house, "enrolment", "operator") == ()
    assert len([one for one in house.book.events() if one.kind == "intake.dropped"]) == 1
    # What was dropped can be delivered again.
    loaded(house, deliver(tmp_path, *GOOD))


def test_what_appended_deliveries_are_made_of_stays(house, tmp_path, clock):
    describe(house, "append")
    for place in range(2):
        loaded(house, deliver(tmp_path, GOOD[place], name=f"{place}.csv"))
    clock.forward(days=1)
    assert intake.drop_superseded(house, "enrolment", "operator") == ()
    assert len(published_rows(house)) == 2
