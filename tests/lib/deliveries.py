# SPDX-License-Identifier: Apache-2.0
"""A small contract, people with valid ids, and deliveries of them; for every test of intake."""

import io
import tempfile
from pathlib import Path

import pyarrow as pa

from zhanqiao import intake
from zhanqiao.catalogue import shelf
from zhanqiao.intake import parser, parser_process
from zhanqiao.intake.landing import MemoryFile
from zhanqiao.intake.parser_process import End, Piece, Rows, Torn
from zhanqiao.intake.report import LoadReport
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.subjects import Subject, SubjectKind
from zhanqiao.vault.connection import locked_down, quoted
from zhanqiao.vault.house import House
from zhanqiao.vault.segments import TABLE

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: "370200-hrss-901"
name: 参保信息样例
version: VERSION
status: active
domain: 人力资源和社会保障
description: {purpose: "测试用的参保信息。"}
schema:
  - name: enrolment
    businessName: 参保信息样例
    description: Enrolment, an example
    customProperties:
      - {property: department, value: hrss}
      - {property: subjectKinds, value: [person]}
      - {property: sharing, value: unconditional}
      - {property: opening, value: closed}
      - {property: updateCycle, value: month}
      - {property: delivery, value: DELIVERY}
      - {property: formatCode, value: 2}
      - {property: latest, value: settled_on}
      - {property: cubes, value: [{name: by_district, dims: [district], measures: [base]}]}
    properties:
      - name: person_id
        businessName: 公民身份号码
        logicalType: string
        required: true
        unique: true
        customProperties: [{property: subject, value: person}, {property: mask, value: token}, {property: grade, value: 3}, {property: capabilities, value: [join]}]
      - name: full_name
        businessName: 姓名
        logicalType: string
        customProperties: [{property: identifier, value: true}, {property: mask, value: identity}, {property: grade, value: 3}]
      - name: birth_year
        businessName: 出生日期
        logicalType: date
        customProperties: [{property: mask, value: generalise}, {property: generaliser, value: year}, {property: capabilities, value: [filter, group]}, {property: grade, value: 2}]
      - name: district
        businessName: 所属区市
        logicalType: string
        required: true
        customProperties: [{property: mask, value: keep}, {property: domain, value: [市南区, 市北区, 崂山区]}, {property: capabilities, value: [filter, group]}, {property: grade, value: 1}]
      - name: base
        businessName: 月缴费基数
        logicalType: number
        logicalTypeOptions: {minimum: 0, maximum: 100000, multipleOf: 0.01}
        customProperties: [{property: mask, value: keep}, {property: capabilities, value: [aggregate]}, {property: grade, value: 3}, {property: category, value: income}]
      - name: settled_on
        businessName: 结算日期
        logicalType: date
        customProperties: [{property: mask, value: keep}, {property: grade, value: 3}]
      - name: remark
        businessName: 备注
        logicalType: string
        customProperties: [{property: grade, value: 3}]
"""
HEADERS = ("公民身份号码", "姓名", "出生日期", "所属区市", "月缴费基数", "结算日期", "备注")
HEADER = ",".join(HEADERS)
# Check characters as python-stdnum computes them.
WANG = "370202194912310032"
LI = "370203196003040026"
ZHAO = "370202197001010016"
QIAN = "370212198805050029"
SUN = "370202199001010031"
ZHOU = "370203199912120043"
GOOD = (
    f"{WANG},王伟,1949-12-31,市南区,5000.00,2026-10-31,",
    f"{LI},李秀英,19600304,市北区,6307.85,2026-10-31,老职工",
    f"{ZHAO},赵敏,1970/01/01,崂山区,0,2026-09-30,",
    f"{QIAN},钱进,1988-05-05,市南区,,,",
    f"{SUN},孙丽,1990-01-01,市北区,99999.99,2026-10-31,",
)
NEXT = f"{ZHOU},周涛,1999-12-12,崂山区,7000.5,2026-11-01,"


def describe(house: House, delivery: str = "full", version: str = "1.0.0") -> Dataset:
    """Put the contract on the shelf."""
    dataset = shelf.add(
        house.book, CONTRACT.replace("DELIVERY", delivery).replace("VERSION", version), "li-officer", withdraw=True
    )
    assert isinstance(dataset, Dataset), dataset
    return dataset


def deliver(
    folder: Path, *rows: str, encoding: str = "utf-8", name: str = "delivery.csv", header: str = HEADER
) -> Path:
    """Write a delivered file."""
    path = folder / name
    path.write_bytes(("\r\n".join([header, *rows]) + "\r\n").encode(encoding))
    return path


def load(house: House, *files: Path, **options: int) -> LoadReport | Refusal:
    return intake.load(house, "enrolment", list(files), "officer", **options)


def loaded(house: House, *files: Path, **options: int) -> LoadReport:
    report = load(house, *files, **options)
    assert isinstance(report, LoadReport), report
    return report


def refused(house: House, *files: Path, **options: int) -> set[str]:
    """Load what must be refused; return the codes."""
    refusal = load(house, *files, **options)
    assert isinstance(refusal, Refusal), refusal
    for reason in refusal.reasons:
        assert reason.message("zh")
        assert reason.message("en")
    return {reason.code for reason in refusal.reasons}


def published_rows(house: House, dataset: str = "enrolment") -> list[dict[str, object]]:
    """Read what is published, by subject number; no door can do that, tests can."""
    snapshot = shelf.snapshot_of(dataset)
    assert snapshot is not None
    attachments = house.vault._engine._store.attachments(snapshot.segments)
    with locked_down(house.vault._engine._store.scratch, attachments) as connection:
        tables = [
            connection.execute(f"SELECT * FROM {quoted(one.alias)}.main.{quoted(TABLE)}").to_arrow_table()
            for one in attachments
        ]
    rows: list[dict[str, object]] = pa.concat_tables(tables).to_pylist()
    return rows


def number_of(house: House, identifier: str) -> int | None:
    return house.vault._subjects.number_of(Subject(SubjectKind.PERSON, identifier))


def parse(content: bytes, headers: tuple[str, ...]) -> list[Piece]:
    """Read one file through the real parser process."""
    with MemoryFile() as copy:
        copy.append(content)
        copy.freeze()
        return list(parser_process.read(copy, len(content), headers))


def parse_here(content: bytes, headers: tuple[str, ...]) -> list[Piece]:
    """Do the parser's work in this process and read its frames as always: a hundred times faster, without its walls."""
    task = parser.Task(len(content), 0, False, headers)
    with tempfile.TemporaryFile(buffering=0) as frames:
        send = parser.Sender(frames)
        try:
            parser.read(task, io.BufferedReader(io.BytesIO(content)), send)
        except parser.Refused as refused:
            send.refuse(refused)
        frames.seek(0)
        return list(parser_process._pieces(frames.fileno(), len(headers)))


def rows_in(pieces: list[Piece]) -> list[tuple[str, ...]]:
    """Return the rows as they came out, in order."""
    rows: list[tuple[str, ...]] = []
    for piece in pieces:
        if isinstance(piece, Rows):
            rows += zip(*(texts.to_pylist() for texts in piece.texts), strict=True)
    return rows


def torn_in(pieces: list[Piece]) -> list[tuple[int, str, str]]:
    return [
        (number, piece.why, text)
        for piece in pieces
        if isinstance(piece, Torn)
        for number, text in zip(piece.numbers, piece.texts, strict=True)
    ]


def end_of(pieces: list[Piece]) -> End | Refusal:
    last = pieces[-1]
    assert isinstance(last, End | Refusal)
    return last
