# SPDX-License-Identifier: Apache-2.0
"""Human resources and social security (人力资源和社会保障局): who is insured, who works, who draws what, who knows what."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zhanqiao.scenarios.city.city import City
from zhanqiao.scenarios.city.departments.columns import days, labels, money
from zhanqiao.scenarios.city.departments.persons import (
    births,
    full_names,
    homes,
    ids,
    last_days,
    meetings,
    sample,
    sexes,
    some_day,
)
from zhanqiao.scenarios.city.departments.source import codes, districts, industries, names
from zhanqiao.scenarios.city.enterprises import ACTIVE, INDUSTRIES
from zhanqiao.scenarios.city.lives import (
    BACHELOR,
    DEGREES,
    EMPLOYEE_PENSIONER,
    FLEXIBLE,
    MASTER,
    RESIDENT,
    SPECIALIST,
    UNINSURED,
)
from zhanqiao.scenarios.city.people import NO_EMPLOYER, YEAR
from zhanqiao.scenarios.city.work import working_age

MONTHS = 3
ENROLMENT_STATES = ("正常缴费", "暂停缴费")
ARRIVALS = ("已到账", "未到账")
RISK_CLASSES = ("一类", "二类", "三类", "四类", "五类", "六类", "七类", "八类")
# Risk class of each industry, in the order of INDUSTRIES.
_CLASS_OF_INDUSTRY = np.array([1, 3, 1, 5, 0, 0, 1, 4, 3, 2, 2])
RESIDENT_STATES = ("正常缴费", "中断缴费")
PAYMENT_GRADES = ("100元", "300元", "500元", "800元", "1000元", "1500元", "2000元", "3000元", "5000元", "8000元")
UNIT_STATES = ("正常参保", "暂停参保", "注销")
BENEFIT_KINDS = ("城镇职工基本养老保险", "城乡居民基本养老保险")
BENEFIT_STATES = ("正常发放", "暂停发放", "终止发放")
JOB_FORMS = ("全日制", "非全日制", "劳务派遣")
TERM_KINDS = ("固定期限", "无固定期限", "以完成一定工作任务为期限")
JOBLESS_REASONS = ("劳动合同期满", "用人单位解除", "个人解除", "企业关闭破产", "毕业未就业", "其他")
JOBLESS_STATES = ("登记失业", "已就业", "已注销")
UNEMPLOYMENT_STATES = ("领取中", "已停领")
TITLE_LEVELS = ("初级", "中级", "副高级", "正高级")
TITLE_SERIES = ("工程", "卫生", "中小学教师", "高校教师", "经济", "会计", "农业", "其他")
OCCUPATIONS = (
    "电工",
    "焊工",
    "钳工",
    "养老护理员",
    "保育师",
    "中式烹调师",
    "汽车维修工",
    "物流服务师",
    "美容师",
    "其他",
)
SKILL_LEVELS = ("五级/初级工", "四级/中级工", "三级/高级工", "二级/技师", "一级/高级技师")
INJURY_CONCLUSIONS = ("认定工伤", "视同工伤", "不予认定")
DISABILITY_GRADES = ("未达级", "十级", "九级", "八级", "七级", "六级", "五级", "四级", "三级", "二级", "一级")
BANKS = ("青岛银行", "青岛农商银行", "工商银行", "农业银行", "中国银行", "建设银行", "交通银行", "招商银行", "邮储银行")
CARD_STATES = ("正常", "挂失", "注销")
CERTIFICATION_WAYS = ("手机人脸识别", "自助终端", "窗口现场")
TALENT_KINDS = ("全日制本科及以上毕业生", "高级职称人才", "高技能人才", "留学回国人员")
TALENT_STATES = ("已落户", "办理中")

# Contribution rates in per cent of the base.
_PERSON_RATE, _UNIT_RATE = 8, 16
_UNEMPLOYMENT_BENEFIT_FEN = (172_800, 189_000, 202_500)


def hrss(city: City) -> dict[str, pa.Table]:
    """Return the bureau's datasets by name."""
    unpaid = _unpaid(city)
    registered, benefit = _unemployment(city)
    return {
        "pension_enrolment": _enrolment(city),
        "pension_payment": _payments(city, unpaid),
        "unemployment_insurance": _unemployment_insurance(city, unpaid),
        "injury_insurance": _injury_insurance(city, unpaid),
        "resident_pension": _resident_pension(city),
        "insured_unit": _units(city, unpaid),
        "pension_roster": _roster(city),
        "employment_registration": _employment(city),
        "labour_contract": _contracts(city),
        "unemployment_registration": registered,
        "unemployment_benefit": benefit,
        "professional_title": _titles(city),
        "skill_certificate": _skills(city),
        "injury_recognition": _injuries(city),
        "social_security_card": _cards(city),
        "pension_certification": _certifications(city),
        "talent_introduction": _talents(city),
    }


def _employed(city: City) -> NDArray[np.int64]:
    return np.flatnonzero(city.people.employer != NO_EMPLOYER)


def _unpaid(city: City) -> NDArray[np.bool_]:
    """Return for each enterprise (row) and month (column, newest last) whether it did not pay: risk shows here, too.

    An enterprise that stops paying mostly goes on not paying.
    """
    risk = city.enterprises.risk[:, None]
    starts = city.dice.random((len(city.enterprises), MONTHS)) < 0.004 + 0.16 * risk
    return np.asarray(np.logical_or.accumulate(starts, axis=1) & (city.dice.random(starts.shape) < 0.85))


def _month_starts(city: City) -> NDArray[np.datetime64]:
    """Return the first days of the last finished months, oldest first."""
    this = city.today.astype("datetime64[M]")
    return np.asarray((this - np.arange(MONTHS, 0, -1)).astype("datetime64[D]"))


def _enrolment(city: City) -> pa.Table:
    lives = city.lives
    rows = np.flatnonzero(lives.contributes & city.people.alive)
    paused = (lives.insurance[rows] == FLEXIBLE) & (city.dice.random(len(rows)) < 0.14)
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "姓名": full_names(city, rows),
            "出生日期": births(city, rows),
            "性别": sexes(city, rows),
            "所属区市": homes(city, rows),
            "参保状态": labels(paused.astype(np.int8), ENROLMENT_STATES),
            "首次参保日期": days(lives.enrolled[rows]),
            "累计缴费月数": pa.array(lives.paid_months[rows]),
            "月缴费基数": money(lives.base[rows]),
        }
    )


def _payments(city: City, unpaid: NDArray[np.bool_]) -> pa.Table:
    workers = _employed(city)
    months = _month_starts(city)
    row = np.tile(workers, MONTHS)
    column = np.repeat(np.arange(MONTHS), len(workers))
    worked = city.work.hired[row] <= months[column]
    row, column = row[worked], column[worked]
    employer = city.people.employer[row]
    late = unpaid[employer, column]
    base = city.lives.base[row]
    # An employer pays for all its people on one day, between the 5th and the 25th.
    day_of_month = city.dice.integers(4, 25, unpaid.shape)[employer, column]
    paid = months[column] + day_of_month.astype("timedelta64[D]")
    paid[late] = np.datetime64("NaT")
    return pa.table(
        {
            "公民身份号码": ids(city, row),
            "统一社会信用代码": codes(city, employer),
            "费款所属期": days(months[column]),
            "缴费基数": money(base),
            "个人缴费金额": money(base * _PERSON_RATE // 100),
            "单位缴费金额": money(base * _UNIT_RATE // 100),
            "到账状态": labels(late.astype(np.int8), ARRIVALS),
            "到账日期": days(paid),
        }
    )


def _unemployment_insurance(city: City, unpaid: NDArray[np.bool_]) -> pa.Table:
    rows = _employed(city)
    employer = city.people.employer[rows]
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "统一社会信用代码": codes(city, employer),
            "所属区市": homes(city, rows),
            "行业门类": industries(city, employer),
            "参保状态": labels(unpaid[employer, -1].astype(np.int8), ENROLMENT_STATES),
            "连续缴费月数": pa.array(city.lives.steady_months[rows]),
            "缴费基数": money(city.lives.base[rows]),
        }
    )


def _injury_insurance(city: City, unpaid: NDArray[np.bool_]) -> pa.Table:
    rows = _employed(city)
    employer = city.people.employer[rows]
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "统一社会信用代码": codes(city, employer),
            "所属区市": homes(city, rows),
            "行业风险类别": labels(_CLASS_OF_INDUSTRY[city.enterprises.industry[employer]], RISK_CLASSES),
            "参保状态": labels(unpaid[employer, -1].astype(np.int8), ENROLMENT_STATES),
            "参保日期": days(city.work.hired[rows]),
        }
    )


def _resident_pension(city: City) -> pa.Table:
    lives = city.lives
    rows = np.flatnonzero((lives.insurance == RESIDENT) & city.people.alive)
    grade = city.dice.choice(
        len(PAYMENT_GRADES), len(rows), p=(0.05, 0.42, 0.18, 0.08, 0.09, 0.03, 0.04, 0.05, 0.05, 0.01)
    )
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "姓名": full_names(city, rows),
            "出生日期": births(city, rows),
            "性别": sexes(city, rows),
            "所属区市": homes(city, rows),
            "参保状态": labels((city.dice.random(len(rows)) < 0.11).astype(np.int8), RESIDENT_STATES),
            "缴费档次": labels(grade, PAYMENT_GRADES),
            "累计缴费年限": pa.array(lives.paid_months[rows] // 12),
        }
    )


def _units(city: City, unpaid: NDArray[np.bool_]) -> pa.Table:
    enterprises = city.enterprises
    workers = _employed(city)
    staff = np.bincount(city.people.employer[workers], minlength=len(enterprises))
    bases = np.bincount(city.people.employer[workers], city.lives.base[workers], len(enterprises)).astype(np.int64)
    rows = np.flatnonzero((staff > 0) | (city.dice.random(len(staff)) < 0.5))
    state = np.where(enterprises.status == ACTIVE, np.where(staff > 0, 0, 1), 2)
    return pa.table(
        {
            "统一社会信用代码": codes(city, rows),
            "单位名称": names(city, rows),
            "所属区市": districts(city, rows),
            "行业门类": industries(city, rows),
            "参保状态": labels(state[rows], UNIT_STATES),
            "参保人数": pa.array(staff[rows]),
            "欠费金额": money((bases * (_PERSON_RATE + _UNIT_RATE) // 100 * unpaid.sum(axis=1))[rows]),
            "参保登记日期": days(np.minimum(enterprises.founded[rows] + np.timedelta64(30, "D"), city.today)),
        }
    )


def _roster(city: City) -> pa.Table:
    """Everybody who draws a pension, and whom the bureau took off the list within the window of known deaths.

    The bureau compares itself with reported deaths once a month. Until then, and while nobody reports, it goes on paying.
    """
    lives, people = city.lives, city.people
    rows = np.flatnonzero(lives.pensioner)
    compared = city.today.astype("datetime64[M]").astype("datetime64[D]")
    ended = ~people.alive[rows] & (lives.reported[rows] < compared)
    # A mistaken report stops the payment until the pensioner comes and complains; some were never certified in time.
    overdue = people.alive[rows] & (city.dice.random(len(rows)) < 0.006)
    paused = (lives.mistaken[rows] & (city.dice.random(len(rows)) < 0.5)) | overdue
    ago = np.where(overdue, 15 * 30, 0) + city.dice.integers(1, 365, len(rows))
    certified = np.minimum(last_days(city, rows), city.today - ago.astype("timedelta64[D]"))
    certified = np.maximum(certified, lives.pension_from[rows])
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "姓名": full_names(city, rows),
            "出生日期": births(city, rows),
            "性别": sexes(city, rows),
            "所属区市": homes(city, rows),
            "待遇类别": labels(np.where(lives.insurance[rows] == EMPLOYEE_PENSIONER, 0, 1), BENEFIT_KINDS),
            "领取状态": labels(np.select([ended, paused], [2, 1], 0), BENEFIT_STATES),
            "首次领取日期": days(lives.pension_from[rows]),
            "上次认证日期": days(np.minimum(certified, last_days(city, rows))),
            "月养老金": money(lives.pension[rows]),
        }
    )


def _employment(city: City) -> pa.Table:
    rows = _employed(city)
    employer = city.people.employer[rows]
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "统一社会信用代码": codes(city, employer),
            "性别": sexes(city, rows),
            "所属区市": homes(city, rows),
            "行业门类": industries(city, employer),
            "就业形式": labels(city.dice.choice(len(JOB_FORMS), len(rows), p=(0.86, 0.06, 0.08)), JOB_FORMS),
            "文化程度": labels(city.lives.degree[rows], DEGREES),
            "就业登记日期": days(city.work.hired[rows]),
        }
    )


def _contracts(city: City) -> pa.Table:
    rows = sample(city, city.people.employer != NO_EMPLOYER, 0.93)
    served = (city.today - city.work.hired[rows]).astype(np.int64) / YEAR
    # After ten years an employee may ask for a contract without an end.
    kind = np.where(served > 10, 1, city.dice.choice(3, len(rows), p=(0.88, 0.07, 0.05)))
    ends = city.today + city.dice.integers(5, 3 * 365, len(rows)).astype("timedelta64[D]")
    ends[kind == 1] = np.datetime64("NaT")
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "统一社会信用代码": codes(city, city.people.employer[rows]),
            "所属区市": homes(city, rows),
            "合同期限类型": labels(kind, TERM_KINDS),
            "合同起始日期": days(city.work.hired[rows]),
            "合同终止日期": days(ends),
            "约定月工资": money(city.work.wage[rows]),
        }
    )


def _unemployment(city: City) -> tuple[pa.Table, pa.Table]:
    """Return registrations and benefits: a benefit is drawn by a part of those who are registered."""
    adult = city.people.alive & working_age(city.people, city.today)
    jobless = adult & (city.people.employer == NO_EMPLOYER) & (city.lives.insurance != UNINSURED)
    found = adult & (city.people.employer != NO_EMPLOYER)
    rows = np.concatenate([sample(city, jobless, 0.12), sample(city, found, 0.03)])
    back = city.people.employer[rows] != NO_EMPLOYER
    # Whoever works again registered before being hired.
    hired = np.where(np.isnat(city.work.hired[rows]), city.today, city.work.hired[rows])
    registered = hired - city.dice.integers(20, 700, len(rows)).astype("timedelta64[D]")
    reason = city.dice.choice(len(JOBLESS_REASONS), len(rows), p=(0.3, 0.2, 0.25, 0.06, 0.1, 0.09))
    state = np.where(back, 1, (city.dice.random(len(rows)) < 0.15) * 2)
    registration = pa.table(
        {
            "公民身份号码": ids(city, rows),
            "性别": sexes(city, rows),
            "出生日期": births(city, rows),
            "所属区市": homes(city, rows),
            "失业原因": labels(reason, JOBLESS_REASONS),
            "登记日期": days(registered),
            "登记状态": labels(state, JOBLESS_STATES),
        }
    )
    # Who left on their own accord or comes from school draws nothing.
    entitled = np.isin(reason, (0, 1, 3)) & (city.lives.paid_months[rows] >= 12)
    granted = np.clip(city.lives.paid_months[rows] // 12 * 2, 3, 24)[entitled]
    began = registered[entitled] + np.timedelta64(15, "D")
    over = began + (granted * 30).astype("timedelta64[D]") < city.today
    amount = np.array(_UNEMPLOYMENT_BENEFIT_FEN)[city.dice.integers(3, size=len(began))]
    benefit = pa.table(
        {
            "公民身份号码": ids(city, rows[entitled]),
            "所属区市": homes(city, rows[entitled]),
            "核定期限(月)": pa.array(granted),
            "月发放标准": money(amount),
            "开始领取日期": days(began),
            "领取状态": labels((over | (state[entitled] > 0)).astype(np.int8), UNEMPLOYMENT_STATES),
        }
    )
    return registration, benefit


def _grown(city: City, rows: NDArray[np.int64], years: int) -> NDArray[np.datetime64]:
    """Return the day on which those people were so old, but not before 1990: registers begin there."""
    return np.maximum(city.people.birth[rows] + np.timedelta64(round(years * YEAR), "D"), np.datetime64("1990-01-01"))


def _titles(city: City) -> pa.Table:
    age = city.people.ages(city.today)
    educated = city.people.alive & (age >= 26) & (city.lives.degree >= SPECIALIST)
    rows = sample(city, educated, 0.28)
    level = np.minimum(city.dice.poisson(np.clip((age[rows] - 26) / 13, 0, 1.6)), len(TITLE_LEVELS) - 1)
    number = np.char.add("鲁职", city.shard.dealt(city.dice.permutation(len(rows))).astype("U8"))
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "姓名": full_names(city, rows),
            "职称级别": labels(level, TITLE_LEVELS),
            "职称系列": labels(
                city.dice.choice(8, len(rows), p=(0.34, 0.17, 0.19, 0.05, 0.08, 0.07, 0.03, 0.07)), TITLE_SERIES
            ),
            "证书编号": pa.array(number),
            "取得日期": days(some_day(city, rows, _grown(city, rows, 24))),
            "所属区市": homes(city, rows),
        }
    )


def _skills(city: City) -> pa.Table:
    age = city.people.ages(city.today)
    skilled = city.people.alive & (age >= 20) & (age < 62) & (city.lives.degree < BACHELOR)
    rows = sample(city, skilled, 0.17)
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "姓名": full_names(city, rows),
            "职业名称": labels(city.dice.integers(len(OCCUPATIONS), size=len(rows)), OCCUPATIONS),
            "技能等级": labels(city.dice.choice(5, len(rows), p=(0.34, 0.33, 0.24, 0.06, 0.03)), SKILL_LEVELS),
            "发证日期": days(some_day(city, rows, _grown(city, rows, 18))),
            "所属区市": homes(city, rows),
        }
    )


def _injuries(city: City) -> pa.Table:
    risk = np.zeros(len(city.people))
    workers = _employed(city)
    risk[workers] = 0.004 * (1 + _CLASS_OF_INDUSTRY[city.enterprises.industry[city.people.employer[workers]]])
    rows = np.flatnonzero(city.dice.random(len(risk)) < risk)
    employer = city.people.employer[rows]
    conclusion = city.dice.choice(3, len(rows), p=(0.86, 0.05, 0.09))
    grade = np.minimum(city.dice.geometric(0.6, len(rows)) - 1, len(DISABILITY_GRADES) - 1)
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "统一社会信用代码": codes(city, employer),
            "所属区市": homes(city, rows),
            "行业门类": industries(city, employer),
            "认定结论": labels(conclusion, INJURY_CONCLUSIONS),
            "伤残等级": labels(np.where(conclusion == 2, 0, grade), DISABILITY_GRADES),
            "事故日期": days(some_day(city, rows, city.work.hired[rows])),
        }
    )


def _cards(city: City) -> pa.Table:
    rows = sample(city, np.isnat(city.lives.reported), 0.93)
    state = city.dice.choice(2, len(rows), p=(0.985, 0.015))
    first = np.maximum(city.people.birth[rows], np.datetime64("2012-01-01"))
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "姓名": full_names(city, rows),
            "服务银行": labels(
                city.dice.choice(9, len(rows), p=(0.2, 0.2, 0.13, 0.13, 0.09, 0.11, 0.05, 0.04, 0.05)), BANKS
            ),
            "卡状态": labels(np.where(city.lives.mistaken[rows], 2, state), CARD_STATES),
            "发卡日期": days(some_day(city, rows, first)),
            "所属区市": homes(city, rows),
        }
    )


def _certifications(city: City) -> pa.Table:
    """Pensioners who let the telephone look at their face, or went to a counter: only those who passed are kept."""
    person, day = meetings(city, np.where(city.lives.pensioner, 0.35, 0.0), months=15)
    way = city.dice.choice(3, len(person), p=(0.78, 0.1, 0.12))
    return pa.table(
        {
            "公民身份号码": ids(city, person),
            "认证方式": labels(way, CERTIFICATION_WAYS),
            "认证日期": days(day),
            "所属区市": homes(city, person),
        }
    )


def _talents(city: City) -> pa.Table:
    age = city.people.ages(city.today)
    young = city.people.alive & (age < 45) & (city.lives.degree >= BACHELOR) & (city.lives.graduated < city.today)
    rows = sample(city, young, 0.12)
    kind = city.dice.choice(len(TALENT_KINDS), len(rows), p=(0.78, 0.1, 0.04, 0.08))
    # A degree of a foreign university is mostly a master's; those without one came some other way.
    kind[(kind == 3) & (city.lives.degree[rows] < MASTER)] = 0
    applied = some_day(city, rows, np.maximum(city.lives.graduated[rows], city.today - np.timedelta64(5 * 365, "D")))
    return pa.table(
        {
            "公民身份号码": ids(city, rows),
            "姓名": full_names(city, rows),
            "引进类别": labels(kind, TALENT_KINDS),
            "学历层次": labels(city.lives.degree[rows], DEGREES),
            "申请日期": days(applied),
            "办理状态": labels((city.today - applied < np.timedelta64(20, "D")).astype(np.int8), TALENT_STATES),
            "落户区市": homes(city, rows),
        }
    )


assert len(_CLASS_OF_INDUSTRY) == len(INDUSTRIES), "every industry has a risk class"
