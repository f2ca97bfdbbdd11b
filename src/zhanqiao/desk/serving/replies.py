# SPDX-License-Identifier: Apache-2.0
"""What goes back to a caller, whoever of the two processes says it: an HTTP status, a media type, the bytes."""

from dataclasses import dataclass

from zhanqiao.desk.serving.frames import Frame
from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.refusals import Lang, Refusal

JSON, TEXT, BYTES = "application/json", "text/plain; charset=utf-8", "application/octet-stream"


@dataclass(frozen=True)
class Reply:
    """One reply."""

    status: int
    kind: str
    body: bytes

    def frame(self) -> Frame:
        """Return it as it goes over the socket."""
        return Frame(f"{self.status} {self.kind}", self.body)

    @classmethod
    def of(cls, head: str, body: bytes) -> "Reply":
        """Read one that came over the socket; raises ValueError when its head is none."""
        status, _, kind = head.partition(" ")
        return cls(int(status), kind, body)


def refused(refusal: Refusal, lang: Lang) -> Reply:
    """Return every reason with its remedy, under the status of the first."""
    return Reply(refusal.reasons[0].rule.http_status, JSON, canonical(refusal.as_data(lang)))
