# SPDX-License-Identifier: Apache-2.0
"""The pre-check: points off per feature, a band, and PASS or TO_MANUAL with every reason. The bank decides.

The rules are one table. A row either only costs points or also sends the case to a person; nothing here refuses a loan.
A core source that is silent sends to a person too, without costing a point.
"""

from dataclasses import dataclass, field
from datetime import date

from zhanqiao.scenarios.credit.features import UNKNOWN, Known, features_of

PACK = "enterprise-credit/1.0.0"

PASS, TO_MANUAL = "PASS", "TO_MANUAL"
FAVOURABLE, REVIEW, UNDETERMINED = "favourable", "review", "undetermined"
BANK_DECIDES, OFFICER_REVIEWS, ASK_SOURCE = "bank_decides", "credit_officer_reviews", "ask_source_department"
STEPS = {BANK_DECIDES: "由银行决定", OFFICER_REVIEWS: "银行信贷人员审查", ASK_SOURCE: "向数源部门查询"}
# A band starts at its score; the last one goes to a person.
BANDS = (("A", 90), ("B", 75), ("C", 60), ("D", 0))


@dataclass(frozen=True)
class Rule:
    """What one feature's values cost, and which of them a person must look at.

    code    reason that the answer names
    points  value of the feature -> points off a score of 100 (a negative number gives points)
    manual  values that send the case to a person
    """

    code: str
    zh: str
    en: str
    feature: str
    points: dict[str, int]
    manual: frozenset[str] = field(default_factory=frozenset)


def _seen(one: int, two: int, three: int) -> dict[str, int]:
    return {"1": one, "2": two, "3+": three}


_ANY = frozenset({"1", "2", "3+"})
_YES = frozenset({"yes"})

RULES: tuple[Rule, ...] = (
    Rule(
        "NOT_ACTIVE",
        "企业不在营",
        "the enterprise is not active",
        "ep_status",
        {"revoked": 60, "cancelled": 60, "moved": 10},
        frozenset({"revoked", "cancelled", "moved"}),
    ),
    Rule("YOUNG", "成立不满一年", "founded less than a year ago", "ep_founding_years", {"under_1": 6, "1_3": 3}),
    Rule("TAX_GRADE_LOW", "纳税信用C级或D级", "tax credit grade C or D", "tax_credit_low_latest_flag", {"yes": 10}),
    Rule("TAX_GRADE_A_LOST", "纳税信用失去A级", "lost tax grade A", "ep_tax_credit_adj_dic_latest", {"a_nota": 3}),
    Rule("TAX_OWED", "欠税未缴清", "tax is owed", "owing_tax_now_flag", {"yes": 12}, _YES),
    Rule("TAX_OWED_LATELY", "近12个月欠税", "owed tax lately", "owing_tax_12_m_flag", {"yes": 8}),
    Rule("TAX_DUNNED", "近12个月被催缴税款", "was dunned by the tax bureau", "tax_as_pay_12_m_flag", {"yes": 6}),
    Rule("TAX_ABNORMAL", "非正常户", "abnormal taxpayer", "tax_abnor_acct_now_flag", {"yes": 20}, _YES),
    Rule(
        "TAX_VIOLATION",
        "重大税收违法",
        "major tax violation",
        "ep_big_tax_illegal_num_12_m",
        _seen(25, 35, 45),
        _ANY,
    ),
    Rule("LATE_RETURNS", "逾期申报", "late tax returns", "late_declaration_num_12_m", _seen(4, 8, 12)),
    *(
        Rule(
            f"PENALTY_{key.upper()}",
            f"{zh}行政处罚",
            f"penalty: {en}",
            f"ep_{key}_penalty_num_12_m",
            _seen(6, 12, 18),
            frozenset({"3+"}),
        )
        for key, zh, en in (
            ("tax", "税务", "tax"),
            ("env", "环保", "environment"),
            ("fire", "消防", "fire safety"),
            ("secu", "安全生产", "work safety"),
            ("qlty", "质量", "quality"),
            ("hr", "人社", "labour"),
            ("other", "其他", "other"),
        )
    ),
    Rule(
        "PENALTY_GRAVE",
        "停产停业或吊销许可",
        "work was stopped or a licence revoked",
        "ep_penalty_top_type_12_m",
        {"revocation": 15, "suspension": 10},
        frozenset({"revocation", "suspension"}),
    ),
    Rule(
        "ABNORMAL_LISTED",
        "在经营异常名录",
        "on the list of abnormal operations",
        "busi_abnor_now_flag",
        {"yes": 10},
        _YES,
    ),
    Rule("SERIOUS_ILLEGAL", "严重违法失信", "seriously illegal", "ep_serious_illegal_list_flag", {"yes": 40}, _YES),
    Rule("BANKRUPTCY", "破产清算", "bankruptcy", "bankrupt_liquid_12_m_flag", {"yes": 60}, _YES),
    Rule("CREDIT_POOR", "公共信用评价差", "poor public credit", "public_credit_grade_latest", {"fair": 4, "poor": 12}),
    Rule("LABOUR_C", "劳动保障诚信C级", "labour-law grade C", "labour_grade_latest", {"c": 5}),
    Rule("COMMITMENT_BROKEN", "信用承诺未履行", "a commitment was broken", "broken_commitment_12_m_flag", {"yes": 5}),
    Rule("ENFORCEMENT", "被执行", "enforcement", "ep_force_excute_num_12_m", _seen(12, 20, 30), frozenset({"2", "3+"})),
    Rule(
        "CLOSED_UNPAID", "终结本次执行", "enforcement closed unpaid", "case_closed_unpaid_12_m_flag", {"yes": 15}, _YES
    ),
    Rule("DEFAULTER", "失信被执行人", "judgment defaulter", "lost_credit_now_flag", {"yes": 30}, _YES),
    Rule("LIMITED", "限制高消费", "limit on consumption", "excu_limi_high_consum_12_m_flag", {"yes": 15}, _YES),
    Rule("CRIMINAL_CASE", "涉刑案件", "criminal case", "ep_criminal_case_num_12_m", _seen(30, 40, 50), _ANY),
    Rule("SUED_LABOUR", "劳动争议被诉", "sued by employees", "ep_hr_legal_case_num_12_m", _seen(4, 8, 12)),
    Rule("SUED_IP", "知识产权被诉", "sued over intellectual property", "ep_ip_legal_case_num_12_m", _seen(2, 4, 6)),
    Rule("SUED_ENV", "环境侵权被诉", "sued over the environment", "ep_env_legal_case_num_12_m", _seen(4, 8, 12)),
    Rule("SUED", "合同等被诉", "sued", "ep_other_legal_case_num_12_m", _seen(5, 10, 15)),
    Rule("AUCTIONED", "司法拍卖", "property auctioned", "judicial_auction_12_m_flag", {"yes": 12}, _YES),
    Rule("EQUITY_PLEDGED", "股权出质", "equity pledged", "ep_holder_eqty_pledge_num_12_m", _seen(3, 5, 8)),
    Rule("EQUITY_FROZEN", "股权冻结", "equity frozen", "ep_holder_eqty_frez_num_12_m", _seen(15, 20, 25), _ANY),
    Rule("NEW_HEAD", "法定代表人变更", "new legal representative", "ep_legal_person_adj_num_12_m", _seen(3, 6, 10)),
    Rule("NEW_OWNERS", "投资人变更", "investors changed", "ep_investor_eqty_adj_num_12_m", _seen(2, 4, 8)),
    Rule(
        "STAFF_FALLS",
        "员工减少",
        "staff falls",
        "ep_staff_num_adj_rate_12_m",
        {"down_5_20": 2, "down_20_50": 5, "down_over_50": 10},
    ),
    Rule(
        "SALES_FALL",
        "销售额下降",
        "sales fall",
        "sales_adj_rate_12_m",
        {"down_5_20": 3, "down_20_50": 8, "down_over_50": 15},
    ),
    Rule(
        "POWER_FALLS", "用电量下降", "power use falls", "power_use_adj_rate_12_m", {"down_20_50": 4, "down_over_50": 8}
    ),
    Rule("ENVIRONMENT_RED", "环境信用红黄牌", "red or yellow card", "ep_env_evaluate_12_m", {"yellow": 4, "red": 10}),
    Rule("TAX_GRADE_A", "纳税信用A级", "tax credit grade A", "tax_credit_a_level_latest_flag", {"yes": -5}),
)

# Sources without which there is no pre-check: their silence goes to a person, and costs nothing.
CORE = (
    "ep_status",
    "owing_tax_now_flag",
    "tax_abnor_acct_now_flag",
    "ep_serious_illegal_list_flag",
    "bankrupt_liquid_12_m_flag",
    "ep_force_excute_num_12_m",
    "lost_credit_now_flag",
)
SOURCE_MISSING, LOW_BAND = "SOURCE_MISSING", "LOW_BAND"
REASONS: dict[str, tuple[str, str]] = {
    **{rule.code: (rule.zh, rule.en) for rule in RULES},
    SOURCE_MISSING: ("必要数据来源缺失", "a core source gave nothing"),
    LOW_BAND: ("评分等级低", "low score band"),
}


def decide(evidence: Known, at: date) -> dict[str, object]:
    """Return features, band, pre-check, every reason and the next step."""
    features = features_of(evidence, at)
    score, reasons, manual = 100, [], False
    for rule in RULES:
        value = features[rule.feature]
        points = rule.points.get(value, 0)
        score -= points
        if points > 0 or value in rule.manual:
            reasons.append(rule.code)
        manual = manual or value in rule.manual
    band = next(name for name, start in BANDS if max(score, 0) >= start)
    if band == BANDS[-1][0]:
        reasons.append(LOW_BAND)
        manual = True
    missing = any(features[name] == UNKNOWN for name in CORE)
    if missing:
        reasons.append(SOURCE_MISSING)
    if manual:
        outcome, next_step = REVIEW, OFFICER_REVIEWS
    elif missing:
        outcome, next_step = UNDETERMINED, ASK_SOURCE
    else:
        outcome, next_step = FAVOURABLE, BANK_DECIDES
    return {
        "outcome": outcome,
        "precheck": PASS if outcome == FAVOURABLE else TO_MANUAL,
        "band": UNKNOWN if missing else band,  # half the sources make no score
        "reasons": reasons,
        "next_step": next_step,
        **features,
    }
