# SPDX-License-Identifier: Apache-2.0
"""The shelf: describing datasets, replacing their contracts, publishing their snapshots."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection, connections
from django.db.utils import DatabaseError

from zhanqiao.catalogue import shelf
from zhanqiao.catalogue.models import ContractRow, StandingRow
from zhanqiao.catalogue.shelf import ContractMoved, ShelfDamaged, Snapshot, Tally
from zhanqiao.ledger.book import Book, founding
from zhanqiao.terms.datasets import Dataset
from zhanqiao.terms.events import Event
from zhanqiao.terms.refusals import NOT_FOUND, Refusal, meant, refuse

GOOD = (Path(__file__).parents[1] / "lib" / "contracts" / "pension_enrolment.odcs.yaml").read_text(encoding="utf-8")
TODAY = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def other(name: str, code: str, **changes: str) -> str:
    """Return a contract for another dataset: `changes` replaces a code by another."""
    text = GOOD.replace("name: pension_enrolment", f"name: {name}").replace("370200-hrss-001", code)
    text = text.replace("城镇职工基本养老保险参保信息", f"{name}信息")
    for old, new in changes.items():
        assert old in text
        text = text.replace(f"{old}", new)
    return text


def raised(version: str) -> str:
    return GOOD.replace("version: 1.0.0", f"version: {version}")


def described(result: Dataset | Refusal) -> Dataset:
    assert isinstance(result, Dataset), [reason.message("en") for reason in result.reasons]
    return result


def codes_of(result: Dataset | Refusal) -> list[str]:
    assert isinstance(result, Refusal)
    return [reason.code for reason in result.reasons]


def snapshot(dataset: Dataset, number: int, rows: int = 1_000, segments: tuple[str, ...] = ()) -> Snapshot:
    return Snapshot(
        id=f"snap-{number}",
        dataset=dataset.name,
        contract_digest=dataset.digest,
        rows=rows,
        segments=segments or (f"segment-{number}",),
        batch_digest=f"sha256:{number:064d}",
        published=TODAY,
    )


def publish(book: Book, new: Snapshot) -> Snapshot:
    with book.recording(Event("intake.published", "intake", facts={"snapshot": new.id})) as tx:
        shelf.publish(tx, new)
    return new


# --- describing -------------------------------------------------------------------------------------


def test_a_described_dataset_is_found_as_its_contract_says(book: Book) -> None:
    added = described(shelf.add(book, GOOD, "hrss-officer"))
    assert shelf.find("pension_enrolment") == added
    assert shelf.all() == (added,)
    assert shelf.find("pension") is None
    assert shelf.contract_of(added.digest) == GOOD
    assert shelf.contract_of("sha256:0") is None


def test_describing_is_an_event(book: Book) -> None:
    dataset = described(shelf.add(book, GOOD, "hrss-officer"))
    (event,) = book.events(kind="catalogue.described")
    leaf = json.loads(event.leaf)
    assert (leaf["by"], leaf["time"]) == ("hrss-officer", "2026-11-25T09:00:00Z")
    assert leaf["facts"] == {
        "dataset": "pension_enrolment",
        "code": "370200-hrss-001",
        "department": "hrss",
        "version": "1.0.0",
        "contract": dataset.digest,
        "replaces": None,
        "items": 8,
        "sharing": "conditional",
        "opening": "conditional",
    }


def test_the_same_contract_twice_is_no_change_and_no_event(book: Book) -> None:
    first = described(shelf.add(book, GOOD, "hrss-officer"))
    size = book.size
    assert shelf.add(book, GOOD, "someone-else") == first
    assert shelf.add(book, GOOD.encode(), "someone-else") == first
    assert book.size == size


def test_a_broken_contract_changes_nothing(book: Book) -> None:
    size = book.size
    result = shelf.add(book, GOOD.replace("value: token", "value: keep"), "hrss-officer")
    assert codes_of(result) == ["contract-subject-exposed"]
    assert (book.size, shelf.all()) == (size, ())


@pytest.mark.parametrize("version", ["1.0.1", "1.1.0", "2.0.0", "1.0.10"])
def test_a_changed_contract_carries_a_higher_version(book: Book, version: str) -> None:
    first = described(shelf.add(book, GOOD, "hrss-officer"))
    second = described(shelf.add(book, raised(version), "hrss-officer"))
    assert shelf.find("pension_enrolment") == second
    assert second.version == version
    assert (shelf.contract_of(first.digest), shelf.contract_of(second.digest)) == (GOOD, raised(version))
    assert json.loads(list(book.events(kind="catalogue.described"))[1].leaf)["facts"]["replaces"] == first.digest


@pytest.mark.parametrize("version", ["1.9.0", "1.10.0", "0.99.0"])
def test_a_changed_contract_without_a_higher_version_is_refused(book: Book, version: str) -> None:
    stands = described(shelf.add(book, raised("1.10.0"), "hrss-officer"))
    result = shelf.add(book, raised(version) + "# another word\n", "hrss-officer")
    assert codes_of(result) == ["contract-version-not-higher"]
    assert isinstance(result, Refusal)
    assert "1.10.0" in result.reasons[0].message("zh")
    assert shelf.find("pension_enrolment") == stands


@pytest.mark.parametrize("version", ["999999999.999999999.999999999", "10001.0.0", "1.10000.0", "1.0.10000"])
def test_no_version_is_so_high_that_none_could_follow(book: Book, version: str) -> None:
    """A typing error would end a dataset for good."""
    described(shelf.add(book, GOOD, "hrss-officer"))
    assert codes_of(shelf.add(book, raised(version), "hrss-officer")) == ["contract-version-too-far"]
    assert described(shelf.add(book, raised("2026.1125.9"), "hrss-officer")).version == "2026.1125.9"
    assert described(shelf.add(book, raised("2026.1126.999999999"), "hrss-officer"))
    assert described(shelf.add(book, raised("2026.1127.0"), "hrss-officer"))


def test_nor_is_the_first(book: Book) -> None:
    assert codes_of(shelf.add(book, raised("10000.0.0"), "hrss-officer")) == ["contract-version-too-far"]
    assert described(shelf.add(book, raised("2026.1.0"), "hrss-officer"))


def test_going_back_to_a_former_contract_is_refused(book: Book) -> None:
    shelf.add(book, GOOD, "hrss-officer")
    shelf.add(book, raised("1.1.0"), "hrss-officer")
    assert codes_of(shelf.add(book, GOOD, "hrss-officer")) == ["contract-version-not-higher"]


def test_two_who_describe_at_once_come_one_after_the_other(book: Book) -> None:
    shelf.add(book, GOOD, "hrss-officer")
    start = Barrier(2)

    def describe(version: str) -> Dataset | Refusal:
        start.wait()
        try:
            return shelf.add(book, raised(version), version)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        lower, higher = pool.map(describe, ["1.1.0", "1.2.0"])
    stands = shelf.find("pension_enrolment")
    assert stands == described(higher)
    # The lower one was in force for a moment, or came too late; it never replaces the higher one.
    kept = [json.loads(event.leaf)["facts"]["version"] for event in book.events(kind="catalogue.described")]
    assert kept == (["1.0.0", "1.1.0", "1.2.0"] if isinstance(lower, Dataset) else ["1.0.0", "1.2.0"])


def test_a_catalogue_code_names_one_dataset(book: Book) -> None:
    shelf.add(book, GOOD, "hrss-officer")
    assert codes_of(shelf.add(book, other("medical", "370200-hrss-001"), "hrss-officer")) == ["dataset-code-taken"]
    described(shelf.add(book, other("medical", "370200-hrss-002"), "hrss-officer"))
    moved = other("medical", "370200-hrss-001").replace("version: 1.0.0", "version: 2.0.0")
    assert codes_of(shelf.add(book, moved, "hrss-officer")) == ["dataset-code-taken"]


def test_the_catalogue_is_in_the_order_of_its_codes(book: Book) -> None:
    for name, code in [("third", "c"), ("first", "a"), ("second", "b")]:
        described(shelf.add(book, other(name, code), "hrss-officer"))
    assert [dataset.name for dataset in shelf.all()] == ["first", "second", "third"]


def test_names_that_anybody_may_see_are_those_of_the_open_catalogue(book: Book) -> None:
    """A closed dataset's name is suggested to nobody."""
    described(shelf.add(book, other("shown", "a"), "hrss-officer"))
    described(
        shelf.add(
            book, other("hidden", "b", **{"opening, value: conditional": "opening, value: closed"}), "hrss-officer"
        )
    )
    assert shelf.open_names() == ("shown",)


def test_an_unknown_dataset_is_not_found() -> None:
    assert refuse("unknown-dataset", dataset="pensions", **meant("pensions", ())).exit_status == NOT_FOUND


# --- snapshots --------------------------------------------------------------------------------------


def test_nothing_is_published_at_first(book: Book) -> None:
    dataset = described(shelf.add(book, GOOD, "hrss-officer"))
    assert shelf.snapshot_of(dataset.name) is None
    assert shelf.snapshot_id_of(dataset.name) is None
    assert shelf.snapshot_of("unknown") is None
    assert shelf.snapshot_id_of("unknown") is None
    assert shelf.known_batch("unknown", "sha256:0") is None


def test_a_publication_replaces_the_former_and_keeps_it(book: Book) -> None:
    dataset = described(shelf.add(book, GOOD, "hrss-officer"))
    first = publish(book, snapshot(dataset, 1))
    assert shelf.snapshot_of(dataset.name) == first
    second = publish(book, snapshot(dataset, 2))
    assert shelf.snapshot_of(dataset.name) == second
    assert shelf.snapshot_id_of(dataset.name) == "snap-2"
    assert shelf.snapshots() == (first, second)


def test_a_publication_that_fails_leaves_the_former(book: Book) -> None:
    dataset = described(shelf.add(book, GOOD, "hrss-officer"))
    first = publish(book, snapshot(dataset, 1))
    size = book.size
    with pytest.raises(RuntimeError, match="power cut"):
        _publish_and_fail(book, snapshot(dataset, 2))
    assert (shelf.snapshot_of(dataset.name), shelf.snapshots(), book.size) == (first, (first,), size)


def _publish_and_fail(book: Book, new: Snapshot) -> None:
    with book.recording(Event("intake.published", "intake")) as tx:
        shelf.publish(tx, new)
        raise RuntimeError("power cut")


def test_a_full_delivery_is_known_while_it_is_published(book: Book) -> None:
    dataset = described(shelf.add(book, GOOD, "hrss-officer"))
    first = publish(book, snapshot(dataset, 1))
    assert shelf.known_batch(dataset, first.batch_digest) == first
    assert shelf.known_batch(dataset.name, first.batch_digest) == first
    publish(book, snapshot(dataset, 2))
    assert shelf.known_batch(dataset, first.batch_digest) is None


def test_an_appended_batch_is_known_as_long_as_its_rows_are_there(book: Book) -> None:
    text = GOOD.replace("delivery, value: full", "delivery, value: append")
    dataset = described(shelf.add(book, text, "hrss-officer"))
    first = publish(book, snapshot(dataset, 1, segments=("a",)))
    second = publish(book, snapshot(dataset, 2, segments=("a", "b")))
    assert shelf.known_batch(dataset, first.batch_digest) == first
    assert shelf.known_batch(dataset, second.batch_digest) == second
    publish(book, snapshot(dataset, 3, segments=("c",)))  # rebuilt from other deliveries
    assert shelf.known_batch(dataset, first.batch_digest) is None


def test_a_new_contract_takes_the_former_snapshot_off_the_shelf(book: Book) -> None:
    dataset = described(shelf.add(book, GOOD, "hrss-officer"))
    first = publish(book, snapshot(dataset, 1))
    successor = described(shelf.add(book, raised("1.1.0"), "hrss-officer", withdraw=True))
    assert shelf.snapshot_of(dataset.name) is None
    assert shelf.known_batch(successor, first.batch_digest) is None
    again = publish(book, snapshot(successor, 2))
    assert shelf.snapshot_of(dataset.name) == again


def test_published_rows_go_out_of_use_only_by_a_word_of_its_own(book: Book) -> None:
    """A mended description would take them, too; there is no way back but to deliver again."""
    dataset = described(shelf.add(book, GOOD, "hrss-officer"))
    first = publish(book, snapshot(dataset, 1))
    size = book.size
    assert codes_of(shelf.add(book, raised("1.1.0"), "hrss-officer")) == ["contract-withdraws"]
    assert codes_of(shelf.add(book, raised("0.9.0"), "hrss-officer")) == ["contract-version-not-higher"]
    assert shelf.add(book, GOOD, "hrss-officer") == dataset, "the same again changes nothing"
    assert shelf.snapshot_of(dataset.name) == first
    assert book.size == size


def test_rows_that_are_published_while_a_contract_waits_for_its_turn_stay(book: Book) -> None:
    """Between its look and its turn to write, somebody else's load ends: told as published, it must not be gone."""
    dataset = described(shelf.add(book, GOOD, "hrss-officer"))
    first = snapshot(dataset, 1)

    class Waiting:
        """The book, on which another writer comes first once."""

        waited = False

        def recording(self, *given: object, **named: object):
            if not self.waited:
                self.waited = True
                publish(book, first)
            return book.recording(*given, **named)

    assert codes_of(shelf.add(Waiting(), raised("1.1.0"), "hrss-officer")) == ["contract-withdraws"]
    assert shelf.snapshot_of(dataset.name).id == first.id


def test_a_batch_read_under_a_former_contract_is_not_published(book: Book) -> None:
    dataset = described(shelf.add(book, GOOD, "hrss-officer"))
    shelf.add(book, raised("1.1.0"), "hrss-officer")
    size = book.size
    with pytest.raises(ContractMoved):
        publish(book, snapshot(dataset, 1))
    assert (shelf.snapshots(), book.size) == ((), size)


# --- figures ----------------------------------------------------------------------------------------


def test_the_open_catalogue_in_figures(book: Book) -> None:
    first = described(shelf.add(book, GOOD, "hrss-officer"))
    tax = described(shelf.add(book, other("tax", "b", 人力资源和社会保障="税务"), "tax-officer"))
    closed = described(shelf.add(book, other("closed", "c").replace("opening, value: conditional", "opening, value: closed"), "x"))  # fmt: skip
    publish(book, snapshot(first, 1, rows=1_200))
    publish(book, snapshot(tax, 2, rows=30))
    publish(book, snapshot(closed, 3, rows=99))
    counts = shelf.counts()
    assert counts.total == Tally(categories=2, items=16, records=1_230)
    assert counts.domains == {"人力资源和社会保障": Tally(1, 8, 1_200), "税务": Tally(1, 8, 30)}


def test_an_empty_catalogue_counts_nothing(book: Book) -> None:
    assert (shelf.counts().total, shelf.counts().domains) == (Tally(0, 0, 0), {})


# --- attacks on what is kept ------------------------------------------------------------------------


def test_rows_do_not_change_outside_of_a_recording(book: Book) -> None:
    shelf.add(book, GOOD, "hrss-officer")
    with pytest.raises(DatabaseError):
        StandingRow.objects.update(snapshot=None)


def test_a_contract_that_was_changed_in_the_store_is_a_fault(book: Book) -> None:
    dataset = described(shelf.add(book, GOOD, "hrss-officer"))
    shelf.read_kept.cache_clear()
    with founding():
        ContractRow.objects.filter(pk=dataset.digest).update(text=raised("1.0.7"))
    with pytest.raises(ShelfDamaged, match="its text has the digest"):
        shelf.find(dataset.name)
    with founding():
        ContractRow.objects.filter(pk=dataset.digest).update(text="kind: nonsense")
    with pytest.raises(ShelfDamaged, match="couldn't read the contract"):
        shelf.find(dataset.name)


def test_a_contract_with_an_agreement_on_it_cannot_vanish(book: Book) -> None:
    dataset = described(shelf.add(book, GOOD, "hrss-officer"))
    with founding(), pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("DELETE FROM catalogue_contract WHERE digest = %s", [dataset.digest])
