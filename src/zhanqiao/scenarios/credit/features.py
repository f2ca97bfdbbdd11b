# SPDX-License-Identifier: Apache-2.0
"""From evidence to features: every figure becomes a flag, a band or a label before it may leave.

A source that gave nothing makes its feature `unknown`, which is never held against anybody. The door hands in None where
no record was found and the source is too old to say so: then a flag is not "no", and a count not "0".
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from zhanqiao.scenarios.credit.evidence import CASE_KINDS, CHANGES, PENALTY_FIELDS, PENALTY_KINDS, RIGHTS
from zhanqiao.terms.services import Field, Value

UNKNOWN = "unknown"
FLAGS = ("no", "yes")
COUNTS = ("0", "1", "2", "3+")
AMOUNTS = ("none", "under_10k", "10k_100k", "100k_1m", "over_1m")  # yuan
CHANGE_RATES = ("down_over_50", "down_20_50", "down_5_20", "stable", "up_5_20", "up_over_20")  # percent
YEARS = ("under_1", "1_3", "3_5", "5_10", "over_10")

# Figures and the codes of other standards speak for themselves.
_ZH = {
    UNKNOWN: "未知",
    **dict(zip(FLAGS, ("否", "是"), strict=True)),
    **dict(zip(AMOUNTS, ("无", "1 万元以下", "1 万至 10 万元", "10 万至 100 万元", "100 万元以上"), strict=True)),
    **dict(
        zip(
            CHANGE_RATES,
            ("下降 50% 以上", "下降 20% 至 50%", "下降 5% 至 20%", "平稳", "上升 5% 至 20%", "上升 20% 以上"),
            strict=True,
        )
    ),
    **dict(zip(YEARS, ("不足 1 年", "1 至 3 年", "3 至 5 年", "5 至 10 年", "10 年以上"), strict=True)),
}

_AMOUNT_STEPS = (Decimal(0), Decimal(10_000), Decimal(100_000), Decimal(1_000_000))
_RATE_STEPS = (Decimal("-0.5"), Decimal("-0.2"), Decimal("-0.05"), Decimal("0.05"), Decimal("0.2"))
_YEAR_STEPS = (1, 3, 5, 10)
_YUAN_PER_UNIT = 10_000  # equity is registered in units of 10,000 yuan
_PERIODS_PER_YEAR = 4

Known = dict[str, Value]


@dataclass(frozen=True)
class Feature:
    """One field of the answer: what it may say, and how it is read from the evidence."""

    name: str
    zh: str
    values: tuple[str, ...]
    read: Callable[[Known, date], str]

    @property
    def field(self) -> Field:
        """Return the feature as a field of the output schema."""
        values = (*self.values, UNKNOWN)
        return Field(self.name, self.zh, values, names=tuple((one, _ZH[one]) for one in values if one in _ZH))


def features_of(known: Known, at: date) -> dict[str, str]:
    """Return every feature by name."""
    return {feature.name: feature.read(known, at) for feature in FEATURES}


def count_band(value: Value) -> str:
    """Return the band of a count: 0, 1, 2, 3+."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return UNKNOWN
    return COUNTS[min(value, len(COUNTS) - 1)]


def amount_band(value: Value, unit: int = 1) -> str:
    """Return the band of an amount in yuan; 10,000 lies in the upper of its two bands."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return UNKNOWN
    yuan = Decimal(value) * unit
    return AMOUNTS[0] if yuan <= 0 else AMOUNTS[sum(yuan >= step for step in _AMOUNT_STEPS)]


def rate_band(known: Known, name: str) -> str:
    """Return the band of the change of a mean per period, last twelve months against the twelve before.

    Means, not sums: the two windows may hold a different number of periods. Without a full earlier year: unknown.
    """
    newer, older = known.get(f"{name}_sum_12_m"), known.get(f"{name}_sum_24_m")
    recent, periods = known.get(f"{name}_periods_12_m"), known.get(f"{name}_periods_24_m")
    if not isinstance(newer, int | Decimal) or not isinstance(older, int | Decimal):
        return UNKNOWN
    if not isinstance(recent, int) or not isinstance(periods, int):
        return UNKNOWN
    earlier = periods - recent
    before = Decimal(older) - Decimal(newer)
    if recent < 1 or earlier < _PERIODS_PER_YEAR - 1 or before <= 0:
        return UNKNOWN
    rate = (Decimal(newer) / recent) / (before / earlier) - 1
    return CHANGE_RATES[sum(rate > step for step in _RATE_STEPS)]


def years_band(known: Known, at: date) -> str:
    """Return the band of the years since founding, as far as the year of founding tells."""
    founded = known.get("founded_year")
    if not isinstance(founded, int) or founded > at.year:
        return UNKNOWN
    return YEARS[sum(at.year - founded >= step for step in _YEAR_STEPS)]


def top_penalty(known: Known, _: date) -> str:
    """Return the gravest kind of penalty of the last twelve months."""
    found = {key: known.get(f"penalty_{key}_12_m") for key in PENALTY_KINDS}
    if (top := next((key for key, value in found.items() if value is True), None)) is not None:
        return top
    return UNKNOWN if any(value is None for value in found.values()) else "none"


def _count(name: str, zh: str) -> Feature:
    return Feature(name, zh, COUNTS, lambda known, _: count_band(known.get(name)))


def _flag(name: str, zh: str) -> Feature:
    return Feature(name, zh, FLAGS, lambda known, _: _flag_of(known.get(name)))


def _flag_of(value: Value) -> str:
    return FLAGS[value] if isinstance(value, bool) else UNKNOWN


def _amount(name: str, zh: str, unit: int = 1) -> Feature:
    number = name.replace("_amt_", "_num_")

    def read(known: Known, _: date) -> str:
        # A sum over no rows has no value; the count beside it tells whether there were none or no source.
        return AMOUNTS[0] if known.get(number) == 0 else amount_band(known.get(name), unit)

    return Feature(name, zh, AMOUNTS, read)


def _rate(name: str, zh: str, of: str) -> Feature:
    return Feature(name, zh, CHANGE_RATES, lambda known, _: rate_band(known, of))


def _label(name: str, zh: str, evidence: str, words: dict[str, str]) -> Feature:
    """A public label in its English word; a label that is not listed is unknown."""
    values = tuple(dict.fromkeys(words.values()))
    return Feature(name, zh, values, lambda known, _: words.get(str(known.get(evidence)), UNKNOWN))


_PENALTY_NAMES = {
    "tax": "税务",
    "env": "环保",
    "fire": "消防",
    "secu": "安全生产",
    "qlty": "质量",
    "hr": "人社",
    "other": "其他",
}
_CASE_NAMES = {"hr": "劳动", "ip": "知识产权", "env": "环境", "other": "其他"}
_CHANGE_NAMES = {"legal_person": "法定代表人", "investor_eqty": "投资人", "busi_scope": "经营范围", "adm_team": "高管"}
_RIGHT_NAMES = {"patent": "专利", "brand": "商标", "copyright": "著作权"}

FEATURES: tuple[Feature, ...] = (
    _label(
        "ep_status",
        "经营状态",
        "ep_status",
        {"在营": "active", "吊销": "revoked", "注销": "cancelled", "迁出": "moved"},
    ),
    Feature("ep_founding_years", "成立年限", YEARS, years_band),
    _label(
        "tax_credit_a_level_latest_flag",
        "最近纳税信用A级",
        "tax_grade_latest",
        {"A": "yes", "B": "no", "M": "no", "C": "no", "D": "no"},
    ),
    _label(
        "tax_credit_low_latest_flag",
        "最近纳税信用C级或D级",
        "tax_grade_latest",
        {"C": "yes", "D": "yes", "A": "no", "B": "no", "M": "no"},
    ),
    _label(
        "ep_tax_credit_adj_dic_latest",
        "最近纳税信用级别调整",
        "ep_tax_credit_adj_dic_latest",
        {"A级调为非A级": "a_nota", "非A级调为A级": "nota_a", "未调整": "unchg"},
    ),
    _flag("owing_tax_12_m_flag", "近12个月欠税"),
    _flag("owing_tax_now_flag", "当前欠税未缴清"),
    _flag("tax_as_pay_12_m_flag", "近12个月税款催缴"),
    _count("ep_tax_abnor_acct_num_12_m", "近12个月认定非正常户次数"),
    _flag("tax_abnor_acct_now_flag", "当前为非正常户"),
    _count("ep_big_tax_illegal_num_12_m", "近12个月重大税收违法案件数"),
    _count("late_declaration_num_12_m", "近12个月逾期申报次数"),
    *(_count(f"ep_{key}_penalty_num_12_m", f"近12个月{_PENALTY_NAMES[key]}处罚次数") for key in PENALTY_FIELDS),
    *(_amount(f"ep_{key}_penalty_amt_12_m", f"近12个月{_PENALTY_NAMES[key]}处罚金额") for key in PENALTY_FIELDS),
    Feature("ep_penalty_top_type_12_m", "近12个月最重处罚种类", ("none", *PENALTY_KINDS), top_penalty),
    _count("ep_busi_abnor_num_12_m", "近12个月列入经营异常次数"),
    _flag("busi_abnor_now_flag", "当前在经营异常名录"),
    _flag("ep_serious_illegal_list_flag", "当前在严重违法失信名单"),
    _flag("bankrupt_liquid_12_m_flag", "近12个月破产清算"),
    _label(
        "public_credit_grade_latest",
        "最近公共信用综合评价",
        "credit_grade_latest",
        {"优": "excellent", "良": "good", "中": "fair", "差": "poor"},
    ),
    _label("labour_grade_latest", "最近劳动保障守法诚信等级", "labour_grade_latest", {"A": "a", "B": "b", "C": "c"}),
    _flag("red_list_12_m_flag", "近12个月列入守信激励名单"),
    _flag("broken_commitment_12_m_flag", "近12个月信用承诺未履行"),
    _count("ep_force_excute_num_12_m", "近12个月被执行次数"),
    _flag("case_closed_unpaid_12_m_flag", "近12个月终结本次执行"),
    _count("ep_lost_credit_excute_num_12_m", "近12个月失信被执行次数"),
    _flag("lost_credit_now_flag", "当前为失信被执行人"),
    _flag("excu_limi_high_consum_12_m_flag", "近12个月限制高消费"),
    _count("ep_criminal_case_num_12_m", "近12个月涉刑案件数"),
    *(_count(f"ep_{key}_legal_case_num_12_m", f"近12个月{_CASE_NAMES[key]}被诉案件数") for key in CASE_KINDS),
    _flag("judicial_auction_12_m_flag", "近12个月司法拍卖"),
    _count("ep_holder_eqty_pledge_num_12_m", "近12个月股权出质次数"),
    _amount("ep_holder_eqty_pledge_amt_12_m", "近12个月股权出质数额", _YUAN_PER_UNIT),
    _count("ep_holder_eqty_frez_num_12_m", "近12个月股权冻结次数"),
    _amount("ep_holder_eqty_frez_amt_12_m", "近12个月股权冻结数额", _YUAN_PER_UNIT),
    _count("chattel_mortgage_num_12_m", "近12个月动产抵押次数"),
    *(_count(f"ep_{key}_adj_num_12_m", f"近12个月{_CHANGE_NAMES[key]}变更次数") for key in CHANGES),
    _rate("ep_staff_num_adj_rate_12_m", "员工人数变动", "staff"),
    _rate("sales_adj_rate_12_m", "申报销售额变动", "sales"),
    _rate("power_use_adj_rate_12_m", "用电量变动", "power"),
    *(_count(f"ep_{key}_add_num_12_m", f"近12个月新增{_RIGHT_NAMES[key]}数") for key in RIGHTS),
    _label(
        "ep_env_evaluate_12_m",
        "最近环境信用评价",
        "ep_env_evaluate_12_m",
        {"绿": "green", "蓝": "blue", "黄": "yellow", "红": "red"},
    ),
)
