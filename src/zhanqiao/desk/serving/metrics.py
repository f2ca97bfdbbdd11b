# SPDX-License-Identifier: Apache-2.0
"""What a running deployment measures of itself, in Prometheus' text format. Counts and times; no names, no values."""

import shutil

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from zhanqiao.desk.backed_up import newest_backup
from zhanqiao.desk.sealed_keys import keys_of
from zhanqiao.desk.serving import tls
from zhanqiao.desk.serving.away import SEALED, SEALED_HELP, UP, UP_HELP
from zhanqiao.desk.serving.plan import plan
from zhanqiao.terms.refusals import Refusal
from zhanqiao.vault.house import House

# What an audit of rights logs when it found anything.
_ALARM = "rights.differ"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class Metrics:
    """The figures of one worker."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._registry = CollectorRegistry()
        self._questions = Counter(
            "zhanqiao_questions", "Questions answered or refused.", ["verb", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "zhanqiao_question_seconds",
            "Time from a whole question to its answer.",
            ["verb"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._entries = self._gauge("zhanqiao_log_entries", "Entries of the log.")
        self._event_age = self._gauge("zhanqiao_log_newest_age_seconds", "Age of the log's newest entry.")
        self._out_of_touch = self._gauge(
            "zhanqiao_witnesses_away",
            "1 when fewer witnesses than asked for cosigned lately: they are asked before the next answer.",
        )
        self._alarm = self._gauge(
            "zhanqiao_rights_differ", "1 when the newest audit of rights found what nobody agreed to."
        )
        if self._ends() is not None:
            self._expires = self._gauge(
                "zhanqiao_certificate_expires_timestamp_seconds",
                "When the gateway's certificate ends, as its file says; 0 when it cannot be read. Not there without TLS.",
            )
            self._expires.set_function(lambda: self._ends() or 0)
        self._audited = self._gauge(
            "zhanqiao_rights_audited_timestamp_seconds",
            "When the newest audit of rights was made; 0 when none ever was.",
        )
        self._backed_up = self._gauge(
            "zhanqiao_backup_timestamp_seconds", "When the newest known backup was made; 0 when none ever was."
        )
        self._up = self._gauge(UP, UP_HELP)
        self._up.set(1)
        self._sealed = self._gauge(SEALED, SEALED_HELP)
        self._free = self._gauge("zhanqiao_disk_free_bytes", "Room on the disk of the deployment.")

    def count(self, verb: str, status: int, seconds: float) -> None:
        """Count one question."""
        self._questions.labels(verb, str(int(status))).inc()
        self._seconds.labels(verb).observe(seconds)

    def text(self) -> bytes:
        """Return all figures as of now."""
        book = self._house.book
        newest = book.newest()
        self._entries.set(book.size)
        self._event_age.set(0 if newest is None else max(0.0, (self._house.clock() - newest.time).total_seconds()))
        looked = book.newest("rights.audited", _ALARM)
        self._alarm.set(looked is not None and looked.kind == _ALARM)
        self._audited.set(0 if looked is None else looked.time.timestamp())
        made = newest_backup(self._house)
        self._backed_up.set(0 if made is None else made.timestamp())
        self._sealed.set(isinstance(keys_of(self._house.home), Refusal))
        # Whoever reads figures asks no witness.
        self._out_of_touch.set(not book.witnesses.in_touch())
        self._free.set(shutil.disk_usage(self._house.home).free)
        return generate_latest(self._registry)

    def _ends(self) -> float | None:
        """Return when the certificate ends, 0 where that cannot be read, None without TLS."""
        planned = plan(self._house.home)
        if isinstance(planned, Refusal) or not planned.deployment.serving.tls_certificate:
            return None
        ends = tls.expires(planned)
        return 0 if ends is None else ends.timestamp()

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, registry=self._registry)
