# SPDX-License-Identifier: Apache-2.0
"""A question in a signed envelope: what crosses the network, and what the vault worker believes.

Who asks signs, with the key that the register knows; so whoever passes the question on (a gateway, a proxy, somebody who
took one of them over) can neither make one nor change one. The payload names

    to        the log of the deployment that is asked: what was meant for one city is no question to another
    made      when it was signed; it counts for five minutes, so that a recorded question is not asked again later
    request   the request id: within those five minutes the same question gets the same bytes and no second charge

The envelope is a DSSE envelope of canonical JSON, as certificates are, with a payload type for each door.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from zhanqiao.desk.question import Question, Verb
from zhanqiao.ledger.dsse import key_id_of, read_envelope, sign_envelope
from zhanqiao.ledger.exact import exact_json
from zhanqiao.ledger.problems import Unsound
from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.terms.requests import RequestId

LIFETIME = timedelta(minutes=5)
VERSION = 1
_TYPE = "application/vnd.zhanqiao.{verb}+json"
_COMMON = {"version", "to", "made", "lang", "request", "agreement"}
_OWN = {
    Verb.ASK: {"statement"},
    Verb.DECIDE: {"service", "subject", "consent"},
    Verb.DECIDE_BATCH: {"service", "subjects"},
}


@dataclass(frozen=True)
class Asker:
    """Whose key it is: who asks, and the public half."""

    person: str
    key: Ed25519PublicKey


def sign(question: Question, to: str, made: datetime, key: Ed25519PrivateKey) -> bytes:
    """Return the envelope of a question to the deployment whose log is named `to`."""
    payload: dict[str, object] = {
        "version": VERSION,
        "to": to,
        "made": made.replace(microsecond=0),
        "lang": question.lang,
        "request": question.request,
        "agreement": question.agreement,
    }
    match question.verb:
        case Verb.ASK:
            payload["statement"] = question.statement
        case Verb.DECIDE:
            payload |= {"service": question.service, "subject": question.subjects[0], "consent": question.consent}
        case _:
            payload |= {"service": question.service, "subjects": question.subjects}
    return sign_envelope(_type_of(question.verb), canonical(payload), key_id_of(key.public_key()), key)


def open_signed(
    verb: Verb, content: bytes, to: str, now: datetime, asker_of: Callable[[str], Asker | None]
) -> tuple[Question, Asker] | Refusal:
    """Return the question and who asks it, with the key that checked the signature, or why nobody does.

    asker_of    key id -> who uses that key now, or None
    """
    try:
        unopened = read_envelope(content)
        asker = asker_of(unopened.key_id)
        if asker is None:
            return refuse("signature-unknown")
        envelope = unopened.verified(asker.key)
    except Unsound as flaw:
        return refuse("signature-wrong", cause=flaw.problem.code)
    if envelope.payload_type != _type_of(verb):
        return refuse("question-malformed", cause=f"the payload type is not {_type_of(verb)}")
    try:
        payload = exact_json(envelope.payload)
    except ValueError as cause:
        return refuse("question-malformed", cause=str(cause))
    question = _read(verb, payload, to, now)
    return question if isinstance(question, Refusal) else (question, asker)


def _read(verb: Verb, payload: object, to: str, now: datetime) -> Question | Refusal:
    keys = _COMMON | _OWN[verb]
    if not isinstance(payload, dict) or set(payload) != keys:
        return refuse("question-malformed", cause=f"its keys are not {', '.join(sorted(keys))}")
    if type(payload["version"]) is not int or payload["version"] != VERSION or payload["lang"] not in {"zh", "en"}:
        return refuse("question-malformed", cause="version is not 1, or lang neither zh nor en")
    texts = {
        name: payload[name] for name in ("to", "made", "request", "agreement", "statement", "service") if name in keys
    }
    if wrong := [name for name, said in texts.items() if not isinstance(said, str)]:
        return refuse("question-malformed", cause=f"{', '.join(wrong)} is no text")
    if texts["to"] != to:
        return refuse("question-elsewhere", here=to)
    if (stale := _not_now(texts["made"], now)) is not None:
        return stale
    request = RequestId.parse(texts["request"])
    if isinstance(request, Refusal):
        return request
    subjects, consent = _whom(payload), payload.get("consent")
    if subjects is None or not (consent is None or isinstance(consent, str)):
        return refuse("question-malformed", cause="a subject, or the consent, is no text")
    statement, service = texts.get("statement", ""), texts.get("service", "")
    return Question(verb, request, texts["agreement"], payload["lang"], statement, service, subjects, consent)


def _whom(payload: dict[str, object]) -> tuple[str, ...] | None:
    """Return whom a question is about; None when that is not said in texts."""
    named = payload["subjects"] if "subjects" in payload else [payload.get("subject", "")]
    if not isinstance(named, list) or not named or not all(isinstance(one, str) for one in named):
        return None
    return tuple(named)


def _not_now(made: str, now: datetime) -> Refusal | None:
    try:
        moment = datetime.fromisoformat(made)
        apart = abs(now - moment)
    except (ValueError, TypeError, OverflowError):
        return refuse("question-malformed", cause="made is no time with its zone")
    return None if apart <= LIFETIME else refuse("question-stale", minutes=str(LIFETIME.seconds // 60))


def _type_of(verb: Verb) -> str:
    return _TYPE.format(verb=verb.value)
