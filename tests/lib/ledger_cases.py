# SPDX-License-Identifier: Apache-2.0
"""Work at the book as a door does it, without a door: a request is reserved, released and certified."""

from zhanqiao.ledger.book import Book
from zhanqiao.terms.events import Event
from zhanqiao.terms.requests import RequestId

# What a door says of a charge.
_CHARGE: dict[str, object] = {"agreement": "A", "charge": 1, "digest": "digest"}


def request_id(number: int) -> RequestId:
    """Return the id of the request with that number."""
    return RequestId(f"{number:032x}")


def work(book: Book, number: int) -> None:
    """Bring one request to its certificate, from wherever a crash left it. Three entries in all."""
    request = request_id(number)
    if book.request(request) is None:
        reserve(book, number)
    if not book.request(request).released:
        with book.recording() as tx:
            tx.release(Event("test.released", "tester", request), predicate(), f"{number:064x}", b"memo")
    book.certificate(book.request(request).index)


def reserve(book: Book, number: int) -> None:
    """Charge a request and go no further. One entry."""
    request = request_id(number)
    with book.recording(Event("test.reserved", "tester", request, _CHARGE)) as tx:
        tx.reserve(request, "digest")


def predicate() -> dict[str, object]:
    """Return what a certificate says."""
    return {
        "version": 1,
        "door": "statistics",
        "service_or_null": None,
        "agreement": "A",
        "purpose": "test",
        "policy": {"version": "1", "pack": "test"},
        "statement_or_artifact_digest": "sha256:" + "0" * 64,
        "snapshot": {},
        "rung_or_null": "cube",
        "rules": [],
        "withheld": [],
        "charge": {"answers": 1},
        "commitment": "0" * 64,
        "approvals": [],
        "group": None,
        "issued": "2026-11-25T09:00:00Z",
    }
