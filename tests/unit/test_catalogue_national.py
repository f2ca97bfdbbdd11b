# SPDX-License-Identifier: Apache-2.0
"""The national metadata form: the exact codes of the standard, and no guess where a code is unknown."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from zhanqiao.catalogue import contracts, national
from zhanqiao.catalogue.national import Classes, Format, Method, Provider
from zhanqiao.terms.datasets import Dataset, Opening, Sharing, UpdateCycle
from zhanqiao.terms.refusals import Refusal

HRSS = Provider("青岛市人力资源和社会保障局", "11370200MB2857349X")
ENTRY = {
    "共享类型": "2",
    "共享条件": "业务核验",
    "共享方式": "2",
    "是否向社会开放": "1",
    "开放条件": "签订协议",
    "更新周期": "4",
    "信息资源格式": "2",
}


@pytest.fixture
def dataset() -> Dataset:
    file = Path(__file__).parents[1] / "lib" / "contracts" / "pension_enrolment.odcs.yaml"
    found = contracts.read(file.read_bytes())
    assert isinstance(found, Dataset)
    return found


def test_one_dataset_in_the_national_form(dataset: Dataset) -> None:
    entry = national.export(dataset, HRSS, date(2026, 11, 25), related=("370200-hrss-002",))
    items = entry.pop("信息项")
    assert entry == {
        "信息资源分类": {
            "类": "部门信息资源类",
            "项": "青岛市人力资源和社会保障局",
            "目": "人力资源和社会保障",
            "细目": "城镇职工基本养老保险参保信息",
        },
        "信息资源名称": "城镇职工基本养老保险参保信息",
        "信息资源代码": "370200-hrss-001",
        "信息资源提供方": "青岛市人力资源和社会保障局",
        "信息资源提供方代码": "11370200MB2857349X",
        "信息资源摘要": "参保职工的缴费基数与参保区市。",
        "信息资源格式": "2",
        "信息资源格式说明": "电子表格",
        "共享类型": "2",
        "共享条件": "社会保险业务核验",
        "共享方式": "2",
        "是否向社会开放": "1",
        "开放条件": "签订授权协议",
        "更新周期": "4",
        "发布日期": "2026-11-25",
        "关联资源代码": ["370200-hrss-002"],
        "安全级别": "核心",  # 备注 has no grade, and an unknown grade is the highest
    }
    assert items[:2] == [
        {"信息项名称": "公民身份号码", "数据类型": "字符型C", "数据长度": ""},
        {"信息项名称": "姓名", "数据类型": "字符型C", "数据长度": "40"},
    ]
    assert items[4] == {"信息项名称": "月缴费基数", "数据类型": "数值型N", "数据长度": "18,2"}


@pytest.mark.parametrize(
    ("opening", "code"), [(Opening.CLOSED, "0"), (Opening.CONDITIONAL, "1"), (Opening.UNCONDITIONAL, "1")]
)
def test_closed_is_0_and_everything_else_is_1(dataset: Dataset, opening: Opening, code: str) -> None:
    assert national.export(replace(dataset, opening=opening), HRSS, None)["是否向社会开放"] == code


@pytest.mark.parametrize(
    ("sharing", "code", "method"),
    [(Sharing.UNCONDITIONAL, "1", "2"), (Sharing.CONDITIONAL, "2", "2"), (Sharing.WITHHELD, "3", "")],
)
def test_sharing_codes(dataset: Dataset, sharing: Sharing, code: str, method: str) -> None:
    entry = national.export(replace(dataset, sharing=sharing), HRSS, None)
    assert (entry["共享类型"], entry["共享方式"]) == (code, method)


@pytest.mark.parametrize(("cycle", "code"), list(zip(UpdateCycle, "123456", strict=True)))
def test_update_cycle_codes(dataset: Dataset, cycle: UpdateCycle, code: str) -> None:
    assert national.export(replace(dataset, update_cycle=cycle), HRSS, None)["更新周期"] == code


@pytest.mark.parametrize(
    ("code", "zh", "method"),
    [
        (1, "电子文件", "2"),
        (2, "电子表格", "2"),
        (3, "数据库", "1"),
        (4, "图形图像", "2"),
        (5, "流媒体", "3"),
        (6, "自描述格式", "2"),
        (7, "服务接口", "3"),
    ],
)
def test_format_codes(dataset: Dataset, code: int, zh: str, method: str) -> None:
    entry = national.export(replace(dataset, format_code=code), HRSS, None)
    assert (entry["信息资源格式"], entry["信息资源格式说明"], entry["共享方式"]) == (str(code), zh, method)


def test_what_is_exported_is_read_back(dataset: Dataset) -> None:
    assert national.read_classes(national.export(dataset, HRSS, None)) == Classes(
        sharing=Sharing.CONDITIONAL,
        sharing_condition="社会保险业务核验",
        opening=Opening.CONDITIONAL,
        opening_condition="签订授权协议",
        update_cycle=UpdateCycle.MONTH,
        format=Format.SPREADSHEET,
        method=Method.DOWNLOAD,
    )


@pytest.mark.parametrize(
    ("opened", "condition", "opening"),
    [("0", "", Opening.CLOSED), ("1", "", Opening.UNCONDITIONAL), (1, "签订协议", Opening.CONDITIONAL)],
)
def test_opening_is_read_from_code_and_condition(opened: object, condition: str, opening: Opening) -> None:
    classes = national.read_classes({**ENTRY, "是否向社会开放": opened, "开放条件": condition})
    assert isinstance(classes, Classes)
    assert classes.opening is opening


def test_what_is_withheld_needs_no_method() -> None:
    classes = national.read_classes({**ENTRY, "共享类型": 3, "共享方式": ""})
    assert isinstance(classes, Classes)
    assert (classes.sharing, classes.method) == (Sharing.WITHHELD, None)


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("共享类型", "4"),
        ("共享类型", "01"),
        ("共享方式", "0"),
        ("是否向社会开放", "2"),
        ("是否向社会开放", "是"),
        ("更新周期", "0"),
        ("更新周期", "7"),
        ("更新周期", "每月"),
        ("信息资源格式", "8"),
        ("信息资源格式", "xlsx"),
    ],
)
def test_an_unknown_code_is_refused(element: str, value: str) -> None:
    result = national.read_classes({**ENTRY, element: value})
    assert isinstance(result, Refusal)
    assert [(reason.code, reason.facts["element"]) for reason in result.reasons] == [("national-code-unknown", element)]
    assert value in result.reasons[0].message("zh")


@pytest.mark.parametrize("value", [None, "", True, ["2"], 2.0])
def test_a_code_of_another_type_is_a_missing_one(value: object) -> None:
    result = national.read_classes({**ENTRY, "共享类型": value})
    assert isinstance(result, Refusal)
    assert [reason.code for reason in result.reasons] == ["national-element-missing"]


def test_every_problem_at_once() -> None:
    result = national.read_classes({"共享类型": "2", "更新周期": "9"})
    assert isinstance(result, Refusal)
    assert [(reason.code, reason.facts["element"]) for reason in result.reasons] == [
        ("national-element-missing", "是否向社会开放"),
        ("national-code-unknown", "更新周期"),
        ("national-element-missing", "信息资源格式"),
        ("national-element-missing", "共享方式"),
        ("national-element-missing", "共享条件"),
    ]
