# SPDX-License-Identifier: Apache-2.0
"""Silent pension certification (静默认证): pensioners are certified by what departments saw anyway, nobody is sent for.

On duty, for the roster of those who draw a pension. Never leaves: hospital, diagnosis, trip, place, exact day.
"""

from zhanqiao.scenarios.pension.rules import (
    CERTIFIED,
    CLASSES,
    PACK,
    REASONS,
    ROSTER,
    ROSTER_WHERE,
    STEPS,
    SUSPECT,
    TRACES,
    UNDETERMINED,
    decide,
)
from zhanqiao.terms.scenarios import Scenario
from zhanqiao.terms.services import Field, Service
from zhanqiao.terms.subjects import SubjectKind

silent_certification = Service(
    name="silent-certification",
    zh="静默养老认证",
    en="Silent pension certification",
    subject=SubjectKind.PERSON,
    purposes=("pension-certification",),
    needs_consent=False,
    output=(
        Field.named("outcome", "认证结果", {CERTIFIED: "已认证", SUSPECT: "存疑", UNDETERMINED: "无法认定"}),
        # A month, not a day: the day would tell the exact day of the last sign.
        Field("valid_until", "资格有效期至", is_month=True, optional=True),
        Field.named("evidence_class", "依据类别", CLASSES, optional=True),
        Field("evidence_month", "依据月份", is_month=True, optional=True),
        Field.named("reasons", "原因代码", REASONS, many=True),
        Field.named("next_step", "下一步", STEPS),
    ),
    pack=PACK,
    decide=decide,
    traces=TRACES,
    roster=ROSTER,
    roster_where=ROSTER_WHERE,
    newest_signs=True,
    negative_outcome_next_step=(
        "疑似或无法认定的,由经办人员人工核实,不自动停发待遇;提醒本人自助认证,三个月警示期内可由社区或上门服务办理。"
    ),
)

scenario = Scenario(name="pension", services=(silent_certification,))

__all__ = ["scenario", "silent_certification"]
