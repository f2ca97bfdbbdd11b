# SPDX-License-Identifier: Apache-2.0
"""What can be asked at the doors, in one form for all who ask: at the command line, and from afar over the gateway."""

from dataclasses import dataclass
from enum import StrEnum

from zhanqiao.desk.scenarios import service_named
from zhanqiao.doors import decisions, statistics
from zhanqiao.doors.release import Release
from zhanqiao.terms.refusals import Lang, Refusal
from zhanqiao.terms.requests import BatchDecisionRequest, DecisionRequest, RequestId, StatisticsRequest
from zhanqiao.terms.subjects import Subject
from zhanqiao.vault.house import House


class Verb(StrEnum):
    """How the doors are asked."""

    ASK = "ask"
    DECIDE = "decide"
    DECIDE_BATCH = "decide-batch"


@dataclass(frozen=True)
class Question:
    """What somebody asks a door.

    statement   of the statistics door
    service     of the decisions door
    subjects    whom a decision is about: one, or a list
    consent     the subject's signed consent, where the service needs one
    """

    verb: Verb
    request: RequestId
    agreement: str
    lang: Lang
    statement: str = ""
    service: str = ""
    subjects: tuple[str, ...] = ()
    consent: str | None = None

    def __repr__(self) -> str:
        # Identifiers must not reach a log through a traceback.
        return f"Question(verb={self.verb.value!r}, request={self.request!r})"


def answer(question: Question, by: str, house: House) -> Release | Refusal:
    """Ask the door that the question is for, in the name of `by`."""
    if question.verb is Verb.ASK:
        request = StatisticsRequest(question.request, question.agreement, by, question.statement)
        return statistics.answer(request, house=house)
    service = service_named(question.service)
    if isinstance(service, Refusal):
        return service
    if question.verb is Verb.DECIDE_BATCH:
        batch = BatchDecisionRequest(question.request, question.agreement, by, service.name)
        return decisions.answer_batch(batch, service, list(question.subjects), house=house)
    subject = Subject(service.subject, question.subjects[0])
    one = DecisionRequest(question.request, question.agreement, by, service.name, subject, question.consent)
    return decisions.answer(one, service, house=house)
