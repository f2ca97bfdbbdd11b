# SPDX-License-Identifier: Apache-2.0
"""What the enterprise-credit service reads about one enterprise: counts, sums and newest values over twelve months.

Names with the spelling `ep_…_12_m` are fields of domain.md 6.3 and become features of the same name. The others are
parts of a feature (a change needs two windows). Nothing here is a row: each entry is one figure.
"""

from zhanqiao.terms.services import Evidence, Operation

YEAR = 12

PENALTY_FIELDS = {
    "tax": "税务",
    "env": "生态环境",
    "fire": "消防救援",
    "secu": "应急管理",
    "qlty": "市场监管",
    "hr": "人力资源社会保障",
    "other": "其他",
}
# From the gravest to the lightest: the first that occurs is the top type.
PENALTY_KINDS = {
    "revocation": "吊销许可证件",
    "suspension": "责令停产停业",
    "confiscation": "没收违法所得",
    "fine": "罚款",
    "warning": "警告",
}
CASE_KINDS = {
    "hr": ("劳动争议",),
    "ip": ("知识产权纠纷",),
    "env": ("环境污染责任纠纷",),
    "other": ("合同纠纷", "其他"),
}
CHANGES = {
    "legal_person": "法定代表人变更",
    "investor_eqty": "投资人变更",
    "busi_scope": "经营范围变更",
    "adm_team": "高级管理人员备案",
}
RIGHTS = {
    "patent": ("发明专利", "实用新型专利", "外观设计专利"),
    "brand": ("注册商标",),
    "copyright": ("软件著作权",),
}


def _newest(name: str, dataset: str, item: str, date_item: str) -> Evidence:
    return Evidence(name, dataset, Operation.NEWEST, item=item, date_item=date_item)


def _count(name: str, dataset: str, date_item: str, months: int = YEAR, **where: tuple[str, ...]) -> Evidence:
    return Evidence(
        name, dataset, Operation.COUNT, date_item=date_item, window_months=months, where=tuple(where.items())
    )


def _sum(name: str, dataset: str, item: str, date_item: str, months: int = YEAR, **where: tuple[str, ...]) -> Evidence:
    return Evidence(
        name,
        dataset,
        Operation.SUM,
        item=item,
        date_item=date_item,
        window_months=months,
        where=tuple(where.items()),
    )


def _within(name: str, dataset: str, date_item: str, **where: tuple[str, ...]) -> Evidence:
    return Evidence(
        name, dataset, Operation.EXISTS, date_item=date_item, window_months=YEAR, where=tuple(where.items())
    )


def _now(name: str, dataset: str, **where: tuple[str, ...]) -> Evidence:
    return Evidence(name, dataset, Operation.EXISTS, where=tuple(where.items()))


def _two_years(name: str, dataset: str, item: str, date_item: str) -> tuple[Evidence, ...]:
    """Return sum and number of periods in one and in two years: what a change between years is computed from."""
    return (
        _sum(f"{name}_sum_12_m", dataset, item, date_item),
        _count(f"{name}_periods_12_m", dataset, date_item),
        _sum(f"{name}_sum_24_m", dataset, item, date_item, 2 * YEAR),
        _count(f"{name}_periods_24_m", dataset, date_item, 2 * YEAR),
    )


_IDENTITY = (
    _newest("ep_status", "enterprise_registration", "register_status", "approved_on"),
    _newest("founded_year", "enterprise_registration", "founded_year", "approved_on"),
)
_TAX = (
    _newest("tax_grade_latest", "tax_credit_grade", "tax_grade", "evaluated_on"),
    _newest("ep_tax_credit_adj_dic_latest", "tax_credit_grade", "adjustment", "evaluated_on"),
    _within("owing_tax_12_m_flag", "tax_arrears", "announced_on"),
    _now("owing_tax_now_flag", "tax_arrears", arrears_state=("未缴清",)),
    _within("tax_as_pay_12_m_flag", "tax_notice", "issued_on", notice_kind=("税款催缴",)),
    _count("ep_tax_abnor_acct_num_12_m", "abnormal_taxpayer", "identified_on"),
    _now("tax_abnor_acct_now_flag", "abnormal_taxpayer", abnormal_state=("非正常",)),
    _count("ep_big_tax_illegal_num_12_m", "major_tax_violation", "published_on"),
    _count("late_declaration_num_12_m", "vat_declaration", "period_end", timeliness=("逾期申报",)),
)
_PENALTY = (
    *(
        _count(f"ep_{key}_penalty_num_12_m", "administrative_penalty", "decided_on", penalty_field=(field,))
        for key, field in PENALTY_FIELDS.items()
    ),
    *(
        _sum(
            f"ep_{key}_penalty_amt_12_m", "administrative_penalty", "fine_amount", "decided_on", penalty_field=(field,)
        )
        for key, field in PENALTY_FIELDS.items()
    ),
    *(
        _within(f"penalty_{key}_12_m", "administrative_penalty", "decided_on", penalty_kind=(kind,))
        for key, kind in PENALTY_KINDS.items()
    ),
)
_STANDING = (
    _count("ep_busi_abnor_num_12_m", "abnormal_operation", "listed_on"),
    _now("busi_abnor_now_flag", "abnormal_operation", listing_state=("在列",)),
    _now("ep_serious_illegal_list_flag", "serious_illegal_list", listing_state=("在列",)),
    _within("bankrupt_liquid_12_m_flag", "bankruptcy_case", "announced_on"),
    _newest("credit_grade_latest", "public_credit_evaluation", "credit_grade", "evaluated_on"),
    _newest("labour_grade_latest", "labour_credit", "labour_grade", "evaluated_on"),
    _within("red_list_12_m_flag", "red_list", "awarded_on"),
    _within("broken_commitment_12_m_flag", "credit_commitment", "made_on", fulfilment=("未履行",)),
)
_JUSTICE = (
    _count("ep_force_excute_num_12_m", "enforcement_case", "filed_on"),
    _within("case_closed_unpaid_12_m_flag", "enforcement_case", "filed_on", case_state=("终结本次执行程序",)),
    _count("ep_lost_credit_excute_num_12_m", "judgment_defaulter", "published_on"),
    _now("lost_credit_now_flag", "judgment_defaulter", listing_state=("公布中",)),
    _within("excu_limi_high_consum_12_m_flag", "consumption_limit", "limited_on"),
    _count("ep_criminal_case_num_12_m", "criminal_case", "filed_on"),
    *(
        _count(f"ep_{key}_legal_case_num_12_m", "legal_case", "filed_on", cause=causes, role=("被告",))
        for key, causes in CASE_KINDS.items()
    ),
    _within("judicial_auction_12_m_flag", "judicial_auction", "auctioned_on"),
)
_CHANGE = (
    _count("ep_holder_eqty_pledge_num_12_m", "equity_pledge", "registered_on"),
    _sum("ep_holder_eqty_pledge_amt_12_m", "equity_pledge", "pledged_equity", "registered_on"),
    _count("ep_holder_eqty_frez_num_12_m", "equity_freeze", "frozen_on"),
    _sum("ep_holder_eqty_frez_amt_12_m", "equity_freeze", "frozen_equity", "frozen_on"),
    _count("chattel_mortgage_num_12_m", "chattel_mortgage", "registered_on"),
    *(
        _count(f"ep_{key}_adj_num_12_m", "enterprise_change", "changed_on", change_item=(change,))
        for key, change in CHANGES.items()
    ),
    *_two_years("staff", "withholding_declaration", "staff", "period_end"),
    *_two_years("sales", "vat_declaration", "sales", "period_end"),
    *_two_years("power", "utility_usage", "power_kwh", "period_end"),
)
_GROWTH = (
    *(
        _count(f"ep_{key}_add_num_12_m", "intellectual_property", "granted_on", right_kind=kinds)
        for key, kinds in RIGHTS.items()
    ),
    Evidence(
        "ep_env_evaluate_12_m",
        "environmental_credit",
        Operation.NEWEST,
        item="colour",
        date_item="evaluated_on",
        window_months=YEAR,
    ),
)

EVIDENCE: tuple[Evidence, ...] = (
    *_IDENTITY,
    *_TAX,
    *_PENALTY,
    *_STANDING,
    *_JUSTICE,
    *_CHANGE,
    *_GROWTH,
)
