# SPDX-License-Identifier: Apache-2.0
"""Enterprise credit review (涉企信用贷款审查): features, a band and a pre-check for a bank, with the enterprise's consent.

Never leaves: tax returns, invoices, rows of employees, counterparties, the owners' personal data, any exact figure.
"""

from zhanqiao.scenarios.credit.evidence import EVIDENCE
from zhanqiao.scenarios.credit.features import FEATURES, UNKNOWN
from zhanqiao.scenarios.credit.rules import (
    BANDS,
    FAVOURABLE,
    PACK,
    PASS,
    REASONS,
    REVIEW,
    STEPS,
    TO_MANUAL,
    UNDETERMINED,
    decide,
)
from zhanqiao.terms.scenarios import Scenario
from zhanqiao.terms.services import Field, Service
from zhanqiao.terms.subjects import SubjectKind

enterprise_credit = Service(
    name="enterprise-credit",
    zh="涉企信用贷款审查",
    en="Enterprise credit review",
    subject=SubjectKind.ENTERPRISE,
    purposes=("credit-precheck",),
    needs_consent=True,
    output=(
        Field.named("outcome", "结论", {FAVOURABLE: "良好", REVIEW: "须审查", UNDETERMINED: "无法认定"}),
        Field.named("precheck", "预审结果", {PASS: "通过", TO_MANUAL: "转人工审查"}),
        Field("band", "评分等级", (*(name for name, _ in BANDS), UNKNOWN)),
        Field.named("reasons", "原因代码", {code: zh for code, (zh, _) in REASONS.items()}, many=True),
        Field.named("next_step", "下一步", STEPS),
        *(feature.field for feature in FEATURES),
    ),
    pack=PACK,
    decide=decide,
    evidence=EVIDENCE,
    negative_outcome_next_step="由银行信贷人员人工审查并说明理由;企业对数据有异议的,可向数源部门提出,二十日内书面答复。",
)

scenario = Scenario(name="credit", services=(enterprise_credit,))

__all__ = ["enterprise_credit", "scenario"]
