# SPDX-License-Identifier: Apache-2.0
"""What codes are called in Chinese wherever the command line shows them to people: one table. Data keep the bare codes.

The words are those of the glossary. What a service answers is named where the service is declared.
"""

from collections.abc import Iterable, Mapping

from zhanqiao.identity.admission import Admission
from zhanqiao.identity.people import OrganisationKind, Role
from zhanqiao.terms.refusals import Lang, Reason

KINDS: Mapping[str, str] = {
    OrganisationKind.DEPARTMENT: "数源部门",
    OrganisationKind.AUTHORITY: "数据主管部门",
    OrganisationKind.OPERATOR: "运营机构",
    OrganisationKind.REGULATOR: "监管方",
    OrganisationKind.RESIDENT: "入驻单位",
}
ROLES: Mapping[str, str] = {
    Role.SYSTEM_ADMIN: "系统管理员",
    Role.SECURITY_ADMIN: "安全管理员",
    Role.AUDIT_ADMIN: "审计管理员",
    Role.OFFICER: "经办人",
    Role.SIGNATORY: "签章人",
    Role.ASSESSOR: "评审人员",
    Role.STEWARD: "数据员",
    Role.ANALYST: "分析员",
    Role.OUTPUT_CHECKER: "出库审核员",
    Role.AUDITOR: "稽核员",
}
ADMISSIONS: Mapping[str, str] = {
    Admission.APPLICANT: "申请中",
    Admission.ASSESSED: "已初审",
    Admission.RESIDENT: "已入驻",
    Admission.EXIT: "已退出",
}
# What becomes of one of many in a batch where the service says nothing.
UNANSWERED: Mapping[str, str] = {"not-answered": "不予答复"}


def with_name(lang: Lang, code: str, names: Mapping[str, str]) -> str:
    """Return a code with its name behind it, where the language and the table have one."""
    return f"{code}（{names[code]}）" if lang == "zh" and code in names else code


def state_of(lang: Lang, admission: str) -> str:
    """Return where an admission stands: its name, with the code behind it."""
    return f"{ADMISSIONS[admission]}（{admission}）" if lang == "zh" else admission


def joined(lang: Lang, words: Iterable[str]) -> str:
    """Return a list of words in one line."""
    return ("、" if lang == "zh" else ", ").join(words)


def remedy_of(reason: Reason, lang: Lang) -> str:
    """Return the remedy of a reason; kinds of organisations among its facts have their names behind them."""
    kinds = reason.facts.get("kinds")
    if lang == "en" or kinds is None:
        return reason.remedy(lang)
    named = joined(lang, (with_name(lang, kind, KINDS) for kind in kinds.split(", ")))
    return Reason(reason.code, {**reason.facts, "kinds": named}).remedy(lang)
