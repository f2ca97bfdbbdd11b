# SPDX-License-Identifier: Apache-2.0
"""A delivery becomes a published snapshot, a report and a quarantine; or nothing changes."""

from pathlib import Path

import pytest

from zhanqiao import intake
from zhanqiao.catalogue import shelf
from zhanqiao.intake import quarantine
from zhanqiao.intake.report import LoadReport
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.subjects import Subject, SubjectKind

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: "370200-hrss-901"
name: 参保信息样例
version: 1.0.0
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
    properties:
      - name: person_id
        businessName: 公民身份号码
        logicalType: string
        required: true
        unique: true
        description: citizen id
        customProperties: [{property: subject, value: person}, {property: mask, value: token}, {property: grade, value: 3}, {property: capabilities, value: [join]}]
      - name: full_name
        businessName: 姓名
        logicalType: string
        description: name
        customProperties: [{property: identifier, value: true}, {property: mask, value: identity}, {property: grade, value: 3}]
      - name: birth_year
        businessName: 出生日期
        logicalType: date
        description: day of birth
        customProperties: [{property: mask, value: generalise}, {property: generaliser, value: year}, {property: capabilities, value: [filter, group]}, {property: grade, value: 2}]
      - name: district
        businessName: 所属区市
        logicalType: string
        required: true
        description: district
        customProperties: [{property: mask, value: keep}, {property: domain, value: [市南区, 市北区, 崂山区]}, {property: capabilities, value: [filter, group]}, {property: grade, value: 1}]
      - name: base
        businessName: 月缴费基数
        logicalType: number
        logicalTypeOptions: {minimum: 0, maximum: 100000, multipleOf: 0.01}
        description: monthly base
        customProperties: [{property: mask, value: keep}, {property: capabilities, value: [aggregate]}, {property: grade, value: 3}, {property: category, value: income}]
      - name: remark
        businessName: 备注
        logicalType: string
        description: not kept
        customProperties: [{property: grade, value: 3}]
"""
HEADER = "公民身份号码,姓名,出生日期,所属区市,月缴费基数,备注"
# Check characters as python-stdnum computes them.
WANG, LI, ZHAO, QIAN, SUN, ZHOU = (
    "370202194912310032",
    "370203196003040026",
    "370202197001010016",
    "370212198805050029",
    "370202199001010031",
    "370203199912120043",
)
GOOD = (
    f"{WANG},王伟,1949-12-31,市南区,5000.00,",
    f"{LI},李秀英,19600304,市北区,6307.85,老职工",
    f"{ZHAO},赵敏,1970/01/01,崂山区,0,",
    f"{QIAN},钱进,1988-05-05,市南区,,",
    f"{SUN},孙丽,1990-01-01,市北区,99999.99,",
)


@pytest.fixture
def enrolment(house) -> Dataset:
    return describe(house, "full")


def describe(house, delivery: str) -> Dataset:
    dataset = shelf.add(house.book, CONTRACT.replace("DELIVERY", delivery), "li-officer")
    assert isinstance(dataset, Dataset), dataset
    return dataset


def deliver(folder: Path, *rows: str, encoding: str = "utf-8", name: str = "delivery.csv") -> Path:
    path = folder / name
    path.write_bytes(("\r\n".join([HEADER, *rows]) + "\r\n").encode(encoding))
    return path


def load(house, *files: Path, **options: int) -> LoadReport | Refusal:
    return intake.load(house, "enrolment", list(files), "officer", **options)


def test_a_delivery_is_published_with_a_report(house, enrolment, tmp_path):
    report = load(house, deliver(tmp_path, *GOOD))
    assert isinstance(report, LoadReport), report
    assert (report.rows, report.published, report.quarantined, report.encoding) == (5, 5, 0, "utf-8")
    snapshot = shelf.snapshot_of("enrolment")
    assert snapshot is not None
    assert (snapshot.id, snapshot.rows, snapshot.batch_digest) == (report.snapshot, 5, report.digest)
    assert [event.kind for event in house.book.events(kind="intake.published")] == ["intake.published"]
